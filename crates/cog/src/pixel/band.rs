//! One band of one level, and the tiles that its blocks consist of.
//!
//! | part | location |
//! |---|---|
//! | data | the tile of the block: of the band's plane in planar files, else of all bands |
//! | alpha: the first extra sample (ExtraSamples 1 or 2) | chunky: the same tile; planar: the tile of the alpha plane |
//! | NODATA_VALUES, which depend on all bands | chunky: the same tile; planar: the tiles of all planes |
//! | mask of the level's size | the tiles of the mask's own grid that intersect the block |
//!
//! Metadata narrowed to one band of a planar file lacks the tiles of other planes. If those are needed, it is rejected,
//! since invalid pixels would appear valid.
//!
//! A mask has one band, or one per band of the image. Sparse tiles of a mask are 0, so invalid. Sparse tiles of data
//! are nodata, or 0 without nodata; as in GDAL, if the type cannot represent nodata, they have the nearest value and
//! are valid.

use std::ops::Range;
use std::sync::Arc;

use crate::codec::{self, BlockShape, DecodedTile};
use crate::geo::GeoTransform;
use crate::grid::{TileGrid, Tiling, Window};
use crate::header::{CogHeader, Level};
use crate::tiff::{DataType, Encoding};
use crate::{Error, FilePosition, Result};

use super::block::Block;
use super::nodata::{Bounds, Fill, Nodata, NodataRule};
use super::plane::Plane;

/// One band of one level of a file; decodes tiles and assembles blocks.
#[derive(Debug, Clone)]
pub struct Band {
    header: Arc<CogHeader>,
    level: u32,
    index: u16,
    masked: bool,
    tiling: Tiling,
    transform: GeoTransform,
    data_type: DataType,
    data: Layer,
    nodata: NodataRule,
    /// The layers of [`NodataRule::bands`].
    others: Vec<(Layer, Bounds)>,
    alpha: Option<Layer>,
    /// Planes of `others` and `alpha` that are not the plane of the data.
    planes: Vec<u64>,
    mask: Option<Mask>,
}

/// Location of a band among the samples of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layer {
    /// Plane in the tile tables.
    plane: u64,
    /// Index of the sample in a pixel.
    sample: u16,
}

/// The mask of a level.
#[derive(Debug, Clone, Copy)]
struct Mask {
    /// Index among the masks.
    index: u32,
    tiling: Tiling,
    layer: Layer,
}

/// A tiled image of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Image {
    /// A level; 0 is the full resolution.
    Level(u32),
    /// A mask, by its index in [`CogHeader::masks`].
    Mask(u32),
}

/// An encoded tile that a block depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileSource {
    /// The image that contains the tile.
    pub image: Image,
    /// Position in the image's tile tables.
    pub position: u64,
    /// Byte range in the file, ending at [`OPEN_END`](crate::OPEN_END) if it extends to the end of the file; None for a
    /// sparse tile, which needs no decoding.
    pub range: Option<Range<u64>>,
}

impl Band {
    /// Opens a band (counted from 0) of a level (0 is the full resolution). With `masked`, the internal mask and the
    /// alpha band invalidate pixels.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no such level or band, or if narrowed metadata lacks a needed plane;
    /// [`Error::Malformed`] if the tables do not match the sizes; [`Error::Unsupported`] for sample types without a
    /// decoder.
    pub fn new(header: Arc<CogHeader>, level: u32, band_index: u32, masked: bool) -> Result<Self> {
        let grid = header.grid(level)?;
        header.check_band(band_index)?;
        let (tiling, transform) = (grid.tiling(), grid.transform());
        let image = level_of(&header, Image::Level(level))?;
        let index = u16::try_from(band_index).unwrap_or(u16::MAX);
        let data = Layer::of(&image.encoding, grid.planes(), index, header.band_index).ok_or_else(|| {
            malformed(format!(
                "level {level}: expected tiles of band {index} among those of {} planes, found {} samples per pixel",
                grid.planes(),
                image.encoding.samples_per_pixel
            ))
        })?;
        let data_type = codec::data_type(&image.encoding, shape(image, 0), first_sample(image, data, index))?;
        let layer = |band: u16| Layer::of(&image.encoding, grid.planes(), band, header.band_index);
        let nodata = NodataRule::of(&header, &image.encoding, index, data_type);
        let others =
            nodata.bands.iter().map(|(band, bounds)| Some((layer(*band)?, *bounds))).collect::<Option<Vec<_>>>();
        let others = others.ok_or_else(|| Error::InvalidArgument {
            what: format!(
                "expected metadata of all bands, since NODATA_VALUES depend on all of them and each has its own plane, found \
                 metadata narrowed to band {index}; that of cog_metadata(), or NULL, includes all bands"
            ),
        })?;
        let alpha = match if masked { alpha_band(&header, image).filter(|alpha| *alpha != index) } else { None } {
            None => None,
            Some(alpha) => Some(layer(alpha).ok_or_else(|| Error::InvalidArgument {
                what: format!(
                    "masked: expected metadata of all bands, since band {alpha}, the alpha band, has its own plane, found \
                     metadata narrowed to band {index}; masked := false reads without it"
                ),
            })?),
        };
        let layers = alpha.iter().chain(others.iter().map(|(layer, _)| layer));
        let mut planes: Vec<u64> = layers.map(|layer| layer.plane).filter(|plane| *plane != data.plane).collect();
        planes.sort_unstable();
        planes.dedup();
        let mask = if masked { Mask::of(&header, image, index)? } else { None };
        Ok(Self {
            level,
            index,
            masked,
            tiling,
            transform,
            data_type,
            data,
            nodata,
            others,
            alpha,
            planes,
            mask,
            header,
        })
    }

