//! Names of the apps' units.

use std::fmt;

use crate::apps::AppName;

/// The unit of an app. Its name is the instance as it is: nobody has to escape it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppUnit(AppName);

impl AppUnit {
    /// systemd's pattern of all of them.
    pub const ALL: &'static str = "tidegate-app@*.service";

    /// Of this app.
    pub fn of(app: &AppName) -> Self {
        Self(app.clone())
    }

    /// Reads `tidegate-app@shop.service`; none when it is not one of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let app = name.strip_prefix("tidegate-app@")?.strip_suffix(".service")?;
        AppName::new(app).ok().map(Self)
    }

    /// Whose it is.
    pub fn app(&self) -> &AppName {
        &self.0
    }
}

impl fmt::Display for AppUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tidegate-app@{}.service", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_told_from_others() {
        let unit = AppUnit::parse("tidegate-app@my-shop.service").unwrap();
        assert_eq!(
            (unit.app().as_str(), unit.to_string().as_str()),
            ("my-shop", "tidegate-app@my-shop.service")
        );
        for other in ["tidegate-app@.service", "tidegate-app@.timer", "tidegate-app@A.service", "ssh.service"]
        {
            assert_eq!(AppUnit::parse(other), None, "{other}");
        }
    }

    /// The template, judged by systemd itself.
    #[test]
    fn systemd_takes_the_template() {
        let directory = tempfile::tempdir().unwrap();
        let text = include_str!("../../../systemd/tidegate-app@.service");
        // The program is not on this machine.
        let text = text.replace("/usr/local/bin/tidegate-agent", "/bin/true");
        fs_err::write(directory.path().join("tidegate-app@.service"), text).unwrap();
        let mut command = std::process::Command::new("systemd-analyze");
        let path = format!("{}:", directory.path().display());
        command.args(["verify", "--man=no", "--", "tidegate-app@my-shop.service"]);
        let Ok(told) = command.env("SYSTEMD_UNIT_PATH", path).output() else {
            println!("skipped: systemd-analyze is not installed");
            return;
        };
        assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
    }
}
