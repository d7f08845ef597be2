//! DuckDB's strict casts from VARCHAR to DATE, TIMESTAMP and BIGINT: they determine the types of partition columns.
//!
//! Source: the behaviour of DuckDB 1.4, 1.5 and 2.0, which agree except for offsets after a blank or after a time
//! without seconds: those are not a TIMESTAMP here, as before 2.0. An offset from UTC does not shift a TIMESTAMP.

/// Days of 1970-01-01 to the last day of DuckDB's DATE, 5881580-07-10; the first, -5877641-06-25, is as far away. The two
/// beyond are infinity.
const DATE_MAX: i64 = i32::MAX as i64 - 1;

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// A DATE in days since 1970-01-01; infinity is the largest number.
pub(super) fn date(text: &str) -> Option<i32> {
    let (days, digits, rest) = Text(text).date()?;
    (digits != 1 && Text(rest).is_blank()).then_some(days)
}

/// A TIMESTAMP in microseconds since 1970-01-01.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let (days, _, rest) = Text(text).date()?;
    if rest.is_empty() {
        return of_days(days);
    }
    if days.unsigned_abs() == i32::MAX.unsigned_abs() {
        return None;
    }
    let (micros, rest) = Text(rest.strip_prefix([' ', 'T']).unwrap_or(rest)).time()?;
    let zone = Text(rest);
    if !(zone.is_blank() || zone.is_utc() || zone.is_offset()) {
        return None;
    }
    i64::from(days).checked_mul(MICROS_OF_DAY)?.checked_add(micros).filter(|micros| *micros < i64::MAX)
}

fn of_days(days: i32) -> Option<i64> {
    match days {
        i32::MAX => Some(i64::MAX),
        days if days == -i32::MAX => Some(-i64::MAX),
        days => i64::from(days).checked_mul(MICROS_OF_DAY),
    }
}

/// A BIGINT: decimal without a leading zero or plus, `0x1F` or `0b101`.
pub(super) fn bigint(text: &str) -> Option<i64> {
    let text = text.trim_matches(is_space);
    let prefixed = |prefixes: [&str; 2], radix| {
        let digits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = prefixed(["0x", "0X"], 16).or_else(|| prefixed(["0b", "0B"], 2)) {
        return number;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = text.starts_with('0') && text.len() > 1;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && !leading_zero { text.parse().ok() } else { None }
}

/// White space according to C's `isspace`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The rest of a text that is being parsed.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn is_blank(self) -> bool {
        self.0.chars().all(is_space)
    }

    /// `Z` immediately after the time, or ` UTC`.
    fn is_utc(self) -> bool {
        let rest = self.0.strip_prefix('Z').or_else(|| self.0.strip_prefix(" UTC"));
        rest.is_some_and(|rest| Text(rest).is_blank())
    }

    /// `+02`, `-0230` or `+02:30`.
    fn is_offset(self) -> bool {
        let Some(digits) = self.0.strip_prefix(['+', '-']) else { return false };
        let digits = digits.trim_end_matches(is_space);
        let pairs = match digits.len() {
            2 | 4 => digits.to_owned(),
            5 | 8 if digits.bytes().skip(2).step_by(3).all(|byte| byte == b':') => digits.replace(':', ""),
            _ => return false,
        };
        pairs.len() % 2 == 0 && pairs.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Leading digits, at most `max`, and the rest.
    fn digits(self, max: usize) -> (&'a str, &'a str) {
        let count = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        self.0.split_at(count)
    }

    /// One or two digits.
    fn pair(self) -> Option<(i64, &'a str)> {
        let (digits, rest) = self.digits(2);
        Some((digits.parse().ok()?, rest))
    }

    /// Days since 1970-01-01, the number of digits of the year (0 for a word), and the rest.
    fn date(self) -> Option<(i32, usize, &'a str)> {
        let text = self.0.trim_start_matches(is_space);
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return special(text, negative).map(|days| (days, 0, ""));
        }
        let (digits, rest) = Text(text).digits(9);
        let year: i64 = digits.parse().ok()?;
        let separator = rest.chars().next().filter(|c| matches!(c, ' ' | '-' | '/' | '\\'))?;
        let (month, rest) = Text(&rest[1..]).pair()?;
        let (day, rest) = Text(rest.strip_prefix(separator)?).pair()?;
        let christ = rest.get(..5).filter(|end| end.starts_with(is_space) && end[1..].eq_ignore_ascii_case("(BC)"));
        let (year, rest) = match (christ, negative) {
            (Some(_), false) if year > 0 => (1 - year, &rest[5..]),
            (Some(_), _) => return None,
            (None, true) => (-year, rest),
            (None, false) => (year, rest),
        };
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        Some((days(year, month, day)?, digits.len(), rest))
    }

    /// Microseconds of the day, and the rest. Minutes and seconds may be missing, but not their colons.
    fn time(self) -> Option<(i64, &'a str)> {
        let text = self.0.trim_start_matches(is_space);
        let (hour, rest) = Text(text).pair()?;
        let rest = rest.strip_prefix(':')?;
        let mut micros = hour * 3_600_000_000;
        if rest.is_empty() {
            return (hour <= 24).then_some((micros, rest));
        }
        let (minute, rest) = Text(rest).pair()?;
        micros += minute * 60_000_000;
        let mut second = 0;
        let mut end = rest;
        if !rest.is_empty() {
            end = rest.strip_prefix(':')?;
            if !end.is_empty() {
                (second, end) = Text(end).pair()?;
                micros += second * 1_000_000;
                if let Some(fraction) = end.strip_prefix('.') {
                    let (digits, rest) = Text(fraction).digits(fraction.len());
                    micros += format!("{digits:0<6}").get(..6)?.parse::<i64>().ok()?;
                    end = rest;
                }
            }
        }
        let fits = hour <= 24 && minute < 60 && second < 60 && micros <= MICROS_OF_DAY;
        fits.then_some((micros, end))
    }
}

