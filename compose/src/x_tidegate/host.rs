//! Host names at the ingress: which are names at all, and which can have a public certificate. Pure.

/// Endings under which no public certificate authority signs: reserved by RFC 2606, 6761, 6762, 7686 and 8375, by ICANN for
/// private use, or in wide private use and never delegated.
const PRIVATE: &[&str] = &[
    "corp",
    "example",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// Whether a public certificate authority could sign for this host: not for IP addresses, single labels and reserved endings.
pub fn is_public(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let below = |ending: &&str| host.strip_suffix(*ending).is_some_and(|rest| rest.ends_with('.'));
    host.contains('.')
        && host.parse::<std::net::Ipv4Addr>().is_err()
        && !PRIVATE.contains(&host.as_str())
        && !PRIVATE.iter().any(below)
}

/// The host as it is compared, in small letters; or why it is none, and what to write instead.
pub(super) fn read(text: &str) -> Result<String, (String, Option<String>)> {
    let host = text.to_ascii_lowercase();
    if host.contains('*') {
        let why = format!("{text:?} is a wildcard, whose certificate an authority gives for DNS alone");
        return Err((why, Some("write the names one by one: `host: [a.example.com, b.example.com]`".into())));
    }
    if let Some((_, rest)) = host.split_once("://") {
        let name = rest.split('/').next().unwrap_or(rest);
        return Err((format!("{text:?} is a URL, not a host"), Some(format!("write `host: {name}`"))));
    }
    if let Some((name, _)) = host.split_once('/') {
        let hint = format!("write `host: {name}`, and the rest as `path`");
        return Err((format!("{text:?} has a path"), Some(hint)));
    }
    if let Some((name, _)) = host.split_once(':') {
        let hint = format!("write `host: {name}`: the ingress listens on 80 and 443");
        return Err((format!("{text:?} has a port"), Some(hint)));
    }
    if !text.is_ascii() {
        let hint = "write it as DNS has it, beginning with xn-- (punycode)".to_owned();
        return Err((format!("{text:?} has letters that DNS does not know"), Some(hint)));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        let hint = "names are labels of letters, digits and hyphens, joined by dots".to_owned();
        return Err((format!("{text:?} is not a host name"), Some(hint)));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_be_public_are_told_from_those_that_cannot() {
        for public in ["shop.example.com", "example.com", "a.b.co.uk", "LOCAL.shop.de", "testing.dev"] {
            assert!(is_public(public), "{public}");
        }
        for private in [
            "shop",
            "localhost",
            "shop.localhost",
            "db.internal",
            "printer.local",
            "a.TEST",
            "x.home.arpa",
            "192.0.2.1",
            "shop.example",
            "nas.lan",
        ] {
            assert!(!is_public(private), "{private}");
        }
    }

    #[test]
    fn what_is_no_host_is_told_with_what_to_write() {
        assert_eq!(read("Shop.Example.COM").unwrap(), "shop.example.com");
        assert_eq!(read("127.0.1.5").unwrap(), "127.0.1.5");
        for wrong in [
            "*.example.com",
            "https://a.de/x",
            "a.de/x",
            "a.de:80",
            "bücher.de",
            "a..b",
            "-a.de",
            "a b",
            "{x}",
            "",
        ] {
            assert!(read(wrong).is_err_and(|(_, hint)| hint.is_some()), "{wrong}");
        }
    }
}
