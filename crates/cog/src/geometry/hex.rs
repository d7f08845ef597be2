//! WKB in hexadecimal digits, as shown by PostGIS and written by `hex()`.

use super::flat::invalid;
use crate::Result;

/// Returns the digits if a text is WKB instead of WKT: WKB starts with a byte of 0 or 1, and WKT never with a digit.
/// The prefixes `\x`, as in PostgreSQL's `bytea`, and `0x` are accepted.
pub(super) fn digits(text: &str) -> Option<&str> {
    let digits = ["\\x", "0x", "0X"].iter().find_map(|prefix| text.strip_prefix(prefix));
    digits.or_else(|| text.starts_with(|first: char| first.is_ascii_digit()).then_some(text))
}

/// Decodes hexadecimal digits.
pub(super) fn decode(digits: &str) -> Result<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = Vec::with_capacity(pairs.len());
    for pair in pairs {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(not_hexadecimal(digits)),
        }
    }
    match rest {
        [] => Ok(bytes),
        [last] if digit(*last).is_some() => {
            Err(invalid(format!("expected hexadecimal WKB, two digits for each byte, found {} digits", digits.len())))
        }
        _ => Err(not_hexadecimal(digits)),
    }
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn not_hexadecimal(digits: &str) -> crate::Error {
    let found = digits.chars().enumerate().find(|(_, character)| !character.is_ascii_hexdigit());
    let (at, character) = found.unwrap_or((0, ' '));
    invalid(format!("expected hexadecimal WKB, found '{character}' at character {at}"))
}

#[cfg(test)]
mod tests {
    use crate::geometry::ParsedGeometry;

    /// POINT(1 2) in little-endian WKB.
    const POINT: &str = "0101000000000000000000f03f0000000000000040";

    #[test]
    fn digits_of_either_case_are_wkb() {
        let expected = ParsedGeometry::from_text("POINT(1 2)").unwrap();
        let big = "00000000013ff00000000000004000000000000000";
        let upper = POINT.to_uppercase();
        let prefixed = [format!("\\x{POINT}"), format!("0x{POINT}"), format!(" {POINT}\n")];
        for text in [POINT, &upper, big].into_iter().chain(prefixed.iter().map(String::as_str)) {
            assert_eq!(ParsedGeometry::from_text(text).unwrap(), expected, "{text}");
        }
        let srid = "0101000020e6100000000000000000f03f0000000000000040";
        assert_eq!(ParsedGeometry::from_text(srid).unwrap().crs.as_deref(), Some("EPSG:4326"));
    }

    #[test]
    fn other_texts_of_digits_are_errors() {
        let error = |text: &str| ParsedGeometry::from_text(text).unwrap_err().to_string();
        assert_eq!(error("010g"), "geometry: expected hexadecimal WKB, found 'g' at character 3");
        assert_eq!(error("01é1"), "geometry: expected hexadecimal WKB, found 'é' at character 2");
        assert_eq!(error("01 01"), "geometry: expected hexadecimal WKB, found ' ' at character 2");
        assert_eq!(error("010"), "geometry: expected hexadecimal WKB, two digits for each byte, found 3 digits");
        assert_eq!(error("02"), "geometry: expected WKB, which starts with byte 0 or 1, found 2");
        assert!(error(&POINT[..20]).contains("found its end before the end"));
        assert!(error("\\x").contains("found 0"));
    }
}
