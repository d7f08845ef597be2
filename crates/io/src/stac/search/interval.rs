//! `datetime := '2024-01-01/2024-02'`: a time or an interval, both ends included.

use std::fmt;

use crate::types::time::{Time, rfc3339};
use crate::{Error, Result};

/// From and to, in microseconds since 1970 UTC; None is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
}

impl Interval {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::InvalidArgument {
            what: format!(
                "datetime: expected a date, a date-time of RFC 3339, or two with a slash between them (.. is open), found '{}'",
                text.chars().take(80).collect::<String>()
            ),
        };
        let (from, to) = text.split_once('/').unwrap_or((text, text));
        let end = |text: &str| match text.trim() {
            "" | ".." => Some(None),
            text => Time::parse(text).map(Some),
        };
        let (start, end) = (end(from).ok_or_else(wrong)?, end(to).ok_or_else(wrong)?);
        let interval = Self { start: start.map(|time| time.micros), end: end.and_then(Time::end) };
        match interval {
            Self { start: None, end: None } => Err(wrong()),
            Self { start: Some(start), end: Some(end) } if start > end => Err(Error::InvalidArgument {
                what: format!("datetime: expected a start before its end, found {interval}"),
            }),
            interval => Ok(interval),
        }
    }

    /// Whether a record from `start` to `end` overlaps this interval.
    pub(super) fn meets(self, start: i64, end: i64) -> bool {
        self.start.is_none_or(|from| end >= from) && self.end.is_none_or(|to| start <= to)
    }
}

/// The interval in the format of STAC APIs.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |end: Option<i64>| end.and_then(rfc3339).unwrap_or_else(|| "..".to_owned());
        match self.start == self.end {
            true => f.write_str(&text(self.start)),
            false => write!(f, "{}/{}", text(self.start), text(self.end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_notations() {
        for (text, expected) in [
            ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
            ("2024-01-01", "2024-01-01T00:00:00Z/2024-01-01T23:59:59.999999Z"),
            ("2024-02", "2024-02-01T00:00:00Z/2024-02-29T23:59:59.999999Z"),
            ("2023/2024", "2023-01-01T00:00:00Z/2024-12-31T23:59:59.999999Z"),
            ("../2024-01-01T10:00:00+02:00", "../2024-01-01T08:00:00Z"),
            ("2024-01-01T10:00:00Z/", "2024-01-01T10:00:00Z/.."),
            ("2024-01-01 10:00:00", "2024-01-01T10:00:00Z"),
        ] {
            assert_eq!(Interval::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "../..", "today", "2024-01-01/2023-01-01", "2024-01-01/2024-01-02/2024-01-03"] {
            assert!(Interval::parse(text).unwrap_err().to_string().starts_with("datetime: expected"), "{text}");
        }
    }

    #[test]
    fn ends_are_included() {
        let interval = Interval { start: Some(10), end: Some(20) };
        assert!(interval.meets(20, 30) && interval.meets(0, 10) && interval.meets(0, 30) && interval.meets(15, 15));
        assert!(!interval.meets(21, 30) && !interval.meets(0, 9));
        assert!(Interval { start: None, end: Some(20) }.meets(-100, -50));
    }
}
