//! Restores into a MariaDB or MySQL: databases come beside those that serve, are looked at, and their tables change their places in
//! one statement.
//!
//! Owns the order of that, and that it can be done again from anywhere. A database cannot change its name, and triggers, views,
//! routines and events not their database: where there are any, only a restore beside what serves is possible, and that is said
//! before anything changes.
//!
//! Of a plan's databases `fresh` is where the backup is read into, `former` where the tables go that serve now; none where there
//! are none. A fresh database without tables is one that took its place, and is removed.

use std::collections::BTreeSet;

use super::{
    super::{
        BackupError, BackupId, Inner, MadeOn, judge,
        opened::mysql::databases_of,
        row::Facts,
        source::answering_mysql,
        space,
        subject::{MysqlData, Subject},
    },
    Restore, RestorePlan, RestoreRow, Revert, admit,
    course::{Course, Source},
    plan::{self, Place, PlannedDatabase, Replaces, RestoreSource},
};
use crate::{
    backup::{ByteCount, Manifest},
    mysql::{Move, Mysql, MysqlError},
    postgres::DatabaseName,
};

/// What a restore of a backup does.
pub(super) async fn plan(
    (inner, subject, data): (&Inner, &Subject, &MysqlData),
    (wanted, manifest): (&Restore, &Manifest),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    if wanted.scrub.is_some() {
        return Err(BackupError::NoScrub { engine: subject.data.kind().name() });
    }
    let mysql = answering_mysql(inner, (subject, data)).await?;
    let there = names((subject, &mysql)).await?;
    let chosen = chosen(manifest, wanted.database.as_ref())?;
    let databases = match &wanted.into {
        Some(into) => vec![admit::beside(&chosen, (into, &there))?],
        None => in_place((subject, &mysql), (&chosen, &there), id).await?,
    };
    let place = match &wanted.into {
        Some(_) => Place::Beside,
        None => admit::standing(inner, (&subject.app, &subject.service)).await?,
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
pub(super) async fn plan_revert(
    (inner, subject, data): (&Inner, &Subject, &MysqlData),
    (wanted, former): (&Revert, &RestoreRow),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    let mysql = answering_mysql(inner, (subject, data)).await?;
    let there = names((subject, &mysql)).await?;
    let mut databases = Vec::new();
    for planned in &former.plan.databases {
        let Some(fresh) = planned.former.clone().filter(|name| former.kept.contains(name)) else { continue };
        if !there.contains(&fresh) {
            return Err(BackupError::NothingKept { id: wanted.id });
        }
        let name = std::slice::from_ref(&planned.name);
        let beside = in_place((subject, &mysql), (name, &there), id).await?;
        databases.extend(beside.into_iter().map(|beside| PlannedDatabase { fresh: fresh.clone(), ..beside }));
    }
    Ok(RestorePlan {
        app: wanted.app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Former(wanted.id),
        made_on: None,
        taken_at: former.started_at,
        plain: ByteCount::default(),
        revision: None,
        databases,
        place: admit::standing(inner, (&subject.app, &subject.service)).await?,
        replaces: Replaces::Databases,
    })
}

/// Databases that take the place of those of their names, where all of those can go.
async fn in_place(
    (subject, mysql): (&Subject, &Mysql),
    (chosen, there): (&[DatabaseName], &BTreeSet<DatabaseName>),
    id: BackupId,
) -> Result<Vec<PlannedDatabase>, BackupError> {
    let version = mysql.version().await.map_err(|error| failed(subject, error))?;
    if !version.renames_at_once() {
        return Err(failed(subject, MysqlError::OldServer(version.to_string())));
    }
    let mut databases = Vec::new();
    for source in chosen {
        let mut planned = plan::in_place(source, there, id);
        let contents = mysql.contents(source).await.map_err(|error| failed(subject, error))?;
        only_tables((subject, source), contents.others)?;
        if contents.movable.is_empty() {
            planned.former = None;
        }
        databases.push(planned);
    }
    Ok(databases)
}

fn only_tables(
    (subject, database): (&Subject, &DatabaseName),
    others: Vec<String>,
) -> Result<(), BackupError> {
    if others.is_empty() {
        return Ok(());
    }
    Err(failed(subject, MysqlError::NotOnlyTables { database: database.0.clone(), what: others }))
}

/// The databases of the backup that are meant.
fn chosen(manifest: &Manifest, wanted: Option<&DatabaseName>) -> Result<Vec<DatabaseName>, BackupError> {
    let all: Vec<DatabaseName> = databases_of(manifest).map(|(_, name)| name).collect();
    let chosen: Vec<DatabaseName> =
        all.iter().filter(|name| wanted.is_none_or(|wanted| *name == wanted)).cloned().collect();
    if chosen.is_empty() {
        let name = wanted.map(|name| name.0.clone());
        let known = all.into_iter().map(|name| name.0).collect();
        return Err(BackupError::NotInBackup { id: manifest.id, name, known });
    }
    Ok(chosen)
}

/// Reads the databases in beside those that serve, and looks at what came of them.
pub(super) async fn bring(course: &Course<'_>, data: &MysqlData) -> Result<(), BackupError> {
    let (inner, subject) = (course.inner, course.subject);
    let Some(Source { opened: backup, .. }) = &course.backup else {
        return match course.plan.source {
            RestoreSource::Former(_) => Ok(()),
            RestoreSource::Backup(_) => Err(BackupError::CutOff),
        };
    };
    let mysql = answering_mysql(inner, (subject, data)).await?;
    let planned =
        |source: &DatabaseName| course.plan.databases.iter().find(|planned| planned.source == *source);
    let mut differences = Vec::new();
    for (part, source) in databases_of(&backup.manifest) {
        let Some(planned) = planned(&source) else { continue };
        let refused = |error| failed(subject, error);
        mysql.drop_database(&planned.fresh).await.map_err(refused)?;
        mysql.create_database(&planned.fresh).await.map_err(refused)?;
        differences.extend(backup.restore_mysql(&mysql, (part, &source), &planned.fresh).await?);
        if course.plan.place != Place::Beside {
            let others = mysql.contents(&planned.fresh).await.map_err(refused)?.others;
            only_tables((subject, &source), others)?;
        }
    }
    if !differences.is_empty() {
        let id = backup.folder.id();
        return Err(BackupError::Differs { id, differences: judge::bounded(differences) });
    }
    let restored = |source: &DatabaseName| planned(source).map(|planned| planned.fresh.clone());
    backup.checks_mysql(&mysql, &data.databases, restored).await
}

/// Removes what was restored, unless it was there before.
pub(super) async fn throw_away(course: &Course<'_>, data: &MysqlData) -> Result<(), BackupError> {
    if let RestoreSource::Former(_) = course.plan.source {
        return Ok(());
    }
    let fresh: Vec<DatabaseName> =
        course.plan.databases.iter().map(|planned| planned.fresh.clone()).collect();
    drop_kept((course.inner, course.subject, data), &fresh).await
}

pub(super) async fn drop_kept(
    (inner, subject, data): (&Inner, &Subject, &MysqlData),
    kept: &[DatabaseName],
) -> Result<(), BackupError> {
    let mysql = answering_mysql(inner, (subject, data)).await?;
    for name in kept {
        mysql.drop_database(name).await.map_err(|error| failed(subject, error))?;
    }
    Ok(())
}

/// All tables change their places in one statement.
pub(super) async fn replace(course: &Course<'_>, data: &MysqlData) -> Result<(), BackupError> {
    let subject = course.subject;
    let mysql = answering_mysql(course.inner, (subject, data)).await?;
    let refused = |error| failed(subject, error);
    let there = names((subject, &mysql)).await?;
    let mut moves = Vec::new();
    for planned in &course.plan.databases {
        let PlannedDatabase { name, fresh, former, .. } = planned;
        for missing in former.iter().chain([name]).filter(|name| !there.contains(name)) {
            mysql.create_database(missing).await.map_err(refused)?;
        }
        if !is_swapped((subject, &mysql), planned).await? {
            if let Some(former) = former {
                moves.push(all_of(&mysql, (name, former)).await.map_err(refused)?);
            }
            moves.push(all_of(&mysql, (fresh, name)).await.map_err(refused)?);
        }
    }
    mysql.move_tables(&moves).await.map_err(refused)?;
    for planned in &course.plan.databases {
        mysql.drop_database(&planned.fresh).await.map_err(refused)?;
    }
    Ok(())
}

/// Puts back what served before.
pub(super) async fn put_back(course: &Course<'_>, data: &MysqlData) -> Result<(), BackupError> {
    let subject = course.subject;
    let mysql = answering_mysql(course.inner, (subject, data)).await?;
    let refused = |error| failed(subject, error);
    let there = names((subject, &mysql)).await?;
    let mut moves = Vec::new();
    for planned in &course.plan.databases {
        let PlannedDatabase { name, fresh, former, .. } = planned;
        if !is_swapped((subject, &mysql), planned).await? {
            continue;
        }
        if !there.contains(fresh) {
            mysql.create_database(fresh).await.map_err(refused)?;
        }
        moves.push(all_of(&mysql, (name, fresh)).await.map_err(refused)?);
        if let Some(former) = former {
            moves.push(all_of(&mysql, (former, name)).await.map_err(refused)?);
        }
    }
    mysql.move_tables(&moves).await.map_err(refused)?;
    for former in course.plan.formers() {
        // Its tables are back where they were, or never left.
        if mysql.contents(former).await.map_err(refused)?.movable.is_empty() {
            mysql.drop_database(former).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// Whether a database has its restored tables: then those that served are where they were to go, or, where none served, none wait.
async fn is_swapped(
    (subject, mysql): (&Subject, &Mysql),
    planned: &PlannedDatabase,
) -> Result<bool, BackupError> {
    let told = planned.former.as_ref().unwrap_or(&planned.fresh);
    let has_tables = !mysql.contents(told).await.map_err(|error| failed(subject, error))?.movable.is_empty();
    Ok(has_tables == planned.former.is_some())
}

async fn all_of(mysql: &Mysql, (from, to): (&DatabaseName, &DatabaseName)) -> Result<Move, MysqlError> {
    let tables = mysql.contents(from).await?.movable;
    Ok(Move { from: from.clone(), to: to.clone(), tables })
}

async fn names((subject, mysql): (&Subject, &Mysql)) -> Result<BTreeSet<DatabaseName>, BackupError> {
    let names = mysql.databases().await.map_err(|error| failed(subject, error))?;
    Ok(names.into_iter().collect())
}

fn failed(subject: &Subject, error: MysqlError) -> BackupError {
    BackupError::Restoring { service: subject.service.clone(), source: error.into() }
}
