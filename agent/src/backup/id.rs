//! Which backup is meant: the second at which it began and four random bytes, as one text that sorts by time.
//!
//! Owns that text's form. Must not know what a backup holds or where it lies.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// How the second is written.
const SECOND: &str = "%Y%m%dT%H%M%SZ";

/// Names one backup: `20261122T030000Z-4f2a91c0`. Ids sort by time, as values and as texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId {
    second: Timestamp,
    random: [u8; 4],
}

/// A text that is no backup's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no backup's id: it has to read like 20261122T030000Z-4f2a91c0, a second in UTC and 8 hexadecimal digits"
)]
pub struct BackupIdError {
    text: String,
}

impl BackupId {
    /// The id of a backup that begins `now`. A clock before 1970 counts as 1970, so that every id has one length.
    pub fn new(now: Timestamp, random: [u8; 4]) -> Self {
        let second = Timestamp::from_second(now.as_second().max(0)).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { second, random }
    }

    /// When the backup began, to the second.
    pub fn time(self) -> Timestamp {
        self.second
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.second.strftime(SECOND), hex::encode(self.random))
    }
}

impl FromStr for BackupId {
    type Err = BackupIdError;

    fn from_str(text: &str) -> Result<Self, BackupIdError> {
        // The text comes from outside: an error must not grow with it.
        let refused = || BackupIdError { text: text.chars().take(80).collect() };
        let (second, random) = text.split_once('-').ok_or_else(refused)?;
        let second = DateTime::strptime(SECOND, second).map_err(|_| refused())?;
        let second = second.to_zoned(TimeZone::UTC).map_err(|_| refused())?.timestamp();
        let mut bytes = [0; 4];
        hex::decode_to_slice(random, &mut bytes).map_err(|_| refused())?;
        let id = Self::new(second, bytes);
        // There is one spelling: no signs, no blanks, no capital letters.
        if id.to_string() == text { Ok(id) } else { Err(refused()) }
    }
}

impl TryFrom<String> for BackupId {
    type Error = BackupIdError;

    fn try_from(text: String) -> Result<Self, BackupIdError> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_the_second_and_eight_digits() {
        let now: Timestamp = "2026-11-22T03:00:00.987Z".parse().unwrap();
        let id = BackupId::new(now, [0x4f, 0x2a, 0x91, 0xc0]);
        assert_eq!(id.to_string(), "20261122T030000Z-4f2a91c0");
        assert_eq!(id.time(), "2026-11-22T03:00:00Z".parse().unwrap());
    }

    #[test]
    fn there_is_one_spelling() {
        for bad in [
            "",
            "20261122T030000Z",
            "20261122T030000Z-",
            "20261122T030000Z-4F2A91C0",
            "20261122T030000Z-4f2a91c",
            "20261122T030000Z-4f2a91c0 ",
            " 20261122T030000Z-4f2a91c0",
            "20261122T030000-4f2a91c0",
            "20261322T030000Z-4f2a91c0",
            "20261122T250000Z-4f2a91c0",
            "+2026112T030000Z-4f2a91c0",
            "19691122T030000Z-4f2a91c0",
            "20261122T030000Z-4f2a91c0/../x",
            "2026-11-22T03:00:00Z-4f2a91c0",
        ] {
            let error = bad.parse::<BackupId>().unwrap_err();
            assert!(error.to_string().contains("20261122T030000Z-4f2a91c0"), "{bad}: {error}");
        }
        assert!("x".repeat(10_000).parse::<BackupId>().unwrap_err().to_string().len() < 300);
    }

    proptest! {
        #[test]
        fn ids_sort_as_their_texts_do_and_come_back(
            one in (0_i64..253_000_000_000, any::<[u8; 4]>()),
            two in (0_i64..253_000_000_000, any::<[u8; 4]>()),
        ) {
            let id = |(second, random)| BackupId::new(Timestamp::from_second(second).unwrap(), random);
            let (one, two) = (id(one), id(two));
            prop_assert_eq!(one.cmp(&two), one.to_string().cmp(&two.to_string()));
            prop_assert_eq!(one.to_string().parse::<BackupId>().unwrap(), one);
        }

        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            if let Ok(id) = text.parse::<BackupId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
