//! What is to be run, checked before anything is started.
//!
//! Owns the limits on command lines. Must not know where the command will run.

use std::collections::BTreeMap;

/// A command as the caller asked for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    argv: Vec<String>,
    environment: BTreeMap<String, String>,
    user: Option<String>,
    working_directory: Option<String>,
    terminal: Option<TerminalSize>,
    stdin: Stdin,
}

/// Values of arguments and variables may be secrets: they are not shown.
impl std::fmt::Debug for Command {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Command")
            .field("program", &self.program())
            .field("terminal", &self.terminal)
            .field("stdin", &self.stdin)
            .finish_non_exhaustive()
    }
}

/// Whether the caller will send standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// The command reads nothing.
    Closed,
    /// The command reads what the caller sends.
    Open,
}

/// Size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Why a command cannot be run as it was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no program to run.
    #[error("the command is empty")]
    Empty,
    /// A NUL byte cannot be passed to a program.
    #[error("{0} of the command holds a NUL byte, which no program can be given")]
    Nul(&'static str),
    /// Linux would refuse it.
    #[error("the command with its variables has {bytes} bytes, more than the {limit} that are passed on")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not a name of a variable.
    #[error("{0:?} is not the name of an environment variable")]
    VariableName(String),
    /// Not the name or number of a user.
    #[error(
        "{0:?} is not a user: expected a name or number, with `:group` behind it where the command runs in a container"
    )]
    User(String),
    /// A relative directory has nothing to be relative to.
    #[error("the working directory {0:?} is not absolute")]
    WorkingDirectory(String),
}

/// Arguments and environment together; Linux takes 2 MiB, of which systemd and Docker need a part.
const LONGEST: usize = 512 * 1024;

impl Command {
    /// A command that is run with nothing but its arguments.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a NUL byte.
    pub fn new(argv: Vec<String>) -> Result<Self, CommandError> {
        if argv.first().is_none_or(String::is_empty) {
            return Err(CommandError::Empty);
        }
        if argv.iter().any(|argument| argument.contains('\0')) {
            return Err(CommandError::Nul("an argument"));
        }
        Self { argv, ..Self::of_service() }.check_length()
    }

    /// The command that a service has anyway: for a container of its own.
    pub fn of_service() -> Self {
        Self {
            argv: Vec::new(),
            environment: BTreeMap::new(),
            user: None,
            working_directory: None,
            terminal: None,
            stdin: Stdin::Closed,
        }
    }

    /// Adds variables to those that the command has anyway.
    ///
    /// # Errors
    /// When a name is not one, a value holds a NUL byte, or all is too long.
    pub fn with_environment(mut self, environment: BTreeMap<String, String>) -> Result<Self, CommandError> {
        if let Some(name) = environment.keys().find(|name| !is_variable(name)) {
            return Err(CommandError::VariableName(name.clone()));
        }
        if environment.values().any(|value| value.contains('\0')) {
            return Err(CommandError::Nul("a variable"));
        }
        self.environment = environment;
        self.check_length()
    }

    /// Runs the command as somebody else; an empty name changes nothing.
    ///
    /// # Errors
    /// When it cannot be a user's name or number.
    pub fn with_user(mut self, user: &str) -> Result<Self, CommandError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
        if user.starts_with('-') || user.len() > 256 || !user.chars().all(allowed) {
            return Err(CommandError::User(user.to_owned()));
        }
        self.user = (!user.is_empty()).then(|| user.to_owned());
        Ok(self)
    }

    /// Runs the command in this directory; an empty one changes nothing.
    ///
    /// # Errors
    /// When it is not absolute.
    pub fn with_working_directory(mut self, directory: &str) -> Result<Self, CommandError> {
        if directory.contains('\0') {
            return Err(CommandError::Nul("the working directory"));
        }
        if !directory.is_empty() && !directory.starts_with('/') {
            return Err(CommandError::WorkingDirectory(directory.to_owned()));
        }
        self.working_directory = (!directory.is_empty()).then(|| directory.to_owned());
        Ok(self)
    }

    /// Gives the command a terminal of this size.
    #[must_use]
    pub fn with_terminal(self, terminal: Option<TerminalSize>) -> Self {
        Self { terminal, ..self }
    }

    /// Says whether the caller will send standard input.
    #[must_use]
    pub fn with_stdin(self, stdin: Stdin) -> Self {
        Self { stdin, ..self }
    }

    /// The program, without its arguments; empty for [`Command::of_service`].
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Program and arguments; empty for [`Command::of_service`].
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// Variables to add.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Who is to run it, when that was said.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Where, when that was said.
    pub fn working_directory(&self) -> Option<&str> {
        self.working_directory.as_deref()
    }

    /// The terminal it gets, if any.
    pub fn terminal(&self) -> Option<TerminalSize> {
        self.terminal
    }

    /// Whether the caller will send standard input.
    pub fn stdin(&self) -> Stdin {
        self.stdin
    }

    fn check_length(self) -> Result<Self, CommandError> {
        let arguments: usize = self.argv.iter().map(|argument| argument.len() + 1).sum();
        let variables: usize =
            self.environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        match arguments.saturating_add(variables) {
            bytes if bytes > LONGEST => Err(CommandError::TooLong { bytes, limit: LONGEST }),
            _ => Ok(self),
        }
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new(vec!["true".to_owned()]).unwrap()
    }

    #[test]
    fn impossible_commands_are_refused() {
        let refused =
            |argv: &[&str]| Command::new(argv.iter().map(ToString::to_string).collect()).unwrap_err();
        assert_eq!(refused(&[]), CommandError::Empty);
        assert_eq!(refused(&[""]), CommandError::Empty);
        assert_eq!(refused(&["a", "b\0c"]), CommandError::Nul("an argument"));
        assert!(matches!(refused(&["a", &"x".repeat(LONGEST)]), CommandError::TooLong { .. }));
    }

    #[test]
    fn users_directories_and_variables_are_checked() {
        for user in ["root", "1000", "www-data", "1000:1000", "a.b_c"] {
            assert_eq!(command().with_user(user).unwrap().user(), Some(user));
        }
        assert_eq!(command().with_user("").unwrap().user(), None);
        for user in ["-x", "a b", "a\nb", "%h"] {
            assert!(command().with_user(user).is_err(), "{user}");
        }
        assert!(command().with_working_directory("tmp").is_err());
        assert_eq!(command().with_working_directory("/tmp").unwrap().working_directory(), Some("/tmp"));
        for name in ["", "1A", "A=B", "A B"] {
            let variables = BTreeMap::from([(name.to_owned(), String::new())]);
            assert!(command().with_environment(variables).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_of_arguments_or_variables_is_shown_in_debug() {
        let command = Command::new(vec!["login".to_owned(), "hunter2".to_owned()])
            .and_then(|c| c.with_environment(BTreeMap::from([("PW".to_owned(), "s3cret".to_owned())])))
            .unwrap();
        let shown = format!("{command:?}");
        assert!(
            shown.contains("login") && !shown.contains("hunter2") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
