//! LZW as in TIFF 6.0 (section 13), and the variant of libtiff before TIFF 6.0.
//!
//! | | TIFF 6.0 | old |
//! |---|---|---|
//! | codes are packed from | the most significant bit | the least significant bit |
//! | codes grow to n + 1 bits when the table has | 2^n - 1 entries | 2^n entries |
//!
//! The string of a new code is the previous string plus one byte, which is already in the output, so a table entry is a
//! position there. Most strings are short: an entry also stores its first [`PREFIX`] bytes, which are written as one
//! word regardless of the length.

use crate::Result;

use super::block::malformed;

/// Clears the table.
const CLEAR: usize = 256;
/// End of information.
const END: usize = 257;
/// First code of a string.
const FIRST: usize = 258;
/// Maximum code width in bits.
const CODES: usize = 1 << 12;
/// Bytes of a string stored in its entry.
const PREFIX: usize = 8;

/// Fills `output` and returns the number of bytes written.
///
/// # Errors
///
/// [`crate::Error::Malformed`] for an undefined code.
pub(super) fn decode(bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    match bytes {
        // The first code is Clear: with 9 bits, these bytes identify the old packing, as in libtiff.
        [0, second, ..] if second & 1 == 1 => Table::new().decode(LeastFirst::new(bytes), output, 0),
        _ => Table::new().decode(MostFirst::new(bytes), output, 1),
    }
}

/// Reader of codes.
trait Codes {
    /// Reads the next code of `width` bits, at most 12; None at the end of the stream.
    fn next(&mut self, width: u32) -> Option<usize>;
}

/// Reader of codes packed from the most significant bit.
struct MostFirst<'a> {
    bytes: &'a [u8],
    /// Buffered bits, left-aligned. Below them are bits of the following bytes, or zeros.
    bits: u64,
    /// Number of buffered bits.
    count: u32,
}

impl<'a> MostFirst<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bits: 0, count: 0 }
    }
}

impl Codes for MostFirst<'_> {
    #[inline(always)]
    fn next(&mut self, width: u32) -> Option<usize> {
        if self.count < width {
            if let Some(chunk) = self.bytes.first_chunk() {
                // Loads as many whole bytes as fit. The bits of a partial byte are loaded again later, with the same
                // values.
                self.bits |= u64::from_be_bytes(*chunk) >> self.count;
                let taken = (63 - self.count) / 8;
                self.bytes = self.bytes.get(taken as usize..).unwrap_or_default();
                self.count += 8 * taken;
            } else {
                while let ([byte, rest @ ..], ..=56) = (self.bytes, self.count) {
                    self.bits |= u64::from(*byte) << (56 - self.count);
                    self.bytes = rest;
                    self.count += 8;
                }
                if self.count < width {
                    return None;
                }
            }
        }
        let code = self.bits >> (64 - width);
        self.bits <<= width;
        self.count -= width;
        usize::try_from(code).ok()
    }
}

/// Reader of codes packed from the least significant bit.
struct LeastFirst<'a> {
    bytes: &'a [u8],
    /// Buffered bits, right-aligned.
    bits: u64,
    /// Number of buffered bits.
    count: u32,
}

impl<'a> LeastFirst<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bits: 0, count: 0 }
    }
}

impl Codes for LeastFirst<'_> {
    #[inline(always)]
    fn next(&mut self, width: u32) -> Option<usize> {
        while let ([byte, rest @ ..], true) = (self.bytes, self.count < width) {
            self.bits |= u64::from(*byte) << self.count;
            self.bytes = rest;
            self.count += 8;
        }
        if self.count < width {
            return None;
        }
        let code = self.bits & ((1 << width) - 1);
        self.bits >>= width;
        self.count -= width;
        usize::try_from(code).ok()
    }
}

/// The string table.
struct Table {
    /// First bytes of each string, the first in the low byte.
    prefixes: [u64; CODES],
    /// Length of each string.
    lengths: [u16; CODES],
    /// Position of each string in the output; unused for single bytes.
    starts: [u32; CODES],
}

