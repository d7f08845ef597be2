//! Number parsing compatible with GDAL 3.10: the number at the start of a text, or 0 if there is none.
//!
//! | text | [`float`] | [`signed`] | [`unsigned`] |
//! |---|---|---|---|
//! | ` 12.5 m` | 12.5 | 12 | 12 |
//! | `1,5` | 1.5 if a comma may be the decimal separator | 1 | 1 |
//! | `1e400` | infinity | 1 | 1 |
//! | `nan`, `NaN`, `inf`, `-Infinity`, `1.#QNAN`, `-1.#IND` | NaN or infinity | 0, 0, 0, 0, 1, -1 | 0, 0, 0, 0, 1, 2^64 - 1 |
//! | `0x10`, `NAN`, `abc`, blanks | 0 | 0 | 0 |
//! | `-1` | -1 | -1 | 2^64 - 1 |
//!
//! All run in linear time.

/// Number of characters searched for the decimal separator.
const SEPARATOR_SEARCH: usize = 50;

/// The number at the start of a text; the decimal separator is a point or, if it comes first, a comma (`CPLAtofM`).
pub(super) fn float(text: &[u8]) -> f64 {
    let mut start = text.iter().take(SEPARATOR_SEARCH);
    let comma = start.find(|byte| matches!(byte, b',' | b'.')).is_some_and(|byte| *byte == b',');
    float_with(text, if comma { b',' } else { b'.' })
}

/// The number at the start of a text, with a decimal point (`CPLAtof`).
pub(super) fn float_with_point(text: &[u8]) -> f64 {
    float_with(text, b'.')
}

/// The number at the start of a text, with the given decimal separator (`CPLStrtodDelim`).
fn float_with(text: &[u8], separator: u8) -> f64 {
    let text = trimmed(text, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    if let Some(number) = visual_c(text) {
        return number;
    }
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (negative, unsigned) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // A signed NaN is not recognized.
    let number =
        decimal(unsigned, separator).or_else(|| word(unsigned)).filter(|number| !(negative && number.is_nan()));
    number.map_or(0.0, |number| if negative { -number } else { number })
}

/// NaN and infinity as printed by Visual C.
fn visual_c(text: &[u8]) -> Option<f64> {
    if [&b"-1.#QNAN"[..], b"-1.#IND", b"1.#QNAN", b"1.#SNAN"].iter().any(|word| text.starts_with(word)) {
        return Some(f64::NAN);
    }
    let is = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    match () {
        () if is(b"-1.#INF") => Some(f64::NEG_INFINITY),
        () if is(b"1.#INF") => Some(f64::INFINITY),
        () => None,
    }
}

/// NaN and infinity as printed by C, if they are the whole text.
fn word(text: &[u8]) -> Option<f64> {
    match text {
        b"nan" | b"NaN" => Some(f64::NAN),
        b"inf" | b"Inf" | b"INF" | b"Infinity" => Some(f64::INFINITY),
        _ => None,
    }
}

/// The unsigned decimal number at the start of a text; infinity if it overflows.
fn decimal(text: &[u8], separator: u8) -> Option<f64> {
    let whole = digits(text);
    let mut end = whole;
    if text.get(end) == Some(&separator) {
        let fraction = digits(&text[end + 1..]);
        if whole + fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = text.get(end + 1 + sign..).map_or(0, digits);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let point = |byte: &u8| if *byte == separator { '.' } else { char::from(*byte) };
    text[..end].iter().map(point).collect::<String>().parse().ok()
}

/// Number of digits at the start of a text.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn trimmed(text: &[u8], is_blank: impl Fn(u8) -> bool) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    &text[blanks..]
}

/// C's `isspace`.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The integer at the start of a text, and whether it is negative; None if it is 2^64 or more.
fn integer(text: &[u8]) -> (bool, Option<u64>) {
    let text = trimmed(text, is_space);
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    (negative, text[..digits(text)].iter().try_fold(0, add))
}

/// The integer at the start of a text, clamped to 64 bits (`strtoll`).
pub(super) fn signed(text: &[u8]) -> i64 {
    match integer(text) {
        (false, magnitude) => magnitude.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX),
        (true, magnitude) => magnitude.and_then(|number| 0_i64.checked_sub_unsigned(number)).unwrap_or(i64::MIN),
    }
}

/// The integer at the start of a text, clamped to 2^64 - 1; negative ones wrap (`strtoull`).
pub(super) fn unsigned(text: &[u8]) -> u64 {
    match integer(text) {
        (false, magnitude) => magnitude.unwrap_or(u64::MAX),
        (true, magnitude) => magnitude.map_or(u64::MAX, u64::wrapping_neg),
    }
}

