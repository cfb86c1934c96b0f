//! docker compose and tidegate see one project, on real Docker, with the real docker compose of both versions. For each
//! project of `interop/projects.txt`, both ways: what one deployed, the other leaves alone; and `docker inspect` of what
//! one made and of what the other made is equal, field by field.
//!
//! `TIDEGATE_DOCKER_COMPOSE_240` and `TIDEGATE_DOCKER_COMPOSE_226` name the programs; script/docker-compose-programs
//! fetches them.

mod engine;
mod inspected;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use bollard::{
    models::{NetworkCreateRequest, VolumeCreateRequest},
    query_parameters::RemoveContainerOptionsBuilder,
};
use engine::{EngineApi, Kind};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use table::{Case, Whole};
use tidegate_agent::release::{ChangeKind, EngineError, EventKind, Failure, ReleaseState};
use tidegate_compose::{LoadOptions, MemoryFiles, load};
use tokio::process::Command;

use super::fixture::{App, Fixture, input, name};

/// How many projects are under way at a time.
const TOGETHER: usize = 3;
/// How long one command of docker compose, or an answer of Docker, may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn with_docker_compose_2_40() {
    both_ways("TIDEGATE_DOCKER_COMPOSE_240", "2.40").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_docker_compose_2_26() {
    both_ways("TIDEGATE_DOCKER_COMPOSE_226", "2.26").await;
}

async fn both_ways(variable: &str, version: &str) {
    let Some(program) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} does not name a docker compose");
        return;
    };
    #[expect(clippy::disallowed_methods, reason = "a person may want one project alone")]
    let wanted = std::env::var("TIDEGATE_INTEROP_PROJECT").ok();
    let (now, later): (Vec<Case>, Vec<Case>) = table::cases()
        .into_iter()
        .filter(|case| case.only.as_deref().is_none_or(|only| only == version))
        .filter(|case| wanted.as_ref().is_none_or(|wanted| *wanted == case.name))
        .partition(|case| case.later.is_none() || wanted.is_some());
    let fixture = Fixture::beside(&program).await;
    let engine = EngineApi::new(fixture.docker.socket());
    let beside = Beside { fixture, engine, program };
    beside.allow_what_they_ask(&now).await;
    let results: Vec<(String, Vec<String>)> = stream::iter(&now)
        .map(async |case| (case.name.clone(), beside.one(case).await))
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    let bad: Vec<String> = results
        .iter()
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(name, problems)| format!("{name}\n    {}", problems.join("\n    ")))
        .collect();
    println!("docker compose {version}: {} projects both ways, {} differ", results.len(), bad.len());
    println!("not run yet: {:?}", later.iter().map(|case| &case.name).collect::<Vec<_>>());
    assert!(bad.is_empty(), "{} of {} projects:\n{}", bad.len(), results.len(), bad.join("\n"));
}

/// The attributes of a service in the Compose specification.
const ATTRIBUTES: &str = "
    annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
    cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy
    develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends
    external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging
    mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable
    oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy read_only
    restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs
    tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir";

/// Attributes of a service that no project of the table has, and why.
const NOT_IN_THE_TABLE: &[(&str, &str)] = &[
    ("annotations", "Docker knows them from API 1.43 on"),
    ("gpus", "needs a graphics card and its runtime"),
    ("privileged", "the machines that run the tests do not let containers be so"),
    ("cpu_rt_period", "needs a kernel with real-time groups"),
    ("cpu_rt_runtime", "needs a kernel with real-time groups"),
    ("storage_opt", "needs a file system with quotas below Docker"),
    ("use_api_socket", "hands out the engine's socket"),
    ("provider", "no container is made"),
    ("models", "no container is made"),
    ("credential_spec", "Windows containers"),
    ("isolation", "Windows containers"),
    ("cpu_count", "Windows containers"),
    ("cpu_percent", "Windows containers"),
    ("env_file", "merged into `environment`: see the project of that name"),
    ("extends", "merged: see the project of that name"),
    ("label_file", "merged into `labels`: see the project of that name"),
];

#[test]
fn the_table_uses_every_attribute_that_these_engines_honour() {
    let cases = table::cases();
    assert!(cases.len() >= 73, "{} projects are too few", cases.len());
    let mut used = BTreeSet::new();
    for case in cases.iter().filter(|case| case.later.is_none()) {
        let mut files = MemoryFiles::new();
        for (path, content) in &case.files {
            files.insert(&format!("/case/{path}"), content.clone());
        }
        let options = LoadOptions {
            working_directory: "/case".to_owned(),
            environment: case.variables.iter().cloned().collect(),
            ..LoadOptions::default()
        };
        let loaded = load(&files, &options).unwrap_or_else(|errors| panic!("{}: {errors:?}", case.name));
        let project: Value = serde_json::from_str(&loaded.project.to_json().to_pretty()).unwrap();
        for service in project["services"].as_object().unwrap().values() {
            used.extend(service.as_object().unwrap().keys().cloned());
        }
    }
    let excused: BTreeSet<&str> = NOT_IN_THE_TABLE.iter().map(|(attribute, _)| *attribute).collect();
    let missing: Vec<&str> = ATTRIBUTES
        .split_whitespace()
        .filter(|attribute| !used.contains(*attribute) && !excused.contains(attribute))
        .collect();
    assert_eq!(missing, [""; 0], "no project has them");
    let needless: Vec<&&str> = excused.iter().filter(|attribute| used.contains(**attribute)).collect();
    assert_eq!(needless, [&""; 0], "excused, and in the table");
}

