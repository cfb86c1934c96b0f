use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};

use super::*;
use crate::fleet;

const COMPOSE: &str = "services:
  db:
    image: postgres:17
    x-tidegate:
      backup:
        to: [local, \"bucket:backups\"]
        encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
  stock:
    image: postgres:17
    x-tidegate:
      backup:
        to: [\"bucket:archive\"]
        encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
";

const BUCKETS: &str = r#"
[bucket.backups]
endpoint = "https://fra1.digitaloceanspaces.com"
region = "fra1"
bucket = "shop-backups"
access_key_id = "env:BACKUP_KEY"
secret_access_key = "env:BACKUP_SECRET"
lock = "30d"

[bucket.archive]
endpoint = "https://s3.example.com"
region = "eu-1"
prefix = "shop"
access_key_id = "env:ARCHIVE_KEY"
secret_access_key = "env:ARCHIVE_SECRET"
versioning = true

[bucket.others]
endpoint = "https://s3.example.com"
region = "eu-1"
access_key_id = "env:OTHERS_KEY"
secret_access_key = "env:OTHERS_SECRET"
"#;

fn fleet(buckets: &str) -> Fleet {
    let text = r#"
fleet  = "shop"
region = "fra1"
[droplet.web]
size  = "s-2vcpu-4gb"
image = "debian-13-x64"
firewall = ["public-web"]
[firewall.public-web]
inbound = [{ ports = "7443", from = ["anywhere"] }]
"#;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    fs_err::write(&file, text.to_owned() + buckets).unwrap();
    fleet::load(&file, &"production".parse().unwrap()).unwrap()
}

fn project() -> (Loaded, Extension) {
    let mut files = MemoryFiles::new();
    files.insert("/p/compose.yaml", COMPOSE);
    let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
    let loaded = load(&files, &options).unwrap();
    let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    (loaded, extension)
}

fn environ(names: &[&str]) -> Environ {
    let value = |name: &&str| ((*name).to_owned(), format!("value of {name}"));
    Environ::new(names.iter().map(value))
}

const ALL: [&str; 4] = ["BACKUP_KEY", "BACKUP_SECRET", "ARCHIVE_KEY", "ARCHIVE_SECRET"];

#[test]
fn what_the_compose_file_names_is_sent_with_its_credentials() {
    let (loaded, extension) = project();
    let sent = gather((&loaded, &extension), &fleet(BUCKETS), &environ(&ALL)).unwrap();
    let [archive, backups] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(
        (archive.name.as_str(), archive.bucket.as_str(), archive.prefix.as_str()),
        ("archive", "archive", "shop")
    );
    assert_eq!((archive.versioning(), archive.lock), (BucketVersioning::Required, None));
    assert_eq!((backups.name.as_str(), backups.bucket.as_str()), ("backups", "shop-backups"));
    assert_eq!(backups.lock.unwrap().seconds, 30 * 86_400);
    assert_eq!(backups.secret_access_key, "value of BACKUP_SECRET");
    assert_eq!(backups.access_key_id, "value of BACKUP_KEY");
}

#[test]
fn a_name_that_the_fleet_file_has_not_is_told_with_its_place() {
    let (loaded, extension) = project();
    let near = fleet(&BUCKETS.replace("[bucket.backups]", "[bucket.backup]"));
    insta::assert_snapshot!(gather((&loaded, &extension), &near, &environ(&ALL)).unwrap_err());
    insta::assert_snapshot!(named((&loaded, &extension), &fleet("")).unwrap_err());
}

#[test]
fn a_variable_that_is_not_set_is_told_with_its_place() {
    let (loaded, extension) = project();
    let error = gather((&loaded, &extension), &fleet(BUCKETS), &environ(&ALL[..1])).unwrap_err();
    assert!(!error.to_string().contains("value of"), "{error}");
    insta::assert_snapshot!(error);
}
