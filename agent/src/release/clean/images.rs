//! Images: those beyond retention, and those of ours that bear no name.

use std::collections::BTreeSet;

use super::{Cleaned, Leftover, LeftoverKind, Mode};
use crate::{
    docker::{DockerError, ImageFacts, Reference},
    release::{
        ReleaseRow,
        engine::Inner,
        retention::{Extent, Images},
    },
};

pub(super) async fn clean(inner: &Inner, rows: &[ReleaseRow], (mode, cleaned): (Mode, &mut Cleaned)) {
    let images = Images { docker: &inner.docker, store: &inner.store, paths: &inner.paths };
    let looked = async {
        let mut due = images.due(Extent::AsWritten).await?;
        let (kept, used) = (images.kept(rows), images.used().await?);
        let ours = repositories(rows);
        for image in inner.docker.untagged_images().await? {
            let is_known = due.iter().any(|one: &ImageFacts| one.id == image.id);
            let is_needed = kept.contains(&image.id) || used.contains(&image.id);
            if !is_known && !is_needed && is_ours(&image, &ours) {
                due.push(image);
            }
        }
        Ok::<_, DockerError>(due)
    };
    let due = match looked.await {
        Ok(due) => due,
        Err(error) => return cleaned.trouble("images", &error),
    };
    for image in due {
        let name = match (image.tags.first(), image.repo_digests.first()) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => digest.clone(),
            (None, None) => image.id.clone(),
        };
        if mode == Mode::Remove
            && let Err(error) = images.remove(&image).await
        {
            cleaned.trouble(&format!("image {name}"), &error);
            continue;
        }
        cleaned.gone.push(Leftover { kind: LeftoverKind::Image, name, bytes: image.size });
    }
}

/// The repositories of the images that releases had from a registry.
fn repositories(rows: &[ReleaseRow]) -> BTreeSet<String> {
    let images = rows.iter().flat_map(|row| &row.images).filter(|image| image.digest.is_some());
    images.map(|image| short(&Reference::parse(&image.reference).repository).to_owned()).collect()
}

/// Whether it is without a name and came from a repository that our releases use, so that it could be had again.
fn is_ours(image: &ImageFacts, ours: &BTreeSet<String>) -> bool {
    let came_from = |digest: &String| ours.contains(short(&Reference::parse(digest).repository));
    image.tags.is_empty() && !image.repo_digests.is_empty() && image.repo_digests.iter().all(came_from)
}

/// As Docker lists it.
fn short(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{ReleaseImage, ReleaseState};

    #[test]
    fn an_image_without_a_name_is_ours_when_all_that_it_came_from_is() {
        let image = |reference: &str, digest: Option<&str>| ReleaseImage {
            reference: reference.to_owned(),
            id: "i".to_owned(),
            digest: digest.map(str::to_owned),
        };
        let row = ReleaseRow {
            images: vec![
                image("docker.io/library/web:7", Some("sha256:d")),
                image("r.example.com:5000/shop/db@sha256:d", Some("sha256:d")),
                image("built-here", None),
            ],
            ..ReleaseRow::in_state("shop", 1, ReleaseState::Released)
        };
        let ours = repositories(&[row]);
        let judged = |tags: &[&str], digests: &[&str]| {
            let text = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
            is_ours(
                &ImageFacts { tags: text(tags), repo_digests: text(digests), ..ImageFacts::default() },
                &ours,
            )
        };
        assert!(judged(&[], &["web@sha256:a"]));
        assert!(judged(&[], &["r.example.com:5000/shop/db@sha256:a"]));
        assert!(!judged(&["web:7"], &["web@sha256:a"]), "it has a name");
        assert!(!judged(&[], &["web@sha256:a", "mine@sha256:a"]), "somebody else's too");
        assert!(!judged(&[], &["built-here@sha256:a"]), "nobody could bring it back");
        assert!(!judged(&[], &[]), "nobody knows where it came from");
    }
}
