//! Types of IFD entries (TIFF 6.0, section 2, "Types"; BigTIFF design page for 16 to 18).

use std::fmt;

/// Type code of an IFD entry. Undefined codes are preserved: TIFF 6.0 requires readers to skip such fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldType(u16);

impl FieldType {
    /// Unsigned 8-bit integer.
    pub const BYTE: Self = Self(1);
    /// 7-bit text, NUL-terminated.
    pub const ASCII: Self = Self(2);
    /// Unsigned 16-bit integer.
    pub const SHORT: Self = Self(3);
    /// Unsigned 32-bit integer.
    pub const LONG: Self = Self(4);
    /// Two LONGs: numerator, denominator.
    pub const RATIONAL: Self = Self(5);
    /// Signed 8-bit integer.
    pub const SBYTE: Self = Self(6);
    /// Bytes with a meaning defined by the tag.
    pub const UNDEFINED: Self = Self(7);
    /// Signed 16-bit integer.
    pub const SSHORT: Self = Self(8);
    /// Signed 32-bit integer.
    pub const SLONG: Self = Self(9);
    /// Two SLONGs: numerator, denominator.
    pub const SRATIONAL: Self = Self(10);
    /// IEEE 754 binary32.
    pub const FLOAT: Self = Self(11);
    /// IEEE 754 binary64.
    pub const DOUBLE: Self = Self(12);
    /// LONG that is the offset of an IFD (TIFF Technical Note 1).
    pub const IFD: Self = Self(13);
    /// Unsigned 64-bit integer (BigTIFF).
    pub const LONG8: Self = Self(16);
    /// Signed 64-bit integer (BigTIFF).
    pub const SLONG8: Self = Self(17);
    /// LONG8 that is the offset of an IFD (BigTIFF).
    pub const IFD8: Self = Self(18);

    /// Returns the type of a code, known or not.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        Self(code)
    }

    /// The code as stored.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Size of a value in bytes; None for an undefined type.
    #[must_use]
    pub const fn size(self) -> Option<u8> {
        match self {
            Self::BYTE | Self::ASCII | Self::SBYTE | Self::UNDEFINED => Some(1),
            Self::SHORT | Self::SSHORT => Some(2),
            Self::LONG | Self::SLONG | Self::FLOAT | Self::IFD => Some(4),
            Self::RATIONAL | Self::SRATIONAL | Self::DOUBLE | Self::LONG8 | Self::SLONG8 | Self::IFD8 => Some(8),
            _ => None,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::BYTE => "BYTE",
            Self::ASCII => "ASCII",
            Self::SHORT => "SHORT",
            Self::LONG => "LONG",
            Self::RATIONAL => "RATIONAL",
            Self::SBYTE => "SBYTE",
            Self::UNDEFINED => "UNDEFINED",
            Self::SSHORT => "SSHORT",
            Self::SLONG => "SLONG",
            Self::SRATIONAL => "SRATIONAL",
            Self::FLOAT => "FLOAT",
            Self::DOUBLE => "DOUBLE",
            Self::IFD => "IFD",
            Self::LONG8 => "LONG8",
            Self::SLONG8 => "SLONG8",
            Self::IFD8 => "IFD8",
            Self(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}
