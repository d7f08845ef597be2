//! The fields of the metadata STRUCT and its nested STRUCTs.

use std::borrow::Cow;

use rasteret_cog::geo::BBox;
use rasteret_cog::{Level, Tile};
use rasteret_io::CogFile;

use super::cell::{Cell, Field, Write, plain, struct_lists, structs};
use crate::vector::LogicalType;

/// The metadata STRUCT. The names, order and types of the first seventeen fields are fixed by the index format; all
/// later ones are optional for readers.
pub(crate) const METADATA: &[Field<CogFile>] = &[
    image(&IMAGE_WIDTH),
    image(&IMAGE_HEIGHT),
    image(&TILE_WIDTH),
    image(&TILE_HEIGHT),
    image(&DTYPE),
    TRANSFORM,
    image(&PREDICTOR),
    image(&COMPRESSION),
    image(&TILE_OFFSETS),
    image(&TILE_BYTE_COUNTS),
    PIXEL_SCALE,
    TIEPOINT,
    NODATA,
    image(&SAMPLES_PER_PIXEL),
    image(&PLANAR_CONFIGURATION),
    image(&PHOTOMETRIC),
    EXTRA_SAMPLES,
    field("band_index", plain!(Integer, |file| file.header.band_index.and_then(integer))),
    field("byte_order", Cell::Text(|file| Some(Cow::Owned(file.header.byte_order.to_string())))),
    image(&BITS_PER_SAMPLE),
    image(&SAMPLE_FORMAT),
    image(&IS_TILED),
    field("crs", Cell::Text(|file| Some(Cow::Owned(file.header.crs.as_ref()?.to_string())))),
    field("scale", Cell::Doubles(|file| file.header.scale.as_deref().map(Cow::Borrowed))),
    field("offset", Cell::Doubles(|file| file.header.offset.as_deref().map(Cow::Borrowed))),
    field("overviews", levels(|writer, rows| struct_lists(writer, rows, LEVEL, |file| &file.header.overviews))),
    field("masks", levels(|writer, rows| struct_lists(writer, rows, LEVEL, |file| &file.header.masks))),
    image(&FILL_ORDER),
    image(&JPEG_TABLES),
    image(&YCBCR_SUBSAMPLING),
    image(&LERC_PARAMETERS),
    image(&T4_OPTIONS),
    field("file_size", plain!(Bigint, |file| i64::try_from(file.version.size?).ok())),
    field("etag", Cell::Text(|file| file.version.etag.as_deref().map(Cow::Borrowed))),
    field("last_modified", plain!(Timestamp, |file| file.version.last_modified)),
    field("nodata_text", Cell::Text(|file| file.header.nodata_text.as_deref().map(Cow::Borrowed))),
    field("nodata_values", Cell::Doubles(|file| file.header.nodata_values.as_deref().map(Cow::Borrowed))),
];

/// The STRUCT as expected by Python Rasteret 0.4: its seventeen fields, with `compression` as the TIFF code.
pub(crate) const PYTHON_METADATA: &[Field<CogFile>] = &[
    image(&IMAGE_WIDTH),
    image(&IMAGE_HEIGHT),
    image(&TILE_WIDTH),
    image(&TILE_HEIGHT),
    image(&DTYPE),
    TRANSFORM,
    image(&PREDICTOR),
    field("compression", plain!(Integer, |file| Some(file.header.image.encoding.compression.code().into()))),
    image(&TILE_OFFSETS),
    image(&TILE_BYTE_COUNTS),
    PIXEL_SCALE,
    TIEPOINT,
    NODATA,
    image(&SAMPLES_PER_PIXEL),
    image(&PLANAR_CONFIGURATION),
    image(&PHOTOMETRIC),
    EXTRA_SAMPLES,
];

/// One image of a file: an element of `overviews` and `masks`.
pub(crate) const LEVEL: &[Field<Level>] = &[
    IMAGE_WIDTH,
    IMAGE_HEIGHT,
    TILE_WIDTH,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_BYTE_COUNTS,
    IS_TILED,
    DTYPE,
    COMPRESSION,
    PREDICTOR,
    PLANAR_CONFIGURATION,
    PHOTOMETRIC,
    SAMPLES_PER_PIXEL,
    BITS_PER_SAMPLE,
    SAMPLE_FORMAT,
    FILL_ORDER,
    JPEG_TABLES,
    YCBCR_SUBSAMPLING,
    LERC_PARAMETERS,
    T4_OPTIONS,
];

/// A box in world coordinates.
pub(crate) const BOUNDS: &[Field<BBox>] = &[
    field("xmin", plain!(Double, |bounds| Some(bounds.xmin))),
    field("ymin", plain!(Double, |bounds| Some(bounds.ymin))),
    field("xmax", plain!(Double, |bounds| Some(bounds.xmax))),
    field("ymax", plain!(Double, |bounds| Some(bounds.ymax))),
];

