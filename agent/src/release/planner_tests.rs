use std::collections::HashMap;

use tidegate_compose::{LoadOptions, MemoryFiles, hash, labels, load, x_tidegate};

use super::*;
use crate::{
    docker::{Container, ContainerState, NetworkFacts, VolumeFacts},
    ingress::{AppRoutes, Route, RouteOptions},
    release::{
        plan::{PlannedService, ServiceAction, Step},
        world::ImageState,
    },
};

const SHOP: &str = "
x-tidegate: { migrate: { service: web, command: [migrate], kind: compatible } }
services:
  web:
    image: web:1
    depends_on: [db]
    x-tidegate: { ingress: { host: shop.example.com, port: 8000 } }
  worker: { image: web:1, depends_on: [db, redis], restart: always }
  db: { image: db:1, volumes: ['data:/data'], restart: always }
  redis: { image: redis:1, restart: always }
volumes: { data: {} }
";

struct Case {
    app: AppName,
    project: Project,
    extension: Extension,
    files: BTreeMap<String, String>,
    shared: BTreeSet<String>,
    former: Option<Project>,
    interrupt: Interrupt,
}

impl Case {
    fn new(compose: &str) -> Self {
        let mut files = MemoryFiles::new();
        files.insert("/apps/shop/compose.yaml", compose);
        let options = LoadOptions {
            working_directory: "/apps/shop".into(),
            project_name: Some("shop".into()),
            ..LoadOptions::default()
        };
        let loaded = load(&files, &options).unwrap();
        let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
        let app = AppName::new("shop").unwrap();
        let (files, shared) = (BTreeMap::new(), BTreeSet::new());
        let (interrupt, former) = (Interrupt::Refused, None);
        Self { app, extension, project: loaded.project, files, shared, interrupt, former }
    }

    fn plan(&self, world: &World) -> Result<ReleasePlan, Vec<Failure>> {
        let Self { app, project, extension, files, shared, interrupt, former } = self;
        let still = standstill::Still::of(project, extension, former.as_ref());
        let still = still.as_ref();
        plan(Wanted { app, project, extension, files, shared, still, interrupt: *interrupt }, world)
    }

    fn networks_of(&self, service: &tidegate_compose::Service) -> HashMap<String, String> {
        let names = service.networks.keys().map(|key| self.project.networks[key].name.clone());
        names.map(|name| (name, "10.0.0.2".to_owned())).collect()
    }

    fn volumes_of(&self, service: &tidegate_compose::Service) -> Vec<(String, String)> {
        let named = service.volumes.iter().filter(|mount| !mount.source.is_empty());
        named.map(|mount| (mount.target.clone(), self.project.volumes[&mount.source].name.clone())).collect()
    }

    /// A droplet on which everything is as the file says.
    fn settled(&self) -> World {
        let mut world = World::default();
        for (key, network) in &self.project.networks {
            let labels = labels::network(&self.project, key, network).into_iter().collect();
            world.networks.push(NetworkFacts {
                name: network.name.clone(),
                labels,
                ..NetworkFacts::default()
            });
        }
        for (key, volume) in &self.project.volumes {
            let labels = labels::volume(&self.project, key, volume).into_iter().collect();
            world.volumes.push(VolumeFacts { name: volume.name.clone(), labels });
        }
        for (name, service) in &self.project.services {
            let id = format!("sha256:{}", service.image);
            let state = ImageState { id: Some(id.clone()), named: Some(id.clone()), ..ImageState::default() };
            world.images.insert(service.image.clone(), state);
            world.containers.push(Container {
                id: format!("id-of-{name}"),
                name: format!("shop-{name}-1"),
                image_id: id,
                labels: HashMap::from([
                    (labels::PROJECT.to_owned(), "shop".to_owned()),
                    (labels::SERVICE.to_owned(), name.clone()),
                    (labels::CONTAINER_NUMBER.to_owned(), "1".to_owned()),
                    (labels::CONFIG_HASH.to_owned(), hash::service(service, self.project.compatibility)),
                ]),
                state: ContainerState::Running,
                addresses: self.networks_of(service),
                volumes: self.volumes_of(service),
                ..Container::default()
            });
        }
        world
    }
}

/// The plan as a person sees it, and its steps.
fn shown(plan: &ReleasePlan) -> Vec<String> {
    let change = |change: crate::release::Change| {
        format!("{:?} {}: {} [{}]", change.kind, change.object, change.reason, change.strategy)
    };
    let steps: Vec<String> = plan.steps.iter().map(Step::to_string).collect();
    plan.changes().into_iter().map(change).chain([steps.join(", ")]).collect()
}

