//! The program without machines: its commands, and what they say when something is wrong.

use std::process::Command;

use crate::running::Sandbox;

fn error_of(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = sandbox.run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_day_of_the_daemon() {
    let sandbox = Sandbox::new("none");
    assert!(sandbox.ok(&["status"]).contains("does not run"));
    assert_eq!(sandbox.status()["running"], false);
    assert!(sandbox.ok(&["stop"]).contains("does not run"));

    let said = sandbox.start(&[]);
    let status = sandbox.status();
    let url = status["api_url"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("export DIGITALOCEAN_API_URL={url}")), "{said}");
    assert_eq!(status["running"], true);
    let (code, _) = sandbox.api().get("/v2/account").await;
    assert_eq!(code, 200);
    let token = status["tokens"]["full"].clone();

    assert!(sandbox.start(&[]).starts_with("It runs already."));
    assert!(error_of(&sandbox, &["serve", "--driver=none", "--listen=127.0.0.1:0"]).contains("already uses"));

    assert!(sandbox.ok(&["stop"]).contains("stopped"));
    assert_eq!(sandbox.status()["running"], false);
    sandbox.start(&[]);
    assert_eq!(sandbox.status()["tokens"]["full"], token, "the account is the same");

    assert!(error_of(&sandbox, &["reset"]).contains("--yes"));
    assert!(sandbox.ok(&["reset", "--yes"]).contains("empty"));
    assert!(!sandbox.state().exists());
    sandbox.start(&[]);
    assert_ne!(sandbox.status()["tokens"]["full"], token, "the account is a new one");
}

#[test]
fn a_killed_daemon_does_not_stand_in_the_way() {
    let sandbox = Sandbox::new("none");
    sandbox.start(&[]);
    let pid = sandbox.status()["pid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let gone = || !std::path::Path::new("/proc").join(&pid).exists();
    for _ in 0..100 {
        if gone() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(sandbox.status()["running"], false);
    sandbox.start(&[]);
    assert_eq!(sandbox.status()["running"], true);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let sandbox = Sandbox::new("none");
    assert!(error_of(&sandbox, &["start", "--listen", "0.0.0.0:8765"]).contains("not a loopback address"));
    assert!(error_of(&sandbox, &["start", "--driver=none", "--agent", "/nowhere"]).contains("/nowhere"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(error_of(&sandbox, &["start", "--driver=none", "--listen", &address]).contains("--listen"));
    let long = sandbox.path().join("x".repeat(80));
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate-sandbox"))
        .args(["--state-dir", long.to_str().unwrap(), "status"])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("--state-dir"));
    assert!(error_of(&sandbox, &["images", "no-such"]).contains("there is no recipe `no-such`"));
}
