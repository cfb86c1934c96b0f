//! From what a deploy was asked with to its plan: everything is looked at, and nothing changed.
//!
//! Owns the order in which it is looked at, so that what is cheap to refuse is refused first.

use tidegate_compose::{
    Compatibility,
    x_tidegate::{Migrate, MigrationKind},
};

use super::{Engine, EngineError};
use crate::{
    apps::AppName,
    release::{
        DeployInput, Failure, ReleaseId, ReleasePlan, certificates,
        destinations::Examined,
        load::{self, LoadedProject},
        planner::{self, Wanted, difference, standstill::Still},
        policy::Policy,
        run, schedule,
        survey::{self, Look},
        world::World,
    },
};

impl Engine {
    /// Loads, looks and plans. Changes nothing.
    pub(in crate::release) async fn prepare(
        &self,
        input: &DeployInput,
    ) -> Result<(LoadedProject, ReleasePlan), EngineError> {
        let folder = self.inner.paths.project(&input.app);
        let mut loaded =
            load::project(input, &folder, Compatibility::default()).map_err(EngineError::Refused)?;
        let policy = Policy::load(&self.inner.policy).map_err(|error| {
            EngineError::Refused(vec![Failure::caused_by("the droplet's policy cannot be read", &error)])
        })?;
        let located = |failures: Vec<Failure>| {
            EngineError::Refused(failures.into_iter().map(|failure| loaded.locate(failure)).collect())
        };
        let mut refused = policy.refusals(&input.app, &loaded.project);
        refused.extend(certificates::refusals(&loaded.extension, input, self.inner.clock.now()));
        if !refused.is_empty() {
            return Err(located(refused));
        }
        let seen = survey::containers(&self.inner.docker, &input.app, Look::Glance).await?;
        let compatibility = self.inner.compatibility(&seen).await;
        if compatibility != loaded.project.compatibility {
            loaded = load::project(input, &folder, compatibility).map_err(EngineError::Refused)?;
        }
        let images = crate::release::rollback::adapt(self, input, &mut loaded).await?;
        let located = |failures: Vec<Failure>| {
            EngineError::Refused(failures.into_iter().map(|failure| loaded.locate(failure)).collect())
        };
        let api = self.inner.docker.api_version().await.map_err(EngineError::Docker)?;
        let mut refused = load::too_new(&loaded.project, api);
        refused.extend(survey::missing(&self.inner, &loaded.project).await.map_err(EngineError::Docker)?);
        if !refused.is_empty() {
            return Err(located(refused));
        }
        let look = survey::world(&self.inner, &input.app, (&loaded.project, &images, seen));
        // Boxed: it asks many things side by side.
        let world = Box::pin(look).await;
        let mut world = world.map_err(|error| match error {
            EngineError::Refused(failures) => located(failures),
            other => other,
        })?;
        let still = self.still(input, &loaded, compatibility).await?;
        let shared = policy.shared(&input.app);
        let wanted = Wanted {
            app: &input.app,
            project: &loaded.project,
            extension: &loaded.extension,
            files: &loaded.files,
            interrupt: input.interrupt,
            shared: &shared,
            still: still.as_ref(),
        };
        let mut plan = self.planned(wanted, &mut world).await?.map_err(located)?;
        if difference::wants_explanation(&plan)
            && let Some(former) = run::served(&self.inner, &input.app).await
            && let Ok(former) = load::project(&former, &folder, compatibility)
        {
            difference::explain(&mut plan, &former.project, &loaded.project);
        }
        self.schedules(&input.app, &loaded, &plan).await?;
        self.may_stand_still(input, &plan).await?;
        plan.notes.extend(loaded.notes.iter().cloned());
        Ok((loaded, self.with_backups(input, plan).await?))
    }

    /// Plans by a glance at the containers, and where they change by a closer look.
    async fn planned(
        &self,
        wanted: Wanted<'_>,
        world: &mut World,
    ) -> Result<Result<ReleasePlan, Vec<Failure>>, EngineError> {
        let plan = planner::plan(wanted, world);
        if !plan.as_ref().is_ok_and(|plan| plan.touches_containers() || plan.standstill.is_some()) {
            return Ok(plan);
        }
        let seen = survey::containers(&self.inner.docker, wanted.app, Look::Close).await?;
        world.containers = seen.into_own();
        Ok(planner::plan(wanted, world))
    }

    /// What has to stand still, and for what.
    async fn still(
        &self,
        input: &DeployInput,
        loaded: &LoadedProject,
        compatibility: Compatibility,
    ) -> Result<Option<Still>, EngineError> {
        if let Some(still) = self.returning(input, &loaded.project).await? {
            return Ok(Some(still));
        }
        let is_breaking = |migrate: &Migrate| migrate.kind == MigrationKind::Breaking;
        if !loaded.extension.migrate.as_ref().is_some_and(is_breaking) {
            return Ok(None);
        }
        let folder = self.inner.paths.project(&input.app);
        let former = run::served(&self.inner, &input.app).await;
        let former = former.and_then(|former| load::project(&former, &folder, compatibility).ok());
        Ok(Still::of(&loaded.project, &loaded.extension, former.as_ref().map(|former| &former.project)))
    }

    /// Keeps what a release that begins is made of: its files in its folder, its buckets in the database.
    pub(super) async fn keep(
        &self,
        (id, input): (&ReleaseId, &DeployInput),
        examined: Examined,
    ) -> Result<(), Failure> {
        const SPACE: &str = "see that the droplet has space: `tidegate info`";
        // Before the files: a release whose files are there is finished by whoever finds it.
        if !examined.keep.is_empty() {
            self.inner.buckets.keep(&id.app, examined.keep).await.map_err(|error| {
                Failure::caused_by("the buckets of its backups could not be remembered", &error).hint(SPACE)
            })?;
        }
        input
            .keep(&self.inner.paths.release(&id.app, id.release))
            .map_err(|error| Failure::caused_by("the release's files could not be kept", &error).hint(SPACE))
    }

    /// Whether systemd takes the schedules of timers that change.
    async fn schedules(
        &self,
        app: &AppName,
        loaded: &LoadedProject,
        plan: &ReleasePlan,
    ) -> Result<(), EngineError> {
        if plan.timers.is_empty() {
            return Ok(());
        }
        let refused = schedule::refusals(&self.inner, app, loaded).await;
        if refused.is_empty() { Ok(()) } else { Err(EngineError::Refused(refused)) }
    }
}
