use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};
use tidegate_proto::names::DropletId;

use super::*;

const TWO: &[(&str, &str)] = &[("web-1", "web"), ("web-2", "web")];
const THREE: &[(&str, &str)] = &[("db-1", "db"), ("web-1", "web"), ("web-2", "web")];

fn decided(text: &str, droplets: &[(&str, &str)], targets: &[&str]) -> Result<Placement, PlacementError> {
    let mut files = MemoryFiles::new();
    files.insert("/p/compose.yaml", text);
    let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
    let loaded = load(&files, &options).unwrap();
    let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    let member =
        |(short, role): &(&str, &str)| Member { short: (*short).to_owned(), role: (*role).to_owned() };
    let members: Vec<Member> = droplets.iter().map(member).collect();
    decide((&"shop".parse().unwrap(), &loaded, &extension), &members, targets)
}

fn sent(placement: &Placement, droplet: &str) -> (Vec<String>, MigrationHere) {
    let request = placement.request(droplet, &DeployRequest::default());
    let migration = request.migration_here();
    (request.elsewhere_services, migration)
}

#[test]
fn what_may_have_to_be_alone_says_where_it_runs() {
    let text = "services:
  web: { image: web, x-tidegate: { ingress: { port: 80 } } }
  cache: { image: cache }
  api: { image: api, depends_on: [cache], expose: ['8000'] }
  many: { image: worker, scale: 2 }
  rolled: { image: worker, x-tidegate: { strategy: rolling } }
  read: { image: worker, expose: ['1'], volumes: ['./conf:/conf:ro', '/scratch', 'data:/data:ro'] }
  said: { image: worker, volumes: ['data:/data'], x-tidegate: { place: all } }
  poller: { image: worker }
  db: { image: db, expose: ['5432'], volumes: ['data:/data'] }
  files: { image: files, expose: ['80'], volumes: ['./data:/data'] }
  single:
    image: single
    expose: ['80']
    x-tidegate: { strategy: recreate }
volumes: { data: {} }
";
    insta::assert_snapshot!(decided(text, TWO, &["web-1", "web-2"]).unwrap_err());
    // One droplet is one place, whatever is written.
    let placement = decided(text, &TWO[..1], &["web-1"]).unwrap();
    assert_eq!(sent(&placement, "web-1"), (vec![], MigrationHere::Run));
}

#[test]
fn one_is_the_first_droplet_and_a_role_its_droplets() {
    let text = "services:
  web: { image: web, x-tidegate: { ingress: { port: 80 }, place: web } }
  poller: { image: web, x-tidegate: { place: one } }
  agent: { image: web, x-tidegate: { place: all } }
";
    let placement = decided(text, THREE, &["db-1", "web-1", "web-2"]).unwrap();
    assert_eq!(sent(&placement, "db-1").0, ["web"]);
    assert_eq!(sent(&placement, "web-1").0, ["poller"]);
    assert_eq!(sent(&placement, "web-2").0, ["poller"]);
    // It stays there when the release goes to another droplet only.
    let placement = decided(text, THREE, &["web-2"]).unwrap();
    assert_eq!(sent(&placement, "web-2").0, ["poller"]);
    assert!(placement.warnings.is_empty());
    let placement = decided(text, THREE, &["web-1", "web-2"]).unwrap();
    assert_eq!(
        placement.warnings,
        ["service poller has its place on db-1, to which this release does not go"]
    );
}

#[test]
fn a_droplet_that_the_file_has_no_more_gets_nothing_that_is_elsewhere() {
    let text = "services: { poller: { image: web, x-tidegate: { place: one } } }\n";
    let placement = decided(text, &TWO[..1], &["web-1", "web-2"]).unwrap();
    assert_eq!(sent(&placement, "web-1").0, [""; 0]);
    assert_eq!(sent(&placement, "web-2").0, ["poller"]);
}

#[test]
fn a_role_that_is_not_the_apps_is_refused_with_the_nearest() {
    let text = "services:
  web: { image: web, x-tidegate: { ingress: { port: 80 } } }
  near:
    image: web
    x-tidegate:
      place: webs
  far: { image: web, x-tidegate: { place: cluster } }
";
    insta::assert_snapshot!(decided(text, &TWO[..1], &["web-1"]).unwrap_err());
}

