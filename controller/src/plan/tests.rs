use std::time::Duration;

use serde_json::json;

use super::{make::firewall_spec, *};
use crate::{
    fleet::{self, Fleet},
    names::IntentId,
    state::{DropletRecord, Inventory},
};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0 shop-production";

fn fleet(text: &str) -> Fleet {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.toml");
    fs_err::write(&path, text).unwrap();
    fleet::load(&path, &"production".parse().unwrap()).unwrap()
}

fn shop(count: u32) -> Fleet {
    fleet(&format!(
        r#"
fleet = "shop"
region = "fra1"
[droplet.web]
size = "s-2vcpu-4gb"
image = "debian-13-x64"
count = {count}
firewall = ["public-web"]
[firewall.public-web]
inbound = [
  {{ ports = "80,443", from = ["anywhere"] }},
  {{ ports = "22,7443", from = ["admins"] }},
]
[addresses]
admins = ["198.51.100.7/32"]
"#
    ))
}

fn empty_account() -> Snapshot {
    let json = json!({
        "account": {"email": "ops@example.com", "droplet_limit": 3, "status": "active"},
        "regions": [
            {"slug": "fra1", "name": "Frankfurt 1", "available": true, "sizes": []},
            {"slug": "ams3", "name": "Amsterdam 3", "available": true, "sizes": []},
            {"slug": "nyc2", "name": "New York 2", "available": false, "sizes": []}],
        "sizes": [
            {"slug": "s-2vcpu-4gb", "memory": 4096, "vcpus": 2, "disk": 80, "price_monthly": 24.0, "regions": ["fra1"], "available": true},
            {"slug": "s-1vcpu-1gb", "memory": 1024, "vcpus": 1, "disk": 25, "price_monthly": 6.0, "regions": ["fra1", "ams3"], "available": true}],
        "images": [{"id": 1, "slug": "debian-13-x64", "name": "13 x64", "distribution": "Debian", "regions": ["fra1"], "min_disk_size": 7}],
    });
    let take = |key: &str| json.get(key).cloned().unwrap();
    let images: Vec<crate::cloud::images::Image> = serde_json::from_value(take("images")).unwrap();
    Snapshot {
        account: serde_json::from_value(take("account")).unwrap(),
        regions: serde_json::from_value(take("regions")).unwrap(),
        sizes: serde_json::from_value(take("sizes")).unwrap(),
        chosen: [("debian-13-x64".to_owned(), images.first().cloned())].into(),
        images,
        ssh_keys: Vec::new(),
        vpcs: Vec::new(),
        firewalls: Vec::new(),
        droplets: Vec::new(),
    }
}

fn droplet(id: u64, name: &str, tags: &[&str]) -> crate::cloud::droplets::Droplet {
    serde_json::from_value(json!({
        "id": id, "name": name, "status": "active", "size_slug": "s-2vcpu-4gb", "region": {"slug": "fra1"},
        "image": {"id": 1, "slug": "debian-13-x64"}, "tags": tags,
    }))
    .unwrap()
}

const TAGS: [&str; 3] =
    ["tidegate:shop:production", "tidegate-role:web", "tidegate-firewall:shop:production:public-web"];

/// The account after `up` of `shop(1)`.
fn settled() -> Snapshot {
    let fleet = shop(1);
    let mut now = empty_account();
    now.ssh_keys =
        serde_json::from_value(json!([{"id": 7, "name": "x", "fingerprint": "", "public_key": KEY}]))
            .unwrap();
    now.vpcs = serde_json::from_value(json!([{"id": "v", "name": "shop-production", "region": "fra1",
        "description": "tidegate:shop:production"}]))
    .unwrap();
    let (name, wanted) = fleet.firewalls.iter().next().unwrap();
    now.firewalls = vec![crate::cloud::firewalls::Firewall {
        id: "f".to_owned(),
        spec: firewall_spec(&fleet, name, wanted),
    }];
    now.droplets = vec![droplet(1, "shop-production-web-1", &TAGS)];
    now
}

fn at() -> jiff::Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn plan(fleet: &Fleet, inventory: &Inventory, now: &Snapshot) -> Plan {
    check(fleet, inventory, KEY, now).unwrap();
    make(fleet, inventory, KEY, now, at())
}

#[test]
fn everything_is_created_in_an_empty_account() {
    let plan = plan(&shop(2), &Inventory::default(), &empty_account());
    insta::assert_snapshot!(plan);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "a plan survives the journal");
}

