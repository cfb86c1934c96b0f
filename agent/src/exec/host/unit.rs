//! A command as the properties of a transient unit.
//!
//! Owns what systemd is told. Must not talk to it.

use std::{os::fd::AsFd, path::Path};

use zbus::{Fd, Variant};

use super::stdio::Theirs;
use crate::exec::Command;

/// Name and value, as `StartTransientUnit` takes them.
pub(super) type Property<'a> = (&'static str, Variant<'a>);

/// The shell finds the program as everybody expects it (127, 126), and goes to the directory; then it is gone.
const SHELL: &str = "/bin/sh";
const IN_DIRECTORY: &str = "cd -- \"$1\" || exit 126; shift; exec \"$@\"";
const AT_HOME: &str = "cd 2>/dev/null || cd /; exec \"$@\"";
/// `$0` of the shell: stands before its complaints.
const SHELL_NAME: &str = "tidegate";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a command has to end by itself, in microseconds, when its caller is gone.
const STOP_MICROSECONDS: u64 = 5_000_000;

/// `ExecStartEx`: path, argv, options.
type ExecStart = Vec<(String, Vec<String>, Vec<String>)>;

/// What systemd has to know to run `command`.
pub(super) fn properties<'a>(
    command: &Command,
    actor: &str,
    theirs: &'a Theirs,
    variables: Option<&Path>,
) -> Vec<Property<'a>> {
    let mut properties = vec![
        // No arguments here: any user can read them, and the journal keeps them.
        ("Description", Variant::from(format!("Command of {actor}"))),
        ("Type", Variant::from("simple")),
        // Keeps the unit until its end was read, however fast that came.
        ("AddRef", Variant::from(true)),
        ("CollectMode", Variant::from("inactive-or-failed")),
        ("KillMode", Variant::from("control-group")),
        ("SendSIGHUP", Variant::from(true)),
        ("TimeoutStopUSec", Variant::from(STOP_MICROSECONDS)),
        // An empty user would leave HOME, USER and SHELL unset.
        ("User", Variant::from(command.user().unwrap_or("root").to_owned())),
        ("Environment", Variant::from(environment(command))),
        ("ExecStartEx", Variant::from(exec_start(command))),
    ];
    if let Some(path) = variables {
        let files = vec![(path.display().to_string(), false)];
        properties.push(("EnvironmentFiles", Variant::from(files)));
    }
    properties.extend(standard_streams(theirs));
    properties
}

fn exec_start(command: &Command) -> ExecStart {
    let mut argv = vec![SHELL.to_owned(), "-c".to_owned()];
    match command.working_directory() {
        Some(directory) => {
            argv.extend([IN_DIRECTORY, SHELL_NAME, directory].map(str::to_owned));
        }
        None => argv.extend([AT_HOME, SHELL_NAME].map(str::to_owned)),
    }
    argv.extend(command.argv().iter().cloned());
    // Else systemd itself would replace `$x`, before the shell sees it.
    vec![(SHELL.to_owned(), argv, vec!["no-env-expand".to_owned()])]
}

fn environment(command: &Command) -> Vec<String> {
    let mut environment = vec![PATH.to_owned()];
    if command.terminal().is_some() {
        environment.push("TERM=xterm-256color".to_owned());
    }
    environment
}

fn standard_streams(theirs: &Theirs) -> Vec<Property<'_>> {
    match theirs {
        Theirs::Pipes { stdin, stdout, stderr } => {
            let mut streams = vec![
                ("StandardOutputFileDescriptor", Variant::from(Fd::from(stdout.as_fd()))),
                ("StandardErrorFileDescriptor", Variant::from(Fd::from(stderr.as_fd()))),
            ];
            match stdin {
                Some(stdin) => {
                    streams.push(("StandardInputFileDescriptor", Variant::from(Fd::from(stdin.as_fd()))));
                }
                None => streams.push(("StandardInput", Variant::from("null"))),
            }
            streams
        }
        Theirs::Terminal { path, .. } => vec![
            ("StandardInput", Variant::from("tty")),
            ("StandardOutput", Variant::from("tty")),
            ("StandardError", Variant::from("tty")),
            ("TTYPath", Variant::from(path.clone())),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::TerminalSize;

    fn argv(command: &Command) -> Vec<String> {
        exec_start(command).remove(0).1
    }

    #[test]
    fn the_program_is_searched_for_by_a_shell_that_gives_way_to_it() {
        let command = Command::new(vec!["echo".into(), "$HOME 100%".into()]).unwrap();
        let home = ["/bin/sh", "-c", "cd 2>/dev/null || cd /; exec \"$@\"", "tidegate", "echo", "$HOME 100%"];
        assert_eq!(argv(&command), home);
        let command = command.with_working_directory("/srv").unwrap();
        let there = [
            "/bin/sh",
            "-c",
            "cd -- \"$1\" || exit 126; shift; exec \"$@\"",
            "tidegate",
            "/srv",
            "echo",
            "$HOME 100%",
        ];
        assert_eq!(argv(&command), there);
    }

    #[test]
    fn only_a_terminal_sets_term() {
        let command = Command::new(vec!["top".into()]).unwrap();
        assert_eq!(environment(&command), [PATH]);
        let with = command.with_terminal(Some(TerminalSize { columns: 80, rows: 24 }));
        assert!(environment(&with).iter().any(|variable| variable.starts_with("TERM=")));
    }
}
