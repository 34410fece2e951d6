//! Times of records: how a cell is read as one, and how one is printed.

use std::fmt;

/// A time as milliseconds since 1970 UTC, printed as `YYYY-MM-DDThh:mm:ss`, with a fraction only
/// where it is not zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timestamp(pub i64);

/// Reads a cell as a time in milliseconds since 1970 UTC, or returns `None` where it is none.
///
/// A time is `YYYY-MM-DD`, with `Thh:mm`, `Thh:mm:ss` or `Thh:mm:ss.fff` behind it, a blank for the
/// `T` if need be, and `Z` or an offset such as `+02:00` at the end; without one it is UTC. Of a
/// fraction up to nine digits are read and milliseconds kept. A whole number is seconds since 1970
/// UTC. Years are 0000 to 9999.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() >= DATE_LEN && bytes[4] == b'-' {
        parse_calendar(bytes)
    } else {
        let seconds: i64 = text.parse().ok()?;
        SECONDS.contains(&seconds).then(|| seconds * 1000)
    }
}

fn parse_calendar(text: &[u8]) -> Option<i64> {
    let (date, clock) = text.split_at_checked(DATE_LEN)?;
    let &[y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0] = date else { return None };
    let year = number([y3, y2, y1, y0])?;
    let (month, day) = (number([m1, m0])?, number([d1, d0])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY_MS;
    let (time, offset) = match clock {
        [] => (0, 0),
        [b'T' | b' ', clock @ ..] => parse_clock(clock)?,
        _ => return None,
    };
    Some(midnight + time - offset)
}

/// Reads what stands behind the `T`: the milliseconds of the day, and the offset from UTC.
fn parse_clock(text: &[u8]) -> Option<(i64, i64)> {
    let (hours_and_minutes, mut rest) = text.split_at_checked(MINUTES_LEN)?;
    let mut time = parse_minutes(hours_and_minutes)?;
    if let [b':', s1, s0, behind @ ..] = rest {
        let seconds = number([*s1, *s0]).filter(|seconds| *seconds < 60)?;
        time += seconds * 1000;
        rest = behind;
        if let [b'.', behind @ ..] = rest {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=FRACTION_DIGITS_MAX).contains(&digits) {
                return None;
            }
            let digit = |place: usize| if place < digits { behind[place] } else { b'0' };
            time += number([digit(0), digit(1), digit(2)])?;
            rest = &behind[digits..];
        }
    }
    let offset = match rest {
        [] | [b'Z'] => 0,
        [b'+', offset @ ..] => parse_minutes(offset)?,
        [b'-', offset @ ..] => -parse_minutes(offset)?,
        _ => return None,
    };
    Some((time, offset))
}

/// Reads `hh:mm` as milliseconds.
fn parse_minutes(text: &[u8]) -> Option<i64> {
    let &[h1, h0, b':', m1, m0] = text else { return None };
    let hours = number([h1, h0]).filter(|hours| *hours < 24)?;
    let minutes = number([m1, m0]).filter(|minutes| *minutes < 60)?;
    Some((hours * 60 + minutes) * 60_000)
}

fn number<const N: usize>(digits: [u8; N]) -> Option<i64> {
    digits.into_iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar: `days_from_civil` of
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // A year begins in March: the day that leap years add is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - ERA_DAYS_TO_1970
}

