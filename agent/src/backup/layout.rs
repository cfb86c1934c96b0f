//! Where a backup lies at a destination.
//!
//! Owns the names of folders and objects, both ways. Must not know what is there (`catalog`).
//!
//! ```text
//! <fleet>/<environment>/<droplet id>-<enrolment id>/<app>/<service>/<backup id>/<part>
//! <fleet>/<environment>/<droplet id>-<enrolment id>/<app>/<service>/<backup id>/manifest
//! ```
//!
//! The manifest is written last and deleted first: a folder without one is an orphan, what is left of a backup that did not
//! come to its end, or that is being written. A droplet that was made anew has another enrolment, so it never writes into
//! its predecessor's folders.

#[cfg(test)]
mod tests;

use std::fmt;

use tidegate_proto::names::{DropletId, EnvironmentName, FleetName};

use super::{
    BackupId, EnrolmentId, Manifest, NameError, ObjectName, PartName,
    names::{MANIFEST, PARTIAL},
};
use crate::apps::{AppName, ServiceName};

/// A droplet as destinations know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DropletFolder {
    /// The fleet.
    pub fleet: FleetName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The droplet.
    pub droplet: DropletId,
    /// Which enrolment of it.
    pub enrolment: EnrolmentId,
}

/// All backups of one service of one droplet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceFolder {
    droplet: DropletFolder,
    app: AppName,
    service: ServiceName,
    name: ObjectName,
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupFolder {
    service: ServiceFolder,
    id: BackupId,
}

/// What an object in a backup's folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// The manifest.
    Manifest,
    /// A part.
    Part(PartName),
    /// What a local destination had begun to write.
    Partial,
}

/// An object that is not part of any backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not an object of a backup")]
pub struct NotOurs {
    name: String,
}

/// Which backups are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one service on one droplet.
    Service(ServiceFolder),
    /// Those of an app on any droplet of an environment: for a restore elsewhere.
    Anywhere {
        /// The fleet.
        fleet: FleetName,
        /// The environment.
        environment: EnvironmentName,
        /// The app.
        app: AppName,
        /// The service; none for all of them.
        service: Option<ServiceName>,
    },
}

impl fmt::Display for DropletFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}-{}", self.fleet, self.environment, self.droplet, self.enrolment)
    }
}

impl ServiceFolder {
    /// The folder of a service.
    ///
    /// # Errors
    /// When the service's name cannot be a folder's.
    pub fn new(droplet: DropletFolder, app: AppName, service: ServiceName) -> Result<Self, NameError> {
        let folder = ObjectName::new(format!("{droplet}/{app}"))?;
        let name = folder.join(ObjectName::segment(service.as_str())?.as_str())?;
        Ok(Self { droplet, app, service, name })
    }

    /// The folder's name.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }

    /// Whose it is.
    pub fn droplet(&self) -> &DropletFolder {
        &self.droplet
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

impl BackupFolder {
    /// The folder of a backup.
    pub fn new(service: ServiceFolder, id: BackupId) -> Self {
        Self { service, id }
    }

    /// The folder that a manifest says it lies in.
    ///
    /// # Errors
    /// When the service's name cannot be a folder's.
    pub fn of(manifest: &Manifest) -> Result<Self, NameError> {
        let droplet = DropletFolder {
            fleet: manifest.fleet.clone(),
            environment: manifest.environment.clone(),
            droplet: manifest.droplet,
            enrolment: manifest.enrolment.clone(),
        };
        let service = ServiceFolder::new(droplet, manifest.app.clone(), manifest.service.clone())?;
        Ok(Self::new(service, manifest.id))
    }

    /// Which service's.
    pub fn service(&self) -> &ServiceFolder {
        &self.service
    }

    /// Which backup.
    pub fn id(&self) -> BackupId {
        self.id
    }

    /// The folder's name.
    ///
    /// # Errors
    /// When the name becomes too long.
    pub fn name(&self) -> Result<ObjectName, NameError> {
        self.service.name.join(&self.id.to_string())
    }

    /// The manifest's name.
    ///
    /// # Errors
    /// When the name becomes too long.
    pub fn manifest(&self) -> Result<ObjectName, NameError> {
        self.name()?.join(MANIFEST)
    }

    /// A part's name.
    ///
    /// # Errors
    /// When the name becomes too long.
    pub fn part(&self, part: &PartName) -> Result<ObjectName, NameError> {
        self.name()?.join(part.as_str())
    }
}

impl Scope {
    /// What is listed: everything in scope is below it.
    ///
    /// # Errors
    /// When the name becomes too long.
    pub fn prefix(&self) -> Result<ObjectName, NameError> {
        match self {
            Self::Service(folder) => Ok(folder.name.clone()),
            Self::Anywhere { fleet, environment, .. } => ObjectName::new(format!("{fleet}/{environment}")),
        }
    }

    /// Whether a folder is looked for.
    pub fn has(&self, folder: &ServiceFolder) -> bool {
        match self {
            Self::Service(wanted) => wanted == folder,
            Self::Anywhere { fleet, environment, app, service } => {
                let droplet = &folder.droplet;
                (fleet, environment) == (&droplet.fleet, &droplet.environment)
                    && *app == folder.app
                    && service.as_ref().is_none_or(|service| *service == folder.service)
            }
        }
    }
}

/// What an object that was listed belongs to.
///
/// # Errors
/// When it is no backup's: it lies elsewhere, or its name has another form.
pub fn parse(name: &ObjectName) -> Result<(BackupFolder, File), NotOurs> {
    let refused = || NotOurs { name: name.to_string() };
    let segments: Vec<&str> = name.segments().collect();
    let &[fleet, environment, droplet, app, service, id, file] = segments.as_slice() else {
        return Err(refused());
    };
    let (droplet, enrolment) = droplet.split_once('-').ok_or_else(refused)?;
    let droplet = DropletFolder {
        fleet: fleet.parse().map_err(|_| refused())?,
        environment: environment.parse().map_err(|_| refused())?,
        droplet: droplet.parse().map_err(|_| refused())?,
        enrolment: enrolment.parse().map_err(|_| refused())?,
    };
    let app = AppName::new(app).map_err(|_| refused())?;
    let service = ServiceFolder::new(droplet, app, ServiceName::new(service)).map_err(|_| refused())?;
    let folder = BackupFolder::new(service, id.parse().map_err(|_| refused())?);
    let file = match file {
        MANIFEST => File::Manifest,
        file if file.ends_with(PARTIAL) => File::Partial,
        file => File::Part(file.parse().map_err(|_| refused())?),
    };
    Ok((folder, file))
}
