//! Year and month of a record's time, for any type of its column.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::cell;

/// In order of priority: STAC uses a range if there is no single time; `datetime` is NULL then.
pub(super) const COLUMNS: [&str; 2] = ["datetime", "start_datetime"];

/// The proleptic Gregorian year and the month from 1, in UTC.
///
/// A timestamp or a date is used unchanged; text is RFC 3339, or a date; an integer is a year, with January as its
/// month, as in Python Rasteret.
pub(super) fn of_cell(array: &ArrayRef, row: usize) -> Option<(i32, i32)> {
    match array.data_type() {
        DataType::Utf8 => of_text(cell::text(array, row)?),
        DataType::Date32 | DataType::Timestamp(..) => of_days(cell::days(array, row)?),
        _ => Some((i32::try_from(cell::integer(array, row)?).ok()?, 1)),
    }
}

/// Howard Hinnant's `civil_from_days`, in eras of 400 years beginning in March.
fn of_days(days: i64) -> Option<(i32, i32)> {
    let days = days.checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some((i32::try_from(year).ok()?, i32::try_from(month).ok()?))
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// RFC 3339, also with a blank instead of the `T`, without the time or without the zone. A zone can move the time into
/// another month.
fn of_text(text: &str) -> Option<(i32, i32)> {
    let text = text.trim();
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten()
    };
    let separator = |at: usize, expected: &[u8]| text.as_bytes().get(at).is_some_and(|byte| expected.contains(byte));
    let year = number(0..4)?;
    if text.len() == 4 {
        return Some((i32::try_from(year).ok()?, 1));
    }
    let (month, day) = (number(5..7)?, number(8..10)?);
    if !separator(4, b"-") || !separator(7, b"-") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_of(year, month, day);
    if text.len() == 10 {
        return of_days(days);
    }
    if !separator(10, b"Tt ") || !separator(13, b":") {
        return None;
    }
    let minutes = number(11..13)? * 60 + number(14..16)?;
    let zone = text.get(16..)?.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ','));
    let offset = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let digits: Vec<i64> =
                rest.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0')).collect();
            let offset = match digits.as_slice() {
                [a, b] => (a * 10 + b) * 60,
                [a, b, c, d] => (a * 10 + b) * 60 + c * 10 + d,
                _ => return None,
            };
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    of_days(days + (minutes - offset).div_euclid(24 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text() {
        for (text, expected) in [
            ("2020-07-14T10:11:12Z", Some((2020, 7))),
            ("2020-07-14t10:11:12.123456z", Some((2020, 7))),
            ("2020-07-14 10:11:12", Some((2020, 7))),
            ("2020-12-31T23:30:00-01:00", Some((2021, 1))),
            ("2021-01-01T00:30:00+0100", Some((2020, 12))),
            ("2021-01-01T00:30+01", Some((2020, 12))),
            ("2015-07-10", Some((2015, 7))),
            ("2015", Some((2015, 1))),
            ("2015-13-10", None),
            ("yesterday", None),
            ("", None),
            ("２０２０", None),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn days() {
        assert_eq!(of_days(0), Some((1970, 1)));
        assert_eq!(of_days(-1), Some((1969, 12)));
        assert_eq!(of_days(11_016), Some((2000, 2)));
        assert_eq!(of_days(i64::MAX), None);
        for days in (-1_000_000..1_000_000).step_by(37) {
            let (year, month) = of_days(days).unwrap();
            let first = days_of(year.into(), month.into(), 1);
            assert!(first <= days && days < first + 31, "{days}");
        }
    }
}
