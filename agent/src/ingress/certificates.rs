//! The certificates that Caddy has, as it keeps them below `data/`, and what it wrote down about troubles with them.

use std::{
    collections::BTreeMap,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;

use super::{
    OwnCertificate, RouteTls,
    config::{OWN_FOLDER, TLS_FILE},
    sites::Sites,
};
use crate::apps::AppName;

/// How much of the end of Caddy's notes is read, in bytes.
const NOTES: u64 = 256 * 1024;
/// A chain of certificates is smaller, in bytes.
const MAX_CHAIN: u64 = 256 * 1024;

/// A host and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    /// The host.
    pub host: String,
    /// Where the certificate comes from.
    pub tls: RouteTls,
    /// Until when the certificate that is served holds; none while there is none.
    pub not_after: Option<Timestamp>,
    /// What went wrong last, unless a newer certificate came after it.
    pub trouble: Option<Trouble>,
}

/// Something that went wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// What the authority, or Caddy, said.
    pub what: String,
}

/// A line of Caddy's notes.
#[derive(Deserialize)]
struct Note {
    level: String,
    ts: f64,
    #[serde(default)]
    identifier: String,
    #[serde(default)]
    identifiers: Vec<String>,
    #[serde(default)]
    error: String,
    msg: String,
}

/// The certificates of an app's hosts.
pub(super) fn of(folder: &Path, sites: &Sites, app: &AppName) -> Vec<HostCertificate> {
    let own = sites.all.iter().filter(|site| site.entries.iter().any(|(owner, _)| owner == app));
    let troubles = troubles(&tail(&folder.join("log").join(TLS_FILE)));
    let of_site = |site: &super::sites::Site| {
        let host = site.host.clone()?;
        let validity = match &site.tls {
            RouteTls::Off => None,
            RouteTls::Own(OwnCertificate { kept, .. }) => {
                let name = format!("{}.pem", kept.as_deref()?);
                validity(&folder.join("etc").join(OWN_FOLDER).join(name))
            }
            RouteTls::Acme | RouteTls::Internal => stored(folder, &host, &site.tls),
        };
        let made = validity.map(|(from, _)| from);
        let trouble = troubles.get(&host).filter(|_| matches!(site.tls, RouteTls::Acme | RouteTls::Internal));
        let trouble = trouble.filter(|trouble| made.is_none_or(|made| trouble.at > made)).cloned();
        Some(HostCertificate {
            host,
            tls: site.tls.clone(),
            not_after: validity.map(|(_, until)| until),
            trouble,
        })
    };
    own.filter_map(of_site).collect()
}

/// `data/caddy/certificates/<authority>/<host>/<host>.crt`; of several authorities' the one that holds longest.
fn stored(folder: &Path, host: &str, tls: &RouteTls) -> Option<(Timestamp, Timestamp)> {
    let all: PathBuf = folder.join("data/caddy/certificates");
    let authorities = fs_err::read_dir(all).ok()?.filter_map(Result::ok);
    let is_wanted = |name: &std::ffi::OsStr| (name == "local") == (*tls == RouteTls::Internal);
    let files = authorities.filter(|entry| is_wanted(&entry.file_name()));
    let files = files.map(|entry| entry.path().join(host).join(format!("{host}.crt")));
    files.filter_map(|file| validity(&file)).max_by_key(|(_, until)| *until)
}

/// From when until when the first certificate of a file holds.
fn validity(path: &Path) -> Option<(Timestamp, Timestamp)> {
    let mut text = Vec::new();
    fs_err::File::open(path).ok()?.take(MAX_CHAIN).read_to_end(&mut text).ok()?;
    let certificate = CertificateDer::from_pem_slice(&text).ok()?;
    validity_of(&certificate)
}

/// From when until when a certificate holds; none when it does not parse.
pub fn validity_of(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    Some((at(validity.not_before)?, at(validity.not_after)?))
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(NOTES)))?;
        let mut bytes = Vec::new();
        file.take(NOTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // No notes, no troubles.
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The last trouble of each host.
fn troubles(notes: &str) -> BTreeMap<String, Trouble> {
    let mut troubles = BTreeMap::new();
    for line in notes.lines() {
        let Ok(note) = serde_json::from_str::<Note>(line) else { continue };
        if note.level != "error" || note.error.is_empty() {
            continue;
        }
        let Some(at) = time(note.ts) else { continue };
        let trouble = Trouble { at, what: short(&format!("{}: {}", note.msg, note.error)) };
        // Retries name the host only at the beginning of their error.
        let named = note.error.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
        let hosts = note.identifiers.into_iter().chain([note.identifier]).chain(named.map(str::to_owned));
        for host in hosts.filter(|host| !host.is_empty()) {
            troubles.insert(host, trouble.clone());
        }
    }
    troubles
}

fn time(seconds: f64) -> Option<Timestamp> {
    let text = format!("{seconds:.3}");
    let (whole, milliseconds) = text.split_once('.')?;
    let milliseconds: i64 = milliseconds.parse().ok()?;
    Timestamp::from_millisecond(whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(milliseconds)?).ok()
}

/// What an authority says can be long.
fn short(text: &str) -> String {
    const MOST: usize = 300;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= MOST { flat } else { flat.chars().take(MOST).collect::<String>() + "..." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_trouble_of_each_host_is_told() {
        let notes = r#"{"level":"warn","ts":1.0,"msg":"stapling OCSP","error":"no OCSP server","identifiers":["b.de"]}
half a line
{"level":"error","ts":1795304528.85,"logger":"tls.obtain","msg":"could not get certificate from issuer","identifier":"a.de","issuer":"x","error":"HTTP 429"}
{"level":"error","ts":1795304530.5,"logger":"tls.renew","msg":"will retry","error":"[a.de] Renew: connection refused","attempt":1}
"#;
        let troubles = troubles(notes);
        assert_eq!(troubles.keys().collect::<Vec<_>>(), ["a.de"]);
        assert_eq!(troubles["a.de"].what, "will retry: [a.de] Renew: connection refused");
        assert_eq!(troubles["a.de"].at.as_millisecond(), 1_795_304_530_500);
    }
}
