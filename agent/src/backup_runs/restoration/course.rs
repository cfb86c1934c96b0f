//! What the steps of a restore work with, and what each of them does and takes back.
//!
//! Owns the single acts. Must not know in which order they come.

use std::collections::BTreeSet;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;

use super::{
    super::{
        BackupError, BackupId, Inner, Progress, judge, opened::OpenBackup, source::answering,
        subject::Subject,
    },
    plan::{Place, PlannedDatabase, RestorePlan, RestoreSource, Visitors},
};
use crate::{
    backup::Part,
    ingress::Maintenance,
    postgres::{Connections, DatabaseName, Postgres, PostgresError, Rename, roles},
    release::EngineError,
};

/// No server has more to say about its roles.
const LARGEST_GLOBALS: u64 = 16 * 1024 * 1024;

/// One restore on its way.
pub(super) struct Course<'a> {
    pub(super) inner: &'a Inner,
    pub(super) subject: &'a Subject,
    pub(super) id: BackupId,
    pub(super) plan: &'a RestorePlan,
    /// None where the agent took it up again: keys that somebody gave are not kept.
    pub(super) backup: Option<Source<'a>>,
    pub(super) progress: &'a Progress,
}

/// What is restored, and what is done to it before anybody sees it.
pub(super) struct Source<'a> {
    pub(super) opened: OpenBackup<'a>,
    /// Statements that take out what must not be seen here.
    pub(super) scrub: Option<SecretString>,
}

