//! The checksum of RDB files: CRC-64 with the polynomial of Jones, bit-reversed, beginning with 0 and not inverted. Pure.

const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let (mut index, mut value) = (0_usize, 0_u64);
    while index < 256 {
        let (mut crc, mut bit) = (value, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        // In range: the loop's own bound.
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[index] = crc;
        }
        index += 1;
        value += 1;
    }
    table
}

/// The checksum of what was read until now, and these bytes after it.
pub(super) fn extend(crc: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        entry ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_servers_own() {
        // As in the server's own test.
        assert_eq!(extend(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(extend(extend(0, b"1234"), b"56789"), extend(0, b"123456789"));
    }
}
