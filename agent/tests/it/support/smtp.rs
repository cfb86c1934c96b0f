//! A real mail server, with an authority of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_proto::v1::{SmtpServer, SmtpTls};

const VARIABLE: &str = "TIDEGATE_SMTP_SERVER";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp.py");
pub const USER: &str = "shop";
pub const PASSWORD: &str = "hunter2-hunter2";

/// How TLS begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    StartTls,
    Implicit,
    NoTls,
}

/// Aiosmtpd. It ends with the test.
pub struct Smtp {
    child: Child,
    port: u16,
    offers: Offers,
    directory: TempDir,
    /// The authority of its certificate.
    pub ca: Vec<u8>,
}

impl Smtp {
    /// None where its Python is not named; that is said.
    pub fn start(offers: Offers) -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            println!(
                "skipped: {VARIABLE} does not name a Python that has aiosmtpd; `script/setup s3` installs it"
            );
            return None;
        };
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (ca, certificate, key) = certificate();
        fs_err::write(path("certificate.pem"), certificate).unwrap();
        fs_err::write(path("key.pem"), key).unwrap();
        let settings = json!({
            "tls": match offers { Offers::StartTls => "starttls", Offers::Implicit => "implicit", Offers::NoTls => "none" },
            "certificate": path("certificate.pem"),
            "key": path("key.pem"),
            "user": USER,
            "password": PASSWORD,
            "file": path("mails"),
        });
        let mut child = Command::new(program)
            .args([SCRIPT, &settings.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("aiosmtpd does not start");
        Some(Self { child, port, offers, directory, ca })
    }

    /// As a fleet file would describe it.
    pub fn settings(&self) -> SmtpServer {
        let tls = if self.offers == Offers::Implicit { SmtpTls::Implicit } else { SmtpTls::Starttls };
        SmtpServer {
            host: "127.0.0.1".to_owned(),
            port: self.port.into(),
            tls: tls.into(),
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            from: "tidegate@example.com".to_owned(),
        }
    }

    /// The mails that it took.
    pub fn mails(&self) -> Vec<Value> {
        let text = fs_err::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for so many of them.
    pub async fn until(&self, count: usize) -> Vec<Value> {
        for _ in 0..400 {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{count} mails did not come: {:?}", self.mails());
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("mails")
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// An authority, and a certificate of it with its key.
fn certificate() -> (Vec<u8>, String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&own, &issuer).unwrap();
    (ca.pem().into_bytes(), leaf.pem(), own.serialize_pem())
}
