//! DuckDB logical types, created for signatures and inspected in arguments.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr::null_mut;

use duckdb::ffi;

use super::TypeId;
use super::exception::{call, call_or_postpone};
use crate::error::Result;
use crate::host::Host;

/// A function that returns a component of a type.
type Slot =
    fn(&ffi::duckdb_ext_api_v1) -> Option<unsafe extern "C" fn(ffi::duckdb_logical_type) -> ffi::duckdb_logical_type>;

/// An owned DuckDB logical type; null if DuckDB failed to create it.
pub(crate) struct LogicalType(ffi::duckdb_logical_type);

// SAFETY: a logical type is a heap object without thread affinity; it is only read after construction.
unsafe impl Send for LogicalType {}
// SAFETY: as above; all methods only read.
unsafe impl Sync for LogicalType {}

impl LogicalType {
    /// A type without parameters, such as INTEGER or VARCHAR.
    pub(crate) fn of(id: TypeId) -> Self {
        // SAFETY: all ids are accepted; an id that needs parameters results in an INVALID type, which registration
        // rejects.
        Self(unsafe { call_or_postpone(|api| api.duckdb_create_logical_type, (id.raw(),), null_mut()) })
    }

    /// `VARCHAR`.
    pub(crate) fn varchar() -> Self {
        Self::of(TypeId::Varchar)
    }

    /// `child[]`.
    pub(crate) fn list(child: &Self) -> Self {
        // SAFETY: `child` is a live logical type; DuckDB copies it.
        Self(unsafe { call_or_postpone(|api| api.duckdb_create_list_type, (child.0,), null_mut()) })
    }

    /// `MAP(key, value)`.
    pub(crate) fn map(key: &Self, value: &Self) -> Self {
        // SAFETY: both are live logical types; DuckDB copies them.
        Self(unsafe { call_or_postpone(|api| api.duckdb_create_map_type, (key.0, value.0), null_mut()) })
    }

    /// `DECIMAL(width, scale)`.
    pub(crate) fn decimal(width: u8, scale: u8) -> Self {
        // SAFETY: an invalid width results in an INVALID type.
        Self(unsafe { call_or_postpone(|api| api.duckdb_create_decimal_type, (width, scale), null_mut()) })
    }

