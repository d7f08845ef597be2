//! `FROM cog_info(paths)`: a readable summary of each file.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rasteret_cog::{Color, FileInfo};
use rasteret_io::{DescribedFile, Session};

use super::file_scan::{FileList, FileScan, Scanned};
use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::schema::{BOUNDS, Cell, Field, field, plain, struct_lists, structs};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_info",
    kind: Kind::Table,
    signatures: &["FROM cog_info(paths [, ignore_errors := false])"],
    description: "Returns a summary of each GeoTIFF file, similar to `gdalinfo` and `rio info`. Only headers are \
        read, with as few requests as `cog_metadata`.",
    parameters: &[params::PATHS],
    options: &[params::IGNORE_ERRORS],
    returns: "`filename`; `width` and `height` in pixels; `bands`, the number of bands; `dtype`, `nodata` and `crs` \
        as in the metadata; `resolution`, the width and height of a pixel in units of the CRS (NULL without \
        georeferencing); `bounds` in the raster's CRS; `compression`; `tile`, the width and height of a tile or \
        strip; `overviews`, the decimation factors, like rasterio's `overviews`; `size`, the file size in bytes; \
        `band_names`, the GDAL description of each band, or NULL; `colormap`, a MAP from each value of a palette \
        image to its red, green, blue and alpha from 0 to 255, like rasterio's `colormap` (NULL for other images); \
        `is_cog`, whether the file follows the rules of a cloud-optimized GeoTIFF that GDAL's validator checks in the \
        header: tiles if larger than 512 pixels, the IFD at the start, overviews and pixels in order; `cog_errors`, \
        the rules that it violates; `tags`, a MAP of the dataset's GDAL_METADATA items and the descriptive TIFF tags, \
        like rasterio's `tags()`.",
    examples: &[
        Example {
            sql: "SELECT width, height, bands, dtype, crs, resolution, compression, tile, overviews, size FROM cog_info('test/data/cog.tif')",
            result: "64\t64\t1\tuint16\tEPSG:32631\t[10.0, 10.0]\tdeflate\t[16, 16]\t[2, 4]\t12189",
        },
        Example {
            sql: "SELECT is_cog, unnest(cog_errors) AS why FROM cog_info('test/data/ifd_at_end.tif')",
            result: "false\tthe IFD of the image stands at byte 40968, expected at byte 8\n\
                     false\tthe pixels of the image begin before its IFD",
        },
        Example {
            sql: "SELECT band_names, tags['AREA_OR_POINT'] AS pixel_is FROM cog_info('test/data/scaled.tif')",
            result: "[elevation]\tArea",
        },
    ],
};

/// A row of the result.
type Row = Scanned<DescribedFile>;

/// An INTEGER[].
macro_rules! integers {
    ($get:expr) => {
        Cell::Nested(
            || LogicalType::list(&LogicalType::of(TypeId::Integer)),
            |writer, rows| {
                let lists: Vec<Option<Vec<u32>>> = rows.iter().map(|row| row.map(info).map($get)).collect();
                writer.value_lists(&lists.iter().map(Option::as_deref).collect::<Vec<_>>())
            },
        )
    };
}

/// A VARCHAR[].
macro_rules! texts {
    ($get:expr) => {
        Cell::Nested(|| LogicalType::list(&LogicalType::varchar()), |writer, rows| write_texts(writer, rows, $get))
    };
}

