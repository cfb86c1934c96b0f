//! What a droplet is told at birth: `deployment/cloud-init.yaml` filled in. The one-time token is the only secret in it.

use minijinja::{Environment, Error, ErrorKind, context};
use secrecy::{ExposeSecret, SecretString};

use crate::{fleet::AgentSource, names::Scope};

const TEMPLATE: &str = include_str!("../../deployment/cloud-init.yaml");
const UNIT: &str = include_str!("../../systemd/tidegate-agent.service");

/// The API takes no more.
const LIMIT: usize = 64 * 1024;

/// What all droplets of an environment are told alike.
#[derive(Debug, Clone)]
pub struct CloudInit {
    /// Fleet and environment.
    pub scope: Scope,
    /// Where the agent comes from.
    pub agent: AgentSource,
    /// The root certificate, PEM.
    pub root_pem: String,
    /// Public ssh keys besides those the API gives.
    pub authorized_keys: Vec<String>,
}

/// User data that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CloudInitError {
    /// The template does not render.
    #[error("the droplet's cloud-init cannot be rendered")]
    Render(#[source] Error),
    /// DigitalOcean accepts it, and the droplet vanishes.
    #[error("the droplet's cloud-init must be plain ASCII: look at the values of [agent] and [ssh]")]
    NotAscii,
    /// The API takes no more.
    #[error(
        "the droplet's cloud-init has {0} bytes, at most {LIMIT} are possible: shorten [ssh] authorized_keys"
    )]
    TooLarge(usize),
}

impl CloudInit {
    /// The user data of one droplet, with the `enrolment.json` made for it.
    ///
    /// # Errors
    /// When the result would not be accepted or would not work.
    pub fn render(&self, enrolment_file: &SecretString) -> Result<String, CloudInitError> {
        let mut environment = Environment::new();
        environment.add_filter("json", |text: String| serde_json::to_string(&text).map_err(wrong));
        environment.add_filter("shellquote", |text: String| format!("'{}'", text.replace('\'', r"'\''")));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let scope = &self.scope;
        let values = context! {
            authorized_keys => self.authorized_keys.clone(),
            agent_toml => format!("fleet = \"{}\"\nenvironment = \"{}\"\n", scope.fleet, scope.environment),
            ca_pem => self.root_pem.clone(),
            enrolment_json => format!("{}\n", enrolment_file.expose_secret()),
            unit => UNIT,
            agent_url => self.agent.url.as_str(),
            agent_sha256 => self.agent.sha256.clone(),
        };
        let text = environment.render_str(TEMPLATE, values).map_err(CloudInitError::Render)?;
        if !text.is_ascii() {
            return Err(CloudInitError::NotAscii);
        }
        if text.len() > LIMIT { Err(CloudInitError::TooLarge(text.len())) } else { Ok(text) }
    }
}

fn wrong(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::BadSerialization, "not JSON").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(authorized_keys: &[&str]) -> Result<String, CloudInitError> {
        let init = CloudInit {
            scope: Scope { fleet: "shop".parse().unwrap(), environment: "production".parse().unwrap() },
            agent: AgentSource {
                url: "http://10.0.2.100:8080/tidegate-agent?a='b'".parse().unwrap(),
                sha256: "ab".repeat(32),
            },
            root_pem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            authorized_keys: authorized_keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        init.render(&SecretString::from("{\"token\":\"t0ken\"}"))
    }

    #[test]
    fn the_template_renders_to_what_a_droplet_reads() {
        let text = rendered(&["ssh-ed25519 AAAA me"]).unwrap();
        let text = text.replace(&serde_json::to_string(UNIT).unwrap(), "\"(the unit)\"");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_would_make_the_droplet_vanish_is_refused() {
        assert!(matches!(rendered(&["ssh-ed25519 AAAA m\u{fc}ller"]), Err(CloudInitError::NotAscii)));
        assert!(matches!(rendered(&[&"a".repeat(LIMIT)]), Err(CloudInitError::TooLarge(_))));
    }
}
