//! `x-tidegate.ingress` of a service: under which names, and how, it is reached from outside.

use super::host;
use super::reader::Reader;
use crate::compat::Compatibility;
use crate::files::nearest;
use crate::node::{Map, Node, Position, Value};
use crate::text::size;

/// How a service is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    /// The host names, in small letters; none for every name that no service has.
    pub hosts: Vec<String>,
    /// The port in the container.
    pub port: u16,
    /// The path prefix, without a slash at its end unless it is `/`.
    pub path: String,
    /// Where its certificate comes from.
    pub tls: Tls,
    /// What becomes of requests over plain HTTP when there is a certificate.
    pub redirect: Redirect,
    /// The most bytes that the body of a request may have; none for no limit.
    pub max_body: Option<u64>,
    /// Where it is written.
    pub at: Position,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// From a public authority by ACME for a public name (see [`host::is_public`]), else from the droplet's own.
    Auto,
    /// From the droplet's own authority.
    Internal,
    /// Nowhere: plain HTTP.
    Off,
    /// From files of the project.
    Files(CertificateFiles),
}

/// A certificate of the user's own; PEM files of the project, relative to its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those between it and the authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// What becomes of requests over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// They are sent to HTTPS.
    #[default]
    ToHttps,
    /// They are served too.
    None,
}

const KEYS: &[&str] = &["host", "port", "path", "tls", "redirect", "max_body"];
const TLS: &[&str] = &["auto", "internal", "off"];

