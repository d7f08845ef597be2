//! `COPY (SELECT cog_read(…)) TO 'out.tif' (FORMAT cog)`: windows as one cloud-optimized GeoTIFF.

use std::path::Path;
use std::str::FromStr;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::tiff::{Compression, DataType};
use rasteret_cog::write::CogOptions;
use rasteret_io::Session;
use rasteret_io::write::{CogDescription, CogWriter, PixelWindow};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::vector::{CopyFunction, CopyOptions, LogicalType, Reader, TypeId, Value};

static DOC: Documentation = Documentation {
    name: "cog",
    kind: Kind::Copy,
    signatures: &["COPY (SELECT cog_read(…)) TO 'file.tif' (FORMAT cog [, COMPRESSION deflate, …])"],
    description: "Writes windows of pixels as one cloud-optimized GeoTIFF with overviews, in the layout of GDAL's COG driver. The query \
        has one column: results of `cog_read` and of other functions that return windows. Several rows on one grid become one raster: \
        each window is written at its place, and where windows overlap, valid pixels of later rows count. NULL rows are left out. A CRS \
        has an EPSG code, or is one that user-defined GeoKeys define exactly, such as that of a file; others are an error. The file \
        replaces an existing one, and appears under its name when it is complete. Memory holds one row of tiles per level; \
        pixels and encoded tiles are kept in unnamed files in the target's folder until then. Objects of S3, Google Cloud Storage and Azure \
        are uploaded in parts from files in `temp_directory`; see [writing](clouds.md#writing). From DuckDB 1.5.2 on.",
    parameters: &[],
    options: &[COMPRESSION, LEVEL, PREDICTOR, BLOCKSIZE, OVERVIEWS, NODATA, BIGTIFF, BAND_NAMES, SCALE, OFFSET],
    returns: "The number of rows, as for every COPY statement.",
    examples: &[
        Example {
            sql: "COPY (SELECT cog_read('test/data/cog.tif')) TO 'out.tif' (FORMAT cog, COMPRESSION zstd, OVERVIEWS average)",
            result: "1",
        },
        Example {
            sql: "SELECT width, compression, tile, is_cog FROM cog_info('out.tif')",
            result: "64\tzstd\t[512, 512]\ttrue",
        },
    ],
};

const COMPRESSION: Parameter = Parameter {
    name: "compression",
    value: ValueType::Text,
    default: Some("'deflate'"),
    description: "`none`, `lzw`, `deflate`, `zstd` or `lzma`.",
};

const LEVEL: Parameter = Parameter {
    name: "level",
    value: ValueType::Integer,
    default: None,
    description: "The effort of the compression: 1 to 12 for `deflate` (default 6), 1 to 22 for `zstd` (9), 0 to 9 for `lzma` (6).",
};

const PREDICTOR: Parameter = Parameter {
    name: "predictor",
    value: ValueType::IntegerOrText,
    default: Some("'auto'"),
    description: "`auto`: 2 for integers, 3 for FLOAT and DOUBLE samples, none for others; or `none`, `standard` (2), `floating_point` (3).",
};

const BLOCKSIZE: Parameter = Parameter {
    name: "blocksize",
    value: ValueType::Integer,
    default: Some("512"),
    description: "Width and height of a tile in pixels: a multiple of 16 up to 4096.",
};

const OVERVIEWS: Parameter = Parameter {
    name: "overviews",
    value: ValueType::Text,
    default: Some("'average'"),
    description: "How overviews are computed, each from the level before: `average` of the valid pixels, weighted by area; `nearest`, the \
        default for complex samples; `mode`, the value with the largest area; or `none` for no overviews. Levels are halved until one \
        fits into a tile.",
};

const NODATA: Parameter = Parameter {
    name: "nodata",
    value: ValueType::Number,
    default: None,
    description: "The value that invalid pixels are written with; by default that of the windows. Without one, a file with \
        invalid pixels has an internal mask.",
};

const BIGTIFF: Parameter = Parameter {
    name: "bigtiff",
    value: ValueType::Text,
    default: Some("'auto'"),
    description: "`auto`: for files above 4 GiB; `yes`; or `no`, with which larger files are an error.",
};

const BAND_NAMES: Parameter = Parameter {
    name: "band_names",
    value: ValueType::Other("VARCHAR[]"),
    default: None,
    description: "A name for each band.",
};

const SCALE: Parameter = Parameter {
    name: "scale",
    value: ValueType::Numbers,
    default: None,
    description: "The scale of each band, or one for all: a sample times its scale, plus its offset, is the value. Samples are written as they are.",
};

const OFFSET: Parameter = Parameter {
    name: "offset",
    value: ValueType::Numbers,
    default: None,
    description: "The offset of each band, or one for all.",
};

/// The COPY function.
pub(crate) struct CopyCog;

impl CopyFunction for CopyCog {
    type Bind = (CogOptions, CogDescription);
    type Writer = CogWriter;

