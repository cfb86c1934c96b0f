//! Signed as www.standardwebhooks.com has it: HMAC-SHA256 over id, time and body. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::alerts::settings::KEY_PREFIX;

/// `v1,` and the signature in base64. A secret that begins with `whsec_` is a key in base64, another one the key itself.
pub fn sign((id, at): (&str, Timestamp), body: &str, secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    let decoded = secret.strip_prefix(KEY_PREFIX).and_then(|key| STANDARD.decode(key).ok());
    let key = Zeroizing::new(decoded.unwrap_or_else(|| secret.as_bytes().to_vec()));
    // It takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{}.{body}", at.as_second()).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The headers of a signed request.
pub(super) fn headers(
    (id, at): (&str, Timestamp),
    body: &str,
    secret: &SecretString,
) -> Vec<(HeaderName, HeaderValue)> {
    let values = [
        (HeaderName::from_static("webhook-id"), id.to_owned()),
        (HeaderName::from_static("webhook-timestamp"), at.as_second().to_string()),
        (HeaderName::from_static("webhook-signature"), sign((id, at), body, secret)),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification's own test.
    #[test]
    fn a_signature_is_the_one_that_the_specification_has() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signed = sign(("msg_p5jXN8AQM9LWM0D4loKWxJek", at), "{\"test\": 2432232314}", &secret);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_secret_is_taken_as_it_is() {
        let at = Timestamp::from_second(1).unwrap();
        let one = sign(("id", at), "body", &SecretString::from("hunter2"));
        let same = sign(("id", at), "body", &SecretString::from("whsec_aHVudGVyMg=="));
        assert_eq!(one, same);
        assert_ne!(one, sign(("id", at), "body ", &SecretString::from("hunter2")));
    }
}
