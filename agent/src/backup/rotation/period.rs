//! Days, ISO weeks, months and years in UTC.

use jiff::tz::TimeZone;

use crate::backup::BackupId;

/// A span of time of which one backup is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Period {
    /// No span: each backup is its own.
    Each,
    Day,
    Week,
    Month,
    Year,
}

/// One such span; equal for two backups within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    Each(BackupId),
    Day(jiff::civil::Date),
    Week(i16, i8),
    Month(i16, i8),
    Year(i16),
}

impl Period {
    pub(super) fn of(self, id: BackupId) -> Span {
        let date = id.time().to_zoned(TimeZone::UTC).date();
        match self {
            Self::Each => Span::Each(id),
            Self::Day => Span::Day(date),
            Self::Week => {
                let week = date.iso_week_date();
                Span::Week(week.year(), week.week())
            }
            Self::Month => Span::Month(date.year(), date.month()),
            Self::Year => Span::Year(date.year()),
        }
    }
}
