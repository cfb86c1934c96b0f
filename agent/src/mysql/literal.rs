//! Names and texts as SQL writes them. Pure.

/// A name, whatever is in it.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text, whatever the server makes of backslashes.
pub(super) fn text(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    format!("_utf8mb4 0x{}", hex::encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place() {
        assert_eq!(identifier("a`; DROP"), "`a``; DROP`");
        assert_eq!(text("it's"), "_utf8mb4 0x69742773");
        assert_eq!(text(""), "''");
    }
}
