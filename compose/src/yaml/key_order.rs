//! The order in which the YAML library writes the keys of a map: as people count, `a2` before `a10`.

use std::cmp::Ordering;

/// Compares two keys.
///
/// Letters compare by code point and come after what is no letter (before it, right behind a digit); runs of digits
/// compare as numbers, and at equal numbers the shorter run comes first.
pub fn key_order(left: &str, right: &str) -> Ordering {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let differ = left.iter().zip(&right).position(|(a, b)| a != b);
    let Some((at, (a, b))) = differ.and_then(|at| Some((at, (*left.get(at)?, *right.get(at)?)))) else {
        return left.len().cmp(&right.len());
    };
    let same = left.get(..at).unwrap_or_default();
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => a.cmp(&b),
        (false, false) => {
            let start = i64::from((a == '0' || b == '0') && in_number(same));
            let first = number(left.get(at..).unwrap_or_default(), start);
            let second = number(right.get(at..).unwrap_or_default(), start);
            first.cmp(&second).then(a.cmp(&b))
        }
        (letter, _) => {
            let after_digit = same.last().is_some_and(|c| is_digit(*c));
            if letter == after_digit { Ordering::Less } else { Ordering::Greater }
        }
    }
}

/// Whether the digits that both keys share in front hold one that is not zero.
fn in_number(same: &[char]) -> bool {
    same.iter().rev().take_while(|c| is_digit(**c)).any(|c| *c != '0')
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// The value of the leading digits, and how many there are.
fn number(rest: &[char], start: i64) -> (i64, usize) {
    let digits = rest.iter().map_while(|c| c.to_digit(10));
    digits.fold((start, 0), |(value, count), digit| {
        (value.wrapping_mul(10).wrapping_add(i64::from(digit)), count + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_as_people_count() {
        for sorted in [
            &["a", "a0", "a1", "a2", "a10", "ab"][..],
            &["A2", "A10", "AA", "a"],
            &["", "-", "1", "1a", "1-", "2"],
            &["a-b", "a.b", "a_b", "a1b", "aab"],
            &["a1", "a01", "a2"],
            &["a1b", "a1-b"],
            &["v100", "v101"],
        ] {
            for pair in sorted.windows(2) {
                assert_eq!(key_order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(key_order(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
        }
    }
}