impl Table {
    fn new() -> Self {
        let mut table = Self { prefixes: [0; CODES], lengths: [1; CODES], starts: [0; CODES] };
        for (prefix, byte) in table.prefixes.iter_mut().zip(0..=u8::MAX) {
            *prefix = u64::from(byte);
        }
        table
    }

    /// Fills `output`. The code width grows `early` entries before the table is full.
    #[inline(always)]
    fn decode(mut self, mut codes: impl Codes, output: &mut [u8], early: usize) -> Result<usize> {
        let mut filled = 0;
        let mut width = 9;
        // The next free code, and the previous code since the last Clear.
        let mut free = FIRST;
        let mut before: Option<(u64, u16, u32)> = None;
        while filled < output.len() {
            let Some(code) = codes.next(width) else { break };
            let code = code % CODES;
            if code == CLEAR {
                (width, free, before) = (9, FIRST, None);
                continue;
            }
            if code == END {
                break;
            }
            let start = u32::try_from(filled).unwrap_or(u32::MAX);
            if let Some((prefix, length, place)) = before {
                if free < CODES {
                    // The previous string plus the first byte of this one, which may be the new string itself.
                    let first = (if code == free { prefix } else { self.prefixes[code] }) & 0xFF;
                    let longer = if usize::from(length) < PREFIX { prefix | first << (8 * length) } else { prefix };
                    self.prefixes[free] = longer;
                    self.lengths[free] = length + 1;
                    self.starts[free] = place;
                    free += 1;
                    if free + early >= 1 << width && width < 12 {
                        width += 1;
                    }
                }
                if code >= free {
                    return Err(malformed(format!("expected an LZW code below {free}, found {code} at byte {filled}")));
                }
            } else if code > CLEAR {
                return Err(malformed(format!("expected an LZW code below 256, found {code} at byte {filled}")));
            }
            let (prefix, length, place) = (self.prefixes[code], self.lengths[code], self.starts[code]);
            filled += write(output, filled, prefix, usize::from(length), place);
            before = Some((prefix, length, start));
        }
        Ok(filled)
    }
}

