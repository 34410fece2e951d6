//! Durations, as the command line takes and tells them, and how often a checkpoint is taken.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a checkpoint is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Every {
    /// After each so many rows of all inputs together.
    Rows(NonZeroU64),
    /// After each such time.
    Time(Duration),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rows) = text.strip_suffix("rows") else {
            return parse_duration(text)
                .map(Self::Time)
                .map_err(|_| "expected rows or a time, such as 10000rows or 5s".to_owned());
        };
        whole_number(rows)
            .and_then(NonZeroU64::new)
            .map(Self::Rows)
            .ok_or_else(|| "expected at least one row, such as 10000rows".to_owned())
    }
}

/// Reads a duration: a whole number, not zero, followed by `ms`, `s`, `m`, `h` or `d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match parse_time_span(text)? {
        Duration::ZERO => Err(format!("zero is no duration; {EXPECTED}")),
        duration => Ok(duration),
    }
}

/// Reads a duration that may be zero.
pub fn parse_time_span(text: &str) -> Result<Duration, String> {
    let expected = EXPECTED;
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected.to_owned()),
    };
    match whole_number(number).and_then(|number| number.checked_mul(milliseconds)) {
        // Times are signed, and far from their ends nothing overflows.
        Some(total) if total <= MILLISECONDS_MAX => Ok(Duration::from_millis(total)),
        _ => Err(format!("too long or not a number; {expected}")),
    }
}

/// Writes a duration in milliseconds as a flag takes it, in its largest whole unit.
pub fn duration_in_words(millis: i64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let whole = units.into_iter().find(|(_, unit)| millis % unit == 0);
    let (name, unit) = whole.unwrap_or(("ms", 1));
    format!("{}{name}", millis / unit)
}

/// Writes an age in milliseconds in its two largest units, as a person reads it.
pub fn age_in_words(millis: u64) -> String {
    let seconds = millis / 1000;
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (0, 0, 0) => format!("{}.{}s", seconds, millis % 1000 / 100),
        (0, 0, minutes) => format!("{minutes}m{:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d{:02}h", hours % 24),
    }
}

const EXPECTED: &str = "expected a whole number and ms, s, m, h or d, such as 500ms or 5m";

/// Some 146 million years.
const MILLISECONDS_MAX: u64 = i64::MAX as u64 / 2;

/// Returns the time in milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Reads digits and nothing else; no sign, no blank.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read() {
        let read = |text| parse_duration(text).unwrap().as_millis();
        assert_eq!(read("1ms"), 1);
        assert_eq!(read("2s"), 2_000);
        assert_eq!(read("3m"), 180_000);
        assert_eq!(read("4h"), 14_400_000);
        assert_eq!(read("5d"), 432_000_000);
    }

    #[test]
    fn a_duration_is_told_as_a_flag_takes_it() {
        for text in ["1d", "36h", "90m", "61s", "1001ms", "365d"] {
            let millis = parse_duration(text).unwrap().as_millis() as i64;
            assert_eq!(duration_in_words(millis), text);
        }
        assert_eq!(parse_time_span("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        let ages = [0, 999, 61_000, 3_600_000, 90_000_000].map(age_in_words);
        assert_eq!(ages, ["0.0s", "0.9s", "1m01s", "1h00m", "1d01h"]);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "0s", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "s1", "1s1s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("18446744073709551615d").is_err());
        assert!(parse_duration("99999999999999999999ms").is_err());
    }

    #[test]
    fn every_takes_rows_or_a_time() {
        assert_eq!("10000rows".parse(), Ok(Every::Rows(NonZeroU64::new(10_000).unwrap())));
        assert_eq!("5s".parse(), Ok(Every::Time(Duration::from_secs(5))));
        for text in ["rows", "0rows", "-1rows", "5", "1 rows", "1.5rows", "5x"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }
}
