//! The revision a release came from, for people who look at it later. Asked of `git`; where there is none, or no
//! repository, a release simply has no revision.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

/// How long `git` may take: it only reads a few files.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the sources stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// Full hash of the commit; empty without one.
    pub revision: String,
    /// Branch; empty when none is checked out.
    pub branch: String,
    /// First line of the commit's message.
    pub subject: String,
}

impl Revision {
    /// That of a directory.
    pub async fn of(directory: &Path) -> Self {
        let Some(commit) = git(directory, &["log", "-1", "--format=%H%n%s"]).await else {
            return Self::default();
        };
        let (revision, subject) = commit.split_once('\n').unwrap_or((commit.as_str(), ""));
        let branch =
            git(directory, &["symbolic-ref", "--short", "--quiet", "HEAD"]).await.unwrap_or_default();
        Self { revision: revision.to_owned(), branch, subject: subject.to_owned() }
    }

    /// `7f3c2a1 (main, "faster checkout")`; empty without a revision.
    pub fn describe(&self) -> String {
        let Some(short) = self.revision.get(..7) else {
            return String::new();
        };
        match (self.branch.as_str(), self.subject.as_str()) {
            ("", "") => short.to_owned(),
            ("", subject) => format!("{short} (\"{subject}\")"),
            (branch, "") => format!("{short} ({branch})"),
            (branch, subject) => format!("{short} ({branch}, \"{subject}\")"),
        }
    }
}

async fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_reads_well() {
        let mut revision =
            Revision { revision: "7f3c2a1b".into(), branch: "main".into(), subject: "faster".into() };
        assert_eq!(revision.describe(), "7f3c2a1 (main, \"faster\")");
        revision.branch.clear();
        assert_eq!(revision.describe(), "7f3c2a1 (\"faster\")");
        assert_eq!(Revision::default().describe(), "");
    }

    #[tokio::test]
    async fn a_directory_without_a_repository_has_none() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Revision::of(directory.path()).await, Revision::default());
    }
}
