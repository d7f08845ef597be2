//! A safe interface to DuckDB's C API: the only `unsafe` code of the extension, besides `crate::host` and the
//! entrypoint.
//!
//! | module | direction |
//! |---|---|
//! | [`logical_type`], [`type_id`] | types, in both directions |
//! | [`reader`] | vectors of arguments -> Rust |
//! | [`value`] | constant arguments of table functions -> Rust |
//! | [`writer`] | Rust -> vectors of results |
//! | [`blobs`] | BLOBs of results, written in place |
//! | [`arrow`] | Arrow arrays -> vectors of results |
//! | [`arrow_reader`] | vectors of arguments -> Arrow arrays |
//! | [`scalar_function`], [`table_function`], [`copy_function`] | registration, and callbacks that do not panic or unwind into DuckDB |
//! | [`shared_session`] | the sessions shared by all functions of a process |
//! | [`callback`] | code shared by all callbacks |
//! | [`exception`] | calls that may throw |
//!
//! The interface of this folder is safe to call: types are checked before memory is interpreted, rows are checked
//! against the capacity of a vector, and no borrow outlives the callback that received it.
//!
//! Only slots of the C API struct that `crate::host` knows are called: the first 357 are the same in every host, later
//! ones since 1.5.2. The entrypoint hides all others.

pub(crate) mod arrow;
pub(crate) mod arrow_reader;
pub(crate) mod blobs;
pub(crate) mod callback;
pub(crate) mod copy_function;
pub(crate) mod exception;
pub(crate) mod logical_type;
pub(crate) mod reader;
pub(crate) mod scalar_function;
mod shared_session;
pub(crate) mod table_function;
mod type_id;
pub(crate) mod value;
pub(crate) mod writer;

pub(crate) use callback::{contain, throwing};
pub(crate) use copy_function::{CopyFunction, CopyOptions};
pub(crate) use logical_type::LogicalType;
pub(crate) use reader::{Integers, Reader};
pub(crate) use scalar_function::{Arguments, ScalarFunction, Signature};
pub(crate) use shared_session::SharedSession;
pub(crate) use table_function::{Bind, BindInfo, Init, OutputChunk, TableFunction, host_version};
pub(crate) use type_id::TypeId;
pub(crate) use value::Value;
pub(crate) use writer::Writer;
