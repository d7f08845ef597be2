//! Synthetic files whose tiles are generated on demand.
#![allow(clippy::cast_possible_truncation, reason = "tests choose numbers in range")]

mod band;
pub(crate) mod value;

use std::sync::Arc;

use super::{Band, Block, Image};
use crate::codec::{DecodedTile, Samples};
use crate::geo::GeoTransform;
use crate::tiff::{ByteOrder, DataType, PlanarConfiguration};
use crate::{CogHeader, Encoding, Level};

/// Results of GDAL and rasterio; see `scripts/pixel_cases.py`.
pub(crate) const CASES: &str = include_str!("cases.tsv");

/// A value for each band, column and row.
type Values = Box<dyn Fn(u16, u32, u32) -> f64>;

/// A file whose tiles contain given values.
pub(crate) struct File {
    pub(crate) header: CogHeader,
    values: Vec<(Image, Values)>,
}

/// A level of tiles or, with `tile_width` 0, strips; offsets are 1000, 1001, ...
pub(crate) fn level(size: (u32, u32), tile: (u32, u32), bands: u16, is_planar: bool, dtype: DataType) -> Level {
    let is_tiled = tile.0 != 0;
    let tile_width = if is_tiled { tile.0 } else { size.0 };
    let planes = if is_planar { bands } else { 1 };
    let tiles = u64::from(size.0.div_ceil(tile_width) * size.1.div_ceil(tile.1)) * u64::from(planes);
    Level {
        image_width: size.0,
        image_height: size.1,
        tile_width,
        tile_height: tile.1,
        is_tiled,
        tile_offsets: (0..tiles).map(|at| 1000 + at).collect(),
        tile_byte_counts: vec![1; usize::try_from(tiles).unwrap()],
        encoding: Encoding {
            planar_configuration: if is_planar { PlanarConfiguration::Planar } else { PlanarConfiguration::Chunky },
            ..Encoding::uncompressed(dtype, bands)
        },
    }
}

impl File {
    /// A file with one north-up image and pixels of 10 units.
    pub(crate) fn new(image: Level, values: impl Fn(u16, u32, u32) -> f64 + 'static) -> Self {
        let header = CogHeader {
            byte_order: ByteOrder::Little,
            image,
            overviews: Vec::new(),
            masks: Vec::new(),
            band_index: None,
            extra_samples: None,
            transform: Some(GeoTransform::from_array([10.0, 0.0, 500.0, 0.0, -10.0, 900.0])),
            pixel_scale: None,
            tiepoint: None,
            crs: None,
            nodata: None,
            nodata_text: None,
            nodata_values: None,
            scale: None,
            offset: None,
        };
        Self { header, values: vec![(Image::Level(0), Box::new(values))] }
    }

    pub(crate) fn with_mask(mut self, mask: Level, values: impl Fn(u16, u32, u32) -> f64 + 'static) -> Self {
        let at = u32::try_from(self.header.masks.len()).unwrap();
        self.header.masks.push(mask);
        self.values.push((Image::Mask(at), Box::new(values)));
        self
    }

