//! A MariaDB or MySQL of a backup's own image that lives only while something is tried out in it.

use std::{collections::BTreeMap, time::Duration};

use bollard::models::ContainerCreateBody;
use rand::RngExt as _;
use tokio::time::Instant;

use super::{Access, Mysql, MysqlError, QUESTION};
use crate::{
    docker::{AnonymousVolumes, Container, Docker, DockerError, PipeCommand},
    programs,
    scratch::{Guard, Room, host, labels, name},
};

/// Between looks at a server that starts.
const LOOK: Duration = Duration::from_millis(500);
/// How many last lines are told of one that does not start.
const LAST_LINES: u32 = 20;
/// Its data need not outlive a loss of power.
const UNSAFE_BUT_FAST: [&str; 2] = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"];

/// A scratch server.
pub struct Scratch {
    mysql: Mysql,
    guard: Guard,
}

impl Scratch {
    /// Makes and starts one of this image, which is on the droplet, and waits until it takes connections.
    ///
    /// # Errors
    /// When the image is not there, or the server does not start in time; nothing is left behind then.
    pub async fn start(
        docker: &Docker,
        (stem, purpose): (&str, &str),
        (image, deadline): (String, Duration),
    ) -> Result<Self, MysqlError> {
        let name = name(stem);
        let password = format!("{:032x}", rand::rng().random::<u128>());
        let guard = Guard::over(docker, &name, AnonymousVolumes::Remove);
        let body = body((image, purpose), &password);
        docker.create(&name, "", body).await.map_err(MysqlError::Docker)?;
        docker.start(&name).await.map_err(MysqlError::Docker)?;
        let variables = BTreeMap::from([("MARIADB_ROOT_PASSWORD".to_owned(), password)]);
        let mysql = started(docker, (&name, &Access::of(None, &variables)), deadline).await?;
        Ok(Self { mysql, guard })
    }

    /// The server in it.
    pub fn mysql(&self) -> &Mysql {
        &self.mysql
    }

    /// Removes it with all that it held.
    ///
    /// # Errors
    /// When Docker refuses.
    pub async fn remove(self) -> Result<(), DockerError> {
        self.guard.remove().await
    }
}

/// It is asked over TCP whether it is there: an image's first start has a server for a while that only listens on its unix socket,
/// and goes away again.
async fn started(
    docker: &Docker,
    (name, access): (&str, &Access),
    deadline: Duration,
) -> Result<Mysql, MysqlError> {
    let begun = Instant::now();
    let knock = "for each in mariadb mysql; do \"$each\" --version >/dev/null 2>&1 || continue; \
                 \"$each\" --protocol=tcp --host=127.0.0.1 --execute='SELECT 1' 2>&1; exit 0; done";
    let command = PipeCommand::new(["sh", "-c", knock]);
    loop {
        let found = docker.container(name).await.map_err(MysqlError::Docker)?;
        if !found.is_some_and(|found| Container::is_running(&found)) || begun.elapsed() >= deadline {
            let lines = docker.last_lines(name, LAST_LINES).await.map_err(MysqlError::Docker)?;
            return Err(MysqlError::NotStarted { within: begun.elapsed(), log: lines.join("\n") });
        }
        let told = programs::printed(docker, name, (&command, QUESTION)).await?.text;
        // Nobody who is refused was not heard.
        if (told.contains("Access denied") || told.trim() == "1" || told.starts_with("1\n"))
            && let Ok(mysql) = Mysql::find(docker, name, access).await
        {
            return Ok(mysql);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn body((image, purpose): (String, &str), password: &str) -> ContainerCreateBody {
    let variables = ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"];
    ContainerCreateBody {
        image: Some(image),
        cmd: Some(UNSAFE_BUT_FAST.map(str::to_owned).to_vec()),
        env: Some(variables.map(|name| format!("{name}={password}")).to_vec()),
        labels: Some(labels(purpose)),
        host_config: Some(host(Room::default())),
        ..ContainerCreateBody::default()
    }
}
