//! Compression schemes, with GDAL's names in lower case.
//!
//! | code | name | source |
//! |---|---|---|
//! | 1, 5, 32773 | `none`, `lzw`, `packbits` | TIFF 6.0 sections 3, 13, 9 |
//! | 2, 3, 4 | `ccittrle`, `ccittfax3`, `ccittfax4` | TIFF 6.0 sections 10, 11 |
//! | 7 | `jpeg` | TIFF Technical Note 2 |
//! | 8, 32946 | `deflate` | Adobe Photoshop TIFF Technical Notes; 32946 is its older private code |
//! | 34712 | `jpeg2000` | Leadtools |
//! | 34887 | `lerc`, `lerc_deflate`, `lerc_zstd` | Esri; LercParameters (50674) names the second codec |
//! | 34925, 50000, 50001 | `lzma`, `zstd`, `webp` | libtiff |
//! | 50002, 52546 | `jxl` | GDAL; DNG 1.7 |
//!
//! Old-style JPEG (6) is `unknown(6)`: its streams are not self-contained, and are not supported.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Compression (259), with LERC's second codec resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// No compression.
    None,
    /// CCITT modified Huffman run-length encoding.
    CcittRle,
    /// CCITT T.4, group 3 fax.
    CcittFax3,
    /// CCITT T.6, group 4 fax.
    CcittFax4,
    /// LZW.
    Lzw,
    /// JPEG, one abbreviated or full stream per tile.
    Jpeg,
    /// zlib.
    Deflate,
    /// Byte-oriented run lengths.
    PackBits,
    /// JPEG 2000.
    Jpeg2000,
    /// LERC.
    Lerc,
    /// LERC, then zlib.
    LercDeflate,
    /// LERC, then Zstandard.
    LercZstd,
    /// LZMA2 in an xz container.
    Lzma,
    /// Zstandard.
    Zstd,
    /// WebP.
    Webp,
    /// JPEG XL.
    Jxl,
    /// Any other code.
    Unknown(u16),
}

/// TIFF code of all three LERC variants.
const LERC: u16 = 34887;

/// Names and codes. The code is the canonical one.
const NAMES: [(Compression, u16, &str); 16] = [
    (Compression::None, 1, "none"),
    (Compression::CcittRle, 2, "ccittrle"),
    (Compression::CcittFax3, 3, "ccittfax3"),
    (Compression::CcittFax4, 4, "ccittfax4"),
    (Compression::Lzw, 5, "lzw"),
    (Compression::Jpeg, 7, "jpeg"),
    (Compression::Deflate, 8, "deflate"),
    (Compression::PackBits, 32773, "packbits"),
    (Compression::Jpeg2000, 34712, "jpeg2000"),
    (Compression::Lerc, LERC, "lerc"),
    (Compression::LercDeflate, LERC, "lerc_deflate"),
    (Compression::LercZstd, LERC, "lerc_zstd"),
    (Compression::Lzma, 34925, "lzma"),
    (Compression::Zstd, 50000, "zstd"),
    (Compression::Webp, 50001, "webp"),
    (Compression::Jxl, 50002, "jxl"),
];

impl Compression {
    /// Returns the scheme of a TIFF code; LERC without its second codec.
    #[must_use]
    pub fn from_code(code: u16) -> Self {
        match code {
            32946 => Self::Deflate,
            52546 => Self::Jxl,
            _ => NAMES.iter().find(|row| row.1 == code).map_or(Self::Unknown(code), |row| row.0),
        }
    }

    /// The TIFF code: 34887 for all LERC variants, and the first in the table above for schemes with two codes.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Unknown(code) => code,
            known => NAMES.iter().find(|row| row.0 == known).map_or(0, |row| row.1),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|row| row.0 == *self) {
            Some(row) => f.write_str(row.2),
            None => write!(f, "unknown({})", self.code()),
        }
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if let Some(row) = NAMES.iter().find(|row| row.2 == name) {
            return Ok(row.0);
        }
        name.strip_prefix("unknown(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|code| code.parse().ok())
            .map(Self::from_code)
            .ok_or_else(|| Error::InvalidArgument {
                what: format!("expected the name of a compression, such as 'deflate' or 'unknown(6)', found '{name}'"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Compression;

    #[test]
    fn names_and_codes_round_trip() {
        for code in 0..=u16::MAX {
            let compression = Compression::from_code(code);
            assert_eq!(compression.to_string().parse(), Ok(compression));
            if ![32946, 52546].contains(&code) {
                assert_eq!(compression.code(), code);
            }
        }
        for name in ["lerc_deflate", "lerc_zstd"] {
            let compression: Compression = name.parse().unwrap();
            assert_eq!((compression.to_string().as_str(), compression.code()), (name, 34887));
        }
    }

    #[test]
    fn old_style_jpeg_is_unknown() {
        assert_eq!(Compression::from_code(6).to_string(), "unknown(6)");
    }

    #[test]
    fn other_names_are_rejected() {
        for name in ["", "LZW", "unknown", "unknown()", "unknown(65536)", "unknown(6"] {
            assert!(name.parse::<Compression>().is_err(), "{name}");
        }
    }
}
