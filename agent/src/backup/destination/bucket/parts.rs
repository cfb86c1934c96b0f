//! How large the parts of a large object are.
//!
//! S3 takes at most 10,000 parts, and all but the last have to have 5 MiB. A backup's size is not known beforehand, so parts
//! grow: small ones keep small backups small in memory, large ones let 5 TB fit. R2 wants parts of one size and therefore takes
//! only a thousand of the first size.

use crate::backup::ByteCount;

/// The smallest part that S3 takes.
pub const SMALLEST_PART: ByteCount = ByteCount::mebibytes(5);
/// The largest part to begin with: one part is held in memory.
pub(super) const LARGEST_FIRST_PART: ByteCount = ByteCount::mebibytes(512);
/// The largest part that S3 takes.
const LARGEST_PART: ByteCount = ByteCount::mebibytes(5 * 1024);
/// The most parts that S3 takes.
const MOST_PARTS: usize = 10_000;
/// After so many parts their size doubles.
const STEP: usize = 1000;

/// The size of the part of that number, from 0; none where there are enough.
pub(super) fn size(first: ByteCount, number: usize) -> Option<ByteCount> {
    let doublings = u32::try_from(number.checked_div(STEP)?).ok()?;
    let size = first.get().checked_mul(2_u64.checked_pow(doublings)?)?;
    (number < MOST_PARTS).then_some(ByteCount::new(size.min(LARGEST_PART.get())))
}

/// How much fits in an object.
pub(super) fn most(first: ByteCount) -> ByteCount {
    let sizes = (0..MOST_PARTS).filter_map(|number| size(first, number));
    sizes.fold(ByteCount::default(), ByteCount::plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_terabytes_fit_in_ten_thousand_parts_of_any_first_size() {
        for first in [SMALLEST_PART, ByteCount::mebibytes(8), LARGEST_FIRST_PART] {
            assert!(most(first).get() >= 5_000_000_000_000, "{first}: {}", most(first));
            assert_eq!(size(first, MOST_PARTS), None);
        }
    }

    #[test]
    fn parts_grow_and_stay_what_the_store_takes() {
        let first = ByteCount::mebibytes(8);
        assert_eq!(size(first, 0), Some(first));
        assert_eq!(size(first, 999), Some(first));
        assert_eq!(size(first, 1000), Some(ByteCount::mebibytes(16)));
        assert_eq!(size(first, 9999), Some(ByteCount::mebibytes(4096)));
        assert_eq!(size(LARGEST_FIRST_PART, 9999), Some(LARGEST_PART));
        // A hundred gigabytes: what an upload of it holds in memory.
        let mut sum = 0;
        let last = (0..MOST_PARTS).map(|n| size(first, n).unwrap().get()).find(|size| {
            sum += size;
            sum >= 100_000_000_000
        });
        assert_eq!(last, Some(ByteCount::mebibytes(64).get()));
    }
}