#[test]
fn a_first_release() {
    let plan = Case::new(SHOP).plan(&World::default()).unwrap();
    insta::assert_debug_snapshot!(shown(&plan));
    assert_eq!(plan.service("web").unwrap().new[0].name, "shop-web-1");
    assert_eq!(plan.service("web").unwrap().new[0].slot, Some(10));
}

#[test]
fn nothing_changed() {
    let case = Case::new(SHOP);
    insta::assert_debug_snapshot!(shown(&case.plan(&case.settled()).unwrap()));
}

#[test]
fn a_new_image_of_web_and_worker() {
    let case = Case::new(SHOP);
    let mut world = case.settled();
    let image = world.images.get_mut("web:1").unwrap();
    *image =
        ImageState { digest: Some("sha256:new".into()), named: image.named.clone(), ..ImageState::default() };
    world.own_routes = AppRoutes { routes: Vec::new(), targets: BTreeMap::new() };
    let plan = case.plan(&world).unwrap();
    insta::assert_debug_snapshot!(shown(&plan));
    assert_eq!(plan.service("web").unwrap().new[0].name, "shop-web-2");
}

#[test]
fn a_changed_database_comes_before_the_migration_and_a_removed_service_goes() {
    let mut world = Case::new(SHOP).settled();
    let changed = SHOP
        .replace("image: db:1", "image: db:2")
        .replace("  redis: { image: redis:1, restart: always }\n", "")
        .replace("[db, redis]", "[db]");
    let case = Case::new(&changed);
    world.images.insert("db:2".into(), ImageState::default());
    insta::assert_debug_snapshot!(shown(&case.plan(&world).unwrap()));
}

#[test]
fn why_a_service_is_recreated() {
    let strategy = |web: &str| {
        let case = Case::new(&format!(
            "services:\n  web:\n    image: a\n    {web}\n    x-tidegate: {{ ingress: {{ port: 80 }} }}\nvolumes: {{ vol: {{}} }}\n"
        ));
        case.plan(&World::default()).unwrap().services.remove(0).strategy_reason
    };
    assert_eq!(strategy("user: nobody"), "");
    assert_eq!(strategy("ports: ['80:80']"), "it publishes a port of the host");
    assert_eq!(strategy("container_name: fixed"), "it has a fixed `container_name`");
    assert_eq!(strategy("volumes: ['vol:/v']"), "it writes to the volume vol");
    assert_eq!(strategy("volumes: ['vol:/v:ro']"), "");
    assert_eq!(strategy("tmpfs: /tmp"), "");
}

#[test]
fn a_rolling_service_is_rolled_before_the_switch_or_refused() {
    let case = |rest: &str| {
        Case::new(&format!(
            "services:\n  crew: {{ image: a, scale: 2, {rest} x-tidegate: {{ strategy: rolling }} }}\n  \
             web: {{ image: a, x-tidegate: {{ ingress: {{ port: 80 }} }} }}\nvolumes: {{ vol: {{}} }}\n"
        ))
    };
    let first = case("").plan(&World::default()).unwrap();
    assert!(first.steps.contains(&Step::Gate(ServiceName::new("crew"))), "{:?}", first.steps);
    let changed = case("user: nobody,").plan(&case("").settled()).unwrap();
    let steps: Vec<String> = changed.steps.iter().map(Step::to_string).collect();
    assert_eq!(steps, ["prepare", "create", "roll crew", "switch", "commit", "prune"]);
    let refused = case("volumes: ['vol:/v'],").plan(&World::default()).unwrap_err();
    assert_eq!(refused[0].what, "service crew cannot be replaced rolling");
    assert_eq!(refused[0].cause, "it writes to the volume vol");
}

#[test]
fn what_belongs_to_others_is_refused() {
    let case = Case::new(
        "services: { a: { image: a, volumes: ['vol:/v'] } }\nvolumes: { vol: { name: other_data } }\n",
    );
    let labels = HashMap::from([(labels::PROJECT.to_owned(), "other".to_owned())]);
    let world =
        World { volumes: vec![VolumeFacts { name: "other_data".into(), labels }], ..World::default() };
    let refused = case.plan(&world).unwrap_err();
    assert_eq!(refused[0].what, "the volume other_data is another app's");
    let shared = BTreeSet::from(["volume:other_data".to_owned()]);
    assert!(Case { shared, ..case }.plan(&world).is_ok());
}