    const DOC: &'static Documentation = &DOC;

    fn bind(columns: &[LogicalType], options: &CopyOptions) -> Result<Self::Bind> {
        let [column] = columns else {
            let found = columns.len();
            return Err(Error::argument(format!("expected a query with one column of windows, found {found} columns")));
        };
        let fields = column.fields();
        let has = |name: &&str| fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
        let is_window = ["width", "height", "dtype", "data", "mask"].iter().all(has);
        let is_chip = ["shape", "data"].iter().all(has);
        if column.id() != TypeId::Struct || !(is_window || is_chip) {
            return Err(Error::argument(format!(
                "expected a column of windows, as cog_read returns them, found {column}"
            )));
        }
        Ok((cog_options(options)?, description(options)?))
    }

    fn start(
        session: &Session,
        (options, description): &Self::Bind,
        path: &str,
        temporary: Option<&Path>,
    ) -> Result<CogWriter> {
        Ok(session.write_cog(path, *options, description.clone(), temporary)?)
    }

    fn write(_: &Self::Bind, writer: &mut CogWriter, columns: &[Reader<'_>], rows: usize) -> Result<()> {
        let [column] = columns else {
            return Err(Error::Internal("no column of windows".to_owned()));
        };
        for row in (0..rows).filter(|row| !column.is_null(*row)) {
            match column.field("shape") {
                Some(_) => writer.push(&Chip::read(column, row)?.window()),
                None => writer.push(&window(column, row)?),
            }?;
        }
        Ok(())
    }

    fn finish(writer: CogWriter) -> Result<()> {
        writer.finish()?;
        Ok(())
    }
}

fn cog_options(options: &CopyOptions) -> Result<CogOptions> {
    let mut chosen = CogOptions::default();
    if let Some(name) = word(options, &COMPRESSION)? {
        let compression =
            Compression::from_str(&name).ok().filter(|compression| CogOptions::COMPRESSIONS.contains(compression));
        let unknown = || expected(&COMPRESSION, "none, lzw, deflate, zstd or lzma", &name);
        chosen.compression = compression.ok_or_else(unknown)?;
    }
    chosen.level = integer(options, &LEVEL)?;
    if let Some(name) = word(options, &PREDICTOR)? {
        chosen.predictor = name.parse()?;
    }
    if let Some(size) = integer(options, &BLOCKSIZE)? {
        chosen.block_size = size;
    }
    if let Some(name) = word(options, &OVERVIEWS)? {
        chosen.overviews = if name == "none" { None } else { Some(name.parse()?) };
    }
    if let Some(name) = word(options, &BIGTIFF)? {
        chosen.big_tiff = name.parse()?;
    }
    chosen.check()?;
    Ok(chosen)
}

fn description(options: &CopyOptions) -> Result<CogDescription> {
    let nodata = options.get(NODATA.name).map(|value| {
        let text = value.text().map(|text| text.trim().to_ascii_lowercase());
        let number = value.number().or_else(|| text?.parse().ok());
        number.ok_or_else(|| expected(&NODATA, "a number", &shown(value)))
    });
    let name = |name: &Value| name.text().ok_or_else(|| expected(&BAND_NAMES, "texts", &shown(name)));
    let names = options.get(BAND_NAMES.name).map_or_else(|| Ok(Vec::new()), |names| elements(names, name));
    Ok(CogDescription {
        nodata: nodata.transpose()?,
        band_names: names?,
        scales: numbers(options, &SCALE)?,
        offsets: numbers(options, &OFFSET)?,
    })
}

/// The window of a row.
fn window<'a>(column: &'a Reader<'_>, row: usize) -> Result<PixelWindow<'a>> {
    let missing = |name: &str| Error::argument(format!("expected a window with {name}, found none"));
    let number = |name: &str| column.field(name).and_then(|field| field.integer(row));
    let size = |name: &str| number(name).and_then(|size| u32::try_from(size).ok()).ok_or_else(|| missing(name));
    let offset = |name: &str| number(name).and_then(|offset| i64::try_from(offset).ok()).unwrap_or(0);
    let bytes = |name: &str| column.field(name).and_then(|field| field.bytes(row)).ok_or_else(|| missing(name));
    let dtype = column.field("dtype").and_then(|field| field.text(row)).ok_or_else(|| missing("dtype"))?;
    Ok(PixelWindow {
        width: size("width")?,
        height: size("height")?,
        col_off: offset("col_off"),
        row_off: offset("row_off"),
        bands: number("bands").and_then(|bands| u16::try_from(bands).ok()).unwrap_or(1),
        dtype: dtype.parse::<DataType>()?,
        transform: transform(column, row)?,
        crs: column.field("crs").and_then(|field| field.text(row)),
        nodata: column.field("nodata").and_then(|field| field.number(row)),
        data: bytes("data")?,
        mask: bytes("mask")?,
    })
}

/// A chip: 32-bit floats, NaN where invalid.
struct Chip<'a> {
    window: PixelWindow<'a>,
    data: Vec<u8>,
    mask: Vec<u8>,
}

