//! The short syntax of volumes: `[source:]target[:options]`.
//!
//! Does not look at the platform: a single letter before a colon is taken for a Windows drive everywhere.

use crate::compat::Compatibility;

/// The text is not a volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    /// Nothing at all.
    #[error("an empty text is no volume; write source:target")]
    Empty,
    /// Nothing between two colons.
    #[error("invalid volume {spec:?}: a section between colons is empty")]
    EmptySection {
        /// The text.
        spec: String,
    },
    /// More than three sections.
    #[error("invalid volume {spec:?}: too many colons; it is source:target:options")]
    TooManyColons {
        /// The text.
        spec: String,
    },
}

/// A volume in short syntax, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShortVolume {
    /// The host's path or the volume; empty for an anonymous one.
    pub source: String,
    /// The path in the container.
    pub target: String,
    /// `ro`.
    pub read_only: bool,
    /// `nocopy`.
    pub nocopy: bool,
    /// `z` or `Z`.
    pub selinux: Option<String>,
    /// A propagation name.
    pub propagation: Option<String>,
    /// Whether the text was too short to be looked at closer.
    pub bare: bool,
}

const PROPAGATIONS: &[&str] = &["rprivate", "private", "rshared", "shared", "rslave", "slave"];

impl ShortVolume {
    /// Whether the source is a path of the host.
    pub fn is_bind(&self) -> bool {
        is_path(&self.source)
    }
}

/// Whether a source is a path rather than the name of a volume.
pub fn is_path(source: &str) -> bool {
    let mut letters = source.chars();
    match (letters.next(), letters.next()) {
        (Some('.' | '/' | '~'), _) | (Some('\\'), Some('\\')) => true,
        (Some(first), Some(':')) => first.is_alphabetic(),
        _ => false,
    }
}

/// Takes a volume in short syntax apart.
///
/// # Errors
/// When it is empty, has an empty section or too many.
pub fn parse(spec: &str, compat: Compatibility) -> Result<ShortVolume, VolumeError> {
    let mut volume = ShortVolume::default();
    match spec.len() {
        0 => return Err(VolumeError::Empty),
        1 | 2 => {
            spec.clone_into(&mut volume.target);
            volume.bare = true;
            return Ok(volume);
        }
        _ => {}
    }
    let sections = sections(spec, compat);
    let last = sections.len().saturating_sub(1);
    for (index, section) in sections.into_iter().enumerate() {
        if section.is_empty() {
            return Err(VolumeError::EmptySection { spec: spec.to_owned() });
        }
        if volume.source.is_empty() {
            if index == last {
                volume.target = section;
            } else {
                volume.source = section;
            }
        } else if volume.target.is_empty() {
            volume.target = section;
        } else if index == last {
            options(&section, &mut volume);
        } else {
            return Err(VolumeError::TooManyColons { spec: spec.to_owned() });
        }
    }
    Ok(volume)
}

/// Splits at colons, except after a single letter and, from 2.40 on, inside `${...}`.
fn sections(spec: &str, compat: Compatibility) -> Vec<String> {
    let nests = compat != Compatibility::V2_26;
    let mut sections = Vec::new();
    let mut section = String::new();
    let mut nested = 0_usize;
    let mut letters = spec.chars().peekable();
    while let Some(letter) = letters.next() {
        let drive = {
            let mut had = section.chars();
            had.next().is_some_and(char::is_alphabetic) && had.next().is_none()
        };
        match letter {
            '$' if nests && letters.peek() == Some(&'{') => nested += 1,
            '}' if nested > 0 => nested -= 1,
            ':' if nested == 0 && !drive => {
                sections.push(std::mem::take(&mut section));
                continue;
            }
            _ => {}
        }
        section.push(letter);
    }
    sections.push(section);
    sections
}

fn options(text: &str, volume: &mut ShortVolume) {
    for option in text.split(',') {
        match option {
            "ro" => volume.read_only = true,
            "rw" => volume.read_only = false,
            "nocopy" => volume.nocopy = true,
            "z" | "Z" => volume.selinux = Some(option.to_owned()),
            _ if PROPAGATIONS.contains(&option) => volume.propagation = Some(option.to_owned()),
            // Unknown options are passed over, as in the original.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(spec: &str) -> (String, String, bool) {
        let volume = parse(spec, Compatibility::V2_40).unwrap();
        (volume.source.clone(), volume.target.clone(), volume.is_bind())
    }

    #[test]
    fn short_volumes() {
        assert_eq!(parts("/a"), (String::new(), "/a".into(), false));
        assert_eq!(parts("data:/a"), ("data".into(), "/a".into(), false));
        assert_eq!(parts("./d:/a:ro"), ("./d".into(), "/a".into(), true));
        assert_eq!(parts(r"C:\x:/a"), (r"C:\x".into(), "/a".into(), true));
        assert_eq!(parts("v:/v"), (String::new(), "v:/v".into(), false));
        let volume = parse("d:/a", Compatibility::V2_40).unwrap();
        assert_eq!(volume.target, "d:/a");
        let volume = parse("./d:/a:ro,z,rshared,what", Compatibility::V2_40).unwrap();
        assert!(volume.read_only);
        assert_eq!(volume.selinux.as_deref(), Some("z"));
        assert_eq!(volume.propagation.as_deref(), Some("rshared"));
    }

    #[test]
    fn references_that_were_escaped() {
        let spec = "./a:/b:${A:?x}";
        assert!(parse(spec, Compatibility::V2_40).is_ok());
        assert!(parse(spec, Compatibility::V2_26).is_err());
    }

    #[test]
    fn malformed_volumes() {
        assert_eq!(parse("", Compatibility::V2_40), Err(VolumeError::Empty));
        assert!(matches!(parse(":/text", Compatibility::V2_40), Err(VolumeError::EmptySection { .. })));
        assert!(matches!(parse("aa:/b:ro:x", Compatibility::V2_40), Err(VolumeError::TooManyColons { .. })));
    }
}
