//! Which addresses of the web the agent sends secrets to.
//!
//! Owns one rule: over TLS, or in the clear to this machine itself. Must not know what is sent there.

use std::net::IpAddr;

use http::Uri;

/// Whether what is sent there can be read on no network: `https`, or `http` to this machine.
pub fn is_confidential(uri: &Uri) -> bool {
    let Some(host) = uri.host() else { return false };
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_this_machine(host),
        _ => false,
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let judged = |text: &str| is_confidential(&text.parse().unwrap());
        for good in
            ["https://example.com/x?y", "http://127.0.0.1:5000/", "http://[::1]:5", "http://localhost"]
        {
            assert!(judged(good), "{good}");
        }
        for bad in
            ["http://example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "/x", "127.0.0.1:5"]
        {
            assert!(!judged(bad), "{bad}");
        }
    }
}
