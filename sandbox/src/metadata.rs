//! What a droplet is told about itself by the metadata service: one JSON document and a tree of plain texts. Pure: a
//! driver serves it. Hardware addresses are derived from the droplet's id here, and the driver gives its devices the same.

/// Hardware address of the public interface.
pub fn public_mac(droplet_id: u64) -> String {
    mac([0x04, 0x01], droplet_id)
}

/// Hardware address of the private interface.
pub fn private_mac(droplet_id: u64) -> String {
    mac([0x06, 0x01], droplet_id)
}

fn mac(kind: [u8; 2], droplet_id: u64) -> String {
    let bytes = droplet_id.to_be_bytes();
    let digits: Vec<String> = kind
        .iter()
        .chain(bytes.iter().skip(4))
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.join(":")
}
