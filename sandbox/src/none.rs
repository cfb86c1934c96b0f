//! The driver `none`: keeps the books of machines and makes none, so that the API can be used where only the API matters.
//! A machine "runs" at once. Nothing is on disk: what an earlier process had running is believed to run still.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;

use crate::machine::{MachineDriver, MachineError, MachineSpec, MachineState};

/// The slug for which [`NoMachines`] says that it has no image, so that the errored create can be tried without a real
/// driver.
pub const UNBOOTABLE_IMAGE: &str = "fedora-42-x64";

/// A driver without machines.
#[derive(Debug, Default)]
pub struct NoMachines {
    states: Mutex<BTreeMap<u64, MachineState>>,
}

impl NoMachines {
    /// A driver that knows no machine yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What runs and what is off, as a guest that shuts itself down would change it.
    pub fn set_state(&self, droplet_id: u64, state: MachineState) {
        self.states().insert(droplet_id, state);
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<u64, MachineState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MachineDriver for NoMachines {
    fn create<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>> {
        Box::pin(async move {
            if spec.image == UNBOOTABLE_IMAGE {
                return Err(MachineError::UnknownImage(spec.image.clone()));
            }
            self.set_state(spec.droplet_id, MachineState::Running);
            Ok(())
        })
    }

    fn adopt<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<MachineState, MachineError>> {
        Box::pin(async move { Ok(*self.states().entry(spec.droplet_id).or_insert(MachineState::Running)) })
    }

    fn power_on<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>> {
        Box::pin(async move {
            self.set_state(spec.droplet_id, MachineState::Running);
            Ok(())
        })
    }

    fn power_off(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move {
            self.set_state(droplet_id, MachineState::Off);
            Ok(())
        })
    }

    fn shutdown(&self, droplet_id: u64, _patience: Duration) -> BoxFuture<'_, Result<(), MachineError>> {
        self.power_off(droplet_id)
    }

    fn reboot(&self, _droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async { Ok(()) })
    }

    fn destroy(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>> {
        Box::pin(async move {
            self.states().remove(&droplet_id);
            Ok(())
        })
    }

    fn state(&self, droplet_id: u64) -> BoxFuture<'_, Result<MachineState, MachineError>> {
        Box::pin(async move { Ok(self.states().get(&droplet_id).copied().unwrap_or(MachineState::Absent)) })
    }
}
