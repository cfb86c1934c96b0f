//! A whole backup: sealed to a disk and a bucket at once, found in both, opened from either, deleted.

use std::sync::Arc;

use futures::future::try_join_all;
use rand::Rng as _;
use tidegate_agent::{
    apps::{AppName, ServiceName},
    backup::{
        BackupId, Manifest, Part,
        catalog::{self, Found},
        destination::{Destination, LocalDirectory, Put},
        layout::{BackupFolder, Scope},
        manifest::{Content, Engine, EngineKind},
        pipe::{self, Level, Limits, Sealing, Target},
        seal::{OneTimeKey, OpenKey, Recipients},
    },
};
use tokio::io::AsyncReadExt as _;

use super::server::Server;

const PART: &str = "database-shop.dump.zst.age";

fn manifest(id: BackupId) -> Manifest {
    Manifest {
        id,
        taken_at: id.time(),
        finished_at: id.time(),
        fleet: "shop".parse().unwrap(),
        environment: "production".parse().unwrap(),
        droplet: "7".parse().unwrap(),
        enrolment: "e1".parse().unwrap(),
        app: AppName::new("shop").unwrap(),
        service: ServiceName::new("db"),
        release: None,
        migration: None,
        engine: Engine {
            kind: EngineKind::PostgreSql,
            server_version: "17.2".to_owned(),
            tool_version: "pg_dump 17.2".to_owned(),
            image: "postgres:17".to_owned(),
            image_id: "sha256:1".to_owned(),
        },
        parts: Vec::new(),
        recipients: Vec::new(),
    }
}

async fn delete(found: &Found, destinations: &[Arc<dyn Destination>]) {
    for copy in &found.copies {
        let destination = destinations.iter().find(|destination| destination.title() == copy.at).unwrap();
        for object in &copy.objects {
            destination.delete(object).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_to_two_destinations_and_comes_back_from_either() {
    let Some(server) = Server::start().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let local = LocalDirectory::open(&directory.path().join("backups")).unwrap();
    let destinations: [Arc<dyn Destination>; 2] = [Arc::new(local), Arc::new(server.bucket())];
    let user = OneTimeKey::generate();
    let public = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let sealing = Sealing {
        recipients: Recipients::parse([public]).unwrap(),
        key: user,
        level: Level::default(),
        limits: Limits::default(),
    };
    let mut manifest = manifest("20261122T030000Z-4f2a91c0".parse().unwrap());
    let folder = BackupFolder::of(&manifest).unwrap();
    let name = folder.part(&PART.parse().unwrap()).unwrap();
    let target = |destination: &Arc<dyn Destination>| Target {
        destination: Arc::clone(destination),
        name: name.clone(),
    };
    // Random, so that it stays as large and needs several parts.
    let mut data = vec![0; 7_000_000];
    rand::rng().fill_bytes(&mut data);
    let sealed =
        pipe::seal(data.as_slice(), &sealing, destinations.iter().map(target).collect()).await.unwrap();
    assert!(sealed.outcomes.iter().all(|outcome| outcome.stored.is_ok()), "{sealed:?}");

    let scope = Scope::Service(folder.service().clone());
    let half = catalog::look(&destinations, &scope).await;
    assert_eq!((half.backups.len(), half.orphans.len(), half.unseen.len()), (0, 2, 0));

    manifest.recipients = sealing.recipients.texts();
    manifest.parts.push(Part {
        name: PART.parse().unwrap(),
        content: Content::PostgresDump { database: "shop".to_owned() },
        plain: sealed.plain,
        stored: sealed.stored,
        header: sealed.header,
        tables: Vec::new(),
    });
    let (object, bytes) = (folder.manifest().unwrap(), bytes::Bytes::from(manifest.write().unwrap()));
    let puts = destinations.iter().map(|destination| destination.put_if_absent(&object, bytes.clone()));
    assert_eq!(try_join_all(puts).await.unwrap(), [Put::Done, Put::Done]);

    let whole = catalog::look(&destinations, &scope).await;
    let [found] = whole.backups.as_slice() else { panic!("{whole:?}") };
    assert!(found.is_complete() && found.copies.len() == 2 && whole.orphans.is_empty(), "{found:?}");
    let part = &found.manifest.as_ref().unwrap().parts[0];
    for destination in &destinations {
        let key = OpenKey::OneTime(OneTimeKey::parse(&sealing.key.secret()).unwrap());
        let pieces = destination.read(&name).await.unwrap();
        let mut opened = Vec::new();
        pipe::open(part.clone(), key, pieces, Limits::default()).read_to_end(&mut opened).await.unwrap();
        assert!(opened == data, "{}", destination.title());
    }

    delete(found, &destinations).await;
    let empty = catalog::look(&destinations, &scope).await;
    assert!(empty.backups.is_empty() && empty.orphans.is_empty() && empty.unseen.is_empty(), "{empty:?}");
    assert_eq!(fs_err::read_dir(directory.path().join("backups")).unwrap().count(), 0);
}