#[test]
fn who_cannot_be_without_the_other_is_refused_once() {
    let text = "services:
  web:
    image: web
    depends_on:
      db: { condition: service_started }
    x-tidegate: { ingress: { port: 80 } }
  side: { image: side, network_mode: 'service:db', x-tidegate: { place: all } }
  db: { image: db, volumes: ['data:/data'], x-tidegate: { place: one } }
volumes: { data: {} }
";
    let three = &[("web-1", "web"), ("web-2", "web"), ("web-3", "web")];
    insta::assert_snapshot!(decided(text, three, &["web-1", "web-2", "web-3"]).unwrap_err());
    let optional = text.replace("condition: service_started", "condition: service_started, required: false");
    let optional = optional.replace("place: all", "place: one");
    let placement = decided(&optional, three, &["web-1", "web-2", "web-3"]).unwrap();
    assert_eq!(sent(&placement, "web-2").0, ["db", "side"]);
}

#[test]
fn a_migration_is_run_once_per_database_and_first() {
    let text = |place: &str, service: &str| {
        format!(
            "x-tidegate: {{ migrate: {{ service: web, command: [m], kind: compatible{place} }} }}
services: {{ web: {{ image: web, x-tidegate: {{ ingress: {{ port: 80 }}{service} }} }} }}
"
        )
    };
    let all = ["db-1", "web-1", "web-2"];
    let ran = |placement: &Placement| all.map(|droplet| sent(placement, droplet).1 == MigrationHere::Run);
    let one = decided(&text("", ""), THREE, &all).unwrap();
    assert_eq!(ran(&one), [true, false, false]);
    assert_eq!(ran(&decided(&text(", place: all", ""), THREE, &all).unwrap()), [true; 3]);
    // Where its service is not, it cannot run; whoever runs it comes first.
    let web = decided(&text("", ", place: web"), THREE, &all).unwrap();
    assert_eq!(ran(&web), [false, true, false]);
    let target = |short: &&str| Target {
        name: format!("shop-production-{short}"),
        short: (*short).to_owned(),
        droplet: DropletId::new(1).unwrap(),
        address: std::net::Ipv4Addr::LOCALHOST,
        private_address: None,
    };
    let ordered = web.order(all.iter().map(target).collect());
    assert_eq!(ordered.iter().map(|t| t.short.as_str()).collect::<Vec<_>>(), ["web-1", "db-1", "web-2"]);
    // A release to one droplet alone brings its migration along.
    let alone = decided(&text("", ""), THREE, &["web-2"]).unwrap();
    assert_eq!(ran(&alone), [false, false, true]);
    let nowhere = decided(&text("", ", place: web"), THREE, &["db-1"]).unwrap();
    assert_eq!(nowhere.warnings, ["the migration is not run: none of these droplets runs its service"]);
}

#[test]
fn a_bucket_goes_to_the_droplets_whose_services_send_backups_there() {
    let backup = |to: &str| {
        format!(
            "backup: {{ to: [local, 'bucket:{to}'], encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] }}"
        )
    };
    let text = format!(
        "services:
  web: {{ image: web, x-tidegate: {{ ingress: {{ port: 80 }} }} }}
  db: {{ image: 'postgres:17', x-tidegate: {{ place: db, {} }} }}
  own: {{ image: 'postgres:17', x-tidegate: {{ place: all, {} }} }}
",
        backup("backups"),
        backup("archive")
    );
    let placement = decided(&text, THREE, &["db-1", "web-1", "web-2"]).unwrap();
    let bucket = |name: &str| BackupBucket { name: name.to_owned(), ..BackupBucket::default() };
    let buckets = ["archive", "backups", "nobodys"].map(bucket).to_vec();
    let request = DeployRequest { buckets, ..DeployRequest::default() };
    let sent = |droplet| {
        let request = placement.request(droplet, &request);
        request.buckets.into_iter().map(|bucket| bucket.name).collect::<Vec<_>>()
    };
    assert_eq!(sent("db-1"), ["archive", "backups"]);
    assert_eq!(sent("web-1"), ["archive"]);
}

#[test]
fn a_breaking_migration_of_what_several_droplets_use_is_refused() {
    let text = |place: &str| {
        format!(
            "x-tidegate: {{ migrate: {{ service: web, command: [m], kind: breaking{place} }} }}
services: {{ web: {{ image: web, x-tidegate: {{ ingress: {{ port: 80 }} }} }} }}
"
        )
    };
    let refused = decided(&text(""), TWO, &["web-1"]).unwrap_err().to_string();
    assert!(refused.starts_with("compose.yaml:1:54: a `breaking` migration of a database"), "{refused}");
    assert!(decided(&text(", place: all"), TWO, &["web-1", "web-2"]).is_ok());
    assert!(decided(&text(""), &TWO[..1], &["web-1"]).is_ok());
}
