//! DuckDB's `memory_limit`, which also limits the allocations of this extension.

use super::Context;
use crate::error::Result;

/// The limit in bytes; None if it cannot be read.
///
/// # Safety
/// A query of the context's connection must be running.
pub(crate) unsafe fn memory_limit(context: &Context) -> Result<Option<u64>> {
    // SAFETY: the caller's contract.
    let setting = unsafe { context.setting(c"memory_limit")? };
    Ok(setting.and_then(|value| value.text()).and_then(|text| bytes(&text)))
}

/// Parses a size as DuckDB formats it: `953.6 MiB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|letter: char| letter.is_ascii_alphabetic() || letter == ' ')?);
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    let unit = unit.trim();
    let power =
        UNITS.iter().position(|known| known.eq_ignore_ascii_case(unit) || unit == "byte" && *known == "bytes")?;
    let bytes = number * 1024f64.powi(i32::try_from(power).ok()?);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and the cast saturates")]
    let bytes = bytes as u64;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_in_the_format_of_duckdb() {
        assert_eq!(bytes("0 bytes"), Some(0));
        assert_eq!(bytes("1 byte"), Some(1));
        assert_eq!(bytes("1.5 KiB"), Some(1536));
        assert_eq!(bytes("953.6 MiB"), Some(999_922_073));
        assert_eq!(bytes("2.0 GiB"), Some(2 << 30));
        assert_eq!(bytes("16383.9 PiB"), Some(18_446_631_483_718_866_944));
        for text in ["", "MiB", "-1 MiB", "1 MB/s", "many GiB", "80%"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
