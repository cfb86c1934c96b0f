//! Which timers an app wants, and what stands in their drop-ins. Pure.

use std::{collections::BTreeMap, time::Duration};

use tidegate_compose::x_tidegate::{Extension, OnCalendar, Verify};

use super::{Instance, InstanceError, TimerKind, TimerUnit};
use crate::apps::{AppName, ServiceName};

/// By this a drop-in is known as ours: its first line.
pub(super) const MARK: &str = "# Written by tidegate-agent; what is changed here is lost.";

/// When one unit elapses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The unit.
    pub unit: TimerUnit,
    /// When.
    pub on_calendar: OnCalendar,
    /// Up to so much later, so that not all droplets come to a bucket in the same second.
    pub randomized_delay: Duration,
}

impl Timer {
    /// Whose it is.
    pub fn app(&self) -> &AppName {
        self.unit.instance().app()
    }

    /// The drop-in.
    pub fn render(&self) -> String {
        let (instance, calendar) = (self.unit.instance(), &self.on_calendar);
        let (app, service, delay) = (instance.app(), instance.service(), self.randomized_delay.as_secs());
        format!(
            "{MARK}\n# x-tidegate.backup of the service {service} of the app {app}\n\
             [Timer]\nOnCalendar={calendar}\nRandomizedDelaySec={delay}s\n"
        )
    }
}

/// All timers that one app wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    app: AppName,
    timers: BTreeMap<TimerUnit, Timer>,
}

impl Wanted {
    /// Those of a service with a backup and a schedule: one for the backup, and one for its verification unless that is
    /// `never`. A backup without a schedule is made by hand, and so is its verification.
    ///
    /// # Errors
    /// When a service's name is too long for systemd.
    pub fn of(app: &AppName, extension: &Extension) -> Result<Self, InstanceError> {
        let mut wanted = Self::none(app.clone());
        for (name, service) in &extension.services {
            let Some(backup) = &service.backup else { continue };
            let Some(schedule) = &backup.schedule else { continue };
            let instance = Instance::new(app.clone(), ServiceName::new(name))?;
            wanted.add(TimerKind::Backup, &instance, schedule);
            if let Verify::At(verify) = &backup.verify {
                wanted.add(TimerKind::Verify, &instance, verify);
            }
        }
        Ok(wanted)
    }

    /// None, as when the app is removed.
    pub fn none(app: AppName) -> Self {
        Self { app, timers: BTreeMap::new() }
    }

    /// Whose they are.
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// The timers, in the order of their names.
    pub fn timers(&self) -> impl Iterator<Item = &Timer> {
        self.timers.values()
    }

    /// Whether it has this one.
    pub fn has(&self, unit: &TimerUnit) -> bool {
        self.timers.contains_key(unit)
    }

    pub(super) fn add(&mut self, kind: TimerKind, instance: &Instance, on_calendar: &OnCalendar) {
        let unit = TimerUnit::new(kind, instance.clone());
        let randomized_delay = match kind {
            TimerKind::Backup => Duration::from_mins(5),
            // Nobody waits for it, and it takes processor and disk from the apps.
            TimerKind::Verify => Duration::from_hours(1),
        };
        let on_calendar = on_calendar.clone();
        self.timers.insert(unit.clone(), Timer { unit, on_calendar, randomized_delay });
    }
}

#[cfg(test)]
mod tests {
    use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};

    use super::*;

    const COMPOSE: &str = "
x-recipient: &to [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
services:
  db: { image: 'postgres:17', x-tidegate: { backup: { encrypt_to: *to, schedule: '*-*-* 03:00' } } }
  stock-db: { image: 'mysql:8', x-tidegate: { backup: { encrypt_to: *to, schedule: hourly, verify: never } } }
  by-hand: { image: 'redis:7', x-tidegate: { backup: { encrypt_to: *to, verify: daily } } }
  web: { image: web }
";

    #[test]
    fn a_scheduled_backup_has_two_timers_unless_it_is_never_verified() {
        let mut files = MemoryFiles::new();
        files.insert("/apps/shop/compose.yaml", COMPOSE);
        let options = LoadOptions { working_directory: "/apps/shop".into(), ..LoadOptions::default() };
        let loaded = load(&files, &options).unwrap();
        let extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
        let wanted = Wanted::of(&AppName::new("my-shop").unwrap(), &extension).unwrap();
        let shown = |timer: &Timer| format!("{}\n{}", timer.unit.timer(), timer.render());
        insta::assert_snapshot!(wanted.timers().map(shown).collect::<Vec<_>>().join("\n"), @r"
        tidegate-backup@my\x2dshop-db.timer
        # Written by tidegate-agent; what is changed here is lost.
        # x-tidegate.backup of the service db of the app my-shop
        [Timer]
        OnCalendar=*-*-* 03:00
        RandomizedDelaySec=300s

        tidegate-backup@my\x2dshop-stock\x2ddb.timer
        # Written by tidegate-agent; what is changed here is lost.
        # x-tidegate.backup of the service stock-db of the app my-shop
        [Timer]
        OnCalendar=hourly
        RandomizedDelaySec=300s

        tidegate-verify@my\x2dshop-db.timer
        # Written by tidegate-agent; what is changed here is lost.
        # x-tidegate.backup of the service db of the app my-shop
        [Timer]
        OnCalendar=weekly
        RandomizedDelaySec=3600s
        ");
    }
}
