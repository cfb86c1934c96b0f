//! What services answered at the ingress since the look before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answers, Seen, within};
use crate::{
    apps::{AppName, ServiceName},
    ingress::{Ingress, Mark, ResponseCounts},
};

/// What was counted so far. It changes at once with how far the log was read: a look that is given up counts nothing.
#[derive(Debug, Default)]
pub(super) struct Counted {
    mark: Option<Mark>,
    ever: BTreeMap<AppName, BTreeMap<ServiceName, ResponseCounts>>,
}

impl Counted {
    /// Since the agent started, of an app's services that have a route.
    pub(super) fn ever(&self, app: &AppName) -> BTreeMap<ServiceName, ResponseCounts> {
        self.ever.get(app).cloned().unwrap_or_default()
    }

    /// What has no route any more is forgotten, and what has one begins with nothing.
    fn keep(&mut self, routed: &BTreeMap<AppName, BTreeSet<ServiceName>>) {
        self.ever.retain(|app, _| routed.contains_key(app));
        for (app, services) in routed {
            let own = self.ever.entry(app.clone()).or_default();
            own.retain(|service, _| services.contains(service));
            for service in services {
                own.entry(service.clone()).or_default();
            }
        }
    }

    fn add(&mut self, (app, service): (&AppName, &ServiceName), counts: ResponseCounts) {
        let own = self.ever.get_mut(app).and_then(|services| services.get_mut(service));
        if let Some(ever) = own {
            ever.total = ever.total.saturating_add(counts.total);
            ever.server_errors = ever.server_errors.saturating_add(counts.server_errors);
        }
    }
}

/// By app.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// Services that have a route.
    pub(super) routed: BTreeMap<AppName, BTreeSet<ServiceName>>,
    /// What they answered; a service without requests has no entry.
    pub(super) answers: BTreeMap<AppName, BTreeMap<ServiceName, Answers>>,
}

/// Counts, and leaves the mark for the next look. Before the first one nothing is counted.
pub(super) async fn look(ingress: &Ingress, counted: &mut Counted) -> Seen<Answered> {
    let routes = within(ingress.routes()).await?;
    let mut seen = Answered::default();
    for (app, served) in routes {
        let services = served.routes.into_iter().map(|route| route.service).collect();
        seen.routed.insert(app, services);
    }
    counted.keep(&seen.routed);
    let Some(from) = counted.mark else {
        counted.mark = Some(ingress.mark().map_err(|error| super::unseen(&error))?);
        return Ok(seen);
    };
    let (answered, read) = within(ingress.answers(&from)).await?;
    counted.mark = Some(read);
    for ((app, service), answered) in answered {
        counted.add((&app, &service), answered.counts);
        let answers = Answers {
            total: answered.counts.total,
            server_errors: answered.counts.server_errors,
            p95: answered.p95,
        };
        seen.answers.entry(app).or_default().insert(service, answers);
    }
    Ok(seen)
}
