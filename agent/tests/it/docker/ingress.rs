//! The ingress before real containers: certificates, switches, restarts, apps that must not see each other.

mod acme;
mod apart;
mod certificates;
mod restarts;
mod switch;

use std::time::Duration;

use tidegate_tests::docker::Docker;

use super::release::fixture::{self, App, Fixture};

/// An address of the test's network that, unlike 127.0.0.1, needs no program of Docker's to lead to a container.
const ADDRESS: &str = "10.99.0.1";

/// A service of a few lines of shell that answers with a word and the request's head; `/slow` for 9 s, `/broken` with 500; an
/// upgraded connection gets its own words back.
const SERVER: &str = r#"
x-tidegate: { drain: 20s }
services:
  web:
    image: probe:1
    init: true
    command:
      - sh
      - -c
      - |
        cat >/tmp/serve <<'END'
        #!/bin/sh
        read -r request
        head=
        while read -r line && [ "$${#line}" -gt 1 ]; do head="$$head$${line%?}; "; done
        case "$$request $$head" in
          *Upgrade:*)
            printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
            exec cat ;;
          */slow*)
            printf 'HTTP/1.1 200 OK\r\nContent-Length: 180\r\nConnection: close\r\n\r\n'
            i=0
            while [ $$i -lt 180 ]; do printf x; usleep 50000; i=$$((i + 1)); done ;;
          */broken*)
            printf 'HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' ;;
          *)
            body="WORD $$head"
            printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "$${#body}" "$$body" ;;
        esac
        END
        chmod +x /tmp/serve
        exec nc -ll -p 8000 -e /tmp/serve
    x-tidegate:
      ingress: INGRESS
      gate: { stable: 1s, timeout: 30s }
"#;

/// An app that answers with `word`.
fn app(name: &str, word: &str, ingress: &str) -> App {
    App::new(name, &SERVER.replace("WORD", word).replace("INGRESS", ingress))
}

/// Makes [`ADDRESS`] lead here.
fn give_address(docker: &Docker) {
    let added =
        docker.command("ip").args(["addr", "add", &format!("{ADDRESS}/32"), "dev", "lo"]).status().unwrap();
    assert!(added.success());
}

/// What curl says inside the daemon's network: its exit code, and what it printed.
fn curl(docker: &Docker, arguments: &[&str]) -> (i32, String) {
    let output = docker.command("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text)
}

/// Deploys, and sees that it is released.
async fn released(fixture: &Fixture, app: &App) {
    let events = fixture.release(app).await;
    assert_eq!(fixture::ended(&events), tidegate_agent::release::ReleaseState::Released, "{events:?}");
}

/// Asks again and again until it is so.
async fn eventually<T>(patience: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = std::time::Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(last) => assert!(begun.elapsed() < patience, "not within {patience:?}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
