//! The course at the agent's start.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{
    AppBack, AppStands, Boot, BootRow, Inner, Stands,
    see::{Seen, Which},
};
use crate::{
    apps::AppName,
    audit::{Deed, Outcome},
    release::{Brought, Down, EngineError, ReleaseRow, ReleaseState, Rouse, Wellness, chain},
};

/// Between looks at what is not well yet.
const LOOK: Duration = Duration::from_secs(1);
/// Between tries of what somebody else's work stands against.
const TRY: Duration = Duration::from_secs(2);
/// How long the probes of one container may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who has the app.
enum Whose {
    /// Nobody but the release that served when the agent began.
    Ours,
    /// A release that began since, or a removal.
    Others,
}

pub(super) async fn all(inner: &Inner) {
    let (boot, before) = match begin(inner).await {
        Ok(begun) => begun,
        Err(why) => {
            tracing::error!(why, "what comes back after the droplet's start is not remembered");
            return;
        }
    };
    let rows = match inner.engine.serving_releases().await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(error = chain(&error), "it is not known which apps have to come back");
            return;
        }
    };
    let deadline = Instant::now() + inner.settings.patience;
    let known = inner.store.latest().await.ok().flatten().map(|(_, backs)| backs).unwrap_or_default();
    let before = before.as_ref();
    let apps = rows.into_iter().map(|row| {
        let known = known.iter().find(|back| back.app == row.app).cloned();
        let app = App { inner, boot: &boot, deadline };
        async move { app.come_back(&row, before, known).await }
    });
    join_all(apps).await;
}

async fn begin(inner: &Inner) -> Result<(Boot, Option<BootRow>), String> {
    let boot = Boot::read(&inner.settings.proc).map_err(|error| chain(&error))?;
    let before = inner.store.begin(&boot, inner.clock.now()).await.map_err(|error| chain(&error))?;
    Ok((boot, before))
}

/// What all that is done for one app is done with.
struct App<'a> {
    inner: &'a Inner,
    boot: &'a Boot,
    deadline: Instant,
}

