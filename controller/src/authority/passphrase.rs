//! The root's key at rest: age with a passphrase (scrypt). Standard age, so `age -d root.age` gives it back without us.

use secrecy::{ExposeSecret, SecretString};

/// The root cannot be locked or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Too short to be worth anything.
    #[error("the passphrase has fewer than 8 characters")]
    Short,
    /// age could not encrypt.
    #[error("the root's key cannot be encrypted")]
    Encrypt(#[source] age::EncryptError),
    /// Wrong passphrase, or a damaged file.
    #[error("the root's key cannot be decrypted: is the passphrase right?")]
    Decrypt(#[source] age::DecryptError),
    /// What was decrypted is not text.
    #[error("the root's key is damaged")]
    Damaged,
}

/// Encrypts the root's key.
///
/// # Errors
/// When the passphrase is too short.
pub fn encrypt_root(key_pem: &SecretString, passphrase: &SecretString) -> Result<Vec<u8>, PassphraseError> {
    if passphrase.expose_secret().chars().count() < 8 {
        return Err(PassphraseError::Short);
    }
    let recipient = age::scrypt::Recipient::new(passphrase.clone());
    age::encrypt(&recipient, key_pem.expose_secret().as_bytes()).map_err(PassphraseError::Encrypt)
}

/// Decrypts the root's key.
///
/// # Errors
/// When the passphrase is wrong or the file is damaged.
pub fn decrypt_root(encrypted: &[u8], passphrase: &SecretString) -> Result<SecretString, PassphraseError> {
    let identity = age::scrypt::Identity::new(passphrase.clone());
    let plain = age::decrypt(&identity, encrypted).map_err(PassphraseError::Decrypt)?;
    String::from_utf8(plain).map(SecretString::from).map_err(|_| PassphraseError::Damaged)
}
