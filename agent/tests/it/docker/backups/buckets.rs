//! Backups that go to a bucket too: what a deploy refuses of it, a bucket that vanishes in the middle of a run, locks, and that
//! its credentials stand in the agent's database alone.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tidegate_agent::{
    backup::{BackupId, destination},
    backup_runs::{BackupRuns, BackupSettings, BackupState, Cause, Patience, Progress, Prune, PruneMode},
    buckets::{BucketName, KnownBucket, LockPeriod, Versioning},
    clock::SystemClock,
    release::{DeployInput, Failure, ReleaseState, Volumes},
};
use tokio::sync::mpsc;

use super::{
    super::release::fixture::{ended, input},
    site::{Site, app, droplet, id_of, name},
    trouble::{cut_off, until},
};
use crate::backup::server::{BUCKET, Cable, REGION, Server};

const TO_BOTH: &str = "databases: [shop], keep: { last: 1 }, to: [local, 'bucket:backups']";
const SECRET: &str = "hunter2hunter2";
const KEY_ID: &str = "AKIDOFTHETEST";

/// A bucket of that server, reached by this address.
fn bucket(address: std::net::SocketAddr) -> KnownBucket {
    KnownBucket {
        name: BucketName::new("backups").unwrap(),
        endpoint: format!("http://{address}"),
        region: REGION.to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: Some("droplets".parse().unwrap()),
        access_key_id: SecretString::from(KEY_ID),
        secret_access_key: SecretString::from(SECRET),
        lock: None,
        versioning: Versioning::Any,
    }
}

fn deploy(bucket: KnownBucket) -> DeployInput {
    DeployInput { buckets: vec![bucket], ..input(&app(TO_BOTH)) }
}

/// Runs that do not wait long for a bucket.
fn impatient(site: &Site) -> BackupRuns {
    let bucket = destination::Patience {
        connect: Duration::from_secs(2),
        write: Duration::from_secs(4),
        silence: Duration::from_secs(4),
        retries: 1,
        budget: Duration::from_secs(2),
    };
    let settings = BackupSettings {
        local: site.local(),
        whose: Arc::new(|| Some(droplet())),
        patience: Patience { bucket, ..Patience::default() },
    };
    BackupRuns::new(site.fixture.engine.clone(), site.database.clone(), Arc::new(SystemClock), settings)
}

async fn refused(site: &Site, bucket: KnownBucket) -> Failure {
    let mut failures = site.fixture.refused_input(deploy(bucket)).await;
    let failure = failures.remove(0);
    assert!(failures.is_empty(), "{failures:?}");
    assert!(!format!("{failure:?}").contains(SECRET), "{failure:?}");
    assert!(failure.place.starts_with("compose.yaml:8:"), "{failure:?}");
    failure
}

/// Objects of backups in the bucket, below the droplet's folder.
async fn objects(server: &Server) -> Vec<String> {
    let listed = server.request("GET", &format!("/{BUCKET}?list-type=2"), "").await;
    let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once('<'));
    keys.map(|(key, _)| key.to_owned()).collect()
}