/// Copies a string, or the part of it that fits, and returns its length.
#[inline(always)]
fn write(output: &mut [u8], at: usize, prefix: u64, length: usize, place: u32) -> usize {
    if length <= PREFIX
        && let Some(room) = output.get_mut(at..at + PREFIX)
    {
        room.copy_from_slice(&prefix.to_le_bytes());
        return length;
    }
    let length = length.min(output.len() - at);
    if length <= PREFIX {
        output[at..at + length].copy_from_slice(&prefix.to_le_bytes()[..length]);
        return length;
    }
    // The string precedes `at`, except for its last byte if it is the entry just added.
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    let before = (at - place).min(length);
    output.copy_within(place..place + before, at);
    if before < length {
        output[at + before] = output[place];
    }
    length
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// TIFF 6.0, section 13: these bytes are encoded as the codes below, 9 bits each.
    const DATA: [u8; 9] = [7, 7, 7, 8, 8, 7, 7, 6, 6];
    const CODES: [u32; 9] = [256, 7, 258, 8, 8, 258, 6, 6, 257];

    fn most_first(codes: &[(u32, u32)]) -> Vec<u8> {
        let bits: String =
            codes.iter().map(|(code, width)| format!("{code:0width$b}", width = *width as usize)).collect();
        pack(&bits, |byte| u8::from_str_radix(byte, 2).unwrap())
    }

    fn least_first(codes: &[(u32, u32)]) -> Vec<u8> {
        let bits: String = codes
            .iter()
            .map(|(code, width)| format!("{code:0width$b}", width = *width as usize).chars().rev().collect::<String>())
            .collect();
        pack(&bits, |byte| u8::from_str_radix(byte, 2).unwrap().reverse_bits())
    }

    fn pack(bits: &str, byte: impl Fn(&str) -> u8) -> Vec<u8> {
        let padded = format!("{bits:0<width$}", width = bits.len().div_ceil(8) * 8);
        (0..padded.len()).step_by(8).map(|at| byte(&padded[at..at + 8])).collect()
    }

    /// A stream of single bytes and the widths of its codes: each code after the first adds an entry.
    #[allow(clippy::cast_possible_truncation, reason = "extracts bytes of numbers; there are few codes")]
    fn literals(count: usize, early: u32) -> (Vec<u8>, Vec<(u32, u32)>) {
        let data: Vec<u8> = (0..count).map(|index| (index * 7 + index / 256) as u8).collect();
        let mut codes = vec![(256, 9)];
        for (index, byte) in data.iter().enumerate() {
            // Before this code is read, the decoder's table has `index - 1` strings.
            let entries = 258 + (index as u32).saturating_sub(1);
            let width = (9..12).find(|width| entries + early < 1 << width).unwrap_or(12);
            codes.push((u32::from(*byte), width));
        }
        (data, codes)
    }

    #[test]
    fn the_example_of_the_specification() {
        let codes: Vec<_> = CODES.iter().map(|code| (*code, 9)).collect();
        let mut output = [0; 9];
        assert_eq!(decode(&most_first(&codes), &mut output).unwrap(), 9);
        assert_eq!(output, DATA);
        let mut output = [0; 9];
        assert_eq!(decode(&least_first(&codes), &mut output).unwrap(), 9);
        assert_eq!(output, DATA);
    }

    #[test]
    fn the_width_of_codes_grows() {
        for count in [253, 254, 255, 256, 300, 1000, 3000, 3838, 5000] {
            let mut output = vec![0; count];
            let (data, codes) = literals(count, 1);
            assert_eq!(decode(&most_first(&codes), &mut output).unwrap(), count);
            assert!(output == data, "{count}");
            let mut output = vec![0; count];
            let (data, codes) = literals(count, 0);
            assert_eq!(decode(&least_first(&codes), &mut output).unwrap(), count);
            assert!(output == data, "{count}");
        }
    }

    /// Runs of 1, 2, 3, … equal bytes, where each code is used immediately after its definition.
    #[test]
    fn codes_used_when_defined() {
        let mut codes = vec![(256, 9), (65, 9)];
        codes.extend((258..300).map(|code| (code, 9)));
        let length = (1..=43).sum();
        for length in [0, 1, 7, 8, 9, 100, length] {
            let mut output = vec![0; length];
            assert_eq!(decode(&most_first(&codes), &mut output).unwrap(), length);
            assert!(output.iter().all(|byte| *byte == 65));
        }
        assert_eq!(decode(&most_first(&codes), &mut vec![0; length + 5]).unwrap(), length);
    }

    /// Strings longer than the prefix of an entry.
    #[test]
    fn long_strings() {
        // "abcd", then 258 "ab", 260 "cd", 262 "abc", 263 "cda"; from there on, each string is one byte longer than the
        // second to last.
        let codes: Vec<u32> = [256, 97, 98, 99, 100, 258, 260].into_iter().chain(262..300).collect();
        let codes: Vec<_> = codes.iter().map(|code| (*code, 9)).collect();
        let mut strings: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        strings.extend([vec![], vec![]]);
        let mut want: Vec<u8> = Vec::new();
        let mut before: Vec<u8> = Vec::new();
        for (code, _) in &codes[1..] {
            let code = *code as usize;
            if !before.is_empty() {
                let first = if code == strings.len() { before[0] } else { strings[code][0] };
                strings.push([&before[..], &[first]].concat());
            }
            before = strings[code].clone();
            want.extend(&before);
        }
        assert!(strings.iter().any(|string| string.len() > 16));
        for length in 0..=want.len() {
            let mut output = vec![0; length];
            assert_eq!(decode(&most_first(&codes), &mut output).unwrap(), length);
            assert_eq!(output, want[..length]);
        }
    }

    #[test]
    fn undefined_codes_are_errors() {
        for codes in [vec![256, 300], vec![256, 65, 259], vec![256, 65, 258, 300], vec![256, 65, 256, 258]] {
            let codes: Vec<_> = codes.iter().map(|code| (*code, 9)).collect();
            assert!(decode(&most_first(&codes), &mut [0; 100]).is_err());
            assert!(decode(&least_first(&codes), &mut [0; 100]).is_err());
        }
    }
}
