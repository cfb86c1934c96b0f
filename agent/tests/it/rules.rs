//! The rules about the droplet, each driven until a receiver is told that it began and that it ended. What the machine of a test
//! cannot be made to do, such as being out of memory, comes in at the outermost edge: in files as the kernel writes them, and
//! over a real bus from somebody who stands where systemd's services would.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::SignedDuration;
use tempfile::TempDir;
use tidegate_agent::{clock::Clock as _, health::Level, systemd::Systemd};
use tidegate_proto::{
    certificates::Serial,
    grants::{AppScope, Role},
    names::DropletId,
    v1::HealthRequest,
};

use crate::{
    alerts::site::{hook, request},
    docker::{
        health::site::{Around, Site},
        release::fixture,
    },
    renewal::renew,
    support::{
        agent::Droplet,
        bus::Bus,
        fleet::{DROPLET, Fleet, NOW},
        webhook::{Does, Webhook},
    },
};

/// What the kernel tells.
struct Kernel {
    proc: PathBuf,
    ticks: (u64, u64),
}

impl Kernel {
    fn write(&self, file: &str, text: &str) {
        fs_err::write(self.proc.join(file), text).unwrap();
    }

    /// The processors were busy, or idle, for a second more.
    fn cpu(&mut self, busy: u64, idle: u64) {
        self.ticks = (self.ticks.0 + busy, self.ticks.1 + idle);
        let (busy, idle) = self.ticks;
        self.write("stat", &format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3 4\n"));
    }

    fn memory(&self, available: u64) {
        self.write(
            "meminfo",
            &format!("MemTotal:        4000000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n"),
        );
    }

    fn load(&self, load: &str) {
        self.write("loadavg", &format!("{load} 0.10 0.05 1/123 4567\n"));
    }
}

/// A droplet without Docker, whose kernel and systemd say what the test wants.
pub struct Machine {
    pub site: Site,
    kernel: Kernel,
    pub bus: Bus,
    directory: TempDir,
}

impl Machine {
    async fn start() -> Option<Self> {
        Some(Self::on(Bus::start().await?).await)
    }

    /// Whose systemd is on this bus.
    pub async fn on(bus: Bus) -> Self {
        let directory = TempDir::new().unwrap();
        let proc = directory.path().join("proc");
        fs_err::create_dir(&proc).unwrap();
        let mut kernel = Kernel { proc: proc.clone(), ticks: (1000, 1000) };
        kernel.cpu(1, 99);
        kernel.memory(3_000_000);
        kernel.load("0.20");
        let settings = fixture::settings(directory.path(), Path::new("/nonexistent"));
        let engine = fixture::engine_with(Path::new("/nonexistent/docker.sock"), settings);
        let run = directory.path().join("run");
        fs_err::create_dir(&run).unwrap();
        let around = Around { disks: Vec::new(), proc, run, systemd: Systemd::on_bus(bus.address()) };
        let site = Site::around(&engine, directory.path(), around).await;
        Self { site, kernel, bus, directory }
    }

