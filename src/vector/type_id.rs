//! The ids of DuckDB types. They are declared here because the list of the binding is older than its header.

use duckdb::ffi;

/// The id of a logical type. Displays as in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeId {
    /// No type, or an unknown one.
    Unknown,
    Boolean,
    Tinyint,
    Smallint,
    Integer,
    Bigint,
    Utinyint,
    Usmallint,
    Uinteger,
    Ubigint,
    Float,
    Double,
    Timestamp,
    Date,
    Time,
    Interval,
    Hugeint,
    Uhugeint,
    Varchar,
    Blob,
    Decimal,
    TimestampS,
    TimestampMs,
    TimestampNs,
    List,
    Struct,
    Map,
    Uuid,
    TimeTz,
    TimestampTz,
    Array,
    Any,
    SqlNull,
    StringLiteral,
    TimeNs,
    Geometry,
    TimestampTzNs,
}

/// Ids and SQL names.
const IDS: [(TypeId, ffi::duckdb_type, &str); 36] = [
    (TypeId::Boolean, ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN, "BOOLEAN"),
    (TypeId::Tinyint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT, "TINYINT"),
    (TypeId::Smallint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT, "SMALLINT"),
    (TypeId::Integer, ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER, "INTEGER"),
    (TypeId::Bigint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT, "BIGINT"),
    (TypeId::Utinyint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT, "UTINYINT"),
    (TypeId::Usmallint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT, "USMALLINT"),
    (TypeId::Uinteger, ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER, "UINTEGER"),
    (TypeId::Ubigint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT, "UBIGINT"),
    (TypeId::Float, ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT, "FLOAT"),
    (TypeId::Double, ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE, "DOUBLE"),
    (TypeId::Timestamp, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP"),
    (TypeId::Date, ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE, "DATE"),
    (TypeId::Time, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME, "TIME"),
    (TypeId::Interval, ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL, "INTERVAL"),
    (TypeId::Hugeint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT, "HUGEINT"),
    (TypeId::Uhugeint, ffi::DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT, "UHUGEINT"),
    (TypeId::Varchar, ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR, "VARCHAR"),
    (TypeId::Blob, ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB, "BLOB"),
    (TypeId::Decimal, ffi::DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL, "DECIMAL"),
    (TypeId::TimestampS, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S"),
    (TypeId::TimestampMs, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS"),
    (TypeId::TimestampNs, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS"),
    (TypeId::List, ffi::DUCKDB_TYPE_DUCKDB_TYPE_LIST, "LIST"),
    (TypeId::Struct, ffi::DUCKDB_TYPE_DUCKDB_TYPE_STRUCT, "STRUCT"),
    (TypeId::Map, ffi::DUCKDB_TYPE_DUCKDB_TYPE_MAP, "MAP"),
    (TypeId::Uuid, ffi::DUCKDB_TYPE_DUCKDB_TYPE_UUID, "UUID"),
    (TypeId::TimeTz, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE"),
    (TypeId::TimestampTz, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"),
    (TypeId::Array, ffi::DUCKDB_TYPE_DUCKDB_TYPE_ARRAY, "ARRAY"),
    (TypeId::Any, ffi::DUCKDB_TYPE_DUCKDB_TYPE_ANY, "ANY"),
    (TypeId::SqlNull, ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL, "NULL"),
    (TypeId::StringLiteral, ffi::DUCKDB_TYPE_DUCKDB_TYPE_STRING_LITERAL, "VARCHAR"),
    (TypeId::TimeNs, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS, "TIME_NS"),
    (TypeId::Geometry, ffi::DUCKDB_TYPE_DUCKDB_TYPE_GEOMETRY, "GEOMETRY"),
    (TypeId::TimestampTzNs, ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ_NS, "TIMESTAMPTZ_NS"),
];

impl TypeId {
    /// Converts an id of the C API.
    pub(super) fn from_raw(raw: ffi::duckdb_type) -> Self {
        IDS.iter().find(|(_, id, _)| *id == raw).map_or(Self::Unknown, |(kind, ..)| *kind)
    }

    /// The id of the C API; that of INVALID for unknown types.
    pub(super) fn raw(self) -> ffi::duckdb_type {
        self.entry().map_or(ffi::DUCKDB_TYPE_DUCKDB_TYPE_INVALID, |(_, id, _)| *id)
    }

    /// Whether values are integers of a fixed size. Those of UHUGEINT may be too large to be read.
    pub(crate) fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Tinyint
                | Self::Smallint
                | Self::Integer
                | Self::Bigint
                | Self::Utinyint
                | Self::Usmallint
                | Self::Uinteger
                | Self::Ubigint
                | Self::Hugeint
        )
    }

    /// Whether values are numbers.
    pub(crate) fn is_numeric(self) -> bool {
        self.is_integer() || matches!(self, Self::Uhugeint | Self::Float | Self::Double | Self::Decimal)
    }

    /// The name in SQL.
    pub(super) fn name(self) -> &'static str {
        self.entry().map_or("an unknown type", |(_, _, name)| *name)
    }

    fn entry(self) -> Option<&'static (Self, ffi::duckdb_type, &'static str)> {
        IDS.iter().find(|(kind, ..)| *kind == self)
    }
}
