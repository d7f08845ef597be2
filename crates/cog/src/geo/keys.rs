//! The GeoKey directory (OGC GeoTIFF 1.1, section 7.1.2): keys whose values are stored in three tags.
//!
//! ```text
//! GeoKeyDirectoryTag  u16  1  revision  minor  number of keys
//!                     u16  key  0      1      value                 the value itself
//!                     u16  key  34735  count  index                 in this array
//!                     u16  key  34736  count  index                 in GeoDoubleParamsTag
//!                     u16  key  34737  count  index                 in GeoAsciiParamsTag, each text ended by |
//! ```

use std::borrow::Cow;

use crate::tiff::Tag;

/// GeoKey numbers (GeoTIFF 1.1, Annex B), which are separate from TIFF tag codes.
pub(crate) mod key {
    pub(crate) const MODEL_TYPE: u16 = 1024;
    pub(crate) const RASTER_TYPE: u16 = 1025;
    pub(crate) const CITATION: u16 = 1026;
    pub(crate) const GEODETIC_CRS: u16 = 2048;
    pub(crate) const GEODETIC_CITATION: u16 = 2049;
    pub(crate) const GEODETIC_DATUM: u16 = 2050;
    pub(crate) const PRIME_MERIDIAN: u16 = 2051;
    pub(crate) const GEOG_LINEAR_UNITS: u16 = 2052;
    pub(crate) const ANGULAR_UNITS: u16 = 2054;
    pub(crate) const ANGULAR_UNIT_SIZE: u16 = 2055;
    pub(crate) const ELLIPSOID: u16 = 2056;
    pub(crate) const SEMI_MAJOR_AXIS: u16 = 2057;
    pub(crate) const SEMI_MINOR_AXIS: u16 = 2058;
    pub(crate) const INVERSE_FLATTENING: u16 = 2059;
    pub(crate) const PRIME_MERIDIAN_LONGITUDE: u16 = 2061;
    pub(crate) const TO_WGS84: u16 = 2062;
    pub(crate) const PROJECTED_CRS: u16 = 3072;
    pub(crate) const PROJECTED_CITATION: u16 = 3073;
    pub(crate) const PROJECTION: u16 = 3074;
    pub(crate) const PROJECTION_METHOD: u16 = 3075;
    pub(crate) const LINEAR_UNITS: u16 = 3076;
    pub(crate) const LINEAR_UNIT_SIZE: u16 = 3077;
    pub(crate) const STANDARD_PARALLEL_1: u16 = 3078;
    pub(crate) const STANDARD_PARALLEL_2: u16 = 3079;
    pub(crate) const NATURAL_ORIGIN_LONGITUDE: u16 = 3080;
    pub(crate) const NATURAL_ORIGIN_LATITUDE: u16 = 3081;
    pub(crate) const FALSE_EASTING: u16 = 3082;
    pub(crate) const FALSE_NORTHING: u16 = 3083;
    pub(crate) const FALSE_ORIGIN_LONGITUDE: u16 = 3084;
    pub(crate) const FALSE_ORIGIN_LATITUDE: u16 = 3085;
    pub(crate) const FALSE_ORIGIN_EASTING: u16 = 3086;
    pub(crate) const FALSE_ORIGIN_NORTHING: u16 = 3087;
    pub(crate) const CENTER_LONGITUDE: u16 = 3088;
    pub(crate) const CENTER_LATITUDE: u16 = 3089;
    pub(crate) const CENTER_EASTING: u16 = 3090;
    pub(crate) const CENTER_NORTHING: u16 = 3091;
    pub(crate) const SCALE_AT_NATURAL_ORIGIN: u16 = 3092;
    pub(crate) const SCALE_AT_CENTER: u16 = 3093;
    pub(crate) const AZIMUTH: u16 = 3094;
    pub(crate) const STRAIGHT_VERTICAL_LONGITUDE: u16 = 3095;
    pub(crate) const RECTIFIED_GRID_ANGLE: u16 = 3096;
}

/// Value for user-defined, i.e. defined by other keys (GeoTIFF 1.1, section 7.3.2).
pub(crate) const USER_DEFINED: u16 = 32767;

