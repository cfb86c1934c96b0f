use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate_compose::x_tidegate::{Extension, OnCalendar};

use super::*;
use crate::{
    apps::{AppName, ServiceName},
    timers::{Instance, TimerKind},
};

fn app() -> AppName {
    AppName::new("shop").unwrap()
}

fn unit(kind: TimerKind, app: &str, service: &str) -> TimerUnit {
    TimerUnit::new(kind, Instance::new(AppName::new(app).unwrap(), ServiceName::new(service)).unwrap())
}

/// What the app wants, when these services have a backup at this time.
fn wanted(services: &[(String, String)]) -> Wanted {
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let mut text = String::from("services:\n  other: { image: x }\n");
    for (service, schedule) in services {
        text.push_str(&format!(
            "  '{service}': {{ image: postgres, x-tidegate: {{ backup: {{ encrypt_to: [{recipient}], schedule: '{schedule}' }} }} }}\n"
        ));
    }
    Wanted::of(&app(), &extension(&text)).unwrap()
}

fn extension(text: &str) -> Extension {
    let mut files = tidegate_compose::MemoryFiles::new();
    files.insert("/p/compose.yaml", text);
    let options = tidegate_compose::LoadOptions {
        working_directory: "/p".into(),
        ..tidegate_compose::LoadOptions::default()
    };
    let loaded = tidegate_compose::load(&files, &options).unwrap();
    tidegate_compose::x_tidegate::read(&loaded.project, &loaded.files).unwrap()
}

fn one(service: &str, schedule: &str) -> Wanted {
    wanted(&[(service.to_owned(), schedule.to_owned())])
}

fn expected(wanted: &Wanted) -> Present {
    wanted.timers().map(|timer| (timer.unit.clone(), Found::Ours(timer.render()))).collect()
}

fn settle(files: &UnitFiles, wanted: &Wanted) {
    files.apply(&plan(&files.present().unwrap(), wanted).unwrap()).unwrap();
}

fn entries(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn drop_ins_come_change_and_go_and_those_of_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let files = UnitFiles::new(directory.path().to_owned());
    fs::write(directory.path().join("tidegate-agent.service"), "").unwrap();
    let other =
        Wanted::of(&AppName::new("other").unwrap(), &extension("services: { other: { image: x } }")).unwrap();
    let theirs =
        Change::Write { unit: unit(TimerKind::Backup, "other", "db"), content: format!("{MARK}\nx") };
    files.carry_out(&theirs).unwrap();

    settle(&files, &one("db", "daily"));
    assert_eq!(
        entries(directory.path()).into_iter().collect::<Vec<_>>(),
        [
            "tidegate-agent.service",
            "tidegate-backup@other-db.timer.d",
            "tidegate-backup@shop-db.timer.d",
            "tidegate-verify@shop-db.timer.d"
        ]
    );
    let path = directory.path().join("tidegate-backup@shop-db.timer.d/schedule.conf");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(plan(&files.present().unwrap(), &one("db", "daily")).unwrap(), Plan::default());

    let changed = plan(&files.present().unwrap(), &one("db", "hourly")).unwrap();
    assert_eq!(changed.changes.len(), 1, "the verification stays: {changed:?}");
    files.apply(&changed).unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("OnCalendar=hourly\n"));

    // An admin's own drop-in stays, with its directory.
    fs::write(path.with_file_name("override.conf"), "[Timer]\n").unwrap();
    let gone = plan(&files.present().unwrap(), &Wanted::none(app())).unwrap();
    assert_eq!(
        gone.removed().map(TimerUnit::timer).collect::<Vec<_>>(),
        ["tidegate-backup@shop-db.timer", "tidegate-verify@shop-db.timer"]
    );
    files.apply(&gone).unwrap();
    assert_eq!(entries(path.parent().unwrap()).into_iter().collect::<Vec<_>>(), ["override.conf"]);
    assert_eq!(plan(&files.present().unwrap(), &Wanted::none(app())).unwrap(), Plan::default());
    // The other app wants none of its own, and only then does it go.
    assert_eq!(plan(&files.present().unwrap(), &other).unwrap().changes.len(), 1);
}