#[cfg(test)]
mod tests {
    use super::{float, float_with_point, signed, unsigned};

    /// Values of GDAL_NODATA that GDAL 3.10.3 reads in `float64`, `int64` and `uint64` files.
    #[test]
    fn numbers_equal_gdal() {
        let cases: &[(&str, f64, i64, u64)] = &[
            (" ", 0.0, 0, 0),
            (" -9999\n", -9999.0, -9999, 9999_u64.wrapping_neg()),
            ("-3.4028234663852886e+038", -3.402_823_466_385_288_6e38, -3, 3_u64.wrapping_neg()),
            ("1.8e308", f64::INFINITY, 1, 1),
            ("-1e400", f64::NEG_INFINITY, -1, u64::MAX),
            ("1e-400", 0.0, 1, 1),
            ("4.9406564584124654e-324", 5e-324, 4, 4),
            ("1e99999999999999999999", f64::INFINITY, 1, 1),
            ("inf", f64::INFINITY, 0, 0),
            ("+INF", f64::INFINITY, 0, 0),
            ("-Infinity", f64::NEG_INFINITY, 0, 0),
            ("infinity", 0.0, 0, 0),
            ("inf ", 0.0, 0, 0),
            ("-nan", 0.0, 0, 0),
            ("NAN", 0.0, 0, 0),
            ("nan(0x8)", 0.0, 0, 0),
            ("1.#INF", f64::INFINITY, 1, 1),
            ("-1.#inf000", f64::NEG_INFINITY, -1, u64::MAX),
            ("1.#IND", 1.0, 1, 1),
            (".5", 0.5, 0, 0),
            ("-.5", -0.5, 0, 0),
            ("1.", 1.0, 1, 1),
            ("1.e3", 1000.0, 1, 1),
            (".e5", 0.0, 0, 0),
            ("1e", 1.0, 1, 1),
            ("1.5e+", 1.5, 1, 1),
            ("+7", 7.0, 7, 7),
            ("+-7", -7.0, 0, 0),
            ("-+7", 0.0, 0, 0),
            ("\r\n\t 7", 7.0, 7, 7),
            ("\u{b}7", 0.0, 7, 7),
            ("1,5", 1.5, 1, 1),
            (",5", 0.5, 0, 0),
            ("1,5.3", 1.5, 1, 1),
            ("1.234,5", 1.234, 1, 1),
            ("1,e5", 100_000.0, 1, 1),
            ("-9999 0", -9999.0, -9999, 9999_u64.wrapping_neg()),
            ("255\u{e9}", 255.0, 255, 255),
            ("0x10", 0.0, 0, 0),
            ("none", 0.0, 0, 0),
            ("9223372036854775807", 9_223_372_036_854_775_808.0, i64::MAX, (1 << 63) - 1),
            ("18446744073709551615", 18_446_744_073_709_551_615.0, i64::MAX, u64::MAX),
            ("18446744073709551616", 18_446_744_073_709_551_616.0, i64::MAX, u64::MAX),
            ("-9223372036854775808", -9_223_372_036_854_775_808.0, i64::MIN, 1 << 63),
            ("-99999999999999999999", -1e20, i64::MIN, u64::MAX),
        ];
        for (text, number, whole, natural) in cases {
            let found = (float(text.as_bytes()).to_bits(), signed(text.as_bytes()), unsigned(text.as_bytes()));
            assert_eq!(found, (number.to_bits(), *whole, *natural), "{text:?}");
        }
        for text in ["nan", "NaN", " +nan", "-1.#IND00", "1.#QNAN", "-1.#QNAN", "1.#SNAN"] {
            assert!(float(text.as_bytes()).is_nan(), "{text}");
        }
    }

    #[test]
    fn commas_are_decimal_points_near_the_start() {
        let zeros = |count: usize| "0".repeat(count) + ",5";
        assert_eq!((float(zeros(49).as_bytes()), float(zeros(50).as_bytes())), (0.5, 0.0));
        assert_eq!((float(b"1,5"), float_with_point(b"1,5")), (1.5, 1.0));
    }

    #[test]
    fn time_is_proportional_to_the_text() {
        let long = vec![b'1'; 4 << 20];
        assert_eq!((float(&long), signed(&long), unsigned(&long)), (f64::INFINITY, i64::MAX, u64::MAX));
    }
}
