use std::path::Path;

use super::*;
use crate::fleet::{Fleet, FleetError, load::parse};

const FLEET: &str = r#"
fleet  = "shop"
region = "fra1"

[droplet.web]
size  = "s-2vcpu-4gb"
image = "debian-13-x64"
firewall = ["public-web"]

[firewall.public-web]
inbound = [{ ports = "7443", from = ["anywhere"] }]

[bucket.backups]
endpoint = "https://fra1.digitaloceanspaces.com"
region = "fra1"
bucket = "shop-backups"
prefix = "droplets/"
access_key_id = "env:BACKUP_KEY"
secret_access_key = "env:BACKUP_SECRET"
lock = "30d"
versioning = true

[environment.staging]
bucket.backups = { bucket = "shop-staging-backups", versioning = false }
"#;

fn parsed(text: &str, environment: &str) -> Result<Fleet, FleetError> {
    parse(text, "tidegate.toml", Path::new("."), &environment.parse().unwrap())
}

fn bucket(environment: &str) -> Bucket {
    parsed(FLEET, environment).unwrap().buckets.get(&"backups".parse().unwrap()).unwrap().clone()
}

fn wrong(from: &str, to: &str) -> String {
    assert!(FLEET.contains(from), "{from}");
    parsed(&FLEET.replacen(from, to, 1), "production").unwrap_err().to_string()
}

#[test]
fn a_bucket_is_understood_and_an_environment_has_its_own() {
    let found = bucket("production");
    assert_eq!(found.endpoint.to_string(), "https://fra1.digitaloceanspaces.com");
    assert_eq!((found.bucket.as_str(), found.prefix.as_str()), ("shop-backups", "droplets"));
    assert_eq!(found.access_key_id.value.variable(), "BACKUP_KEY");
    assert_eq!(found.secret_access_key.place.to_string(), "19:21");
    assert_eq!(found.lock, Some(Duration::from_hours(30 * 24)));
    assert_eq!(found.versioning, Versioning::Required);
    let staging = bucket("staging");
    assert_eq!((staging.bucket.as_str(), staging.versioning), ("shop-staging-backups", Versioning::Any));
}

#[test]
fn the_store_calls_it_by_its_name_where_nothing_is_said() {
    let text = FLEET.replacen("bucket = \"shop-backups\"\n", "", 1);
    let fleet = parsed(&text, "production").unwrap();
    assert_eq!(fleet.buckets.get(&"backups".parse().unwrap()).unwrap().bucket, "backups");
}

#[test]
fn a_literal_secret_is_refused_and_not_shown() {
    for literal in ["hunter2hunter2", "ENV:X", "env:", "env:hunter2-hunter2", "", "env: X"] {
        let said = wrong("env:BACKUP_SECRET", literal);
        assert!(said.contains("tidegate.toml:19:21: `secret_access_key` holds a secret itself"), "{said}");
        assert!(said.contains("env:NAME") && !said.contains("hunter2"), "{said}");
    }
    // Nor where another fault is told on its line.
    let text = FLEET.split("[bucket").next().unwrap().to_owned()
        + "[bucket]\nb = { secret_access_key = \"hunter2\", endpont = \"x\" }\n";
    let said = parsed(&text, "production").unwrap_err().to_string();
    assert!(said.contains("did you mean `endpoint`?") && !said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(wrong("env:BACKUP_SECRET", "hunter2hunter2"));
}

#[test]
fn credentials_of_the_cloud_are_no_droplets() {
    insta::assert_snapshot!(wrong("env:BACKUP_KEY", "env:SPACES_ACCESS_KEY_ID"));
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_at_once() {
    let section = FLEET.split("[bucket.backups]").next().unwrap().to_owned()
        + r#"[bucket.x]
endpoint = "http://s3.example.com"
regoin = "fra1"
prefix = "../up"
lock = "5m"
versioning = "yes"
acl = "private"
"#;
    insta::assert_snapshot!(parsed(&section, "production").unwrap_err());
}

#[test]
fn two_names_for_one_place_are_refused() {
    let again = FLEET.split("[bucket.backups]").nth(1).unwrap().split("[environment").next().unwrap();
    let said = wrong("[environment.staging]", &format!("[bucket.more]{again}\n[environment.staging]"));
    assert!(said.contains("bucket `more` is the same place as bucket `backups`"), "{said}");
}

#[test]
fn endpoints_and_locks_are_checked() {
    for good in
        ["https://s3.example.com", "https://s3.example.com:9000/", "http://127.0.0.1:5000", "http://[::1]:5"]
    {
        assert!(good.parse::<Endpoint>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "s3.example.com",
        "http://s3.example.com",
        "https://me:pw@s3.example.com",
        "https://s3.example.com/b",
    ] {
        let error = bad.parse::<Endpoint>().unwrap_err();
        assert!(!error.contains("pw@"), "{error}");
    }
    let days = |text: &str| text.parse::<Days>().map(|days| days.0.as_secs() / 86_400).ok();
    assert_eq!(
        (days("1d"), days("8w"), days("1y"), days("3660d")),
        (Some(1), Some(56), Some(366), Some(3660))
    );
    for bad in ["", "0d", "d", "30", "30h", "3661d", "11y", "-1d", "30 d"] {
        assert_eq!(days(bad), None, "{bad}");
    }
}
