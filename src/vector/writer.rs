//! Result vectors, written column by column.
//!
//! A [`Writer`] knows the type and capacity of its vector: a value of another type or a row beyond the capacity is an
//! error. Nested vectors are written level by level: each field of a STRUCT as a vector, and the elements of all lists
//! as one vector. This needs one `reserve` per vector and one copy per list.

use std::marker::PhantomData;
use std::ptr::NonNull;

use duckdb::ffi;

use super::exception::call;
use super::{LogicalType, TypeId};
use crate::error::{Error, Result};

/// Writes a vector or a nested vector.
pub(crate) struct Writer<'a> {
    vector: ffi::duckdb_vector,
    kind: LogicalType,
    capacity: usize,
    /// The validity mask, with one bit per row; null until it is allocated.
    validity: Option<NonNull<u64>>,
    lifetime: PhantomData<&'a mut ()>,
}

/// Rust types with the memory layout of a DuckDB type.
///
/// # Safety
/// `IDS` may only contain types whose vectors store one `Self` per row. Unsigned integers may also be written to the
/// signed type of their size: this is sound, and callers ensure that the values fit.
pub(crate) unsafe trait Native: Copy {
    /// The DuckDB types with this storage.
    const IDS: &'static [TypeId];
}

macro_rules! native {
    ($($rust:ty => $($id:ident)|+;)+) => {$(
        // SAFETY: the C API documents this storage for these types.
        unsafe impl Native for $rust {
            const IDS: &'static [TypeId] = &[$(TypeId::$id),+];
        }
    )+};
}

native! {
    bool => Boolean;
    i8 => Tinyint;
    i16 => Smallint | Decimal;
    i32 => Integer | Date | Decimal;
    i64 => Bigint | Timestamp | TimestampS | TimestampMs | TimestampNs | TimestampTz | TimestampTzNs | Time | TimeNs | Decimal;
    i128 => Hugeint | Decimal | Uuid;
    u8 => Utinyint;
    u16 => Usmallint;
    u32 => Uinteger | Integer;
    u64 => Ubigint | Bigint | TimeTz;
    f32 => Float;
    f64 => Double;
    Interval => Interval;
}

/// The memory layout of DuckDB's INTERVAL.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Months.
    pub(crate) months: i32,
    /// Days.
    pub(crate) days: i32,
    /// Microseconds.
    pub(crate) micros: i64,
}

impl<'a> Writer<'a> {
    /// Creates a writer for a vector of a result chunk.
    ///
    /// # Safety
    /// `vector` must be a live, writable, flat vector of `capacity` rows that is not accessed otherwise for `'a`.
    pub(super) unsafe fn new(vector: ffi::duckdb_vector, capacity: usize) -> Result<Self> {
        // SAFETY: the vector is live.
        let kind = unsafe { LogicalType::of_vector(vector) }?;
        Ok(Self { vector, kind, capacity, validity: None, lifetime: PhantomData })
    }

    /// The vector's type.
    pub(crate) fn kind(&self) -> &LogicalType {
        &self.kind
    }

    /// The vector itself.
    pub(super) fn vector(&self) -> ffi::duckdb_vector {
        self.vector
    }

    /// Writes one fixed-size value per row.
    pub(crate) fn values<T: Native>(&mut self, rows: impl IntoIterator<Item = Option<T>>) -> Result<()> {
        let data = self.data::<T>()?;
        for (row, value) in rows.into_iter().enumerate() {
            self.check(row)?;
            match value {
                // SAFETY: `data` contains `capacity` values of T, checked by `data` and `check`. The write is
                // unaligned, because DuckDB does not guarantee 16-byte alignment of 128-bit values.
                Some(value) => unsafe { data.add(row).write_unaligned(value) },
                None => self.set_invalid(row)?,
            }
        }
        Ok(())
    }

    /// Copies values of fixed size to consecutive rows from `start` on; those at the positions `nulls` among them are NULL.
    pub(crate) fn copy_values<T: Native>(&mut self, start: usize, values: &[T], nulls: &[usize]) -> Result<()> {
        let data = self.data::<T>()?;
        if let Some(last) = values.len().checked_sub(1) {
            self.check(start.saturating_add(last))?;
        }
        // SAFETY: `data` contains `capacity` values of T, checked by `data` and `check`. Bytes are copied, because DuckDB
        // does not guarantee 16-byte alignment of 128-bit values.
        unsafe {
            data.add(start).cast::<u8>().copy_from_nonoverlapping(values.as_ptr().cast(), size_of_val(values));
        }
        for at in nulls.iter().filter(|at| **at < values.len()) {
            self.set_invalid(start + at)?;
        }
        Ok(())
    }

