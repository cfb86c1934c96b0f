//! Backups and verifications that do not come when they should, and then do.

use jiff::SignedDuration;
use tidegate_agent::{
    backup_runs::{Cause, Progress},
    health::Level,
};

use super::{
    super::backups::site::{Site as Backups, app},
    site::Site,
};

#[tokio::test(flavor = "multi_thread")]
async fn backups_and_verifications_that_are_late_are_told_until_they_come() {
    let app = app("schedule: hourly, verify: hourly, databases: [shop]");
    let backups = Backups::start_app(&app).await;
    let site = Site::new(&backups.fixture, &[]).await;
    let make = async || site.runs.make(Backups::make(Cause::Manual), Progress::none()).await.unwrap();
    let verify = async || site.runs.verify(Backups::verify(None), Progress::none()).await.unwrap();
    let (backup, verification) = ("app.shop.backup.db", "app.shop.verification.db");

    site.clock.by(SignedDuration::from_hours(3));
    make().await;
    verify().await;
    assert_eq!(site.look().await[backup].0, Level::Good);
    site.clock.by(SignedDuration::ZERO);
    let told = site.fires(backup, Level::Critical).await;
    assert!(told["why"].as_str().unwrap().ends_with("and two were due since"), "{told}");
    site.fires(verification, Level::Critical).await;
    make().await;
    site.resolves(backup).await;
    verify().await;
    site.resolves(verification).await;

    // One that fails is told at once, and that the next one does not.
    let local = backups.fixture.state().join("backups");
    fs_err::rename(&local, local.with_extension("away")).unwrap();
    fs_err::write(&local, "in the way").unwrap();
    site.runs.make(Backups::make(Cause::Manual), Progress::none()).await.unwrap_err();
    let told = site.fires(backup, Level::Warning).await;
    assert!(told["why"].as_str().unwrap().starts_with("the latest failed: "), "{told}");
    fs_err::remove_file(&local).unwrap();
    fs_err::rename(local.with_extension("away"), &local).unwrap();
    make().await;
    let ended = site.webhook.items("resolved", backup).len();
    for _ in 0..60 {
        site.look().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if site.webhook.items("resolved", backup).len() > ended {
            return;
        }
    }
    panic!("nobody was told that it ended: {:?}", site.look().await);
}
