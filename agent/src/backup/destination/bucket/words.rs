//! What a store's error means, in words.
//!
//! `object_store` keeps the status and the store's own code (`<Code>NoSuchBucket</Code>`) only in the error's text, so they are
//! looked for there. The text itself is not passed on: it holds what the store repeats of a signed request.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use super::Patience;
use crate::backup::{ObjectName, destination::DestinationError};

/// What was asked of whom.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) at: &'a str,
    pub(super) name: Option<&'a ObjectName>,
    pub(super) patience: Patience,
}

/// The most of a store's message that is told.
const LONGEST: usize = 200;

pub(super) fn told(asked: Asked<'_>, error: &object_store::Error) -> DestinationError {
    match transport(error) {
        Some(http) => unreachable(asked, http),
        None => refused(asked, error, &error.to_string()),
    }
}

fn transport(error: &object_store::Error) -> Option<&HttpError> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return Some(http);
        }
        next = error.source();
    }
    None
}

fn unreachable(asked: Asked<'_>, error: &HttpError) -> DestinationError {
    let at = asked.at.to_owned();
    if error.kind() == HttpErrorKind::Timeout {
        let after = if asked.name.is_some() { asked.patience.write } else { asked.patience.silence };
        return DestinationError::Timeout { at, after };
    }
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    DestinationError::Unreachable { at, reason: shortened(&cause.to_string()) }
}

/// What a store's own code means; also for answers that did not come through `object_store`.
pub(super) fn refused(asked: Asked<'_>, error: &object_store::Error, text: &str) -> DestinationError {
    let at = asked.at.to_owned();
    let code = between(text, "<Code>", "</Code>").map(shortened);
    match code.as_deref() {
        Some("NoSuchBucket") => return DestinationError::NoBucket { at },
        Some(
            code @ ("SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "InvalidSecurity"
            | "InvalidToken"
            | "ExpiredToken"
            | "NotSignedUp"),
        ) => return DestinationError::Credentials { at, code: code.to_owned() },
        Some(
            code @ ("AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "Redirect"
            | "IllegalLocationConstraintException"),
        ) => return DestinationError::Region { at, code: code.to_owned() },
        Some(_) | None => {}
    }
    if text.contains("redirect without LOCATION") {
        return DestinationError::Region { at, code: "301".to_owned() };
    }
    let status = status(error, text).unwrap_or_default();
    let code_or = |status: &str| code.clone().unwrap_or_else(|| status.to_owned());
    match (status, asked.name) {
        ("404", Some(name)) => DestinationError::NotFound { at, name: name.clone() },
        ("404", None) => DestinationError::NoBucket { at },
        ("403", _) => DestinationError::Forbidden { at, code: code_or("403") },
        ("401", _) => DestinationError::Credentials { at, code: code_or("401") },
        ("301" | "307" | "308", _) => DestinationError::Region { at, code: code_or("301") },
        _ => DestinationError::Refused { at, said: said(code, text) },
    }
}

/// `object_store` has variants for some answers, and for others, as when it lists, only the text.
fn status<'t>(error: &object_store::Error, text: &'t str) -> Option<&'t str> {
    match error {
        object_store::Error::NotFound { .. } => Some("404"),
        object_store::Error::PermissionDenied { .. } => Some("403"),
        object_store::Error::Unauthenticated { .. } => Some("401"),
        _ => text.split_once("status code: ")?.1.get(..3),
    }
}

fn said(code: Option<String>, text: &str) -> String {
    let message = between(text, "<Message>", "</Message>").map(shortened);
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        (None, _) => {
            let status = text.split_once("status code: ").map(|(_, rest)| rest);
            let status = status.and_then(|rest| rest.split(':').next());
            status.map_or_else(|| "an answer that is not S3's".to_owned(), shortened)
        }
    }
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(within, _)| within)
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(
        variant: fn(String) -> object_store::Error,
        text: &str,
        name: Option<&ObjectName>,
    ) -> DestinationError {
        let asked = Asked { at: "bucket b", name, patience: Patience::default() };
        told(asked, &variant(text.to_owned()))
    }

    fn generic(text: String) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    fn not_found(text: String) -> object_store::Error {
        object_store::Error::NotFound { path: String::new(), source: text.into() }
    }

    fn denied(text: String) -> object_store::Error {
        object_store::Error::PermissionDenied { path: String::new(), source: text.into() }
    }

    #[test]
    fn codes_become_words() {
        let name = ObjectName::new("x").unwrap();
        let some = Some(&name);
        let no_bucket = "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>";
        assert!(matches!(answered(not_found, no_bucket, some), DestinationError::NoBucket { .. }));
        assert!(matches!(answered(not_found, "404", some), DestinationError::NotFound { .. }));
        assert!(matches!(answered(not_found, "404", None), DestinationError::NoBucket { .. }));
        for code in ["SignatureDoesNotMatch", "InvalidAccessKeyId"] {
            let said = answered(denied, &format!("<Code>{code}</Code>"), some);
            assert!(matches!(&said, DestinationError::Credentials { .. }) && said.to_string().contains(code));
        }
        let said = answered(denied, "<Code>AccessDenied</Code>", None);
        assert!(
            matches!(&said, DestinationError::Forbidden { code, .. } if code == "AccessDenied"),
            "{said}"
        );
        for text in ["<Code>AuthorizationHeaderMalformed</Code>", "Received redirect without LOCATION, this"]
        {
            assert!(matches!(answered(generic, text, some), DestinationError::Region { .. }), "{text}");
        }
        let text = "Server returned non-2xx status code: 507 Insufficient Storage: <html>";
        let said = answered(generic, text, some).to_string();
        assert!(said.ends_with("507 Insufficient Storage"), "{said}");
    }

    #[test]
    fn what_a_store_repeats_of_a_request_is_not_told() {
        let text = "<Code>Odd</Code><Message>no</Message><StringToSign>hunter2</StringToSign>";
        let said = answered(generic, text, None);
        assert_eq!(said.to_string(), "bucket b refused the request: Odd: no");
        assert!(!format!("{said:?}").contains("hunter2"));
        let long = format!("<Code>{}</Code>", "x".repeat(100_000));
        assert!(answered(generic, &long, None).to_string().len() < 400);
    }
}
