//! How a server can be reached and opened, from what its service is told: variables, command, configuration. Pure.
//!
//! Owns the places where people write a password. A clue is tried, not believed: a wrong one harms nobody.

use std::{collections::BTreeMap, path::Path};

use secrecy::SecretString;

/// Variables that images take a password from, or that people use for it in a command.
const VARIABLES: &[&str] =
    &["REDIS_PASSWORD", "VALKEY_PASSWORD", "REDIS_PASS", "REDIS_REQUIREPASS", "REQUIREPASS"];
/// Variables that images add to the command.
const MORE_ARGUMENTS: &[&str] = &["REDIS_ARGS", "VALKEY_EXTRA_FLAGS"];

/// Where a server may be, and what may open it.
#[derive(Clone, Debug, Default)]
pub struct Clues {
    /// Its port, where it is another one than the usual.
    pub port: Option<u16>,
    /// Its unix socket.
    pub socket: Option<String>,
    /// What may be its password.
    pub passwords: Vec<SecretString>,
    /// Files in the container that may hold its password.
    pub password_files: Vec<String>,
    /// Its configuration in the container.
    pub configuration: Option<String>,
}

impl Clues {
    /// From the service's variables and the words of its command.
    pub fn of(environment: &BTreeMap<String, String>, command: &[String]) -> Self {
        let mut clues = Self::default();
        for name in VARIABLES {
            clues.passwords.extend(value(environment, name).map(SecretString::from));
            clues.password_files.extend(value(environment, &format!("{name}_FILE")));
        }
        clues.arguments(environment, command);
        // `sh -c "redis-server --requirepass $PASSWORD"`, and what images add by themselves.
        let more = MORE_ARGUMENTS.iter().filter_map(|name| value(environment, name));
        for text in command.iter().cloned().chain(more).filter(|text| text.contains(char::is_whitespace)) {
            let words: Vec<String> = text.split_whitespace().map(unquoted).collect();
            clues.arguments(environment, &words);
        }
        clues
    }

    /// And from the text of its configuration.
    #[must_use]
    pub fn configured(mut self, text: &str) -> Self {
        for line in text.lines() {
            let Some((key, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
            self.setting(&key.to_ascii_lowercase(), unquoted(rest.trim()));
        }
        self
    }

    fn arguments(&mut self, environment: &BTreeMap<String, String>, words: &[String]) {
        for (index, word) in words.iter().enumerate() {
            if Path::new(word).extension().is_some_and(|extension| extension == "conf") {
                self.configuration = Some(word.clone());
            }
            let (Some(key), Some(next)) = (word.strip_prefix("--"), words.get(index.saturating_add(1)))
            else {
                continue;
            };
            self.setting(&key.to_ascii_lowercase(), resolved(environment, next));
        }
    }

    fn setting(&mut self, key: &str, value: String) {
        match key {
            "requirepass" if !value.is_empty() => self.passwords.push(value.into()),
            "port" => self.port = value.parse().ok(),
            "unixsocket" => self.socket = Some(value).filter(|path| path.starts_with('/')),
            _ => {}
        }
    }
}

fn value(environment: &BTreeMap<String, String>, name: &str) -> Option<String> {
    environment.get(name).filter(|value| !value.is_empty()).cloned()
}

/// A word of a shell: `$NAME` and `${NAME}` are what the variable says.
fn resolved(environment: &BTreeMap<String, String>, word: &str) -> String {
    let name =
        word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| word.strip_prefix('$'));
    name.and_then(|name| value(environment, name)).unwrap_or_else(|| word.to_owned())
}

/// A text without the quotes around it.
fn unquoted(text: &str) -> String {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    match between('"') {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => between('\'').unwrap_or(text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn clues(environment: &[(&str, &str)], command: &[&str]) -> Clues {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        Clues::of(&environment, &command)
    }

    fn passwords(clues: &Clues) -> Vec<&str> {
        clues.passwords.iter().map(SecretString::expose_secret).collect()
    }

    #[test]
    fn a_password_is_found_wherever_people_write_it() {
        let secret = [("SECRET", "s e")];
        for (found, expected) in [
            (clues(&[("REDIS_PASSWORD", "abc")], &[]), vec!["abc"]),
            (clues(&[], &["redis-server", "--requirepass", "it's one"]), vec!["it's one"]),
            (clues(&secret, &["sh", "-c", "exec redis-server --requirepass \"$SECRET\""]), vec!["s e"]),
            (clues(&secret, &["sh", "-c", "redis-server --requirepass ${SECRET} --port 7000"]), vec!["s e"]),
            (clues(&[("REDIS_ARGS", "--requirepass abc --save ''")], &[]), vec!["abc"]),
            (clues(&[("REDIS_PASSWORD", "")], &["redis-server"]), vec![]),
        ] {
            assert_eq!(passwords(&found), expected);
        }
        let filed =
            clues(&[("VALKEY_PASSWORD_FILE", "/run/secrets/p")], &["valkey-server", "/etc/valkey.conf"]);
        assert_eq!(filed.password_files, ["/run/secrets/p"]);
        assert_eq!(filed.configuration.as_deref(), Some("/etc/valkey.conf"));
    }

    #[test]
    fn a_configuration_tells_password_and_place() {
        let text = "# requirepass no\nbind 0.0.0.0\n requirepass \"a \\\"b\\\"\"\nPORT 7000\nunixsocket /run/r.sock\nport\n";
        let found = clues(&[], &[]).configured(text);
        assert_eq!((passwords(&found), found.port), (vec!["a \"b\""], Some(7000)));
        assert_eq!(found.socket.as_deref(), Some("/run/r.sock"));
        assert!(format!("{found:?}").find("a \\\"b").is_none(), "secrets are not printed");
    }
}
