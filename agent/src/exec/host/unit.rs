//! A command as the properties of a transient unit.
//!
//! Owns what systemd is told. Must not talk to it.

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use zbus::{Fd, Variant};

use super::{
    handover::Handover,
    program::{DIRECTORIES, Login, Start},
    stdio::Theirs,
};
use crate::exec::Command;

/// Name and value, as `StartTransientUnit` takes them.
pub(super) type Property<'a> = (&'static str, Variant<'a>);

/// The shell finds the program as everybody expects it (127, 126), and goes to the directory; then it is gone.
const SHELL: &str = "/bin/sh";
const IN_DIRECTORY: &str = "cd -- \"$1\" || exit 126; shift; exec \"$@\"";
const AT_HOME: &str = "cd 2>/dev/null || cd /; exec \"$@\"";
/// `$0` of the shell: stands before its complaints.
const SHELL_NAME: &str = "tidegate";

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
    start: &Start,
) -> Vec<Property<'a>> {
    // No arguments here: any user can read them, and the journal keeps them.
    let mut properties = lifetime(format!("Command of {actor}"));
    properties.extend([
        ("Environment", Variant::from(environment(command, start))),
        ("ExecStartEx", Variant::from(exec_start(command, start))),
    ]);
    match start {
        // A home that is not there is no reason not to run.
        Start::Program { login, .. } => {
            properties.push(("WorkingDirectory", Variant::from(format!("-{}", login.home))));
        }
        // An empty user would leave HOME, USER and SHELL unset.
        Start::Shell => {
            properties.push(("User", Variant::from(command.user().unwrap_or("root").to_owned())));
        }
    }
    if let Some(path) = variables {
        let files = vec![(path.display().to_string(), false)];
        properties.push(("EnvironmentFiles", Variant::from(files)));
    }
    properties.extend(standard_streams(theirs));
    properties
}

/// A unit in which `program`, the agent's own, waits at `socket` for a command of root.
pub(super) fn waiting<'a>(program: &Path, socket: BorrowedFd<'a>) -> Vec<Property<'a>> {
    let program = program.display().to_string();
    let exec_start: ExecStart =
        vec![(program.clone(), vec![program, "standby".to_owned()], vec!["no-env-expand".to_owned()])];
    let mut properties = lifetime("Ready for a command of an administrator".to_owned());
    properties.extend([
        ("User", Variant::from("root")),
        ("Environment", Variant::from(vec![path()])),
        ("ExecStartEx", Variant::from(exec_start)),
        ("StandardInputFileDescriptor", Variant::from(Fd::from(socket))),
        ("StandardOutput", Variant::from("null")),
        ("StandardError", Variant::from("journal")),
    ]);
    properties
}

/// The same command for what waits in such a unit.
pub(super) fn handover(command: &Command, start: &Start) -> Handover {
    let (path, argv) = invocation(command, start);
    let directory = match start {
        Start::Program { login, .. } => Some(PathBuf::from(&login.home)),
        Start::Shell => None,
    };
    Handover { path, argv, variables: command.environment().clone(), directory }
}

/// How every such unit lives and ends.
fn lifetime<'a>(description: String) -> Vec<Property<'a>> {
    vec![
        ("Description", Variant::from(description)),
        ("Type", Variant::from("simple")),
        // Keeps the unit until its end was read, however fast that came.
        ("AddRef", Variant::from(true)),
        ("CollectMode", Variant::from("inactive-or-failed")),
        ("KillMode", Variant::from("control-group")),
        ("SendSIGHUP", Variant::from(true)),
        ("TimeoutStopUSec", Variant::from(STOP_MICROSECONDS)),
        // As in a shell, `yes | head` ends without a complaint.
        ("IgnoreSIGPIPE", Variant::from(false)),
    ]
}

fn exec_start(command: &Command, start: &Start) -> ExecStart {
    // Else systemd itself would replace `$x`, before anybody sees it.
    let as_they_are = vec!["no-env-expand".to_owned()];
    let (path, argv) = invocation(command, start);
    vec![(path.display().to_string(), argv, as_they_are)]
}

/// The program's file and what it is told, its own name first.
fn invocation(command: &Command, start: &Start) -> (PathBuf, Vec<String>) {
    match start {
        Start::Program { path, .. } => (path.clone(), command.argv().to_vec()),
        Start::Shell => (PathBuf::from(SHELL), by_shell(command)),
    }
}

fn by_shell(command: &Command) -> Vec<String> {
    let mut argv = vec![SHELL.to_owned(), "-c".to_owned()];
    match command.working_directory() {
        Some(directory) => {
            argv.extend([IN_DIRECTORY, SHELL_NAME, directory].map(str::to_owned));
        }
        None => argv.extend([AT_HOME, SHELL_NAME].map(str::to_owned)),
    }
    argv.extend(command.argv().iter().cloned());
    argv
}

fn path() -> String {
    format!("PATH={}", DIRECTORIES.join(":"))
}

fn environment(command: &Command, start: &Start) -> Vec<String> {
    let mut environment = vec![path()];
    // The user database is not asked for root: on a small machine that takes as long as the command.
    if let Start::Program { login: Login { home, shell }, .. } = start {
        environment.extend([
            format!("HOME={home}"),
            "USER=root".to_owned(),
            "LOGNAME=root".to_owned(),
            format!("SHELL={shell}"),
        ]);
    }
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
        exec_start(command, &Start::Shell).remove(0).1
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
    fn a_program_that_was_found_runs_without_a_shell_but_with_what_a_login_tells() {
        let login = Login { home: "/root".into(), shell: "/bin/bash".into() };
        let start = Start::Program { path: "/usr/bin/echo".into(), login };
        let command = Command::new(vec!["echo".into(), "$HOME 100%".into()]).unwrap();
        let expected = ("/usr/bin/echo".to_owned(), vec!["echo".to_owned(), "$HOME 100%".to_owned()]);
        let (path, argv, options) = exec_start(&command, &start).remove(0);
        assert_eq!((path, argv), expected);
        assert_eq!(options, ["no-env-expand"]);
        let told = environment(&command, &start);
        assert_eq!(told[1..], ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash"]);
    }

    #[test]
    fn only_a_terminal_sets_term() {
        let command = Command::new(vec!["top".into()]).unwrap();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(environment(&command, &Start::Shell), [path]);
        let with = command.with_terminal(Some(TerminalSize { columns: 80, rows: 24 }));
        assert!(environment(&with, &Start::Shell).iter().any(|variable| variable.starts_with("TERM=")));
    }
}
