//! Where the built programs are. Owns the rule "beside the test binary"; must not build or start anything.

use std::path::{Path, PathBuf};

/// A program of this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The controller, `tidegate`.
    Controller,
    /// The agent, `tidegate-agent`.
    Agent,
    /// The sandbox, `tidegate-sandbox`.
    Sandbox,
}

impl Program {
    /// The file's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controller => "tidegate",
            Self::Agent => "tidegate-agent",
            Self::Sandbox => "tidegate-sandbox",
        }
    }
}

/// Why a program's path is not known.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The path of the running test is not known.
    #[error("the running test's own path is not known")]
    NoTestPath(#[source] std::io::Error),
    /// The test binary does not lie in a target directory.
    #[error("the test {} does not lie in a target directory", .0.display())]
    NoTargetDirectory(PathBuf),
    /// The program was not built.
    #[error("{} was not built; run `cargo build --workspace --bins`", .0.display())]
    NotBuilt(PathBuf),
}

/// Path of a built program of the same profile as the running test.
///
/// # Errors
/// When the test does not run from a target directory, or the program was not built.
pub fn path(program: Program) -> Result<PathBuf, ProgramError> {
    let file = format!("{}{}", program.name(), std::env::consts::EXE_SUFFIX);
    let path = profile_directory()?.join(file);
    if path.is_file() { Ok(path) } else { Err(ProgramError::NotBuilt(path)) }
}

/// The target directory (`target/`) that the running test was built in.
///
/// # Errors
/// When the test does not run from a target directory.
pub fn target_directory() -> Result<PathBuf, ProgramError> {
    let profile = profile_directory()?;
    profile.parent().map(Path::to_path_buf).ok_or(ProgramError::NoTargetDirectory(profile))
}

/// The directory of the profile, `target/debug` as a rule: a test is at `deps/NAME` in it.
fn profile_directory() -> Result<PathBuf, ProgramError> {
    let test = std::env::current_exe().map_err(ProgramError::NoTestPath)?;
    let directory = test.ancestors().find(|directory| directory.ends_with("deps")).and_then(Path::parent);
    match directory {
        Some(directory) => Ok(directory.to_path_buf()),
        None => Err(ProgramError::NoTargetDirectory(test)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_lies_in_a_target_directory() {
        let target = target_directory().unwrap();
        let test = std::env::current_exe().unwrap();
        let below = test.strip_prefix(&target).unwrap();
        assert_eq!(below.parent().and_then(Path::file_name), Some("deps".as_ref()), "{}", below.display());
    }

    #[test]
    fn a_program_that_was_not_built_is_named_with_its_cure() {
        let error = ProgramError::NotBuilt(PathBuf::from("target/debug/tidegate"));
        assert_eq!(
            error.to_string(),
            "target/debug/tidegate was not built; run `cargo build --workspace --bins`"
        );
    }
}