impl Course<'_> {
    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The server, once it answers.
    pub(super) async fn postgres(&self) -> Result<Postgres, BackupError> {
        answering(self.inner, self.subject).await
    }

    /// Reads the databases in beside those that serve, and looks at what came of them.
    pub(super) async fn restore(&self) -> Result<(), BackupError> {
        let Some(Source { opened: backup, scrub }) = &self.backup else {
            return match self.plan.source {
                RestoreSource::Former(_) => Ok(()),
                RestoreSource::Backup(_) => Err(BackupError::CutOff),
            };
        };
        let postgres = self.postgres().await?;
        for part in backup.globals() {
            self.roles(backup, part, &postgres).await?;
        }
        let mut differences = Vec::new();
        for (part, source) in backup.databases() {
            let Some(planned) = self.planned(&source) else { continue };
            self.make(&postgres, planned).await?;
            differences.extend(backup.restore(&postgres, (part, &source), &planned.fresh).await?);
        }
        if !differences.is_empty() {
            let id = backup.folder.id();
            return Err(BackupError::Differs { id, differences: judge::bounded(differences) });
        }
        let restored = |source: &DatabaseName| self.planned(source).map(|planned| planned.fresh.clone());
        backup.checks(&postgres, self.subject, restored).await?;
        if let Some(scrub) = scrub {
            self.scrub((backup, &postgres), scrub).await?;
        }
        Ok(())
    }

    /// Nobody is connected to what was restored until all of it went through.
    async fn scrub(
        &self,
        (backup, postgres): (&OpenBackup<'_>, &Postgres),
        statements: &SecretString,
    ) -> Result<(), BackupError> {
        for planned in &self.plan.databases {
            let statements = statements.expose_secret().as_bytes();
            let done = postgres.run(&planned.fresh, (statements, backup.deadline())).await;
            let database = planned.source.0.clone();
            done.map_err(|source| BackupError::Scrub { database, source: Box::new(source) })?;
            self.progress.say(format!("database {}: scrubbed", planned.source.0));
        }
        Ok(())
    }

    fn planned(&self, source: &DatabaseName) -> Option<&PlannedDatabase> {
        self.plan.databases.iter().find(|planned| planned.source == *source)
    }

    /// Those roles that the dump needs and the server does not have.
    async fn roles(
        &self,
        backup: &OpenBackup<'_>,
        part: &Part,
        postgres: &Postgres,
    ) -> Result<(), BackupError> {
        let what = "the restore of roles";
        let mut sql = String::new();
        let opened = backup.open(part).await?;
        let read = opened.take(LARGEST_GLOBALS).read_to_string(&mut sql).await;
        read.map_err(|error| backup.unreadable(part, error))?;
        let there = postgres.roles().await.map_err(|error| self.server(error))?;
        let missing = roles::missing(&sql, &there);
        if missing.is_empty() {
            return Ok(());
        }
        let restored = postgres.restore_globals((missing.as_bytes(), backup.deadline())).await;
        restored.map_err(|error| backup.failed(part, what, error))
    }

    /// An empty database, set up as the one that it is to replace.
    async fn make(&self, postgres: &Postgres, planned: &PlannedDatabase) -> Result<(), BackupError> {
        let refused = |error| self.server(error);
        postgres.drop_database(&planned.fresh).await.map_err(refused)?;
        let made = match &planned.former {
            Some(_) => postgres.create_like(&planned.fresh, &planned.name).await,
            None => postgres.create_database(&planned.fresh).await,
        };
        made.map_err(refused)
    }

    /// Removes what was restored, unless it was there before.
    pub(super) async fn drop_fresh(&self) -> Result<(), BackupError> {
        if let RestoreSource::Former(_) = self.plan.source {
            return Ok(());
        }
        let postgres = self.postgres().await?;
        for planned in &self.plan.databases {
            postgres.drop_database(&planned.fresh).await.map_err(|error| self.server(error))?;
        }
        Ok(())
    }

    pub(super) async fn maintenance(&self, maintenance: Maintenance) -> Result<(), BackupError> {
        let Place::Serving { visitors: Visitors::ToldToWait, .. } = &self.plan.place else { return Ok(()) };
        let set = self.inner.engine.set_maintenance(&self.plan.app, maintenance).await;
        set.map(drop).map_err(|error| self.engine(error))
    }

    pub(super) async fn stop(&self) -> Result<(), BackupError> {
        let writers = self.plan.writers();
        self.inner.engine.stop_writers(writers).await.map_err(|error| self.engine(error))
    }

    pub(super) async fn start(&self) -> Result<(), BackupError> {
        let writers = self.plan.writers();
        self.inner.engine.start_writers(writers).await.map_err(|error| self.engine(error))
    }

    pub(super) async fn revive(&self) -> Result<(), BackupError> {
        let writers = self.plan.writers();
        self.inner.engine.revive_writers(writers).await.map_err(|error| self.engine(error))
    }

    /// Puts what was restored in the place of what serves, all databases at once.
    pub(super) async fn swap(&self) -> Result<(), BackupError> {
        let postgres = self.postgres().await?;
        let there = self.names(&postgres).await?;
        if self.is_swapped(&there) {
            return self.allow(&postgres).await;
        }
        let mut renames = Vec::new();
        for PlannedDatabase { name, fresh, former, .. } in &self.plan.databases {
            if let Some(former) = former {
                renames.push(rename(name, former, Connections::Refused));
            }
            renames.push(rename(fresh, name, Connections::Allowed));
        }
        postgres.rename(&renames).await.map_err(|error| self.server(error))
    }

    /// Puts back what served before.
    pub(super) async fn swap_back(&self) -> Result<(), BackupError> {
        let postgres = self.postgres().await?;
        let there = self.names(&postgres).await?;
        if self.is_swapped(&there) {
            let mut renames = Vec::new();
            for PlannedDatabase { name, fresh, former, .. } in &self.plan.databases {
                renames.push(rename(name, fresh, Connections::Refused));
                if let Some(former) = former {
                    renames.push(rename(former, name, Connections::Allowed));
                }
            }
            return postgres.rename(&renames).await.map_err(|error| self.server(error));
        }
        // It may have failed half way: then nobody was let in any more.
        self.allow(&postgres).await
    }

    /// All names change in one transaction: one tells of all.
    fn is_swapped(&self, there: &BTreeSet<DatabaseName>) -> bool {
        self.plan.databases.iter().all(|planned| !there.contains(&planned.fresh))
    }

    async fn allow(&self, postgres: &Postgres) -> Result<(), BackupError> {
        let there = self.names(postgres).await?;
        for planned in self.plan.databases.iter().filter(|planned| there.contains(&planned.name)) {
            let allowed = postgres.set_connections(&planned.name, Connections::Allowed).await;
            allowed.map_err(|error| self.server(error))?;
        }
        Ok(())
    }

    async fn names(&self, postgres: &Postgres) -> Result<BTreeSet<DatabaseName>, BackupError> {
        postgres.database_names().await.map_err(|error| self.server(error))
    }

    fn server(&self, source: PostgresError) -> BackupError {
        BackupError::Restoring { service: self.subject.service.clone(), source: source.into() }
    }

    fn engine(&self, source: EngineError) -> BackupError {
        BackupError::Release { app: self.plan.app.clone(), source: Box::new(source) }
    }
}

fn rename(from: &DatabaseName, to: &DatabaseName, then: Connections) -> Rename {
    Rename { from: from.clone(), to: to.clone(), then }
}
