//! `--scrub`: statements that run in what was restored before anybody sees it.

use std::{io::Read as _, path::Path};

use anyhow::Context as _;

use crate::failure::Failure;

/// Whoever has more puts it into a function in the database.
const LARGEST: u64 = 1024 * 1024;

/// The statements.
///
/// # Errors
/// When the file cannot be read, is no text, holds nothing, or more than 1 MiB.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let file = fs_err::File::open(path).context("the statements that scrub cannot be read")?;
    let mut text = String::new();
    let read = file.take(LARGEST.saturating_add(1)).read_to_string(&mut text);
    let length = read.context("the statements that scrub cannot be read")?;
    if text.trim().is_empty() {
        let hint = "without --scrub nothing is taken out of what is restored";
        return Err(Failure::input(format!("{shown} holds no statement")).hint(hint).into());
    }
    if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
        let hint = "put it into a function in the database, and let the file call it";
        return Err(Failure::input(format!("{shown} has more than 1 MiB")).hint(hint).into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_text_of_some_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scrub.sql");
        assert!(read(&path).is_err());
        for (wrong, told) in
            [(" \n".to_owned(), "no statement"), ("x".repeat(1024 * 1024 + 1), "more than 1 MiB")]
        {
            fs_err::write(&path, wrong).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains(told));
        }
        fs_err::write(&path, "UPDATE people SET mail = 'x';").unwrap();
        assert_eq!(read(&path).unwrap(), "UPDATE people SET mail = 'x';");
    }
}
