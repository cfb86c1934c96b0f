//! Units of a real systemd that fail. It needs no Docker, but root.

use tidegate_agent::health::Level;

use crate::{rules::Machine, support::bus::Bus};

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_failed_is_told_until_it_is_forgotten() {
    let Some(bus) = Bus::with_systemd().await else { return };
    let Machine { site, bus, .. } = Machine::on(bus).await;
    assert_eq!(site.look().await["host.units"], (Level::Good, "none failed".to_owned()));
    assert!(bus.systemd(&["systemd-run", "--user", "--unit=broken", "--", "false"]));
    let told = site.fires("host.units", Level::Warning).await;
    assert_eq!(told["why"], "failed: broken.service");
    assert!(bus.systemd(&["systemctl", "--user", "reset-failed", "broken.service"]));
    site.resolves("host.units").await;
}
