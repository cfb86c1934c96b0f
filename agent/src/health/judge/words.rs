//! Figures as people read them. Pure.

use std::time::Duration;

/// `1.5 GiB`, `312 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0_usize);
    while whole >= 1024 && unit < 4 {
        rest = whole % 1024;
        whole /= 1024;
        unit = unit.saturating_add(1);
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if whole < 10 && unit > 0 {
        format!("{whole}.{} {name}", rest * 10 / 1024)
    } else {
        format!("{whole} {name}")
    }
}

/// The largest unit that tells enough: `3 days`, `5 hours`, `12 min`, `40 s`, `250 ms`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `1 request`, `2 requests`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// At most so many characters: what others said may be long.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 240;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= MOST { flat } else { flat.chars().take(MOST).collect::<String>() + "..." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(bytes(900), "900 bytes");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(bytes(327_155_712), "312 MiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        let seconds = |seconds| time(Duration::from_secs(seconds));
        assert_eq!(
            [seconds(90), seconds(300), seconds(9000), seconds(400_000)],
            ["90 s", "5 min", "2 hours", "4 days"]
        );
        assert_eq!(time(Duration::from_millis(250)), "250 ms");
        assert_eq!(
            (count(1, "request"), count(0, "request")),
            ("1 request".to_owned(), "0 requests".to_owned())
        );
        assert_eq!(short(&"ä ".repeat(500)).chars().count(), 243);
    }
}