impl Reader<'_> {
    pub(super) fn ingress(&mut self, node: &Node, path: &str) -> Option<Ingress> {
        let map = self.map(node, path, KEYS)?;
        let below = |key: &str| format!("{path}.{key}");
        let hosts = match map.get("host") {
            Some(value) => self.hosts(value, &below("host")),
            None => Some(Vec::new()),
        };
        let port = self.required(map, (node, path), "port").and_then(|n| self.port(n, path));
        let prefix = match map.get("path") {
            Some(value) => self.path_prefix(value, &below("path")),
            None => Some("/".to_owned()),
        };
        let tls = match map.get("tls") {
            Some(value) => self.tls(value, &below("tls")),
            None => Some(Tls::Auto),
        };
        let redirect = match map.get("redirect") {
            Some(value) => self.redirect(value, &below("redirect")),
            None => Some(Redirect::default()),
        };
        let max_body = match map.get("max_body") {
            Some(value) => self.bytes(value, &below("max_body")).map(Some),
            None => Some(None),
        };
        let hosts = hosts?;
        let tls = self.settled(map, path, (hosts.is_empty(), tls?))?;
        let max_body = max_body?;
        Some(Ingress { hosts, port: port?, path: prefix?, tls, redirect: redirect?, max_body, at: node.at })
    }

    /// Keys that only mean something together.
    fn settled(&mut self, map: &Map, path: &str, (is_nameless, tls): (bool, Tls)) -> Option<Tls> {
        let tls = match (is_nameless, tls) {
            (true, Tls::Auto) => Tls::Off,
            (true, Tls::Internal | Tls::Files(_)) => {
                let at = map.get("tls").map(|node| node.at).unwrap_or_default();
                let message = "a certificate is for names, and there is no `host`".to_owned();
                let hint = Some("add `host:`, or write `tls: off`".to_owned());
                self.fail(at, &format!("{path}.tls"), (message, hint));
                return None;
            }
            (_, tls) => tls,
        };
        if let Some(node) = map.get("redirect").filter(|_| tls == Tls::Off) {
            let message = "there is nothing to redirect to: `tls` is off".to_owned();
            self.fail(node.at, &format!("{path}.redirect"), (message, Some("remove `redirect`".to_owned())));
            return None;
        }
        Some(tls)
    }

    fn hosts(&mut self, node: &Node, path: &str) -> Option<Vec<String>> {
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let (mut hosts, before) = (Vec::new(), self.errors.len());
        for item in items {
            let Some(text) = self.text(item, path) else { continue };
            match host::read(&text) {
                Ok(host) if hosts.contains(&host) => {
                    let hint = Some("remove one of them".to_owned());
                    self.fail(item.at, path, (format!("{host} is there twice"), hint));
                }
                Ok(host) => hosts.push(host),
                Err(fault) => self.fail(item.at, path, fault),
            }
        }
        (self.errors.len() == before).then_some(hosts)
    }

    fn path_prefix(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.text(node, path)?;
        if !text.starts_with('/') {
            let hint = Some(format!("write `path: /{text}`"));
            self.fail(node.at, path, ("a path prefix starts with `/`".to_owned(), hint));
            return None;
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~@+".contains(&byte);
        let is_odd = |part: &str| matches!(part, "" | "." | "..");
        let trimmed = text.trim_end_matches('/');
        if !text.bytes().all(is_plain) || trimmed.split('/').skip(1).any(is_odd) {
            let message = format!("{text:?} cannot be a path prefix");
            let hint = "write whole segments of letters, digits and -._~@+, such as /api; what is below \
                        belongs to it by itself";
            self.fail(node.at, path, (message, Some(hint.to_owned())));
            return None;
        }
        Some(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
    }

    fn tls(&mut self, node: &Node, path: &str) -> Option<Tls> {
        if let Value::Map(_) = &node.value {
            return self.certificate(node, path).map(Tls::Files);
        }
        match (node.as_str(), &node.value) {
            (Some("auto"), _) => Some(Tls::Auto),
            (Some("internal"), _) => Some(Tls::Internal),
            (Some("off"), _) | (_, Value::Bool(false)) => Some(Tls::Off),
            (other, _) => {
                let near = other.and_then(|word| nearest(word, TLS.iter().copied()));
                let hint = near.map_or_else(
                    || {
                        "for a certificate of your own write `tls: { certificate: FILE, key: FILE }`"
                            .to_owned()
                    },
                    |name| format!("did you mean `{name}`?"),
                );
                let message = format!("expected one of {}, or a certificate and its key", TLS.join(", "));
                self.fail(node.at, path, (message, Some(hint)));
                None
            }
        }
    }

    fn certificate(&mut self, node: &Node, path: &str) -> Option<CertificateFiles> {
        let map = self.map(node, path, &["certificate", "key"])?;
        let certificate = self.required(map, (node, path), "certificate");
        let certificate = certificate.and_then(|n| self.project_file(n, &format!("{path}.certificate")));
        let key = self.required(map, (node, path), "key");
        let key = key.and_then(|n| self.project_file(n, &format!("{path}.key")));
        Some(CertificateFiles { certificate: certificate?, key: key? })
    }

    /// A file below the project directory.
    fn project_file(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.text(node, path)?.replace('\\', "/");
        let leaves = text.starts_with(['/', '~']) || text.split('/').any(|part| part == "..");
        if leaves || text.split_once(':').is_some_and(|(drive, _)| drive.len() == 1) {
            let message = format!("{text} lies outside the project directory, so it cannot be deployed");
            let hint = "put it below the project directory, and its name into .gitignore if it is a secret";
            self.fail(node.at, path, (message, Some(hint.to_owned())));
            return None;
        }
        let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
        Some(parts.collect::<Vec<_>>().join("/"))
    }

    fn redirect(&mut self, node: &Node, path: &str) -> Option<Redirect> {
        match (node.as_str(), &node.value) {
            (Some("on"), _) | (_, Value::Bool(true)) => Some(Redirect::ToHttps),
            (Some("off"), _) | (_, Value::Bool(false)) => Some(Redirect::None),
            _ => {
                let hint = "off serves plain HTTP beside HTTPS".to_owned();
                self.fail(node.at, path, ("expected `on` or `off`".to_owned(), Some(hint)));
                None
            }
        }
    }

    fn bytes(&mut self, node: &Node, path: &str) -> Option<u64> {
        let bytes = match &node.value {
            Value::Int(number) => Some(*number),
            _ => node.as_str().and_then(|text| size::parse(text, Compatibility::V2_40).ok()),
        };
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        if bytes.is_none() {
            let message = format!("expected a size above 0, found {}", node.kind());
            self.fail(node.at, path, (message, Some("write one like 512k, 10m or 2g".to_owned())));
        }
        bytes
    }

    pub(super) fn port(&mut self, node: &Node, path: &str) -> Option<u16> {
        let port = match &node.value {
            Value::Int(number) => u16::try_from(*number).ok(),
            Value::Str(text) => text.parse().ok(),
            _ => None,
        };
        let port = port.filter(|port| *port > 0);
        if port.is_none() {
            let message = "expected a port from 1 to 65535".to_owned();
            self.fail(node.at, &format!("{path}.port"), (message, None));
        }
        port
    }
}
