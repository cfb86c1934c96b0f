//! HTTPS by the ingress's own authority and by a certificate of the user's.

use std::os::unix::fs::PermissionsExt as _;

use super::{
    app, curl,
    fixture::{App, Fixture},
    released,
};
use rcgen::{CertificateParams, KeyPair};

fn certificate(host: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// `web` with a certificate of the ingress's own, `api` with one of the user's.
fn shop((pem, key): &(String, String)) -> App {
    let web = "{ host: shop.internal, port: 8000, max_body: 1k }";
    let compose = super::SERVER.replace("WORD", "web").replace("INGRESS", web);
    let api = "  api:
    image: probe:1
    init: true
    command: [sh, -c, 'mkdir /tmp/w; echo api >/tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w']
    x-tidegate:
      ingress: { host: own.example.com, port: 80, tls: { certificate: ./tls/own.pem, key: tls/own.key }, redirect: off }
      gate: { stable: 1s, timeout: 30s }
";
    App::new("shop", &(compose + api)).file("tls/own.pem", pem).file("tls/own.key", key)
}

#[tokio::test(flavor = "multi_thread")]
async fn https_by_an_authority_of_ones_own_and_by_own_certificates() {
    let fixture = Fixture::start().await;
    let (other, good) = (certificate("other.example.com"), certificate("own.example.com"));
    let refused = fixture.refused(&shop(&other)).await;
    assert_eq!(refused[0].what, "the certificate tls/own.pem is not for own.example.com");
    assert!(refused[0].place.starts_with("compose.yaml:"), "{}", refused[0].place);
    assert_eq!(fixture.container_names().await, [""; 0]);
    released(&fixture, &shop(&good)).await;

    internal(&fixture);
    own(&fixture, &good);
    let hosts = fixture.engine.status(None).await.unwrap().remove(0).hosts;
    let told: Vec<_> = hosts.iter().map(|host| (host.host.as_str(), host.tls.word())).collect();
    assert_eq!(told, [("own.example.com", "own"), ("shop.internal", "internal")]);
    assert!(hosts.iter().all(|host| host.not_after.is_some() && host.trouble.is_none()), "{hosts:?}");

    // Gone with the routes that named it.
    let folder = fixture.state().join("ingress/etc/certificates");
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2);
    released(&fixture, &app("shop", "web", "{ host: shop.internal, port: 8000, tls: off }")).await;
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(
        curl(&fixture.docker, &["http://shop.internal/", "--resolve", "shop.internal:80:127.0.0.1"]).0,
        0
    );
}

fn internal(fixture: &Fixture) {
    let root = fixture.state().join("ingress/data/caddy/pki/authorities/local/root.crt");
    let root = root.to_str().unwrap();
    let to = ["--resolve", "shop.internal:443:127.0.0.1", "--cacert", root, "--http2"];
    let ask = |url: &str, more: &[&str]| curl(&fixture.docker, &[&to[..], more, &[url]].concat());
    let (code, body) =
        ask("https://shop.internal/x", &["-w", " %{http_version}", "-H", "X-Forwarded-For: 6.6.6.6"]);
    assert_eq!(code, 0, "{body}");
    assert!(body.starts_with("web ") && body.ends_with(" 2"), "{body}");
    let body = body.to_lowercase();
    assert!(body.contains("x-forwarded-proto: https;"), "{body}");
    // Nobody's word about where the client is was taken.
    assert!(body.contains("x-forwarded-for: ") && !body.contains("6.6.6.6"), "{body}");
    let big = "x".repeat(4096);
    let (_, status) = ask("https://shop.internal/", &["-d", &big, "-o", "/dev/null", "-w", "%{http_code}"]);
    assert_eq!(status, "413");
    // Plain HTTP is sent over, with path, query and method.
    let plain = ["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H", "Host: shop.internal"];
    let (_, told) = curl(&fixture.docker, &[&plain[..], &["http://127.0.0.1/a?b=c"]].concat());
    assert_eq!(told, "308 https://shop.internal/a?b=c");
}

fn own(fixture: &Fixture, (pem, _): &(String, String)) {
    let file = fixture.state().join("own.pem");
    fs_err::write(&file, pem).unwrap();
    let to = ["--resolve", "own.example.com:443:127.0.0.1", "--cacert", file.to_str().unwrap()];
    assert_eq!(
        curl(&fixture.docker, &[&to[..], &["https://own.example.com/"]].concat()),
        (0, "api\n".to_owned())
    );
    let plain = ["-H", "Host: own.example.com", "http://127.0.0.1/"];
    assert_eq!(curl(&fixture.docker, &plain), (0, "api\n".to_owned()));
    let mode =
        |path: &str| fs_err::metadata(fixture.state().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("apps/shop/tls/own.key"), 0o600);
}
