//! What was found of backups, as messages.

use tidegate_proto::v1;

use super::{super::convert, row};
use crate::{
    backup::{
        ByteCount, Manifest, Part,
        catalog::{Orphan, Unseen},
        manifest::{Content, TableCount},
    },
    backup_runs::{Copy, Listed, Listing, MadeOn, Pruned, Shown},
    release::chain,
};

pub(super) fn listing(listing: Listing) -> v1::BackupsResponse {
    let Listing { backups, orphans, unseen } = listing;
    v1::BackupsResponse {
        backups: backups.into_iter().map(listed).collect(),
        leftovers: orphans.iter().map(leftover).collect(),
        unseen: unseen.iter().map(not_seen).collect(),
    }
}

pub(super) fn shown(shown: Shown) -> v1::ShowBackupResponse {
    let Shown { row, copies, manifest } = shown;
    v1::ShowBackupResponse {
        backup: Some(row::summary(row)),
        copies: copies.into_iter().map(copy).collect(),
        manifest: manifest.map(contents),
    }
}

pub(super) fn pruned(pruned: Pruned) -> v1::PrunedService {
    let Pruned { service, stays, goes, orphans, deleted } = pruned;
    let stays = stays.into_iter().map(|(id, reasons)| v1::KeptBackup { id: id.to_string(), reasons });
    let goes = goes.into_iter().map(|(id, reason)| v1::GoneBackup { id: id.to_string(), reason });
    let folder = |(folder, bytes): (String, ByteCount)| v1::PrunedFolder { folder, bytes: bytes.get() };
    v1::PrunedService {
        service: service.to_string(),
        stays: stays.collect(),
        goes: goes.collect(),
        leftovers: orphans.into_iter().map(folder).collect(),
        deleted: deleted.backups.iter().map(ToString::to_string).collect(),
        deleted_bytes: deleted.bytes.get(),
        failures: deleted.failures.into_iter().map(convert::failure).collect(),
    }
}

fn listed(listed: Listed) -> v1::ListedBackup {
    let Listed { row, copies, made_on } = listed;
    v1::ListedBackup {
        backup: Some(row::summary(row)),
        copies: copies.into_iter().map(copy).collect(),
        from: made_on.map(origin),
    }
}

pub(in crate::api) fn origin(made_on: MadeOn) -> v1::BackupOrigin {
    let MadeOn { environment, droplet, app, service } = made_on;
    v1::BackupOrigin {
        environment: environment.to_string(),
        app: app.to_string(),
        service: service.to_string(),
        droplet: droplet.get(),
    }
}

fn copy(Copy { at, damage }: Copy) -> v1::BackupCopy {
    v1::BackupCopy { at, damage }
}

fn leftover(orphan: &Orphan) -> v1::BackupLeftover {
    v1::BackupLeftover {
        at: orphan.at.clone(),
        folder: orphan.folder.name().map(|name| name.to_string()).unwrap_or_default(),
        bytes: orphan.bytes.get(),
        newest: Some(convert::timestamp(orphan.newest)),
    }
}

fn not_seen(unseen: &Unseen) -> v1::UnseenDestination {
    v1::UnseenDestination { at: unseen.at.clone(), cause: chain(&unseen.error) }
}

fn contents(manifest: Manifest) -> v1::BackupManifest {
    v1::BackupManifest {
        taken_at: Some(convert::timestamp(manifest.taken_at)),
        tool_version: manifest.engine.tool_version,
        image: manifest.engine.image,
        image_id: manifest.engine.image_id,
        recipients: manifest.recipients,
        parts: manifest.parts.into_iter().map(part).collect(),
    }
}

fn part(part: Part) -> v1::BackupPart {
    let rows = |TableCount { schema, name, rows }| v1::TableRows { schema, name, rows };
    v1::BackupPart {
        name: part.name.to_string(),
        content: content(&part.content),
        plain_bytes: part.plain.bytes.get(),
        stored_bytes: part.stored.bytes.get(),
        stored_sha256: part.stored.sha256.to_string(),
        tables: part.tables.into_iter().map(rows).collect(),
    }
}

fn content(content: &Content) -> String {
    match content {
        Content::PostgresDump { database } | Content::MySqlDump { database } => {
            format!("database {database}")
        }
        Content::PostgresGlobals => "roles and tablespaces".to_owned(),
        Content::RedisSnapshot => "all databases".to_owned(),
        Content::SqliteFile { path } => format!("file {path}"),
        Content::VolumeArchive { volume } => format!("volume {volume}"),
    }
}
