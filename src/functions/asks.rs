//! Rows of the functions that read pixels: href, metadata, geometry, options.
//!
//! Rows that hold the same metadata share one header, and those of one href share one file. Metadata that is NULL is fetched, all
//! rows' at once.
//!
//! Arguments are checked for all rows before any file is looked at: `on_error` is about files, and never hides a wrong call.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_cog::coverage::Method;
use rasteret_cog::{EncodedGeometry, crs};
use rasteret_io::enrich::OnError;
use rasteret_io::reads::{Ask, Asked, LevelChoice};
use rasteret_io::{Location, RasterFile, Session};

use super::documentation::Parameter;
use super::shared_metadata::SharedMetadata;
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::{OptionKey, OptionKind, Options};
use crate::schema::MetadataReader;
use crate::vector::{Arguments, LogicalType, Reader, Signature, TypeId};

/// The overloads of a function of href, metadata, geometry and options.
pub(super) fn signatures(returns: impl Fn() -> LogicalType) -> Vec<Signature> {
    let any = || LogicalType::of(TypeId::Any);
    let required = || vec![LogicalType::varchar(), any(), any()];
    let with_options = [required(), vec![any()]].into_iter().flatten().collect();
    vec![
        Signature { parameters: required(), returns: returns() },
        Signature { parameters: with_options, returns: returns() },
    ]
}

/// Keys that all functions which read pixels have.
pub(super) const GEOMETRY_CRS: OptionKey = OptionKey { name: "geometry_crs", kind: OptionKind::Text };
pub(super) const BAND_INDEX: OptionKey = OptionKey { name: "band_index", kind: OptionKind::Integer };
pub(super) const LEVEL: OptionKey = OptionKey { name: "level", kind: OptionKind::IntegerOrText };
pub(super) const RESOLUTION: OptionKey = OptionKey { name: "resolution", kind: OptionKind::Number };
pub(super) const MASKED: OptionKey = OptionKey { name: "masked", kind: OptionKind::Boolean };
pub(super) const SCALED: OptionKey = OptionKey { name: "scaled", kind: OptionKind::Boolean };

pub(super) const ON_ERROR: OptionKey = OptionKey { name: "on_error", kind: OptionKind::Text };

/// The geometries of a vector's rows.
pub(super) enum Geometries<'a> {
    /// Each row's own; a NULL makes the result NULL.
    Each(GeometryReader<'a>),
    /// All rows read the whole image.
    Whole,
}

impl<'a> Geometries<'a> {
    /// The geometry of a row: None for a NULL, `Some(None)` for the whole image.
    fn of_row(&self, row: usize) -> Result<Option<Option<EncodedGeometry<'a>>>> {
        match self {
            Self::Each(reader) => Ok(reader.encoded(row)?.map(Some)),
            Self::Whole => Ok(Some(None)),
        }
    }

    fn type_crs(&self) -> Option<&str> {
        match self {
            Self::Each(reader) => reader.type_crs(),
            Self::Whole => None,
        }
    }
}

/// The rasters that a vector's rows name: one each, or a LIST of sources.
pub(super) struct Sources<'a> {
    hrefs: &'a Reader<'a>,
    metadata: Option<&'a Reader<'a>>,
    /// The sources as STRUCTs, where they are.
    structs: Option<&'a Reader<'a>>,
    /// For each source, its row and its place among `hrefs`.
    places: Vec<(usize, usize)>,
}

/// The lengths of a vector's lists of sources; None for NULL.
pub(super) type Lengths = Vec<Option<usize>>;

impl<'a> Sources<'a> {
    /// An href and its metadata a row.
    pub(super) fn of_rows(arguments: &'a Arguments<'a>) -> Result<Self> {
        let places = (0..arguments.rows()).map(|row| (row, row)).collect();
        Ok(Self { hrefs: arguments.required(0)?, metadata: arguments.optional(1), structs: None, places })
    }

