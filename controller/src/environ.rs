//! The environment as an input: what the process was given, and beside it the project's `.env`, which never leaves this
//! machine. The process's own variables win. It must not know who asks.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Variables of the process, and of the `.env` beside the fleet file.
#[derive(Clone, Default)]
pub struct Environ {
    process: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

// Values are secrets more often than not.
impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.process.keys().chain(self.file.keys())).finish()
    }
}

/// Whether `.env` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotEnv {
    /// It does.
    Read,
    /// Other files stand in for it.
    Replaced,
}

/// `.env` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironError {
    /// It is there and cannot be read.
    #[error("the environment file cannot be read")]
    Read(#[source] std::io::Error),
    /// A line is not `NAME=value`.
    #[error("{}:{line}: expected NAME=value", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl Environ {
    /// From the process's variables.
    pub fn new(process: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { process: process.into_iter().collect(), file: BTreeMap::new() }
    }

    /// Adds the `.env` in a directory; a missing file is none.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not `NAME=value`.
    pub fn with_file_in(mut self, directory: &Path) -> Result<Self, EnvironError> {
        let path = directory.join(".env");
        match fs_err::read_to_string(&path) {
            Ok(text) => self.file = parse(&text, &path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(EnvironError::Read(error)),
        }
        Ok(self)
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.process.get(name).or_else(|| self.file.get(name)).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// All variables of the process, for what never leaves this machine.
    pub fn process(&self) -> &BTreeMap<String, String> {
        &self.process
    }

    /// Variables an app may use: everything but the cloud's and tidegate's own credentials. With env files of its own
    /// an app does not read `.env`, as with docker compose.
    pub fn for_apps(&self, dot_env: DotEnv) -> BTreeMap<String, String> {
        let file = Some(&self.file).filter(|_| dot_env == DotEnv::Read).into_iter().flatten();
        let all = file.chain(&self.process);
        all.filter(|(name, _)| may_leave(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    /// Home directory by the platform's variable.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").or_else(|| self.get("USERPROFILE")).map(PathBuf::from)
    }
}

/// Credentials of the cloud and of tidegate never leave the workstation.
pub fn may_leave(name: &str) -> bool {
    !["DIGITALOCEAN_", "SPACES_", "TIDEGATE_"].iter().any(|prefix| name.starts_with(prefix))
}

fn parse(text: &str, path: &Path) -> Result<BTreeMap<String, String>, EnvironError> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(EnvironError::Line { path: path.to_owned(), line: index + 1 });
        };
        variables.insert(name.trim().to_owned(), unquote(value.trim()).to_owned());
    }
    Ok(variables)
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(before, _)| before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_file() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(
            directory.path().join(".env"),
            "# c\nexport A=\"file\"\nB='b # not a comment'\nC=c # comment\nD=\n",
        )
        .unwrap();
        let environ =
            Environ::new([("A".to_owned(), "process".to_owned())]).with_file_in(directory.path()).unwrap();
        assert_eq!(environ.get("A"), Some("process"));
        assert_eq!(environ.get("B"), Some("b # not a comment"));
        assert_eq!(environ.get("C"), Some("c"));
        assert_eq!(environ.get("D"), None);
    }

    #[test]
    fn credentials_of_the_cloud_stay_here() {
        let names = ["DIGITALOCEAN_TOKEN", "SPACES_KEY", "TIDEGATE_CA_PASSPHRASE", "TAG"];
        let environ = Environ::new(names.map(|n| (n.to_owned(), "x".to_owned())));
        assert_eq!(environ.for_apps(DotEnv::Read).into_keys().collect::<Vec<_>>(), ["TAG"]);
        assert!(!format!("{environ:?}").contains("\"x\""));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("A=1\nnonsense\n", Path::new(".env")).unwrap_err();
        assert_eq!(error.to_string(), ".env:2: expected NAME=value");
    }
}
