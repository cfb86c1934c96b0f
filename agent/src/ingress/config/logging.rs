//! What Caddy writes down. Queries and headers can hold secrets, so none of them is.

use serde_json::{Value, json};

use super::LOG;

/// Name of the logger of requests.
pub(super) const ACCESS: &str = "access";
/// The file of requests, in the folder `log`.
pub(in crate::ingress) const ACCESS_FILE: &str = "access.json";
/// The file of troubles with certificates, in the folder `log`.
pub(in crate::ingress) const TLS_FILE: &str = "certificates.json";

pub(super) fn all() -> Value {
    let access = format!("http.log.access.{ACCESS}");
    json!({ "logs": {
        "default": { "exclude": [access], "encoder": without_secrets() },
        "access": {
            "include": [access],
            "writer": file(ACCESS_FILE, 16, 2),
            "encoder": without_secrets(),
        },
        "certificates": {
            "include": ["tls"],
            "level": "ERROR",
            "writer": file(TLS_FILE, 1, 1),
            "encoder": { "format": "json" },
        },
    } })
}

/// At most `megabytes` each, `kept` older ones beside the current.
fn file(name: &str, megabytes: u32, kept: u32) -> Value {
    json!({
        "output": "file",
        "filename": format!("{LOG}/{name}"),
        "roll": true,
        "roll_size_mb": megabytes,
        "roll_keep": kept,
        "roll_gzip": false,
    })
}

fn without_secrets() -> Value {
    json!({
        "format": "filter",
        "wrap": { "format": "json" },
        "fields": {
            "request>headers": { "filter": "delete" },
            "request>tls": { "filter": "delete" },
            "request>uri": { "filter": "regexp", "regexp": "\\?.*", "value": "" },
            "resp_headers": { "filter": "delete" },
            "user_id": { "filter": "delete" },
        },
    })
}
