//! The inventory while several droplets are worked on at once: every change is written before it counts.

use std::sync::{Mutex, PoisonError};

use crate::state::{DropletRecord, Inventory, StateDir, StateError};

/// The inventory and where it is written.
pub(super) struct Registry<'a> {
    state: &'a StateDir,
    inventory: Mutex<Inventory>,
}

impl<'a> Registry<'a> {
    pub fn new(state: &'a StateDir, inventory: Inventory) -> Self {
        Self { state, inventory: Mutex::new(inventory) }
    }

    /// A copy of what is known of a droplet.
    pub fn droplet(&self, name: &str) -> Option<DropletRecord> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner).droplets.get(name).cloned()
    }

    /// Changes what is known of a droplet, on disk first.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut DropletRecord)) -> Result<(), StateError> {
        let mut inventory = self.inventory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = inventory.clone();
        if let Some(record) = next.droplets.get_mut(name) {
            change(record);
        }
        next.save(self.state)?;
        *inventory = next;
        Ok(())
    }
}
