//! A sandbox and a project of a test: own ports, addresses and directories, removed at the end.

use std::{
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidegate_tests::{
    openapi::OpenApi,
    programs::{self, Program},
};

/// No two sandboxes of one process share addresses.
static NEXT: AtomicU8 = AtomicU8::new(0);

pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) read_only: String,
    http: reqwest::Client,
}

/// What a run of the program said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// A sandbox without lags and an initialised project.
    pub(crate) async fn new() -> Self {
        let world = Self::without_project();
        world.settings(json!({"lags": no_lags()})).await;
        let said = world.run(&init_args());
        assert_eq!(said.code, 0, "{}", said.err);
        world
    }

    pub(crate) fn without_project() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let third = u8::try_from(std::process::id() % 50).unwrap() * 4
            + NEXT.fetch_add(1, Ordering::Relaxed) % 4
            + 20;
        let net = Ipv4Addr::new(127, 1, third, 0).to_string();
        let state = directory.path().join("s");
        let mut start = sandbox(&state);
        start.args([
            "start",
            "--listen=127.0.0.1:0",
            "--registry-port=0",
            "--driver=none",
            "--public-net",
            &net,
        ]);
        let started = start.output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        let status = sandbox(&state).args(["status", "--json"]).output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        fs_err::create_dir(directory.path().join("project")).unwrap();
        Self {
            url: status["api_url"].as_str().unwrap().to_owned(),
            token: status["tokens"]["full"].as_str().unwrap().to_owned(),
            read_only: status["tokens"]["read_only"].as_str().unwrap().to_owned(),
            // A test waits for programs in between: a kept connection would be closed by then.
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
            directory,
        }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program with nothing of this machine's environment but what is said here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(args)
            .env_clear()
            .current_dir(self.project())
            .env("DIGITALOCEAN_API_URL", &self.url)
            .env("DIGITALOCEAN_TOKEN", &self.token)
            .env("TIDEGATE_STATE_DIR", self.state())
            .env("TIDEGATE_CA_PASSPHRASE", "correct horse")
            .env("TIDEGATE_LOOK_UP_MS", "1500")
            .env("USER", "jane")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Changes the fleet file.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.project().join("tidegate.toml");
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs_err::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs `up` until it says `mark`, then kills it; tells what it said before.
    pub(crate) fn up_until(&self, mark: &str) -> String {
        let child = self.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut killer = Killer(child);
        let stderr = killer.0.stderr.take().unwrap();
        let (send, lines) = std::sync::mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let until = Instant::now() + Duration::from_secs(45);
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            said.push_str(&line);
            said.push('\n');
            if line.contains(mark) {
                return said;
            }
        }
        panic!("`up` did not say `{mark}`, but:\n{said}");
    }

    /// Runs `up` until its droplets are made and recorded, which an earlier, killed one may have done; then kills it.
    pub(crate) async fn up_until_made(&self) {
        let child = self.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut killer = Killer(child);
        let until = Instant::now() + Duration::from_secs(30);
        let recorded = || {
            let path = self.state().join("shop/production/inventory.json");
            let text = fs_err::read_to_string(path).unwrap_or_default();
            let inventory: Value = serde_json::from_str(&text).unwrap_or_default();
            inventory["droplets"]["shop-production-web-1"]["id"].is_u64()
                && !self.state().join("shop/production/up.journal").exists()
        };
        while !recorded() || self.things().await.len() < 4 {
            let ended = killer.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{ended:?} {:?}", self.things().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs `up`, and kills it after a time.
    pub(crate) fn up_for(&self, time: Duration) {
        let child = self.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let killer = Killer(child);
        thread::sleep(time);
        drop(killer);
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Lags and limits; the limits that tests would run into are far away.
    pub(crate) async fn settings(&self, mut settings: Value) {
        settings["key_list_limit"] = json!(10_000);
        settings["burst_limit"] = json!(10_000);
        let request =
            self.http.put(format!("{}/sandbox/settings", self.url)).bearer_auth(&self.token).json(&settings);
        assert!(request.send().await.unwrap().status().is_success());
    }

    pub(crate) async fn fault(&self, method: &str, path: &str, effect: Value) {
        self.post("/sandbox/faults", json!({"method": method, "path": path, "count": 1, "effect": effect}))
            .await;
    }

    /// Names of what the account has, by kind and sorted; default VPCs left out.
    pub(crate) async fn account(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (path, key) in [
            ("/v2/droplets", "droplets"),
            ("/v2/firewalls", "firewalls"),
            ("/v2/account/keys", "ssh_keys"),
            ("/v2/tags", "tags"),
            ("/v2/vpcs", "vpcs"),
        ] {
            let answer = self.get(&format!("{path}?per_page=200")).await;
            for item in answer[key].as_array().unwrap() {
                if item["default"] != json!(true) {
                    all.push(format!("{key} {}", item["name"].as_str().unwrap()));
                }
            }
        }
        all.sort();
        all
    }

    /// The same without tags, which may linger harmlessly.
    pub(crate) async fn things(&self) -> Vec<String> {
        self.account().await.into_iter().filter(|thing| !thing.starts_with("tags ")).collect()
    }

    /// Judges all requests so far by the document, where it is given.
    pub(crate) async fn judge(&self) {
        let Ok(openapi) = OpenApi::load_from_env() else {
            println!("skipped: requests are not judged, TIDEGATE_OPENAPI names no document");
            return;
        };
        let answer = self.get("/sandbox/requests?limit=2000").await;
        let requests = answer["requests"].as_array().unwrap();
        assert!(!requests.is_empty());
        for request in requests {
            let text = |key: &str| request[key].as_str().unwrap_or_default();
            let body = Some(&request["body"]).filter(|body| !body.is_null());
            let judged = openapi.check_request(text("method"), text("path"), text("query"), body);
            judged.unwrap_or_else(|violation| panic!("{violation}: {request}"));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let ended = sandbox(&self.directory.path().join("s")).args(["reset", "--yes"]).output().unwrap();
        if !ended.status.success() {
            println!("reset: {}", String::from_utf8_lossy(&ended.stderr));
        }
    }
}

struct Killer(Child);

impl Drop for Killer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn sandbox(state: &Path) -> Command {
    let program = programs::path(Program::Sandbox).unwrap();
    let mut command = Command::new(program);
    command.arg("--state-dir").arg(state);
    command
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn no_lags() -> Value {
    let names = [
        "create_not_found",
        "create_not_listed",
        "provision",
        "address",
        "action",
        "delete_visible",
        "member",
        "firewall",
    ];
    names.iter().map(|name| ((*name).to_owned(), json!(0))).collect::<serde_json::Map<_, _>>().into()
}

pub(crate) fn init_args() -> Vec<&'static str> {
    let sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    vec![
        "init",
        "--fleet=shop",
        "--admin-address=198.51.100.7",
        "--agent-url=http://10.0.2.100:8080/tidegate-agent",
        "--agent-sha256",
        sha256,
    ]
}
