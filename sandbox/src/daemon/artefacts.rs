//! What droplets can download: `http://10.0.2.100:8080/tidegate-agent`. Served on a socket that every machine's network
//! leads to.
//!
//! On disk, in `agent/` of the state directory: `tidegate-agent-<sha256>`, and `agent.json`: `{"sha256"}`, which names the
//! current one and is replaced as a whole.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;

use crate::{
    files::{private_dir, replace_file},
    qemu::command::GUEST_ARTEFACTS,
};

const ABOUT: &str = "agent.json";
/// Larger than any agent; a wrong path shall not fill the state directory.
const MAX_AGENT: u64 = 512 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct About {
    sha256: String,
}

/// Where droplets find the agent.
pub fn agent_url() -> String {
    format!("http://{GUEST_ARTEFACTS}/tidegate-agent")
}

/// Takes a copy of the agent's program; returns its SHA-256.
///
/// # Errors
/// When it is no file or cannot be copied.
pub fn keep_agent(dir: &Path, program: &Path) -> io::Result<String> {
    let about = fs_err::metadata(program)?;
    if !about.is_file() || about.len() > MAX_AGENT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not the agent's program (a file of at most 512 MiB)", program.display()),
        ));
    }
    private_dir(dir)?;
    let bytes = fs_err::read(program)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let before = agent_sha256(dir)?;
    replace_file(dir, &file_name(&sha256), &bytes)?;
    let about = serde_json::to_vec(&About { sha256: sha256.clone() })?;
    replace_file(dir, ABOUT, &about)?;
    if let Some(before) = before.filter(|before| *before != sha256) {
        crate::files::remove_if_there(&dir.join(file_name(&before)))?;
    }
    Ok(sha256)
}

/// SHA-256 of the agent that is served, if there is one.
///
/// # Errors
/// When it cannot be read.
pub fn agent_sha256(dir: &Path) -> io::Result<Option<String>> {
    match fs_err::read(dir.join(ABOUT)) {
        Ok(bytes) => Ok(serde_json::from_slice::<About>(&bytes).ok().map(|about| about.sha256)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn file_name(sha256: &str) -> String {
    format!("tidegate-agent-{sha256}")
}

/// The server.
pub fn router(dir: PathBuf) -> Router {
    Router::new().route("/tidegate-agent", get(agent)).with_state(Arc::new(dir))
}

async fn agent(State(dir): State<Arc<PathBuf>>) -> Response {
    let file = match agent_sha256(&dir) {
        Ok(Some(sha256)) => fs_err::tokio::File::open(dir.join(file_name(&sha256))).await,
        Ok(None) => {
            let why = "the sandbox was given no agent; start it with --agent FILE\n";
            return (StatusCode::NOT_FOUND, why).into_response();
        }
        Err(error) => Err(error),
    };
    let opened = match file {
        Ok(file) => file.metadata().await.map(|about| (file, about.len())),
        Err(error) => Err(error),
    };
    match opened {
        Ok((file, length)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_LENGTH, length.to_string()),
            ];
            (headers, Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_agent_takes_the_place_of_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, program) = (dir.path().join("agent"), dir.path().join("program"));
        assert_eq!(agent_sha256(&kept).unwrap(), None);
        fs_err::write(&program, "one").unwrap();
        let one = keep_agent(&kept, &program).unwrap();
        assert_eq!(keep_agent(&kept, &program).unwrap(), one);
        fs_err::write(&program, "two").unwrap();
        let two = keep_agent(&kept, &program).unwrap();
        assert_ne!(one, two);
        assert_eq!(agent_sha256(&kept).unwrap(), Some(two.clone()));
        assert_eq!(fs_err::read_to_string(kept.join(file_name(&two))).unwrap(), "two");
        assert!(!kept.join(file_name(&one)).exists());
        assert!(keep_agent(&kept, dir.path()).is_err());
    }
}
