//! Docker's own words: what its API answers, as it answers it. A typed client would drop what it does not know, and a
//! program for each question would take longer than all that is asked about.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::PATIENCE;

/// A kind of object that a project has.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Network,
    Volume,
}

/// A Docker engine, asked and told by plain requests.
#[derive(Clone, Debug)]
pub struct EngineApi {
    socket: PathBuf,
}

impl EngineApi {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Ids of a project's containers, also of those that do not run.
    pub async fn containers(&self, project: &str) -> Vec<String> {
        let list = self.get(&format!("/containers/json?all=1&{}", of(project))).await;
        texts(&list, "Id")
    }

    /// What `docker inspect` prints of containers: a list.
    pub async fn inspect(&self, ids: &[String]) -> Value {
        let mut list = Vec::new();
        for id in ids {
            list.push(self.get(&format!("/containers/{id}/json")).await);
        }
        Value::Array(list)
    }

    /// Ids of a project's networks, or names of its volumes.
    pub async fn of_kind(&self, kind: Kind, project: &str) -> Vec<String> {
        match kind {
            Kind::Network => texts(&self.get(&format!("/networks?{}", of(project))).await, "Id"),
            Kind::Volume => texts(&self.get(&format!("/volumes?{}", of(project))).await["Volumes"], "Name"),
        }
    }

    /// Removes a network or volume, or has to find it gone.
    pub async fn remove(&self, kind: Kind, id: &str) {
        let path = match kind {
            Kind::Network => format!("/networks/{id}"),
            Kind::Volume => format!("/volumes/{id}"),
        };
        let (status, answer) = self.ask("DELETE", &path).await;
        assert!(matches!(status, 204 | 404), "DELETE {path}: {status} {answer}");
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path).await;
        assert_eq!(status, 200, "GET {path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// The status and the body. HTTP/1.0: the answer ends where the connection does.
    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let exchange = async {
            let mut stream = UnixStream::connect(&self.socket).await.unwrap();
            let request = format!("{method} {path} HTTP/1.0\r\nHost: docker\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer =
            timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("{method} {path}: no answer"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{method} {path}: {head}")), body.to_owned())
    }
}

/// The filter for a project's own.
fn of(project: &str) -> String {
    let filters = json!({ "label": [format!("com.docker.compose.project={project}")] }).to_string();
    let encoded = filters.bytes().map(|byte| format!("%{byte:02X}"));
    format!("filters={}", encoded.collect::<String>())
}

/// One text of each object of a list.
fn texts(list: &Value, key: &str) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|object| object[key].as_str().unwrap().to_owned()).collect()
}
