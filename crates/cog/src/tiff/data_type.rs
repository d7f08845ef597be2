//! Types of decoded samples, by numpy's names.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Type of a decoded sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// Unsigned, up to 8 bits as stored.
    Uint8,
    /// Unsigned, up to 16 bits as stored.
    Uint16,
    /// Unsigned, up to 32 bits as stored.
    Uint32,
    /// Unsigned, up to 64 bits as stored.
    Uint64,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32, or a 24-bit float as stored.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Two signed 16-bit integers. Named after GDAL's CInt16, since numpy has no such type.
    ComplexInt16,
    /// Two signed 32-bit integers. Named after GDAL's CInt32, since numpy has no such type.
    ComplexInt32,
    /// Two binary32.
    Complex64,
    /// Two binary64.
    Complex128,
}

/// Names and sizes in bytes.
const NAMES: [(DataType, &str, usize); 15] = [
    (DataType::Uint8, "uint8", 1),
    (DataType::Uint16, "uint16", 2),
    (DataType::Uint32, "uint32", 4),
    (DataType::Uint64, "uint64", 8),
    (DataType::Int8, "int8", 1),
    (DataType::Int16, "int16", 2),
    (DataType::Int32, "int32", 4),
    (DataType::Int64, "int64", 8),
    (DataType::Float16, "float16", 2),
    (DataType::Float32, "float32", 4),
    (DataType::Float64, "float64", 8),
    (DataType::ComplexInt16, "complex_int16", 4),
    (DataType::ComplexInt32, "complex_int32", 8),
    (DataType::Complex64, "complex64", 8),
    (DataType::Complex128, "complex128", 16),
];

impl DataType {
    /// The types of decoded samples, real ones first.
    #[cfg(test)]
    pub(crate) const DECODED: [Self; 13] = [
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float16,
        Self::Float32,
        Self::Float64,
        Self::Complex64,
        Self::Complex128,
    ];

    fn row(self) -> (&'static str, usize) {
        NAMES.iter().find(|row| row.0 == self).map_or(("", 0), |row| (row.1, row.2))
    }

    /// Name in numpy.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Size of a decoded sample in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        self.row().1
    }

    /// Whether a sample has a real and an imaginary part.
    #[must_use]
    pub fn is_complex(self) -> bool {
        matches!(self, Self::ComplexInt16 | Self::ComplexInt32 | Self::Complex64 | Self::Complex128)
    }

    /// Whether a sample is a real floating-point number.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DataType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        NAMES.iter().find(|row| row.1 == name).map(|row| row.0).ok_or_else(|| Error::InvalidArgument {
            what: format!("expected the numpy name of a sample type, such as 'uint16' or 'float32', found '{name}'"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DataType, NAMES};

    #[test]
    fn every_type_has_a_row() {
        for (data_type, name, size) in NAMES {
            assert_eq!(name.parse(), Ok(data_type));
            assert_eq!((data_type.name(), data_type.size()), (name, size));
        }
        assert!("u16".parse::<DataType>().is_err());
    }
}
