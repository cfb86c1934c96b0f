//! Several destinations, each with its own damage.

use std::sync::Arc;

use super::*;
use crate::backup::{
    BackupId, EnrolmentId,
    layout::Scope,
    memory::{Fault, Memory},
    sample,
};

const PARTS: [&str; 2] = ["database-shop.dump.zst.age", "globals.sql.zst.age"];

fn manifest(id: &str, enrolment: &str) -> Manifest {
    Manifest {
        id: id.parse::<BackupId>().unwrap(),
        enrolment: enrolment.parse::<EnrolmentId>().unwrap(),
        ..sample::manifest()
    }
}

/// A whole copy: the sample's parts are the text `stored`.
fn copy(memory: &Memory, manifest: &Manifest) -> BackupFolder {
    let folder = BackupFolder::of(manifest).unwrap();
    for part in PARTS {
        memory.put(&folder.part(&part.parse().unwrap()).unwrap(), b"stored");
    }
    memory.put(&folder.manifest().unwrap(), &manifest.write().unwrap());
    folder
}

fn here() -> Scope {
    Scope::Service(BackupFolder::of(&sample::manifest()).unwrap().service().clone())
}

async fn look(memories: &[&Arc<Memory>], scope: &Scope) -> Catalog {
    let destination = |memory: &&Arc<Memory>| -> Arc<dyn Destination> { Arc::<Memory>::clone(memory) };
    let destinations: Vec<_> = memories.iter().map(destination).collect();
    super::look(&destinations, scope).await
}

const ONE: &str = "20261120T030000Z-00000001";
const TWO: &str = "20261121T030000Z-00000002";

#[tokio::test]
async fn copies_are_merged_and_each_is_looked_at() {
    let (disk, bucket) = (Memory::new("disk", Fault::Never), Memory::new("bucket", Fault::Never));
    let (one, two) = (manifest(ONE, "e1"), manifest(TWO, "e1"));
    let folder = copy(&disk, &one);
    copy(&bucket, &one);
    copy(&bucket, &two);
    bucket.with(|state| state.objects.remove(&folder.part(&PARTS[1].parse().unwrap()).unwrap()));
    bucket.put(&folder.part(&PARTS[0].parse().unwrap()).unwrap(), b"sto");

    let catalog = look(&[&disk, &bucket], &here()).await;
    let [first, second] = catalog.backups.as_slice() else { panic!("{catalog:?}") };
    assert_eq!((first.folder.id(), second.folder.id()), (one.id, two.id));
    assert_eq!(first.manifest.as_ref(), Some(&one));
    assert!(first.is_complete() && second.is_complete());
    assert_eq!(first.copies.iter().map(|copy| copy.at.as_str()).collect::<Vec<_>>(), ["disk", "bucket"]);
    assert!(first.copies[0].damage.is_empty());
    let [Damage::Size { part, found, .. }, Damage::Missing(missing)] = first.copies[1].damage.as_slice()
    else {
        panic!("{:?}", first.copies[1])
    };
    assert_eq!((part.as_str(), found.get(), missing.as_str()), (PARTS[0], 3, PARTS[1]));
    assert!(first.copies[0].objects[0].as_str().ends_with("/manifest"));
    assert_eq!((second.copies.len(), catalog.orphans.len(), catalog.unseen.len()), (1, 0, 0));
}

#[tokio::test]
async fn a_folder_without_manifest_is_an_orphan() {
    let disk = Memory::new("disk", Fault::Never);
    let folder = copy(&disk, &manifest(ONE, "e1"));
    disk.with(|state| state.objects.remove(&folder.manifest().unwrap()));
    disk.put(&folder.name().unwrap().join("manifest.partial").unwrap(), b"half");
    let catalog = look(&[&disk], &here()).await;
    assert!(catalog.backups.is_empty());
    let [orphan] = catalog.orphans.as_slice() else { panic!("{catalog:?}") };
    assert_eq!((&orphan.folder, orphan.objects.len(), orphan.bytes.get()), (&folder, 3, 16));
    let later = orphan.newest.checked_add(jiff::SignedDuration::from_hours(2)).unwrap();
    assert_eq!(orphan.age(later).as_hours(), 2);
}

#[tokio::test]
async fn manifests_that_lie_are_not_believed() {
    let disk = Memory::new("disk", Fault::Never);
    let (one, two) = (manifest(ONE, "e1"), manifest(TWO, "e1"));
    let folder = copy(&disk, &one);
    let other = copy(&disk, &two);
    disk.put(&folder.manifest().unwrap(), b"tidegate-backup 1 nonsense\n{}\n");
    disk.put(&other.manifest().unwrap(), &one.write().unwrap());
    let catalog = look(&[&disk], &here()).await;
    assert!(matches!(catalog.backups[0].copies[0].damage[..], [Damage::Manifest(_)]));
    assert!(matches!(catalog.backups[1].copies[0].damage[..], [Damage::Elsewhere]));
    assert!(catalog.backups.iter().all(|found| found.manifest.is_none() && !found.is_complete()));
}

#[tokio::test]
async fn a_destination_that_is_down_does_not_hide_the_others() {
    let (disk, down) = (Memory::new("disk", Fault::Never), Memory::new("down", Fault::Down));
    copy(&disk, &manifest(ONE, "e1"));
    let catalog = look(&[&down, &disk], &here()).await;
    assert_eq!((catalog.backups.len(), catalog.unseen.len()), (1, 1));
    assert_eq!(catalog.unseen[0].at, "down");
}

#[tokio::test]
async fn other_droplets_are_found_where_they_are_asked_for() {
    let disk = Memory::new("disk", Fault::Never);
    copy(&disk, &manifest(ONE, "e1"));
    copy(&disk, &manifest(TWO, "e2"));
    disk.put(&ObjectName::new("shop/production/notes.txt").unwrap(), b"hello");
    assert_eq!(look(&[&disk], &here()).await.backups.len(), 1);
    let sample = sample::manifest();
    let anywhere = |service: &str| Scope::Anywhere {
        fleet: sample.fleet.clone(),
        environment: sample.environment.clone(),
        app: sample.app.clone(),
        service: Some(crate::apps::ServiceName::new(service)),
    };
    assert_eq!(look(&[&disk], &anywhere("db")).await.backups.len(), 2);
    assert_eq!(look(&[&disk], &anywhere("cache")).await.backups.len(), 0);
}
