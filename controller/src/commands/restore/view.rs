//! A restore as commands print it: for programs as JSON, for people in words.

use serde::Serialize;
use tidegate_proto::v1::{RestorePlan, RestoreState, RestoreSummary, RestoredKind};

use crate::{
    clock::human,
    commands::backup::origin::OriginView,
    output::size,
    release::{
        follow::FailureView,
        times::{duration, timestamp},
    },
};

const DATABASES: &str = "databases";
const FILES: &str = "files";

/// What `--json` prints of what a restore does.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PlanView {
    pub droplet: String,
    pub app: String,
    pub service: String,
    /// Empty: what served before another restore comes back.
    pub backup: String,
    /// Where it was made, unless here.
    pub from: Option<OriginView>,
    pub taken_at: Option<String>,
    pub plain_bytes: u64,
    pub revision: String,
    pub databases: Vec<DatabaseView>,
    /// What they are: `databases` of a server that goes on, or `files` of one that is started anew.
    pub kind: &'static str,
    /// Containers that stand still meanwhile.
    pub stops: Vec<String>,
}

/// One database of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DatabaseView {
    pub name: String,
    /// What the one that served is called from then on; empty: there is none.
    pub former: String,
}

/// What `--json` prints of a restore.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RestoreView {
    pub id: String,
    pub state: &'static str,
    pub actor: String,
    #[serde(flatten)]
    pub plan: PlanView,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub stood_still_seconds: Option<f64>,
    pub kept: Vec<String>,
    pub kept_until: Option<String>,
    pub failure: Option<FailureView>,
}

impl PlanView {
    pub(super) fn new(droplet: &str, told: RestorePlan) -> Self {
        let kind = match told.kind() {
            RestoredKind::Unspecified | RestoredKind::Databases => DATABASES,
            RestoredKind::Files => FILES,
        };
        let databases = told.databases.into_iter();
        Self {
            droplet: droplet.to_owned(),
            app: told.app,
            service: told.service,
            backup: told.backup,
            from: told.from.map(OriginView::from),
            taken_at: told.taken_at.as_ref().and_then(timestamp),
            plain_bytes: told.plain_bytes,
            revision: told.revision,
            databases: databases.map(|one| DatabaseView { name: one.name, former: one.former }).collect(),
            kind,
            stops: told.stops,
        }
    }

    /// What would happen, line by line.
    pub(super) fn text(&self) -> String {
        let whose = format!("{}/{} on {}", self.app, self.service, self.droplet);
        let at = self.taken_at.as_deref().unwrap_or("an unknown moment");
        let mut text = if self.backup.is_empty() {
            format!("{whose}: what served before the restore of {at} serves again.\n")
        } else {
            let revision = match self.revision.as_str() {
                "" => String::new(),
                revision => format!(", its schema at revision {revision}"),
            };
            let size = size(self.plain_bytes);
            let from = self.from.as_ref().map(|from| format!(", made by {from}")).unwrap_or_default();
            format!(
                "{whose}: the data of {at} comes back (backup {}{from}, {size}{revision}).\n",
                self.backup
            )
        };
        let is_started_anew = self.kind == FILES;
        for DatabaseView { name, former } in &self.databases {
            let what = if is_started_anew { name.clone() } else { format!("database {name}") };
            text.push_str(&match former.as_str() {
                "" => format!("  {what} is made\n"),
                former => {
                    format!("  {what} is replaced; the one that serves now is kept for 7 days as {former}\n")
                }
            });
        }
        if is_started_anew {
            text.push_str(&format!("  {} is stopped and started for it\n", self.service));
        }
        match (self.stops.is_empty(), is_started_anew) {
            (true, true) => {}
            (true, false) => text.push_str("  nobody stands still for it\n"),
            (false, _) => {
                text.push_str(&format!("  {} stand still while the names change\n", self.stops.join(", ")));
            }
        }
        if self.databases.iter().any(|one| !one.former.is_empty()) {
            text.push_str(&format!("What was written since {at} is not in it.\n"));
        }
        text
    }
}

