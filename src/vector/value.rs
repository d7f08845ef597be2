//! Constant arguments of table functions.

use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::slice;

use duckdb::ffi;

use super::exception::call_or_postpone;
use super::logical_type::take_string;
use super::{LogicalType, TypeId};

/// An owned constant of any type.
pub(crate) struct Value(ffi::duckdb_value);

// SAFETY: a value is a heap object without thread affinity, and is only read.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// Takes ownership of a value created by DuckDB; None for a null pointer (an argument that was not given).
    ///
    /// # Safety
    /// `raw` must be null or a value that the caller owns.
    pub(crate) unsafe fn from_raw(raw: ffi::duckdb_value) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    /// The id of the value's type.
    pub(crate) fn id(&self) -> TypeId {
        // SAFETY: the value is live; its type is borrowed and must not be destroyed.
        TypeId::from_raw(unsafe { ffi::duckdb_get_type_id(ffi::duckdb_get_value_type(self.0)) })
    }

    /// Calls a function with the value's type.
    pub(crate) fn with_kind<T>(&self, look: impl FnOnce(&LogicalType) -> T) -> T {
        // SAFETY: the value is live; its type is borrowed for the call, and forgotten instead of destroyed.
        let kind = unsafe { ManuallyDrop::new(LogicalType::from_raw(ffi::duckdb_get_value_type(self.0))) };
        look(&kind)
    }

    /// The value's type as SQL writes it, for error messages.
    pub(crate) fn type_name(&self) -> String {
        self.with_kind(LogicalType::to_string)
    }

    /// Whether the value is NULL.
    pub(crate) fn is_null(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { call_or_postpone(|api| api.duckdb_is_null_value, (self.0,), true) }
    }

    /// Text of a VARCHAR.
    pub(crate) fn text(&self) -> Option<String> {
        if self.is_null() || self.id() != TypeId::Varchar {
            return None;
        }
        // SAFETY: the value is live; the result is null or a string to be freed with duckdb_free.
        unsafe { take_string(call_or_postpone(|api| api.duckdb_get_varchar, (self.0,), null_mut())) }
    }

    /// The WKT of a GEOMETRY. Its payload cannot be read: DuckDB 1.5 throws a C++ exception for `duckdb_get_blob`.
    pub(crate) fn geometry_text(&self) -> Option<String> {
        if self.is_null() || self.id() != TypeId::Geometry {
            return None;
        }
        // SAFETY: the value is live, and GEOMETRY has a cast to VARCHAR; the result is null or to be freed with
        // duckdb_free.
        unsafe { take_string(call_or_postpone(|api| api.duckdb_get_varchar, (self.0,), null_mut())) }
    }

    /// Bytes of a BLOB.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        if self.is_null() || self.id() != TypeId::Blob {
            return None;
        }
        // SAFETY: the value is live; the data of the result is null or to be freed with duckdb_free, and `size` bytes
        // long.
        unsafe {
            let none = ffi::duckdb_blob { data: null_mut(), size: 0 };
            let blob = call_or_postpone(|api| api.duckdb_get_blob, (self.0,), none);
            if blob.data.is_null() {
                return None;
            }
            let bytes = slice::from_raw_parts(blob.data.cast::<u8>(), usize::try_from(blob.size).unwrap_or(0)).to_vec();
            ffi::duckdb_free(blob.data);
            Some(bytes)
        }
    }

    /// A BOOLEAN.
    pub(crate) fn boolean(&self) -> Option<bool> {
        // SAFETY: the value is a live BOOLEAN.
        (!self.is_null() && self.id() == TypeId::Boolean)
            .then(|| unsafe { call_or_postpone(|api| api.duckdb_get_bool, (self.0,), false) })
    }

    /// A value of any integer type that fits BIGINT.
    pub(crate) fn integer(&self) -> Option<i64> {
        if self.is_null() || !self.id().is_integer() {
            return None;
        }
        // SAFETY: the value is a live integer. It is read as text, because reading a value as another type may throw.
        unsafe { take_string(call_or_postpone(|api| api.duckdb_get_varchar, (self.0,), null_mut())) }?.parse().ok()
    }

    /// A value of any numeric type.
    pub(crate) fn number(&self) -> Option<f64> {
        if self.is_null() || !self.id().is_numeric() {
            return None;
        }
        if self.id() == TypeId::Double {
            // SAFETY: the value is a live DOUBLE.
            return Some(unsafe { call_or_postpone(|api| api.duckdb_get_double, (self.0,), 0.0) });
        }
        // SAFETY: the value is a live number. It is read as text, because reading a value as another type may throw.
        let text = unsafe { take_string(call_or_postpone(|api| api.duckdb_get_varchar, (self.0,), null_mut())) }?;
        number(&text, self.id())
    }

    /// A field of a STRUCT, by position.
    pub(crate) fn field(&self, index: usize) -> Option<Value> {
        if self.is_null() || index >= self.with_kind(LogicalType::field_count) {
            return None;
        }
        // SAFETY: the value is a live STRUCT with more than `index` fields; the caller owns the child.
        unsafe {
            let index = index as ffi::idx_t;
            Value::from_raw(call_or_postpone(|api| api.duckdb_get_struct_child, (self.0, index), null_mut()))
        }
    }

    /// The numbers of a LIST or ARRAY, with None for NULL elements; None for NULL and for other types.
    pub(crate) fn numbers(&self) -> Option<Vec<Option<f64>>> {
        if let Some(elements) = self.list() {
            return Some(elements.iter().map(Value::number).collect());
        }
        let element = self.with_kind(LogicalType::element).map(|element| element.id());
        let element = element.filter(|element| self.id() == TypeId::Array && element.is_numeric())?;
        if self.is_null() {
            return None;
        }
        // The C API has no accessor for the elements of an ARRAY; its text is parsed instead: `[1.5, NULL, 2.0]`.
        // SAFETY: the value is live, and ARRAY has a cast to VARCHAR; the result is null or to be freed with duckdb_free.
        let text = unsafe { take_string(call_or_postpone(|api| api.duckdb_get_varchar, (self.0,), null_mut())) }?;
        let elements = text.trim_start_matches('[').trim_end_matches(']').split(',');
        Some(elements.map(|text| number(text.trim(), element)).collect())
    }

    /// The elements of a LIST.
    pub(crate) fn list(&self) -> Option<Vec<Value>> {
        if self.is_null() || self.id() != TypeId::List {
            return None;
        }
        // SAFETY: the value is a live LIST, and indexes are below its size; the caller owns each child.
        unsafe {
            (0..call_or_postpone(|api| api.duckdb_get_list_size, (self.0,), 0))
                .map(|i| Value::from_raw(call_or_postpone(|api| api.duckdb_get_list_child, (self.0, i), null_mut())))
                .collect()
        }
    }

    /// The keys and values of a MAP.
    pub(crate) fn map(&self) -> Option<Vec<(Value, Value)>> {
        if self.is_null() || self.id() != TypeId::Map {
            return None;
        }
        // SAFETY: the value is a live MAP, and indexes are below its size; the caller owns each key and value.
        unsafe {
            (0..call_or_postpone(|api| api.duckdb_get_map_size, (self.0,), 0))
                .map(|i| {
                    let key = call_or_postpone(|api| api.duckdb_get_map_key, (self.0, i), null_mut());
                    let value = call_or_postpone(|api| api.duckdb_get_map_value, (self.0, i), null_mut());
                    Value::from_raw(key).zip(Value::from_raw(value))
                })
                .collect()
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: the value is owned and destroyed once.
        unsafe { ffi::duckdb_destroy_value(&mut self.0) };
    }
}

/// Parses a number as DuckDB formats it: the shortest text that parses to the same number of its type.
fn number(text: &str, kind: TypeId) -> Option<f64> {
    match kind {
        TypeId::Float => text.parse::<f32>().ok().map(f64::from),
        _ => text.parse().ok(),
    }
}