/// `epoch` and `infinity`.
fn special(text: &str, negative: bool) -> Option<i32> {
    let word = text.trim_end_matches(is_space).to_ascii_lowercase();
    match word.as_str() {
        "epoch" => Some(0),
        "infinity" | "inf" if negative => Some(-i32::MAX),
        "infinity" | "inf" => Some(i32::MAX),
        _ => None,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years from March, so that the leap day is the last: the days before a month are then (153 m + 2) / 5.
    let (from_march, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok().filter(|_| days.abs() <= DATE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2020-1-1", Some(18_262)),
            (" 2020-01-01  ", Some(18_262)),
            ("2020 01 01", Some(18_262)),
            ("2020-02-29", Some(18_321)),
            ("0000-01-01", Some(-719_528)),
            ("44-03-15 (BC)", Some(-735_160)),
            ("5881580-07-10", Some(i32::MAX - 1)),
            ("Infinity", Some(i32::MAX)),
            ("-inf", Some(-i32::MAX)),
            ("epoch ", Some(0)),
            ("5881580-07-11", None),
            ("2021-02-29", None),
            ("1900-02-29", None),
            ("2020-13-01", None),
            ("2020-001-01", None),
            ("2020-01-01 BC", None),
            ("2020-01", None),
            ("1-1-1", None),
            ("20200101", None),
            ("today", None),
            ("", None),
            ("2020-é1-01", None),
            ("2020-01-01é", None),
        ] {
            assert_eq!(date(text), expected, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        const DAY: i64 = 18_262 * MICROS_OF_DAY;
        const TEN: i64 = DAY + 36_000_000_000;
        for (text, expected) in [
            ("2020-01-01 10:00:00", Some(TEN)),
            ("2020-01-01T10:00:00Z", Some(TEN)),
            ("2020-01-01T10:00:00+02:30", Some(TEN)),
            ("2020-01-01T10:00:00-0230", Some(TEN)),
            ("2020-01-01T10:00:00 UTC", Some(TEN)),
            ("2020-01-01  10:00:", Some(TEN)),
            ("2020-01-01 10:", Some(TEN)),
            ("2020-01-01T10:00:00.1234567", Some(TEN + 123_456)),
            ("2020-01-01T10:00:00.", Some(TEN)),
            ("2020-01-01 24:00:00", Some(DAY + MICROS_OF_DAY)),
            ("1-1-1", Some(-719_162 * MICROS_OF_DAY)),
            ("294247-01-10 04:00:54", Some(9_223_372_036_854_000_000)),
            ("294248-01-01 00:00:00", None),
            ("2020-01-01 10", None),
            ("2020-01-01 25:00:00", None),
            ("2020-01-01 24:00:01", None),
            ("2020-01-01 10:00:60", None),
            ("2020-01-01T10:00:00 Europe", None),
            ("2020-01-01T10:00:00+2", None),
            ("2020-01-01Z", None),
            ("infinity 00:00", None),
            ("10:00", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
    }

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-01", Some(-1)),
            (" 5\t", Some(5)),
            ("0x1F", Some(31)),
            ("0B11", Some(3)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0xFFFFFFFFFFFFFFFF", None),
            ("-0x10", None),
            ("0x", None),
            ("0x-1", None),
            ("01", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            ("1_000", None),
            ("- 5", None),
            ("", None),
        ] {
            assert_eq!(bigint(text), expected, "{text}");
        }
    }
}
