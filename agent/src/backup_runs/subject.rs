//! What a run is about: one service that asks for backups, with all that its file says, as values that can be used.

use std::sync::Arc;

use tidegate_compose::x_tidegate::{self, Databases, Engine};

use super::{
    BackupError, Inner, find,
    places::{Places, Unopened},
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{
        catalog::Catalog,
        destination::Destination,
        layout::{DropletFolder, ServiceFolder},
        manifest::EngineKind,
        rotation::{Counts, Keep},
        seal::Recipients,
    },
    mysql::Access,
    redis::Clues,
    release::BackedUp,
};

/// The superuser where nothing names another.
const SUPERUSER: &str = "postgres";

/// A service that asks for backups.
pub(super) struct Subject {
    pub(super) app: AppName,
    pub(super) service: ServiceName,
    pub(super) folder: ServiceFolder,
    pub(super) backed: BackedUp,
    pub(super) data: Data,
    pub(super) keep: Keep,
    pub(super) recipients: Recipients,
    /// Where a run writes, as far as that could be opened.
    pub(super) to: Vec<Arc<dyn Destination>>,
    /// What the file names beside that and could not be opened, and why, a line each.
    pub(super) closed: Vec<String>,
    /// Where backups may be: all places that the droplet knows for the app, the nearest first.
    pub(super) destinations: Vec<Arc<dyn Destination>>,
    /// Titles of those that could not be opened, and why.
    unopened: Vec<Unopened>,
}

/// What holds its data, and what that has to be asked with.
pub(super) enum Data {
    Postgres(PostgresData),
    Mysql(MysqlData),
    Redis(Clues),
}

/// What the file says of a PostgreSQL.
pub(super) struct PostgresData {
    pub(super) databases: Databases,
    /// The superuser.
    pub(super) user: String,
}

/// What the file says of a MariaDB or MySQL.
pub(super) struct MysqlData {
    pub(super) databases: Databases,
    /// Who asks it.
    pub(super) access: Access,
}

impl Inner {
    /// The services of an app that ask for backups.
    pub(super) async fn asking(&self, app: &AppName) -> Result<Vec<BackedUp>, BackupError> {
        let asking = self.engine.backed_up(app).await;
        asking.map_err(|source| BackupError::Release { app: app.clone(), source: Box::new(source) })
    }

    /// A service of an app; without a name the only one that asks.
    pub(super) async fn subject(
        &self,
        app: &AppName,
        service: Option<&ServiceName>,
    ) -> Result<Subject, BackupError> {
        self.droplet()?;
        let asking = self.asking(app).await?;
        let names: Vec<ServiceName> = asking.iter().map(|backed| backed.service.clone()).collect();
        let chosen = choose(app, service, &names)?;
        let backed = asking.into_iter().find(|backed| backed.service == chosen);
        let backed = backed.ok_or_else(|| BackupError::NobodyAsks(app.clone()))?;
        self.subject_of(app, backed).await
    }

    /// The same of one that is known to ask.
    pub(super) async fn subject_of(&self, app: &AppName, backed: BackedUp) -> Result<Subject, BackupError> {
        let service = backed.service.clone();
        let data = Data::of(&backed)?;
        let recipients =
            Recipients::parse(backed.backup.encrypt_to.iter().map(x_tidegate::Recipient::as_str));
        let recipients =
            recipients.map_err(|source| BackupError::Recipients { service: service.clone(), source })?;
        let x_tidegate::Keep { last, daily, weekly, monthly, yearly } = backed.backup.keep;
        let keep = Keep::new(Counts { last, daily, weekly, monthly, yearly });
        let keep = keep.map_err(|source| BackupError::Keep { service: service.clone(), source })?;
        let places = Places::open(self, app).await?;
        let (to, closed) = places.named(&backed.backup.to);
        let (destinations, unopened) = places.all();
        Ok(Subject {
            folder: service_folder(self.droplet()?, app, &service)?,
            data,
            to,
            closed,
            destinations,
            unopened,
            app: app.clone(),
            service,
            backed,
            keep,
            recipients,
        })
    }
}

