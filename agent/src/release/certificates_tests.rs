//! Certificates as users have them, right and wrong.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};

use super::*;
use crate::apps::AppName;

fn certificate(hosts: &[&str], (from, until): (i32, i32)) -> (String, String) {
    let mut params =
        CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn checked(files: &[(&str, &str)]) -> Vec<Failure> {
    let (extension, input) = project(files);
    refusals(&extension, &input, "2026-11-21T00:00:00Z".parse().unwrap())
}

fn project(files: &[(&str, &str)]) -> (Extension, DeployInput) {
    let text = "services:\n  web:\n    image: x\n    x-tidegate:\n      ingress:\n        host: [shop.de, 192.0.2.1]\n        port: 80\n        tls: { certificate: ./tls/a.pem, key: tls/a.key }\n";
    let sources: MemoryFiles = [("/p/compose.yaml", text)].into_iter().collect();
    let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
    let loaded = load(&sources, &options).unwrap();
    let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    let file = |(path, content): &(&str, &str)| SourceFile {
        path: (*path).into(),
        content: content.as_bytes().to_vec(),
        mode: 0o644,
    };
    let input = DeployInput {
        files: files.iter().map(file).collect(),
        ..DeployInput::of(AppName::new("shop").unwrap())
    };
    (extension, input)
}

#[test]
fn a_good_one_is_taken_and_its_key_is_ours_alone() {
    let (pem, key) = certificate(&["shop.de", "192.0.2.1"], (2026, 2027));
    assert_eq!(checked(&[("tls/a.pem", &pem), ("tls/a.key", &key)]), []);
    let (extension, mut input) = project(&[("tls/a.pem", &pem), ("tls/a.key", &key)]);
    protect(&extension, &mut input);
    assert_eq!(input.files.iter().map(|file| file.mode).collect::<Vec<_>>(), [0o644, 0o600]);
}

#[test]
fn what_visitors_would_see_as_an_error_is_refused() {
    let (good, key) = certificate(&["shop.de", "192.0.2.1"], (2026, 2027));
    let (_, other) = certificate(&["shop.de"], (2026, 2027));
    let (old, old_key) = certificate(&["shop.de", "192.0.2.1"], (2024, 2025));
    let (early, early_key) = certificate(&["shop.de", "192.0.2.1"], (2027, 2028));
    let (narrow, narrow_key) = certificate(&["*.shop.de", "192.0.2.1"], (2026, 2027));
    let cases: &[(&str, &str)] = &[
        (&good, &other),
        (&old, &old_key),
        (&early, &early_key),
        (&narrow, &narrow_key),
        ("nonsense", &key),
        ("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", &key),
        (&good, "nonsense"),
    ];
    let told: Vec<String> = cases
        .iter()
        .flat_map(|(pem, key)| checked(&[("tls/a.pem", pem), ("tls/a.key", key)]))
        .chain(checked(&[("tls/a.pem", &good)]))
        .map(|failure| format!("{} | {} | {} | {}", failure.what, failure.cause, failure.hint, failure.place))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}
