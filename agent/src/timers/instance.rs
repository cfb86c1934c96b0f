//! Names of instances: an app and a service as one word that systemd takes, and back.

use std::fmt;

use crate::apps::{AppName, ServiceName};

/// What stands behind the `@` of a unit: `<app>/<service>`, escaped as `systemd-escape` does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    escaped: String,
    app: AppName,
    service: ServiceName,
}

/// A name that is no instance, or cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// systemd takes unit names up to 255 bytes, and files have no longer names.
    #[error(
        "the service {service} of {app} has too long a name for a systemd unit; give it a shorter one to have it backed up by a timer"
    )]
    Long {
        /// The app.
        app: AppName,
        /// The service.
        service: ServiceName,
    },
    /// Compose takes no such name.
    #[error("{0:?} is not a service's name: letters, digits, dots, underscores and hyphens")]
    Service(String),
    /// Not as we write them.
    #[error("{0:?} names no app and service, as tidegate writes it: the app, a hyphen, the service")]
    Form(String),
}

/// What the longest of our names has beside the instance: `tidegate-backup@` and `.timer.d`; the limit is a file's.
const LONGEST: usize = 255 - "tidegate-backup@".len() - ".timer.d".len();

impl Instance {
    /// The instance of an app's service.
    ///
    /// # Errors
    /// When the service's name is none, or so long that systemd would not take it.
    pub fn new(app: AppName, service: ServiceName) -> Result<Self, InstanceError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if service.as_str().is_empty() || !service.as_str().bytes().all(is_plain) {
            return Err(InstanceError::Service(service.as_str().to_owned()));
        }
        let escaped = format!("{}-{}", escape(app.as_str()), escape(service.as_str()));
        if escaped.len() > LONGEST {
            return Err(InstanceError::Long { app, service });
        }
        Ok(Self { escaped, app, service })
    }

    /// Reads what systemd gives as `%i`.
    ///
    /// # Errors
    /// When it is not exactly what [`Instance::new`] writes.
    pub fn parse(text: &str) -> Result<Self, InstanceError> {
        let wrong = || InstanceError::Form(text.to_owned());
        let (app, service) = text.split_once('-').ok_or_else(wrong)?;
        let app = AppName::new(app.replace(HYPHEN, "-")).map_err(|_| wrong())?;
        let read = Self::new(app, ServiceName::new(service.replace(HYPHEN, "-")))?;
        // One instance, one name: `shop-a-b` would be read too.
        if read.escaped == text { Ok(read) } else { Err(wrong()) }
    }

    /// The escaped form.
    pub fn as_str(&self) -> &str {
        &self.escaped
    }

    /// The app.
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// The service.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.escaped)
    }
}

const HYPHEN: &str = "\\x2d";

/// Of the bytes that names have, `systemd-escape` changes the hyphen alone. A dot is changed only at the very beginning,
/// where an app's letter stands.
fn escape(name: &str) -> String {
    name.replace('-', HYPHEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instance(app: &str, service: &str) -> Result<Instance, InstanceError> {
        Instance::new(AppName::new(app).unwrap(), ServiceName::new(service))
    }

    #[test]
    fn names_are_those_of_systemd_escape() {
        assert_eq!(instance("shop", "db").unwrap().as_str(), "shop-db");
        assert_eq!(instance("my-shop", "db.main_1").unwrap().as_str(), "my\\x2dshop-db.main_1");
        assert_eq!(instance("shop", "a-b").unwrap().as_str(), "shop-a\\x2db");
        assert_ne!(instance("a-b", "c").unwrap(), instance("a", "b-c").unwrap());
    }

    #[test]
    fn what_is_not_written_so_is_no_instance() {
        for wrong in [
            "",
            "shop",
            "shop-",
            "-db",
            "Shop-db",
            "shop-a-b",
            "shop-a\\x2f",
            "shop-\\x41",
            "shop-a/b",
            "s\\x2D-db",
        ] {
            assert!(Instance::parse(wrong).is_err(), "{wrong}");
        }
        assert!(matches!(instance("shop", "a b"), Err(InstanceError::Service(_))));
        assert!(matches!(instance("shop", &"s".repeat(255)), Err(InstanceError::Long { .. })));
    }

    /// The tool itself, where it is there.
    #[test]
    fn systemd_escapes_the_same() {
        for (app, service) in [("shop", "db"), ("my-shop", "a-b.c_d-"), ("a--b", ".hidden"), ("s-", "-")] {
            let joined = format!("{app}/{service}");
            let Ok(told) = std::process::Command::new("systemd-escape").arg("--").arg(&joined).output()
            else {
                println!("skipped: systemd-escape is not installed");
                return;
            };
            let told = String::from_utf8(told.stdout).unwrap();
            assert_eq!(instance(app, service).unwrap().as_str(), told.trim_end(), "{joined}");
        }
    }

    proptest! {
        #[test]
        fn an_instance_is_read_as_it_was_written(app in "[a-z][a-z0-9-]{0,30}", service in "[a-zA-Z0-9._-]{1,40}") {
            let written = instance(&app, &service);
            if let Ok(written) = written {
                let read = Instance::parse(written.as_str()).unwrap();
                prop_assert_eq!(read.app().as_str(), app);
                prop_assert_eq!(read.service().as_str(), service);
                prop_assert_eq!(read, written);
            } else {
                prop_assert!(service.len() + app.len() > 57, "{} {}", app, service);
            }
        }

        #[test]
        fn what_can_be_read_is_written_the_same(text in "[a-z\\\\x2d.-]{0,30}") {
            if let Ok(read) = Instance::parse(&text) {
                prop_assert_eq!(read.as_str(), text);
            }
        }
    }
}
