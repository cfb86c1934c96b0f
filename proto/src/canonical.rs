//! One unambiguous way to turn values into bytes that are hashed, proven or signed: a domain string first, then every
//! field with its length (8 bytes, big endian) before it, so that no two sequences of fields give the same bytes.
//! It must not decide which fields there are; the callers document that.

/// Bytes under construction.
#[derive(Debug)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// Starts with a domain, which names purpose and version and is used for nothing else.
    pub(crate) fn new(domain: &str) -> Self {
        Self(Vec::new()).bytes(domain.as_bytes())
    }

    /// A field.
    pub(crate) fn bytes(mut self, field: &[u8]) -> Self {
        // usize is at most 64 bits on every platform Rust supports; the bound only satisfies the type.
        self.0.extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// A text field.
    pub(crate) fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    /// A number field: 8 bytes, big endian.
    pub(crate) fn number(self, field: u64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// A list: its length as a number field, then its items.
    pub(crate) fn list<'a>(self, items: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let counted = self.number(u64::try_from(items.len()).unwrap_or(u64::MAX));
        items.fold(counted, Canonical::bytes)
    }

    /// The bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Canonical;

    #[test]
    fn moving_a_byte_between_fields_changes_the_bytes() {
        let one = Canonical::new("d").text("ab").text("c").finish();
        let other = Canonical::new("d").text("a").text("bc").finish();
        assert_ne!(one, other);
    }

    #[test]
    fn a_list_is_not_its_items_written_one_by_one() {
        let list = Canonical::new("d").list([b"a".as_slice(), b"b"].into_iter()).finish();
        let fields = Canonical::new("d").text("a").text("b").finish();
        assert_ne!(list, fields);
    }

    #[test]
    fn bytes_are_as_documented() {
        assert_eq!(
            Canonical::new("d").number(3).finish(),
            [&[0, 0, 0, 0, 0, 0, 0, 1, b'd'][..], &[0, 0, 0, 0, 0, 0, 0, 8], &[0, 0, 0, 0, 0, 0, 0, 3]]
                .concat()
        );
    }
}
