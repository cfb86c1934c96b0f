//! Backups and verifications that do not come when they should, and then do.

use jiff::SignedDuration;
use tidegate_agent::{
    backup_runs::{Cause, Progress},
    health::Level,
};

use tokio_util::sync::CancellationToken;

use super::{
    super::{
        backups::site::{Site as Backups, app},
        metrics::served,
    },
    site::Site,
};
use crate::support::prometheus::{Programs, Prometheus, all_answer};

#[tokio::test(flavor = "multi_thread")]
async fn backups_and_verifications_that_are_late_are_told_until_they_come() {
    let app = app("schedule: hourly, verify: hourly, databases: [shop]");
    let backups = Backups::start_app(&app).await;
    let site = Site::new(&backups.fixture, &[]).await;
    let make = async || site.runs.make(Backups::make(Cause::Manual), Progress::none()).await.unwrap();
    let (backup, verification) = ("app.shop.backup.db", "app.shop.verification.db");

    site.clock.by(SignedDuration::from_hours(3));
    make().await;
    assert_eq!(site.look().await[backup].0, Level::Good);
    site.clock.by(SignedDuration::ZERO);
    let told = site.fires(backup, Level::Critical).await;
    assert!(told["why"].as_str().unwrap().ends_with("and two were due since"), "{told}");
    let told = site.fires(verification, Level::Critical).await;
    assert!(told["why"].as_str().unwrap().starts_with("there was no good one yet"), "{told}");
    let newest = make().await;
    site.resolves(backup).await;

    // One that is damaged is none.
    let damaged = backups.file(newest.id, "database-1.dump.zst.age");
    let mut bytes = fs_err::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&damaged, bytes).unwrap();
    site.runs.verify(Backups::verify(None), Progress::none()).await.unwrap_err();
    let (level, why) = site.look().await.remove(verification).unwrap();
    assert!(level == Level::Critical && why.starts_with("the latest failed: "), "{why}");
    make().await;
    site.runs.verify(Backups::verify(None), Progress::none()).await.unwrap();
    site.resolves(verification).await;
    a_prometheus_answers_what_is_asked_of_backups(&site).await;
}

async fn a_prometheus_answers_what_is_asked_of_backups(site: &Site) {
    let Some(programs) = Programs::named() else { return };
    let stop = CancellationToken::new();
    let prometheus = Prometheus::start(&programs, served(site, &stop).await);
    tokio::task::block_in_place(|| {
        prometheus.until("tidegate_backup_verify_duration_seconds");
        all_answer(&prometheus, &["backups"], &[]);
        for so in [
            r#"tidegate_backup_interval_seconds{app="shop",service="db"} == 3600"#,
            r#"tidegate_backup_data_bytes{app="shop"} > tidegate_backup_stored_bytes{app="shop"}"#,
            r#"time() - tidegate_backup_verified_timestamp_seconds{app="shop"} < 120"#,
            r#"tidegate_backup_failed{app="shop",service="db"} == 0"#,
        ] {
            let told = prometheus.query(so);
            assert!(told.as_ref().is_ok_and(|told| !told.is_empty()), "{so}: {told:?}");
        }
    });
    stop.cancel();
}
