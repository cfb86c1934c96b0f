//! Names of objects, both ways.

use super::*;
use crate::backup::sample;

const FOLDER: &str = "shop/production/7-e1/shop/db/20261122T030000Z-4f2a91c0";

fn name(rest: &str) -> ObjectName {
    ObjectName::new(format!("{FOLDER}/{rest}")).unwrap()
}

#[test]
fn names_lead_both_ways() {
    let folder = BackupFolder::of(&sample::manifest()).unwrap();
    assert_eq!(folder.name().unwrap().as_str(), FOLDER);
    assert_eq!(folder.manifest().unwrap(), name("manifest"));
    assert_eq!(parse(&name("manifest")).unwrap(), (folder.clone(), File::Manifest));
    let part: PartName = "globals.sql.zst.age".parse().unwrap();
    assert_eq!(folder.part(&part).unwrap(), name("globals.sql.zst.age"));
    assert_eq!(parse(&name("globals.sql.zst.age")).unwrap(), (folder.clone(), File::Part(part)));
    assert_eq!(parse(&name("manifest.partial")).unwrap(), (folder, File::Partial));
}

#[test]
fn what_is_not_ours_is_refused() {
    for other in [
        "notes.txt",
        FOLDER,
        &format!("{FOLDER}/a/b"),
        &FOLDER.replace("7-e1", "7").replace("db/", "db/x/"),
        "shop/production/07-e1/shop/db/20261122T030000Z-4f2a91c0/manifest",
        "shop/production/7-e_1/shop/db/20261122T030000Z-4f2a91c0/manifest",
        "Shop/production/7-e1/shop/db/20261122T030000Z-4f2a91c0/manifest",
        "shop/production/7-e1/Shop/db/20261122T030000Z-4f2a91c0/manifest",
        "shop/production/7-e1/shop/db/20261122T030000Z-4F2A91C0/manifest",
        "shop/production/7-e1/shop/db/20261122T030000Z-4f2a91c0/-x",
    ] {
        let error = parse(&ObjectName::new(other).unwrap()).unwrap_err();
        assert!(error.to_string().contains(other), "{other}");
    }
}

#[test]
fn a_service_is_one_folder() {
    let droplet = BackupFolder::of(&sample::manifest()).unwrap().service().droplet().clone();
    for bad in ["..", ".", "", "a/b", "a b"] {
        let app = AppName::new("shop").unwrap();
        assert!(ServiceFolder::new(droplet.clone(), app, ServiceName::new(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_scope_has_what_it_says() {
    let folder = BackupFolder::of(&sample::manifest()).unwrap().service().clone();
    let other = DropletFolder { droplet: "8".parse().unwrap(), ..folder.droplet().clone() };
    let elsewhere =
        ServiceFolder::new(other.clone(), folder.app().clone(), folder.service().clone()).unwrap();
    let another = ServiceFolder::new(other, folder.app().clone(), ServiceName::new("cache")).unwrap();
    let here = Scope::Service(folder.clone());
    assert!(here.has(&folder) && !here.has(&elsewhere) && !here.has(&another));
    let anywhere = Scope::Anywhere {
        fleet: "shop".parse().unwrap(),
        environment: "production".parse().unwrap(),
        app: folder.app().clone(),
        service: Some(folder.service().clone()),
    };
    assert!(anywhere.has(&folder) && anywhere.has(&elsewhere) && !anywhere.has(&another));
    let Scope::Anywhere { fleet, environment, app, .. } = anywhere.clone() else { panic!("{anywhere:?}") };
    assert!(Scope::Anywhere { fleet, environment, app, service: None }.has(&another));
    assert_eq!(anywhere.prefix().unwrap().as_str(), "shop/production");
}
