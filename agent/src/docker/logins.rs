//! Logins at registries, from Docker's own configuration: what `docker login` on the droplet writes.
//!
//! # Format
//! `/root/.docker/config.json`, read anew for every image: `auths` holds by registry `auth` (base64 of `user:password`), or
//! `username` and `password`, or `identitytoken`. Credential helpers are programs of the workstation; the agent runs none.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::auth::DockerCredentials;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Reference;

/// How Docker Hub is called in the file.
const HUB: &str = "https://index.docker.io/v1/";
/// A configuration larger than this is none.
const MAX_BYTES: u64 = 1 << 20;

/// The file with the logins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    path: PathBuf,
}

/// What the file says about a registry.
#[derive(Debug)]
pub enum Access {
    /// Nothing: it is asked without a login.
    Anonymous,
    /// A login.
    Login(Login),
    /// A credential helper, which the agent does not run, keeps it. Public images can be had all the same.
    Helper(String),
}

/// A login at a registry.
#[derive(Debug)]
pub struct Login {
    server: String,
    username: String,
    password: SecretString,
    identity_token: Option<SecretString>,
}

/// Why logins could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The file is there and cannot be read.
    #[error("could not read the logins at registries")]
    Read(#[source] std::io::Error),
    /// It is far too large.
    #[error("{} is larger than 1 MiB: it is no configuration of Docker", .0.display())]
    TooLarge(PathBuf),
    /// It is no configuration of Docker.
    #[error(
        "{}:{line}:{column}: this is no valid configuration of Docker; mend it, or remove it and log in again", path.display()
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line. Why it is wrong is not told, for that would quote it.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A login is not what `docker login` writes.
    #[error(
        "the login for {registry} in {} is damaged; log in again: docker login {registry}", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: SecretString,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default, rename = "identitytoken")]
    identity_token: SecretString,
}

impl Logins {
    /// Those in this file, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says about an image's registry.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood.
    pub fn access(&self, reference: &Reference) -> Result<Access, LoginError> {
        let registry = reference.registry();
        let text = match fs_err::metadata(&self.path) {
            Ok(facts) if facts.len() > MAX_BYTES => return Err(LoginError::TooLarge(self.path.clone())),
            Ok(_) => SecretString::from(fs_err::read_to_string(&self.path).map_err(LoginError::Read)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Access::Anonymous),
            Err(error) => return Err(LoginError::Read(error)),
        };
        let all: Configuration = serde_json::from_str(text.expose_secret()).map_err(|error| {
            LoginError::Parse { path: self.path.clone(), line: error.line(), column: error.column() }
        })?;
        if let Some((_, helper)) = all.cred_helpers.iter().find(|(server, _)| host(server) == registry) {
            return Ok(Access::Helper(helper.clone()));
        }
        let exact = all.auths.get_key_value(if registry == "docker.io" { HUB } else { registry });
        let entry = exact.or_else(|| all.auths.iter().find(|(server, _)| host(server) == registry));
        let Some((server, entry)) = entry else {
            let is_kept = !all.creds_store.is_empty();
            return Ok(if is_kept { Access::Helper(all.creds_store) } else { Access::Anonymous });
        };
        match entry.login(server) {
            Some(Ok(login)) => Ok(Access::Login(login)),
            Some(Err(())) => {
                Err(LoginError::Damaged { path: self.path.clone(), registry: registry.to_owned() })
            }
            // An entry without a secret says that its secret is in the store.
            None if all.creds_store.is_empty() => Ok(Access::Anonymous),
            None => Ok(Access::Helper(all.creds_store)),
        }
    }

    /// What to do when a registry wants a login, in words.
    pub fn hint(&self, reference: &Reference) -> String {
        let (registry, path) = (reference.registry(), self.path.display());
        let login = format!("`docker login {registry}` on the droplet as root, which writes {path}");
        match self.access(reference) {
            Ok(Access::Anonymous) | Err(_) => format!("if it exists, log in: {login}"),
            Ok(Access::Login(login)) => format!(
                "it does not exist, or the login of {} in {path} does not reach it: `docker login {registry}`",
                login.username
            ),
            Ok(Access::Helper(helper)) => format!(
                "the agent does not run the credential helper docker-credential-{helper} that {path} names for {registry}; \
                 remove it there and log in again: {login}"
            ),
        }
    }
}

impl Entry {
    /// None when it holds no secret.
    fn login(&self, server: &str) -> Option<Result<Login, ()>> {
        let identity_token = some(&self.identity_token);
        let (username, password) = match some(&self.auth) {
            Some(auth) => match decode(&auth) {
                Some(pair) => pair,
                None => return Some(Err(())),
            },
            None => (self.username.clone(), self.password.clone()),
        };
        if identity_token.is_none() && password.expose_secret().is_empty() {
            return None;
        }
        Some(Ok(Login { server: server.to_owned(), username, password, identity_token }))
    }
}