    /// Size of the level and of its tiles.
    #[must_use]
    pub fn tiling(&self) -> Tiling {
        self.tiling
    }

    /// Affine from pixel corners of the level to native coordinates.
    #[must_use]
    pub fn transform(&self) -> GeoTransform {
        self.transform
    }

    /// Type of the decoded samples.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The nodata value as stored in the file, even if the band's type cannot represent it.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.header.nodata
    }

    /// The nodata value that the band's own samples are compared with.
    pub(crate) fn sample_nodata(&self) -> Option<Nodata> {
        self.nodata.nodata
    }

    /// Fill value outside of a geometry: nodata, or 0 if no value of the band's type matches it.
    pub(super) fn outside(&self) -> Fill {
        self.nodata.outside
    }

    /// Header of the file.
    #[must_use]
    pub fn header(&self) -> &Arc<CogHeader> {
        &self.header
    }

    /// Index of the level; 0 is the full resolution.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Index of the band, counted from 0.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index.into()
    }

    /// Scale and offset of the band: a stored value `v` represents `v * scale + offset`. (1, 0) by default.
    #[must_use]
    pub fn scale_and_offset(&self) -> (f64, f64) {
        let of = |list: &Option<Vec<f64>>| list.as_ref().and_then(|list| list.get(usize::from(self.index)).copied());
        (of(&self.header.scale).unwrap_or(1.0), of(&self.header.offset).unwrap_or(0.0))
    }

    /// Maximum memory for decoding one tile: its samples and the working memory of the codec.
    #[must_use]
    pub fn tile_bytes(&self) -> u64 {
        let of_image = |image: Image| {
            let level = level_of(&self.header, image).ok()?;
            Some(codec::decoding_bytes(&level.encoding, shape(level, 0)))
        };
        let mask = self.mask.and_then(|mask| of_image(Image::Mask(mask.index)));
        of_image(Image::Level(self.level)).into_iter().chain(mask).max().unwrap_or(0)
    }

    /// Checks that samples are real numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for complex samples.
    pub fn check_real(&self) -> Result<()> {
        if self.data_type.is_complex() {
            let what =
                format!("expected real samples, found {}: only cog_read supports complex samples", self.data_type);
            return Err(Error::Unsupported { at: NOWHERE, what });
        }
        Ok(())
    }

    /// The encoded tiles needed for the block at a row and column of the tile grid, that of the data first. Empty
    /// outside the grid.
    #[must_use]
    pub fn sources(&self, row: u32, col: u32) -> Vec<TileSource> {
        let Some(window) = Window::of_tile(&self.tiling, row, col) else {
            return Vec::new();
        };
        let mut sources = Vec::new();
        if let Ok(grid) = self.header.grid(self.level) {
            let image = Image::Level(self.level);
            sources.push(source(image, &grid, grid.position(self.data.plane, row, col)));
            sources.extend(self.planes.iter().map(|plane| source(image, &grid, grid.position(*plane, row, col))));
        }
        if let Some(mask) = self.mask
            && let Ok(grid) = self.header.mask_grid(mask.index)
        {
            let image = Image::Mask(mask.index);
            let tiles = window.tiles(&mask.tiling);
            sources.extend(tiles.map(|(row, col)| source(image, &grid, grid.position(mask.layer.plane, row, col))));
        }
        sources
    }

    /// The window of the block at a row and column of the tile grid; None outside the grid.
    #[must_use]
    pub fn window(&self, row: u32, col: u32) -> Option<Window> {
        Window::of_tile(&self.tiling, row, col)
    }

    /// Decodes one of the [`sources`](Self::sources).
    ///
    /// # Errors
    ///
    /// See [`crate::codec::decode`].
    pub fn decode(&self, source: &TileSource, bytes: &[u8]) -> Result<DecodedTile> {
        let (image, grid) = match source.image {
            Image::Level(level) => (level_of(&self.header, source.image)?, self.header.grid(level)?),
            Image::Mask(index) => (level_of(&self.header, source.image)?, self.header.mask_grid(index)?),
        };
        let Some(tile) = grid.tile(source.position) else {
            let what = format!("expected a tile of the image, found position {}", source.position);
            return Err(Error::InvalidArgument { what });
        };
        // A tile of a single plane starts with the sample of its band; others start with that of band 0.
        let first_sample = tile.band_index.and_then(|band| u16::try_from(band).ok()).unwrap_or(0);
        codec::decode(bytes, &image.encoding, self.header.byte_order, shape(image, tile.row), first_sample)
    }

    /// Assembles the block at a row and column of the tile grid. `decoded` contains the decoded
    /// [`sources`](Self::sources), in the same order, with None for sparse tiles.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the tiles are inconsistent.
    pub fn block(&self, row: u32, col: u32, decoded: &[Option<Arc<DecodedTile>>]) -> Result<Block> {
        let window = Window::of_tile(&self.tiling, row, col).ok_or_else(|| Error::InvalidArgument {
            what: format!("expected a tile of the image, found row {row} and column {col} of tiles"),
        })?;
        let mut decoded = decoded.iter();
        let mut next = || {
            decoded.next().ok_or_else(|| Error::InvalidArgument {
                what: format!("expected all tiles of the block at row {row} and column {col}, found fewer"),
            })
        };
        let tile = next()?.as_ref();
        let data = self.plane(tile, window, self.data)?;
        let planes = self.planes.iter().map(|plane| Ok((*plane, next()?.as_ref()))).collect::<Result<Vec<_>>>()?;
        let layer = |layer: Layer| {
            let found = planes.iter().find(|(plane, _)| *plane == layer.plane);
            self.plane(found.map_or(tile, |(_, tile)| *tile), window, layer)
        };
        let others = self.others.iter().map(|(of, bounds)| Ok((layer(*of)?, *bounds))).collect::<Result<Vec<_>>>()?;
        let mut masks = self.alpha.map(layer).transpose()?.into_iter().collect::<Vec<_>>();
        if tile.is_none() && self.data_type == DataType::Float16 && self.nodata.nodata.is_some() {
            // GDAL fills with a single-precision value, which is nodata; rounded to half precision, it may not match
            // nodata any more.
            masks.extend(Plane::filled(DataType::Uint8, Fill::Number(0.0), window));
        }
        if let Some(mask) = self.mask {
            for (row, col) in window.tiles(&mask.tiling) {
                let Some((whole, part)) = Window::of_tile(&mask.tiling, row, col)
                    .and_then(|whole| Some((whole, whole.intersection(&window)?)))
                else {
                    continue;
                };
                let origin = (whole.col_off, whole.row_off);
                masks.extend(match next()? {
                    Some(tile) => Some(Plane::new(Arc::clone(tile), origin, part, mask.layer.sample)?),
                    None => Plane::filled(DataType::Uint8, Fill::Number(0.0), part),
                });
            }
        }
        // For floats, LERC's invalid pixels are NaN, and nodata decides; integers have no such value.
        let uses_codec_validity = self.masked && !self.data_type.is_float() && !self.data_type.is_complex();
        let nodata = self.nodata.nodata;
        Ok(Block { window, data, nodata, others, masks, mask: None, uses_codec_validity, weights: None })
    }

    /// A layer of the level over a window that starts at the tile's origin.
    fn plane(&self, tile: Option<&Arc<DecodedTile>>, window: Window, layer: Layer) -> Result<Plane> {
        let plane = match tile {
            Some(tile) => Plane::new(Arc::clone(tile), (window.col_off, window.row_off), window, layer.sample)?,
            None => Plane::filled(self.data_type, self.nodata.sparse, window)
                .ok_or_else(|| malformed(format!("expected a supported sample type, found {}", self.data_type)))?,
        };
        match plane.samples().data_type() {
            // An alpha plane may have another type than the data.
            found if found != self.data_type && layer == self.data => {
                Err(malformed(format!("expected a decoded tile of type {}, found {found}", self.data_type)))
            }
            _ => Ok(plane),
        }
    }
}

