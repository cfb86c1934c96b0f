//! Where a measured line leads: the straight line with the least squares. Pure.

use std::time::Duration;

use jiff::Timestamp;

/// A line over fewer points, or a shorter time, is chance.
const POINTS: usize = 10;
const SPAN: Duration = Duration::from_mins(30);
/// How much of the points' scatter the line has to explain, or it is no line.
const FIT: f64 = 0.6;

/// By how much a value grows per second; none where the points are too few, too close together, or on no line.
pub fn growth(points: &[(Timestamp, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let span: Duration = last.duration_since(first).try_into().ok()?;
    if points.len() < POINTS || span < SPAN {
        return None;
    }
    let count = u32::try_from(points.len()).map(f64::from).ok()?;
    let seconds = |at: Timestamp| at.duration_since(first).as_secs_f64();
    let mean_x = points.iter().map(|(at, _)| seconds(*at)).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (at, value) in points {
        let (x, y) = (seconds(*at) - mean_x, value - mean_y);
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    // A value that never changed has no scatter to explain.
    let fit = if yy > 0.0 && xx > 0.0 { xy * xy / (xx * yy) } else { return Some(0.0) };
    (fit >= FIT).then_some(xy / xx)
}

/// When what is left is used up at this growth per second; none for a hundred years and more, or never.
pub fn used_up(left: f64, growth: f64) -> Option<Duration> {
    const MOST: f64 = 100.0 * 365.0 * 86_400.0;
    let seconds = left / growth;
    (growth > 0.0 && (0.0..MOST).contains(&seconds)).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn line(count: i32, value: impl Fn(f64) -> f64) -> Vec<(Timestamp, f64)> {
        let at = |minute| START.checked_add(SignedDuration::from_mins(i64::from(minute))).unwrap();
        (0..count).map(|minute| (at(minute), value(f64::from(minute)))).collect()
    }

    #[test]
    fn a_disk_that_fills_is_seen_and_one_that_breathes_is_not() {
        let fills = line(60, |minute| 1e9 + 1e6 * minute);
        let growth = super::growth(&fills).unwrap();
        assert!((growth - 1e6 / 60.0).abs() < 1.0, "{growth}");
        let hours = used_up(1e6 * 60.0 * 5.0, growth).unwrap().as_secs_f64() / 3600.0;
        assert!((hours - 5.0).abs() < 0.01, "{hours}");
        // A cache that is emptied each ten minutes.
        assert_eq!(super::growth(&line(60, |minute| 1e9 + 1e7 * (minute % 10.0))), None);
        assert_eq!(super::growth(&line(60, |_| 5.0)), Some(0.0));
        assert_eq!(super::growth(&line(20, |minute| minute)), None, "too short");
        assert_eq!(super::growth(&[]), None);
        assert_eq!((used_up(1.0, 0.0), used_up(1.0, -1.0), used_up(1.0, 1e-12)), (None, None, None));
    }

    proptest! {
        #[test]
        fn a_noisy_line_is_found(slope in 1e3..1e7_f64, noise in prop::collection::vec(-1.0..1.0_f64, 120)) {
            let mut points = line(120, |minute| 5e9 + slope * minute);
            for ((_, value), noise) in points.iter_mut().zip(&noise) {
                *value += slope * 5.0 * noise;
            }
            let found = growth(&points).unwrap() * 60.0;
            prop_assert!((found - slope).abs() < slope * 0.2, "{found} for {slope}");
        }
    }
}
