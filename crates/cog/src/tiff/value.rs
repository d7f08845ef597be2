//! Converts values of IFD entries to Rust types.
//!
//! Like libtiff, accepts any integer type, since writers choose different ones for the same tag. Signed types are
//! accepted if the value is not negative.

use std::borrow::Cow;

use bytes::Bytes;

use super::file::File;
use super::ifd::{Entry, Ifd};
use super::{ByteOrder, FieldType, Tag};
use crate::{Error, FilePosition, Result};

/// The value of an entry with all its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Value<'a> {
    pub(crate) at: FilePosition,
    pub(crate) field_type: FieldType,
    pub(crate) count: u64,
    bytes: ValueBytes<'a>,
    byte_order: ByteOrder,
}

/// Bytes of a value. Most are inline in the entry and need no allocation.
#[derive(Debug, Clone)]
enum ValueBytes<'a> {
    Inline([u8; 8], usize),
    Held(Cow<'a, [u8]>),
}

impl Ifd {
    /// Returns the value of a tag; None if absent.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the type is unknown, or if the value is beyond the end of the file or missing.
    pub(crate) fn value<'a>(&self, file: &'a File, tag: Tag) -> Result<Option<Value<'a>>> {
        let Some(entry) = self.entry(tag) else {
            return Ok(None);
        };
        match self.read_value(file, entry, u64::MAX)? {
            Some(value) => Ok(Some(value)),
            None => Err(Error::Malformed {
                at: self.place(tag),
                what: "expected the value, but the file ends before".to_owned(),
            }),
        }
    }

    /// Returns the value of any tag; None if it is absent, missing or of an unknown type.
    pub(crate) fn find_value<'a>(&self, file: &'a File, tag: Tag) -> Option<Value<'a>> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        self.read_value(file, entry, u64::MAX).ok()?
    }

    /// Whether all bytes of an entry's value are available; otherwise records the missing range in `file`.
    #[inline]
    pub(crate) fn require(&self, file: &mut File, entry: &Entry) -> Result<bool> {
        // Fast path for inline values, which nearly all are.
        if entry.inline_integer(self.header.byte_order).is_some() {
            return Ok(true);
        }
        let length = self.length(entry)?;
        match entry.offset(self.header, length) {
            None => Ok(true),
            Some(offset) => file.require(offset, length, entry.place(self.index)),
        }
    }

    /// Returns the first `max_count` values of an entry; None if bytes are missing, which are recorded in `file`.
    pub(crate) fn fetch<'a>(&self, file: &'a mut File, entry: &Entry, max_count: u64) -> Result<Option<Value<'a>>> {
        if let Some(offset) = entry.offset(self.header, self.length(entry)?) {
            let part = entry.count.min(max_count) * u64::from(entry.field_type.size().unwrap_or(1));
            if !file.require(offset, part, entry.place(self.index))? {
                return Ok(None);
            }
        }
        self.read_value(file, entry, max_count)
    }

    /// Returns the first `max_count` values of an entry; None if bytes are missing.
    fn read_value<'a>(&self, file: &'a File, entry: &Entry, max_count: u64) -> Result<Option<Value<'a>>> {
        let at = entry.place(self.index);
        let count = entry.count.min(max_count);
        let length = self.length(entry)?;
        let part = count * u64::from(entry.field_type.size().unwrap_or(1));
        let bytes = match entry.offset(self.header, length) {
            None => ValueBytes::Inline(entry.inline, usize::try_from(part).unwrap_or(0)),
            Some(offset) => match file.get(offset, part, at)? {
                Some(bytes) => ValueBytes::Held(bytes),
                None => return Ok(None),
            },
        };
        Ok(Some(Value { at, field_type: entry.field_type, count, bytes, byte_order: self.header.byte_order }))
    }

    /// Bytes of an entry's value.
    #[inline]
    fn length(&self, entry: &Entry) -> Result<u64> {
        entry.length().ok_or_else(|| Error::Malformed {
            at: entry.place(self.index),
            what: match entry.field_type.size() {
                None => format!("expected a known field type, found {}", entry.field_type),
                Some(_) => format!("expected a value that fits a file, found {} values", entry.count),
            },
        })
    }
}

