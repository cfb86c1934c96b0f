//! The account survives its process, killed in whatever it was doing.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tidegate_sandbox::{
    account::settings::{Lags, Settings},
    clock::SystemClock,
    none::NoMachines,
};

use crate::sandbox::{Client, Sandbox, quick};

/// Tells the child where to keep its account; only then does it serve.
const CHILD_DIR: &str = "TIDEGATE_SANDBOX_TEST_DIR";

/// Not a test by itself: the process that the test below kills.
#[tokio::test]
async fn serve_until_killed() {
    #[expect(clippy::disallowed_methods, reason = "the parent passes the directory this way")]
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let lags = Lags { provision: Duration::from_secs(1), ..Lags::none() };
    let settings = Settings { lags, ..quick() };
    let sandbox =
        Sandbox::open(Path::new(&dir), Arc::new(NoMachines::new()), settings, Arc::new(SystemClock)).await;
    println!("\nserving {} {}", sandbox.address, sandbox.client().token.unwrap());
    std::future::pending::<()>().await;
}

struct Served {
    child: Child,
    client: Client,
}

impl Drop for Served {
    /// SIGKILL: nothing in the child gets to run any more.
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn serve(dir: &Path) -> Served {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "persistence::serve_until_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("serving ")).unwrap();
    let mut words = line.split(' ').skip(1).map(str::to_owned);
    let (address, token) = (words.next().unwrap().parse().unwrap(), words.next());
    Served { child, client: Client::new(address, token) }
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let first = serve(dir.path());
    let kept = first.client.active_droplet("kept", &["web"]).await;
    first.client.post("/v2/vpcs", json!({"name": "shop", "region": "fra1"})).await.expect(201);
    let cut_off = first.client.droplet("cut-off", &[]).await;
    let token = first.client.token.clone();
    drop(first);

    let second = serve(dir.path());
    assert_eq!(second.client.token, token);
    let found = second.client.get(&format!("/v2/droplets/{}", kept["id"])).await.expect(200);
    assert_eq!(found["droplet"], kept);
    let path = format!("/v2/droplets/{cut_off}");
    second.client.wait(&path, |body| body["droplet"]["status"] == "active").await;
    let actions = second.client.get(&format!("{path}/actions")).await.expect(200);
    assert_eq!(actions["meta"]["total"], 1, "the create was gone on with, not begun again");
    let vpcs = second.client.get("/v2/vpcs?per_page=200").await.expect(200);
    let named: Vec<&Value> =
        vpcs["vpcs"].as_array().unwrap().iter().filter(|vpc| vpc["name"] == "shop").collect();
    assert_eq!(named.len(), 1);
    let newer = second.client.droplet("newer", &[]).await;
    assert!(newer > cut_off, "ids only rise");
    let addresses = async |id: u64| {
        let body = second
            .client
            .wait(&format!("/v2/droplets/{id}"), |body| body["droplet"]["status"] == "active")
            .await;
        body["droplet"]["networks"]["v4"].clone()
    };
    assert_ne!(addresses(newer).await, addresses(cut_off).await);
}

#[tokio::test]
async fn killed_at_random_moments_it_never_loses_what_it_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let mut confirmed = Vec::new();
    for round in 0..4_u64 {
        let served = serve(dir.path());
        for id in &confirmed {
            served.client.get(&format!("/v2/droplets/{id}")).await.expect(200);
        }
        confirmed.push(served.client.droplet(&format!("web-{round}"), &["web"]).await);
        let tag = served.client.try_send("POST", "/v2/tags", Some(json!({"name": format!("t{round}")})));
        // The kill falls before, into or after this request.
        let _either = tokio::time::timeout(Duration::from_millis(round), tag).await;
    }
    let served = serve(dir.path());
    let listed = served.client.get("/v2/droplets").await.expect(200);
    assert_eq!(listed["meta"]["total"], confirmed.len());
}

#[tokio::test]
async fn a_state_of_another_version_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("account.json");
    fs_err::write(&file, r#"{"version":99,"unheard_of":true}"#).unwrap();
    let options = tidegate_sandbox::account::AccountOptions::new(
        dir.path().to_owned(),
        Arc::new(NoMachines::new()),
        Arc::new(SystemClock),
        rand::SeedableRng::seed_from_u64(1),
    );
    let error = tidegate_sandbox::account::Account::open(options).await.unwrap_err();
    assert!(error.to_string().contains("layout 99"), "{error}");
    assert!(fs_err::read_to_string(file).unwrap().contains("unheard_of"), "it is left as it was");
}