/// tidegate's engine and a docker compose over the same daemon.
struct Beside {
    fixture: Fixture,
    engine: EngineApi,
    program: PathBuf,
}

/// Everything of a project that must not change: containers with the time of their start, networks, volumes.
type Standing = BTreeSet<String>;

impl Beside {
    /// Everything that is wrong with the project.
    async fn one(&self, case: &Case) -> Vec<String> {
        self.make_external(case).await;
        let mut problems = Vec::new();
        let mut note = |what: &str, result: Result<(), String>| {
            problems.extend(result.err().map(|problem| format!("{what}: {problem}")));
        };
        let ours = self.after_tidegate(case).await;
        let left = self.compose_leaves_it(case).await;
        match &ours {
            Ok(_) => note("docker compose after tidegate", left),
            Err(problem) => note("tidegate", Err(problem.clone())),
        }
        if case.whole == Whole::Yes {
            note("docker compose after tidegate", self.other_commands(case).await);
        }
        self.clear(case).await;
        let up = self.compose(case, &["up", "-d"]).await.map(drop);
        let theirs = self.inspected(case).await;
        note("docker compose up", up);
        note("tidegate after docker compose", self.tidegate_leaves_it(case).await);
        if let Ok(ours) = &ours {
            problems.extend(inspected::differences(ours, &theirs));
        }
        self.clear(case).await;
        self.remove_external(case).await;
        problems
    }

    async fn after_tidegate(&self, case: &Case) -> Result<BTreeMap<String, Value>, String> {
        let told = |failure: Failure| format!("{}: {} {:?}", failure.what, failure.cause, failure.details);
        let release = match self.fixture.engine.deploy(input(&app(case)), "test").await {
            Ok(release) => release,
            Err(EngineError::Refused(failures)) => {
                return Err(failures.into_iter().map(told).collect::<Vec<_>>().join("; "));
            }
            Err(error) => return Err(format!("{error:?}")),
        };
        let events = self.fixture.engine.watch(&release.app, None, 0).await.unwrap();
        let events = tokio::time::timeout(PATIENCE, events.map(Result::unwrap).collect::<Vec<_>>()).await;
        let events = events.map_err(|_| "the release does not end".to_owned())?;
        match events.into_iter().next_back().map(|event| event.kind) {
            Some(EventKind::Finished { state: ReleaseState::Released, .. }) => Ok(self.inspected(case).await),
            Some(EventKind::Finished { failure: Some(failure), .. }) => Err(told(failure)),
            other => Err(format!("{other:?}")),
        }
    }

    async fn compose_leaves_it(&self, case: &Case) -> Result<(), String> {
        let before = self.standing(case).await;
        self.compose(case, &["up", "-d"]).await?;
        let after = self.standing(case).await;
        let changed: Vec<&String> = before.symmetric_difference(&after).collect();
        if changed.is_empty() { Ok(()) } else { Err(format!("up -d changed {changed:?}")) }
    }

    async fn tidegate_leaves_it(&self, case: &Case) -> Result<(), String> {
        let plan =
            self.fixture.engine.plan(&input(&app(case))).await.map_err(|error| format!("{error:?}"))?;
        let changes: Vec<String> = plan
            .changes()
            .into_iter()
            .filter(|change| change.kind != ChangeKind::Keep)
            .map(|change| format!("{:?} {}: {}", change.kind, change.object, change.reason))
            .collect();
        if changes.is_empty() { Ok(()) } else { Err(format!("the plan is not empty: {changes:?}")) }
    }

    /// ps, logs, exec, stop and down.
    async fn other_commands(&self, case: &Case) -> Result<(), String> {
        let ids = self.ids(case).await;
        let listed = self.compose(case, &["ps", "-q"]).await?;
        let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
        if listed != ids.iter().cloned().collect() {
            return Err(format!("ps lists {listed:?}, there are {ids:?}"));
        }
        let logs = self.compose(case, &["logs", "--no-color", "app"]).await?;
        if !logs.contains("it says hello") {
            return Err(format!("logs: {logs}"));
        }
        let said = self.compose(case, &["exec", "-T", "app", "echo", "executed"]).await?;
        if said.trim() != "executed" {
            return Err(format!("exec: {said}"));
        }
        self.compose(case, &["stop", "-t", "0"]).await?;
        let running = self.compose(case, &["ps", "-q"]).await?;
        if !running.trim().is_empty() {
            return Err(format!("stop leaves {running}"));
        }
        self.compose(case, &["down", "-v", "-t", "0"]).await?;
        let left = self.standing(case).await;
        if left.is_empty() { Ok(()) } else { Err(format!("down -v leaves {left:?}")) }
    }