    /// As [`Site::fires`], with processors that go on as they did. The first look finds that they did nothing, which is unknown.
    async fn cpu_fires(&mut self) {
        let is_critical = |item: &serde_json::Value| {
            item["level"] == "critical" && item["why"].as_str().unwrap().starts_with("99 % busy")
        };
        while !self.site.webhook.items("firing", "host.cpu").iter().any(is_critical) {
            self.kernel.cpu(99, 1);
            self.site.look().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn cpu_resolves(&mut self) {
        while self.site.webhook.items("resolved", "host.cpu").is_empty() {
            self.kernel.cpu(1, 99);
            self.site.look().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processors_memory_and_load_are_told() {
    let Some(mut machine) = Machine::start().await else { return };
    machine.cpu_fires().await;
    machine.cpu_resolves().await;
    let Machine { site, kernel, .. } = &machine;
    kernel.memory(100_000);
    kernel.load("99.50");
    let memory = site.fires("host.memory", Level::Critical).await;
    assert_eq!(memory["why"], "98 % used, 97 MiB of 3.8 GiB left");
    let load = site.fires("host.load", Level::Critical).await;
    assert!(load["why"].as_str().unwrap().starts_with("99.50 on "), "{load}");
    kernel.memory(3_000_000);
    kernel.load("0.10");
    site.resolves("host.memory").await;
    site.resolves("host.load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_failed_units_and_a_pending_reboot_are_told() {
    let Some(Machine { site, bus, directory, .. }) = Machine::start().await else { return };
    bus.says(|says| {
        says.behind = 700_000;
        says.failed_units = vec!["nginx.service".to_owned(), "tidegate-health.service".to_owned()];
    });
    fs_err::write(directory.path().join("run/reboot-required"), "").unwrap();
    fs_err::write(directory.path().join("run/reboot-required.pkgs"), "linux-image\n").unwrap();
    let clock = site.fires("host.clock", Level::Warning).await;
    assert_eq!(clock["why"], "synchronised, was off by 700 ms");
    let units = site.fires("host.units", Level::Warning).await;
    // The unit that asks is none that failed: the agent answers it.
    assert_eq!(units["why"], "failed: nginx.service");
    let reboot = site.fires("host.reboot", Level::Warning).await;
    assert_eq!(reboot["why"], "the droplet wants to be started again for linux-image");

    bus.says(|says| (says.behind, says.failed_units) = (3000, Vec::new()));
    fs_err::remove_file(directory.path().join("run/reboot-required")).unwrap();
    for id in ["host.clock", "host.units", "host.reboot"] {
        site.resolves(id).await;
    }
    bus.says(|says| says.is_synchronised = false);
    let told = "is not synchronised with a time server";
    while !site.webhook.items("firing", "host.clock").iter().any(|item| item["why"] == told) {
        site.look().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The alerts' own clock stands still, days before that of health: whoever does not answer is away for long at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_told_to_the_others() {
    let Some(Machine { site, .. }) = Machine::start().await else { return };
    let other = Webhook::start().await;
    other.does(Does::Answer(500, None, "no".to_owned()));
    let both = vec![hook("hook", &site.webhook), hook("other", &other)];
    site.alerts.set(request(both)).await.unwrap();
    // Something to tell: Docker is away.
    site.fires("host.docker", Level::Critical).await;
    let told = site.fires("host.alerts", Level::Warning).await;
    assert!(told["why"].as_str().unwrap().starts_with("not taken by other; other since "), "{told}");
    other.does(Does::Take);
    site.resolves("host.alerts").await;
}

/// The whole agent: its own certificate is a real one, and so is the renewal.
#[tokio::test(flavor = "multi_thread")]
async fn the_agents_certificate_is_told_before_it_ends() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet)
        .await
        .with_settings("[metrics]\nlisten = 'off'\n[health]\nsample = '1s'\nends_after = '1s'\n");
    let agent = droplet.enrolled(&fleet).await;
    let webhook = Webhook::start().await;
    let mut admin = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    admin.set_alerts(request(vec![hook("hook", &webhook)])).await.unwrap();

    let near = NOW.checked_add(Duration::from_hours(24 * 710)).unwrap();
    droplet.set_time(near);
    let next = fleet.next_issuer(near);
    let user = next.issue_at(&next.subject(Role::Admin, AppScope::All), near);
    let clock: std::sync::Arc<dyn tidegate_proto::clock::Clock> = std::sync::Arc::new(move || near);
    let dialer = tidegate_proto::tls::Dialer::agent(&user, next.trust(), clock).unwrap();
    let connection = dialer.connect(agent.address).await.unwrap();
    let mut client = tidegate_proto::v1::agent_client::AgentClient::new(connection.channel());
    let until = async |client: &mut tidegate_proto::v1::agent_client::AgentClient<_>, part: &str| {
        for _ in 0..50 {
            droplet.set_time(droplet.clock.now().checked_add(SignedDuration::from_secs(2)).unwrap());
            client.health(HealthRequest::default()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Some(item) = webhook.items(part, "host.certificate").first() {
                return item.clone();
            }
        }
        panic!("it is not {part}: {:?}", webhook.got());
    };
    let told = until(&mut client, "firing").await;
    assert_eq!(
        (told["level"].as_str(), told["why"].as_str()),
        (Some("warning"), Some("holds for 19 days more"))
    );
    let subject = tidegate_proto::certificates::Subject::Agent(DropletId::new(DROPLET).unwrap());
    let serial = Serial::from_random([5; 16]);
    renew(&mut client, |request| next.issuer.issue(&request, &subject, &serial, near).unwrap())
        .await
        .unwrap();
    until(&mut client, "resolved").await;
    agent.stop().await;
}