    /// Writes one VARCHAR, BLOB or GEOMETRY value per row. Text must be UTF-8: callers pass the bytes of a `&str`, or
    /// write to BLOBs.
    pub(crate) fn texts<B: AsRef<[u8]>>(&mut self, rows: impl IntoIterator<Item = Option<B>>) -> Result<()> {
        if !matches!(self.kind.id(), TypeId::Varchar | TypeId::Blob | TypeId::Geometry) {
            return Err(self.mismatch("text or bytes"));
        }
        for (row, value) in rows.into_iter().enumerate() {
            self.check(row)?;
            let Some(value) = value else {
                self.set_null(row)?;
                continue;
            };
            let bytes = value.as_ref();
            // SAFETY: the vector stores strings, and `row` is below its capacity; DuckDB copies the bytes.
            unsafe {
                let (text, length) = (bytes.as_ptr().cast(), bytes.len() as ffi::idx_t);
                let arguments = (self.vector, row as ffi::idx_t, text, length);
                call(|api| api.duckdb_vector_assign_string_element_len, arguments)?;
            }
        }
        Ok(())
    }

    /// Writes one LIST of fixed-size values per row; each list is copied at once.
    pub(crate) fn value_lists<T: Native>(&mut self, rows: &[Option<&[T]>]) -> Result<()> {
        let lengths: Vec<_> = rows.iter().map(|row| row.map(<[T]>::len)).collect();
        let mut elements = self.lists(&lengths)?;
        let data = elements.data::<T>()?;
        let mut at = 0;
        for values in rows.iter().flatten() {
            // SAFETY: `lists` reserved space for the consecutive elements of all rows, of type T (checked by `data`).
            unsafe { data.add(at).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
            at += values.len();
        }
        Ok(())
    }

    /// Sets the lengths of FLOAT[] rows, None for NULL, and returns the consecutive elements of all rows, which are 0.
    pub(crate) fn float_lists(&mut self, lengths: &[Option<usize>]) -> Result<&mut [f32]> {
        let total: usize = lengths.iter().flatten().sum();
        let data = self.lists(lengths)?.data::<f32>()?;
        if total == 0 {
            return Ok(&mut []);
        }
        // SAFETY: `lists` reserved space for `total` elements of type FLOAT (checked by `data`), which are only accessed
        // through this borrow, and are initialized before the slice is made.
        unsafe {
            data.write_bytes(0, total);
            Ok(std::slice::from_raw_parts_mut(data, total))
        }
    }

    /// Sets the lengths of LIST (or MAP) rows, None for NULL, and returns the writer of the consecutive elements of all
    /// rows.
    pub(crate) fn lists(&mut self, lengths: &[Option<usize>]) -> Result<Writer<'_>> {
        if !matches!(self.kind.id(), TypeId::List | TypeId::Map) {
            return Err(self.mismatch("a list"));
        }
        let total: usize = lengths.iter().flatten().sum();
        // SAFETY: the vector is a list. The child is resized before its data pointer is taken.
        let (child, entries) = unsafe {
            let size = (self.vector, total as ffi::idx_t);
            if call(|api| api.duckdb_list_vector_reserve, size)? != ffi::DuckDBSuccess
                || call(|api| api.duckdb_list_vector_set_size, size)? != ffi::DuckDBSuccess
            {
                return Err(Error::Internal(format!("no memory for a list of {total} elements")));
            }
            (call(|api| api.duckdb_list_vector_get_child, (self.vector,))?, self.entries()?)
        };
        let mut offset = 0;
        for (row, length) in lengths.iter().enumerate() {
            self.check(row)?;
            let length = match length {
                Some(length) => *length,
                None => {
                    self.set_invalid(row)?;
                    0
                }
            };
            let entry = ffi::duckdb_list_entry { offset: offset as u64, length: length as u64 };
            // SAFETY: list vectors store one entry per row, and `row` is below the capacity.
            unsafe { entries.add(row).write(entry) };
            offset += length;
        }
        // SAFETY: the child vector has space for `total` elements and is only accessed through this borrow.
        unsafe { Writer::new(child, total) }
    }

