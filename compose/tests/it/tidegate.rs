//! `x-tidegate`, and what another machine needs to load the same project.

use std::time::Duration;

use tidegate_compose::x_tidegate::{
    self, CertificateFiles, HttpProbe, MigrationKind, MigrationPlace, Place, ProbeKind, Redirect, Retention,
    StatusRange, Strategy, Tagged, Tls, place,
};
use tidegate_compose::{LoadOptions, MemoryFiles, load, referenced};

use super::{load_files, load_text};

fn problems(text: &str) -> Vec<String> {
    let loaded = load_text(text).unwrap();
    let errors = x_tidegate::read(&loaded.project, &loaded.files).unwrap_err().errors;
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_may_be_said() {
    let loaded = load_text(
        "x-tidegate:
  migrate: { service: web, command: [alembic, upgrade, head], kind: compatible, timeout: 5m }
  watch: 60s
  drain: 30s
services:
  web:
    image: web
    x-tidegate:
      ingress: { host: shop.example.com, port: 8000, path: /api }
      gate: { stable: 10s, timeout: 90s }
      strategy: recreate
  worker:
    image: web
    x-tidegate: { place: one }
  db:
    image: db
    x-tidegate: { place: databases }
  plain: { image: x }
",
    )
    .unwrap();
    let read = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    let migrate = read.migrate.unwrap();
    assert_eq!((migrate.service.as_str(), migrate.kind), ("web", MigrationKind::Compatible));
    assert_eq!(migrate.command, ["alembic", "upgrade", "head"]);
    assert_eq!(migrate.timeout, Duration::from_mins(5));
    assert_eq!(migrate.at.line, 2);
    assert_eq!(read.watch, Some(Duration::from_mins(1)));
    let web = &read.services["web"];
    let ingress = web.ingress.as_ref().unwrap();
    assert_eq!((ingress.hosts.as_slice(), ingress.port), (&["shop.example.com".to_owned()][..], 8000));
    assert_eq!((&ingress.tls, ingress.redirect, ingress.max_body), (&Tls::Auto, Redirect::ToHttps, None));
    assert_eq!((ingress.path.as_str(), web.strategy), ("/api", Some(Strategy::Recreate)));
    assert_eq!(web.gate.stable, Duration::from_secs(10));
    assert_eq!(migrate.place, MigrationPlace::One);
    assert_eq!(read.services["worker"].place, Some(Place::One));
    assert_eq!(read.services["db"].place, Some(Place::Role("databases".into())));
    assert_eq!(read.services["plain"].place, None);
    assert_eq!(read.retention, Retention { releases: 5, tagged: Tagged::Removed });
    assert_eq!(read.services["plain"], x_tidegate::ServiceExtension::default());
}

#[test]
fn retention_and_the_place_of_a_migration() {
    let read = |text: &str| {
        let text = format!("x-tidegate: {text}\nservices: {{ web: {{ image: x }} }}\n");
        let loaded = load_text(&text).unwrap();
        x_tidegate::read(&loaded.project, &loaded.files).unwrap()
    };
    let kept = Retention { releases: 2, tagged: Tagged::Kept };
    assert_eq!(read("{ retention: { releases: 2, keep_tags: true } }").retention, kept);
    assert_eq!(read("{ retention: { releases: '2', keep_tags: 'true' } }").retention, kept);
    let migrate = "{ migrate: { service: web, command: [a], kind: compatible, place: all } }";
    assert_eq!(read(migrate).migrate.unwrap().place, MigrationPlace::All);
    let found = problems(
        "x-tidegate:
  retention: { releases: 0, keep_tags: yes please, days: 7 }
  migrate: { service: web, command: [a], kind: compatible, place: web-1 }
services:
  web: { image: x }
",
    );
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_project_without_what_runs_elsewhere() {
    let text = "services:
  web:
    image: web
    depends_on: { db: { condition: service_started, required: false }, cache: { condition: service_started } }
    networks: [front]
  cache: { image: cache, networks: [front] }
  db: { image: db, networks: [back], volumes: ['data:/data'] }
  side: { image: side, network_mode: 'service:db' }
  old: { image: old, links: ['db:database'], networks: [back] }
  reader: { image: reader, volumes_from: ['db:ro'], networks: [front] }
networks: { front: {}, back: {} }
volumes: { data: {} }
";
    let loaded = load_text(text).unwrap();
    let (mut project, db) = (loaded.project.clone(), ["db".to_owned()].into());
    let found: Vec<String> = place::apart(&project, &db)
        .into_iter()
        .map(|apart| format!("{} {} {}", apart.service, apart.attribute, apart.needs))
        .collect();
    assert_eq!(found, ["old links db", "reader volumes_from db", "side network_mode db"]);
    assert_eq!(place::apart(&project, &["db", "old", "reader", "side"].map(str::to_owned).into()), []);

    let mut extension = x_tidegate::read(&project, &loaded.files).unwrap();
    let before = tidegate_compose::hash::service(&project.services["web"], project.compatibility);
    place::leave_out(
        &mut project,
        &mut extension,
        &["db", "old", "reader", "side"].map(str::to_owned).into(),
    );
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["cache", "web"]);
    assert_eq!(extension.services.keys().collect::<Vec<_>>(), ["cache", "web"]);
    assert_eq!(project.services["web"].depends_on.keys().collect::<Vec<_>>(), ["cache"]);
    assert_eq!(project.networks.keys().collect::<Vec<_>>(), ["front"]);
    assert!(project.volumes.is_empty());
    assert_eq!(tidegate_compose::hash::service(&project.services["web"], project.compatibility), before);
}

#[test]
fn a_migration_without_its_kind_is_refused_with_the_cure() {
    let found = problems(
        "x-tidegate:
  migrate: { service: web, command: alembic upgrade head }
services:
  web: { image: x }
",
    );
    insta::assert_snapshot!(found.join("\n"), @r"
    /p/compose.yaml:2:3: x-tidegate.migrate: `kind` is missing: whether old code works on the new schema
      2 |   migrate: { service: web, command: alembic upgrade head }
        |   ^
      hint: write `kind: compatible` when the running release works on the migrated schema too (columns are only added), else `kind: breaking`
    ");
}

#[test]
fn all_slips_are_told_at_once_with_their_places() {
    let found = problems(
        "x-tidegate:
  migrate: { service: wbe, command: [], kind: easy }
  wacth: 5s
services:
  web:
    image: x
    x-tidegate:
      ingres: { port: 80 }
      ingress: { hosts: a, port: 99999 }
      gate: { stable: 10 }
      strategy: bluegreen
      health: {}
",
    );
    insta::assert_snapshot!(found.join("\n"));
}

/// What one service says under `ingress`.
fn ingress(text: &str) -> x_tidegate::Ingress {
    let text = format!("services:\n  web:\n    image: x\n    x-tidegate:\n      ingress: {text}\n");
    let loaded = load_text(&text).unwrap();
    let mut read = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    read.services.remove("web").unwrap().ingress.unwrap()
}

#[test]
fn an_ingress_in_full_and_in_short() {
    let full = ingress(
        "{ host: [Shop.example.com, www.example.com], port: '8000', path: /api/, redirect: off, max_body: 10m,
        tls: { certificate: ./tls/shop.pem, key: tls/shop.key } }",
    );
    assert_eq!(full.hosts, ["shop.example.com", "www.example.com"]);
    assert_eq!((full.port, full.path.as_str(), full.max_body), (8000, "/api", Some(10 << 20)));
    let files = CertificateFiles { certificate: "tls/shop.pem".into(), key: "tls/shop.key".into() };
    assert_eq!((full.tls, full.redirect), (Tls::Files(files), Redirect::None));
    let short = ingress("{ port: 80 }");
    assert_eq!((short.hosts.len(), short.path.as_str(), short.tls), (0, "/", Tls::Off));
    assert_eq!(ingress("{ host: a.internal, port: 80, tls: off }").tls, Tls::Off);
    assert_eq!(ingress("{ host: a.internal, port: 80, tls: internal }").tls, Tls::Internal);
    assert_eq!(ingress("{ host: a.de, port: 80, max_body: 4096 }").max_body, Some(4096));
}

#[test]
fn every_fault_of_an_ingress_has_its_place_and_cure() {
    let found = problems(
        "services:
  a: { image: x, x-tidegate: { ingress: { host: ['*.a.de', 'https://b.de/x', c.de, C.de], port: 0, path: api } } }
  b: { image: x, x-tidegate: { ingress: { port: 80, tls: internal } } }
  c: { image: x, x-tidegate: { ingress: { host: a.de, port: 80, tls: autos } } }
  d: { image: x, x-tidegate: { ingress: { host: a.de, port: 80, tls: { certificate: ../a.pem, keys: a } } } }
  e: { image: x, x-tidegate: { ingress: { host: a.de, port: 80, tls: off, redirect: on } } }
  f: { image: x, x-tidegate: { ingress: { host: a.de:443, port: 80, redirect: maybe, max_body: much } } }
  g: { image: x, x-tidegate: { ingress: { host: [], port: 80, path: /a/../b, max_bdy: 1 } } }
  h: { image: x, x-tidegate: { ingress: { host: a.de, port: 80, path: '/{env.HOME}', max_body: 0 } } }
",
    );
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn jobs_and_probes() {
    let loaded = load_text(
        "x-tidegate:
  jobs:
    before: [{ service: web, command: [app, check] }]
    after:
      - { service: web, command: app warm --all, timeout: 30s }
      - { service: web, command: [app, announce] }
services:
  web:
    image: web
    x-tidegate:
      gate:
        probes:
          - http: { port: 8000 }
          - http: { port: 8000, path: /health?deep=1, host: shop.example.com, status: 200-204, contains: ok }
            timeout: 2s
          - tcp: { port: 9000 }
          - command: [app, ping]
",
    )
    .unwrap();
    let read = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    let job = |job: &x_tidegate::Job| format!("{} {:?} {:?}", job.service, job.command, job.timeout);
    assert_eq!(read.jobs.before.iter().map(job).collect::<Vec<_>>(), ["web [\"app\", \"check\"] 600s"]);
    assert_eq!(
        read.jobs.after.iter().map(job).collect::<Vec<_>>(),
        ["web [\"app\", \"warm\", \"--all\"] 30s", "web [\"app\", \"announce\"] 600s"]
    );
    let probes = &read.services["web"].gate.probes;
    let simple = HttpProbe {
        port: 8000,
        path: "/".into(),
        host: None,
        status: StatusRange { first: 200, last: 399 },
        contains: None,
    };
    let full = HttpProbe {
        port: 8000,
        path: "/health?deep=1".into(),
        host: Some("shop.example.com".into()),
        status: StatusRange { first: 200, last: 204 },
        contains: Some("ok".into()),
    };
    let kinds: Vec<_> = probes.iter().map(|probe| probe.kind.clone()).collect();
    let command = ProbeKind::Command(vec!["app".into(), "ping".into()]);
    assert_eq!(
        kinds,
        [ProbeKind::Http(simple), ProbeKind::Http(full), ProbeKind::Tcp { port: 9000 }, command]
    );
    let timeouts: Vec<_> = probes.iter().map(|probe| probe.timeout.as_secs()).collect();
    assert_eq!(timeouts, [5, 2, 5, 5]);
}

#[test]
fn slips_in_jobs_and_probes() {
    let found = problems(
        "x-tidegate:
  jobs:
    before: [{ service: wbe, command: ['true'] }, { servce: web, command: [] }]
    befor: []
    after: { service: web }
services:
  web:
    image: x
    x-tidegate:
      gate:
        probes:
          - htpp: { port: 80 }
          - { http: { port: 80 }, tcp: { port: 81 } }
          - { http: { path: health, status: 700, contains: 5 }, timeout: 5 }
          - tcp: 80
          - command: \"sh -c 'open\"
  other: { image: x, x-tidegate: { gate: { probes: { tcp: { port: 1 } } } } }
",
    );
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn references_are_complete_and_keep_the_env_file_at_home() {
    let text = "include: [sub/other.yaml]
services:
  a:
    image: \"x:${TAG:-1}\"
    environment: [FROM_OUTSIDE, SET=1]
    env_file: a.env
    extends: { file: base.yaml, service: base }
    volumes: [\"./conf:/conf\", \"/etc/hosts:/h\", \"data:/data\"]
    secrets: [key, token]
    security_opt: [\"seccomp=calls.json\", \"seccomp:/etc/elsewhere.json\", \"seccomp=unconfined\", no-new-privileges]
volumes: { data: {} }
secrets:
  key: { file: ./key.pem }
  token: { environment: TOKEN }
";
    let files: MemoryFiles = [
        ("/p/compose.yaml", text),
        ("/p/.env", "TAG=2\nUNUSED=1\nTOKEN=t\n"),
        ("/p/a.env", "X=$IN_FILE\n"),
        ("/p/base.yaml", "services: {base: {image: b, hostname: $HOST_NAME, environment: {BARE: }}}"),
        ("/p/sub/other.yaml", "services: {o: {image: o, volumes: ['./x:/x']}}"),
    ]
    .into_iter()
    .collect();
    let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
    let (loaded, references) = referenced(&files, &options).unwrap();
    let list = |set: &std::collections::BTreeSet<String>| {
        set.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(&references.sources), "/p/a.env /p/base.yaml /p/compose.yaml /p/sub/other.yaml");
    assert_eq!(list(&references.mounted), "/p/calls.json /p/conf /p/key.pem /p/sub/x");
    assert_eq!(list(&references.outside), "/etc/hosts");
    assert_eq!(list(&references.variables), "BARE FROM_OUTSIDE HOST_NAME IN_FILE TAG TOKEN");

    // Another machine with just these files and variables means the same.
    let sent: MemoryFiles = references
        .sources
        .iter()
        .map(|path| (path.clone(), tidegate_compose::FileSource::read(&files, path).unwrap()))
        .collect();
    let values = &loaded.project.environment;
    let environment = references
        .variables
        .iter()
        .filter_map(|name| Some((name.clone(), values.get(name)?.clone())))
        .collect();
    let there = load(&sent, &LoadOptions { environment, ..options }).unwrap();
    assert_eq!(there.project.model_digest(), loaded.project.model_digest());
    assert!(!format!("{:?}", loaded.project.secrets).contains("\"t\""));
}

#[test]
fn the_digest_tells_models_apart() {
    let digest = |text: &str| load_text(text).unwrap().project.model_digest();
    let one = digest("services: {a: {image: x}}");
    assert_eq!(one, digest("services:\n  a:\n    image: x\n"));
    assert_ne!(one, digest("services: {a: {image: y}}"));
    assert_ne!(one, digest("services: {a: {image: x, x-tidegate: {place: one}}}"));
    let secret = |value: &str| {
        let text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}}";
        let env = format!("S={value}\n");
        let files = [("compose.yaml", text), (".env", env.as_str())];
        load_files(&files).unwrap().project.model_digest()
    };
    assert_ne!(secret("1"), secret("2"));
}
