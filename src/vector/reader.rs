//! Typed, checked views of argument vectors.
//!
//! A [`Reader`] is a tree that mirrors its type: the fields of a STRUCT, the elements of a LIST. It is valid during the
//! callback that received the vector, and only interprets memory as the type of the vector specifies.

use std::marker::PhantomData;
use std::ops::Range;
use std::slice;

use duckdb::ffi;

use super::exception::call;
use super::{LogicalType, TypeId};
use crate::error::Result;

/// The maximum length of a string that `duckdb_string_t` stores inline.
const INLINED: usize = 12;

/// Reads a vector or a nested vector.
pub(crate) struct Reader<'a> {
    kind: LogicalType,
    id: TypeId,
    data: *const u8,
    validity: *mut u64,
    len: usize,
    /// STRUCT: its fields with their names. LIST, MAP and ARRAY: one child, the elements.
    children: Vec<(String, Reader<'a>)>,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Reader<'a> {
    /// Creates a view of `len` rows of a vector.
    ///
    /// # Safety
    /// `vector` must be a live, flat vector of at least `len` rows, unchanged for `'a`. Arguments of C API functions
    /// are flattened.
    pub(super) unsafe fn new(vector: ffi::duckdb_vector, len: usize) -> Result<Self> {
        // SAFETY: the vector is live; the type is owned, data and validity are borrowed.
        unsafe {
            let kind = LogicalType::of_vector(vector)?;
            let id = kind.id();
            let children = match id {
                TypeId::Struct => (0u64..)
                    .zip(kind.fields())
                    .map(|(i, (name, _))| {
                        let child = call(|api| api.duckdb_struct_vector_get_child, (vector, i))?;
                        Ok((name, Reader::new(child, len)?))
                    })
                    .collect::<Result<_>>()?,
                TypeId::List | TypeId::Map => {
                    let size = call(|api| api.duckdb_list_vector_get_size, (vector,))?;
                    let child = call(|api| api.duckdb_list_vector_get_child, (vector,))?;
                    vec![(String::new(), Reader::new(child, usize::try_from(size).unwrap_or(0))?)]
                }
                TypeId::Array => {
                    let child = call(|api| api.duckdb_array_vector_get_child, (vector,))?;
                    vec![(String::new(), Reader::new(child, len * kind.array_size())?)]
                }
                _ => Vec::new(),
            };
            Ok(Self {
                kind,
                id,
                data: call(|api| api.duckdb_vector_get_data, (vector,))?.cast(),
                validity: call(|api| api.duckdb_vector_get_validity, (vector,))?,
                len,
                children,
                lifetime: PhantomData,
            })
        }
    }

    /// The vector's type.
    pub(crate) fn kind(&self) -> &LogicalType {
        &self.kind
    }

    /// Whether the row is NULL; true for rows beyond the end.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        if row >= self.len || self.id == TypeId::SqlNull {
            return true;
        }
        if self.validity.is_null() {
            return false;
        }
        // SAFETY: a non-null validity mask has a bit for each row of the vector, and `row` is below its length.
        unsafe { *self.validity.add(row / 64) & (1 << (row % 64)) == 0 }
    }

    /// A fixed-size value at `row`, unless NULL.
    fn plain<T: Copy>(&self, row: usize) -> Option<T> {
        if self.is_null(row) {
            return None;
        }
        // SAFETY: callers pass the type `T` that vectors of `self.id` contain, and `row` is below the length.
        Some(unsafe { self.data.cast::<T>().add(row).read() })
    }

    /// Bytes of a VARCHAR, BLOB, GEOMETRY or BIT value; None for NULL and for other types.
    pub(crate) fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        let textual = matches!(self.id, TypeId::Varchar | TypeId::Blob | TypeId::Geometry | TypeId::StringLiteral);
        if !textual || self.is_null(row) {
            return None;
        }
        // SAFETY: vectors of these types contain `duckdb_string_t`; `row` is below the length. The pointer is into the
        // vector (inlined) or its heap, both of which live for 'a.
        unsafe {
            let string = &*self.data.cast::<ffi::duckdb_string_t>().add(row);
            // Same as `duckdb_string_is_inlined` and `duckdb_string_t_data`, without three calls per value.
            let len = string.value.inlined.length as usize;
            let bytes = match len {
                0..=INLINED => (&raw const string.value.inlined.inlined).cast::<u8>(),
                _ => string.value.pointer.ptr.cast::<u8>().cast_const(),
            };
            Some(slice::from_raw_parts(bytes, len))
        }
    }

    /// The text of a VARCHAR value. DuckDB guarantees valid UTF-8.
    pub(crate) fn text(&self, row: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(row)?).ok()
    }

    /// A BOOLEAN value.
    pub(crate) fn boolean(&self, row: usize) -> Option<bool> {
        (self.id == TypeId::Boolean).then(|| self.plain::<u8>(row)).flatten().map(|value| value != 0)
    }

    /// A value of any integer type.
    pub(crate) fn integer(&self, row: usize) -> Option<i128> {
        Some(match self.id {
            TypeId::Tinyint => self.plain::<i8>(row)?.into(),
            TypeId::Smallint => self.plain::<i16>(row)?.into(),
            TypeId::Integer => self.plain::<i32>(row)?.into(),
            TypeId::Bigint => self.plain::<i64>(row)?.into(),
            TypeId::Utinyint => self.plain::<u8>(row)?.into(),
            TypeId::Usmallint => self.plain::<u16>(row)?.into(),
            TypeId::Uinteger => self.plain::<u32>(row)?.into(),
            TypeId::Ubigint => self.plain::<u64>(row)?.into(),
            TypeId::Hugeint => self.plain::<Hugeint>(row)?.into(),
            _ => return None,
        })
    }

    /// A value of any numeric type, as a double.
    pub(crate) fn number(&self, row: usize) -> Option<f64> {
        Some(match self.id {
            TypeId::Float => self.plain::<f32>(row)?.into(),
            TypeId::Double => self.plain::<f64>(row)?,
            TypeId::Decimal => {
                let (width, scale) = self.kind.decimal_parts()?;
                let unscaled: i128 = match width {
                    ..=4 => self.plain::<i16>(row)?.into(),
                    5..=9 => self.plain::<i32>(row)?.into(),
                    10..=18 => self.plain::<i64>(row)?.into(),
                    19.. => self.plain::<Hugeint>(row)?.into(),
                };
                unscaled as f64 / 10f64.powi(i32::from(scale))
            }
            TypeId::Uhugeint => u128::from(self.plain::<Uhugeint>(row)?) as f64,
            _ => self.integer(row)? as f64,
        })
    }

    /// Days since 1970-01-01 of a DATE; None for infinity, which is stored as the largest number or its negative.
    pub(crate) fn date_days(&self, row: usize) -> Option<i32> {
        let days = (self.id == TypeId::Date).then(|| self.plain::<i32>(row)).flatten();
        days.filter(|days| days.unsigned_abs() != i32::MAX.unsigned_abs())
    }

    /// Microseconds since 1970-01-01 of a TIMESTAMP or TIMESTAMP WITH TIME ZONE (stored in UTC) of any precision; None
    /// for infinity, which is stored as the largest number or its negative.
    pub(crate) fn timestamp_micros(&self, row: usize) -> Option<i64> {
        let ticks = |id| {
            let ticks = (self.id == id).then(|| self.plain::<i64>(row)).flatten();
            ticks.filter(|ticks| ticks.unsigned_abs() != i64::MAX.unsigned_abs())
        };
        ticks(TypeId::Timestamp)
            .or_else(|| ticks(TypeId::TimestampTz))
            .or_else(|| ticks(TypeId::TimestampS).and_then(|s| s.checked_mul(1_000_000)))
            .or_else(|| ticks(TypeId::TimestampMs).and_then(|ms| ms.checked_mul(1_000)))
            .or_else(|| ticks(TypeId::TimestampNs).map(|ns| ns.div_euclid(1_000)))
            .or_else(|| ticks(TypeId::TimestampTzNs).map(|ns| ns.div_euclid(1_000)))
    }

    /// The elements of a LIST, MAP or ARRAY value: their range in the child vector, and its reader.
    pub(crate) fn list(&self, row: usize) -> Option<(Range<usize>, &Reader<'a>)> {
        let (_, child) = self.children.first()?;
        let range = match self.id {
            TypeId::List | TypeId::Map => {
                let entry = self.plain::<ffi::duckdb_list_entry>(row)?;
                let start = usize::try_from(entry.offset).ok()?;
                start..start.checked_add(usize::try_from(entry.length).ok()?)?
            }
            TypeId::Array if !self.is_null(row) => {
                let size = self.kind.array_size();
                row * size..(row + 1) * size
            }
            _ => return None,
        };
        (range.end <= child.len).then_some((range, child))
    }

    /// Whether two rows have the same value. Types that do not occur in an index always count as different.
    pub(crate) fn is_same(&self, a: usize, b: usize) -> bool {
        if self.is_null(a) || self.is_null(b) {
            return self.is_null(a) && self.is_null(b);
        }
        match self.id {
            TypeId::Struct => self.children.iter().all(|(_, field)| field.is_same(a, b)),
            TypeId::Varchar | TypeId::Blob => self.bytes(a) == self.bytes(b),
            TypeId::List => match (self.list(a), self.list(b)) {
                (Some((a, elements)), Some((b, _))) => elements.are_same(a, b),
                _ => false,
            },
            _ => match (self.plain_bytes(&(a..a + 1)), self.plain_bytes(&(b..b + 1))) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// For each row, whether its value is that of the previous row; false where comparing would be slow.
    pub(crate) fn repeats(&self) -> Vec<bool> {
        let mut repeats = vec![true; self.len];
        if let Some(first) = repeats.first_mut() {
            *first = false;
        }
        self.clear_changes(&mut repeats);
        repeats
    }

    /// Clears `repeats` where a row differs from the previous one. Values repeated by DuckDB have the same memory,
    /// including the pointers of texts and lists, so a single comparison of the vector with itself shifted by a row
    /// usually decides for all rows.
    fn clear_changes(&self, repeats: &mut [bool]) {
        if self.id == TypeId::Struct {
            for (_, field) in &self.children {
                field.clear_changes(repeats);
            }
            if !self.validity.is_null() {
                self.clear_where(repeats, |a, b| self.is_null(a) == self.is_null(b));
            }
        } else if !(self.validity.is_null() && self.repeats_memory()) {
            self.clear_where(repeats, |a, b| self.is_same(a, b));
        }
    }

    fn clear_where(&self, repeats: &mut [bool], is_same: impl Fn(usize, usize) -> bool) {
        for row in 1..self.len.min(repeats.len()) {
            repeats[row] = repeats[row] && is_same(row - 1, row);
        }
    }

    /// Whether the memory of all rows is the same.
    fn repeats_memory(&self) -> bool {
        let width = match self.id {
            TypeId::Varchar | TypeId::Blob | TypeId::Geometry => size_of::<ffi::duckdb_string_t>(),
            TypeId::List | TypeId::Map => size_of::<ffi::duckdb_list_entry>(),
            _ => match self.width() {
                Some(width) => width,
                None => return false,
            },
        };
        // SAFETY: vectors of these types store `width` bytes per row.
        let bytes = unsafe { slice::from_raw_parts(self.data, self.len * width) };
        bytes.get(width..).is_none_or(|rest| rest == &bytes[..rest.len()])
    }

    /// A hash of a part of the value: equal for equal rows, and usually different for others.
    pub(crate) fn fingerprint(&self, row: usize) -> u64 {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        let of_bytes = |bytes: &[u8]| {
            let ends = bytes.iter().take(8).chain(bytes.iter().rev().take(8));
            ends.fold(bytes.len() as u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(ODD))
        };
        if self.is_null(row) {
            return ODD;
        }
        match (self.list(row), self.bytes(row), self.plain_bytes(&(row..row + 1))) {
            (Some((range, elements)), ..) => {
                let ends = [range.start, range.end.wrapping_sub(1)].map(|at| elements.fingerprint(at));
                (range.len() as u64 ^ ends[0]).wrapping_mul(ODD) ^ ends[1].rotate_left(7)
            }
            (_, Some(bytes), _) | (_, _, Some(bytes)) => of_bytes(bytes),
            _ => 0,
        }
    }

    /// Whether two ranges of rows have the same values; fast if they share their memory.
    fn are_same(&self, a: Range<usize>, b: Range<usize>) -> bool {
        if a == b {
            return true;
        }
        if a.len() != b.len() {
            return false;
        }
        if self.are_valid(&a)
            && self.are_valid(&b)
            && let (Some(a), Some(b)) = (self.plain_bytes(&a), self.plain_bytes(&b))
        {
            return a == b;
        }
        a.zip(b).all(|(a, b)| self.is_same(a, b))
    }

    /// Whether no row of a range is NULL; the range must not exceed the length.
    fn are_valid(&self, rows: &Range<usize>) -> bool {
        if self.validity.is_null() {
            return true;
        }
        let mut row = rows.start;
        while row < rows.end {
            // SAFETY: as in `is_null`; rows are below the length.
            let word = if row.is_multiple_of(64) { unsafe { *self.validity.add(row / 64) } } else { 0 };
            if word == u64::MAX {
                row += 64;
            } else if self.is_null(row) {
                return false;
            } else {
                row += 1;
            }
        }
        true
    }

    /// The values of rows as a slice, if they are non-NULL integers of 4 or 8 bytes.
    pub(crate) fn integers(&self, rows: &Range<usize>) -> Option<Integers<'a>> {
        if rows.end > self.len || !self.are_valid(rows) {
            return None;
        }
        // SAFETY: vectors of these types contain such values, aligned, and the rows are below the length.
        unsafe {
            match self.id {
                TypeId::Integer => {
                    Some(Integers::Four(slice::from_raw_parts(self.data.cast::<i32>().add(rows.start), rows.len())))
                }
                TypeId::Bigint => {
                    Some(Integers::Eight(slice::from_raw_parts(self.data.cast::<i64>().add(rows.start), rows.len())))
                }
                _ => None,
            }
        }
    }

    /// The size of a value of a fixed-size type.
    fn width(&self) -> Option<usize> {
        Some(match self.id {
            TypeId::Boolean | TypeId::Tinyint | TypeId::Utinyint => 1,
            TypeId::Smallint | TypeId::Usmallint => 2,
            TypeId::Integer | TypeId::Uinteger | TypeId::Float | TypeId::Date => 4,
            TypeId::Bigint
            | TypeId::Ubigint
            | TypeId::Double
            | TypeId::Timestamp
            | TypeId::TimestampS
            | TypeId::TimestampMs
            | TypeId::TimestampNs
            | TypeId::TimestampTz => 8,
            _ => return None,
        })
    }

    /// The memory of rows of a fixed-size type.
    fn plain_bytes(&self, rows: &Range<usize>) -> Option<&'a [u8]> {
        let width = self.width()?;
        if rows.end > self.len {
            return None;
        }
        // SAFETY: vectors of these types store `width` bytes per row, and the rows are below the length.
        Some(unsafe { slice::from_raw_parts(self.data.add(rows.start * width), rows.len() * width) })
    }

    /// A field of a STRUCT; names are case-insensitive, as in SQL.
    pub(crate) fn field(&self, name: &str) -> Option<&Reader<'a>> {
        let is_struct = self.id == TypeId::Struct;
        self.children.iter().find(|(key, _)| is_struct && key.eq_ignore_ascii_case(name)).map(|(_, field)| field)
    }
}

/// A slice of integers in a vector.
pub(crate) enum Integers<'a> {
    /// INTEGER.
    Four(&'a [i32]),
    /// BIGINT.
    Eight(&'a [i64]),
}

/// The memory layout of DuckDB's 128-bit integer.
#[repr(C)]
#[derive(Clone, Copy)]
struct Hugeint {
    lower: u64,
    upper: i64,
}

impl From<Hugeint> for i128 {
    fn from(value: Hugeint) -> Self {
        (i128::from(value.upper) << 64) | i128::from(value.lower)
    }
}

/// The memory layout of DuckDB's unsigned 128-bit integer.
#[repr(C)]
#[derive(Clone, Copy)]
struct Uhugeint {
    lower: u64,
    upper: u64,
}

impl From<Uhugeint> for u128 {
    fn from(value: Uhugeint) -> Self {
        (Self::from(value.upper) << 64) | Self::from(value.lower)
    }
}