/// The columns.
const COLUMNS: &[Field<Row>] = &[
    field("filename", Cell::Text(|row| Some(Cow::Borrowed(&row.href)))),
    field("width", plain!(Integer, |row| i32::try_from(info(row).header.image.image_width).ok())),
    field("height", plain!(Integer, |row| i32::try_from(info(row).header.image.image_height).ok())),
    field("bands", plain!(Integer, |row| Some(info(row).header.bands().count.into()))),
    field("dtype", Cell::Text(|row| Some(Cow::Borrowed(info(row).header.image.encoding.dtype.name())))),
    field("nodata", plain!(Double, |row| info(row).header.nodata)),
    field("crs", Cell::Text(|row| Some(Cow::Owned(info(row).header.crs.as_ref()?.to_string())))),
    field("resolution", Cell::Doubles(|row| Some(Cow::Owned(info(row).resolution()?.to_vec())))),
    field(
        "bounds",
        Cell::Nested(
            || Field::struct_of(BOUNDS),
            |writer, rows| structs(writer, rows, BOUNDS, |row| Some(info(row).header.native_bounds())),
        ),
    ),
    field("compression", Cell::Text(|row| Some(Cow::Owned(info(row).header.image.encoding.compression.to_string())))),
    field("tile", integers!(|info| vec![info.header.image.tile_width, info.header.image.tile_height])),
    field("overviews", integers!(FileInfo::overview_factors)),
    field("size", plain!(Bigint, |row| i64::try_from(row.content.file_size?).ok())),
    field("band_names", texts!(|info| info.band_names.iter().map(Option::as_deref).collect())),
    field("colormap", Cell::Nested(colormap_type, write_colors)),
    field("is_cog", plain!(Boolean, |row| Some(info(row).cog_faults.is_empty()))),
    field("cog_errors", texts!(|info| info.cog_faults.iter().map(|fault| Some(fault.as_str())).collect())),
    field(
        "tags",
        Cell::Nested(
            || LogicalType::map(&LogicalType::varchar(), &LogicalType::varchar()),
            |writer, rows| struct_lists(writer, rows, TAG, |row| &info(row).tags),
        ),
    ),
];

/// An entry of `tags`.
const TAG: &[Field<(String, String)>] = &[
    field("key", Cell::Text(|tag| Some(Cow::Borrowed(&tag.0)))),
    field("value", Cell::Text(|tag| Some(Cow::Borrowed(&tag.1)))),
];

/// An entry of `colormap`.
const COLOR: &[Field<(i32, Color)>] = &[
    field("key", plain!(Integer, |color| Some(color.0))),
    field("value", Cell::Shorts(|color| Some(Cow::Borrowed(&color.1)))),
];

fn info(row: &Row) -> &FileInfo {
    &row.content.info
}

fn write_texts(
    writer: &mut Writer<'_>,
    rows: &[Option<&Row>],
    get: impl Fn(&FileInfo) -> Vec<Option<&str>>,
) -> Result<()> {
    let lists: Vec<_> = rows.iter().map(|row| row.map(info).map(&get)).collect();
    let lengths: Vec<_> = lists.iter().map(|list| list.as_ref().map(Vec::len)).collect();
    writer.lists(&lengths)?.texts(lists.into_iter().flatten().flatten())
}

fn colormap_type() -> LogicalType {
    let integer = || LogicalType::of(TypeId::Integer);
    LogicalType::map(&integer(), &LogicalType::list(&integer()))
}

fn write_colors(writer: &mut Writer<'_>, rows: &[Option<&Row>]) -> Result<()> {
    let colors =
        |row: &Row| Some((0..).zip(info(row).colormap.as_ref()?.iter().copied()).collect::<Vec<(i32, Color)>>());
    let maps: Vec<_> = rows.iter().map(|row| row.and_then(colors)).collect();
    let lengths: Vec<_> = maps.iter().map(|map| map.as_ref().map(Vec::len)).collect();
    let entries: Vec<_> = maps.iter().flatten().flatten().map(Some).collect();
    Field::write_struct(COLOR, &mut writer.lists(&lengths)?, &entries)
}

/// The table function.
pub(crate) struct CogInfo;

impl TableFunction for CogInfo {
    type Bind = FileList;
    type Global = Mutex<FileScan<DescribedFile>>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<FileList>> {
        let files = FileList::bind(session, info)?;
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { rows: files.exact_len(), state: files, columns })
    }

    fn init(files: &FileList, _columns: &[usize]) -> Result<Init<Mutex<FileScan<DescribedFile>>>> {
        // A single thread preserves the order of the files; fetching is still concurrent.
        Ok(Init { state: Mutex::new(files.scan(|session, hrefs| session.descriptions(hrefs))), max_threads: 1 })
    }

    fn next(
        _files: &FileList,
        scan: &Mutex<FileScan<DescribedFile>>,
        (): &mut (),
        output: &mut OutputChunk<'_>,
    ) -> Result<()> {
        let batch = scan.lock().unwrap_or_else(PoisonError::into_inner).next_batch()?;
        output.write_fields(COLUMNS, &batch.iter().map(Some).collect::<Vec<_>>())
    }
}
