//! Reading the authority back: who this machine is towards agents, and, where it holds the issuer, signing.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tidegate_proto::{
    certificates::{
        CertificateRequest, Chain, Issuer, PeerCertificate, PrivateKey, RootBundle, Subject,
        certificate_from_pem, certificates_from_pem,
    },
    enrolment::EnrolmentSecret,
    identity::TrustDomain,
    names::{DropletId, UserName},
    tls::ClientCredentials,
};

use super::{AuthorityError, domain, make::admin, serial};
use crate::{environ::Environ, names::Scope, state::StateDir};

/// A user's certificate is made anew this long before it ends, where the issuer is at hand.
const RENEW_BEFORE: Duration = Duration::from_hours(720);

/// Who this machine is towards agents.
#[derive(Debug, Clone)]
pub struct UserKeys {
    /// Fleet and environment.
    pub domain: TrustDomain,
    /// Certificate and key.
    pub credentials: ClientCredentials,
    /// What to trust.
    pub roots: RootBundle,
    /// The root certificate as text.
    pub root_pem: String,
}

/// Signs for one environment.
#[derive(Debug, Clone)]
pub struct Authority {
    issuer: Issuer,
    /// What one-time tokens are derived from.
    pub enrolment_secret: EnrolmentSecret,
}

/// Whose certificate to use.
#[derive(Debug, Clone)]
pub struct User(pub UserName);

impl User {
    /// `TIDEGATE_USER`, or the local user's name as far as it can be one.
    ///
    /// # Errors
    /// Never: when the name cannot be one, it is `admin`.
    pub fn local(environ: &Environ) -> Result<Self, AuthorityError> {
        let names = ["TIDEGATE_USER", "USER", "USERNAME", "LOGNAME"];
        let given = names.iter().find_map(|name| environ.get(name)).unwrap_or("admin").to_lowercase();
        let plain: String =
            given.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(63).collect();
        let fits = plain.trim_start_matches(['.', '_', '-']).parse().or_else(|_| "admin".parse());
        fits.map(Self).map_err(AuthorityError::Name)
    }
}

impl UserKeys {
    /// Reads the certificate of a user; makes it anew when it is near its end and the issuer is here.
    ///
    /// # Errors
    /// When `init` was not run here, or a file is damaged.
    pub fn load(
        state: &StateDir,
        scope: &Scope,
        user: &User,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let root_pem = state.read(&state.fleet_file("root.pem"), scope)?;
        let roots = certificates_from_pem(&root_pem).map_err(AuthorityError::Pem)?;
        let roots = RootBundle::new(1, roots).map_err(AuthorityError::Roots)?;
        let name = choose(state, user)?;
        let mut credentials = read_credentials(state, scope, &name)?;
        let ends = PeerCertificate::parse(&credentials.chain.leaf).map(|own| own.not_after);
        let soon = now.checked_add(RENEW_BEFORE).unwrap_or(Timestamp::MAX);
        if ends.is_ok_and(|ends| ends < soon)
            && let Ok(authority) = Authority::load(state, scope)
        {
            admin(&state.file("users"), &authority.issuer, &name, now)?;
            credentials = read_credentials(state, scope, &name)?;
        }
        Ok(Self { domain: domain(scope)?, credentials, roots, root_pem })
    }
}

/// The user asked for, or the only one there is.
fn choose(state: &StateDir, user: &User) -> Result<UserName, AuthorityError> {
    let users = state.file("users");
    if users.join(format!("{}.pem", user.0)).exists() {
        return Ok(user.0.clone());
    }
    let entries = fs_err::read_dir(&users).map_err(|_| AuthorityError::NoUser(user.0.to_string()))?;
    let names: Vec<UserName> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".pem")?.parse().ok())
        .collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(AuthorityError::NoUser(user.0.to_string())),
    }
}

fn read_credentials(
    state: &StateDir,
    scope: &Scope,
    user: &UserName,
) -> Result<ClientCredentials, AuthorityError> {
    let users = state.file("users");
    let chain = Chain::from_pem(&state.read(&users.join(format!("{user}.pem")), scope)?);
    let key = state.read(&users.join(format!("{user}.key")), scope)?;
    Ok(ClientCredentials {
        chain: chain.map_err(AuthorityError::Chain)?,
        key: PrivateKey::from_pem(&SecretString::from(key)).map_err(AuthorityError::Key)?,
    })
}

impl Authority {
    /// Reads the issuer and the enrolment secret.
    ///
    /// # Errors
    /// When this machine does not hold them, or a file is damaged.
    pub fn load(state: &StateDir, scope: &Scope) -> Result<Self, AuthorityError> {
        let key = SecretString::from(state.read(&state.file("issuer.key"), scope)?);
        let key = PrivateKey::from_pem(&key).map_err(AuthorityError::Key)?;
        let certificate = certificate_from_pem(&state.read(&state.file("issuer.pem"), scope)?);
        let issuer =
            Issuer::new(certificate.map_err(AuthorityError::Pem)?, key).map_err(AuthorityError::Issue)?;
        let secret =
            EnrolmentSecret::from_text(&state.enrolment_secret(scope)?).map_err(AuthorityError::Secret)?;
        Ok(Self { issuer, enrolment_secret: secret })
    }

    /// Signs an agent's certificate.
    ///
    /// # Errors
    /// When the issuer may not sign any more.
    pub fn sign_agent(
        &self,
        request: &CertificateRequest,
        droplet: DropletId,
        now: Timestamp,
    ) -> Result<Chain, AuthorityError> {
        self.issuer.issue(request, &Subject::Agent(droplet), &serial(), now).map_err(AuthorityError::Issue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_user_is_made_fit_for_a_certificate() {
        let user = |name: &str| {
            User::local(&Environ::new([("USER".to_owned(), name.to_owned())])).unwrap().0.to_string()
        };
        assert_eq!(user("Jane Doe"), "janedoe");
        assert_eq!(user("_apt"), "apt");
        assert_eq!(user("ж"), "admin");
    }
}
