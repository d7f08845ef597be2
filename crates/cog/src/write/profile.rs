//! Properties of a raster that is written.

use crate::geo::GeoTransform;
use crate::pixel::Sample;
use crate::tiff::DataType;
use crate::{Error, Result};

/// Properties of a raster that is written, after rasterio's profile.
#[derive(Debug, Clone, PartialEq)]
pub struct CogProfile {
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// Bands, at least 1.
    pub bands: u16,
    /// Type of the samples.
    pub dtype: DataType,
    /// The transform of pixel corners; None without georeferencing.
    pub transform: Option<GeoTransform>,
    /// The CRS, as `EPSG:n`; None without one.
    pub crs: Option<String>,
    /// The value of invalid pixels.
    pub nodata: Option<f64>,
    /// Whether the file has an internal mask.
    pub has_mask: bool,
    /// Names of the bands; empty, or one per band.
    pub band_names: Vec<String>,
    /// Scale and offset of the bands; empty, or one per band.
    pub scaling: Vec<(f64, f64)>,
}

impl CogProfile {
    /// A raster without georeferencing, nodata, mask and descriptions.
    #[must_use]
    pub fn new(width: u32, height: u32, bands: u16, dtype: DataType) -> Self {
        Self {
            width,
            height,
            bands,
            dtype,
            transform: None,
            crs: None,
            nodata: None,
            has_mask: false,
            band_names: Vec::new(),
            scaling: Vec::new(),
        }
    }

    /// Bytes of a pixel: the samples of all bands.
    #[must_use]
    pub fn pixel_bytes(&self) -> usize {
        usize::from(self.bands) * self.dtype.size()
    }

    /// A sample of a pixel without a value, little-endian: nodata, else 0.
    #[must_use]
    pub fn fill(&self) -> Vec<u8> {
        let Some(nodata) = self.nodata else { return vec![0; self.dtype.size()] };
        fn bytes<T: Sample>(nodata: f64) -> Vec<u8> {
            let mut bytes = vec![0; size_of::<T>()];
            T::nearest(nodata).write(&mut bytes);
            bytes
        }
        match self.dtype {
            DataType::Uint8 => bytes::<u8>(nodata),
            DataType::Uint16 => bytes::<u16>(nodata),
            DataType::Uint32 => bytes::<u32>(nodata),
            DataType::Uint64 => bytes::<u64>(nodata),
            DataType::Int8 => bytes::<i8>(nodata),
            DataType::Int16 => bytes::<i16>(nodata),
            DataType::Int32 => bytes::<i32>(nodata),
            DataType::Int64 => bytes::<i64>(nodata),
            DataType::Float16 => half::f16::from_f64(nodata).to_le_bytes().to_vec(),
            DataType::Float32 => bytes::<f32>(nodata),
            DataType::Float64 => bytes::<f64>(nodata),
            DataType::Complex64 => bytes::<[f32; 2]>(nodata),
            DataType::Complex128 => bytes::<[f64; 2]>(nodata),
            // Refused by `check`.
            DataType::ComplexInt16 | DataType::ComplexInt32 => vec![0; self.dtype.size()],
        }
    }

    /// Checks sizes and descriptions.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] that names the property, with what was expected and found.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::InvalidArgument { what });
        let limit = u32::try_from(i32::MAX).unwrap_or(u32::MAX);
        if self.width == 0 || self.height == 0 || self.width > limit || self.height > limit || self.bands == 0 {
            let found = format!("{} x {} pixels of {} bands", self.width, self.height, self.bands);
            return invalid(format!("expected from 1 to {limit} columns and rows, and a band, found {found}"));
        }
        if matches!(self.dtype, DataType::ComplexInt16 | DataType::ComplexInt32) {
            return invalid(format!("samples of type {} cannot be written", self.dtype));
        }
        for (name, count) in [("band names", self.band_names.len()), ("scales and offsets", self.scaling.len())] {
            if count != 0 && count != usize::from(self.bands) {
                return invalid(format!("expected {name} of {} bands, found {count}", self.bands));
            }
        }
        if let Some(nodata) = self.nodata
            && !holds(self.dtype, nodata)
        {
            return invalid(format!("nodata {nodata} is no {} number", self.dtype));
        }
        Ok(())
    }
}

/// Whether samples of a type can have a value.
fn holds(dtype: DataType, number: f64) -> bool {
    // Bounds of 64-bit integers are those of the nearest double.
    let (low, high) = match dtype {
        DataType::Uint8 => (0.0, f64::from(u8::MAX)),
        DataType::Uint16 => (0.0, f64::from(u16::MAX)),
        DataType::Uint32 => (0.0, f64::from(u32::MAX)),
        DataType::Uint64 => (0.0, 18_446_744_073_709_551_615.0),
        DataType::Int8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
        DataType::Int16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
        DataType::Int32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        DataType::Int64 => (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_807.0),
        _ => return true,
    };
    number.fract() == 0.0 && (low..=high).contains(&number)
}
