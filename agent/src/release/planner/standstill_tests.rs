use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};

use super::*;

const SHOP: &str = "
x-tidegate:
  migrate: { service: web, command: [alembic, upgrade, head], kind: breaking }
services:
  page: { image: page:1, depends_on: [web] }
  web: { image: web:1, depends_on: [db, redis] }
  worker: { image: web:1, environment: { DATABASE_URL: 'postgres://shop@db/shop' } }
  mail: { image: mail:1, depends_on: [redis] }
  redis: { image: redis:1 }
  db:
    image: postgres:17
    volumes: ['data:/var/lib/postgresql/data']
    x-tidegate: { backup: { to: [local], encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] } }
volumes: { data: {} }
";

fn read(compose: &str) -> (Project, Extension) {
    let mut files = MemoryFiles::new();
    files.insert("/apps/shop/compose.yaml", compose);
    let options = LoadOptions {
        working_directory: "/apps/shop".into(),
        project_name: Some("shop".into()),
        ..LoadOptions::default()
    };
    let loaded = load(&files, &options).unwrap();
    let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    (loaded.project, extension)
}

#[test]
fn who_uses_the_database_now_or_then_stands_still() {
    let (project, extension) = read(SHOP);
    let still = Still::of(&project, &extension, None).unwrap();
    assert_eq!(still.databases, [ServiceName::new("db")]);
    assert_eq!(still.users, ["page", "web", "worker"]);
    let former = SHOP
        .replace("mail: { image: mail:1, depends_on: [redis] }", "mail: { image: mail:1, depends_on: [db] }");
    let still = Still::of(&project, &extension, Some(&read(&former).0)).unwrap();
    assert!(still.holds("mail") && !still.holds("redis") && !still.holds("db"));
    // What is in a Redis has no schema, whether it is backed up or not.
    let backup =
        "{ backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] } }";
    let backed_up = format!("redis: {{ image: redis:1, x-tidegate: {backup} }}");
    let (project, extension) = read(&SHOP.replace("redis: { image: redis:1 }", &backed_up));
    assert_eq!(Still::of(&project, &extension, None).unwrap().databases, [ServiceName::new("db")]);
    let (project, extension) = read(&SHOP.replace("breaking", "compatible"));
    assert_eq!(Still::of(&project, &extension, None), None);
}

fn still(revived: &[&str]) -> PlannedStandstill {
    PlannedStandstill {
        databases: vec![ServiceName::new("db")],
        stopped: Vec::new(),
        revived: revived.iter().map(|name| ServiceName::new(*name)).collect(),
        visitors: Visitors::ToldToWait,
        returning: Vec::new(),
    }
}

fn arranged(steps: &[Step], revived: &[&str]) -> Vec<String> {
    let (project, _) = read(SHOP);
    arrange(steps.to_vec(), &still(revived), &project).iter().map(ToString::to_string).collect()
}

#[test]
fn the_standstill_surrounds_the_migration_until_the_release_counts() {
    let web = ServiceName::new("web");
    let steps = [
        Step::Prepare,
        Step::Create,
        Step::Migrate,
        Step::Replace(web),
        Step::Switch,
        Step::Drain,
        Step::Commit,
        Step::Prune,
    ];
    let expected = [
        "prepare",
        "create",
        "quiesce",
        "backup db",
        "copy db",
        "migrate",
        "replace web",
        "switch",
        "revive worker",
        "drain",
        "commit",
        "open",
        "discard db",
        "prune",
    ];
    assert_eq!(arranged(&steps, &["worker"]), expected);
}

#[test]
fn what_stays_is_up_before_what_needs_it() {
    let page = ServiceName::new("page");
    let steps = [Step::Migrate, Step::Replace(page), Step::Commit];
    let expected = [
        "quiesce",
        "backup db",
        "copy db",
        "migrate",
        "revive web",
        "replace page",
        "revive worker",
        "commit",
        "open",
        "discard db",
    ];
    assert_eq!(arranged(&steps, &["web", "worker"]), expected);
}

#[test]
fn on_the_way_back_the_data_is_there_before_the_code() {
    let (project, _) = read(SHOP);
    let taken_at = "2026-11-23T03:00:00Z".parse().unwrap();
    let returning =
        vec![ReturningBackup { service: ServiceName::new("db"), backup: "1".to_owned(), taken_at }];
    let steps =
        vec![Step::Prepare, Step::Create, Step::Replace(ServiceName::new("web")), Step::Commit, Step::Prune];
    let still = PlannedStandstill { returning, ..still(&["worker"]) };
    let names: Vec<String> = arrange(steps, &still, &project).iter().map(ToString::to_string).collect();
    let expected = [
        "prepare",
        "create",
        "quiesce",
        "restore db",
        "replace web",
        "revive worker",
        "commit",
        "open",
        "retain db",
        "prune",
    ];
    assert_eq!(names, expected);
}
