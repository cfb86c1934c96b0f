//! What has to hold after every fault, seen from outside: the ingress, the containers, the database, the files.

use std::collections::BTreeSet;

use bollard::query_parameters::ListContainersOptionsBuilder;
use tidegate_agent::release::{ReleaseRow, ReleaseState};

use super::{
    super::fixture::{self, Fixture, get},
    app::{APP, Content},
};

/// What may be left of a run of releases.
#[derive(Clone, Debug)]
pub struct World {
    /// Networks and volumes, as they were after the first release.
    pub kept: Vec<String>,
    /// Revisions that the database may have: of every release that was begun.
    pub revisions: BTreeSet<u32>,
}

/// Networks and volumes.
pub async fn kept(fixture: &Fixture) -> Vec<String> {
    let all = fixture.inventory().await;
    all.into_iter().filter(|name| name.starts_with("network ") || name.starts_with("volume ")).collect()
}

/// Everything that is not as it should be when this release serves.
pub async fn faults_of(
    fixture: &Fixture,
    rows: &[ReleaseRow],
    (content, world): (Content, &World),
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, is: String, should: String| {
        if is != should {
            faults.push(format!("{what}: {is}, expected {should}"));
        }
    };
    let in_state = |state| rows.iter().filter(move |row| row.state == state).count();
    expect("releases that serve", in_state(ReleaseState::Released).to_string(), "1".to_owned());
    expect("releases under way", in_state(ReleaseState::Running).to_string(), "0".to_owned());
    expect("stuck releases", in_state(ReleaseState::Stuck).to_string(), "0".to_owned());
    let version = format!("{}\n", content.version);
    expect(
        "the ingress",
        format!("{:?}", get(&fixture.docker, "any.test", "/")),
        format!("{:?}", (200, version.clone())),
    );
    let note = fs_err::read_to_string(fixture.state().join("apps").join(APP).join("note.txt"));
    expect("the project's file", note.unwrap_or_else(|error| error.to_string()), version.clone());
    expect("services with containers", containers(fixture).await.join(", "), services(content));
    expect("networks and volumes", kept(fixture).await.join(", "), world.kept.join(", "));
    let poller = fixture.try_exec("poller", &["sh", "-c", "echo $VERSION; cat /note.txt"]).await;
    expect("the poller", poller.map_or_else(|error| error.to_string(), |(_, said)| said), version.repeat(2));
    for revision in revisions(fixture, content).await {
        match revision {
            Ok(number) if world.revisions.contains(&number) => {}
            Ok(number) => faults.push(format!("the database has revision {number}, which nobody made")),
            Err(output) => faults.push(output),
        }
    }
    faults
}

/// "service: state policy", for every container of the app.
async fn containers(fixture: &Fixture) -> Vec<String> {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let mut all = Vec::new();
    for container in fixture.docker.client().list_containers(Some(options)).await.unwrap() {
        let labels = container.labels.unwrap_or_default();
        let Some(service) = labels.get("com.docker.compose.service") else { continue };
        let found = fixture.docker.client().inspect_container(&container.id.unwrap(), None).await.unwrap();
        let policy = found.host_config.and_then(|host| host.restart_policy).and_then(|policy| policy.name);
        let policy = policy.map(|name| name.to_string()).unwrap_or_default();
        all.push(format!("{service} {} {policy}", container.state.unwrap()));
    }
    all.sort();
    all
}

fn services(content: Content) -> String {
    let of = |service: &&str| {
        let policy = if *service == "extra" { "always" } else { "unless-stopped" };
        format!("{service} running {policy}")
    };
    content.services().iter().map(of).collect::<Vec<_>>().join(", ")
}

/// The database's revisions, and a fault when the serving release's own is not among them.
async fn revisions(fixture: &Fixture, content: Content) -> Vec<Result<u32, String>> {
    let name = database(fixture).await;
    let query = ["psql", "-U", "postgres", "-At", "-c", "SELECT number FROM revision ORDER BY number"];
    let output = match fixture.try_exec(&name, &query).await {
        Ok((0, output)) => output,
        other => return vec![Err(format!("the database answers {other:?}"))],
    };
    let mut found: Vec<Result<u32, String>> =
        output.lines().map(|line| line.parse().map_err(|_| line.to_owned())).collect();
    if !found.contains(&Ok(content.version)) {
        found.push(Err(format!("the database has not the revision {} of what serves", content.version)));
    }
    found
}

async fn database(fixture: &Fixture) -> String {
    let found = fixture.engine.containers(&fixture::name(APP), Some("db")).await.unwrap();
    found.first().map(|container| container.name.clone()).unwrap_or_default()
}
