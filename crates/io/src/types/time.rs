//! Parses the times of STAC, including common forms that STAC does not allow.
//!
//! The specification requires RFC 3339 (STAC 1.1, "Common Metadata", Date and Time). Older items have only a date, a blank
//! instead of the `T`, no time zone (meaning UTC), or a time zone without a colon.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A time, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    /// Microseconds since 1970-01-01 UTC.
    pub(crate) micros: i64,
    /// Whether the text was an RFC 3339 date-time that microseconds hold whole.
    pub(crate) strict: bool,
    /// Precision of the text.
    pub(crate) precision: Precision,
}

/// The smallest unit of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Instant,
}

impl Time {
    /// Reads a year, a month, a date or a date-time.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = text.as_bytes();
        let at = |index: usize, expected: &[u8]| bytes.get(index).is_some_and(|byte| expected.contains(byte));
        let year = i32::try_from(digits(text, 0, 4)?).ok()?;
        let date = |month, day, precision| {
            let date = NaiveDate::from_ymd_opt(year, month, day)?;
            Some(Self { micros: micros_of(date, 0)?, strict: false, precision })
        };
        if bytes.len() == 4 {
            return date(1, 1, Precision::Year);
        }
        let month = digits(text, 5, 7).filter(|_| at(4, b"-"))?;
        if bytes.len() == 7 {
            return date(month, 1, Precision::Month);
        }
        let day = digits(text, 8, 10).filter(|_| at(7, b"-"))?;
        if bytes.len() == 10 {
            return date(month, day, Precision::Day);
        }
        if !at(10, b"Tt ") || !at(13, b":") {
            return None;
        }
        let (hour, minute) = (digits(text, 11, 13)?, digits(text, 14, 16)?);
        let (second, mut rest) = match at(16, b":") {
            true => (digits(text, 17, 19)?, text.get(19..)?),
            false => (0, text.get(16..)?),
        };
        let mut exact = at(16, b":") && at(10, b"Tt");
        let mut fraction = 0;
        if let Some(behind) = rest.strip_prefix(['.', ',']) {
            let length = behind.bytes().take_while(u8::is_ascii_digit).count();
            let (number, zone) = behind.split_at(length);
            fraction = number
                .bytes()
                .chain(std::iter::repeat(b'0'))
                .take(6)
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            exact &= length > 0 && number.bytes().skip(6).all(|digit| digit == b'0');
            rest = zone;
        }
        // A leap second is the first moment of the next minute, as on clocks without leap seconds.
        let leap = second == 60;
        let time = NaiveTime::from_hms_opt(hour, minute, if leap { 59 } else { second })?;
        let seconds = time.signed_duration_since(NaiveTime::MIN).num_seconds() + i64::from(leap);
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        let (offset, zoned) = zone(rest)?;
        let micros = micros_of(date, seconds * 1_000_000 + fraction)?.checked_sub(offset * MICROS_PER_MINUTE)?;
        Some(Self { micros, strict: exact && zoned && !leap, precision: Precision::Instant })
    }

    /// The last microsecond of the year, month or day of the text, or its time.
    pub(crate) fn end(self) -> Option<i64> {
        let start = DateTime::from_timestamp_micros(self.micros)?;
        let next = match self.precision {
            Precision::Instant => return Some(self.micros),
            Precision::Day => start.checked_add_days(Days::new(1)),
            Precision::Month => start.checked_add_months(Months::new(1)),
            Precision::Year => start.checked_add_months(Months::new(12)),
        };
        next?.timestamp_micros().checked_sub(1)
    }
}

/// `2024-01-31T23:59:59Z`, with as many decimals as it takes.
pub(crate) fn rfc3339(micros: i64) -> Option<String> {
    use chrono::Timelike;
    let time = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let nanos = time.nanosecond();
    let date = time.date();
    // chrono's formatting would need a feature that is not used otherwise.
    let clock = time.time();
    let head = format!("{date:?}T{:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second());
    Some(match nanos {
        0 => format!("{head}Z"),
        _ => format!("{head}.{:06}Z", nanos / 1_000),
    })
}

/// Minutes east of UTC, and whether RFC 3339 allows how they are written.
fn zone(text: &str) -> Option<(i64, bool)> {
    let (sign, rest) = match text.as_bytes() {
        [] => return Some((0, false)),
        [b'Z' | b'z'] => return Some((0, true)),
        [b'+', ..] => (1, text.get(1..)?),
        [b'-', ..] => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes, strict) = match rest.len() {
        2 => (digits(rest, 0, 2)?, 0, false),
        4 => (digits(rest, 0, 2)?, digits(rest, 2, 4)?, false),
        5 if rest.as_bytes()[2] == b':' => (digits(rest, 0, 2)?, digits(rest, 3, 5)?, true),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| (sign * i64::from(hours * 60 + minutes), strict))
}

fn digits(text: &str, start: usize, end: usize) -> Option<u32> {
    let digits = text.get(start..end)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn micros_of(date: NaiveDate, micros_of_day: i64) -> Option<i64> {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_micros().checked_add(micros_of_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for (text, expected, strict) in [
            ("1970-01-01T00:00:01Z", 1_000_000, true),
            ("1970-01-01t00:00:01.5z", 1_500_000, true),
            ("1970-01-01T00:00:01.123456Z", 1_123_456, true),
            ("1970-01-01T00:00:01.1234560Z", 1_123_456, true),
            ("1970-01-01T00:00:01.123456789Z", 1_123_456, false),
            ("1970-01-01T01:00:01+01:00", 1_000_000, true),
            ("1970-01-01T01:00:01+0100", 1_000_000, false),
            ("1969-12-31T23:00:01-01", 1_000_000, false),
            ("1970-01-01 00:00:01", 1_000_000, false),
            ("1970-01-01T00:01", 60_000_000, false),
            ("1970-01-02", 86_400_000_000, false),
            ("1970-02", 31 * 86_400_000_000, false),
            ("1971", 365 * 86_400_000_000, false),
            ("1969-12-31T23:59:60Z", 0, false),
        ] {
            let time = Time::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((time.micros, time.strict), (expected, strict), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2015-13-10",
            "2015-02-30",
            "20150210",
            "2015-02-10T25:00:00Z",
            "2015-02-10T10:00:00Q",
            "2015-02-10T10:00:00+1",
            "２０２０",
            "2015-02-10T10:00:00.5+25:00",
            "2015-0a-10",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ends() {
        let end = |text: &str| rfc3339(Time::parse(text).unwrap().end().unwrap()).unwrap();
        assert_eq!(end("2024"), "2024-12-31T23:59:59.999999Z");
        assert_eq!(end("2024-02"), "2024-02-29T23:59:59.999999Z");
        assert_eq!(end("2023-12-31"), "2023-12-31T23:59:59.999999Z");
        assert_eq!(end("2024-01-01T10:00:00+02:00"), "2024-01-01T08:00:00Z");
    }
}
