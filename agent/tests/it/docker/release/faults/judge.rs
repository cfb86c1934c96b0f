//! What has to hold after every fault, seen from outside: the ingress, the containers, the database, the files.

use std::collections::{BTreeMap, BTreeSet};

use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptions,
};
use tidegate_agent::release::{ReleaseRow, ReleaseState};

use super::{
    super::{
        fixture::{self, Fixture, get},
        timers,
    },
    app::{APP, Content},
};

/// What may be left of a run of releases.
#[derive(Clone, Debug)]
pub struct World {
    /// Networks and volumes, as they were after the first release.
    pub kept: Vec<String>,
    /// Revisions that the database may have: of every release that was begun.
    pub revisions: BTreeSet<u32>,
    /// The id of each of web's images.
    pub images: BTreeMap<u32, String>,
    /// Those of releases that served: only they may be here.
    pub served: BTreeSet<u32>,
}

/// What the poller says: its version, its file, and whether it finds the database by its name.
const POLLER: &str = "echo $VERSION; cat /note.txt; pg_isready -q -h db -U postgres && echo ready";

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
    expect("the project's files", files(fixture).join(", "), content.files().join(", "));
    expect("services with containers", containers(fixture).await.join(", "), services(content));
    expect("networks and volumes", kept(fixture).await.join(", "), world.kept.join(", "));
    let poller = fixture.try_exec("poller", &["sh", "-c", POLLER]).await;
    let poller = poller.map_or_else(|error| error.to_string(), |(_, said)| said);
    expect("the poller", poller, version.repeat(2) + "ready\n");
    expect("the project's network", subnets(fixture).await.join(", "), content.subnet());
    let timer = format!("tidegate-backup@{APP}-db.timer.d OnCalendar={}", content.schedule());
    expect("the timers", timers::schedules(fixture).join(", "), timer);
    let image = world.images.get(&content.image).cloned().unwrap_or_default();
    expect("the image of web", web_images(fixture).await.join(", "), image);
    faults.extend(stray_images(fixture, world).await);
    for revision in revisions(fixture, content).await {
        match revision {
            Ok(number) if world.revisions.contains(&number) => {}
            Ok(number) => faults.push(format!("the database has revision {number}, which nobody made")),
            Err(output) => faults.push(output),
        }
    }
    faults
}

/// Names of all files of the project, hidden ones too.
fn files(fixture: &Fixture) -> Vec<String> {
    let entries = fs_err::read_dir(fixture.state().join("apps").join(APP)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The addresses of every network that bears the name of the project's.
async fn subnets(fixture: &Fixture) -> Vec<String> {
    let networks = fixture.docker.client().list_networks(None::<ListNetworksOptions>).await.unwrap();
    let own = networks.into_iter().filter(|network| network.name == Some(format!("{APP}_default")));
    let ranges = own.flat_map(|network| network.ipam.and_then(|ipam| ipam.config).unwrap_or_default());
    ranges.filter_map(|range| range.subnet).collect()
}

/// Which images the containers of web have.
async fn web_images(fixture: &Fixture) -> Vec<String> {
    let found = fixture.engine.containers(&fixture::name(APP), Some("web")).await.unwrap();
    found.into_iter().map(|container| container.image_id).collect()
}

/// Images from the registry that no release served with.
async fn stray_images(fixture: &Fixture, world: &World) -> Vec<String> {
    let options = ListImagesOptionsBuilder::default().all(true).build();
    let known: BTreeSet<&str> =
        world.served.iter().filter_map(|number| world.images.get(number)).map(String::as_str).collect();
    let images = fixture.docker.client().list_images(Some(options)).await.unwrap();
    let is_stray = |image: &bollard::models::ImageSummary| {
        let mut names = image.repo_tags.iter().chain(&image.repo_digests);
        names.any(|name| name.contains("/made")) && !known.contains(image.id.as_str())
    };
    let stray = images.into_iter().filter(is_stray);
    stray.map(|image| format!("a stray image {:?} {:?}", image.repo_tags, image.repo_digests)).collect()
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
