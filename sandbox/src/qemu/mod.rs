//! The driver `qemu`: a droplet is a virtual machine. This module keeps the machines it knows and the services they need;
//! [`machine`] is one of them. It knows nothing of the account's state: what it needs is in the specs and on its own disk.

pub mod command;
mod hub;
mod machine;
pub mod metadata;
mod power;
mod qmp;
pub mod record;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{future::BoxFuture, future::join_all};
use serde::{Deserialize, Serialize};

use self::{command::Host, hub::Hub, machine::Machine, record::Wanted};
use crate::{
    images::base::BaseImages,
    machine::{MachineDriver, MachineError, MachineSpec, MachineState},
};

/// What machines share.
#[derive(Debug)]
pub(crate) struct Shared {
    machines_dir: PathBuf,
    images: BaseImages,
    host: Host,
    hub: Hub,
}

/// The driver.
#[derive(Debug)]
pub struct QemuDriver {
    shared: Arc<Shared>,
    machines: Mutex<BTreeMap<u64, Arc<tokio::sync::Mutex<Machine>>>>,
}

/// A machine, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// The droplet.
    pub droplet_id: u64,
    /// Its host name.
    pub name: String,
    /// Where it is dialled.
    pub address: std::net::Ipv4Addr,
    /// Whether it runs.
    pub machine: MachineState,
    /// QEMU's process.
    pub pid: Option<u32>,
    /// What it writes to its serial console.
    pub console_log: PathBuf,
}

impl QemuDriver {
    /// A driver whose machines lie in `machines_dir`.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(machines_dir: PathBuf, images: BaseImages, host: Host) -> io::Result<Self> {
        crate::files::private_dir(&machines_dir)?;
        let shared = Shared { machines_dir, images, host, hub: Hub::default() };
        Ok(Self { shared: Arc::new(shared), machines: Mutex::default() })
    }

    /// The machines on disk.
    ///
    /// # Errors
    /// When the directory or a record cannot be read.
    pub fn reports(&self) -> io::Result<Vec<MachineReport>> {
        reports(&self.shared.machines_dir)
    }

    /// Shuts all machines down, side by side; pulls the plug of those that are not off after `patience`. They are started
    /// again when they are next adopted.
    ///
    /// # Errors
    /// The first failure, after all were tried.
    pub async fn sleep_all(&self, patience: Duration) -> Result<(), MachineError> {
        let ids = droplet_ids(&self.shared.machines_dir)?;
        let all = join_all(ids.into_iter().map(|id| async move {
            let machine = self.machine(id);
            let mut machine = machine.lock().await;
            if machine.state()? != MachineState::Running {
                return Ok(());
            }
            match machine.shutdown(patience, Wanted::Asleep).await {
                Err(MachineError::TimedOut { .. }) => machine.power_off(Wanted::Asleep).await,
                other => other,
            }
        }));
        all.await.into_iter().collect()
    }

    /// Removes all machines.
    ///
    /// # Errors
    /// The first failure, after all were tried.
    pub async fn destroy_all(&self) -> Result<(), MachineError> {
        let ids = droplet_ids(&self.shared.machines_dir)?;
        join_all(ids.into_iter().map(|id| self.destroy(id))).await.into_iter().collect()
    }

    fn machine(&self, droplet_id: u64) -> Arc<tokio::sync::Mutex<Machine>> {
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(tokio::sync::Mutex::new(Machine::new(droplet_id, Arc::clone(&self.shared))));
        Arc::clone(machines.entry(droplet_id).or_insert_with(fresh))
    }
}

/// The machines that lie in a directory.
///
/// # Errors
/// When the directory or a record cannot be read.
pub fn reports(machines_dir: &Path) -> io::Result<Vec<MachineReport>> {
    let mut found = Vec::new();
    for id in droplet_ids(machines_dir)? {
        let dir = machines_dir.join(id.to_string());
        let Some(record) = record::Record::read(&dir)? else {
            continue;
        };
        let alive = match &record.process {
            Some(process) if process.is_alive()? => Some(process.pid),
            _ => None,
        };
        found.push(MachineReport {
            droplet_id: id,
            name: record.spec.hostname,
            address: record.spec.address,
            machine: if alive.is_some() { MachineState::Running } else { MachineState::Off },
            pid: alive,
            console_log: dir.join(command::CONSOLE_LOG),
        });
    }
    Ok(found)
}

fn droplet_ids(machines_dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs_err::read_dir(machines_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut ids = Vec::new();
    for entry in entries {
        if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

impl MachineDriver for QemuDriver {
    fn create<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>> {
        Box::pin(async move { self.machine(spec.droplet_id).lock().await.create(spec).await })
    }

    fn adopt<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<MachineState, MachineError>> {
        Box::pin(async move { self.machine(spec.droplet_id).lock().await.adopt(spec).await })
    }

    fn power_on<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>> {
        Box::pin(async move { self.machine(spec.droplet_id).lock().await.power_on(spec).await })
    }

    fn power_off(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move { self.machine(droplet_id).lock().await.power_off(Wanted::Off).await })
    }

    fn shutdown(&self, droplet_id: u64, patience: Duration) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move { self.machine(droplet_id).lock().await.shutdown(patience, Wanted::Off).await })
    }

    fn reboot(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move { self.machine(droplet_id).lock().await.reboot().await })
    }

    fn destroy(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move {
            self.machine(droplet_id).lock().await.destroy().await?;
            self.machines.lock().unwrap_or_else(PoisonError::into_inner).remove(&droplet_id);
            Ok(())
        })
    }

    fn state(&self, droplet_id: u64) -> BoxFuture<'_, Result<MachineState, MachineError>> {
        Box::pin(async move { self.machine(droplet_id).lock().await.state() })
    }
}
