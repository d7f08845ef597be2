//! What a reader must know of a file: the contract between the decoder, the index and everything that reads pixels.
//!
//! ```text
//! CogHeader ── image: Level 0 ──── Encoding        full resolution
//!           ├─ overviews: [Level] ─ Encoding each  reduced resolution, largest first
//!           └─ masks: [Level] ───── Encoding each  transparency masks, largest first; one belongs to the level of its size
//! ```

use bytes::Bytes;

use crate::Result;
use crate::geo::{BBox, Crs, GeoTransform};
use crate::tiff::{ByteOrder, Compression, DataType};

/// A whole file's header: everything a read needs, so that it never opens the file again.
#[derive(Debug, Clone, PartialEq)]
pub struct CogHeader {
    /// Byte order of the file, and so of its samples.
    pub byte_order: ByteOrder,
    /// Level 0: the full-resolution image.
    pub image: Level,
    /// Reduced-resolution images of the main IFD chain (NewSubfileType bit 0), largest first.
    pub overviews: Vec<Level>,
    /// Transparency masks of the main IFD chain (NewSubfileType bit 2), largest first. A mask belongs to the level whose
    /// image has its width and height.
    pub masks: Vec<Level>,
    /// The band that this header was narrowed to, counted from 0; see [`CogHeader::for_band`].
    pub band_index: Option<u32>,
    /// ExtraSamples (338): None when absent.
    pub extra_samples: Option<Vec<u16>>,
    /// Pixel corners to world coordinates, None without georeferencing.
    pub transform: Option<GeoTransform>,
    /// ModelPixelScaleTag (33550) as stored.
    pub pixel_scale: Option<Vec<f64>>,
    /// ModelTiepointTag (33922) as stored.
    pub tiepoint: Option<Vec<f64>>,
    /// Coordinate reference system of the world coordinates.
    pub crs: Option<Crs>,
    /// GDAL_NODATA (42113), else NODATA_VALUE(S) of GDAL_METADATA (42112).
    pub nodata: Option<f64>,
    /// GDAL_NODATA as text, which is exact where `nodata` is an integer beyond 2^53; None when absent. Only counts where it is
    /// the same number as `nodata`.
    pub nodata_text: Option<String>,
    /// NODATA_VALUES of GDAL_METADATA, one of each band: pixels are invalid where all bands have theirs, whatever `nodata` is.
    /// None when absent, or of another length.
    pub nodata_values: Option<Vec<f64>>,
    /// Scale of each band from GDAL_METADATA, None when no band has one.
    pub scale: Option<Vec<f64>>,
    /// Offset of each band from GDAL_METADATA, None when no band has one.
    pub offset: Option<Vec<f64>>,
}

/// One image of a file: its size, how it is cut into tiles, where they are, and how they are encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Columns.
    pub image_width: u32,
    /// Rows.
    pub image_height: u32,
    /// Columns of a tile; a strip is a tile as wide as the image.
    pub tile_width: u32,
    /// Rows of a tile, or RowsPerStrip (at most `image_height`).
    pub tile_height: u32,
    /// Whether the file has tiles (true) or strips.
    pub is_tiled: bool,
    /// Byte offset of each tile, row-major, plane after plane where planar; 0 for a sparse tile. At most `i64::MAX` each.
    pub tile_offsets: Vec<u64>,
    /// Byte count of each tile, in the order of `tile_offsets`; 0 for a sparse tile. At most `i32::MAX` each.
    pub tile_byte_counts: Vec<u32>,
    /// How samples are laid out and encoded.
    pub encoding: Encoding,
}

/// How the samples of one image are laid out and encoded: all that a codec needs besides the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Compression (259), with LERC's second codec resolved from LercParameters.
    pub compression: Compression,
    /// Predictor (317): 1 none, 2 horizontal differencing, 3 floating point. 1 when absent.
    pub predictor: u16,
    /// PlanarConfiguration (284): 1 chunky, 2 planar. 1 when absent.
    pub planar_configuration: u16,
    /// PhotometricInterpretation (262), None when absent.
    pub photometric: Option<u16>,
    /// SamplesPerPixel (277), at least 1.
    pub samples_per_pixel: u16,
    /// BitsPerSample (258), one per sample.
    pub bits_per_sample: Vec<u16>,
    /// SampleFormat (339), one per sample: 1 unsigned, 2 signed, 3 floating point, 5 complex integer, 6 complex floating point.
    pub sample_format: Vec<u16>,
    /// numpy's name of the type that decoded samples have, of the first (or the narrowed-to) band.
    pub dtype: DataType,
    /// FillOrder (266): 1 most significant bit first, 2 least. 1 when absent.
    pub fill_order: u16,
    /// JPEGTables (347).
    pub jpeg_tables: Option<Bytes>,
    /// YCbCrSubSampling (530), horizontal and vertical.
    pub ycbcr_subsampling: Option<[u16; 2]>,
    /// LercParameters (50674): version, then the additional compression.
    pub lerc_parameters: Option<Vec<u32>>,
    /// T4Options (292).
    pub t4_options: Option<u32>,
}

impl CogHeader {
    /// The header narrowed to one band, counted from 0.
    ///
    /// Planar files keep only that plane's tiles in the image and the overviews; chunky ones keep their tiles, which hold
    /// all bands. Masks stay whole. `dtype` becomes the band's.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the file has no such band.
    pub fn for_band(&self, band: u32) -> Result<Self> {
        self.check_band(band)?;
        if self.band_index == Some(band) {
            return Ok(self.clone());
        }
        let index = usize::try_from(band).unwrap_or(usize::MAX);
        Ok(Self {
            image: self.image.for_band(index),
            overviews: self.overviews.iter().map(|level| level.for_band(index)).collect(),
            masks: self.masks.clone(),
            band_index: Some(band),
            extra_samples: self.extra_samples.clone(),
            pixel_scale: self.pixel_scale.clone(),
            tiepoint: self.tiepoint.clone(),
            crs: self.crs.clone(),
            nodata_text: self.nodata_text.clone(),
            nodata_values: self.nodata_values.clone(),
            scale: self.scale.clone(),
            offset: self.offset.clone(),
            ..*self
        })
    }

    /// World box of the image, in its CRS; None without georeferencing.
    #[must_use]
    pub fn bounds(&self) -> Option<BBox> {
        self.transform.map(|transform| transform.bounds(self.image.image_width, self.image.image_height))
    }
}

impl Level {
    /// The level with the tiles of one band's plane, if planar, and that band's type.
    fn for_band(&self, band: usize) -> Self {
        let mut encoding = self.encoding.clone();
        if let Some(data_type) = encoding.data_type_of(band) {
            encoding.dtype = data_type;
        }
        let (tile_offsets, tile_byte_counts) = match encoding.planar_configuration {
            2 => (
                plane(&self.tile_offsets, band, encoding.samples_per_pixel),
                plane(&self.tile_byte_counts, band, encoding.samples_per_pixel),
            ),
            _ => (self.tile_offsets.clone(), self.tile_byte_counts.clone()),
        };
        Self { tile_offsets, tile_byte_counts, encoding, ..*self }
    }
}

/// The part of a planar file's table that belongs to one band.
fn plane<T: Copy>(table: &[T], band: usize, bands: u16) -> Vec<T> {
    let tiles = table.len() / usize::from(bands.max(1));
    table.get(band * tiles..(band + 1) * tiles).unwrap_or_default().to_vec()
}
