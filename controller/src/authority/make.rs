//! Making a fleet's authority: a root, then per environment an issuer, an admin's certificate, the enrolment secret and
//! an ssh key. Everything goes into a directory that its caller renames into place, so a failure leaves nothing.

use std::path::Path;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use ssh_key::{LineEnding, private::Ed25519Keypair};
use tidegate_proto::{
    certificates::{CertificateRequest, Issuer, PrivateKey, Root, Subject, UserLife, certificate_to_pem},
    enrolment::EnrolmentSecret,
    grants::{AppScope, Grant, Role},
    names::UserName,
};

use super::{AuthorityError, domain, passphrase::encrypt_root, serial};
use crate::{
    names::Scope,
    state::{StateError, replace},
};

/// What a new fleet is made from.
#[derive(Debug)]
pub struct NewFleet<'a> {
    /// Where its files go; exists and is empty.
    pub directory: &'a Path,
    /// Fleet and first environment.
    pub scope: &'a Scope,
    /// For the root.
    pub passphrase: &'a SecretString,
    /// Now.
    pub now: Timestamp,
}

/// What an environment is made from.
#[derive(Debug)]
pub struct NewEnvironment<'a> {
    /// Where its files go; exists and is empty.
    pub directory: &'a Path,
    /// Fleet and environment.
    pub scope: &'a Scope,
    /// The admin it begins with.
    pub user: &'a UserName,
    /// Signs the issuer.
    pub root: &'a Root,
    /// Now.
    pub now: Timestamp,
}

/// Makes the root: `root.age` and `root.pem`.
///
/// # Errors
/// When a key, certificate or file cannot be made.
pub fn new_fleet(new: &NewFleet<'_>) -> Result<Root, AuthorityError> {
    let name = new.scope.fleet.as_str().parse().map_err(AuthorityError::Name)?;
    let key = PrivateKey::generate().map_err(AuthorityError::Key)?;
    let root = Root::make(&name, key, &serial(), new.now).map_err(AuthorityError::Issue)?;
    write(new.directory, "root.age", &encrypt_root(&root.key().to_pem(), new.passphrase)?)?;
    write(new.directory, "root.pem", certificate_to_pem(root.certificate()).as_bytes())?;
    Ok(root)
}

/// Makes an environment's files below a directory.
///
/// # Errors
/// When a key, certificate or file cannot be made.
pub fn new_environment(new: &NewEnvironment<'_>) -> Result<(), AuthorityError> {
    let domain = domain(new.scope)?;
    let key = PrivateKey::generate().map_err(AuthorityError::Key)?;
    let issuer = Issuer::make(new.root, &domain, key, &serial(), new.now).map_err(AuthorityError::Issue)?;
    write(new.directory, "issuer.key", issuer.key().to_pem().expose_secret().as_bytes())?;
    write(new.directory, "issuer.pem", certificate_to_pem(issuer.certificate()).as_bytes())?;
    let users = new.directory.join("users");
    fs_err::create_dir(&users).map_err(StateError::Io)?;
    admin(&users, &issuer, new.user, new.now)?;
    let secret = EnrolmentSecret::new(rand::random());
    write(new.directory, "enrolment.secret", secret.to_text().expose_secret().as_bytes())?;
    ssh_key(new.directory, &new.scope.base())
}

/// Writes `<user>.key` and `<user>.pem` with all rights in the issuer's environment.
pub(super) fn admin(
    users: &Path,
    issuer: &Issuer,
    user: &UserName,
    now: Timestamp,
) -> Result<(), AuthorityError> {
    let key = PrivateKey::generate().map_err(AuthorityError::Key)?;
    let request = CertificateRequest::new(&key).map_err(AuthorityError::Request)?;
    let grant =
        Grant { environment: issuer.domain().environment.clone(), apps: AppScope::All, role: Role::Admin };
    let subject = Subject::User { name: user.clone(), grants: vec![grant], life: UserLife::Person };
    let chain = issuer.issue(&request, &subject, &serial(), now).map_err(AuthorityError::Issue)?;
    write(users, &format!("{user}.key"), key.to_pem().expose_secret().as_bytes())?;
    write(users, &format!("{user}.pem"), chain.to_pem().as_bytes())
}

fn ssh_key(directory: &Path, comment: &str) -> Result<(), AuthorityError> {
    let pair = Ed25519Keypair::from_seed(&rand::random());
    let mut key = ssh_key::PrivateKey::from(pair);
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(AuthorityError::Ssh)?;
    write(directory, "ssh_ed25519", private.as_bytes())?;
    let public = key.public_key().to_openssh().map_err(AuthorityError::Ssh)?;
    write(directory, "ssh_ed25519.pub", format!("{public}\n").as_bytes())
}

fn write(directory: &Path, name: &str, content: &[u8]) -> Result<(), AuthorityError> {
    replace(&directory.join(name), content).map_err(|error| AuthorityError::State(StateError::Io(error)))
}
