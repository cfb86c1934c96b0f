//! `/etc/tidegate/enrolment.json`, which cloud-init writes and the agent removes once it is enrolled:
//! `{"version":1,"token":"tidegate-enrol-1...","expires_at":"2026-11-21T08:00:00Z","intent":"..."}`. `expires_at` repeats
//! what the token says, for people; the two have to agree.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::token::{EnrolmentToken, TokenError};
use crate::names::IntentId;

const VERSION: u32 = 1;
const MAX_BYTES: usize = 4096;

/// The file is refused.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentFileError {
    /// Not the JSON described above.
    #[error("the enrolment file is not the JSON that cloud-init wrote, or has more than {MAX_BYTES} bytes")]
    Json(#[source] Option<serde_json::Error>),
    /// A later version.
    #[error("the enrolment file has version {found}, this agent knows {VERSION}; install a newer agent")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The token is refused.
    #[error("the token in the enrolment file is refused")]
    Token(#[source] TokenError),
    /// Two different expiries.
    #[error("the enrolment file names another expiry ({file}) than its token ({token})")]
    Expiry {
        /// The file's.
        file: Timestamp,
        /// The token's.
        token: Timestamp,
    },
}

/// What a droplet needs to enrol.
#[derive(Debug, Clone)]
pub struct EnrolmentFile {
    /// The one-time token.
    pub token: EnrolmentToken,
    /// The intent that it was derived for.
    pub intent: IntentId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    token: SecretText,
    expires_at: Timestamp,
    intent: IntentId,
}

/// Serialised on purpose, and only here: the file is where the token lives.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(SecretString);

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl EnrolmentFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is anything else than [`EnrolmentFile::to_json`] makes. That the token ran out is not judged here.
    pub fn from_json(text: &SecretString) -> Result<Self, EnrolmentFileError> {
        let text = text.expose_secret();
        if text.len() > MAX_BYTES {
            return Err(EnrolmentFileError::Json(None));
        }
        let json = |error| EnrolmentFileError::Json(Some(error));
        let document: Document = serde_json::from_str(text).map_err(json)?;
        if document.version != VERSION {
            return Err(EnrolmentFileError::Version { found: document.version });
        }
        let token = EnrolmentToken::from_text(&document.token.0).map_err(EnrolmentFileError::Token)?;
        if token.expires_at() != document.expires_at {
            return Err(EnrolmentFileError::Expiry { file: document.expires_at, token: token.expires_at() });
        }
        Ok(Self { token, intent: document.intent })
    }

    /// The file's text.
    ///
    /// # Errors
    /// None that is known; JSON libraries may fail.
    pub fn to_json(&self) -> Result<SecretString, EnrolmentFileError> {
        let document = Document {
            version: VERSION,
            token: SecretText(self.token.to_text()),
            expires_at: self.token.expires_at(),
            intent: self.intent.clone(),
        };
        let json = |error| EnrolmentFileError::Json(Some(error));
        serde_json::to_string(&document).map(SecretString::from).map_err(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrolment::EnrolmentSecret;

    fn file() -> EnrolmentFile {
        let intent: IntentId = "7f3a".parse().unwrap();
        let expires_at = Timestamp::from_second(2_000_000_000).unwrap();
        let secret = EnrolmentSecret::new([1; 32]);
        let token = EnrolmentToken::derive(&secret, &"shop.production".parse().unwrap(), &intent, expires_at)
            .unwrap();
        EnrolmentFile { token, intent }
    }

    #[test]
    fn the_file_survives_its_text() {
        let text = file().to_json().unwrap();
        let again = EnrolmentFile::from_json(&text).unwrap();
        assert_eq!(again.to_json().unwrap().expose_secret(), text.expose_secret());
        assert!(text.expose_secret().contains(r#""expires_at":"2033-05-18T03:33:20Z""#));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = file().to_json().unwrap().expose_secret().to_owned();
        for bad in [
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("\"intent\"", "\"intention\""),
            good.replace("7f3a", "../x"),
            good.replace("03:33:20Z", "03:33:21Z"),
            good.replace("tidegate-enrol-1", "tidegate-enrol-9"),
            good.replace('}', ",\"more\":1}"),
            good.replace('}', &format!("{}}}", " ".repeat(5000))),
            String::new(),
        ] {
            assert!(EnrolmentFile::from_json(&bad.clone().into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_does_not_show_the_token() {
        let good = file().to_json().unwrap().expose_secret().to_owned();
        let digits = good.split('.').nth(2).unwrap().split('"').next().unwrap();
        let error = EnrolmentFile::from_json(&good.replace("03:33:20Z", "x").into()).unwrap_err();
        assert!(!format!("{error:?}").contains(digits));
    }
}