impl Layer {
    /// Locates a band in an image with this number of planes; None if they do not contain it.
    fn of(encoding: &Encoding, planes: u64, band: u16, narrowed: Option<u32>) -> Option<Self> {
        let bands = encoding.samples_per_pixel;
        if band >= bands {
            return None;
        }
        if !encoding.is_planar() || bands == 1 {
            return (planes == 1).then_some(Self { plane: 0, sample: band });
        }
        if planes == u64::from(bands) {
            return Some(Self { plane: band.into(), sample: 0 });
        }
        (planes == 1 && narrowed == Some(band.into())).then_some(Self { plane: 0, sample: 0 })
    }
}

impl Mask {
    /// The first mask with the size of a level's image.
    fn of(header: &CogHeader, image: &Level, band: u16) -> Result<Option<Self>> {
        let size = (image.image_width, image.image_height);
        let found = (0_u32..).zip(&header.masks).find(|(_, mask)| (mask.image_width, mask.image_height) == size);
        let Some((index, mask)) = found else {
            return Ok(None);
        };
        let grid = header.mask_grid(index)?;
        let band = if mask.encoding.samples_per_pixel == 1 { 0 } else { band };
        let layer = Layer::of(&mask.encoding, grid.planes(), band, None).ok_or_else(|| {
            malformed(format!(
                "mask {index}: expected tiles of band {band} among those of {} planes, found {} samples per pixel",
                grid.planes(),
                mask.encoding.samples_per_pixel
            ))
        })?;
        Ok(Some(Self { index, tiling: grid.tiling(), layer }))
    }
}