    pub(crate) fn with_overview(mut self, overview: Level, values: impl Fn(u16, u32, u32) -> f64 + 'static) -> Self {
        self.header.overviews.push(overview);
        let at = u32::try_from(self.header.overviews.len()).unwrap();
        self.values.push((Image::Level(at), Box::new(values)));
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut CogHeader)) -> Self {
        change(&mut self.header);
        self
    }

    pub(crate) fn band(&self, level: u32, band: u32, masked: bool) -> Band {
        Band::new(Arc::new(self.header.clone()), level, band, masked).unwrap()
    }

    /// The tiles of a block. Their padding is 1, which is neither nodata nor masked.
    pub(crate) fn decoded(&self, band: &Band, row: u32, col: u32) -> Vec<Option<Arc<DecodedTile>>> {
        let sources = band.sources(row, col);
        let tile = |source: &super::TileSource| {
            source.range.as_ref()?;
            let level = match source.image {
                Image::Level(0) => &self.header.image,
                Image::Level(at) => &self.header.overviews[at as usize - 1],
                Image::Mask(at) => &self.header.masks[at as usize],
            };
            let values = &self.values.iter().find(|(image, _)| *image == source.image).unwrap().1;
            let (across, down) =
                (level.image_width.div_ceil(level.tile_width), level.image_height.div_ceil(level.tile_height));
            let position = u32::try_from(source.position).unwrap();
            let (plane, index) = (position / (across * down), position % (across * down));
            let (row, col) = (index / across, index % across);
            let is_planar = level.encoding.is_planar();
            let bands = if is_planar { 1 } else { level.encoding.samples_per_pixel };
            let first = match self.header.band_index {
                Some(band) if is_planar && !matches!(source.image, Image::Mask(_)) => u16::try_from(band).unwrap(),
                _ => u16::try_from(plane).unwrap(),
            };
            let height = match level.is_tiled {
                true => level.tile_height,
                false => level.tile_height.min(level.image_height - row * level.tile_height),
            };
            let mut numbers = Vec::new();
            for y in row * level.tile_height..row * level.tile_height + height {
                for x in col * level.tile_width..(col + 1) * level.tile_width {
                    let is_inside = x < level.image_width && y < level.image_height;
                    numbers.extend((0..bands).map(|band| if is_inside { values(first + band, x, y) } else { 1.0 }));
                }
            }
            let samples = samples(level.encoding.dtype, &numbers);
            let valid = None;
            Some(Arc::new(DecodedTile { width: level.tile_width, height, samples_per_pixel: bands, samples, valid }))
        };
        sources.iter().map(tile).collect()
    }

    pub(crate) fn block(&self, band: &Band, row: u32, col: u32) -> Block {
        band.block(row, col, &self.decoded(band, row, col)).unwrap()
    }

    /// All blocks of a band, in reverse order, because consumers must not depend on the order.
    pub(crate) fn blocks(&self, band: &Band) -> Vec<Block> {
        let tiling = band.tiling();
        let (across, down) =
            (tiling.image_width.div_ceil(tiling.tile_width), tiling.image_height.div_ceil(tiling.tile_height));
        let tiles = (0..down).rev().flat_map(|row| (0..across).rev().map(move |col| (row, col)));
        tiles.map(|(row, col)| self.block(band, row, col)).collect()
    }
}

/// Numbers as samples of a type. For complex types, the imaginary part is larger by 0.5.
pub(crate) fn samples(dtype: DataType, numbers: &[f64]) -> Samples {
    match dtype {
        DataType::Uint8 => Samples::Uint8(numbers.iter().map(|number| *number as u8).collect()),
        DataType::Uint16 => Samples::Uint16(numbers.iter().map(|number| *number as u16).collect()),
        DataType::Uint32 => Samples::Uint32(numbers.iter().map(|number| *number as u32).collect()),
        DataType::Uint64 => Samples::Uint64(numbers.iter().map(|number| *number as u64).collect()),
        DataType::Int8 => Samples::Int8(numbers.iter().map(|number| *number as i8).collect()),
        DataType::Int16 => Samples::Int16(numbers.iter().map(|number| *number as i16).collect()),
        DataType::Int32 => Samples::Int32(numbers.iter().map(|number| *number as i32).collect()),
        DataType::Int64 => Samples::Int64(numbers.iter().map(|number| *number as i64).collect()),
        DataType::Float16 => {
            Samples::Float16(numbers.iter().map(|number| half::f16::from_f64(*number).to_bits()).collect())
        }
        DataType::Float32 => Samples::Float32(numbers.iter().map(|number| *number as f32).collect()),
        DataType::Float64 => Samples::Float64(numbers.to_vec()),
        DataType::Complex64 => {
            Samples::Complex64(numbers.iter().map(|number| [*number as f32, *number as f32 + 0.5]).collect())
        }
        DataType::Complex128 => Samples::Complex128(numbers.iter().map(|number| [*number, *number + 0.5]).collect()),
        DataType::ComplexInt16 | DataType::ComplexInt32 => unreachable!("not decoded"),
    }
}
