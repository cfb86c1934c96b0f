//! Images: what a name stands for in its registry, pulling by digest, what is there.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use bollard::{
    auth::DockerCredentials,
    query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder, TagImageOptionsBuilder},
};
use futures::StreamExt as _;

use super::{Access, Docker, DockerError, Platform, client::within};

/// A registry's answer about a name.
const RESOLVE: Duration = Duration::from_mins(1);
/// A pull that makes no progress for so long is given up.
const PULL_SILENCE: Duration = Duration::from_mins(2);

/// An image name taken apart: repository and tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As it is written.
    pub text: String,
    /// Registry and path.
    pub repository: String,
    /// The tag; `latest` when none is written and no digest either.
    pub tag: Option<String>,
    /// `sha256:...`
    pub digest: Option<String>,
}

impl Reference {
    /// Takes a name apart; what is wrong with it the engine says better.
    pub fn parse(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let tagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let (repository, tag) = match tagged {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None if digest.is_none() => (name, Some("latest".to_owned())),
            None => (name, None),
        };
        Self { text: text.to_owned(), repository: repository.to_owned(), tag, digest }
    }

    /// The registry: `registry.example.com:5000`, or `docker.io` where none is written.
    pub fn registry(&self) -> &str {
        let first = self.repository.split_once('/').map_or("", |(first, _)| first);
        let is_host = first.contains(['.', ':']) || first == "localhost";
        match first {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host if is_host => host,
            _ => "docker.io",
        }
    }

    /// `repository@digest`
    pub fn with_digest(&self, digest: &str) -> String {
        format!("{}@{digest}", self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is known about an image that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// `sha256:...` of its configuration.
    pub id: String,
    /// Names with digests under which it was pulled; empty when it came from no registry.
    pub repo_digests: Vec<String>,
    /// Names with tags that it bears, as Docker lists them.
    pub tags: Vec<String>,
    /// Its size in bytes, layers that others have too included.
    pub size: u64,
    /// Whether it has a health check of its own.
    pub has_healthcheck: bool,
    /// Paths that it declares as volumes.
    pub volumes: Vec<String>,
    /// What it starts before a command.
    pub entrypoint: Vec<String>,
    /// What it is made for, where it says so.
    pub platform: Option<Platform>,
}

/// What a registry says about a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The digest that the name has now.
    pub digest: String,
    /// What the image is made for; empty where the registry does not tell.
    pub platforms: Vec<Platform>,
}

/// How far a pull is, summed over its layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are here.
    pub current: u64,
    /// Bytes in all, as far as known.
    pub total: u64,
}

