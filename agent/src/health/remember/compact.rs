//! Older samples become fewer: what a longer time's samples have in common. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value over a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value(
    /// The mean.
    pub f64,
    /// The highest.
    pub f64,
);

/// The values of a time, by series.
pub type Values = BTreeMap<String, Value>;

/// A row of samples: from when on, of how many looks, and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The beginning, in seconds since 1970.
    pub at: i64,
    /// Looks.
    pub count: i64,
    /// The values; a series counts as far as it was there.
    pub values: Values,
}

/// The rows of as many longer times as `rows` touch. `rows` are in the order of their times.
pub fn compact(rows: Vec<Row>, length: i64) -> Vec<Row> {
    let mut longer: Vec<Row> = Vec::new();
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for row in rows {
        let at = begin(row.at, length);
        if longer.last().is_none_or(|last| last.at != at) {
            longer.push(Row { at, count: 0, values: Values::new() });
            weights.clear();
        }
        let Some(last) = longer.last_mut() else { continue };
        last.count = last.count.saturating_add(row.count);
        let weight = u32::try_from(row.count.max(1)).map_or(1.0, f64::from);
        for (series, value) in row.values {
            add(last.values.entry(series.clone()), value, (weights.entry(series).or_default(), weight));
        }
    }
    longer
}

fn add(
    entry: std::collections::btree_map::Entry<'_, String, Value>,
    Value(mean, highest): Value,
    (known, weight): (&mut f64, f64),
) {
    let sum = entry.or_insert(Value(mean, highest));
    let all = *known + weight;
    sum.0 += (mean - sum.0) * weight / all;
    sum.1 = sum.1.max(highest);
    *known = all;
}

/// The beginning of the time of that length in which `at` is.
pub fn begin(at: i64, length: i64) -> i64 {
    at.saturating_sub(at.rem_euclid(length.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(at: i64, values: &[(&str, f64)]) -> Row {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), Value(*value, *value)));
        Row { at, count: 1, values: values.collect() }
    }

    #[test]
    fn means_and_peaks_survive() {
        let rows = vec![
            row(600, &[("cpu", 10.0)]),
            row(660, &[("cpu", 20.0), ("disk:/", 5.0)]),
            row(1140, &[("cpu", 60.0)]),
            row(1200, &[("cpu", 1.0)]),
        ];
        let longer = compact(rows, 600);
        assert_eq!(longer.len(), 2);
        assert_eq!((longer[0].at, longer[0].count), (600, 3));
        assert_eq!(longer[0].values["cpu"], Value(30.0, 60.0));
        assert_eq!(longer[0].values["disk:/"], Value(5.0, 5.0));
        assert_eq!((longer[1].at, longer[1].count), (1200, 1));
        assert_eq!(begin(-1, 600), -600);
    }

    proptest! {
        /// In one go or by way of a time between: the same, but for rounding.
        #[test]
        fn the_way_does_not_matter(values in prop::collection::vec(0.0..1000.0_f64, 1..200)) {
            let rows: Vec<Row> = (0..).zip(&values).map(|(minute, v)| row(minute * 60, &[("cpu", *v)])).collect();
            let at_once = compact(rows.clone(), 3600);
            let by_steps = compact(compact(rows, 600), 3600);
            prop_assert_eq!(at_once.len(), by_steps.len());
            for (left, right) in at_once.iter().zip(&by_steps) {
                prop_assert_eq!((left.at, left.count), (right.at, right.count));
                let (left, right) = (left.values["cpu"], right.values["cpu"]);
                prop_assert!((left.0 - right.0).abs() < 1e-6 && (left.1 - right.1).abs() < 1e-9);
            }
        }
    }
}
