//! A sandbox of a test: its own state directory, addresses and ports, stopped and removed at the end.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    net: Ipv4Addr,
    driver: &'static str,
}

impl Sandbox {
    pub(crate) fn new(driver: &'static str) -> Self {
        // Several test processes may run at once: each takes its own network of addresses.
        let third = 16 + u8::try_from(std::process::id() % 200).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), net: Ipv4Addr::new(127, 0, third, 0), driver }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tidegate-sandbox"))
            .arg("--state-dir")
            .arg(self.state())
            .args(args)
            .output()
            .unwrap()
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn start(&self, more: &[&str]) -> String {
        let net = self.net.to_string();
        let driver = format!("--driver={}", self.driver);
        let args = ["start", "--listen=127.0.0.1:0", "--registry-port=0", &driver, "--public-net", &net];
        self.ok(&[&args[..], more].concat())
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).unwrap()
    }

    pub(crate) fn api(&self) -> Api {
        let status = self.status();
        Api {
            url: status["api_url"].as_str().unwrap().to_owned(),
            token: status["tokens"]["full"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let output = self.run(&["reset", "--yes"]);
        if !output.status.success() {
            println!("reset: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) url: String,
    token: String,
}

impl Api {
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(reqwest::Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(reqwest::Method::POST, path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn delete(&self, path: &str) {
        let (status, answer) = self.send(reqwest::Method::DELETE, path, None).await;
        assert_eq!(status, 204, "{path}: {answer}");
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let client = reqwest::Client::new();
        let mut request = client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Creates droplets and waits until they are active; returns their ids and public addresses.
    pub(crate) async fn create(&self, names: &[&str], user_data: &str) -> Vec<(u64, Ipv4Addr)> {
        self.create_from(json!({"names": names, "user_data": user_data})).await
    }

    /// The same in a VPC.
    pub(crate) async fn create_in(&self, vpc: &str, names: &[&str], user_data: &str) -> Vec<(u64, Ipv4Addr)> {
        self.create_from(json!({"names": names, "user_data": user_data, "vpc_uuid": vpc})).await
    }

    async fn create_from(&self, mut body: Value) -> Vec<(u64, Ipv4Addr)> {
        body["region"] = json!("fra1");
        body["size"] = json!("s-1vcpu-1gb");
        body["image"] = json!("debian-13-x64");
        let made = self.post("/v2/droplets", body).await;
        let ids: Vec<u64> = made["droplets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|droplet| droplet["id"].as_u64().unwrap())
            .collect();
        let mut found = Vec::new();
        for id in ids {
            found.push((id, self.address(id).await));
        }
        found
    }

    async fn address(&self, id: u64) -> Ipv4Addr {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let (_, answer) = self.get(&format!("/v2/droplets/{id}")).await;
            let networks = answer["droplet"]["networks"]["v4"].as_array().cloned().unwrap_or_default();
            let public = networks.iter().find(|network| network["type"] == "public");
            if let Some(network) = public.filter(|_| answer["droplet"]["status"] == "active") {
                return network["ip_address"].as_str().unwrap().parse().unwrap();
            }
            assert!(Instant::now() < until, "droplet {id} is not active: {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Does a droplet action and waits for its end.
    pub(crate) async fn act(&self, id: u64, kind: &str) {
        let begun = self.post(&format!("/v2/droplets/{id}/actions"), json!({"type": kind})).await;
        let action = begun["action"]["id"].as_u64().unwrap();
        let until = Instant::now() + Duration::from_mins(4);
        loop {
            let (_, answer) = self.get(&format!("/v2/actions/{action}")).await;
            match answer["action"]["status"].as_str() {
                Some("completed") => return,
                Some("in-progress") => assert!(Instant::now() < until, "{kind} does not end"),
                _ => panic!("{kind}: {answer}"),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}
