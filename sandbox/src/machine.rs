//! What the account needs of a machine, and nothing of how one is made. The account (API, state) calls a
//! [`MachineDriver`]; drivers (`qemu`, later `none` and `process`) implement it. A driver must not know the API's state.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// Everything a driver needs to make and start a machine. Kept on disk by the account, so that a restarted sandbox can
/// hand it over again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// The droplet's id; also the machine's SMBIOS serial.
    pub droplet_id: u64,
    /// Host name, as cloud-init sets it.
    pub hostname: String,
    /// The loopback address (127.x.y.z) at which the droplet's ports are dialled, and which the API shows as public.
    pub address: Ipv4Addr,
    /// The address that the guest believes to be its public one (203.0.113.0/24).
    pub guest_address: Ipv4Addr,
    /// The VPC's id and the guest's address and prefix length in it, if it is in one.
    pub vpc: Option<VpcAttachment>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Disk in GiB (thin).
    pub disk_gib: u32,
    /// Slug of the image to boot from.
    pub image: String,
    /// Public ssh keys for root, OpenSSH format.
    pub public_keys: Vec<String>,
    /// The user's user data, verbatim.
    pub user_data: String,
    /// Region slug, told by the metadata service.
    pub region: String,
    /// Tags, told by the metadata service.
    pub tags: Vec<String>,
}

/// A machine's place in a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcAttachment {
    /// Id of the VPC: machines of the same one share a layer-2 network.
    pub id: String,
    /// The guest's private address.
    pub address: Ipv4Addr,
    /// Prefix length of the VPC's range.
    pub prefix: u8,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Its processor runs (it may still be booting).
    Running,
    /// It has a disk, but is off.
    Off,
    /// The driver has nothing under this id.
    Absent,
}

/// Why a driver could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No image of that slug has been built.
    #[error("there is no machine image `{0}`; build it with `tidegate-sandbox images`")]
    UnknownImage(String),
    /// The base image that a machine's disk lies upon was removed.
    #[error("the machine's base image {} is gone; delete the droplet and make it anew", .0.display())]
    BaseGone(PathBuf),
    /// It has no machine.
    #[error("droplet {0} has no machine")]
    NoMachine(u64),
    /// It is off.
    #[error("droplet {0} is off; power it on first")]
    NotRunning(u64),
    /// A program the driver needs failed or is missing.
    #[error("{program} failed: {detail}")]
    Program {
        /// The program's name.
        program: &'static str,
        /// What it said.
        detail: String,
    },
    /// The machine did not do what it was asked within its time.
    #[error("machine {droplet_id} did not {action} within {} s", .waited.as_secs())]
    TimedOut {
        /// The droplet.
        droplet_id: u64,
        /// What it was to do.
        action: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// Files or sockets of the machine.
    #[error("machine files")]
    Io(#[from] std::io::Error),
}

/// Makes, starts, stops and removes machines. Every call is safe to repeat. Machines outlive the driver's process; after a
/// restart [`MachineDriver::adopt`] is called for every machine that the account knows.
pub trait MachineDriver: Send + Sync {
    /// Makes the disk and starts the machine. Repeated for an existing machine: starts it if it is off.
    fn create<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>>;
    /// Takes up a machine made by an earlier process: its metadata service and port forwards serve again.
    fn adopt<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<MachineState, MachineError>>;
    /// Starts a machine that is off.
    fn power_on<'a>(&'a self, spec: &'a MachineSpec) -> BoxFuture<'a, Result<(), MachineError>>;
    /// Pulls the plug.
    fn power_off(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>>;
    /// Presses the power button and waits until the machine is off, at most `patience`.
    fn shutdown(&self, droplet_id: u64, patience: Duration) -> BoxFuture<'_, Result<(), MachineError>>;
    /// Asks the system to reboot; a system that does not is reset.
    fn reboot(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>>;
    /// Stops and removes the machine and its disk.
    fn destroy(&self, droplet_id: u64) -> BoxFuture<'_, Result<(), MachineError>>;
    /// Whether it runs.
    fn state(&self, droplet_id: u64) -> BoxFuture<'_, Result<MachineState, MachineError>>;
}
