//! Takes secrets out of lines that containers print, before they are stored or sent. Pure.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_compose::Project;

/// Shorter values are words and numbers that would be cut out of everything.
const SHORTEST: usize = 6;
/// Parts of variable names that tell a secret.
const TELLING: &[&str] = &["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "PRIVATE", "DSN", "AUTH"];

/// Knows the values that must not be shown.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a value within another one leaves no rest.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.secrets.len()).finish()
    }
}

impl Redactor {
    /// From a project and the variables it was read with.
    pub fn new(project: &Project, variables: &BTreeMap<String, String>) -> Self {
        let mut found = BTreeSet::new();
        let own = project.services.values().flat_map(|service| &service.environment);
        let own = own.filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in own.chain(variables) {
            let name = name.to_uppercase();
            if TELLING.iter().any(|part| name.contains(part)) {
                found.insert(value.clone());
            }
            found.extend(password_in_url(value).map(str::to_owned));
        }
        let contents = project.secrets.values().filter_map(|secret| secret.content.0.clone());
        found.extend(contents.map(|content| content.trim().to_owned()));
        let mut secrets: Vec<String> = found.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The line without secrets.
    pub fn redact(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for secret in &self.secrets {
            if line.contains(secret.as_str()) {
                line = line.replace(secret.as_str(), "[secret]");
            }
        }
        line
    }
}

/// The password of `scheme://user:password@host`.
fn password_in_url(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (userinfo, _) = rest.split('/').next()?.rsplit_once('@')?;
    userinfo.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_tell_are_cut_out() {
        let variables = BTreeMap::from([
            ("DB_PASSWORD".to_owned(), "hunter2hunter2".to_owned()),
            ("DATABASE_URL".to_owned(), "postgresql://app:s3cr3t-pw@db:5432/shop".to_owned()),
            ("LEVEL".to_owned(), "warning".to_owned()),
            ("PIN_TOKEN".to_owned(), "1234".to_owned()),
        ]);
        let redactor = Redactor::new(&Project::default(), &variables);
        assert_eq!(
            redactor.redact("warning 1234: cannot reach postgresql://app:s3cr3t-pw@db with hunter2hunter2"),
            "warning 1234: cannot reach postgresql://app:[secret]@db with [secret]"
        );
    }
}
