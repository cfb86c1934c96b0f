//! Names and texts as SQL takes them, whatever is in them.

/// A name within double quotes: a database, a role.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text within single quotes, in a form whose meaning no setting of the server changes.
pub(super) fn text(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_stays_one_word() {
        assert_eq!(identifier(r#"it's "odd"; DROP"#), r#""it's ""odd""; DROP""#);
        assert_eq!(text(r"it's \ odd"), r"E'it''s \\ odd'");
    }
}
