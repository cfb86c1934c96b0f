//! Names of our timer units.

use std::fmt;

use super::Instance;

/// What a timer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// A backup is made.
    Backup,
    /// The latest backup is restored on trial.
    Verify,
}

impl TimerKind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Backup, Self::Verify];

    /// The template's name up to the `@`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Backup => "tidegate-backup",
            Self::Verify => "tidegate-verify",
        }
    }
}

/// A timer of one instance, as `tidegate-backup@shop-db`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerUnit {
    kind: TimerKind,
    instance: Instance,
}

impl TimerUnit {
    /// The timer of a kind for an instance.
    pub fn new(kind: TimerKind, instance: Instance) -> Self {
        Self { kind, instance }
    }

    /// Reads `tidegate-backup@shop-db.timer`; nothing when it is not one of ours.
    pub fn parse_timer(name: &str) -> Option<Self> {
        let (prefix, instance) = name.strip_suffix(".timer")?.split_once('@')?;
        let kind = TimerKind::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        Some(Self { kind, instance: Instance::parse(instance).ok()? })
    }

    /// What it starts.
    pub fn kind(&self) -> TimerKind {
        self.kind
    }

    /// Whose it is.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// `tidegate-backup@shop-db.timer`
    pub fn timer(&self) -> String {
        format!("{self}.timer")
    }

    /// `tidegate-backup@shop-db.service`, which the timer starts.
    pub fn service(&self) -> String {
        format!("{self}.service")
    }
}

impl fmt::Display for TimerUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind.prefix(), self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timers::templates::TEMPLATES;

    #[test]
    fn ours_are_told_from_others() {
        let unit = TimerUnit::parse_timer("tidegate-backup@my\\x2dshop-db.timer").unwrap();
        assert_eq!((unit.kind(), unit.instance().app().as_str()), (TimerKind::Backup, "my-shop"));
        assert_eq!(unit.service(), "tidegate-backup@my\\x2dshop-db.service");
        assert_eq!(TimerUnit::parse_timer(&unit.timer()), Some(unit));
        for other in [
            "tidegate-backup@.timer",
            "tidegate-backup@shop-db.service",
            "tidegate-backup@db.timer",
            "apt-daily.timer",
            "x@shop-db.timer",
        ] {
            assert_eq!(TimerUnit::parse_timer(other), None, "{other}");
        }
    }

    /// The templates with a drop-in as the agent writes it, judged by systemd itself; without one they have no time.
    #[test]
    fn systemd_takes_the_templates_with_a_drop_in_and_not_without() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in TEMPLATES {
            // The program is not on this machine.
            let text = text.replace("/usr/local/bin/tidegate-agent", "/bin/true");
            fs_err::write(directory.path().join(name), text).unwrap();
        }
        let verify = |unit: &str| {
            let mut command = std::process::Command::new("systemd-analyze");
            let path = format!("{}:", directory.path().display());
            command.args(["verify", "--man=no", "--", unit]).env("SYSTEMD_UNIT_PATH", path).output()
        };
        for kind in TimerKind::ALL {
            let timer = format!("{}@my\\x2dshop-db.timer", kind.prefix());
            let Ok(without) = verify(&timer) else {
                println!("skipped: systemd-analyze is not installed");
                return;
            };
            assert!(String::from_utf8_lossy(&without.stderr).contains("lacks value setting"), "{without:?}");
            let drop_ins = directory.path().join(format!("{timer}.d"));
            fs_err::create_dir(&drop_ins).unwrap();
            let text = "[Timer]\nOnCalendar=*-*-* 03:00\nRandomizedDelaySec=300s\n";
            fs_err::write(drop_ins.join("schedule.conf"), text).unwrap();
            let with = verify(&timer).unwrap();
            assert!(with.status.success() && with.stderr.is_empty(), "{with:?}");
        }
    }
}
