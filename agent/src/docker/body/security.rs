//! Security options and capabilities.

use std::collections::BTreeMap;

use tidegate_compose::{Service, model::seccomp_profile};

/// Security options as the engine takes them, and whether the system's paths are shown as they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) options: Vec<String>,
    pub(super) paths: SystemPaths,
}

/// Whether sensitive paths below /proc and /sys are masked or read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemPaths {
    Confined,
    Unconfined,
}

/// A profile without white space between its parts, as the engine gets it; none when it is no JSON. Order and forms of
/// its members stay.
pub fn compact(profile: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde::de::IgnoredAny>(profile).ok()?;
    let text = std::str::from_utf8(profile).ok()?;
    let mut compact = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted || !matches!(c, ' ' | '\t' | '\r' | '\n') {
            compact.push(c);
        }
        quoted = if c == '"' && !escaped { !quoted } else { quoted };
        escaped = quoted && c == '\\' && !escaped;
    }
    Some(compact)
}

pub(super) fn security(service: &Service, profiles: &BTreeMap<String, String>) -> Security {
    let mut security = Security { options: Vec::new(), paths: SystemPaths::Confined };
    for option in &service.security_opt {
        if option == "systempaths=unconfined" {
            security.paths = SystemPaths::Unconfined;
        } else if let Some(profile) = seccomp_profile(option).and_then(|path| profiles.get(path)) {
            security.options.push(format!("seccomp={profile}"));
        } else {
            security.options.push(option.clone());
        }
    }
    security
}

/// As Docker's own client writes them: upper case with the prefix, each once, sorted.
pub(super) fn capabilities(names: &[String]) -> Option<Vec<String>> {
    let full = |name: &String| {
        let name = name.trim().to_uppercase();
        if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
    };
    let mut all: Vec<String> = names.iter().map(full).collect();
    all.sort();
    all.dedup();
    if all.is_empty() { None } else { Some(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_put_in_and_system_paths_are_taken_out() {
        let service = Service {
            security_opt: vec![
                "seccomp:profile.json".into(),
                "systempaths=unconfined".into(),
                "seccomp=unconfined".into(),
                "apparmor=mine".into(),
            ],
            ..Service::default()
        };
        assert_eq!(service.seccomp_profiles().collect::<Vec<_>>(), ["profile.json"]);
        let profiles = BTreeMap::from([("profile.json".to_owned(), "{}".to_owned())]);
        let found = security(&service, &profiles);
        assert_eq!(found.options, ["seccomp={}", "seccomp=unconfined", "apparmor=mine"]);
        assert_eq!(found.paths, SystemPaths::Unconfined);
    }

    #[test]
    fn white_space_goes_but_not_in_texts() {
        let profile = b"{\n  \"b\": [ 1.0, \"x \\\" y\" ],\t\"a\": \"\\\\\"  }\n";
        assert_eq!(compact(profile).unwrap(), r#"{"b":[1.0,"x \" y"],"a":"\\"}"#);
        assert_eq!(compact(b"{"), None);
        assert_eq!(compact(b"{} x"), None);
    }

    #[test]
    fn capabilities_are_written_as_dockers_client_does() {
        let names = ["sys_time", "CAP_NET_ADMIN", "ALL", "SYS_TIME"].map(str::to_owned);
        assert_eq!(capabilities(&names).unwrap(), ["ALL", "CAP_NET_ADMIN", "CAP_SYS_TIME"]);
    }
}
