//! Bad input: what, where, why, what to do; a code that is not 0; nothing changed.

use serde_json::json;

use crate::world::{Said, World};

fn refused(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, code, "{}", said.err);
    for word in words {
        assert!(said.err.contains(word), "`{word}` is missing in: {}", said.err);
    }
    assert_eq!(
        said.err.matches("hint:").count(),
        said.err.lines().filter(|l| l.starts_with("  hint:")).count()
    );
}

#[tokio::test]
async fn tokens_that_are_missing_wrong_or_weak() {
    let world = World::new().await;
    for command in ["plan", "up", "info"] {
        let said = world.command(&[command]).env_remove("DIGITALOCEAN_TOKEN").output().unwrap();
        assert_eq!(said.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&said.stderr).contains("DIGITALOCEAN_TOKEN"));
        let said = world.command(&[command]).env("DIGITALOCEAN_TOKEN", "dop_v1_wrong").output().unwrap();
        assert_eq!(said.status.code(), Some(1));
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(error.contains("401") && error.contains("API > Tokens"), "{error}");
        assert!(!error.contains("dop_v1_wrong"), "{error}");
    }
    let weak = world.command(&["up"]).env("DIGITALOCEAN_TOKEN", &world.read_only).output().unwrap();
    assert_eq!(weak.status.code(), Some(1));
    let error = String::from_utf8_lossy(&weak.stderr);
    assert!(error.contains("403") && error.contains("lacks a right"), "{error}");
    assert!(world.account().await.is_empty());
}

#[tokio::test]
async fn the_other_name_of_the_token_and_the_file_work_too() {
    let world = World::new().await;
    let mut other = world.command(&["plan"]);
    let said = other
        .env_remove("DIGITALOCEAN_TOKEN")
        .env("DIGITALOCEAN_ACCESS_TOKEN", &world.token)
        .output()
        .unwrap();
    assert!(said.status.success());
    fs_err::write(world.project().join(".env"), format!("DIGITALOCEAN_TOKEN={}\n", world.token)).unwrap();
    let said = world.command(&["plan"]).env_remove("DIGITALOCEAN_TOKEN").output().unwrap();
    assert!(said.status.success());
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_or_not_be_trusted() {
    let world = World::new().await;
    let said = world.command(&["up"]).env("DIGITALOCEAN_API_URL", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(error.contains("cannot be reached") && error.contains("sandbox start"), "{error}");
    let said = world.command(&["plan"]).env("DIGITALOCEAN_API_URL", "http://192.0.2.1").output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("https"));
}

#[tokio::test]
async fn values_that_do_not_exist_are_told_with_the_nearest() {
    let world = World::new().await;
    world.edit("region = \"fra1\"", "region = \"fra2\"");
    world.edit("s-1vcpu-2gb", "s-1vcpu-2g");
    world.edit("debian-13-x64", "debian-31-x64");
    for command in ["plan", "up"] {
        let said = world.run(&[command]);
        refused(
            &said,
            2,
            &[
                "tidegate.toml:2:10",
                "`fra2`",
                "fra1",
                "`s-1vcpu-2g`",
                "s-1vcpu-2gb",
                "`debian-31-x64`",
                "debian-13-x64",
            ],
        );
    }
    assert!(world.account().await.is_empty());
}

#[tokio::test]
async fn a_wrong_fleet_file_is_told_with_its_places() {
    let world = World::new().await;
    world.edit("region = ", "regoin = ");
    world.edit("size  = \"s-1vcpu-2gb\"", "size = 3\ncount = \"two\"");
    let said = world.run(&["up"]);
    refused(
        &said,
        2,
        &[
            "tidegate.toml:2:1: unknown key `regoin`",
            "did you mean `region`?",
            ": `size` must be",
            ": `count` must be",
        ],
    );
    assert!(world.account().await.is_empty());
}

#[tokio::test]
async fn names_that_others_have_are_left_alone() {
    let world = World::new().await;
    world.post("/v2/vpcs", json!({"name": "shop-production", "region": "fra1"})).await;
    let droplet = json!({"name": "shop-production-web-1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"});
    world.post("/v2/droplets", droplet).await;
    let before = world.account().await;
    let said = world.run(&["up"]);
    refused(
        &said,
        2,
        &["the name shop-production is taken by a vpc", "shop-production-web-1 is taken by a droplet"],
    );
    assert_eq!(world.account().await, before);
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("gone already"), "{}", said.out);
    assert_eq!(world.account().await, before);
}

