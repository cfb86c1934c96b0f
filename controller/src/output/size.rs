//! Numbers of bytes as people read them.

/// `812 bytes`, `12.4 kB`, `3.1 GB`: in thousands, as disks and buckets are sold.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    // In tenths of the unit and cut off, so that no rounding makes 1000.0 of it.
    let (mut tenths, mut unit) = (bytes / 100, "kB");
    for larger in ["MB", "GB", "TB"] {
        if tenths < 10_000 {
            break;
        }
        (tenths, unit) = (tenths / 1000, larger);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let cases = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (12_449, "12.4 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (3_100_000_000, "3.1 GB"),
            (u64::MAX, "18446744.0 TB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