    /// The writer of the elements of an ARRAY vector, `array_size` per row; the caller marks NULL rows.
    pub(crate) fn array_elements(&mut self) -> Result<Writer<'_>> {
        let size = self.kind.array_size();
        if size == 0 {
            return Err(self.mismatch("an array"));
        }
        // SAFETY: the vector is an ARRAY; its child has `size` elements per row and is only accessed through this
        // borrow.
        unsafe {
            let child = call(|api| api.duckdb_array_vector_get_child, (self.vector,))?;
            Writer::new(child, self.capacity * size)
        }
    }

    /// The writer of a field of a STRUCT, by position.
    pub(crate) fn field(&mut self, index: usize) -> Result<Writer<'_>> {
        if index >= self.kind.field_count() {
            return Err(self.mismatch(&format!("a STRUCT with more than {index} fields")));
        }
        // SAFETY: the vector is a STRUCT with more than `index` fields, and the field is only accessed through this
        // borrow.
        unsafe { self.child(index) }
    }

    /// # Safety
    /// The vector must be a STRUCT with more than `index` fields, and each field must be accessed through one writer at
    /// a time.
    unsafe fn child<'b>(&self, index: usize) -> Result<Writer<'b>> {
        // SAFETY: the caller's contract; a field has the rows of its parent.
        unsafe {
            let child = call(|api| api.duckdb_struct_vector_get_child, (self.vector, index as ffi::idx_t))?;
            Writer::new(child, self.capacity)
        }
    }

    /// Independent writers of all fields of a STRUCT.
    pub(crate) fn fields(&mut self) -> Result<Vec<Writer<'_>>> {
        // SAFETY: the vector is a STRUCT with this number of fields, and each is only accessed through its own writer
        // for the lifetime of this borrow.
        (0..self.kind.field_count()).map(|index| unsafe { self.child(index) }).collect()
    }

    /// Sets a row to NULL; for a STRUCT also its fields, as DuckDB does, and for a LIST with an empty entry.
    pub(crate) fn set_null(&mut self, row: usize) -> Result<()> {
        self.check(row)?;
        match self.kind.id() {
            TypeId::Struct => {
                for index in 0..self.kind.field_count() {
                    self.field(index)?.set_null(row)?;
                }
            }
            TypeId::List | TypeId::Map => {
                let entry = ffi::duckdb_list_entry { offset: 0, length: 0 };
                // SAFETY: list vectors store one entry per row, and `row` is below the capacity.
                unsafe { self.entries()?.add(row).write(entry) };
            }
            TypeId::Array => {
                let size = self.kind.array_size();
                let mut elements = self.array_elements()?;
                for element in row * size..(row + 1) * size {
                    elements.set_null(element)?;
                }
            }
            _ => {}
        }
        self.set_invalid(row)
    }

    /// Marks rows of a STRUCT as NULL where `is_null` returns true; the writers of the fields set them to NULL
    /// themselves.
    pub(crate) fn set_struct_nulls(&mut self, is_null: impl IntoIterator<Item = bool>) -> Result<()> {
        for (row, is_null) in is_null.into_iter().enumerate() {
            self.check(row)?;
            if is_null {
                self.set_invalid(row)?;
            }
        }
        Ok(())
    }

    /// Clears the validity bit of a row that has passed `check`.
    fn set_invalid(&mut self, row: usize) -> Result<()> {
        let words = match self.validity {
            Some(words) => words,
            None => self.make_validity()?,
        };
        // SAFETY: a mask has a bit for each row of the vector, in words of 64, and `row` is below its capacity.
        unsafe { *words.add(row / 64).as_ptr() &= !(1 << (row % 64)) };
        Ok(())
    }

    /// Allocates the validity mask, in which all rows are initially valid.
    fn make_validity(&mut self) -> Result<NonNull<u64>> {
        // SAFETY: the vector is writable; the mask is allocated before its address is taken.
        let words = unsafe {
            call(|api| api.duckdb_vector_ensure_validity_writable, (self.vector,))?;
            call(|api| api.duckdb_vector_get_validity, (self.vector,))?
        };
        let words =
            NonNull::new(words).ok_or_else(|| Error::Internal("a vector without a validity mask".to_owned()))?;
        self.validity = Some(words);
        Ok(words)
    }

    /// The entries of a LIST or MAP, one per row.
    fn entries(&self) -> Result<*mut ffi::duckdb_list_entry> {
        // SAFETY: the vector is live.
        Ok(unsafe { call(|api| api.duckdb_vector_get_data, (self.vector,)) }?.cast())
    }

    /// The memory of the vector as values of T, after checking its type.
    fn data<T: Native>(&mut self) -> Result<*mut T> {
        let id = self.kind.id();
        let fits = match self.kind.decimal_parts() {
            Some((width, _)) => size_of::<T>() == decimal_bytes(width),
            None => true,
        };
        if !T::IDS.contains(&id) || !fits {
            return Err(self.mismatch(std::any::type_name::<T>()));
        }
        // SAFETY: the vector is live.
        Ok(unsafe { call(|api| api.duckdb_vector_get_data, (self.vector,)) }?.cast())
    }

    fn check(&self, row: usize) -> Result<()> {
        if row < self.capacity {
            return Ok(());
        }
        Err(Error::Internal(format!("row {row} is beyond a vector of {} rows", self.capacity)))
    }

    pub(super) fn mismatch(&self, what: &str) -> Error {
        Error::Internal(format!("cannot write {what} to a vector of {}", self.kind))
    }
}

/// The size of a DECIMAL of this width in bytes: see "Decimal" in DuckDB's C API.
fn decimal_bytes(width: u8) -> usize {
    match width {
        ..=4 => 2,
        5..=9 => 4,
        10..=18 => 8,
        19.. => 16,
    }
}
