//! Values of IFD entries as Rust types.
//!
//! Integers are read from every integer type, as libtiff does: writers differ in which of BYTE, SHORT, LONG and LONG8
//! they use for a tag. Signed ones pass where they are not negative.

use std::borrow::Cow;

use bytes::Bytes;

use super::file::File;
use super::ifd::{Entry, Ifd};
use super::{ByteOrder, FieldType, Tag};
use crate::{Error, Place, Result};

/// The value of one entry, all its bytes at hand.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) at: Place,
    pub(crate) field_type: FieldType,
    pub(crate) count: u64,
    pub(crate) bytes: Bytes,
    byte_order: ByteOrder,
}

impl Ifd {
    /// The value of a tag: None where the IFD has no such tag.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when the type is unknown, or the value lies beyond the file or is not at hand.
    pub(crate) fn value(&self, file: &mut File, tag: Tag) -> Result<Option<Value>> {
        let Some(entry) = self.entry(tag) else {
            return Ok(None);
        };
        match self.fetch(file, entry, u64::MAX)? {
            Some(value) => Ok(Some(value)),
            None => Err(Error::Malformed {
                at: self.place(tag),
                what: "expected the value, but the file ends before".to_owned(),
            }),
        }
    }

    /// Whether all bytes of an entry's value are at hand; when not, `file` notes what is missing.
    pub(crate) fn require(&self, file: &mut File, entry: &Entry) -> Result<bool> {
        let length = self.length(entry)?;
        match entry.value_or_offset(self.header, length) {
            Ok(_) => Ok(true),
            Err(offset) => file.require(offset, length, self.place(entry.tag)),
        }
    }

    /// The first `max_count` values of an entry; None when bytes are missing, which `file` notes.
    pub(crate) fn fetch(&self, file: &mut File, entry: &Entry, max_count: u64) -> Result<Option<Value>> {
        let at = self.place(entry.tag);
        let count = entry.count.min(max_count);
        let part = count * u64::from(entry.field_type.size().unwrap_or(1));
        let bytes = match entry.value_or_offset(self.header, self.length(entry)?) {
            Ok(bytes) => bytes,
            Err(offset) => match file.get(offset, part, at)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        Ok(Some(Value { at, field_type: entry.field_type, count, bytes, byte_order: self.header.byte_order }))
    }

    /// Bytes of an entry's value.
    fn length(&self, entry: &Entry) -> Result<u64> {
        entry.length().ok_or_else(|| Error::Malformed {
            at: self.place(entry.tag),
            what: match entry.field_type.size() {
                None => format!("expected a known field type, found {}", entry.field_type),
                Some(_) => format!("expected a value that fits a file, found {} values", entry.count),
            },
        })
    }
}

impl Value {
    /// Each number as text: rationals as `1/2`, numbers of unknown types not at all.
    pub(crate) fn spelled_numbers(&self) -> Vec<String> {
        let order = self.byte_order;
        let (fours, _) = self.bytes.as_chunks::<4>();
        let (pairs, _) = fours.as_chunks::<2>();
        let (eights, _) = self.bytes.as_chunks::<8>();
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

    /// Unsigned integers, converted in one pass.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for other types, and for numbers that `T` cannot hold.
    pub(crate) fn integers<T: TryFrom<u64>>(&self) -> Result<Vec<T>> {
        let big = self.byte_order == ByteOrder::Big;
        match self.field_type {
            FieldType::BYTE | FieldType::UNDEFINED => self.collect(|[byte]: [u8; 1]| u64::from(byte)),
            FieldType::SHORT if big => self.collect(|bytes| u64::from(u16::from_be_bytes(bytes))),
            FieldType::SHORT => self.collect(|bytes| u64::from(u16::from_le_bytes(bytes))),
            FieldType::LONG | FieldType::IFD if big => self.collect(|bytes| u64::from(u32::from_be_bytes(bytes))),
            FieldType::LONG | FieldType::IFD => self.collect(|bytes| u64::from(u32::from_le_bytes(bytes))),
            FieldType::LONG8 | FieldType::IFD8 if big => self.collect(u64::from_be_bytes),
            FieldType::LONG8 | FieldType::IFD8 => self.collect(u64::from_le_bytes),
            FieldType::SBYTE => self.collect(|[byte]: [u8; 1]| sign_extended(i64::from(byte.cast_signed()))),
            FieldType::SSHORT => {
                self.collect(|bytes| sign_extended(i64::from(self.byte_order.u16(bytes).cast_signed())))
            }
            FieldType::SLONG => {
                self.collect(|bytes| sign_extended(i64::from(self.byte_order.u32(bytes).cast_signed())))
            }
            FieldType::SLONG8 => self.collect(|bytes| self.byte_order.u64(bytes)),
            _ => Err(self.wrong_type("SHORT or LONG")),
        }
    }

    /// Converts each `N` bytes; numbers that `T` cannot hold, and negative ones, are an error.
    fn collect<T: TryFrom<u64>, const N: usize>(&self, convert: impl Fn([u8; N]) -> u64) -> Result<Vec<T>> {
        let (chunks, _) = self.bytes.as_chunks::<N>();
        let mut numbers = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let number = convert(*chunk);
            match T::try_from(number) {
                Ok(number) => numbers.push(number),
                Err(_) => return Err(self.out_of_range(number, size_of::<T>() * 8)),
            }
        }
        Ok(numbers)
    }

    #[cold]
    fn out_of_range(&self, number: u64, bits: usize) -> Error {
        let signed =
            [FieldType::SBYTE, FieldType::SSHORT, FieldType::SLONG, FieldType::SLONG8].contains(&self.field_type);
        let found = if signed { number.cast_signed().to_string() } else { number.to_string() };
        self.malformed(format!("expected a number of {bits} bits without a sign, found {found}"))
    }

    /// The only integer.
    pub(crate) fn integer<T: TryFrom<u64>>(&self) -> Result<T> {
        if self.count != 1 {
            return Err(self.malformed(format!("expected 1 value, found {}", self.count)));
        }
        let mut numbers = self.integers()?;
        numbers.pop().ok_or_else(|| self.malformed("expected 1 value, found 0".to_owned()))
    }

    /// Floating-point numbers.
    pub(crate) fn floats(&self) -> Result<Vec<f64>> {
        match self.field_type {
            FieldType::DOUBLE => {
                let (chunks, _) = self.bytes.as_chunks();
                Ok(chunks.iter().map(|chunk| f64::from_bits(self.byte_order.u64(*chunk))).collect())
            }
            FieldType::FLOAT => {
                let (chunks, _) = self.bytes.as_chunks();
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

    /// Text without what follows the first NUL. Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn text(&self) -> Result<Cow<'_, str>> {
        match self.field_type {
            FieldType::ASCII | FieldType::BYTE | FieldType::UNDEFINED => {
                let end = self.bytes.iter().position(|byte| *byte == 0);
                Ok(String::from_utf8_lossy(&self.bytes[..end.unwrap_or(self.bytes.len())]))
            }
            _ => Err(self.wrong_type("ASCII")),
        }
    }
}

/// A signed number as 64 bits; negative ones become too large for every type that is asked for.
fn sign_extended(number: i64) -> u64 {
    number.cast_unsigned()
}
