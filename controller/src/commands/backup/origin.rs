//! `--from`: backups that were made elsewhere, and are in a bucket that the droplet reaches too.

use std::{fmt, str::FromStr};

use serde::Serialize;
use tidegate_proto::v1::BackupOrigin;

use crate::names::Name;

/// `production`, `production/crm`, `production/crm/db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) struct From {
    environment: Name,
    app: Option<Name>,
    service: Option<String>,
}

impl From {
    /// As an agent is asked, for an app that it has.
    pub(in crate::commands) fn origin(&self, app: &Name) -> BackupOrigin {
        BackupOrigin {
            environment: self.environment.to_string(),
            app: self.app.as_ref().unwrap_or(app).to_string(),
            service: self.service.clone().unwrap_or_default(),
            droplet: 0,
        }
    }
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |part: &str| part.parse::<Name>().map_err(|error| error.to_string());
        let mut parts = text.split('/');
        let environment = name(parts.next().unwrap_or_default())?;
        let app = parts.next().map(name).transpose()?;
        let service = parts.next().map(ToOwned::to_owned);
        if parts.next().is_some() || service.as_ref().is_some_and(String::is_empty) {
            return Err("it reads ENVIRONMENT, ENVIRONMENT/APP or ENVIRONMENT/APP/SERVICE".to_owned());
        }
        Ok(Self { environment, app, service })
    }
}

/// What `--json` prints of where a backup was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct OriginView {
    pub environment: String,
    /// The droplet's id.
    pub droplet: u64,
    pub app: String,
    pub service: String,
}

impl std::convert::From<BackupOrigin> for OriginView {
    fn from(told: BackupOrigin) -> Self {
        let BackupOrigin { environment, app, service, droplet } = told;
        Self { environment, droplet, app, service }
    }
}

impl std::convert::From<OriginView> for BackupOrigin {
    fn from(seen: OriginView) -> Self {
        let OriginView { environment, droplet, app, service } = seen;
        Self { environment, app, service, droplet }
    }
}

impl fmt::Display for OriginView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} of {} on droplet {}", self.app, self.service, self.environment, self.droplet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_here() {
        let shop: Name = "shop".parse().unwrap();
        let origin = |text: &str| {
            let origin = text.parse::<From>().unwrap().origin(&shop);
            (origin.environment, origin.app, origin.service)
        };
        let all = |environment: &str, app: &str, service: &str| {
            (environment.to_owned(), app.to_owned(), service.to_owned())
        };
        assert_eq!(origin("production"), all("production", "shop", ""));
        assert_eq!(origin("production/crm"), all("production", "crm", ""));
        assert_eq!(origin("production/crm/db"), all("production", "crm", "db"));
        for wrong in ["", "/shop", "production/", "production/crm/", "production/crm/db/x", "Production"] {
            assert!(wrong.parse::<From>().is_err(), "{wrong}");
        }
    }
}
