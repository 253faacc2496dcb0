//! Points in time as Graph writes them: 100 ns apart, seven fraction digits.

use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Ticks in a second.
const PER_SECOND: i64 = 10_000_000;

/// A number of 100 ns steps since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticks(pub(crate) i64);

// === impl Ticks ===

impl Ticks {
    pub(crate) const MIN: Self = Self(i64::MIN);
    pub(crate) const MAX: Self = Self(i64::MAX);

    pub(crate) fn of(at: DateTime<Utc>) -> Self {
        Self(at.timestamp() * PER_SECOND + i64::from(at.timestamp_subsec_nanos() / 100))
    }

    /// Reads an RFC 3339 text; what is finer than 100 ns is cut off.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::of(at.with_timezone(&Utc)))
    }

    /// The next one.
    pub(crate) const fn after(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ticks_in(duration)))
    }

    pub(crate) fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(ticks_in(duration)))
    }

    /// How long it is since `earlier`; nothing if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let ticks = u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default();
        Duration::from_nanos(ticks.saturating_mul(100))
    }

    /// The text, always with seven fraction digits.
    pub(crate) fn text(self) -> String {
        let at = DateTime::from_timestamp(self.0.div_euclid(PER_SECOND), 0).unwrap_or_default();
        let (year, month, day) = (at.year(), at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        let fraction = self.0.rem_euclid(PER_SECOND);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
    }
}

fn ticks_in(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos() / 100).unwrap_or(i64::MAX)
}

/// The same text for the same point in time, however many fraction digits somebody kept. A text that
/// is no time stays as it is.
pub(crate) fn normal(text: &str) -> String {
    Ticks::parse(text).map_or_else(|| text.to_owned(), Ticks::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_seventh_digit() {
        for text in ["2026-02-25T16:29:33.1000001Z", "1999-12-31T23:59:59.9999999Z"] {
            assert_eq!(Ticks::parse(text).unwrap().text(), text);
        }
        assert_eq!(normal("2026-02-25T16:29:33.1Z"), "2026-02-25T16:29:33.1000000Z");
        assert_eq!(normal("yesterday"), "yesterday");
    }
}
