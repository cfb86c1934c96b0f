//! `x-tidegate.backup`: every key, and every refusal with its place.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_compose::x_tidegate::{
    self, Backup, Consistency, Databases, Destination, Engine, Keep, OnCalendar, OnCalendarError, Recipient,
    RecipientError, Verify,
};

use super::load_text;

/// From age's own documentation.
const ALICE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const BOB: &str = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";

/// A service `db` with an image and what stands under `backup`; `ALICE` and `BOB` are replaced.
fn file(image: &str, backup: &str) -> String {
    let backup = backup.replace("ALICE", ALICE).replace("BOB", BOB);
    format!("services:\n  db:\n    image: {image}\n    x-tidegate:\n      backup: {backup}\n")
}

fn backup(image: &str, text: &str) -> Backup {
    let loaded = load_text(&file(image, text)).unwrap();
    let mut read = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
    read.services.remove("db").unwrap().backup.unwrap()
}

/// The refusals, without the lines of the file.
fn refusals(text: &str) -> Vec<String> {
    let loaded = load_text(text).unwrap();
    let errors = x_tidegate::read(&loaded.project, &loaded.files).unwrap_err().errors;
    let shown = |error: &tidegate_compose::LoadError| {
        let place = error.place.as_ref().unwrap();
        let hint = error.hint.as_deref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!("{}:{} {}: {}{hint}", place.line, place.column, error.path, error.message)
    };
    errors.iter().map(shown).collect()
}

fn calendar(text: &str) -> OnCalendar {
    OnCalendar::parse(text).unwrap()
}

#[test]
fn in_short_it_is_kept_on_the_droplet_made_by_hand_and_verified_weekly() {
    let read = backup("postgres:17", "{ encrypt_to: [ALICE] }");
    assert_eq!(read.engine, Engine::Postgres(Databases::default()));
    assert_eq!(read.schedule, None);
    assert_eq!(read.keep, Keep { last: 0, daily: 7, weekly: 5, monthly: 12, yearly: 0 });
    assert_eq!(read.to, [Destination::Local]);
    assert_eq!(read.encrypt_to, [Recipient::parse(ALICE).unwrap()]);
    assert_eq!(read.verify, Verify::At(calendar("weekly")));
    assert_eq!(read.timeout, Duration::from_hours(6));
    assert_eq!(read.at.line, 5);
}

#[test]
fn in_full() {
    let read = backup(
        "shop/db",
        "
        engine: postgres
        schedule: '*-*-* 03:00'
        keep: { last: 3, daily: '7', yearly: 2 }
        to: [local, 'bucket:backups']
        encrypt_to: [ALICE, BOB]
        verify: never
        databases: [shop, stock]
        user: admin
        timeout: 90m
        checks: ['SELECT count(*) > 0 FROM orders']",
    );
    let databases = Databases {
        names: vec!["shop".into(), "stock".into()],
        user: Some("admin".into()),
        checks: vec!["SELECT count(*) > 0 FROM orders".into()],
    };
    assert_eq!(read.engine, Engine::Postgres(databases));
    assert_eq!(read.schedule, Some(calendar("*-*-* 03:00")));
    // What is written stands for the whole.
    assert_eq!(read.keep, Keep { last: 3, daily: 7, weekly: 0, monthly: 0, yearly: 2 });
    assert_eq!(read.to, [Destination::Local, Destination::Bucket("backups".into())]);
    assert_eq!(read.encrypt_to.len(), 2);
    assert_eq!((read.verify, read.timeout), (Verify::Never, Duration::from_mins(90)));
}

#[test]
fn each_engine_has_its_keys() {
    let sqlite = backup("shop/web", "{ engine: sqlite, paths: [/data/app.db], encrypt_to: [ALICE] }");
    assert_eq!(sqlite.engine, Engine::Sqlite { paths: vec!["/data/app.db".into()] });
    let volume = |text: &str| {
        let text = format!("{{ engine: volume, {text} encrypt_to: [ALICE] }}");
        backup("shop/web", &text).engine
    };
    assert_eq!(volume(""), Engine::Volume { consistency: Consistency::Pause });
    assert_eq!(volume("consistency: stop,"), Engine::Volume { consistency: Consistency::Stop });
    assert_eq!(volume("consistency: none,"), Engine::Volume { consistency: Consistency::None });
    let mysql = backup("shop/web", "{ engine: mysql, databases: [shop], encrypt_to: [ALICE] }");
    let databases = Databases { names: vec!["shop".into()], ..Databases::default() };
    assert_eq!(mysql.engine, Engine::Mysql(databases));
}

#[test]
fn the_engine_is_guessed_from_whole_names_alone() {
    for (image, engine) in [
        ("postgres", "postgres"),
        ("postgis/postgis:17-3.5", "postgres"),
        ("timescale/timescaledb:2.17-pg17", "postgres"),
        (
            "registry.example.com:5000/bitnami/postgresql@sha256:0123456789012345678901234567890123456789012345678901234567890123",
            "postgres",
        ),
        ("mysql:8", "mysql"),
        ("mariadb:11", "mysql"),
        ("redis:7-alpine", "redis"),
        ("valkey/valkey:8", "redis"),
    ] {
        assert_eq!(backup(image, "{ encrypt_to: [ALICE] }").engine.name(), engine, "{image}");
    }
    let unknown = ["prometheuscommunity/postgres-exporter:v1", "shop/web:1"];
    insta::assert_snapshot!(
        unknown.map(|image| refusals(&file(image, "{ encrypt_to: [ALICE] }")).join("\n")).join("\n")
    );
}

