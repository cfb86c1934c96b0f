//! Puts an image into a registry (distribution API v2, plain HTTP): what is there already is not sent again.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http::{
    Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION},
    request::Builder,
};
use tokio::net::TcpStream;
use tokio_util::io::ReaderStream;

use crate::http_client::{self, HttpError, refused};

/// Media type of the manifest that is pushed.
pub const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

const ASK: Duration = Duration::from_secs(30);
const UPLOAD: Duration = Duration::from_mins(10);

/// Why an image was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Its files.
    #[error("the image's files cannot be read")]
    Io(#[from] io::Error),
    /// The registry.
    #[error("the registry at {registry} does not take the image")]
    Registry {
        /// Where it listens.
        registry: SocketAddr,
        /// Why.
        source: HttpError,
    },
    /// A name that is none.
    #[error("`{0}` is not an image name with a tag, such as `postgres:17`")]
    Name(String),
}

/// A file that a manifest refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:...`.
    pub digest: String,
    /// In bytes.
    pub size: u64,
    /// Where it lies.
    pub file: PathBuf,
}

/// An image to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its configuration and layers.
    pub blobs: Vec<Blob>,
    /// Its manifest.
    pub manifest: Vec<u8>,
    /// The manifest's digest.
    pub digest: String,
}

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was sent.
    Now,
    /// The registry had it.
    Already,
}

/// Repository and tag of a name; plain names lie in `library/`, as a mirror of Docker Hub has them.
///
/// # Errors
/// When it is no name with a tag.
pub fn place(name: &str) -> Result<(String, &str), PushError> {
    let wrong = || PushError::Name(name.to_owned());
    let (repository, tag) = name.rsplit_once(':').ok_or_else(wrong)?;
    let allowed = |text: &str, extra: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    if !allowed(tag, "._-")
        || !allowed(repository, "._-/")
        || repository.starts_with('/')
        || repository.ends_with('/')
    {
        return Err(wrong());
    }
    let repository =
        if repository.contains('/') { repository.to_owned() } else { format!("library/{repository}") };
    Ok((repository, tag))
}

/// Pushes an image under a name such as `postgres:17`.
///
/// # Errors
/// When its files cannot be read or the registry does not take it.
pub async fn push(registry: SocketAddr, name: &str, image: &Image) -> Result<Pushed, PushError> {
    let (repository, tag) = place(name)?;
    let to = Target { registry, repository };
    if to.has(&format!("manifests/{tag}"), Some(&image.digest)).await? {
        return Ok(Pushed::Already);
    }
    for blob in &image.blobs {
        if !to.has(&format!("blobs/{}", blob.digest), None).await? {
            to.upload(blob).await?;
        }
    }
    let request = Request::put(to.path(&format!("manifests/{tag}"))).header(CONTENT_TYPE, MANIFEST_TYPE);
    let answer = to.ask(request, Body::from(image.manifest.clone()), ASK).await?;
    to.answered(StatusCode::CREATED, "PUT of a manifest", &answer)?;
    Ok(Pushed::Now)
}

struct Target {
    registry: SocketAddr,
    repository: String,
}

impl Target {
    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.repository)
    }

    async fn has(&self, rest: &str, digest: Option<&str>) -> Result<bool, PushError> {
        let request = Request::head(self.path(rest)).header(ACCEPT, MANIFEST_TYPE);
        let answer = self.ask(request, Body::empty(), ASK).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.answered(StatusCode::OK, "HEAD", &answer)?;
        let said = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        Ok(digest.is_none() || digest == said)
    }

    async fn upload(&self, blob: &Blob) -> Result<(), PushError> {
        let answer = self.ask(Request::post(self.path("blobs/uploads/")), Body::empty(), ASK).await?;
        self.answered(StatusCode::ACCEPTED, "POST of an upload", &answer)?;
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location: Option<http::Uri> = location.and_then(|location| location.parse().ok());
        let place =
            location.as_ref().and_then(http::Uri::path_and_query).map(http::uri::PathAndQuery::as_str);
        let place = place.ok_or_else(|| self.failed(refused("POST of an upload (no Location)", &answer)))?;
        let sign = if place.contains('?') { '&' } else { '?' };
        let request = Request::put(format!("{place}{sign}digest={}", blob.digest))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, blob.size);
        let file = open(&blob.file).await?;
        let answer = self
            .ask(request, Body::from_stream(ReaderStream::with_capacity(file, 256 * 1024)), UPLOAD)
            .await?;
        self.answered(StatusCode::CREATED, "PUT of a blob", &answer)
    }

    async fn ask(
        &self,
        request: Builder,
        body: Body,
        patience: Duration,
    ) -> Result<Response<Bytes>, PushError> {
        let exchange = async {
            let request =
                request.header(HOST, self.registry.to_string()).body(body).map_err(HttpError::Request)?;
            let stream = TcpStream::connect(self.registry).await.map_err(HttpError::Connect)?;
            http_client::send(stream, request, patience).await
        };
        exchange.await.map_err(|error| self.failed(error))
    }

    fn answered(&self, status: StatusCode, what: &str, answer: &Response<Bytes>) -> Result<(), PushError> {
        if answer.status() == status { Ok(()) } else { Err(self.failed(refused(what, answer))) }
    }

    fn failed(&self, source: HttpError) -> PushError {
        PushError::Registry { registry: self.registry, source }
    }
}

async fn open(path: &Path) -> io::Result<fs_err::tokio::File> {
    fs_err::tokio::File::open(path).await
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
