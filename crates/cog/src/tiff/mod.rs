//! TIFF 6.0 and BigTIFF structure: bytes to IFDs and their values.
//!
//! Owns byte order, field types, tags, the IFD chain and how values are read. Knows nothing of images, georeferencing
//! or what a tag is good for; refuses values that are not of the type that was asked for.

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
