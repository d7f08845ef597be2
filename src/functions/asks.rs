//! Rows of the functions that read pixels: href, metadata, geometry, options.
//!
//! Rows that hold the same metadata share one header, and those of one href share one file. Metadata that is NULL is fetched, all
//! rows' at once.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_cog::coverage::Method;
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

/// What a geometry that is NULL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NullGeometry {
    /// Nothing: the answer is NULL.
    Null,
    /// The whole image.
    WholeImage,
}

/// The questions of a vector's rows, each with what `of_row` reads beside it; None where the answer is NULL.
pub(super) fn read<'a, T>(
    session: &Session,
    arguments: &'a Arguments<'a>,
    geometries: &'a GeometryReader<'a>,
    options: &Options<'a>,
    null_geometry: NullGeometry,
    of_row: impl Fn(usize) -> Result<T>,
) -> Result<Vec<Option<(Asked<'a>, T)>>> {
    let hrefs = arguments.required(0)?;
    let is_asked = |row: usize| {
        let whole = null_geometry == NullGeometry::WholeImage;
        hrefs.text(row).is_some() && (whole || geometries.encoded(row).is_some())
    };
    let rows: Vec<usize> = (0..arguments.rows()).filter(|row| is_asked(*row)).collect();
    let mut files = files(session, hrefs, arguments.required(1)?, &rows)?.into_iter();
    let mut asks: Vec<Option<Ask<'a>>> = (0..arguments.rows()).map(|_| None).collect();
    for row in rows {
        let Some(file) = files.next() else {
            break;
        };
        asks[row] = Some(Ask {
            file,
            level: level(options, row)?,
            band_index: options.integer(BAND_INDEX.name, "a band counted from 0", row)?,
            masked: options.boolean(MASKED.name, row).unwrap_or(true),
            geometry: geometries.encoded(row),
            geometry_crs: options.text(GEOMETRY_CRS.name, row),
            type_crs: geometries.type_crs(),
        });
    }
    let asked = session.prepare(asks)?.into_iter().enumerate();
    asked.map(|(row, asked)| asked.map(|asked| Ok((asked, of_row(row)?))).transpose()).collect()
}

/// The file of each of `rows`: from its metadata, or its header, which is fetched where the metadata is NULL.
fn files(session: &Session, hrefs: &Reader<'_>, metadata: &Reader<'_>, rows: &[usize]) -> Result<Vec<Arc<RasterFile>>> {
    let mut headers = SharedMetadata::<_, HashMap<String, Arc<RasterFile>>>::new(metadata, MetadataReader::read)?;
    let mut files: Vec<Option<Arc<RasterFile>>> = Vec::with_capacity(rows.len());
    let mut unknown: Vec<&str> = Vec::new();
    for &row in rows {
        let href = hrefs.text(row).unwrap_or_default();
        let Some((cog, known)) = headers.get(row)? else {
            unknown.push(href);
            files.push(None);
            continue;
        };
        let file = match known.get(href) {
            Some(file) => file.clone(),
            None => {
                let file = Arc::new(RasterFile::new(Location::parse(href)?, cog));
                known.insert(href.to_owned(), file.clone());
                file
            }
        };
        files.push(Some(file));
    }
    let mut fetched = fetched(session, &unknown)?.into_iter();
    Ok(files.into_iter().filter_map(|file| file.or_else(|| fetched.next())).collect())
}

/// The files at hrefs whose headers are not given; rows of one href share one.
fn fetched(session: &Session, hrefs: &[&str]) -> Result<Vec<Arc<RasterFile>>> {
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

/// The documentation of metadata.
pub(super) const METADATA: Parameter = Parameter {
    name: "metadata",
    kind: "STRUCT",
    default: None,
    description: "What `cog_metadata` or an index says of the file: with it, nothing but pixels is requested. NULL: the header is \
        fetched, and kept for the session. A file whose etag, or size and time, are not the metadata's has changed, and is an error.",
};

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
    description: "The level, 0 being the full resolution; or `'auto'`: the coarsest level whose pixels are no larger than `resolution`.",
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
pub(super) const SCALED_OPTION: Parameter = Parameter {
    name: "scaled",
    kind: "option, BOOLEAN",
    default: Some("false"),
    description: "Whether the band's scale and offset are applied: `value * scale + offset`.",
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
