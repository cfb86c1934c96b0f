//! Runs a recipe: a program that is given a directory to fill.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use crate::files::last_lines;

/// What a recipe may print: a path.
const MAX_PRINTED: u64 = 64 * 1024;

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// Files.
    #[error("an image cannot be built")]
    Io(#[from] io::Error),
    /// The recipe failed.
    #[error("{} failed: {said} (all it said is in {})", .recipe.display(), .log.display())]
    Failed {
        /// The program.
        recipe: PathBuf,
        /// Its last lines.
        said: String,
        /// All of them.
        log: PathBuf,
    },
    /// It took too long.
    #[error("{} did not end within {} s; what it said is in {}", .recipe.display(), .patience.as_secs(), .log.display())]
    TimedOut {
        /// The program.
        recipe: PathBuf,
        /// What it said.
        log: PathBuf,
        /// How long was waited.
        patience: Duration,
    },
}

/// Runs `recipe OUT`; what it says goes to `log`, which is replaced.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than `patience`.
pub async fn run(recipe: &Path, out: &Path, log: &Path, patience: Duration) -> Result<(), RecipeError> {
    output(Command::new(recipe).arg(out), log, patience).await.map(drop)
}

/// Runs a program and returns what it printed; what it says about it goes to `log`, which is replaced.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than `patience`.
pub async fn output(program: &mut Command, log: &Path, patience: Duration) -> Result<String, RecipeError> {
    let recipe = PathBuf::from(program.as_std().get_program());
    let (to, _path) = fs_err::File::create(log)?.into_parts();
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(to).kill_on_drop(true);
    let mut child = program
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run {}: {error}", recipe.display())))?;
    let mut printed = Vec::new();
    let work = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_PRINTED).read_to_end(&mut printed).await?;
        }
        child.wait().await
    };
    let Ok(ended) = timeout(patience, work).await else {
        return Err(RecipeError::TimedOut { recipe, log: log.to_owned(), patience });
    };
    if ended?.success() {
        return Ok(String::from_utf8_lossy(&printed).into_owned());
    }
    let all = fs_err::read_to_string(log).unwrap_or_default();
    Err(RecipeError::Failed { recipe, said: last_lines(&all, 3), log: log.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn script(text: &str, patience: Duration) -> Result<(), RecipeError> {
        let dir = tempfile::tempdir().unwrap();
        let recipe = dir.path().join("build");
        fs_err::write(&recipe, text).unwrap();
        fs_err::set_permissions(&recipe, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        run(&recipe, dir.path(), &dir.path().join("log"), patience).await
    }

    #[tokio::test]
    async fn a_failure_says_the_last_lines() {
        let error = script("#!/bin/sh\necho first >&2; echo broken >&2; exit 3\n", Duration::from_secs(5))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("first; broken"), "{error}");
    }

    #[tokio::test]
    async fn a_recipe_that_hangs_is_given_up() {
        let error = script("#!/bin/sh\nexec sleep 60\n", Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, RecipeError::TimedOut { .. }), "{error}");
    }
}