    /// A LIST a row, of hrefs or of STRUCTs with a field `href`. Rows with a NULL geometry have no sources.
    pub(super) fn of_lists(arguments: &'a Arguments<'a>, geometries: &Geometries<'a>) -> Result<(Self, Lengths)> {
        let lists = arguments.required(0)?;
        let wrong = |found: &LogicalType| {
            Error::argument(format!(
                "sources: expected a LIST of hrefs or of STRUCT(href VARCHAR, metadata STRUCT(…)), found {found}"
            ))
        };
        let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(arguments.rows()));
        let mut elements = None;
        for row in 0..arguments.rows() {
            let list = lists.list(row).filter(|_| !lists.is_null(row));
            let Some((range, reader)) = list.filter(|_| lists.kind().id() != TypeId::Map) else {
                lengths.push(None);
                continue;
            };
            elements = Some(reader);
            let is_null = geometries.of_row(row)?.is_none();
            lengths.push((!is_null).then_some(range.len()));
            if !is_null {
                places.extend(range.map(|place| (row, place)));
            }
        }
        let Some(elements) = elements else {
            let is_list = matches!(lists.kind().id(), TypeId::List | TypeId::Array | TypeId::SqlNull);
            return if is_list {
                Ok((Self { hrefs: lists, metadata: None, structs: None, places }, lengths))
            } else {
                Err(wrong(lists.kind()))
            };
        };
        let sources = match elements.kind().id() {
            TypeId::Varchar | TypeId::StringLiteral => Self { hrefs: elements, metadata: None, structs: None, places },
            TypeId::Struct => {
                check_fields(elements.kind())?;
                let hrefs = elements.field(HREF.name).ok_or_else(|| wrong(lists.kind()))?;
                Self { hrefs, metadata: elements.field(METADATA.name), structs: Some(elements), places }
            }
            _ => return Err(wrong(lists.kind())),
        };
        Ok((sources, lengths))
    }

    /// The href of a source; None for a source that is NULL.
    fn href(&self, place: usize) -> Option<&'a str> {
        self.structs.is_none_or(|structs| !structs.is_null(place)).then(|| self.hrefs.text(place)).flatten()
    }

    /// A field of a source that is there and not NULL.
    fn field(&self, name: &str, place: usize) -> Option<&Reader<'a>> {
        self.structs?.field(name).filter(|field| !field.is_null(place))
    }
}

/// The fields that a source may have, some in place of options of the same names. `name` is for pixel tables.
const SOURCE_FIELDS: [(&str, Option<OptionKind>); 5] = [
    (HREF.name, Some(OptionKind::Text)),
    // Its fields are checked where it is read.
    (METADATA.name, None),
    (BAND_INDEX.name, Some(BAND_INDEX.kind)),
    (SCALED.name, Some(SCALED.kind)),
    ("name", Some(OptionKind::Text)),
];

fn check_fields(kind: &LogicalType) -> Result<()> {
    for (name, kind) in kind.fields() {
        let known = SOURCE_FIELDS.iter().find(|(field, _)| field.eq_ignore_ascii_case(&name));
        let is_right = known.is_some_and(|(_, expected)| expected.is_none_or(|expected| expected.accepts(&kind)));
        if !is_right {
            let names: Vec<_> = SOURCE_FIELDS.iter().map(|(field, _)| *field).collect();
            let names = names.join(", ");
            return Err(Error::argument(format!(
                "sources: expected STRUCTs of {names}, found the field {name} {kind}"
            )));
        }
    }
    Ok(())
}

/// What a row asks for, before its file is known.
struct RowAsk<'a, T> {
    at: usize,
    place: usize,
    row: usize,
    geometry: Option<EncodedGeometry<'a>>,
    geometry_crs: Option<&'a str>,
    level: LevelChoice,
    band_index: Option<u32>,
    on_error: OnError,
    of_row: T,
}

/// The questions of a vector's rows, each with what `of_row` reads beside it; None where the answer is NULL.
pub(super) fn read<'a, T>(
    session: &Session,
    arguments: &'a Arguments<'a>,
    geometries: &'a Geometries<'a>,
    options: &Options<'a>,
    of_row: impl Fn(usize) -> Result<T>,
) -> Result<Vec<Option<(Asked<'a>, T)>>> {
    if let Some(metadata) = arguments.optional(1) {
        options.check_not_options(METADATA.name, metadata.kind())?;
    }
    read_sources(session, &Sources::of_rows(arguments)?, geometries, options, |row, _| of_row(row))
}