    /// `STRUCT(name type, …)`. A NUL in a name, which C strings cannot hold, is dropped.
    pub(crate) fn structure<'a>(fields: impl IntoIterator<Item = (&'a str, LogicalType)>) -> Self {
        let (names, types): (Vec<CString>, Vec<LogicalType>) =
            fields.into_iter().map(|(name, kind)| (c_string(name), kind)).unzip();
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let mut handles: Vec<_> = types.iter().map(|kind| kind.0).collect();
        // SAFETY: both arrays hold `handles.len()` live pointers; DuckDB copies names and types.
        Self(unsafe {
            let arguments = (handles.as_mut_ptr(), names.as_mut_ptr(), handles.len() as ffi::idx_t);
            call_or_postpone(|api| api.duckdb_create_struct_type, arguments, null_mut())
        })
    }

    /// Takes ownership of a type created by DuckDB.
    ///
    /// # Safety
    /// `raw` must be null or a logical type that the caller owns.
    pub(super) unsafe fn from_raw(raw: ffi::duckdb_logical_type) -> Self {
        Self(raw)
    }

    /// The type of a vector.
    ///
    /// # Safety
    /// `vector` must be live.
    pub(super) unsafe fn of_vector(vector: ffi::duckdb_vector) -> Result<Self> {
        // SAFETY: the vector is live; the type is owned.
        unsafe { call(|api| api.duckdb_vector_get_column_type, (vector,)) }.map(Self)
    }

    /// The handle, for calls that borrow it.
    pub(crate) fn raw(&self) -> ffi::duckdb_logical_type {
        self.0
    }

    /// The id of the type.
    pub(crate) fn id(&self) -> TypeId {
        if self.0.is_null() {
            return TypeId::Unknown;
        }
        // SAFETY: the handle is live.
        TypeId::from_raw(unsafe { ffi::duckdb_get_type_id(self.0) })
    }

    /// The alias of a user-defined type, such as `GEOMETRY` of the spatial extension before DuckDB 1.5, or `JSON`.
    pub(crate) fn alias(&self) -> Option<String> {
        // SAFETY: the handle is live; the result is null or a string to be freed with duckdb_free.
        unsafe { take_string(call_or_postpone(|api| api.duckdb_logical_type_get_alias, (self.0,), null_mut())) }
    }

    /// Sets the alias of the type, which is how DuckDB distinguishes JSON from VARCHAR.
    pub(crate) fn with_alias(self, alias: &str) -> Self {
        let alias = c_string(alias);
        // SAFETY: the handle is live; DuckDB copies the name.
        unsafe { call_or_postpone(|api| api.duckdb_logical_type_set_alias, (self.0, alias.as_ptr()), ()) };
        self
    }

    /// The CRS of a `GEOMETRY('…')`; None without a CRS, and on hosts that do not expose it.
    pub(crate) fn geometry_crs(&self) -> Option<String> {
        if self.id() != TypeId::Geometry || !Host::current().has_geometry_crs() {
            return None;
        }
        // SAFETY: the handle is a live GEOMETRY, and the host has the slot; the result is null or a string to be freed.
        unsafe { take_string(call_or_postpone(|api| api.duckdb_geometry_type_get_crs, (self.0,), null_mut())) }
    }

    /// Width and scale of a DECIMAL.
    pub(crate) fn decimal_parts(&self) -> Option<(u8, u8)> {
        (self.id() == TypeId::Decimal)
            // SAFETY: the handle is live and a DECIMAL.
            .then(|| unsafe { (ffi::duckdb_decimal_width(self.0), ffi::duckdb_decimal_scale(self.0)) })
    }

    /// The number of fields of a STRUCT; 0 for other types.
    pub(crate) fn field_count(&self) -> usize {
        if self.id() != TypeId::Struct {
            return 0;
        }
        // SAFETY: the handle is a live STRUCT.
        usize::try_from(unsafe { ffi::duckdb_struct_type_child_count(self.0) }).unwrap_or(0)
    }

    /// The names and types of the fields of a STRUCT; empty for other types.
    pub(crate) fn fields(&self) -> Vec<(String, LogicalType)> {
        if self.id() != TypeId::Struct {
            return Vec::new();
        }
        // SAFETY: the handle is a live STRUCT, and indexes are below its child count; names must be freed, types are
        // owned.
        unsafe {
            (0..ffi::duckdb_struct_type_child_count(self.0))
                .map(|i| {
                    let name = call_or_postpone(|api| api.duckdb_struct_type_child_name, (self.0, i), null_mut());
                    let kind = call_or_postpone(|api| api.duckdb_struct_type_child_type, (self.0, i), null_mut());
                    (take_string(name).unwrap_or_default(), Self::from_raw(kind))
                })
                .collect()
        }
    }

    /// The element type of a LIST or ARRAY; for a MAP, its STRUCT of `key` and `value`.
    pub(crate) fn element(&self) -> Option<LogicalType> {
        // SAFETY: the handle is live and of the kind that each function requires; the results are owned.
        let part = |slot: Slot| Self(unsafe { call_or_postpone(slot, (self.0,), null_mut()) });
        match self.id() {
            TypeId::List => Some(part(|api| api.duckdb_list_type_child_type)),
            TypeId::Array => Some(part(|api| api.duckdb_array_type_child_type)),
            TypeId::Map => Some(Self::structure([
                ("key", part(|api| api.duckdb_map_type_key_type)),
                ("value", part(|api| api.duckdb_map_type_value_type)),
            ])),
            _ => None,
        }
    }

    /// The number of elements of an ARRAY; 0 for other types.
    pub(crate) fn array_size(&self) -> usize {
        if self.id() != TypeId::Array {
            return 0;
        }
        // SAFETY: the handle is a live ARRAY.
        usize::try_from(unsafe { ffi::duckdb_array_type_array_size(self.0) }).unwrap_or(0)
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: the handle is owned and destroyed once; DuckDB ignores null.
        unsafe { ffi::duckdb_destroy_logical_type(&mut self.0) };
    }
}

/// Formats the type as in SQL, for error messages.
impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(alias) = self.alias() {
            return f.write_str(&alias);
        }
        match self.id() {
            TypeId::List => match self.element() {
                Some(element) => write!(f, "{element}[]"),
                None => f.write_str("LIST"),
            },
            TypeId::Struct => {
                f.write_str("STRUCT(")?;
                for (i, (name, kind)) in self.fields().iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{name} {kind}")?;
                }
                f.write_str(")")
            }
            other => f.write_str(other.name()),
        }
    }
}

impl fmt::Debug for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Converts text to a C string without NULs.
pub(super) fn c_string(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// Copies and frees a string allocated by DuckDB.
///
/// # Safety
/// `raw` must be null or a C string allocated by duckdb_malloc that is not freed elsewhere.
pub(super) unsafe fn take_string(raw: *mut std::ffi::c_char) -> Option<String> {
    if raw.is_null() {
        return None;
    }
    // SAFETY: the caller passes ownership of a live C string.
    unsafe {
        let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
        ffi::duckdb_free(raw.cast());
        Some(text)
    }
}