#[test]
fn a_place_at_the_ingress_is_had_once() {
    let case = Case::new(SHOP);
    let route = Route {
        service: ServiceName::new("site"),
        host: Some("SHOP.example.com".into()),
        path: "/".into(),
        port: 1,
        options: RouteOptions::default(),
    };
    let world = World { foreign_routes: vec![(AppName::new("blog").unwrap(), route)], ..World::default() };
    let refused = case.plan(&world).unwrap_err();
    assert_eq!(
        refused[0].cause,
        "app blog has the host shop.example.com, and an app has its hosts for itself"
    );
    assert_eq!(refused[0].place, "services.web.x-tidegate.ingress");
}

#[test]
fn a_changed_volume_definition_is_told_and_its_data_stays() {
    let world = Case::new(SHOP).settled();
    let case = Case::new(
        &SHOP.replace("volumes: { data: {} }", "volumes: { data: { driver_opts: { type: tmpfs } } }"),
    );
    let plan = case.plan(&world).unwrap();
    assert!(plan.services.iter().all(|service| service.action == ServiceAction::Keep));
    let change = plan.changes().into_iter().find(|change| change.object == "volume data").unwrap();
    assert_eq!(change.kind, crate::release::ChangeKind::Keep);
    assert!(change.reason.starts_with("its definition changed, but"), "{}", change.reason);
    assert_eq!(plan.notes, [format!("volume shop_data: {}", change.reason)]);
}

/// One line for each service that changes, and the names of its containers: `+` made, `-` gone, `=` kept.
fn containers(plan: &ReleasePlan) -> Vec<String> {
    let changed = plan.services.iter().filter(|service| service.action != ServiceAction::Keep);
    let line = |service: &PlannedService| {
        let kept = service.kept.iter().map(|kept| format!("={}", kept.name));
        let old = service.old.iter().map(|old| format!("-{}", old.name));
        let new = service.new.iter().map(|new| format!("+{}", new.name));
        let names: Vec<String> = kept.chain(old).chain(new).collect();
        format!("{}: {}", service.reason, names.join(" "))
    };
    changed.map(line).collect()
}

#[test]
fn scaling_keeps_the_containers_that_are_as_the_file_says() {
    let scaled = |count: u32, image: &str| {
        Case::new(&format!("services:\n  web:\n    image: {image}\n    scale: {count}\n"))
    };
    let mut world = scaled(1, "web:1").settled();
    let plan = scaled(3, "web:1").plan(&world).unwrap();
    assert_eq!(containers(&plan), ["it has 1 containers instead of 3: =shop-web-1 +shop-web-2 +shop-web-3"]);
    assert_eq!(shown(&plan)[2], "Create service web: it has 1 containers instead of 3 []");

    for number in [2, 3] {
        let mut another = world.containers[0].clone();
        another.name = format!("shop-web-{number}");
        another.id = format!("id-of-web-{number}");
        another.labels.insert(labels::CONTAINER_NUMBER.to_owned(), number.to_string());
        world.containers.push(another);
    }
    let plan = scaled(1, "web:1").plan(&world).unwrap();
    assert_eq!(containers(&plan), ["it has 3 containers instead of 1: =shop-web-1 -shop-web-2 -shop-web-3"]);
    assert_eq!(shown(&plan)[2], "Remove service web: it has 3 containers instead of 1 []");
    assert_eq!(shown(&plan)[3], "prepare, create, replace web, commit, prune");

    world.containers[1].state = ContainerState::Exited;
    world.containers[1].exit_code = 1;
    world.containers[2].labels.insert(labels::CONFIG_HASH.to_owned(), "another".to_owned());
    let plan = scaled(3, "web:1").plan(&world).unwrap();
    assert_eq!(
        containers(&plan),
        ["its definition changed (1 of 3): =shop-web-1 =shop-web-2 -shop-web-3 +shop-web-4"]
    );
    assert_eq!(plan.services[0].started().collect::<Vec<_>>(), ["shop-web-4", "shop-web-2"]);

    let plan = scaled(0, "web:1").plan(&World { containers: Vec::new(), ..world.clone() }).unwrap();
    assert_eq!(containers(&plan), [""; 0]);
}

#[test]
fn a_container_that_stopped_is_started_again() {
    let case = Case::new(SHOP);
    let mut world = case.settled();
    let redis = world.containers.iter_mut().find(|container| container.service() == Some("redis")).unwrap();
    redis.state = ContainerState::Exited;
    let plan = case.plan(&world).unwrap();
    assert_eq!(containers(&plan), ["its container shop-redis-1 is exited: =shop-redis-1"]);
    assert_eq!(plan.steps.iter().filter(|step| matches!(step, Step::Gate(_))).count(), 1);
    assert!(shown(&plan).contains(&"Run service redis: its container shop-redis-1 is exited []".to_owned()));
}