/// The questions of sources, each with what `of_source` reads beside it, given its row and whether the source says that values are scaled.
pub(super) fn read_sources<'a, T>(
    session: &Session,
    sources: &Sources<'a>,
    geometries: &'a Geometries<'a>,
    options: &Options<'a>,
    of_source: impl Fn(usize, Option<bool>) -> Result<T>,
) -> Result<Vec<Option<(Asked<'a>, T)>>> {
    let mut rows = Vec::with_capacity(sources.places.len());
    for (at, &(row, place)) in sources.places.iter().enumerate() {
        let (Some(_), Some(geometry)) = (sources.href(place), geometries.of_row(row)?) else {
            continue;
        };
        let of_its_own = sources.field(BAND_INDEX.name, place).and_then(|field| field.integer(place));
        let band_index =
            match of_its_own {
                Some(band) => Some(u32::try_from(band).map_err(|_| {
                    Error::argument(format!("band_index: expected a band counted from 0, found {band}"))
                })?),
                None => options.integer(BAND_INDEX.name, "a band counted from 0", row)?,
            };
        let scaled = sources.field(SCALED.name, place).and_then(|field| field.boolean(place));
        rows.push(RowAsk {
            at,
            place,
            row,
            geometry,
            geometry_crs: options.text(GEOMETRY_CRS.name, row),
            level: level(options, row)?,
            band_index,
            on_error: on_error(options, row)?,
            of_row: of_source(row, scaled)?,
        });
    }
    let of_places: Vec<usize> = rows.iter().map(|ask| ask.place).collect();
    let files = files(session, sources.hrefs, sources.metadata, &of_places)?;
    let mut asks: Vec<Option<Ask<'a>>> = sources.places.iter().map(|_| None).collect();
    let mut beside: Vec<Option<T>> = sources.places.iter().map(|_| None).collect();
    for (ask, file) in rows.into_iter().zip(files) {
        let RowAsk { at, row, geometry, geometry_crs, level, band_index, on_error, of_row, .. } = ask;
        let file = match file {
            Ok(file) => file,
            // An href that names no file is a file that cannot be read; what a lock of DuckDB forbids is no fault of a file.
            Err(error) if on_error == OnError::Null && error.denial().is_none() => {
                check(geometry, geometry_crs)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let masked = options.boolean(MASKED.name, row).unwrap_or(true);
        let type_crs = geometries.type_crs();
        asks[at] = Some(Ask { file, level, band_index, masked, geometry, geometry_crs, type_crs, on_error });
        beside[at] = Some(of_row);
    }
    let asked = session.prepare(asks)?.into_iter().zip(beside);
    Ok(asked.map(|(asked, of_row)| Some((asked?, of_row?))).collect())
}

/// Whether a call names its rasters by a LIST of sources: its first argument is no href.
pub(super) fn is_list_form(arguments: &Arguments<'_>) -> Result<bool> {
    let kind = arguments.required(0)?.kind().id();
    Ok(!matches!(kind, TypeId::Varchar | TypeId::StringLiteral))
}

/// Whether the sources of all rows are a bare NULL. DuckDB takes such a first argument for sources, whatever stands behind it.
pub(super) fn is_bare_null(arguments: &Arguments<'_>) -> Result<bool> {
    Ok(arguments.required(0)?.kind().id() == TypeId::SqlNull)
}

/// The overloads of a function of sources, a geometry and options.
pub(super) fn list_signatures(returns: impl Fn() -> LogicalType) -> Vec<Signature> {
    let any = || LogicalType::of(TypeId::Any);
    let returns = || LogicalType::list(&returns());
    vec![
        Signature { parameters: vec![any(), any()], returns: returns() },
        Signature { parameters: vec![any(), any(), any()], returns: returns() },
    ]
}

/// Checks the geometry of a row whose file cannot be read.
fn check(geometry: Option<EncodedGeometry<'_>>, geometry_crs: Option<&str>) -> Result<()> {
    if let Some(geometry) = geometry {
        geometry.parse()?;
    }
    Ok(geometry_crs.map_or(Ok(()), crs::check_name)?)
}

/// The files of rows, or why they cannot be read.
type Files = Vec<Result<Arc<RasterFile>, rasteret_io::Error>>;

/// The file of each of `rows`: from its metadata, or its header, which is fetched where the metadata is NULL.
fn files(session: &Session, hrefs: &Reader<'_>, metadata: Option<&Reader<'_>>, rows: &[usize]) -> Result<Files> {
    let Some(metadata) = metadata else {
        return Ok(fetched(session, &rows.iter().map(|row| hrefs.text(*row).unwrap_or_default()).collect::<Vec<_>>()));
    };
    let mut headers = SharedMetadata::<_, HashMap<String, Arc<RasterFile>>>::new(metadata, MetadataReader::read)?;
    let mut files: Vec<Option<Result<Arc<RasterFile>, _>>> = Vec::with_capacity(rows.len());
    let mut unknown: Vec<&str> = Vec::new();
    for &row in rows {
        let href = hrefs.text(row).unwrap_or_default();
        let Some((cog, known)) = headers.get(row)? else {
            unknown.push(href);
            files.push(None);
            continue;
        };
        let file = match known.get(href) {
            Some(file) => Ok(file.clone()),
            None => Location::parse(href).map(|location| {
                let file = Arc::new(RasterFile::new(location, cog));
                known.insert(href.to_owned(), file.clone());
                file
            }),
        };
        files.push(Some(file));
    }
    let mut fetched = fetched(session, &unknown).into_iter();
    Ok(files.into_iter().filter_map(|file| file.or_else(|| fetched.next())).collect())
}

/// The files at hrefs whose headers are not given; rows of one href share one.
fn fetched(session: &Session, hrefs: &[&str]) -> Files {
    let mut known: HashMap<&str, Arc<RasterFile>> = HashMap::new();
    let files = hrefs.iter().zip(session.headers(hrefs)).map(|(href, cog)| {
        if let Some(file) = known.get(href) {
            return Ok(file.clone());
        }
        let file = Arc::new(RasterFile::new(Location::parse(href)?, &cog?));
        known.insert(href, file.clone());
        Ok(file)
    });
    files.collect()
}

/// Whether a file that cannot be read makes the row NULL; by default it fails the query.
fn on_error(options: &Options<'_>, row: usize) -> Result<OnError> {
    match options.text(ON_ERROR.name, row) {
        None => Ok(OnError::Fail),
        Some(text) => Ok(text.to_ascii_lowercase().parse()?),
    }
}

fn level(options: &Options<'_>, row: usize) -> Result<LevelChoice> {
    let name = options.text(LEVEL.name, row);
    level_choice(
        match name {
            Some(name) => Some(Err(name)),
            None => options.integer(LEVEL.name, "a level counted from 0, or 'auto'", row)?.map(Ok),
        },
        options.number(RESOLUTION.name, row),
    )
}

/// A level by its number or by the word `auto`, which goes with a resolution.
pub(super) fn level_choice(level: Option<Result<u32, &str>>, resolution: Option<f64>) -> Result<LevelChoice> {
    match (level, resolution) {
        (None, None) => Ok(LevelChoice::Index(0)),
        (Some(Ok(level)), None) => Ok(LevelChoice::Index(level)),
        (Some(Err(word)), Some(resolution)) if word.eq_ignore_ascii_case("auto") => {
            if resolution > 0.0 && resolution.is_finite() {
                Ok(LevelChoice::Resolution(resolution))
            } else {
                Err(Error::argument(format!("resolution: expected a number greater than 0, found {resolution}")))
            }
        }
        (Some(Err(word)), None) if word.eq_ignore_ascii_case("auto") => {
            Err(Error::argument("level 'auto': expected a resolution with it, found none"))
        }
        (Some(Err(word)), _) => {
            Err(Error::argument(format!("level: expected a level counted from 0, or 'auto', found '{word}'")))
        }
        (None | Some(Ok(_)), Some(_)) => {
            Err(Error::argument("resolution: expected level 'auto' with it, found another level"))
        }
    }
}

/// The documentation of an href.
pub(super) const HREF: Parameter = Parameter {
    name: "href",
    kind: "VARCHAR",
    default: None,
    description: "A local path, or a URL of a web server or an object store.",
};

/// The documentation of a list of sources.
pub(super) const SOURCES: Parameter = Parameter {
    name: "sources",
    kind: "VARCHAR[] or STRUCT(href, metadata, …)[]",
    default: None,
    description: "Rasters: hrefs, or STRUCTs with `href` and, as they are known, `metadata`, `band_index` and `scaled`, which take the place of \
        options. The list most often comes from `list({href: …, metadata: …} ORDER BY datetime)`. All files of all rows of a vector \
        are read together. A NULL source has a NULL result.",
};

/// The documentation of metadata.
pub(super) const METADATA: Parameter = Parameter {
    name: "metadata",
    kind: "STRUCT",
    default: None,
    description: "What `cog_metadata` or an index says of the file: with it, nothing but pixels is requested. NULL: the header is \
        fetched; that of a remote file is kept in memory, a failure for three seconds only. In an index, metadata is also NULL where the \
        header could not be read. Leave those rows out (`WHERE B04_metadata IS NOT NULL`): a header that is read at last has no scale of a \
        STAC Item, so that with `scaled: true` such a row can have raw numbers beside the reflectances of the others. A file whose etag, or \
        size and time, are not the metadata's has changed, and is an error.",
};

/// The documentation of a geometry that may be left out.
pub(super) const OPTIONAL_GEOMETRY: &str = "A geometry, as of `cog_tiles_for_geometry`. Left out, or a bare `NULL`: the whole image. A NULL that has a \
    type, as from a column or a cast, never reads an image. DuckDB gives a prepared parameter that is NULL, a variable that \
    does not exist and one that was set to `NULL` as a bare `NULL`: give them a type, as in `CAST(? AS VARCHAR)` and \
    `CAST(getvariable('plot') AS VARCHAR)`.";

/// The documentation of the options that all functions which read pixels have.
pub(super) const GEOMETRY_CRS_OPTION: Parameter = Parameter {
    name: "geometry_crs",
    kind: "option, VARCHAR",
    default: Some("'OGC:CRS84'"),
    description: super::cog_tiles_for_geometry::GEOMETRY_CRS,
};
pub(super) const BAND_INDEX_OPTION: Parameter = Parameter {
    name: "band_index",
    kind: "option, INTEGER",
    default: Some("0"),
    description: "The band, counted from 0; by default the one that the metadata was narrowed to, else the first.",
};
pub(super) const LEVEL_OPTION: Parameter = Parameter {
    name: "level",
    kind: "option, INTEGER or VARCHAR",
    default: Some("0"),
    description: "The level, 0 being the full resolution; or `'auto'`: the coarsest level whose pixels are at most 1 % larger than \
        `resolution` (sizes of overviews are rounded), else the full resolution.",
};
pub(super) const RESOLUTION_OPTION: Parameter = Parameter {
    name: "resolution",
    kind: "option, DOUBLE",
    default: None,
    description: "The size of a pixel that is wanted, in units of the raster's CRS; with `level: 'auto'` only.",
};
pub(super) const MASKED_OPTION: Parameter = Parameter {
    name: "masked",
    kind: "option, BOOLEAN",
    default: Some("true"),
    description: "Whether the internal mask and the alpha band make pixels invalid, besides nodata.",
};
/// What is applied by `scaled`.
const SCALED_DESCRIPTION: &str = "Whether the band's scale and offset are applied: `value * scale + offset`, as the metadata has them. They are those of \
    the file, or of the STAC Item where the index was built with `stac_scale := true`. Without either, values stay as they are: \
    `B04_metadata.scale IS NOT NULL` says whether there is a scale.";
pub(super) const SCALED_OPTION: Parameter =
    Parameter { name: "scaled", kind: "option, BOOLEAN", default: Some("false"), description: SCALED_DESCRIPTION };
pub(super) const ON_ERROR_OPTION: Parameter = Parameter {
    name: "on_error",
    kind: "option, VARCHAR",
    default: Some("'fail'"),
    description: "The effect of a file that cannot be read: missing, not a TIFF, damaged, changed since it was indexed, in an encoding that is \
        not supported, or on a server that does not answer. `'fail'`: the query fails. `'null'`: the row is NULL, and the others are \
        unaffected. Invalid arguments, such as a geometry, a level or a band that does not exist, fail the query either way.",
};
/// The documentation of `method`.
pub(super) const METHOD_OPTION: Parameter = Parameter {
    name: "method",
    kind: "option, VARCHAR",
    default: Some("'coverage'"),
    description: "When a pixel counts: `'coverage'`, by the fraction of it that is covered; `'center'`, wholly where its centre is \
        covered; `'all_touched'`, wholly where it is touched: the latter two as rasterio rasterises.",
};

/// The rule that a name stands for; the fraction where none is given.
pub(super) fn method_of(name: Option<&str>) -> Result<Method> {
    match name {
        None => Ok(Method::Fraction),
        Some(name) if name.eq_ignore_ascii_case("coverage") => Ok(Method::Fraction),
        Some(name) if name.eq_ignore_ascii_case("center") => Ok(Method::Center),
        Some(name) if name.eq_ignore_ascii_case("all_touched") => Ok(Method::AllTouched),
        Some(name) => {
            Err(Error::argument(format!("method: expected 'coverage', 'center' or 'all_touched', found '{name}'")))
        }
    }
}
