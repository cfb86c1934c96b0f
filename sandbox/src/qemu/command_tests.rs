use std::net::Ipv4Addr;

use super::*;
use crate::machine::VpcAttachment;

pub(in crate::qemu) fn spec() -> MachineSpec {
    MachineSpec {
        droplet_id: 1001,
        hostname: "shop-production-web-1".to_owned(),
        address: Ipv4Addr::new(127, 0, 1, 11),
        guest_address: Ipv4Addr::new(203, 0, 113, 11),
        vpc: Some(VpcAttachment {
            id: "5a4981aa-9653-4bd1-bef5-d6bff52042e4".to_owned(),
            address: Ipv4Addr::new(10, 20, 0, 2),
            prefix: 20,
        }),
        vcpus: 2,
        memory_mib: 4096,
        disk_gib: 80,
        image: "debian-13-x64".to_owned(),
        public_keys: vec!["ssh-ed25519 AAAA user".to_owned()],
        user_data: "#cloud-config\n".to_owned(),
        region: "fra1".to_owned(),
        tags: vec![],
    }
}

fn host() -> Host {
    Host {
        accel: Accel::Tcg,
        cpus: 2,
        registry_port: 5000,
        artefacts_socket: PathBuf::from("/var/lib/sandbox/artefacts.sock"),
    }
}

fn boot() -> BootFiles {
    BootFiles { kernel: "/cache/kernel".into(), initrd: "/cache/initrd".into() }
}

fn lines(args: &[String]) -> String {
    args.join("\n").replace("\n-", "\n\n-")
}

#[test]
fn the_command_line_of_a_droplet_in_a_vpc() {
    insta::assert_snapshot!(lines(&arguments(&spec(), &boot(), &host())));
}

#[test]
fn with_kvm_the_processor_is_the_hosts() {
    let args = arguments(&spec(), &boot(), &Host { accel: Accel::Kvm, ..host() }).join(" ");
    assert!(args.contains("-accel kvm -cpu host"), "{args}");
    assert!(!args.contains("tcg"), "{args}");
}

#[test]
fn a_droplet_outside_a_vpc_has_one_card() {
    let args = arguments(&MachineSpec { vpc: None, ..spec() }, &boot(), &host()).join(" ");
    assert_eq!(args.matches("-netdev").count(), 1, "{args}");
}

#[test]
fn processors_are_limited_by_the_host_and_never_none() {
    for (wanted, has, gets) in [(8, 2, "2"), (1, 2, "1"), (0, 2, "1"), (2, 0, "1")] {
        let args =
            arguments(&MachineSpec { vcpus: wanted, ..spec() }, &boot(), &Host { cpus: has, ..host() });
        let at = args.iter().position(|arg| arg == "-smp").unwrap();
        assert_eq!(args.get(at + 1).map(String::as_str), Some(gets));
    }
}

#[test]
fn a_state_directory_with_odd_characters_stays_one_word() {
    let host = Host { artefacts_socket: "/tmp/it's, odd/artefacts.sock".into(), ..host() };
    let args = arguments(&spec(), &boot(), &host).join("\n");
    assert!(args.contains(r"nc.openbsd -N -U '/tmp/it'\''s,, odd/artefacts.sock'"), "{args}");
}
