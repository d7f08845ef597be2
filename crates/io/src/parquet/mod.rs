//! Records of Parquet files as Arrow batches with the types of DuckDB's `read_parquet`.
//!
//! Determines the Arrow type of each Parquet type, the columns that are read, and the order of batches. Only reads the Parquet
//! files themselves; for their assets and bands, see [`crate::enrich`].
//!
//! The file's own `ARROW:schema` entry is ignored, as DuckDB ignores it: a dictionary-encoded column is its value type, a
//! large or view type is the plain one, a fixed-size list is a list, a duration is an integer.
//!
//! | Parquet (physical, annotation) | DuckDB | Arrow here | care |
//! |---|---|---|---|
//! | BOOLEAN | BOOLEAN | Boolean | |
//! | INT32/INT64, INT(8..64, signed or not) | TINYINT ... UBIGINT | Int8 ... UInt64 | |
//! | FLOAT, DOUBLE | FLOAT, DOUBLE | Float32, Float64 | |
//! | FIXED(2), FLOAT16 | FLOAT | Float32 | widened, exact |
//! | INT32, INT64, FIXED, BYTE_ARRAY; DECIMAL(p <= 38, s) | DECIMAL(p, s) | Decimal128(p, s) | bytes beyond 16 must be a sign |
//! | the same; DECIMAL(p > 38, s) | DOUBLE | Float64 | rounded, as DuckDB 2.0 does |
//! | BYTE_ARRAY, STRING or ENUM | VARCHAR | Utf8 | |
//! | BYTE_ARRAY, JSON | JSON | Utf8, [`Kind::Json`] | |
//! | BYTE_ARRAY; BSON | BLOB | Binary | DuckDB refuses BSON |
//! | FIXED(n) | BLOB | Binary | |
//! | FIXED(16), UUID | UUID | FixedSizeBinary(16), [`Kind::Uuid`] | big-endian |
//! | INT32, DATE | DATE | Date32 | |
//! | TIME(MILLIS or MICROS), TIME_MILLIS, TIME_MICROS | TIME | Time64(µs) | outside a day: an error |
//! | TIME(any unit, UTC) | TIMETZ (offset 0) | Time64(µs), [`Kind::TimeTz`] | nanoseconds cut; wraps at a day |
//! | TIME(NANOS) | TIME_NS since 1.5.6, before TIME | Time64(ns) | the border cuts for older hosts |
//! | TIMESTAMP(MILLIS or MICROS), TIMESTAMP_MILLIS, TIMESTAMP_MICROS | TIMESTAMP | Timestamp(µs) | without zone if only the converted type says so |
//! | TIMESTAMP(MILLIS or MICROS, UTC) | TIMESTAMPTZ | Timestamp(µs, UTC) | |
//! | TIMESTAMP(NANOS) | TIMESTAMP_NS | Timestamp(ns) | |
//! | TIMESTAMP(NANOS, UTC) | TIMESTAMPTZ_NS since 2.0, before TIMESTAMPTZ | Timestamp(ns, UTC) | the border cuts for older hosts |
//! | INT96 | TIMESTAMP | Timestamp(µs) | nanoseconds cut |
//! | FIXED(12), INTERVAL | INTERVAL | Interval(MonthDayNano) | all three parts |
//! | any, UNKNOWN | `"NULL"` since 2.0, before the physical type | Null | |
//! | BYTE_ARRAY; GEOMETRY, GEOGRAPHY, or named by GeoParquet's `geo` entry | GEOMETRY since 1.5, before BLOB | Binary, [`Kind::Wkb`] | as GEOMETRY holds it, or as stored |
//! | LIST in three levels, two levels, or a bare repeated field | LIST | List | a repeated group of one field is that field |
//! | MAP, MAP_KEY_VALUE | MAP | Map | |
//! | group | STRUCT | Struct | |
//!
//! Folders `key=value` are columns as well, if all files have the same keys: see [`HiveOptions`].
//!
//! Names that differ in letter case only get a suffix `_1`, `_2`, ..., as in `read_parquet`.

mod annotate;
mod convert;
mod footer;
mod geo;
mod hive;
mod hive_cast;
mod kind;
mod open;
mod read;
mod to_json;
mod types;
mod wkb;

pub use hive::{HiveOptions, NullFolders};
pub use kind::Kind;
pub use open::{ParquetSource, Projection, SourceOptions};
pub use read::{Batches, Records};
pub(crate) use to_json::to_json;

/// Whether bytes are WKB as [`Kind::Wkb`] promises them.
#[cfg(test)]
pub(crate) fn wkb_is_canonical(bytes: &[u8]) -> bool {
    matches!(wkb::canonical(bytes), Ok(std::borrow::Cow::Borrowed(_)))
}