async fn copies(site: &Site, id: BackupId) -> usize {
    let shown = site.runs.show(&name("shop"), id).await.unwrap();
    assert!(shown.copies.iter().all(|copy| copy.damage.is_empty()), "{shown:?}");
    shown.copies.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_lacks_is_refused_and_what_it_locks_stays() {
    let Some(server) = Server::start().await else { return };
    let mut site = Site::start("databases: [shop]").await;
    site.runs = impatient(&site);
    a_bucket_that_cannot_be_used_is_refused_and_nothing_is_changed(&site, &server).await;
    a_locked_backup_stays_until_its_lock_ends(&site, &server).await;
}

async fn a_bucket_that_cannot_be_used_is_refused_and_nothing_is_changed(site: &Site, server: &Server) {
    let before = (site.fixture.inventory().await, files(site));
    let good = bucket(server.address);

    let unknown = site.fixture.refused(&app(TO_BOTH)).await.remove(0);
    assert!(unknown.cause.contains("nothing is known of it on this droplet"), "{unknown:?}");
    let missing = refused(site, KnownBucket { bucket: "no-such-bucket".to_owned(), ..good.clone() }).await;
    assert!(missing.cause.contains("there is no such bucket: bucket no-such-bucket at http"), "{missing:?}");
    let lock = LockPeriod::new(Duration::from_hours(24)).unwrap();
    let unlocked = refused(site, KnownBucket { lock: Some(lock), ..good.clone() }).await;
    assert_eq!(unlocked.cause, "`lock` is set, and the bucket has no object lock");
    assert!(unlocked.hint.contains("a second copy pulled by an identity"), "{unlocked:?}");
    let unversioned = refused(site, KnownBucket { versioning: Versioning::Required, ..good.clone() }).await;
    assert!(unversioned.cause.ends_with("the bucket has no versioning"), "{unversioned:?}");
    let plain = refused(site, KnownBucket { endpoint: "http://192.0.2.1".to_owned(), ..good.clone() }).await;
    assert!(plain.cause.contains("`https://<host>[:<port>]`"), "{plain:?}");
    let closed = refused(site, bucket("127.0.0.1:1".parse().unwrap())).await;
    assert!(closed.cause.contains("cannot be reached"), "{closed:?}");
    let (id, secret) = server.asks_for_keys().await;
    let wrong = refused(site, good.clone()).await;
    assert!(wrong.cause.contains("does not accept the credentials"), "{wrong:?}");
    let (access_key_id, secret_access_key) = (SecretString::from(id), SecretString::from(secret));
    let powerless = refused(site, KnownBucket { access_key_id, secret_access_key, ..good }).await;
    assert!(powerless.cause.contains("forbids it"), "{powerless:?}");
    server.asks_nobody().await;

    assert_eq!((site.fixture.inventory().await, files(site)), before);
    assert!(site.fixture.engine.buckets().of(&name("shop")).await.unwrap().is_empty());
    assert_eq!(site.fixture.engine.releases(&name("shop")).await.unwrap().len(), 1);
    assert!(objects(server).await.is_empty(), "a look leaves nothing: {:?}", objects(server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_go_to_a_bucket_and_come_back_from_it() {
    let Some(server) = Server::start().await else { return };
    let mut cable = Cable::to(server.address).await;
    let mut site = Site::start("databases: [shop]").await;
    site.runs = impatient(&site);
    let events = site.fixture.release_input(deploy(bucket(cable.address))).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    assert!(!format!("{events:?}").contains(SECRET));

    let first = site.make_one(Cause::Manual).await;
    let row = site.row(first).await;
    assert_eq!((row.copies.len(), row.failure.as_ref()), (2, None), "{row:?}");
    assert!(row.copies[1].starts_with("bucket backups at http://127.0.0.1"), "{row:?}");
    assert_eq!((copies(&site, first).await, objects(&server).await.len()), (2, 3));

    // From the bucket alone.
    fs_err::remove_dir_all(site.local()).unwrap();
    let (sender, mut lines) = mpsc::channel(100);
    let verified = site.runs.verify(Site::verify(None), Progress::to(sender)).await.unwrap();
    assert_eq!((verified.id, verified.state), (first, BackupState::Verified));
    until(&mut lines, &format!("restoring backup {first} from bucket backups at")).await;

    // It vanishes in the middle of a run.
    let (sender, mut lines) = mpsc::channel(100);
    let runs = site.runs.clone();
    let task = tokio::spawn(async move { runs.make(Site::make(Cause::Manual), Progress::to(sender)).await });
    until(&mut lines, "database shop: 3 tables").await;
    cable.cut();
    let second = task.await.unwrap().unwrap();
    assert_eq!((second.state, second.copies.len()), (BackupState::Stored, 1), "{second:?}");
    assert!(second.copies[0].starts_with("directory "), "{second:?}");
    let failure = second.failure.clone().unwrap();
    assert!(
        failure.what == "the backup is not at all of its destinations" && failure.cause.contains("bucket"),
        "{failure:?}"
    );
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    assert_eq!((listing.backups.len(), listing.unseen.len()), (2, 1), "{listing:?}");

    // It is there again: the next run goes on by itself.
    cable.mend().await;
    let third = site.make_one(Cause::Manual).await;
    assert_eq!((copies(&site, third).await, site.row(third).await.failure), (2, None));

    // An agent that dies leaves half of a backup at both: neither is one, and both go.
    let before = objects(&server).await;
    cut_off(&site, "database shop: 3 tables").await;
    site.has_no_sessions().await;
    let cut = site.ids().await[0];
    assert_eq!(site.row(cut).await.state, BackupState::Running);
    site.runs.recover().await.unwrap();
    assert_eq!(site.row(cut).await.state, BackupState::Failed);
    let left: Vec<String> =
        objects(&server).await.into_iter().filter(|key| key.contains(&cut.to_string())).collect();
    assert!(left.is_empty(), "{left:?}, before: {before:?}");

    // The second one goes; the first is the newest verified one, and stays.
    let prune = |mode| Prune { app: name("shop"), service: None, mode };
    let pruned = site.runs.prune(prune(PruneMode::Delete)).await.unwrap().remove(0);
    assert_eq!(
        (pruned.deleted.backups.clone(), pruned.deleted.failures.len()),
        (vec![second.id], 0),
        "{pruned:?}"
    );
    assert_eq!((copies(&site, first).await, copies(&site, third).await), (1, 2));

    secrets_stand_in_the_database_alone(&site, &server).await;
}

async fn a_locked_backup_stays_until_its_lock_ends(site: &Site, server: &Server) {
    server.takes_locks().await;
    let lock = Some(LockPeriod::new(Duration::from_hours(24)).unwrap());
    let locked = KnownBucket { lock, versioning: Versioning::Required, ..bucket(server.address) };
    assert_eq!(ended(&site.fixture.release_input(deploy(locked)).await), ReleaseState::Released);
    let first = site.make_one(Cause::Manual).await;
    let second = site.make_one(Cause::Manual).await;
    let prune = |mode| Prune { app: name("shop"), service: None, mode };
    let shown = site.runs.prune(prune(PruneMode::Show)).await.unwrap().remove(0);
    assert_eq!(shown.goes.iter().map(id_of).collect::<Vec<_>>(), [first]);
    assert!(shown.goes[0].1.contains("its copy stays where it is locked until 20"), "{shown:?}");

    let pruned = site.runs.prune(prune(PruneMode::Delete)).await.unwrap().remove(0);
    assert_eq!((pruned.deleted.backups.len(), pruned.deleted.failures.len()), (0, 0), "{pruned:?}");
    assert_eq!((copies(site, first).await, copies(site, second).await), (1, 2));
    // Now it is only there where it is locked: it stays, and nothing is left to do.
    let again = site.runs.prune(prune(PruneMode::Delete)).await.unwrap().remove(0);
    assert!(again.goes.is_empty() && again.stays[1].1[0].starts_with("locked until 20"), "{again:?}");
    assert_eq!(copies(site, first).await, 1);
}

/// All files below the state directory but those of backups and of the databases.
fn files(site: &Site) -> Vec<std::path::PathBuf> {
    let mut open = vec![site.fixture.state()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_database = path.file_name().unwrap().to_string_lossy().contains(".db");
            if path.is_symlink() || is_database || path == site.local() {
                continue;
            }
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

async fn secrets_stand_in_the_database_alone(site: &Site, server: &Server) {
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for file in files(site) {
        let bytes = fs_err::read(&file).unwrap();
        assert!(!holds(&bytes, SECRET) && !holds(&bytes, KEY_ID), "{}", file.display());
    }
    let engine = &site.fixture.engine;
    let kept = engine.buckets().of(&name("shop")).await.unwrap();
    assert_eq!((kept.len(), format!("{kept:?}").contains(SECRET)), (1, false));
    let database = site.fixture.state().join("agent.db");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&database).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // They go with the app; what lies in the bucket stays, and the droplet says that it cannot see it any more.
    let stored = objects(server).await;
    let removed = engine.remove(&name("shop"), Volumes::Keep, "test").await.unwrap();
    assert!(removed.contains(&"access to the bucket backups, where backups stay".to_owned()), "{removed:?}");
    assert!(engine.buckets().of(&name("shop")).await.unwrap().is_empty());
    assert_eq!(objects(server).await, stored);
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    let unseen: Vec<&str> = listing.unseen.iter().map(|unseen| unseen.at.as_str()).collect();
    assert!(unseen.len() == 1 && unseen[0].starts_with("bucket backups at"), "{listing:?}");
}
