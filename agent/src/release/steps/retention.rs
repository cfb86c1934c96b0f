//! Images of long past releases go. Those of the last releases of every app stay, for a rollback needs no registry then;
//! what a container uses stays, and what bears a name that no release gave it; and what came from no registry, for nobody
//! could bring it back.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    docker::{Docker, DockerError},
    release::{ReleaseRow, ReleaseState, chain, context::Context, store::ReleaseImage},
};

/// Of how many releases of an app, the serving one included, images are kept.
const KEPT: usize = 5;

/// Removes what may go; a failure harms nobody and is only logged.
pub(super) async fn images(context: &Context) {
    let rows = match context.store.releases(None).await {
        Ok(rows) => rows,
        Err(error) => return tracing::warn!(error = chain(&error), "old images were not looked for"),
    };
    let outdated = outdated(&rows);
    if outdated.is_empty() {
        return;
    }
    let containers = match context.docker.containers(&[]).await {
        Ok(containers) => containers,
        Err(error) => return tracing::warn!(error = chain(&error), "old images were not looked for"),
    };
    for (id, names) in outdated.into_iter().filter(|(id, _)| !containers.iter().any(|c| c.image_id == *id)) {
        match remove(&context.docker, id, &names).await {
            Ok(Removed::Yes) => tracing::info!(id, names = ?names, "the image of an old release was removed"),
            Ok(Removed::No) => {}
            Err(error) => {
                tracing::warn!(id, error = chain(&error), "the image of an old release could not be removed");
            }
        }
    }
}

enum Removed {
    Yes,
    No,
}

/// Ids of images that no kept release has, with the names that releases gave them. The rows are the latest first.
fn outdated(rows: &[ReleaseRow]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut served: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for row in rows.iter().filter(|row| is_served(row)) {
        let count = served.entry(row.app.as_str()).or_default();
        if *count < KEPT {
            kept.extend(row.images.iter().map(|image| image.id.as_str()));
        }
        *count = count.saturating_add(1);
    }
    let mut outdated: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ReleaseImage { reference, id, digest } in rows.iter().flat_map(|row| &row.images) {
        if digest.is_some() && !kept.contains(id.as_str()) {
            outdated.entry(id).or_default().insert(with_tag(reference));
        }
    }
    outdated
}

fn is_served(row: &ReleaseRow) -> bool {
    match row.state {
        ReleaseState::Released | ReleaseState::Superseded => true,
        ReleaseState::Running | ReleaseState::Undone | ReleaseState::Stuck | ReleaseState::Removed => false,
    }
}

/// As Docker lists it.
fn with_tag(reference: &str) -> String {
    let reference = crate::docker::Reference::parse(reference);
    let short = reference.repository.strip_prefix("docker.io/").unwrap_or(&reference.repository);
    let short = short.strip_prefix("library/").unwrap_or(short);
    format!("{short}:{}", reference.tag.as_deref().unwrap_or_default())
}

async fn remove(docker: &Docker, id: &str, names: &BTreeSet<String>) -> Result<Removed, DockerError> {
    let Some(image) = docker.image(id).await? else {
        return Ok(Removed::No);
    };
    if image.tags.iter().any(|tag| !names.contains(tag)) {
        return Ok(Removed::No);
    }
    for tag in &image.tags {
        docker.untag(tag).await?;
    }
    if docker.image(id).await?.is_some() {
        docker.untag(id).await?;
    }
    Ok(Removed::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(app: &str, number: u64, state: ReleaseState, images: &[(&str, &str, Option<&str>)]) -> ReleaseRow {
        let image = |(reference, id, digest): &(&str, &str, Option<&str>)| ReleaseImage {
            reference: (*reference).to_owned(),
            id: (*id).to_owned(),
            digest: digest.map(str::to_owned),
        };
        ReleaseRow { images: images.iter().map(image).collect(), ..ReleaseRow::in_state(app, number, state) }
    }

    #[test]
    fn what_the_last_releases_of_any_app_have_stays() {
        use ReleaseState::{Released, Superseded, Undone};
        let digest = Some("sha256:d");
        let mut rows = vec![row("blog", 1, Released, &[("web", "shared", digest)])];
        rows.push(row("shop", 9, Undone, &[]));
        rows.push(row("shop", 8, Released, &[("web:8", "i8", digest)]));
        for number in (1..=7).rev() {
            let (name, id) = (format!("docker.io/library/web:{number}"), format!("i{number}"));
            rows.push(row("shop", number, Superseded, &[(&name, &id, digest), ("own", "local", None)]));
        }
        rows.push(row("shop", 0, Superseded, &[("web", "shared", digest), ("web:8", "i8", digest)]));
        let found: Vec<(&str, Vec<String>)> =
            outdated(&rows).into_iter().map(|(id, names)| (id, names.into_iter().collect())).collect();
        let expected = [1, 2, 3].map(|n| (format!("i{n}"), vec![format!("web:{n}")]));
        let expected: Vec<(&str, Vec<String>)> =
            expected.iter().map(|(id, names)| (id.as_str(), names.clone())).collect();
        assert_eq!(found, expected);
    }
}