impl Docker {
    /// The image of that name, if it is there.
    ///
    /// # Errors
    /// When the engine refuses or does not answer.
    pub async fn image(&self, name: &str) -> Result<Option<ImageFacts>, DockerError> {
        let doing = format!("look at the image {name}");
        let api = self.api().await?;
        let image = match within(&doing, super::client::CALL, api.inspect_image(name)).await {
            Ok(image) => image,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let config = image.config.unwrap_or_default();
        let test = config.healthcheck.and_then(|check| check.test).unwrap_or_default();
        Ok(Some(ImageFacts {
            id: image.id.unwrap_or_default(),
            repo_digests: image.repo_digests.unwrap_or_default(),
            tags: image.repo_tags.unwrap_or_default(),
            size: image.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            has_healthcheck: test.first().is_some_and(|first| first != "NONE"),
            volumes: config.volumes.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            platform: Platform::new(image.os.as_deref(), image.architecture.as_deref()),
        }))
    }

    /// The images that bear no tag, with the digests under which they were pulled.
    ///
    /// # Errors
    /// When the engine refuses or does not answer.
    pub async fn untagged_images(&self) -> Result<Vec<ImageFacts>, DockerError> {
        let filters = HashMap::from([("dangling".to_owned(), vec!["true".to_owned()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let list =
            within("list the images", super::client::CALL, self.api().await?.list_images(Some(options)));
        let mut images = Vec::new();
        for summary in list.await? {
            // One that went meanwhile is none.
            images.extend(self.image(&summary.id).await?.filter(|image| image.tags.is_empty()));
        }
        Ok(images)
    }

    /// The digest that the name has in its registry now, and what the image is made for.
    ///
    /// # Errors
    /// When there is no such image, or the registry does not answer.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, DockerError> {
        let doing = format!("find the image {reference} in its registry");
        let api = self.api().await?;
        let login = self.login(&doing, reference)?;
        let answer = within(&doing, RESOLVE, api.inspect_registry_image(&reference.text, login)).await?;
        let platform =
            |one: bollard::models::OciPlatform| Platform::new(one.os.as_deref(), one.architecture.as_deref());
        let platforms = answer.platforms.into_iter().filter_map(platform).collect();
        let message = "the registry told no digest".to_owned();
        let digest = answer.descriptor.digest.ok_or(DockerError::Refused { doing, message })?;
        Ok(Resolved { digest, platforms })
    }

    /// Pulls the image of that digest and gives it the name as it is written.
    ///
    /// # Errors
    /// When it cannot be had, or no progress is made for two minutes.
    pub async fn pull(
        &self,
        reference: &Reference,
        digest: &str,
        mut progress: impl FnMut(PullProgress) + Send,
    ) -> Result<(), DockerError> {
        let doing = format!("pull the image {reference}");
        let api = self.api().await?;
        let options =
            CreateImageOptionsBuilder::default().from_image(&reference.repository).tag(digest).build();
        let login = self.login(&doing, reference)?;
        let mut stream = api.create_image(Some(options), None, login);
        let mut layers: BTreeMap<String, PullProgress> = BTreeMap::new();
        loop {
            let next = tokio::time::timeout(PULL_SILENCE, stream.next()).await;
            let Ok(next) = next else {
                return Err(DockerError::Deadline { doing, deadline: PULL_SILENCE });
            };
            let Some(info) = next else { break };
            let info = match info {
                Ok(info) => info,
                // The client takes a stream for broken whose last line end comes by itself. A digest is here whole or not at all.
                Err(error) => match self.image(&reference.with_digest(digest)).await {
                    Ok(Some(_)) => break,
                    Ok(None) | Err(_) => return Err(DockerError::new(&doing, error)),
                },
            };
            if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
                return Err(DockerError::Refused { doing, message });
            }
            let (Some(id), Some(detail)) = (info.id, info.progress_detail) else {
                continue;
            };
            if info.status.as_deref() != Some("Downloading") {
                continue;
            }
            let bytes = |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).unwrap_or(0);
            layers.insert(id, PullProgress { current: bytes(detail.current), total: bytes(detail.total) });
            progress(layers.values().fold(PullProgress::default(), |sum, layer| PullProgress {
                current: sum.current.saturating_add(layer.current),
                total: sum.total.saturating_add(layer.total),
            }));
        }
        drop(stream);
        self.tag(&reference.with_digest(digest), reference).await
    }

    /// The login at the image's registry, if there is one.
    fn login(&self, doing: &str, reference: &Reference) -> Result<Option<DockerCredentials>, DockerError> {
        match self.logins().access(reference) {
            Ok(Access::Login(login)) => Ok(Some(login.credentials())),
            Ok(Access::Anonymous | Access::Helper(_)) => Ok(None),
            Err(source) => Err(DockerError::Login { doing: doing.to_owned(), source }),
        }
    }

    /// Gives an image that is there the name as it is written; a name with a digest needs none.
    ///
    /// # Errors
    /// When there is no such image.
    pub async fn tag(&self, image: &str, reference: &Reference) -> Result<(), DockerError> {
        let Some(tag) = reference.tag.as_deref().filter(|_| reference.digest.is_none()) else {
            return Ok(());
        };
        let options = TagImageOptionsBuilder::default().repo(&reference.repository).tag(tag).build();
        let doing = format!("name an image {reference}");
        within(&doing, super::client::CALL, self.api().await?.tag_image(image, Some(options))).await
    }

    /// Takes the name away; the image goes with its last name, unless something uses it.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn untag(&self, name: &str) -> Result<(), DockerError> {
        let doing = format!("take the name {name} from its image");
        let options = bollard::query_parameters::RemoveImageOptionsBuilder::default()
            .force(false)
            .noprune(true)
            .build();
        let api = self.api().await?;
        match within(&doing, super::client::CALL, api.remove_image(name, Some(options), None)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_images() {
        for (text, registry) in [
            ("caddy", "docker.io"),
            ("me/app:1", "docker.io"),
            ("docker.io/me/app", "docker.io"),
            ("localhost/app", "localhost"),
            ("r.example.com/a/b@sha256:ab", "r.example.com"),
            ("10.0.2.100:5000/shop/web", "10.0.2.100:5000"),
        ] {
            assert_eq!(Reference::parse(text).registry(), registry, "{text}");
        }
    }

    #[test]
    fn references_are_taken_apart() {
        for (text, repository, tag, digest) in [
            ("caddy", "caddy", Some("latest"), None),
            ("caddy:2", "caddy", Some("2"), None),
            ("10.0.2.100:5000/shop/web", "10.0.2.100:5000/shop/web", Some("latest"), None),
            ("r.example.com:5000/shop/web:v1", "r.example.com:5000/shop/web", Some("v1"), None),
            ("redis@sha256:ab", "redis", None, Some("sha256:ab")),
            ("redis:8@sha256:ab", "redis", Some("8"), Some("sha256:ab")),
        ] {
            let reference = Reference::parse(text);
            let found =
                (reference.repository.as_str(), reference.tag.as_deref(), reference.digest.as_deref());
            assert_eq!(found, (repository, tag, digest), "{text}");
        }
    }
}