#[test]
fn what_all_engines_have_is_refused_with_its_place() {
    let wrong = [
        "{}",
        "{ encrypt_to: [] }",
        "{ encrypt_to: ALICE }",
        "{ encrypt_to: [ALICE, ALICE, ssh-ed25519 AAAA, shop, 7] }",
        "{ encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q] }",
        "{ encrypt_to: [ALICE], engine: postgresql, timeout: 0s }",
        "{ encrypt_to: [ALICE], schedule: '', verify: '0 3 * * *' }",
        "{ encrypt_to: [ALICE], schedule: \"daily\\nPersistent=no\", verify: 7 }",
        "{ encrypt_to: [ALICE], keep: { daily: 0 } }",
        "{ encrypt_to: [ALICE], keep: { dayly: 7, last: -1 } }",
        "{ encrypt_to: [ALICE], keep: 7, timeout: 5 }",
        "{ encrypt_to: [ALICE], to: [] }",
        "{ encrypt_to: [ALICE], to: [local, local, locall, 's3:shop', 'bucket:', 'bucket:Shop'] }",
        "{ encrypt_to: [ALICE], to: local, shedule: daily }",
        "daily",
    ];
    let told = wrong.map(|text| format!("{text}\n{}", refusals(&file("postgres:17", text)).join("\n")));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn what_belongs_to_another_engine_is_refused() {
    let wrong = [
        (
            "redis:7",
            "{ encrypt_to: [ALICE], databases: [a], user: b, checks: [c], paths: [/d], consistency: stop }",
        ),
        ("shop/web", "{ encrypt_to: [ALICE], engine: sqlite, databases: [a] }"),
        ("shop/web", "{ encrypt_to: [ALICE], engine: sqlite, paths: [data/app.db, /a/../b, /a/, /c, /c] }"),
        ("shop/web", "{ encrypt_to: [ALICE], engine: sqlite, paths: [] }"),
        ("shop/web", "{ encrypt_to: [ALICE], engine: volume, paths: [/a], consistency: halt }"),
        ("mysql:8", "{ encrypt_to: [ALICE], databases: [a, a], checks: 7, consistency: pause }"),
    ];
    let told = wrong.map(|(image, text)| format!("{text}\n{}", refusals(&file(image, text)).join("\n")));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn one_of_several_replicas_cannot_be_backed_up() {
    let text = file("postgres:17", "{ encrypt_to: [ALICE] }");
    let scaled = text.replace("    x-tidegate", "    scale: 2\n    x-tidegate");
    let deployed = text.replace("    x-tidegate", "    deploy: { replicas: 3 }\n    x-tidegate");
    let told = [scaled, deployed].map(|text| refusals(&text).join("\n"));
    insta::assert_snapshot!(told.join("\n"));
    let one = text.replace("    x-tidegate", "    scale: 1\n    x-tidegate");
    let loaded = load_text(&one).unwrap();
    assert!(x_tidegate::read(&loaded.project, &loaded.files).is_ok());
}

#[test]
fn a_secret_key_is_refused_and_not_shown() {
    let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let told = |backup: &str| {
        let loaded = load_text(&file("postgres:17", backup)).unwrap();
        x_tidegate::read(&loaded.project, &loaded.files).unwrap_err().to_string()
    };
    let listed = told(&format!("{{ encrypt_to: [{secret}] }}"));
    assert!(listed.contains("secret key") && !listed.contains(secret), "{listed}");
    // Neither where the fault is another one on the same line.
    let beside = told(&format!("{{ encrypt_to: {secret}, keep: 7 }}"));
    assert!(beside.contains("expected a list") && !beside.contains(secret), "{beside}");
}

#[test]
fn recipients_are_told_apart() {
    assert!(Recipient::parse(ALICE).is_ok() && Recipient::parse(BOB).is_ok());
    let kind = |text: &str| Recipient::parse(text).unwrap_err();
    assert_eq!(kind("age-secret-key-1abc"), RecipientError::Secret);
    assert_eq!(kind("sk-ssh-ed25519@openssh.com AAAA"), RecipientError::Ssh);
    assert_eq!(kind("AGE1QL3Z7"), RecipientError::Other);
    assert!(matches!(kind(ALICE.get(..50).unwrap()), RecipientError::Damaged(Some(_))));
    assert!(matches!(kind("age1qqqsyzq3ptt"), RecipientError::Damaged(None)));
}

#[test]
fn schedules_are_one_line_of_a_unit_file() {
    for good in [
        "daily",
        "*-*-* 03:00",
        "Mon..Fri *-*-* 04:30:00 Europe/Berlin",
        "*-*-01/2 0:0",
        "Sun 3:00 Etc/GMT+1",
    ] {
        assert_eq!(calendar(good).as_str(), good);
    }
    assert_eq!(calendar(" daily ").as_str(), "daily");
    assert_eq!(OnCalendar::parse(" "), Err(OnCalendarError::Empty));
    assert_eq!(OnCalendar::parse(&"1".repeat(129)), Err(OnCalendarError::Long));
    assert_eq!(OnCalendar::parse("*/5 * * * *"), Err(OnCalendarError::Cron));
    for wrong in ['\n', '\r', '%', '\\', '=', '"', '\u{e9}', '\0', '\t', '#', ';'] {
        assert_eq!(OnCalendar::parse(&format!("daily{wrong}")), Err(OnCalendarError::Character(wrong)));
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_write_a_second_line(text in "\\PC{0,40}") {
        if let Ok(calendar) = OnCalendar::parse(&text) {
            prop_assert!(calendar.as_str().chars().all(|c| c == ' ' || c.is_ascii_graphic()));
        }
        prop_assert!(Recipient::parse(&text).is_err());
    }
}
