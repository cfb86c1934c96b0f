//! Operating systems and architectures: what an image is made for, and what runs where. Pure.

use std::fmt;

/// What a program is made for, in Docker's words: `linux/amd64`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`, `arm64`
    pub architecture: String,
}

impl Platform {
    /// From Docker's words or the kernel's (`x86_64`); none where one is missing, or `unknown` as for attestations.
    pub fn new(os: Option<&str>, architecture: Option<&str>) -> Option<Self> {
        let known = |text: &&str| !text.is_empty() && *text != "unknown";
        let (os, architecture) = (os.filter(known)?, architecture.filter(known)?);
        let architecture = match architecture {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "armhf" | "armel" | "armv6l" | "armv7l" => "arm",
            "i386" | "i686" => "386",
            other => other,
        };
        Some(Self { os: os.to_lowercase(), architecture: architecture.to_owned() })
    }

    /// From the `platform` of a service: `linux/arm64`, `linux/arm/v7`, `arm64`; its variant is left to Docker.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next()) {
            (Some("linux" | "windows"), None) | (None, _) => None,
            (Some(architecture), None) => Self::new(Some("linux"), Some(architecture)),
            (os, architecture) => Self::new(os, architecture),
        }
    }

    /// Whether a machine of this platform runs programs for the other one by itself.
    pub fn runs(&self, program: &Self) -> bool {
        let pair = (self.architecture.as_str(), program.architecture.as_str());
        let is_older = matches!(pair, ("amd64", "386") | ("arm64", "arm"));
        self.os == program.os && (is_older || self.architecture == program.architecture)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_where() {
        let platform = |text: &str| Platform::parse(text).unwrap();
        assert_eq!(Platform::new(Some("linux"), Some("x86_64")), Some(platform("linux/amd64")));
        assert_eq!(Platform::new(Some("unknown"), Some("unknown")), None);
        assert_eq!(platform("linux/arm/v7"), platform("arm"));
        assert_eq!(platform("aarch64").to_string(), "linux/arm64");
        assert_eq!((Platform::parse("linux"), Platform::parse("")), (None, None));
        assert!(platform("linux/amd64").runs(&platform("linux/386")));
        assert!(!platform("linux/amd64").runs(&platform("linux/arm64")));
        assert!(!platform("linux/arm64").runs(&platform("linux/amd64")));
        assert!(!platform("linux/amd64").runs(&platform("windows/amd64")));
    }
}