    /// What docker compose printed.
    async fn compose(&self, case: &Case, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(["-p", &case.name, "--ansi", "never"]).args(arguments);
        command.current_dir(self.folder(case)).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.fixture.docker.scratch());
        command.env("DOCKER_HOST", self.fixture.docker.host());
        command.envs(case.variables.iter().map(|(name, value)| (name, value)));
        let output = run(command).await.map_err(|error| format!("{arguments:?} {error}"))?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("{arguments:?} fails: {}", errors.lines().last().unwrap_or_default()))
        }
    }

    /// The project's folder on the droplet, with its files: docker compose finds them where a release lays them.
    fn folder(&self, case: &Case) -> PathBuf {
        let folder = self.fixture.state().join("apps").join(&case.name);
        for (path, content) in &case.files {
            let path = folder.join(path);
            fs_err::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            if fs_err::read_to_string(&path).ok().as_ref() != Some(content) {
                fs_err::write(&path, content).unwrap();
            }
        }
        folder
    }

    async fn ids(&self, case: &Case) -> Vec<String> {
        self.engine.containers(&case.name).await
    }

    async fn inspected(&self, case: &Case) -> BTreeMap<String, Value> {
        inspected::normalised(&self.engine.inspect(&self.ids(case).await).await)
    }

    async fn standing(&self, case: &Case) -> Standing {
        let mut standing = Standing::new();
        let containers = self.engine.inspect(&self.ids(case).await).await;
        for container in containers.as_array().into_iter().flatten() {
            let mut line = format!("{} {}", container["Name"], container["Id"]);
            // docker compose starts what has ended again at every `up`.
            if container["State"]["Running"] == true {
                write!(line, " started {}", container["State"]["StartedAt"]).unwrap();
            }
            standing.insert(line);
        }
        for kind in [Kind::Network, Kind::Volume] {
            let ids = self.engine.of_kind(kind, &case.name).await;
            standing.extend(ids.into_iter().map(|id| format!("{kind:?} {id}")));
        }
        standing
    }

    /// A policy that allows what the projects ask for, made of the refusals' own words.
    async fn allow_what_they_ask(&self, cases: &[Case]) {
        let mut policy = String::new();
        for case in cases {
            let Err(EngineError::Refused(failures)) = self.fixture.engine.plan(&input(&app(case))).await
            else {
                continue;
            };
            for failure in failures {
                let Some((_, rule)) = failure.hint.split_once("/etc/tidegate/policy.toml: ") else {
                    continue;
                };
                policy.push_str(
                    &rule
                        .replace("]] ", "]]\n")
                        .replace(", service", "\nservice")
                        .replace(", rights", "\nrights"),
                );
                policy.push('\n');
            }
        }
        fs_err::write(self.fixture.state().join("policy.toml"), policy).unwrap();
    }

    async fn make_external(&self, case: &Case) {
        let client = self.fixture.docker.client();
        for network in &case.networks {
            let request = NetworkCreateRequest { name: network.clone(), ..NetworkCreateRequest::default() };
            client.create_network(request).await.unwrap();
        }
        for volume in &case.volumes {
            let request =
                VolumeCreateRequest { name: Some(volume.clone()), ..VolumeCreateRequest::default() };
            client.create_volume(request).await.unwrap();
        }
    }

    async fn remove_external(&self, case: &Case) {
        for network in &case.networks {
            self.engine.remove(Kind::Network, network).await;
        }
        for volume in &case.volumes {
            self.engine.remove(Kind::Volume, volume).await;
        }
    }

    /// Removes everything that bears the project's label, without waiting for anybody's grace.
    async fn clear(&self, case: &Case) {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        for id in self.ids(case).await {
            self.fixture.docker.client().remove_container(&id, Some(options.clone())).await.unwrap();
        }
        for kind in [Kind::Network, Kind::Volume] {
            for id in self.engine.of_kind(kind, &case.name).await {
                self.engine.remove(kind, &id).await;
            }
        }
    }
}

async fn run(mut command: Command) -> Result<Output, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    output.map_err(|_| "does not end".to_owned())?.map_err(|error| error.to_string())
}

fn app(case: &Case) -> App {
    let _valid = name(&case.name);
    let mut app = App::new(&case.name, &case.files[0].1);
    for (path, content) in &case.files[1..] {
        app = app.file(path, content);
    }
    for (name, value) in &case.variables {
        app = app.variable(name, value);
    }
    app
}