impl RestoreView {
    pub(super) fn new(droplet: &str, told: RestoreSummary) -> Self {
        let state = match told.state() {
            RestoreState::Unspecified => "unknown",
            RestoreState::Running => "running",
            RestoreState::Restored => "restored",
            RestoreState::Undone => "undone",
            RestoreState::Stuck => "stuck",
        };
        Self {
            id: told.id,
            state,
            actor: told.actor,
            plan: PlanView::new(droplet, told.plan.unwrap_or_default()),
            started_at: told.started_at.as_ref().and_then(timestamp),
            finished_at: told.finished_at.as_ref().and_then(timestamp),
            stood_still_seconds: told.stood_still.as_ref().map(|still| duration(Some(still)).as_secs_f64()),
            kept: told.kept,
            kept_until: told.kept_until.as_ref().and_then(timestamp),
            failure: told.failure.map(FailureView::from),
        }
    }

    /// `12 s`, for which the app stood still.
    pub(super) fn still(&self) -> Option<String> {
        let seconds = self.stood_still_seconds?;
        Some(human(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// What came of it, for people.
    pub(super) fn text(&self) -> String {
        let PlanView { droplet, databases, .. } = &self.plan;
        let names: Vec<&str> = databases.iter().map(|one| one.name.as_str()).collect();
        let still =
            self.still().map(|still| format!(" The app stood still for {still}.")).unwrap_or_default();
        let mut text = format!("Restored {} on {droplet}.{still}\n", names.join(", "));
        if !self.kept.is_empty() {
            let until = self.kept_until.as_deref().unwrap_or("somebody drops it");
            text.push_str(&format!(
                "What served before is kept until {until} as {}: `tidegate restore --revert {id}` puts it back, \
                 `tidegate restore --drop-former {id}` removes it.\n",
                self.kept.join(", "),
                id = self.id
            ));
        }
        if !self.plan.revision.is_empty() && self.stood_still_seconds.is_some() {
            text.push_str(&format!(
                "Its schema is at revision {}: where the release expects a later one, `tidegate deploy` migrates it.\n",
                self.plan.revision
            ));
        }
        text
    }
}

#[cfg(test)]
pub(super) mod sample {
    use tidegate_proto::v1::RestoredDatabase;

    use super::*;

    pub(in super::super) fn summary() -> RestoreSummary {
        let at = |seconds: i64| Some(prost_types::Timestamp { seconds: 1_795_402_800 + seconds, nanos: 0 });
        let former = "shop_before_4f2a91c0".to_owned();
        RestoreSummary {
            id: "20261123T030000Z-4f2a91c0".to_owned(),
            actor: "spiffe://shop.production/user/ops".to_owned(),
            plan: Some(RestorePlan {
                kind: RestoredKind::Databases.into(),
                app: "shop".to_owned(),
                service: "db".to_owned(),
                backup: "20261122T030000Z-11111111".to_owned(),
                taken_at: at(-86_400),
                plain_bytes: 84_000_000,
                revision: "0009".to_owned(),
                databases: vec![RestoredDatabase { name: "shop".to_owned(), former: former.clone() }],
                stops: vec!["shop-web-1".to_owned(), "shop-worker-1".to_owned()],
                from: None,
            }),
            state: RestoreState::Restored.into(),
            started_at: at(0),
            finished_at: at(40),
            stood_still: Some(prost_types::Duration { seconds: 9, nanos: 0 }),
            kept: vec![former],
            kept_until: at(604_800),
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::BackupOrigin;

    use super::*;

    #[test]
    fn what_will_happen_and_what_happened_is_said_in_words() {
        let view = RestoreView::new("web-1", sample::summary());
        insta::assert_snapshot!(format!("{}\n{}", view.plan.text(), view.text()));
        let mut beside = sample::summary();
        let plan = beside.plan.as_mut().unwrap();
        plan.databases[0].former = String::new();
        plan.stops.clear();
        let (environment, app) = ("production".to_owned(), "crm".to_owned());
        plan.from = Some(BackupOrigin { environment, app, service: "db".to_owned(), droplet: 4711 });
        (beside.kept, beside.kept_until, beside.stood_still) = (Vec::new(), None, None);
        let view = RestoreView::new("web-1", beside);
        let mut redis = sample::summary();
        let plan = redis.plan.as_mut().unwrap();
        plan.kind = RestoredKind::Files.into();
        plan.service = "cache".to_owned();
        plan.revision = String::new();
        plan.databases[0].name = "/data/dump.rdb".to_owned();
        plan.databases[0].former = "/data/.tidegate-before-4f2a91c0".to_owned();
        redis.kept = vec![plan.databases[0].former.clone()];
        let files = RestoreView::new("web-1", redis);
        insta::assert_snapshot!("files", format!("{}\n{}", files.plan.text(), files.text()));
        insta::assert_snapshot!("beside", format!("{}\n{}", view.plan.text(), view.text()));
    }
}