impl<'a> Chip<'a> {
    fn read(column: &'a Reader<'_>, row: usize) -> Result<Self> {
        let list = |name: &str| column.field(name).and_then(|field| field.list(row));
        let shape = list("shape").map(|(range, shape)| range.map(|at| shape.integer(at)).collect::<Vec<_>>());
        let Some([Some(bands), Some(height), Some(width)]) = shape.as_deref() else {
            return Err(Error::argument("expected a chip whose shape is bands, rows and columns, found another"));
        };
        let (Ok(bands), Ok(height), Ok(width)) = (u16::try_from(*bands), u32::try_from(*height), u32::try_from(*width))
        else {
            return Err(Error::argument(format!("expected the shape of a chip, found [{bands}, {height}, {width}]")));
        };
        let (range, samples) = list("data").ok_or_else(|| Error::argument("expected a chip with data, found none"))?;
        // The shape is an argument: it is compared before memory is allocated for it.
        let pixels = usize::try_from(u64::from(width) * u64::from(height)).unwrap_or(usize::MAX);
        if pixels.checked_mul(bands.into()) != Some(range.len()) {
            let found = range.len();
            return Err(Error::argument(format!(
                "expected the values of a chip of the shape [{bands}, {height}, {width}], found {found}"
            )));
        }
        #[expect(clippy::cast_possible_truncation, reason = "chips hold 32-bit floats")]
        let samples: Vec<f32> = range.map(|at| samples.number(at).map_or(f32::NAN, |number| number as f32)).collect();
        let mut mask = vec![0; pixels];
        for band in samples.chunks_exact(pixels.max(1)) {
            mask.iter_mut().zip(band).for_each(|(valid, sample)| *valid |= u8::from(!sample.is_nan()) * 255);
        }
        let window = PixelWindow {
            width,
            height,
            col_off: 0,
            row_off: 0,
            bands,
            dtype: DataType::Float32,
            transform: transform(column, row)?,
            crs: column.field("crs").and_then(|field| field.text(row)),
            nodata: Some(f64::NAN),
            data: &[],
            mask: &[],
        };
        Ok(Self { window, data: samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(), mask })
    }

    fn window(&self) -> PixelWindow<'_> {
        PixelWindow { data: &self.data, mask: &self.mask, ..self.window.clone() }
    }
}

fn transform(column: &Reader<'_>, row: usize) -> Result<Option<GeoTransform>> {
    let Some((range, numbers)) = column.field("transform").and_then(|field| field.list(row)) else {
        return Ok(None);
    };
    let numbers: Option<Vec<f64>> = range.map(|at| numbers.number(at)).collect();
    match numbers.as_deref() {
        Some([a, b, c, d, e, f]) => Ok(Some(GeoTransform::from_array([*a, *b, *c, *d, *e, *f]))),
        _ => Err(Error::argument("expected a transform of six numbers, found another")),
    }
}

/// A word, or a number or BOOLEAN as a word, in small letters.
fn word(options: &CopyOptions, option: &Parameter) -> Result<Option<String>> {
    let Some(value) = options.get(option.name) else {
        return Ok(None);
    };
    let text = value.text().or_else(|| value.boolean().map(|truth| truth.to_string()));
    let text = text.or_else(|| value.integer().map(|number| number.to_string()));
    let text = text.ok_or_else(|| expected(option, "a word", &shown(value)))?;
    Ok(Some(text.to_ascii_lowercase()))
}

fn integer<T: TryFrom<i64>>(options: &CopyOptions, option: &Parameter) -> Result<Option<T>> {
    let Some(value) = options.get(option.name) else {
        return Ok(None);
    };
    let number =
        value.integer().or_else(|| value.text()?.trim().parse().ok()).and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| expected(option, "an integer", &shown(value)))
}

fn numbers(options: &CopyOptions, option: &Parameter) -> Result<Vec<f64>> {
    let number = |value: &Value| value.number().ok_or_else(|| expected(option, "numbers", &shown(value)));
    options.get(option.name).map_or_else(|| Ok(Vec::new()), |values| elements(values, number))
}

/// The elements of a list; of another value, itself.
fn elements<T>(value: &Value, read: impl Fn(&Value) -> Result<T>) -> Result<Vec<T>> {
    match value.list() {
        Some(values) => values.iter().map(read).collect(),
        None => Ok(vec![read(value)?]),
    }
}

fn shown(value: &Value) -> String {
    value.text().map_or_else(|| value.type_name(), |text| format!("'{text}'"))
}

fn expected(option: &Parameter, expected: &str, found: &str) -> Error {
    Error::argument(format!("{}: expected {expected}, found {found}", option.name.to_ascii_uppercase()))
}