impl Value<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            ValueBytes::Inline(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            ValueBytes::Held(bytes) => bytes,
        }
    }

    /// Copies the bytes: a slice would keep the whole pushed buffer alive while a header is cached.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.bytes())
    }

    /// The first number; for rationals, the quotient, or 0 with a denominator of 0, as in libtiff.
    pub(crate) fn number(&self) -> Option<f64> {
        let order = self.byte_order;
        let (fours, _) = self.bytes().as_chunks::<4>();
        match self.field_type {
            FieldType::RATIONAL => {
                let [a, b] = *fours.first_chunk::<2>()?;
                let (a, b) = (f64::from(order.u32(a)), f64::from(order.u32(b)));
                Some(if b == 0.0 { 0.0 } else { a / b })
            }
            _ => self.spelled_numbers().first()?.parse().ok(),
        }
    }

    /// Formats each number: rationals as `1/2`; nothing for unknown types.
    pub(crate) fn spelled_numbers(&self) -> Vec<String> {
        let order = self.byte_order;
        let (fours, _) = self.bytes().as_chunks::<4>();
        let (pairs, _) = fours.as_chunks::<2>();
        let (eights, _) = self.bytes().as_chunks::<8>();
        match self.field_type {
            FieldType::RATIONAL => pairs.iter().map(|[a, b]| format!("{}/{}", order.u32(*a), order.u32(*b))).collect(),
            FieldType::SRATIONAL => pairs
                .iter()
                .map(|[a, b]| format!("{}/{}", order.u32(*a).cast_signed(), order.u32(*b).cast_signed()))
                .collect(),
            FieldType::FLOAT => fours.iter().map(|bytes| f32::from_bits(order.u32(*bytes)).to_string()).collect(),
            FieldType::DOUBLE => eights.iter().map(|bytes| f64::from_bits(order.u64(*bytes)).to_string()).collect(),
            FieldType::SBYTE | FieldType::SSHORT | FieldType::SLONG | FieldType::SLONG8 => {
                let numbers: Vec<u64> = self.integers().unwrap_or_default();
                numbers.iter().map(|number| number.cast_signed().to_string()).collect()
            }
            _ => {
                let numbers: Vec<u64> = self.integers().unwrap_or_default();
                numbers.iter().map(u64::to_string).collect()
            }
        }
    }

    fn malformed(&self, what: String) -> Error {
        Error::Malformed { at: self.at, what }
    }

    fn wrong_type(&self, expected: &str) -> Error {
        self.malformed(format!("expected {expected}, found {}", self.field_type))
    }

    /// Converts unsigned integers in a single pass.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for other types, and for numbers that do not fit `T`.
    pub(crate) fn integers<T: TryFrom<u64> + Default>(&self) -> Result<Vec<T>> {
        let bytes = self.bytes();
        let order = self.byte_order;
        match (self.field_type, order) {
            (FieldType::BYTE, _) => self.convert(bytes, |[byte]: [u8; 1]| u64::from(byte)),
            (FieldType::SHORT, ByteOrder::Big) => self.convert(bytes, |n| u64::from(u16::from_be_bytes(n))),
            (FieldType::SHORT, ByteOrder::Little) => self.convert(bytes, |n| u64::from(u16::from_le_bytes(n))),
            (FieldType::LONG | FieldType::IFD, ByteOrder::Big) => {
                self.convert(bytes, |n| u64::from(u32::from_be_bytes(n)))
            }
            (FieldType::LONG | FieldType::IFD, ByteOrder::Little) => {
                self.convert(bytes, |n| u64::from(u32::from_le_bytes(n)))
            }
            (FieldType::LONG8 | FieldType::IFD8, ByteOrder::Big) => self.convert(bytes, u64::from_be_bytes),
            (FieldType::LONG8 | FieldType::IFD8, ByteOrder::Little) => self.convert(bytes, u64::from_le_bytes),
            (FieldType::SBYTE, _) => self.convert(bytes, |[n]: [u8; 1]| sign_extended(n.cast_signed())),
            (FieldType::SSHORT, _) => self.convert(bytes, |n| sign_extended(order.u16(n).cast_signed())),
            (FieldType::SLONG, _) => self.convert(bytes, |n| sign_extended(order.u32(n).cast_signed())),
            (FieldType::SLONG8, _) => self.convert(bytes, |n| order.u64(n)),
            _ => Err(self.wrong_type("SHORT or LONG")),
        }
    }

    /// Converts groups of `N` bytes; negative numbers and those that do not fit `T` are an error.
    ///
    /// Without an early exit, the loop compiles to vector instructions: tables have millions of entries.
    fn convert<T: TryFrom<u64> + Default, const N: usize>(
        &self,
        bytes: &[u8],
        number: impl Fn([u8; N]) -> u64,
    ) -> Result<Vec<T>> {
        let (chunks, _) = bytes.as_chunks::<N>();
        let mut fit = true;
        let convert = |chunk: &[u8; N]| {
            let converted = T::try_from(number(*chunk));
            fit &= converted.is_ok();
            converted.unwrap_or_default()
        };
        let numbers = chunks.iter().map(convert).collect();
        if fit {
            return Ok(numbers);
        }
        let misfit = chunks.iter().map(|chunk| number(*chunk)).find(|number| T::try_from(*number).is_err());
        Err(self.out_of_range(misfit.unwrap_or_default(), size_of::<T>() * 8))
    }

    #[cold]
    fn out_of_range(&self, number: u64, bits: usize) -> Error {
        let is_signed =
            [FieldType::SBYTE, FieldType::SSHORT, FieldType::SLONG, FieldType::SLONG8].contains(&self.field_type);
        let found = if is_signed { number.cast_signed().to_string() } else { number.to_string() };
        self.malformed(format!("expected a number of {bits} bits without a sign, found {found}"))
    }

    /// The value as a single integer.
    pub(crate) fn integer<T: TryFrom<u64> + Default>(&self) -> Result<T> {
        if self.count != 1 {
            return Err(self.malformed(format!("expected 1 value, found {}", self.count)));
        }
        let number: u64 = self.integers()?.pop().unwrap_or_default();
        T::try_from(number).map_err(|_| self.out_of_range(number, size_of::<T>() * 8))
    }

    /// Floating-point numbers.
    pub(crate) fn floats(&self) -> Result<Vec<f64>> {
        match self.field_type {
            FieldType::DOUBLE => {
                let (chunks, _) = self.bytes().as_chunks();
                Ok(chunks.iter().map(|chunk| f64::from_bits(self.byte_order.u64(*chunk))).collect())
            }
            FieldType::FLOAT => {
                let (chunks, _) = self.bytes().as_chunks();
                Ok(chunks.iter().map(|chunk| f64::from(f32::from_bits(self.byte_order.u32(*chunk)))).collect())
            }
            FieldType::SBYTE | FieldType::SSHORT | FieldType::SLONG | FieldType::SLONG8 => {
                Err(self.wrong_type("DOUBLE"))
            }
            // Some writers store whole numbers as integers.
            _ => match self.integers::<u32>() {
                Ok(numbers) => Ok(numbers.into_iter().map(f64::from).collect()),
                Err(_) => Err(self.wrong_type("DOUBLE")),
            },
        }
    }

    /// Bytes of a text in any encoding, up to the first NUL.
    pub(crate) fn characters(&self) -> Result<&[u8]> {
        match self.field_type {
            FieldType::ASCII | FieldType::BYTE | FieldType::UNDEFINED => {
                let bytes = self.bytes();
                let end = bytes.iter().position(|byte| *byte == 0);
                Ok(&bytes[..end.unwrap_or(bytes.len())])
            }
            _ => Err(self.wrong_type("ASCII")),
        }
    }

    /// Text up to the first NUL. Invalid UTF-8 is replaced by U+FFFD.
    pub(crate) fn text(&self) -> Result<Cow<'_, str>> {
        self.characters().map(String::from_utf8_lossy)
    }
}

/// Sign-extends to 64 bits; negative numbers become too large for any requested type.
fn sign_extended(number: impl Into<i64>) -> u64 {
    number.into().cast_unsigned()
}