/// Without a position, which the caller adds.
const NOWHERE: FilePosition = FilePosition { ifd: None, tag: None, byte: None };

fn malformed(what: String) -> Error {
    Error::Malformed { at: NOWHERE, what }
}

fn level_of(header: &CogHeader, image: Image) -> Result<&Level> {
    let level = match image {
        Image::Level(0) => Some(&header.image),
        Image::Level(level) => usize::try_from(level - 1).ok().and_then(|at| header.overviews.get(at)),
        Image::Mask(index) => usize::try_from(index).ok().and_then(|at| header.masks.get(at)),
    };
    level.ok_or_else(|| Error::InvalidArgument { what: format!("expected an image of the file, found {image:?}") })
}

/// The alpha band according to ExtraSamples. Extra samples are the last of a pixel; the first alpha sample counts.
fn alpha_band(header: &CogHeader, image: &Level) -> Option<u16> {
    let extra = header.extra_samples.as_deref()?;
    let at = extra.iter().position(|extra| extra.is_alpha())?;
    let bands = image.encoding.samples_per_pixel;
    let first = usize::from(bands).checked_sub(extra.len())?;
    u16::try_from(first + at).ok()
}

/// Size of a tile in a row of tiles. Tiles are always full, strips end at the bottom of the image.
fn shape(image: &Level, row: u32) -> BlockShape {
    let left = u64::from(image.image_height).saturating_sub(u64::from(row) * u64::from(image.tile_height));
    let height = match u32::try_from(left) {
        Ok(left) if !image.is_tiled => left.min(image.tile_height),
        _ => image.tile_height,
    };
    let samples_per_pixel = if image.encoding.is_planar() { 1 } else { image.encoding.samples_per_pixel };
    BlockShape { width: image.tile_width, height, samples_per_pixel }
}

/// The band of the first sample in the tiles of a band.
fn first_sample(image: &Level, layer: Layer, band: u16) -> u16 {
    if image.encoding.is_planar() { band } else { band - layer.sample }
}

fn source(image: Image, grid: &TileGrid<'_>, position: u64) -> TileSource {
    TileSource { image, position, range: grid.bytes(position) }
}
