//! Everything about a restore that can be known before anything is changed, and the plan that follows from it.

use std::collections::BTreeSet;

use super::{
    super::{
        BackupError, BackupId, FileKeys, Inner, MadeOn, Origin,
        keys::Keys,
        opened::{self, OpenBackup},
        origin::{self, Chosen},
        row::Facts,
        source::running,
        space,
        subject::{Data, Subject},
        verify,
    },
    Progress, Restore, RestorePlan, RestoreRow, Revert, mysql,
    plan::{self, Place, PlannedDatabase, Replaces, RestoreSource, Visitors},
    redis,
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{ByteCount, Manifest, Part},
    ingress::Maintenance,
    postgres::{DatabaseName, LONGEST_NAME, Postgres, PostgresError, is_maintenance, parse_major},
};

/// Whose data it is.
pub(super) async fn subject(inner: &Inner, wanted: &Restore) -> Result<Subject, BackupError> {
    let service = match (wanted.id, &wanted.from) {
        (Some(id), None) => Some(verify::service_of(inner, &wanted.app, (wanted.service.clone(), id)).await?),
        (None, None) | (_, Some(_)) => wanted.service.clone(),
    };
    inner.subject(&wanted.app, service.as_ref()).await
}

/// What a restore of a backup does, and that backup.
pub(super) async fn restore(
    inner: &Inner,
    (subject, wanted): (&Subject, &Restore),
    id: BackupId,
) -> Result<(RestorePlan, Chosen), BackupError> {
    let backup = match &wanted.from {
        Some(origin) => {
            let service = origin.service.clone().unwrap_or_else(|| subject.service.clone());
            let origin = Origin { service: Some(service), ..origin.clone() };
            origin::chosen(inner, &subject.app, (&origin, wanted.id)).await?
        }
        None => Chosen::own(subject, verify::chosen(inner, subject, wanted.id).await?),
    };
    let (manifest, _) = opened::copy(&subject.destinations, &backup).await?;
    opened::is_of(&manifest, subject)?;
    let plan = match &subject.data {
        Data::Postgres(_) => of_postgres(inner, subject, (wanted, &manifest), id).await?,
        Data::Mysql(data) => mysql::plan((inner, subject, data), (wanted, &manifest), id).await?,
        Data::Redis(clues) => redis::plan((inner, subject, clues), (wanted, &manifest), id).await?,
    };
    Ok((plan, backup))
}

async fn of_postgres(
    inner: &Inner,
    subject: &Subject,
    (wanted, manifest): (&Restore, &Manifest),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    let postgres = server(inner, subject).await?;
    let failed = |source: PostgresError| BackupError::Restoring {
        service: subject.service.clone(),
        source: source.into(),
    };
    let versions = postgres.versions().await.map_err(failed)?;
    let of_backup = parse_major(&manifest.engine.server_version);
    if of_backup.is_some_and(|major| major > versions.server.major()) {
        let (backup, server) = (manifest.engine.server_version.clone(), versions.server.to_string());
        return Err(BackupError::NewerServer { id: manifest.id, backup, server });
    }
    let there = postgres.database_names().await.map_err(failed)?;
    let chosen = chosen(manifest, wanted.database.as_ref())?;
    if wanted.scrub.is_some() && chosen.len() > 1 {
        let known = chosen.iter().map(|name| name.0.clone()).collect();
        return Err(BackupError::ScrubMany { known });
    }
    let databases = match &wanted.into {
        Some(into) => vec![beside(&chosen, (into, &there))?],
        None => chosen.iter().map(|source| plan::in_place(source, &there, id)).collect(),
    };
    let place = match &wanted.into {
        Some(_) => Place::Beside,
        None => serving(inner, (&subject.app, &subject.service), (&postgres, &databases)).await?,
    };
    let plain = Facts::of(manifest, Vec::new()).plain;
    space::check_for_restore(inner, plain).await?;
    Ok(RestorePlan {
        app: subject.app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Backup(manifest.id),
        made_on: wanted.from.is_some().then(|| MadeOn::of(manifest)),
        taken_at: manifest.taken_at,
        plain,
        revision: manifest.migration.clone(),
        databases,
        place,
        replaces: Replaces::Databases,
    })
}

/// What putting back does.
pub(super) async fn revert(
    inner: &Inner,
    wanted: &Revert,
    id: BackupId,
) -> Result<(Subject, RestorePlan), BackupError> {
    let former = kept(inner, &wanted.app, wanted.id).await?;
    let subject = inner.subject(&wanted.app, Some(&former.plan.service)).await?;
    let plan = match &subject.data {
        Data::Postgres(_) => back_of_postgres(inner, &subject, (wanted, &former), id).await?,
        Data::Mysql(data) => mysql::plan_revert((inner, &subject, data), (wanted, &former), id).await?,
        Data::Redis(clues) => redis::plan_revert((inner, &subject, clues), (wanted, &former), id).await?,
    };
    Ok((subject, plan))
}