impl App<'_> {
    async fn come_back(&self, row: &ReleaseRow, before: Option<&BootRow>, known: Option<AppBack>) {
        let known = known.filter(|known| known.release == row.number);
        let mut back = known.unwrap_or_else(|| AppBack::begun(row.app.clone(), row.number));
        // A later start of the agent after the same start of the droplet: what stands still by now was stopped since.
        let which = if back.settled.is_none() { Which::All } else { Which::Brought };
        let rouse = match before {
            Some(before) if which == Which::All => {
                Rouse::EndedWith(Down { booted: self.boot.at, told: before.down_at })
            }
            _ => Rouse::Nobody,
        };
        if which == Which::All {
            self.keep(&back).await;
        }
        match self.bring(&row.app, &rouse).await {
            Ok(None) if which == Which::Brought => return,
            Ok(Some(brought)) if brought.is_empty() && which == Which::Brought => return,
            Ok(None) => back.by_hand = true,
            Ok(Some(brought)) => {
                (back.settled, back.trouble) = (None, String::new());
                back.note(&brought);
                self.keep(&back).await;
                self.tell(&row.app, &brought).await;
            }
            Err(why) => back.trouble = why,
        }
        if !back.by_hand {
            self.watch(row, (&mut back, which)).await;
        }
        back.settled = Some(self.inner.clock.now());
        self.keep(&back).await;
        log(&back, self.boot);
    }

    /// Brings the app back as soon as nobody else has it; none where somebody stopped it.
    async fn bring(&self, app: &AppName, rouse: &Rouse) -> Result<Option<Vec<Brought>>, String> {
        loop {
            let tried = async {
                let hold = self.inner.engine.hold(app, ("bringing the app back", "agent")).await?;
                if self.inner.engine.stopped(app).await?.is_some() {
                    self.inner.engine.stay_stopped(&hold).await?;
                    return Ok(None);
                }
                self.inner.engine.bring_back(&hold, rouse).await.map(Some)
            };
            let error = match tried.await {
                Ok(brought) => return Ok(brought),
                Err(error) => error,
            };
            let may_pass = matches!(
                error,
                EngineError::Busy { .. }
                    | EngineError::Docker(_)
                    | EngineError::Ingress(_)
                    | EngineError::Database(_)
            );
            if !may_pass || Instant::now() >= self.deadline {
                tracing::error!(%app, error = chain(&error), "the app could not be brought back");
                return Err(words(&error));
            }
            sleep(TRY).await;
        }
    }

    /// Waits until every container is well or will not be, or somebody else has taken the app, or the time is over.
    async fn watch(&self, row: &ReleaseRow, (back, which): (&mut AppBack, Which)) {
        loop {
            let before = back.clone();
            let looked = self.look(row, (back, which)).await;
            let is_over = Instant::now() >= self.deadline;
            let is_settled = match looked {
                Ok(Whose::Ours) => back.containers.iter().all(|one| one.stands != Stands::Coming),
                // What comes of it, the release tells.
                Ok(Whose::Others) => return,
                Err(why) if is_over => {
                    back.trouble = why;
                    true
                }
                Err(_) => false,
            };
            if is_over {
                back.give_up();
            }
            if *back != before {
                self.keep(back).await;
            }
            if is_over || is_settled {
                return;
            }
            sleep(LOOK).await;
        }
    }

    async fn look(&self, row: &ReleaseRow, (back, which): (&mut AppBack, Which)) -> Result<Whose, String> {
        let engine = &self.inner.engine;
        let rows = engine.releases(&row.app).await.map_err(|error| words(&error))?;
        let serving = rows.iter().find(|row| row.state == ReleaseState::Released);
        let is_running = rows.iter().any(|row| row.finished_at.is_none());
        if is_running || serving.is_none_or(|serving| serving.number != row.number) {
            return Ok(Whose::Others);
        }
        let serving = engine.serving(row).map_err(|error| words(&error))?;
        let containers = match engine.containers(&row.app, None).await {
            Ok(containers) => containers,
            Err(EngineError::NoApp(_)) => Vec::new(),
            Err(error) => return Err(words(&error)),
        };
        for service in &serving.services {
            let own = containers.iter().filter(|one| one.service() == Some(service.name.as_str()));
            for container in own {
                if !back.is_due(container, which) {
                    continue;
                }
                let asked = timeout(PATIENCE, engine.wellness(&serving, service, container)).await;
                let wellness =
                    asked.unwrap_or_else(|_| Wellness::NotYet("its probes do not answer".to_owned()));
                let seen = Seen { service, container, wellness: &wellness };
                back.see(&seen, (self.boot.at, self.inner.clock.now()));
            }
        }
        back.sort();
        Ok(Whose::Ours)
    }

    async fn keep(&self, back: &AppBack) {
        if let Err(error) = self.inner.store.keep(&self.boot.id, back).await {
            tracing::error!(app = %back.app, error = chain(&error), "what came back is not remembered");
        }
    }

    async fn tell(&self, app: &AppName, brought: &[Brought]) {
        if brought.is_empty() {
            return;
        }
        for Brought { container, how, failure, .. } in brought {
            match failure {
                None => tracing::info!(%app, container, ?how, "brought back"),
                Some(failure) => {
                    tracing::error!(%app, container, what = failure.what, cause = failure.cause, "not brought back");
                }
            }
        }
        let names: Vec<&str> = brought.iter().map(|one| one.container.as_str()).collect();
        let deed = Deed::new("agent", "bring-back", app.to_string()).with("containers", &names.join(" "));
        let failed = brought.iter().any(|one| one.failure.is_some());
        let outcome = if failed { Outcome::Failed("NOT_ALL".to_owned()) } else { Outcome::Succeeded };
        if let Err(error) = self.inner.audit.write(&deed, &outcome).await {
            tracing::error!(error = chain(&error), "this is not in the audit log");
        }
    }
}

/// An error in one line, as it is remembered.
fn words(error: &EngineError) -> String {
    match error {
        EngineError::Refused(failures) => failures
            .iter()
            .map(|failure| format!("{}: {}", failure.what, failure.cause))
            .collect::<Vec<_>>()
            .join("; "),
        other => chain(other),
    }
}

fn log(back: &AppBack, boot: &Boot) {
    let AppBack { app, release, trouble, .. } = back;
    let after = back.back_since().map(|since| since.duration_since(boot.at).as_secs());
    match back.stands() {
        AppStands::Back => tracing::info!(%app, %release, after_seconds = after, "the app is back"),
        AppStands::Stopped => tracing::info!(%app, %release, "the app stands still, as somebody left it"),
        AppStands::Coming | AppStands::NotBack => {
            let not_back = back.containers.iter().filter(|one| one.stands == Stands::NotBack);
            let not_back: Vec<String> = not_back.map(|one| format!("{}: {}", one.name, one.why)).collect();
            tracing::error!(%app, %release, trouble, containers = not_back.join("; "), "the app is not back");
        }
    }
}
