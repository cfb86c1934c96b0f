//! `/metrics`: what the agent knows in figures, for whoever collects them.
//!
//! Owns the names, the text and the door. A request is answered from the newest look of health, whose age is among the figures,
//! with what is had for nothing besides: what the agent and its containers take, from the kernel, and how alerts fare, from the
//! agent's database. Nothing here asks Docker or systemd, so that a collector may ask as often as it likes. Must not look by itself.
//!
//! What is shown is read by whoever reaches the address, so it has no words of others: no messages, no reasons, no paths but where
//! disks are mounted. Labels are names of apps, services, containers, hosts and receivers, and ids of checks.

mod apps;
mod cgroups;
mod door;
mod host;
mod own;
mod process;
mod text;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tidegate_proto::identity::TrustDomain;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

pub use self::{
    cgroups::Usage,
    door::{bind, serve},
    process::Process,
    text::{Exposition, Family, Format, Kind},
};
use crate::{
    alerts::{self, Alerts},
    health::{Figures, Health},
};

/// What is not told by then is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which droplet this is; none while the agent is not enrolled.
pub type Droplet = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What is shown. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// The newest look.
    pub health: Health,
    /// How alerts fare.
    pub alerts: Alerts,
    /// Fleet and environment.
    pub domain: TrustDomain,
    /// The droplet's id.
    pub droplet: Droplet,
    /// When the agent started.
    pub started: Timestamp,
    /// `/sys/fs/cgroup`
    pub cgroups: PathBuf,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Everything that one answer is made of.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The agent's version, fleet, environment and droplet, as labels.
    pub info: [(&'static str, String); 4],
    /// Whether it is enrolled.
    pub is_enrolled: bool,
    /// When it started.
    pub started: Timestamp,
    /// What it takes.
    pub process: Process,
    /// The newest look; none before the first one.
    pub figures: Option<Arc<Figures>>,
    /// For its age.
    pub now: Instant,
    /// How alerts fare; none where that could not be read in time.
    pub alerts: Option<alerts::State>,
    /// What containers take, by id.
    pub usage: BTreeMap<String, Usage>,
}

impl Metrics {
    /// The answer to a request.
    pub async fn text(&self, format: Format) -> String {
        write(&self.facts().await, format)
    }

    async fn facts(&self) -> Facts {
        let figures = self.health.figures();
        let (alerts, (process, usage)) = tokio::join!(self.alerts(), self.measure(figures.as_deref()));
        let droplet = (self.droplet)();
        Facts {
            is_enrolled: droplet.is_some(),
            info: [
                ("version", crate::trust::AGENT_VERSION.to_owned()),
                ("fleet", self.domain.fleet.to_string()),
                ("environment", self.domain.environment.to_string()),
                ("droplet", droplet.unwrap_or_default()),
            ],
            started: self.started,
            process,
            figures,
            now: Instant::now(),
            alerts,
            usage,
        }
    }

    async fn alerts(&self) -> Option<alerts::State> {
        timeout(PATIENCE, self.alerts.state()).await.ok()?.ok()
    }

    async fn measure(&self, figures: Option<&Figures>) -> (Process, BTreeMap<String, Usage>) {
        let ids = figures.map(apps::running).unwrap_or_default();
        let root = self.cgroups.clone();
        let measure = spawn_blocking(move || (process::look(), cgroups::look(&root, &ids)));
        match timeout(PATIENCE, measure).await {
            Ok(Ok(measured)) => measured,
            Ok(Err(_)) | Err(_) => (Process::default(), BTreeMap::new()),
        }
    }
}

/// All families, the droplet's before those of apps: where a text becomes too long, the end is left out.
pub fn write(facts: &Facts, format: Format) -> String {
    let mut to = Exposition::new(format);
    own::write(facts, &mut to);
    if let Some(figures) = &facts.figures {
        host::write(&figures.host, &mut to);
        apps::write((figures, &facts.usage), &mut to);
    }
    to.end()
}

/// Seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    std::time::SystemTime::from(at)
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests;
