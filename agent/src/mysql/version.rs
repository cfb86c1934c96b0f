//! Versions of servers, from what they print. Pure.

use std::fmt;

/// A server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// `11.8.9`
    pub number: String,
    /// Which of the two it is.
    pub is_mariadb: bool,
    parts: (u32, u32),
}

impl ServerVersion {
    /// From `VERSION()`: `11.8.9-MariaDB-0+deb13u1`, `8.4.3`.
    pub fn parse(told: &str) -> Option<Self> {
        let number = told.split(['-', ' ']).next()?.to_owned();
        let mut parts = number.split('.').map(str::parse);
        let parts = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(Self { number, is_mariadb: told.contains("MariaDB"), parts })
    }

    /// Whether it changes all names of one statement or none, whatever happens to it.
    pub fn renames_at_once(&self) -> bool {
        if self.is_mariadb { self.parts >= (10, 6) } else { self.parts >= (8, 0) }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.is_mariadb { "MariaDB" } else { "MySQL" };
        write!(f, "{name} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let told =
            |text| ServerVersion::parse(text).map(|version| (version.to_string(), version.renames_at_once()));
        assert_eq!(told("11.8.9-MariaDB-0+deb13u1 from Debian"), Some(("MariaDB 11.8.9".to_owned(), true)));
        assert_eq!(told("10.5.28-MariaDB"), Some(("MariaDB 10.5.28".to_owned(), false)));
        assert_eq!(told("8.4.3"), Some(("MySQL 8.4.3".to_owned(), true)));
        assert_eq!(told("5.7.44-log"), Some(("MySQL 5.7.44".to_owned(), false)));
        assert_eq!(told("x"), None);
    }
}
