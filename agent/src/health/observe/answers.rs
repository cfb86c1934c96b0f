//! What services answered at the ingress since the look before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answers, Seen, within};
use crate::{
    apps::{AppName, ServiceName},
    ingress::{Ingress, Mark},
};

/// By app.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// Services that have a route.
    pub(super) routed: BTreeMap<AppName, BTreeSet<ServiceName>>,
    /// What they answered; a service without requests has no entry.
    pub(super) answers: BTreeMap<AppName, BTreeMap<ServiceName, Answers>>,
}

/// Counts, and leaves the mark for the next look. Before the first one nothing is counted.
pub(super) async fn look(ingress: &Ingress, before: &mut Option<Mark>) -> Seen<Answered> {
    let routes = within(ingress.routes()).await?;
    let mut seen = Answered::default();
    for (app, served) in routes {
        let services = served.routes.into_iter().map(|route| route.service).collect();
        seen.routed.insert(app, services);
    }
    // Taken before the count: what is answered meanwhile counts the next time too rather than never.
    let mark = ingress.mark().map_err(|error| super::unseen(&error))?;
    let Some(before) = before.replace(mark) else { return Ok(seen) };
    for ((app, service), answered) in within(ingress.answers(&before)).await? {
        let answers = Answers {
            total: answered.counts.total,
            server_errors: answered.counts.server_errors,
            p95: answered.p95,
        };
        seen.answers.entry(app).or_default().insert(service, answers);
    }
    Ok(seen)
}