#[test]
fn nothing_is_to_do_once_all_is_there() {
    insta::assert_snapshot!(plan(&shop(1), &Inventory::default(), &settled()));
}

#[test]
fn rules_that_differ_are_changed_and_surplus_is_deleted() {
    let mut now = settled();
    now.firewalls.first_mut().unwrap().spec.inbound_rules.pop();
    now.droplets.push(droplet(2, "shop-production-web-2", &TAGS));
    now.droplets.push(droplet(3, "other", &[]));
    now.account.droplet_limit = 25;
    insta::assert_snapshot!(plan(&shop(1), &Inventory::default(), &now));
}

/// `shop(count)` with an app.
fn with_app(count: u32, rollout: &str) -> Fleet {
    let mut fleet = shop(count);
    let app = self::fleet(&format!(
        "fleet = \"shop\"\nregion = \"fra1\"\n[app.shop]\ncompose = \"compose.yaml\"\nrollout = \"{rollout}\"\n\
         [droplet.web]\nsize = \"s\"\nimage = \"i\"\nfirewall = [\"a\"]\n\
         [firewall.a]\ninbound = [{{ ports = \"7443\", from = [\"anywhere\"] }}]\n"
    ));
    fleet.apps = app.apps;
    fleet
}

#[test]
fn agents_of_an_app_that_is_released_together_reach_each_other() {
    let mut now = settled();
    now.account.droplet_limit = 25;
    assert!(plan(&with_app(1, "rolling"), &Inventory::default(), &now).is_empty());
    insta::assert_snapshot!(plan(&with_app(2, "together"), &Inventory::default(), &now));
}

#[test]
fn a_droplet_that_never_enrolled_is_replaced_only_after_its_token_ran_out() {
    let mut now = settled();
    let intent = IntentId::from_random([1; 12]);
    let own = now.droplets.first_mut().unwrap();
    own.tags.push(intent.tag());
    let name = own.name.clone();
    let mut inventory = Inventory::default();
    let later = at() + Duration::from_secs(1);
    inventory.droplets.insert(name.clone(), DropletRecord::wanted(intent.clone(), later));
    assert!(plan(&shop(1), &inventory, &now).is_empty());
    inventory.droplets.insert(name.clone(), DropletRecord::wanted(intent.clone(), at()));
    insta::assert_snapshot!(plan(&shop(1), &inventory, &now));
    let enrolled = DropletRecord { enrolled: true, ..DropletRecord::wanted(intent, at()) };
    inventory.droplets.insert(name, enrolled);
    assert!(plan(&shop(1), &inventory, &now).is_empty());
}

#[test]
fn unknown_values_are_told_with_the_nearest() {
    let text = "fleet = \"shop\"\nregion = \"fra2\"\n[droplet.web]\nsize = \"s-2vcpu-4g\"\nimage = \"debian-31-x64\"\nfirewall = [\"a\"]\n\
                [firewall.a]\ninbound = [{ ports = \"7443\", from = [\"anywhere\"] }]\n";
    insta::assert_snapshot!(check(&fleet(text), &Inventory::default(), KEY, &empty_account()).unwrap_err());
}

#[test]
fn names_that_others_have_are_refused() {
    let mut now = settled();
    now.vpcs.first_mut().unwrap().description = None;
    now.firewalls.first_mut().unwrap().spec.tags.clear();
    now.ssh_keys.first_mut().unwrap().name = "shop-production".to_owned();
    now.ssh_keys.first_mut().unwrap().public_key = "ssh-ed25519 BBBB".to_owned();
    now.droplets.first_mut().unwrap().tags.clear();
    let fleet = shop(1);
    insta::assert_snapshot!(check(&fleet, &Inventory::default(), KEY, &now).unwrap_err());
    // What the inventory knows is ours, whatever marks were lost.
    let mut inventory = Inventory::default();
    inventory.vpc = Some("v".to_owned());
    inventory.firewalls.insert("shop-production-public-web".to_owned(), "f".to_owned());
    assert_eq!(check(&fleet, &inventory, KEY, &now).unwrap_err().0.len(), 2);
}

#[test]
fn the_droplet_limit_is_seen_before_anything_is_made() {
    insta::assert_snapshot!(check(&shop(4), &Inventory::default(), KEY, &empty_account()).unwrap_err());
}