/// A tile: the columns of tile functions, and the STRUCT of a plan.
pub(crate) const TILE: &[Field<Tile>] = &[
    field("level", plain!(Integer, |tile| integer(tile.level))),
    field("band_index", plain!(Integer, |tile| integer(tile.band_index?))),
    field("tile_row", plain!(Integer, |tile| integer(tile.row))),
    field("tile_col", plain!(Integer, |tile| integer(tile.col))),
    field("tile_index", plain!(Bigint, |tile| i64::try_from(tile.index).ok())),
    field("tile_offset", plain!(Bigint, |tile| i64::try_from(tile.offset?).ok())),
    field("tile_byte_count", plain!(Bigint, |tile| Some(tile.byte_count.into()))),
    field(
        "bbox",
        Cell::Nested(|| Field::struct_of(BOUNDS), |writer, rows| structs(writer, rows, BOUNDS, |tile| Some(tile.bbox))),
    ),
];

const TRANSFORM: Field<CogFile> =
    field("transform", Cell::Doubles(|file| Some(Cow::Owned(file.header.transform?.to_array().to_vec()))));
const PIXEL_SCALE: Field<CogFile> =
    field("pixel_scale", Cell::Doubles(|file| file.header.pixel_scale.as_deref().map(Cow::Borrowed)));
const TIEPOINT: Field<CogFile> =
    field("tiepoint", Cell::Doubles(|file| file.header.tiepoint.as_deref().map(Cow::Borrowed)));
const NODATA: Field<CogFile> = field("nodata", plain!(Double, |file| file.header.nodata));
const EXTRA_SAMPLES: Field<CogFile> = field(
    "extra_samples",
    Cell::Shorts(|file| {
        let samples = file.header.extra_samples.as_ref()?;
        Some(samples.iter().map(|sample| sample.code()).collect())
    }),
);

const IMAGE_WIDTH: Field<Level> = field("image_width", plain!(Integer, |level| integer(level.image_width)));
const IMAGE_HEIGHT: Field<Level> = field("image_height", plain!(Integer, |level| integer(level.image_height)));
const TILE_WIDTH: Field<Level> = field("tile_width", plain!(Integer, |level| integer(level.tile_width)));
const TILE_HEIGHT: Field<Level> = field("tile_height", plain!(Integer, |level| integer(level.tile_height)));
const TILE_OFFSETS: Field<Level> = field("tile_offsets", Cell::BigInts(|level| Some(&level.tile_offsets)));
const TILE_BYTE_COUNTS: Field<Level> = field("tile_byte_counts", Cell::Integers(|level| Some(&level.tile_byte_counts)));
const IS_TILED: Field<Level> = field("is_tiled", plain!(Boolean, |level| Some(level.is_tiled)));
const DTYPE: Field<Level> = field("dtype", Cell::Text(|level| Some(Cow::Borrowed(level.encoding.dtype.name()))));
const COMPRESSION: Field<Level> =
    field("compression", Cell::Text(|level| Some(Cow::Owned(level.encoding.compression.to_string()))));
const PREDICTOR: Field<Level> =
    field("predictor", plain!(Integer, |level| Some(level.encoding.predictor.code().into())));
const PLANAR_CONFIGURATION: Field<Level> =
    field("planar_configuration", plain!(Integer, |level| Some(level.encoding.planar_configuration.code().into())));
const PHOTOMETRIC: Field<Level> = field(
    "photometric",
    plain!(Integer, |level| level.encoding.photometric.map(|photometric| photometric.code().into())),
);
const SAMPLES_PER_PIXEL: Field<Level> =
    field("samples_per_pixel", plain!(Integer, |level| Some(level.encoding.samples_per_pixel.into())));
const BITS_PER_SAMPLE: Field<Level> =
    field("bits_per_sample", Cell::Shorts(|level| Some(Cow::Borrowed(&level.encoding.bits_per_sample))));
const SAMPLE_FORMAT: Field<Level> = field(
    "sample_format",
    Cell::Shorts(|level| Some(level.encoding.sample_format.iter().map(|format| format.code()).collect())),
);
const FILL_ORDER: Field<Level> =
    field("fill_order", plain!(Integer, |level| Some(level.encoding.fill_order.code().into())));
const JPEG_TABLES: Field<Level> = field("jpeg_tables", Cell::Blob(|level| level.encoding.jpeg_tables.as_deref()));
const YCBCR_SUBSAMPLING: Field<Level> = field(
    "ycbcr_subsampling",
    Cell::Shorts(|level| level.encoding.ycbcr_subsampling.as_ref().map(|pair| Cow::Borrowed(&pair[..]))),
);
const LERC_PARAMETERS: Field<Level> =
    field("lerc_parameters", Cell::Integers(|level| level.encoding.lerc_parameters.as_deref()));
const T4_OPTIONS: Field<Level> =
    field("t4_options", plain!(Integer, |level| level.encoding.t4_options.and_then(integer)));

pub(crate) const fn field<R>(name: &'static str, cell: Cell<R>) -> Field<R> {
    Field { name, cell }
}

/// A list of images.
const fn levels(write: Write<CogFile>) -> Cell<CogFile> {
    Cell::Nested(|| LogicalType::list(&Field::struct_of(LEVEL)), write)
}

/// A field of the full-resolution image.
const fn image(field: &'static Field<Level>) -> Field<CogFile> {
    Field { name: field.name, cell: Cell::OfLevel(|file| &file.header.image, &field.cell) }
}

/// Numbers that the decoder has limited to `i32::MAX`.
fn integer(value: u32) -> Option<i32> {
    i32::try_from(value).ok()
}
