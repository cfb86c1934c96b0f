//! Versions of servers and programs, from what they print. Pure.

use std::fmt;

/// A server's version, as `server_version_num` has it: 170005 is 17.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion(u32);

impl ServerVersion {
    /// From `server_version_num`. Versions before 10, which counted otherwise, are none.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|number| *number >= 100_000).map(Self)
    }

    /// 17 of 17.5.
    pub fn major(self) -> u32 {
        self.0 / 10_000
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.0 % 10_000)
    }
}

/// 17 of `17.2`, as [`ServerVersion`] is written.
pub fn parse_major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// The major version of a program, from what it prints: `pg_dump (PostgreSQL) 17.5 (Debian 17.5-1.pgdg120+1)`, or
/// `pg_dump (PostgreSQL) 18beta1`.
pub fn parse_tool_version(printed: &str) -> Option<u32> {
    let version = printed.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(ServerVersion::parse("170005\n").unwrap().to_string(), "17.5");
        assert_eq!(ServerVersion::parse("150018").unwrap().major(), 15);
        assert_eq!(ServerVersion::parse("90603"), None);
        assert_eq!(parse_tool_version("pg_dump (PostgreSQL) 17.5 (Debian 17.5-1)"), Some(17));
        assert_eq!(parse_tool_version("pg_dump (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_tool_version("pg_dump"), None);
        assert_eq!((parse_major("17.2"), parse_major("18"), parse_major("")), (Some(17), Some(18), None));
    }
}