#[test]
fn a_network_or_volume_that_was_taken_away_is_noticed() {
    let case = Case::new(SHOP);
    let mut world = case.settled();
    world.containers[0].volumes.clear();
    world.containers[1].addresses.clear();
    let plan = case.plan(&world).unwrap();
    assert_eq!(
        containers(&plan),
        [
            "it does not hold the volume data: -shop-db-1 +shop-db-2",
            "it is not on the network shop_default: -shop-redis-1 +shop-redis-2"
        ]
    );
}

#[test]
fn dependants_that_ask_for_it_are_replaced_with_what_they_depend_on() {
    let compose = |image: &str| {
        format!(
            "services:\n  a: {{ image: {image} }}\n  b: {{ image: b, depends_on: {{ a: {{ condition: service_started, restart: true }} }} }}\n"
        )
    };
    let mut world = Case::new(&compose("one")).settled();
    world.images.insert("two".into(), ImageState::default());
    let plan = Case::new(&compose("two")).plan(&world).unwrap();
    assert_eq!(plan.service("b").unwrap().reason, "a, which it depends on, gets a new container");
}

fn machine(memory: u64) -> crate::release::world::Machine {
    crate::release::world::Machine {
        platform: crate::docker::Platform::parse("linux/amd64"),
        memory,
        disk: Some(crate::release::world::DiskSpace {
            path: "/var/lib/docker".into(),
            available: 20_000_000_000,
            files: Some(1_000_000),
            reclaimable: 0,
        }),
    }
}

#[test]
fn jobs_come_before_the_migration_and_after_the_drain() {
    let jobs = "x-tidegate: { jobs: { before: [{ service: worker, command: [check, --all] }], after: [{ service: web, command: warm }] }, watch: 10s, ";
    let compose = SHOP.replacen("x-tidegate: {", jobs, 1);
    let case = Case::new(&compose);
    let plan = case.plan(&World::default()).unwrap();
    insta::assert_debug_snapshot!(shown(&plan));
    // Jobs are run by every release, whatever else it does.
    let plan = case.plan(&case.settled()).unwrap();
    assert!(!plan.is_idle());
    let steps: Vec<String> = plan.steps.iter().map(Step::to_string).collect();
    assert_eq!(steps, ["prepare", "job before 1", "migrate", "switch", "job after 1", "commit", "prune"]);
    // Plans of older agents know nothing of them.
    let mut old = serde_json::to_value(&plan).unwrap();
    old.as_object_mut().unwrap().remove("jobs");
    for service in old["services"].as_array_mut().unwrap() {
        service.as_object_mut().unwrap().remove("probes");
    }
    let read: ReleasePlan = serde_json::from_value(old).unwrap();
    assert_eq!(read, ReleasePlan { jobs: PlannedJobs::default(), ..plan });
}

#[test]
fn probes_over_a_network_need_one() {
    let compose = "
services:
  none: { image: x, network_mode: none, x-tidegate: { gate: { probes: [{ command: [ok] }, { tcp: { port: 1 } }] } } }
  behind: { image: x, network_mode: 'service:none', x-tidegate: { gate: { probes: [{ http: { port: 1 } }] } } }
  lan: { image: x, networks: [lan], x-tidegate: { gate: { probes: [{ tcp: { port: 1 } }] } } }
  host: { image: x, network_mode: host, x-tidegate: { gate: { probes: [{ tcp: { port: 1 } }] } } }
  inside: { image: x, network_mode: none, x-tidegate: { gate: { probes: [{ command: [ok] }] } } }
networks: { lan: { driver: macvlan } }
";
    let failures = Case::new(compose).plan(&World::default()).unwrap_err();
    let mut told: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.place, failure.cause)).collect();
    told.sort();
    insta::assert_debug_snapshot!(told);
}

#[test]
fn the_host_of_a_probe_is_the_ingress_s() {
    let probe = "gate: { probes: [{ http: { port: 1 } }, { http: { port: 1, host: own.example.com } }] }";
    let compose = SHOP
        .replace("ingress: {", &format!("{probe}, ingress: {{"))
        .replace("worker: {", &format!("worker: {{ x-tidegate: {{ {probe} }},"));
    let plan = Case::new(&compose).plan(&World::default()).unwrap();
    let hosts = |service: &str| {
        let probes = &plan.service(service).unwrap().probes;
        let host = |probe: &crate::release::plan::PlannedProbe| match &probe.target {
            crate::release::plan::ProbeTarget::Http { host, .. } => host.clone(),
            other => panic!("{other}"),
        };
        probes.iter().map(host).collect::<Vec<_>>()
    };
    assert_eq!(hosts("web"), ["shop.example.com", "own.example.com"]);
    assert_eq!(hosts("worker"), ["localhost", "own.example.com"]);
}