/// Returns year, month and day of a number of days since 1970-01-01: `civil_from_days`, as above.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + ERA_DAYS_TO_1970;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY_MS));
        let millis = self.0.rem_euclid(DAY_MS);
        let (seconds, fraction) = (millis / 1000, millis % 1000);
        let sign = if year < 0 { "-" } else { "" };
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}",
            year.unsigned_abs()
        )?;
        if fraction == 0 {
            return Ok(());
        }
        let digits = format!("{fraction:03}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

const DATE_LEN: usize = "YYYY-MM-DD".len();
const MINUTES_LEN: usize = "hh:mm".len();
const FRACTION_DIGITS_MAX: usize = 9;
const DAY_MS: i64 = 86_400_000;
/// The days of 400 years, after which the calendar repeats itself.
const ERA_DAYS: i64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const ERA_DAYS_TO_1970: i64 = 719_468;
/// The seconds of the years 0000 to 9999.
const SECONDS: std::ops::Range<i64> =
    days_from_civil(0, 1, 1) * 86_400..days_from_civil(10_000, 1, 1) * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_reads(text: &str, seconds: i64, millis: i64) {
        assert_eq!(parse_timestamp(text), Some(seconds * 1000 + millis), "{text}");
    }

    #[test]
    fn a_time_is_a_date_with_or_without_a_clock() {
        assert_reads("1970-01-01", 0, 0);
        assert_reads("2001-01-01", 978_307_200, 0);
        assert_reads("2001-01-01T00:47", 978_310_020, 0);
        assert_reads("2001-01-01 00:47", 978_310_020, 0);
        assert_reads("2001-01-01T00:47:05", 978_310_025, 0);
        assert_reads("2000-02-29T12:00:00.5", 951_825_600, 500);
        assert_reads("2000-02-29T12:00:00.123456789", 951_825_600, 123);
        assert_reads("1969-12-31T23:59:59.999", -1, 999);
        assert_reads("0000-01-01", -62_167_219_200, 0);
        assert_reads("9999-12-31T23:59:59.999", 253_402_300_799, 999);
    }

    #[test]
    fn a_time_without_a_zone_is_utc_and_an_offset_is_taken_off() {
        assert_reads("2001-01-01T02:00Z", 978_314_400, 0);
        assert_reads("2001-01-01T02:00+02:00", 978_307_200, 0);
        assert_reads("2001-01-01T00:00:00-05:30", 978_327_000, 0);
        assert_reads("2001-01-01 00:00:00.25+00:00", 978_307_200, 250);
        assert_reads("0000-01-01T00:00+23:59", -62_167_305_540, 0);
    }

    #[test]
    fn a_whole_number_is_seconds_since_1970() {
        assert_reads("0", 0, 0);
        assert_reads("978310020", 978_310_020, 0);
        assert_reads("-1", -1, 0);
        assert_reads("20010101", 20_010_101, 0);
        assert_reads("253402300799", 253_402_300_799, 0);
        assert_eq!(parse_timestamp("253402300800"), None);
        assert_eq!(parse_timestamp("-62167219201"), None);
        assert_eq!(parse_timestamp("9223372036854775807"), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            " ",
            "today",
            "1.5",
            "1e9",
            "2001-1-1",
            "2001-00-01",
            "2001-13-01",
            "2001-02-29",
            "1900-02-29",
            "2001-04-31",
            "2001-01-00",
            "2001-01-01T",
            "2001-01-01T24:00",
            "2001-01-01T00:60",
            "2001-01-01T00:00:60",
            "2001-01-01T00:00:00.",
            "2001-01-01T00:00:00.1234567890",
            "2001-01-01T00:00.5",
            "2001-01-01T00",
            "2001-01-01T00:00z",
            "2001-01-01T00:00+2",
            "2001-01-01T00:00+02",
            "2001-01-01T00:00+24:00",
            "2001-01-01T00:00Z ",
            "2001-01-01Z",
            "2001-01-01x00:00",
            "20\u{e9}1-01-01",
            "12345-01-01",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_prints_with_a_fraction_only_where_there_is_one() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00"),
            (978_310_020_000, "2001-01-01T00:47:00"),
            (-1, "1969-12-31T23:59:59.999"),
            (500, "1970-01-01T00:00:00.5"),
            (50, "1970-01-01T00:00:00.05"),
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999"),
            (253_402_300_800_000, "10000-01-01T00:00:00"),
        ] {
            assert_eq!(Timestamp(time).to_string(), text);
        }
    }

    /// Counts the days one by one.
    #[test]
    fn the_calendar_of_all_years_is_that_of_counting_days() {
        let mut days = SECONDS.start / 86_400;
        for year in 0..10_000 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month) {
                    assert_eq!(days_from_civil(year, month, day), days);
                    assert_eq!(civil_from_days(days), (year, month, day));
                    days += 1;
                }
            }
        }
        assert_eq!(days, SECONDS.end / 86_400);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same_time(
            time in SECONDS.start * 1000..SECONDS.end * 1000,
        ) {
            prop_assert_eq!(parse_timestamp(&Timestamp(time).to_string()), Some(time));
        }

        #[test]
        fn every_time_prints(time in any::<i64>()) {
            prop_assert!(Timestamp(time).to_string().len() >= "YYYY-MM-DDThh:mm:ss".len());
        }

        #[test]
        fn no_text_panics(text in "[-0-9T:.Z+ \u{e9}]{0,30}") {
            let _ = parse_timestamp(&text);
        }
    }
}