impl Login {
    /// As Docker's API takes it.
    pub(super) fn credentials(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.username.clone()),
            password: Some(self.password.expose_secret().to_owned()),
            serveraddress: Some(self.server.clone()),
            identitytoken: self.identity_token.as_ref().map(|token| token.expose_secret().to_owned()),
            ..DockerCredentials::default()
        }
    }
}

fn some(secret: &SecretString) -> Option<SecretString> {
    if secret.expose_secret().is_empty() { None } else { Some(secret.clone()) }
}

/// `user:password` in base64.
fn decode(auth: &SecretString) -> Option<(String, SecretString)> {
    let bytes = STANDARD.decode(auth.expose_secret()).ok()?;
    let text = SecretString::from(String::from_utf8(bytes).ok()?);
    let (user, password) = text.expose_secret().split_once(':')?;
    Some((user.to_owned(), SecretString::from(password.trim_end_matches('\0'))))
}

/// The registry that a key of the file means: `https://registry.example.com/v2/` is `registry.example.com`.
fn host(server: &str) -> &str {
    let server = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    match server.split('/').next().unwrap_or(server) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(config: &str, image: &str) -> Result<Access, LoginError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs_err::write(&path, config).unwrap();
        Logins::new(path).access(&Reference::parse(image))
    }

    fn login(config: &str, image: &str) -> (String, String, String) {
        match access(config, image).unwrap() {
            Access::Login(login) => {
                (login.server.clone(), login.username.clone(), login.password.expose_secret().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    fn text(parts: [&str; 3]) -> (String, String, String) {
        parts.map(str::to_owned).into()
    }

    #[test]
    fn each_registry_has_its_own_login() {
        // `me:secret` and `hub:pa:ss`
        let config = r#"{"auths": {
            "r.example.com:5000": {"auth": "bWU6c2VjcmV0"},
            "https://index.docker.io/v1/": {"auth": "aHViOnBhOnNz"},
            "https://old.example.com/v2/": {"username": "u", "password": "p"}
        }}"#;
        assert_eq!(login(config, "r.example.com:5000/a/b:1"), text(["r.example.com:5000", "me", "secret"]));
        let hub = text(["https://index.docker.io/v1/", "hub", "pa:ss"]);
        for image in ["caddy", "library/caddy:2", "docker.io/library/caddy", "index.docker.io/me/x"] {
            assert_eq!(login(config, image), hub, "{image}");
        }
        assert_eq!(login(config, "old.example.com/x"), text(["https://old.example.com/v2/", "u", "p"]));
        assert!(matches!(access(config, "r.example.com/x").unwrap(), Access::Anonymous));
    }

    #[test]
    fn helpers_are_named_and_not_run() {
        let config = r#"{"auths": {"a.example.com": {}, "b.example.com": {"auth": "bWU6c2VjcmV0"}},
            "credsStore": "pass", "credHelpers": {"c.example.com": "ecr-login"}}"#;
        for (image, helper) in
            [("a.example.com/x", "pass"), ("c.example.com/x", "ecr-login"), ("caddy", "pass")]
        {
            let Access::Helper(found) = access(config, image).unwrap() else { panic!("{image}") };
            assert_eq!(found, helper, "{image}");
        }
        assert_eq!(login(config, "b.example.com/x").1, "me");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs_err::write(&path, config).unwrap();
        let hint = Logins::new(&path).hint(&Reference::parse("c.example.com/x"));
        assert!(
            hint.contains("docker-credential-ecr-login") && hint.contains("docker login c.example.com"),
            "{hint}"
        );
    }

    #[test]
    fn a_damaged_file_is_an_error_that_shows_no_secret() {
        for config in [r#"{"auths": {"a.example.com": {"auth": "!!secret!!"}}}"#, "{\"auths\": \"secret\""] {
            let error = access(config, "a.example.com/x").unwrap_err();
            let text = crate::release::chain(&error);
            assert!(text.contains("config.json") && !text.contains("secret"), "{text}");
        }
        let absent = Logins::new("/nonexistent/config.json");
        assert!(matches!(absent.access(&Reference::parse("caddy")).unwrap(), Access::Anonymous));
    }

    #[test]
    fn a_token_is_enough_and_nothing_of_it_is_shown() {
        let config = r#"{"auths": {"a.example.com": {"username": "u", "identitytoken": "very-secret"}}}"#;
        let Access::Login(login) = access(config, "a.example.com/x").unwrap() else { panic!() };
        assert_eq!(login.credentials().identitytoken.as_deref(), Some("very-secret"));
        assert!(!format!("{login:?}").contains("very-secret"));
    }
}