#[test]
fn what_the_droplet_cannot_carry_is_refused_at_once() {
    let compose = "
services:
  web: { image: web:1, mem_limit: 600m }
  arm: { image: arm:1 }
  asked: { image: arm:1, platform: linux/arm64 }
  other: { image: web:1, platform: linux/arm64 }
  large: { image: web:1, deploy: { resources: { reservations: { memory: 3g } } } }
";
    let case = Case::new(compose);
    let mut world = World { machine: Some(machine(2_000_000_000)), ..World::default() };
    let platform = |text| vec![crate::docker::Platform::parse(text).unwrap()];
    for (name, text) in [("web:1", "linux/amd64"), ("arm:1", "linux/arm64")] {
        let digest = Some("sha256:new".to_owned());
        let state = ImageState { digest, platforms: platform(text), ..ImageState::default() };
        world.images.insert(name.to_owned(), state);
    }
    if let Some(disk) = world.machine.as_mut().and_then(|machine| machine.disk.as_mut()) {
        disk.available = 100_000_000;
    }
    let failures = case.plan(&world).unwrap_err();
    let told: Vec<String> = failures
        .iter()
        .map(|failure| format!("{}: {}: {}", failure.place, failure.what, failure.cause))
        .collect();
    insta::assert_debug_snapshot!(told);
    // Images of old releases may make room; whether they do the pull sees.
    if let Some(disk) = world.machine.as_mut().and_then(|machine| machine.disk.as_mut()) {
        disk.reclaimable = 450_000_000;
    }
    let failures = case.plan(&world).unwrap_err();
    assert!(failures.iter().all(|failure| failure.what != "the droplet's disk is full"), "{failures:?}");
}

#[test]
fn memory_that_is_promised_twice_is_told_and_not_refused() {
    let compose = SHOP.replace("image: web:1\n", "image: web:1\n    mem_limit: 600m\n");
    let case = Case::new(&compose);
    let mut world = case.settled();
    world.machine = Some(machine(1_000_000_000));
    assert_eq!(case.plan(&world).unwrap().notes, [""; 0]);
    // Another image: old and new stand beside each other until the switch.
    let image = world.images.get_mut("web:1").unwrap();
    image.digest = Some("sha256:new".into());
    image.id = None;
    let notes = case.plan(&world).unwrap().notes;
    assert_eq!(
        notes,
        [
            "the containers that run beside each other in this release may use 1258 MB of memory together, and the droplet has 1000 MB"
        ]
    );
    let files = Some(100);
    if let Some(disk) = world.machine.as_mut().and_then(|machine| machine.disk.as_mut()) {
        disk.files = files;
    }
    let failures = case.plan(&world).unwrap_err();
    assert_eq!(failures[0].what, "the droplet's disk has no room for more files");
}

#[path = "planner_tests/networks.rs"]
mod networks;

#[test]
fn backups_that_this_agent_does_not_make_are_refused_and_the_others_bring_timers() {
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let plan = |image: &str, more: &str| {
        let backup = format!("{{ backup: {{ encrypt_to: [{recipient}]{more} }} }}");
        Case::new(&format!("services: {{ db: {{ image: '{image}', x-tidegate: {backup} }} }}"))
            .plan(&World::default())
    };
    let refused = plan("files:1", ", engine: volume").unwrap_err();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].what, "the backup of the service db cannot be made");
    assert_eq!(refused[0].place, "services.db.x-tidegate.backup");
    assert_eq!(refused[0].cause, "this agent makes backups of PostgreSQL, MySQL and Redis, not of volume");
    let plan_of = |more| plan("postgres:17", more).unwrap();
    let by_hand = plan_of("");
    assert!(by_hand.timers.is_empty() && !by_hand.steps.contains(&Step::Timers));
    let nightly = plan_of(", schedule: daily, verify: never");
    let units: Vec<&str> = nightly.timers.iter().map(|timer| timer.unit.as_str()).collect();
    assert_eq!(units, ["tidegate-backup@shop-db.timer"]);
    assert_eq!(nightly.steps.iter().position(|step| *step == Step::Timers), Some(2), "{:?}", nightly.steps);
}