#[test]
fn a_file_of_somebody_else_is_neither_replaced_nor_removed() {
    let directory = tempfile::tempdir().unwrap();
    let files = UnitFiles::new(directory.path().to_owned());
    let drop_ins = directory.path().join("tidegate-backup@shop-db.timer.d");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(drop_ins.join(FILE), "[Timer]\nOnCalendar=yearly\n").unwrap();
    let error = plan(&files.present().unwrap(), &one("db", "daily")).unwrap_err();
    assert!(
        error.to_string().starts_with("tidegate-backup@shop-db.timer.d/schedule.conf was not"),
        "{error}"
    );
    assert_eq!(plan(&files.present().unwrap(), &Wanted::none(app())).unwrap(), Plan::default());
    // Nor is what a link leads to.
    fs::remove_file(drop_ins.join(FILE)).unwrap();
    fs::write(directory.path().join("ours"), format!("{MARK}\n")).unwrap();
    fs_err::os::unix::fs::symlink(directory.path().join("ours"), drop_ins.join(FILE)).unwrap();
    assert!(plan(&files.present().unwrap(), &one("db", "daily")).is_err());
}

#[test]
fn a_directory_that_cannot_be_written_is_named_with_the_cure() {
    let files = UnitFiles::new("/nonexistent/systemd".into());
    assert_eq!(files.present().unwrap(), Present::new());
    let change = Change::Write { unit: unit(TimerKind::Backup, "shop", "db"), content: String::new() };
    let error = files.carry_out(&change).unwrap_err().to_string();
    assert!(error.contains("tidegate-backup@shop-db.timer.d") && error.contains("ReadWritePaths"), "{error}");
}

/// Where in a change the power goes.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Before,
    /// The directory is made, or the file is gone.
    Between,
    /// Half a file is written.
    Torn,
}

fn crash(files: &UnitFiles, change: &Change, cut: Cut) {
    let directory = |unit| files.drop_ins(unit);
    match (change, cut) {
        (_, Cut::Before) => {}
        (Change::Write { unit, .. }, Cut::Between) => fs::create_dir_all(directory(unit)).unwrap(),
        (Change::Write { unit, content }, Cut::Torn) => {
            fs::create_dir_all(directory(unit)).unwrap();
            fs::write(directory(unit).join(TORN), content.get(..content.len() / 2).unwrap()).unwrap();
        }
        (Change::Remove(unit), Cut::Between | Cut::Torn) => drop(fs::remove_file(directory(unit).join(FILE))),
    }
}

fn services() -> impl Strategy<Value = Vec<(String, String)>> {
    let schedule = prop::sample::select(vec!["daily", "hourly", "*-*-* 03:00"]);
    let entry = (prop::sample::select(vec!["db", "d-b", "cache", "a.b"]), schedule);
    prop::collection::btree_map(entry.0, entry.1, 0..4).prop_map(|map| {
        map.into_iter().map(|(name, schedule)| (name.to_owned(), schedule.to_owned())).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// After a crash at any point of one plan, the next one brings the droplet to what is then wanted, and leaves nothing else.
    #[test]
    fn from_wherever_it_stopped_the_next_run_gets_there(
        before in services(),
        during in services(),
        after in services(),
        (done, cut) in (0usize..10, prop::sample::select(vec![Cut::Before, Cut::Between, Cut::Torn])),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let files = UnitFiles::new(directory.path().to_owned());
        settle(&files, &wanted(&before));
        let stopped = plan(&files.present().unwrap(), &wanted(&during)).unwrap();
        for change in stopped.changes.iter().take(done) {
            files.carry_out(change).unwrap();
        }
        if let Some(change) = stopped.changes.get(done) {
            crash(&files, change, cut);
        }

        let wanted = wanted(&after);
        settle(&files, &wanted);
        prop_assert_eq!(files.present().unwrap(), expected(&wanted));
        prop_assert_eq!(plan(&files.present().unwrap(), &wanted).unwrap(), Plan::default());
        settle(&files, &Wanted::none(app()));
        prop_assert_eq!(entries(directory.path()), BTreeSet::new());
    }
}

#[test]
fn schedules_cannot_write_a_second_line() {
    assert!(OnCalendar::parse("daily\nOnBootSec=1").is_err());
}
