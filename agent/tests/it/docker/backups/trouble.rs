//! What is refused beforehand, and what is left where a run breaks off: no manifest, no parts, a row that says why, and a next
//! run that works.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bollard::{
    exec::{CreateExecOptions, StartExecResults},
    query_parameters::StopContainerOptionsBuilder,
};
use futures::StreamExt as _;
use tidegate_agent::{
    backup_runs::{
        BackupError, BackupRuns, BackupSettings, BackupState, Cause, Make, Patience, Progress, Prune,
        PruneMode, Verify,
    },
    clock::SystemClock,
    postgres::DatabaseName,
    release::ReleaseState,
};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

use super::super::release::fixture::ended;
use super::site::{Site, app, name, runs, service};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_beforehand_is_refused() {
    let site = Site::start("databases: [shop]").await;
    let refused = async |wanted: Make| site.runs.make(wanted, Progress::none()).await.unwrap_err();
    let unknown = refused(Make { app: name("stop"), ..Site::make(Cause::Manual) }).await;
    assert!(matches!(unknown, BackupError::Release { .. }), "{unknown:?}");
    let unasked = refused(Make { service: Some(service("web")), ..Site::make(Cause::Manual) }).await;
    assert_eq!(unasked.hint(), "these do: db");
    let whose = Arc::new(|| None);
    let settings = BackupSettings { local: site.local(), whose, patience: Patience::default() };
    let (engine, clock) = (site.fixture.engine.clone(), Arc::new(SystemClock));
    let nobodys = BackupRuns::new(engine, site.database.clone(), clock, settings);
    let error = nobodys.make(Site::make(Cause::Manual), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEnrolled), "{error:?}");
    let error = site.runs.verify(Site::verify(None), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::NothingToVerify { .. }), "{error:?}");
    let id = "20261122T030000Z-4f2a91c0".parse().unwrap();
    let error = site.runs.show(&name("shop"), id).await.unwrap_err();
    assert!(matches!(error, BackupError::NoBackup { .. }), "{error:?}");

    // Too little room: the sizes are told. Nothing was begun.
    let small = Disk::mounted(site.fixture.state().join("small"), 32);
    let tight = runs(&site.fixture, &site.database, small.path().join("backups"));
    let error = tight.make(Site::make(Cause::Manual), Progress::none()).await.unwrap_err();
    let BackupError::Space { needed, free, .. } = &error else { panic!("{error:?}") };
    assert!(needed.get() > 64 * 1024 * 1024 && free.get() <= 32 * 1024 * 1024, "{error}");

    let missing = app("databases: [shop, stock]");
    assert_eq!(ended(&site.fixture.release(&missing).await), ReleaseState::Released);
    let error = refused(Site::make(Cause::Manual)).await;
    assert!(
        matches!(&error, BackupError::MissingDatabase { missing, .. } if *missing == ["stock"]),
        "{error:?}"
    );
    let login = app("user: nobody");
    assert_eq!(ended(&site.fixture.release(&login).await), ReleaseState::Released);
    let failure = refused(Site::make(Cause::Manual)).await.failure();
    assert!(failure.cause.contains(r#"role "nobody" does not exist"#), "{failure:?}");
    assert!(failure.hint.contains("`user`"), "{failure:?}");
    let prune = Prune { app: name("shop"), service: Some(service("web")), mode: PruneMode::Show };
    assert!(matches!(site.runs.prune(prune).await, Err(BackupError::NotAsked { .. })));
    let options = StopContainerOptionsBuilder::default().t(0).build();
    site.fixture.docker.client().stop_container("shop-db-1", Some(options)).await.unwrap();
    let error = refused(Site::make(Cause::Manual)).await;
    assert!(error.to_string().ends_with("does not run (shop-db-1 is exited)"), "{error}");
    assert!(site.ids().await.is_empty() && site.files().is_empty(), "no row and no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_nothing_but_the_row() {
    let site = Site::start("databases: [shop]").await;
    let disk = Disk::mounted(site.fixture.state().join("disk"), 70);
    let runs = runs(&site.fixture, &site.database, disk.path().join("backups"));
    let small = runs.make(Site::make(Cause::Manual), Progress::none()).await.unwrap();
    // What the last one took lets expect little; what comes does not compress.
    let noise =
        "CREATE TABLE noise AS SELECT (SELECT string_agg(decode(md5(random()::text || n || m), 'hex'), '')
                 FROM generate_series(1, 65536) m) AS bytes FROM generate_series(1, 80) n";
    site.sql("shop", noise).await;
    let error = runs.make(Site::make(Cause::Manual), Progress::none()).await.unwrap_err();
    assert!(error.failure().cause.contains("is full"), "{:?}", error.failure());
    let listing = runs.list(&name("shop"), None).await.unwrap();
    let states: Vec<_> = listing.backups.iter().map(|listed| listed.row.state).collect();
    assert_eq!(states, [BackupState::Failed, BackupState::Stored]);
    assert_eq!(listing.backups[0].row.failure.as_ref(), Some(&error.failure()));
    assert!(listing.backups[0].copies.is_empty() && listing.orphans.is_empty(), "{listing:?}");
    // The good one is as good as it was, and there is room again.
    let verify = Verify { id: Some(small.id), ..Site::verify(None) };
    assert_eq!(runs.verify(verify, Progress::none()).await.unwrap().state, BackupState::Verified);
    site.sql("shop", "DROP TABLE noise").await;
    assert_eq!(
        runs.make(Site::make(Cause::Manual), Progress::none()).await.unwrap().state,
        BackupState::Stored
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_in_mid_run_leaves_no_backup() {
    let site = Site::start("databases: [shop, postgres]").await;
    cut_off(&site, "database shop: 3 tables").await;
    site.has_no_sessions().await;
    assert!(site.files().iter().any(|file| file.ends_with("database-1.dump.zst.age")), "{:?}", site.files());
    let cut = site.ids().await[0];
    assert_eq!(site.row(cut).await.state, BackupState::Running);
    assert_eq!(site.runs.recover().await.unwrap(), 1);
    let row = site.row(cut).await;
    assert_eq!(
        (row.state, row.failure.unwrap().what.as_str()),
        (BackupState::Failed, "the backup run was cut off")
    );
    assert!(site.files().is_empty(), "{:?}", site.files());
    assert_eq!(site.runs.recover().await.unwrap(), 0);

    // Without a recovery the next run does the same, and works.
    cut_off(&site, "database shop: 3 tables").await;
    let made = site.make_one(Cause::Manual).await;
    let states: Vec<_> = site.runs.list(&name("shop"), None).await.unwrap().backups;
    let states: Vec<_> = states.into_iter().map(|listed| listed.row.state).collect();
    assert_eq!(states, [BackupState::Stored, BackupState::Failed, BackupState::Failed]);

    // It died between the manifest and the row: the backup is whole, and its key is still there.
    let again =
        site.database.write(|t| t.execute("UPDATE backup SET state = 'running' WHERE state = 'stored'", ()));
    assert_eq!(again.await.unwrap(), 1);
    assert_eq!(site.runs.recover().await.unwrap(), 1);
    assert_eq!(site.row(made).await.state, BackupState::Stored);

    // It died in mid trial: the scratch server goes, and the backup can be verified.
    let (sender, mut lines) = mpsc::channel(100);
    let runs = site.runs.clone();
    let task = tokio::spawn(async move { runs.verify(Site::verify(None), Progress::to(sender)).await });
    until(&mut lines, "database shop: 3 tables").await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    site.runs.recover().await.unwrap();
    let begun = std::time::Instant::now();
    while !site.scratches().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", site.scratches().await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let verified = site.runs.verify(Site::verify(None), Progress::none()).await.unwrap();
    assert_eq!((verified.id, verified.state), (made, BackupState::Verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_ended() {
    let site = Site::start("databases: [shop], timeout: 4s").await;
    let postgres = site.postgres().await;
    let lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)";
    let shop = DatabaseName("shop".to_owned());
    let locked = tokio::spawn(async move { postgres.value(&shop, (lock, Duration::from_hours(1))).await });
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted";
    while site.sql("shop", held).await == "0" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let error = site.runs.make(Site::make(Cause::Manual), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::Timeout { .. }), "{error:?}");
    assert!(error.hint().contains("`timeout`"), "{}", error.hint());
    // The server does not count on for nobody, although the lock is still held.
    let begun = std::time::Instant::now();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while site.sql("shop", waiting).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(20), "a session of the run is left");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(site.sql("shop", held).await, "1");
    locked.abort();
    let unlock = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    site.sql("shop", unlock).await;
    site.has_no_sessions().await;
    let row = site.row(site.ids().await[0]).await;
    assert_eq!((row.state, row.failure), (BackupState::Failed, Some(error.failure())));
    assert!(site.files().is_empty(), "{:?}", site.files());
    assert_eq!(ended(&site.fixture.release(&app("databases: [shop]")).await), ReleaseState::Released);
    assert_eq!(site.row(site.make_one(Cause::Manual).await).await.state, BackupState::Stored);
}

/// A snapshot that nobody closes would keep the server from cleaning up its tables. A killed agent closes nothing but its
/// connections to Docker.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agents_sessions_end() {
    let site = Site::start("databases: [shop]").await;
    let client = site.fixture.docker.client();
    let options = CreateExecOptions {
        cmd: Some(vec!["psql", "-X", "-U", "postgres", "shop"]),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec("shop-db-1", options).await.unwrap().id;
    let StartExecResults::Attached { mut output, mut input } = client.start_exec(&exec, None).await.unwrap()
    else {
        panic!("it is attached")
    };
    input.write_all(b"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot();\n").await.unwrap();
    while let Some(Ok(chunk)) = output.next().await {
        if chunk.to_string().contains("(1 row)") {
            break;
        }
    }
    drop((input, output));
    site.has_no_sessions().await;
}

/// Ends a run at this line.
pub(super) async fn cut_off(site: &Site, line: &str) {
    let (sender, mut lines) = mpsc::channel(100);
    let runs = site.runs.clone();
    let task = tokio::spawn(async move { runs.make(Site::make(Cause::Manual), Progress::to(sender)).await });
    until(&mut lines, line).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

pub(super) async fn until(lines: &mut mpsc::Receiver<String>, wanted: &str) {
    loop {
        let line = tokio::time::timeout(Duration::from_mins(2), lines.recv()).await.unwrap();
        let line = line.expect("the run ended before");
        println!("{line}");
        if line.starts_with(wanted) {
            return;
        }
    }
}

/// A small disk.
struct Disk(PathBuf);

impl Disk {
    fn mounted(path: PathBuf, mebibytes: u32) -> Self {
        fs_err::create_dir_all(&path).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "the Docker tests need root");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}