impl Data {
    fn of(backed: &BackedUp) -> Result<Self, BackupError> {
        match &backed.backup.engine {
            Engine::Postgres(databases) => {
                let user = user(databases, backed);
                Ok(Self::Postgres(PostgresData { databases: databases.clone(), user }))
            }
            Engine::Mysql(databases) => {
                let access = Access::of(databases.user.as_deref(), &backed.environment);
                Ok(Self::Mysql(MysqlData { databases: databases.clone(), access }))
            }
            Engine::Redis => Ok(Self::Redis(Clues::of(&backed.environment, &backed.command))),
            other @ (Engine::Sqlite { .. } | Engine::Volume { .. }) => {
                let what = format!("a backup of {}", other.name());
                Err(BackupError::Unsupported { service: backed.service.clone(), what })
            }
        }
    }

    /// Of which engine backups are that it can take.
    pub(super) fn kind(&self) -> EngineKind {
        match self {
            Self::Postgres(_) => EngineKind::PostgreSql,
            Self::Mysql(_) => EngineKind::MySql,
            Self::Redis(_) => EngineKind::Redis,
        }
    }
}

impl Subject {
    /// What the file says of its PostgreSQL.
    ///
    /// # Errors
    /// When it is another engine, of which that is not possible.
    pub(super) fn postgres(&self) -> Result<&PostgresData, BackupError> {
        match &self.data {
            Data::Postgres(data) => Ok(data),
            other @ (Data::Mysql(_) | Data::Redis(_)) => {
                let what = format!("a copy of the databases of {}", other.kind().name());
                Err(BackupError::Unsupported { service: self.service.clone(), what })
            }
        }
    }

    /// What is at all places where its backups may be.
    pub(super) async fn look(&self) -> Catalog {
        find::look_with((&self.destinations, &self.unopened), &self.folder).await
    }
}

/// The folder of a service's backups.
pub(super) fn service_folder(
    droplet: DropletFolder,
    app: &AppName,
    service: &ServiceName,
) -> Result<ServiceFolder, BackupError> {
    ServiceFolder::new(droplet, app.clone(), service.clone()).map_err(BackupError::Name)
}

/// Which service is meant.
fn choose(
    app: &AppName,
    wanted: Option<&ServiceName>,
    asking: &[ServiceName],
) -> Result<ServiceName, BackupError> {
    match (wanted, asking) {
        (Some(wanted), _) if asking.contains(wanted) => Ok(wanted.clone()),
        (Some(wanted), _) => {
            Err(BackupError::NotAsked { app: app.clone(), service: wanted.clone(), known: asking.to_vec() })
        }
        (None, []) => Err(BackupError::NobodyAsks(app.clone())),
        (None, [only]) => Ok(only.clone()),
        (None, several) => Err(BackupError::Which { app: app.clone(), services: several.to_vec() }),
    }
}

/// The superuser as the file names it, else as the image was told, else the image's own.
fn user(databases: &Databases, backed: &BackedUp) -> String {
    let told = || backed.environment.get("POSTGRES_USER").filter(|user| !user.is_empty()).cloned();
    databases.user.clone().or_else(told).unwrap_or_else(|| SUPERUSER.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_the_one_that_is_named_or_the_only_one() {
        let app = AppName::new("shop").unwrap();
        let (db, stock) = (ServiceName::new("db"), ServiceName::new("stock"));
        let both = [db.clone(), stock.clone()];
        let web = ServiceName::new("web");
        assert_eq!(choose(&app, Some(&stock), &both).unwrap(), stock);
        assert_eq!(choose(&app, None, std::slice::from_ref(&db)).unwrap(), db);
        assert!(matches!(choose(&app, None, &[]), Err(BackupError::NobodyAsks(_))));
        let several = choose(&app, None, &both).unwrap_err();
        assert_eq!(several.hint(), "name one of them: db, stock");
        let unknown = choose(&app, Some(&web), &both).unwrap_err();
        assert!(matches!(unknown, BackupError::NotAsked { .. }), "{unknown}");
        assert_eq!(unknown.hint(), "these do: db, stock");
    }
}
