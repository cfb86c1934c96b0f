//! The keys of one backup: its headers from the droplet that has it, unwrapped here.

use std::path::Path;

use tidegate_proto::v1::{BackupHeadersRequest, BackupOrigin, PartKey};

use super::found::{Found, ask};
use crate::{agents::Target, backup_keys::Identities, commands::reach::Reach};

/// Which backup it is.
pub(in crate::commands) struct Whose<'a> {
    pub app: &'a str,
    pub id: &'a str,
    /// Where it was made, unless on the droplet that is asked.
    pub from: Option<BackupOrigin>,
}

/// The file keys of a backup's parts, for the agent that is to open it.
///
/// # Errors
/// When the identity file cannot be used, no droplet has the backup, or it is not sealed to any key in the file.
pub(in crate::commands) async fn of(
    reach: &Reach,
    targets: &[Target],
    (whose, identity): (Whose<'_>, &Path),
) -> anyhow::Result<Vec<PartKey>> {
    // Before anybody is asked: what is wrong with the file is found without a droplet.
    let identities = Identities::read(identity)?;
    let Whose { app, id, from } = whose;
    let request = BackupHeadersRequest { app: app.to_owned(), id: id.to_owned(), from };
    let mut found = Found::default();
    for target in targets {
        let asked = ask((reach, target), request.clone(), async |mut client, request| {
            client.backup_headers(request).await
        });
        found.take(asked.await)?;
    }
    let mut keys = Vec::new();
    for header in found.all()?.into_iter().flat_map(|answer| answer.headers) {
        let file_key = identities.unwrap(&header.part, &header.header)?.to_vec();
        keys.push(PartKey { part: header.part, file_key });
    }
    Ok(keys)
}
