//! Which program a command's first word means, and what a login of root would tell it.
//!
//! Owns the look at the droplet's files. Must not start anything.

use std::{
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use fs_err as fs;

use crate::exec::Command;

/// Where programs are looked for, in this order.
pub(super) const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// How a command is started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// This program, by root, at home. The plain case, and twice as fast as by a shell.
    Program {
        /// Its file.
        path: PathBuf,
        /// Of root.
        login: Login,
    },
    /// By a shell: it finds all that is to be found, changes directory, and says what is wrong in the words people know.
    Shell,
}

/// What the user database says of a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// Home directory.
    pub(super) home: String,
    /// Shell.
    pub(super) shell: String,
}

/// Decides; `passwd` is the user database's file, `directories` those of `PATH`.
pub(super) fn start(command: &Command, passwd: &Path, directories: &[&str]) -> Start {
    if command.user().is_some() || command.working_directory().is_some() {
        return Start::Shell;
    }
    match (find(command.program(), directories), root(passwd)) {
        (Some(path), Some(login)) => Start::Program { path, login },
        _ => Start::Shell,
    }
}

/// The first file of that name that the kernel can start.
fn find(name: &str, directories: &[&str]) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let mut paths = directories.iter().map(|directory| Path::new(directory).join(name));
    paths.find(|path| is_executable(path)).filter(|path| kernel_starts(path))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A script that names no interpreter is started by shells only.
fn kernel_starts(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut head));
    read.is_ok() && (head.starts_with(b"\x7fELF") || head.starts_with(b"#!"))
}

fn root(passwd: &Path) -> Option<Login> {
    let text = fs::read_to_string(passwd).ok()?;
    let mut fields = text.lines().find(|line| line.starts_with("root:"))?.split(':').skip(5);
    let (home, shell) = (fields.next()?, fields.next()?);
    (home.starts_with('/') && shell.starts_with('/'))
        .then(|| Login { home: home.to_owned(), shell: shell.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, content: &[u8], mode: u32) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(program: &str) -> Command {
        Command::new(vec![program.to_owned()]).unwrap()
    }

    #[test]
    fn what_the_kernel_can_start_is_started_and_the_rest_is_left_to_a_shell() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("a"), root.path().join("b"));
        fs::create_dir_all(first.join("folder")).unwrap();
        fs::create_dir_all(&second).unwrap();
        file(&first.join("plain"), b"text", 0o644);
        file(&first.join("bare"), b"echo hello\n", 0o755);
        file(&second.join("plain"), b"\x7fELF...", 0o755);
        file(&second.join("script"), b"#!/bin/sh\n", 0o755);
        file(&second.join("bare"), b"\x7fELF...", 0o755);
        let passwd = root.path().join("passwd");
        file(&passwd, b"daemon:x:1:1::/:/bin/no\nroot:x:0:0:root:/root:/bin/bash\n", 0o644);
        let directories = [first.to_str().unwrap(), second.to_str().unwrap()];
        let started = |command: &Command| start(command, &passwd, &directories);
        let login = || Login { home: "/root".into(), shell: "/bin/bash".into() };
        for name in ["plain", "script"] {
            let program = Start::Program { path: second.join(name), login: login() };
            assert_eq!(started(&command(name)), program, "{name}");
        }
        // `bare` is the first of its name, as a shell would have it.
        for name in ["bare", "folder", "missing", "./plain", "/usr/bin/env"] {
            assert_eq!(started(&command(name)), Start::Shell, "{name}");
        }
        assert_eq!(started(&command("plain").with_user("web").unwrap()), Start::Shell);
        assert_eq!(started(&command("plain").with_working_directory("/srv").unwrap()), Start::Shell);
        assert_eq!(start(&command("plain"), &root.path().join("none"), &directories), Start::Shell);
    }
}