#[tokio::test]
async fn the_droplet_limit_is_seen_before_anything_is_made() {
    let world = World::new().await;
    world.settings(json!({"lags": crate::world::no_lags(), "droplet_limit": 2})).await;
    world.edit("firewall = [\"public-web\"]", "firewall = [\"public-web\"]\ncount = 3");
    refused(&world.run(&["up"]), 2, &["may have 2 droplets", "the file wants 3"]);
    assert!(world.account().await.is_empty());
}

#[tokio::test]
async fn without_keys_there_is_no_up() {
    let world = World::new().await;
    let said =
        world.command(&["up"]).env("TIDEGATE_STATE_DIR", world.path().join("elsewhere")).output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("tidegate init"));
    assert!(world.account().await.is_empty());
}

#[tokio::test]
async fn commands_that_need_droplets_say_so() {
    let world = World::new().await;
    fs_err::write(world.project().join("compose.yaml"), "services: {web: {image: web}}\n").unwrap();
    for args in [
        &["status"][..],
        &["logs"],
        &["exec", "web", "true"],
        &["exec", "--host", "true"],
        &["audit", "log"],
        &["deploy"],
    ] {
        let said = world.run(args);
        assert_ne!(said.code, 0, "{args:?}");
        assert!(said.err.contains("`tidegate up`"), "{args:?}: {}", said.err);
    }
}

#[tokio::test]
async fn maintenance_of_an_app_that_nobody_has() {
    let world = World::new().await;
    let file = world.project().join("tidegate.toml");
    let fleet = fs_err::read_to_string(&file).unwrap();
    let app = "\n[app.shop]\ncompose = [\"compose.yaml\"]\ndroplets = \"web\"\n";
    let fleet = if fleet.contains("\n[app.") { fleet } else { fleet + app };
    fs_err::write(&file, fleet).unwrap();
    let said = world.run(&["maintenance", "on", "shpo"]);
    refused(&said, 2, &["the fleet file has no app `shpo`", "did you mean `shop`?"]);
    refused(&world.run(&["maintenance", "perhaps", "shop"]), 2, &["possible values: on, off"]);
}

#[tokio::test]
async fn a_bucket_that_the_fleet_file_has_not() {
    let world = World::new().await;
    let compose = "services:\n  db:\n    image: postgres:17\n    x-tidegate:\n      backup:\n        to: ['bucket:backups']\n        \
                   encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]\n";
    fs_err::write(world.project().join("compose.yaml"), compose).unwrap();
    let file = world.project().join("tidegate.toml");
    let fleet = fs_err::read_to_string(&file).unwrap();
    let fleet = fleet.split("\n[app.").next().unwrap().to_owned()
        + "\n[app.shop]\ncompose = [\"compose.yaml\"]\ndroplets = \"web\"\n\n[bucket.backup]\n\
           endpoint = \"https://s3.example.com\"\nregion = \"eu-1\"\naccess_key_id = \"env:A\"\nsecret_access_key = \"env:B\"\n";
    fs_err::write(&file, fleet).unwrap();
    let said = world.run(&["plan"]);
    refused(
        &said,
        2,
        &["compose.yaml:6:9: tidegate.toml has no [bucket.backups]", "`bucket:backup`, if that is meant"],
    );
    world.edit("env:B", "hunter2hunter2");
    let said = world.run(&["plan"]);
    refused(&said, 2, &["`secret_access_key` holds a secret itself", "env:NAME"]);
    assert!(!said.err.contains("hunter2") && !said.out.contains("hunter2"), "{}", said.err);
    world.edit("hunter2hunter2", "env:B");
    world.edit("bucket.backup]", "bucket.backups]");
    assert_eq!(world.run(&["plan"]).code, 0, "its key is asked for when it is sent");
    assert!(world.account().await.is_empty());
}
