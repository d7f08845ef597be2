//! TIFF 6.0 and BigTIFF structure: bytes to IFDs and their values.
//!
//! Reads byte order, field types, tags, the IFD chain and values, and names the values that TIFF enumerates. Does not
//! interpret images or georeferencing. Values of a type other than the requested one are an error.

mod byte_order;
pub(crate) mod chain;
mod codes;
mod compression;
mod data_type;
mod encoding;
mod error;
mod field_type;
pub(crate) mod file;
pub(crate) mod ifd;
mod pushed;
mod tag;
pub(crate) mod value;

pub use byte_order::ByteOrder;
pub use codes::{ExtraSample, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat};
pub use compression::Compression;
pub use data_type::DataType;
pub use encoding::Encoding;
pub(crate) use encoding::data_type;
pub use error::{Error, FilePosition, Result};
pub use field_type::FieldType;
pub use tag::Tag;
