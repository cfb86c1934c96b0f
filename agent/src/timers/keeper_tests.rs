use std::sync::{Mutex, PoisonError};

use tidegate_compose::x_tidegate::OnCalendar;

use super::*;
use crate::{
    apps::{AppName, ServiceName},
    timers::{Instance, TimerKind},
};

/// Writes down what it is asked, with the drop-ins that stand at that moment.
#[derive(Debug)]
struct Told {
    units: PathBuf,
    said: Mutex<Vec<String>>,
}

impl Told {
    fn note(&self, word: &str, units: &[TimerUnit]) {
        let standing = fs_err::read_dir(&self.units)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().join("schedule.conf").exists());
        let line = format!("{word} {} with {} drop-ins", names(units).join(" "), standing.count());
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Scheduler for Told {
    fn stop<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        self.note("stop", units);
        futures::future::ready(Ok(())).boxed()
    }

    fn start<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        self.note("start", units);
        futures::future::ready(Ok(())).boxed()
    }
}

fn wanted(services: &[&str]) -> Wanted {
    let app = AppName::new("shop").unwrap();
    let mut wanted = Wanted::none(app.clone());
    for service in services {
        let instance = Instance::new(app.clone(), ServiceName::new(*service)).unwrap();
        wanted.add(TimerKind::Backup, &instance, &OnCalendar::weekly());
    }
    wanted
}

#[tokio::test]
async fn what_goes_is_stopped_while_it_is_known_and_all_that_is_wanted_is_started() {
    let directory = tempfile::tempdir().unwrap();
    let told = Arc::new(Told { units: directory.path().to_owned(), said: Mutex::default() });
    let keeper = TimerKeeper::new(directory.path().to_owned(), told.clone());

    keeper.bring(&wanted(&["db"])).await.unwrap();
    assert_eq!(told.take(), ["start tidegate-backup@shop-db.timer with 1 drop-ins"]);
    for template in ["tidegate-backup@.timer", "tidegate-verify@.service"] {
        assert!(directory.path().join(template).exists(), "{template}");
    }
    // Again, as after a crash in between: nothing to write, and it is started all the same.
    assert_eq!(keeper.bring(&wanted(&["db"])).await.unwrap(), Plan::default());
    assert_eq!(told.take(), ["start tidegate-backup@shop-db.timer with 1 drop-ins"]);

    keeper.bring(&wanted(&["other"])).await.unwrap();
    assert_eq!(
        told.take(),
        [
            "stop tidegate-backup@shop-db.timer with 1 drop-ins",
            "start tidegate-backup@shop-other.timer with 1 drop-ins"
        ]
    );
    keeper.bring(&wanted(&[])).await.unwrap();
    assert_eq!(
        told.take(),
        ["stop tidegate-backup@shop-other.timer with 1 drop-ins", "start  with 0 drop-ins"]
    );
    // An app that wants none and has none concerns systemd in nothing.
    keeper.bring(&wanted(&[])).await.unwrap();
    assert_eq!(told.take(), [""; 0]);
}
