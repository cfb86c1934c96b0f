//! The command line of a machine: pure, from what the account wants and what the host offers. Paths of the machine's own
//! files are relative: QEMU runs in the machine's directory, so neither the length nor the characters of the state
//! directory's path matter here.
//!
//! The public network card is slirp with the network 0.0.0.0/0: to the guest it is the whole Internet, of which only the
//! metadata service, the registry and the artefact server exist. `guestfwd` addresses have to lie in slirp's network, and
//! cloud-init asks for the metadata on the first card (slot 3), before it has an address.

use std::path::{Path, PathBuf};

use crate::{machine::MachineSpec, metadata};

/// Ports of a droplet that are dialled at its own loopback address.
pub const PUBLISHED_PORTS: [u16; 4] = [22, 80, 443, 7443];
/// The registry, as a droplet sees it.
pub const GUEST_REGISTRY: &str = "10.0.2.100:5000";
/// The artefact server, as a droplet sees it.
pub const GUEST_ARTEFACTS: &str = "10.0.2.100:8080";

/// The program.
pub const QEMU: &str = "qemu-system-x86_64";
/// Its monitor's socket, in the machine's directory.
pub const QMP_SOCKET: &str = "qmp.sock";
/// Where the metadata service of this machine listens.
pub const METADATA_SOCKET: &str = "metadata.sock";
/// The machine's end of its VPC cable.
pub const VPC_SOCKET: &str = "vpc.sock";
/// The switch's end of its VPC cable.
pub const HUB_SOCKET: &str = "hub.sock";
/// The disk.
pub const DISK: &str = "disk.qcow2";
/// What the guest wrote to its serial console.
pub const CONSOLE_LOG: &str = "console.log";

/// How the processor is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// By the host's own (`vmx` or `svm` in its flags; a `/dev/kvm` alone is not enough).
    Kvm,
    /// Emulated.
    Tcg,
}

/// What the host gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// How processors are made.
    pub accel: Accel,
    /// How many it has.
    pub cpus: u32,
    /// Port of the registry on 127.0.0.1.
    pub registry_port: u16,
    /// Socket of the artefact server.
    pub artefacts_socket: PathBuf,
}

/// Files a machine is booted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFiles {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial RAM disk.
    pub initrd: PathBuf,
}

/// The arguments for [`QEMU`].
pub fn arguments(spec: &MachineSpec, boot: &BootFiles, host: &Host) -> Vec<String> {
    let mut args = Vec::new();
    let mut add = |name: &str, value: String| {
        args.push(format!("-{name}"));
        args.push(value);
    };
    add("name", format!("droplet-{}", spec.droplet_id));
    // Without what a server in a cloud does not have; less for the guest to find and load.
    add("machine", "q35,sata=off,smbus=off,vmport=off".to_owned());
    match host.accel {
        Accel::Kvm => {
            add("accel", "kvm".to_owned());
            add("cpu", "host".to_owned());
        }
        Accel::Tcg => {
            // Docker's programs fill 256 MiB of translated code in half a minute, and whenever the cache is full all is
            // translated again. The default, a gigabyte for each droplet, is much memory for the rest of it.
            add("accel", "tcg,thread=multi,tb-size=512".to_owned());
            // AVX is slower than what programs do without it, when every instruction is emulated. So are the string
            // instructions that ERMS and FSRM promise to be fast: emulated, they copy byte by byte, and kernel and libc
            // would copy nearly everything with them (measured: 2 to 4 times as slow as their other loops).
            add("cpu", "max,la57=off,svm=off,avx=off,avx2=off,erms=off,fsrm=off".to_owned());
        }
    }
    // More processors than the host has only make it slower.
    add("smp", spec.vcpus.clamp(1, host.cpus.max(1)).to_string());
    add("m", spec.memory_mib.to_string());
    add("kernel", boot.kernel.display().to_string());
    add("initrd", boot.initrd.display().to_string());
    add("append", kernel_parameters(host.accel));
    add("smbios", format!("type=1,manufacturer=DigitalOcean,product=Droplet,serial={}", spec.droplet_id));
    add("drive", format!("file={DISK},if=none,id=disk,format=qcow2,cache=writeback,discard=unmap"));
    add("device", "virtio-blk-pci,drive=disk".to_owned());
    add("device", "virtio-rng-pci".to_owned());
    add("netdev", public_net(spec, host));
    add(
        "device",
        format!("virtio-net-pci,netdev=public,mac={},romfile=,addr=3", metadata::public_mac(spec.droplet_id)),
    );
    if spec.vpc.is_some() {
        add("netdev", vpc_net());
        add(
            "device",
            format!(
                "virtio-net-pci,netdev=vpc,mac={},romfile=,addr=4",
                metadata::private_mac(spec.droplet_id)
            ),
        );
    }
    add("chardev", format!("file,id=console,path={CONSOLE_LOG},append=on"));
    add("serial", "chardev:console".to_owned());
    add("qmp", format!("unix:{QMP_SOCKET},server=on,wait=off"));
    add("display", "none".to_owned());
    args.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
    args
}

fn kernel_parameters(accel: Accel) -> String {
    // No names that change with the slot; none of the protections that a guest of one's own does not need and an emulated
    // processor pays for. Without `security=none` the kernel picks SELinux when AppArmor is off.
    let mut parameters = vec![
        "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 apparmor=0 security=none mitigations=off audit=0",
    ];
    if accel == Accel::Tcg {
        parameters.push("nokaslr init_on_alloc=0 tsc=reliable");
    }
    parameters.join(" ")
}

fn public_net(spec: &MachineSpec, host: &Host) -> String {
    let mut options = vec![
        "user,id=public,ipv6=off,restrict=on,net=0.0.0.0/0.0.0.0,host=203.0.113.1,dns=203.0.113.3,dhcpstart=203.0.113.250"
            .to_owned(),
    ];
    let forward = |port: u16| format!("hostfwd=tcp:{}:{port}-{}:{port}", spec.address, spec.guest_address);
    options.extend(PUBLISHED_PORTS.map(forward));
    let registry = format!("nc.openbsd -N 127.0.0.1 {}", host.registry_port);
    let artefacts = format!("nc.openbsd -N -U {}", shell_word(&host.artefacts_socket));
    let metadata = format!("nc.openbsd -N -U {METADATA_SOCKET}");
    let services =
        [("169.254.169.254:80", metadata), (GUEST_REGISTRY, registry), (GUEST_ARTEFACTS, artefacts)];
    options.extend(services.map(|(target, to)| format!("guestfwd=tcp:{target}-cmd:{}", option_value(&to))));
    options.join(",")
}

fn vpc_net() -> String {
    format!("dgram,id=vpc,local.type=unix,local.path={VPC_SOCKET},remote.type=unix,remote.path={HUB_SOCKET}")
}

/// A path as one word of the command line that slirp splits as a shell would.
fn shell_word(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// In QEMU's options a comma in a value is written twice.
fn option_value(text: &str) -> String {
    text.replace(',', ",,")
}

#[cfg(test)]
#[path = "command_tests.rs"]
pub(super) mod tests;