/// The GeoKeys of a file.
#[derive(Debug, Default)]
pub(crate) struct GeoKeys {
    directory: Vec<u16>,
    doubles: Vec<f64>,
    ascii: Vec<u8>,
}

impl GeoKeys {
    /// Parses the values of the three tags. A truncated directory keeps its complete keys.
    pub(crate) fn new(directory: Vec<u16>, doubles: Vec<f64>, ascii: Vec<u8>) -> Self {
        Self { directory, doubles, ascii }
    }

    /// Whether there are no keys.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    fn entries(&self) -> impl Iterator<Item = [u16; 4]> + '_ {
        let (rows, _) = self.directory.as_chunks::<4>();
        // Only version 1 exists; libgeotiff rejects others.
        let count = match rows.first() {
            Some([1, _, _, count]) => usize::from(*count),
            _ => 0,
        };
        rows.iter().skip(1).take(count).copied()
    }

    fn find(&self, key: u16) -> Option<[u16; 4]> {
        self.entries().find(|entry| entry[0] == key)
    }

    /// Whether a key is present, of any type.
    pub(crate) fn has(&self, key: u16) -> bool {
        self.find(key).is_some()
    }

    /// Value of a SHORT key.
    pub(crate) fn short(&self, key: u16) -> Option<u16> {
        let [_, location, _, value] = self.find(key)?;
        match Tag(location) {
            Tag(0) => Some(value),
            Tag::GEO_KEY_DIRECTORY => self.directory.get(usize::from(value)).copied(),
            _ => None,
        }
    }

    /// All values of a DOUBLE key.
    pub(crate) fn doubles(&self, key: u16) -> Option<&[f64]> {
        let [_, location, count, value] = self.find(key)?;
        let start = usize::from(value);
        match Tag(location) {
            Tag::GEO_DOUBLE_PARAMS => self.doubles.get(start..start + usize::from(count)),
            _ => None,
        }
    }

    /// The first finite value of a DOUBLE key.
    pub(crate) fn double(&self, key: u16) -> Option<f64> {
        self.doubles(key)?.first().copied().filter(|number| number.is_finite())
    }

    /// Value of an ASCII key, without the terminating `|` or NUL.
    pub(crate) fn text(&self, key: u16) -> Option<Cow<'_, str>> {
        let [_, location, count, value] = self.find(key)?;
        if Tag(location) != Tag::GEO_ASCII_PARAMS {
            return None;
        }
        let start = usize::from(value).min(self.ascii.len());
        let end = (start + usize::from(count)).min(self.ascii.len());
        let mut text = &self.ascii[start..end];
        while let [rest @ .., b'|' | 0] = text {
            text = rest;
        }
        Some(String::from_utf8_lossy(text))
    }
}

#[cfg(test)]
mod tests {
    use super::GeoKeys;

    #[test]
    fn values_come_from_four_places() {
        let directory = vec![
            1, 1, 0, 5, 1024, 0, 1, 2, 1026, 34737, 4, 1, 2057, 34736, 1, 1, 2062, 34736, 3, 0, 3000, 34735, 1, 7,
            9999, 0, 1, 1,
        ];
        let keys = GeoKeys::new(directory, vec![1.0, 2.0, f64::NAN], b"xabc|".to_vec());
        assert_eq!(keys.short(1024), Some(2));
        assert_eq!(keys.text(1026).unwrap(), "abc");
        assert_eq!(keys.double(2057), Some(2.0));
        assert_eq!(keys.doubles(2062).map(<[f64]>::len), Some(3));
        assert_eq!(keys.short(3000), Some(2));
        assert!(!keys.has(9999), "beyond the count of keys");
    }

    #[test]
    fn indices_past_the_end_are_none() {
        let directory = vec![1, 1, 0, 9, 2057, 34736, 2, 65535, 1026, 34737, 65535, 65535, 1, 34735, 1, 99];
        let keys = GeoKeys::new(directory, vec![1.0], Vec::new());
        assert_eq!(keys.double(2057), None);
        assert_eq!(keys.text(1026).unwrap(), "");
        assert_eq!(keys.short(1), None);
        assert!(GeoKeys::new(vec![2, 0, 0, 1, 1024, 0, 1, 1], vec![], vec![]).is_empty());
    }
}
