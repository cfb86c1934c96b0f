//! A certificate by ACME from Debian's `pebble`, which asks the ingress's port 80 whether the name is ours; and a renewal
//! that fails.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use bollard::query_parameters::RestartContainerOptions;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{CertificateParams, KeyPair};
use tidegate_agent::{
    clock::{Clock as _, SystemClock},
    ingress::Edge,
};
use tidegate_tests::docker::{Docker, Options};

use super::{
    ADDRESS, app, curl, eventually,
    fixture::{self, Fixture},
    give_address, released,
};

const HOST: &str = "shop.acme-test.de";

/// A running authority with its own name server. Dropping it ends both.
struct Pebble(Vec<Child>);

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Pebble {
    fn start(docker: &Docker, folder: &Path) -> Self {
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("{ADDRESS}:14000"),
            "managementListenAddress": format!("{ADDRESS}:15000"),
            "certificate": folder.join("pebble.pem"),
            "privateKey": folder.join("pebble.key"),
            "httpPort": 80,
            "tlsPort": 443,
        } });
        let file = folder.join("pebble.json");
        fs_err::write(&file, config.to_string()).unwrap();
        let mut names = docker.command("pebble-challtestsrv");
        names.args(["-defaultIPv4", ADDRESS, "-defaultIPv6", "", "-dns01", "127.0.0.1:8053"]);
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", "127.0.0.1:8055"]);
        let mut authority = docker.command("pebble");
        authority.arg("-config").arg(&file).args(["-dnsserver", "127.0.0.1:8053"]);
        authority.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        let start = |command: &mut std::process::Command| {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().expect("nsenter")
        };
        Self(vec![start(&mut names), start(&mut authority)])
    }
}

/// The certificate of pebble's own server, by which it is checked.
fn server_certificate(folder: &Path) -> PathBuf {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![ADDRESS.to_owned()]).unwrap().self_signed(&key).unwrap();
    fs_err::write(folder.join("pebble.pem"), certificate.pem()).unwrap();
    fs_err::write(folder.join("pebble.key"), key.serialize_pem()).unwrap();
    folder.join("pebble.pem")
}

fn https(docker: &Docker, root: &str) -> Result<String, String> {
    let to = format!("{HOST}:443:{ADDRESS}");
    let url = format!("https://{HOST}/");
    let asked =
        curl(docker, &["--resolve", &to, "--cacert", root, "--http2", "-w", " %{http_version}", &url]);
    if asked.0 == 0 { Ok(asked.1) } else { Err(asked.1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_had_by_acme_and_a_failing_renewal_keeps_it() {
    if std::process::Command::new("pebble").arg("-h").output().is_err() {
        println!("skipped: pebble is not installed; script/setup installs it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = server_certificate(folder.path());
    let edge = Edge {
        acme_directory: Some(format!("https://{ADDRESS}:14000/dir")),
        acme_email: Some("ops@acme-test.de".to_owned()),
        acme_root: Some(server.clone()),
        ..Edge::default()
    };
    let fixture = Fixture::start_with(Options::default(), edge).await;
    give_address(&fixture.docker);
    let pebble = Pebble::start(&fixture.docker, folder.path());
    let root = folder.path().join("root.pem");
    let roots = format!("https://{ADDRESS}:15000/roots/0");
    let pem = eventually(Duration::from_secs(20), || {
        match curl(&fixture.docker, &["--cacert", server.to_str().unwrap(), &roots]) {
            (0, pem) => Ok(pem),
            (_, error) => Err(error),
        }
    });
    fs_err::write(&root, pem.await).unwrap();
    released(&fixture, &app("shop", "web", &format!("{{ host: {HOST}, port: 8000 }}"))).await;
    let body = eventually(Duration::from_secs(30), || https(&fixture.docker, root.to_str().unwrap())).await;
    assert!(body.starts_with("web ") && body.ends_with(" 2"), "{body}");
    let host = fixture.engine.status(None).await.unwrap().remove(0).hosts.remove(0);
    assert_eq!((host.host.as_str(), host.tls.word(), host.trouble), (HOST, "acme", None));
    assert!(host.not_after.is_some());

    drop(pebble);
    failing_renewal(&fixture, folder.path()).await;
}

/// Pebble's certificates hold for years: one that is near its end takes their place in Caddy's folder.
async fn failing_renewal(fixture: &Fixture, folder: &Path) {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let now = SystemClock.now();
    let at = |time: Timestamp| std::time::SystemTime::from(time).into();
    params.not_before = at(now - (89 * 24).hours());
    params.not_after = at(now + 24.hours());
    let key = KeyPair::generate().unwrap();
    let old = params.self_signed(&key).unwrap().pem();
    let authorities = fs_err::read_dir(fixture.state().join("ingress/data/caddy/certificates")).unwrap();
    for entry in authorities {
        let kept = entry.unwrap().path().join(HOST);
        fs_err::write(kept.join(format!("{HOST}.crt")), &old).unwrap();
        fs_err::write(kept.join(format!("{HOST}.key")), key.serialize_pem()).unwrap();
    }
    let root = folder.join("old.pem");
    fs_err::write(&root, &old).unwrap();
    fixture
        .docker
        .client()
        .restart_container("tidegate-ingress", None::<RestartContainerOptions>)
        .await
        .unwrap();
    let shop = fixture::name("shop");
    let deadline = std::time::Instant::now() + Duration::from_secs(40);
    let trouble = loop {
        let host = fixture.engine.ingress().certificates(&shop).await.unwrap().remove(0);
        if let Some(trouble) = host.trouble {
            break (host.not_after.unwrap(), trouble.what);
        }
        assert!(std::time::Instant::now() < deadline, "no trouble is told");
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    println!("{trouble:?}");
    assert!(trouble.0 > now && trouble.1.contains("connect"), "{trouble:?}");
    let body = https(&fixture.docker, root.to_str().unwrap()).unwrap();
    assert!(body.starts_with("web "), "{body}");
}