async fn back_of_postgres(
    inner: &Inner,
    subject: &Subject,
    (wanted, former): (&Revert, &RestoreRow),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    let postgres = server(inner, subject).await?;
    let failed = |source: PostgresError| BackupError::Restoring {
        service: subject.service.clone(),
        source: source.into(),
    };
    let there = postgres.database_names().await.map_err(failed)?;
    let mut databases = Vec::new();
    for planned in &former.plan.databases {
        let Some(fresh) = planned.former.clone().filter(|name| former.kept.contains(name)) else { continue };
        if !there.contains(&fresh) {
            return Err(BackupError::NothingKept { id: wanted.id });
        }
        databases.push(PlannedDatabase { fresh, ..plan::in_place(&planned.name, &there, id) });
    }
    let place = serving(inner, (&subject.app, &subject.service), (&postgres, &databases)).await?;
    Ok(RestorePlan {
        app: wanted.app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Former(wanted.id),
        made_on: None,
        taken_at: former.started_at,
        plain: ByteCount::default(),
        revision: None,
        databases,
        place,
        replaces: Replaces::Databases,
    })
}

/// A restore that keeps what served before it.
pub(super) async fn kept(inner: &Inner, app: &AppName, id: BackupId) -> Result<RestoreRow, BackupError> {
    let row = inner.restores.row(&inner.droplet()?, id).await?;
    let row = row.filter(|row| row.plan.app == *app);
    let row = row.ok_or_else(|| BackupError::NoRestore { app: app.clone(), id })?;
    if row.kept.is_empty() { Err(BackupError::NothingKept { id }) } else { Ok(row) }
}

/// What opens it, if it can be opened at all.
pub(super) async fn open<'a>(
    inner: &Inner,
    (subject, backup): (&Subject, &Chosen),
    keys: FileKeys,
    progress: &'a Progress,
) -> Result<OpenBackup<'a>, BackupError> {
    let keys = Keys::of(inner, &backup.row, keys).await?;
    OpenBackup::find(inner, (subject, backup), keys, progress).await
}

pub(super) async fn server(inner: &Inner, subject: &Subject) -> Result<Postgres, BackupError> {
    let container = running(inner, subject).await?;
    Ok(Postgres::new(inner.engine.docker().clone(), &container.name, &subject.postgres()?.user))
}

/// The databases of the backup that are meant. The maintenance database, where it holds nothing, is none of them.
fn chosen(manifest: &Manifest, wanted: Option<&DatabaseName>) -> Result<Vec<DatabaseName>, BackupError> {
    let all: Vec<(&Part, DatabaseName)> = manifest.databases().collect();
    let known = || all.iter().map(|(_, name)| name.0.clone()).collect();
    let is_empty = |(part, name): &&(&Part, DatabaseName)| is_maintenance(name) && part.tables.is_empty();
    let chosen: Vec<DatabaseName> = match wanted {
        Some(wanted) => all.iter().map(|(_, name)| name).filter(|name| *name == wanted).cloned().collect(),
        None if all.len() == 1 => all.iter().map(|(_, name)| name.clone()).collect(),
        None => all.iter().filter(|one| !is_empty(one)).map(|(_, name)| name.clone()).collect(),
    };
    if chosen.is_empty() {
        let name = wanted.map(|name| name.0.clone());
        return Err(BackupError::NotInBackup { id: manifest.id, name, known: known() });
    }
    Ok(chosen)
}

pub(super) fn beside(
    chosen: &[DatabaseName],
    (into, there): (&DatabaseName, &BTreeSet<DatabaseName>),
) -> Result<PlannedDatabase, BackupError> {
    let name = || into.0.clone();
    let [source] = chosen else {
        let known = chosen.iter().map(|name| name.0.clone()).collect();
        return Err(BackupError::IntoMany { into: name(), known });
    };
    if into.0.is_empty() || into.0.len() > LONGEST_NAME {
        return Err(BackupError::IntoName { into: name() });
    }
    if there.contains(into) {
        return Err(BackupError::IntoTaken { into: name() });
    }
    Ok(PlannedDatabase { source: source.clone(), name: into.clone(), fresh: into.clone(), former: None })
}

/// Who stands still, once nothing ties the databases to their names.
async fn serving(
    inner: &Inner,
    (app, service): (&AppName, &ServiceName),
    (postgres, databases): (&Postgres, &[PlannedDatabase]),
) -> Result<Place, BackupError> {
    let failed =
        |source: PostgresError| BackupError::Restoring { service: service.clone(), source: source.into() };
    for planned in databases.iter().filter(|planned| planned.former.is_some()) {
        let ties = postgres.ties(&planned.name).await.map_err(failed)?;
        if !ties.is_empty() {
            let ties = ties.into_iter().collect();
            return Err(BackupError::Tied { database: planned.name.0.clone(), ties });
        }
    }
    standing(inner, (app, service)).await
}

/// Who stands still while something else takes the place of what a service serves.
pub(super) async fn standing(
    inner: &Inner,
    (app, service): (&AppName, &ServiceName),
) -> Result<Place, BackupError> {
    let refused = |source| BackupError::Release { app: app.clone(), source: Box::new(source) };
    let writers = inner.engine.writers(app, service).await.map_err(refused)?;
    let failed = |error| refused(crate::release::EngineError::Ingress(error));
    let routes = inner.engine.ingress().routes().await.map_err(failed)?;
    let is_routed = routes.iter().any(|(owner, served)| owner == app && !served.routes.is_empty());
    let now = inner.engine.ingress().maintenance(app).await.map_err(failed)?;
    let visitors = match now {
        Maintenance::Off if is_routed => Visitors::ToldToWait,
        Maintenance::Off | Maintenance::On => Visitors::AsBefore,
    };
    Ok(Place::Serving { writers, visitors })
}
