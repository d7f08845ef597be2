//! The parameters that several functions have: each with its name, type, default, documentation and, where a value needs more than
//! its type, its parser.

use rasteret_cog::pixel::Resampling;
use rasteret_cog::zonal::Method;
use rasteret_io::enrich::OnError;
use rasteret_io::query::LevelChoice;

use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::options::OptionValues;

pub(super) const PATHS: Parameter = Parameter {
    name: "paths",
    value: ValueType::Other("VARCHAR or VARCHAR[]"),
    default: None,
    description: "A path, a URL, a glob (local or in an object store), or a list of them.",
};

pub(super) const IGNORE_ERRORS: Parameter = Parameter {
    name: "ignore_errors",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Leave out files that cannot be read, instead of failing.",
};

pub(super) fn ignore_errors(options: &impl OptionValues) -> bool {
    options.boolean(&IGNORE_ERRORS).unwrap_or(false)
}

pub(super) const HREF: Parameter = Parameter {
    name: "href",
    value: ValueType::Text,
    default: None,
    description: "A local path, or a URL of a web server or an object store.",
};

pub(super) const METADATA: Parameter = Parameter {
    name: "metadata",
    value: ValueType::Other("STRUCT"),
    default: None,
    description: "The result of `cog_metadata`, or a metadata column of an index: with it, only pixels are requested. NULL: the header is \
        fetched; that of a remote file is kept in memory, a failure for three seconds only. In an index, metadata is also NULL where the \
        header could not be read. Leave those rows out (`WHERE B04_metadata IS NOT NULL`): a header that is read at last has no scale of a \
        STAC Item, so that with `scaled: true` such a row can have raw numbers beside the reflectances of the others. A file whose etag, or \
        size and time, are not the metadata's has changed, and is an error.",
};

/// The metadata of a function that reads no pixels.
pub(super) const HEADER: Parameter =
    Parameter { description: "The result of `cog_metadata`, or a metadata column of an index.", ..METADATA };

pub(super) const SOURCES: Parameter = Parameter {
    name: "sources",
    value: ValueType::Other("VARCHAR[] or STRUCT(href, metadata, …)[]"),
    default: None,
    description: "Rasters: hrefs, or STRUCTs with `href` and, as they are known, `metadata`, `band_index` and `scaled`, which take the place of \
        options. The list most often comes from `list({href: …, metadata: …} ORDER BY datetime)`. All files of all rows of a vector \
        are read together. A NULL source has a NULL result.",
};

pub(super) const GEOMETRY: Parameter = Parameter {
    name: "geometry",
    value: GEOMETRY_VALUE,
    default: None,
    description: "A geometry of any type but curves: GEOMETRY; WKB (ISO or EWKB), as BLOB or as hexadecimal text; WKT; EWKT; GeoJSON (a \
        geometry, a Feature or a FeatureCollection). Z and M are ignored. Or a box: a STRUCT with fields `xmin`, `ymin`, `xmax` and `ymax` \
        in any order, such as an index's `bbox` or the result of `cog_bounds`, or a list or array of those four numbers in that order. A box in \
        longitudes whose `xmin` is greater than its `xmax` crosses the antimeridian; one with a NULL in it is NULL.",
};

/// The types of a geometry.
pub(super) const GEOMETRY_VALUE: ValueType = ValueType::Other("GEOMETRY, BLOB, VARCHAR, STRUCT or DOUBLE[4]");

/// The geometry of a function that reads the whole image without one.
pub(super) const OPTIONAL_GEOMETRY: Parameter = Parameter {
    default: Some("the whole image"),
    description: "A geometry, as of `cog_tiles_for_geometry`. Left out, or a bare `NULL`: the whole image. A NULL that has a \
    type, as from a column or a cast, never reads an image. DuckDB gives a prepared parameter that is NULL, a variable that \
    does not exist and one that was set to `NULL` as a bare `NULL`: give them a type, as in `CAST(? AS VARCHAR)` and \
    `CAST(getvariable('plot') AS VARCHAR)`.",
    ..GEOMETRY
};

pub(super) const POINT: Parameter = Parameter {
    name: "point",
    description: "A point, in any form of a geometry that `cog_tiles_for_geometry` accepts.",
    ..GEOMETRY
};

pub(super) const GEOMETRY_CRS: Parameter = Parameter {
    name: "geometry_crs",
    value: ValueType::Text,
    default: Some("'OGC:CRS84'"),
    description: "The CRS of the geometry: `EPSG:n`, `ESRI:n`, `OGC:CRS84`, WKT, a PROJ string, or \
    `native` for the raster's own coordinates; x comes first whatever the CRS says. By default, that of a `GEOMETRY('…')` \
    type (from DuckDB 1.5.2 on; earlier releases do not show it to extensions: give it here, as in \
    `{geometry_crs: ST_CRS(geometry)}`), else what an EWKT or EWKB says, else longitudes and latitudes.",
};

/// That of a table function.
pub(super) const CONSTANT_GEOMETRY_CRS: Parameter = Parameter {
    description: "The CRS of the geometry: `EPSG:n`, `ESRI:n`, `OGC:CRS84`, WKT, a PROJ string, or \
    `native` for the raster's own coordinates; x comes first whatever the CRS says. By default, that of a `GEOMETRY('…')` \
    type (from DuckDB 1.5.2 on), else what an EWKT or EWKB says, else longitudes and latitudes.",
    ..GEOMETRY_CRS
};

pub(super) const BAND_INDEX: Parameter = Parameter {
    name: "band_index",
    value: ValueType::Integer,
    default: Some("0"),
    description: "The band, counted from 0; by default the one that the metadata was narrowed to, else the first.",
};

/// The band of a plan.
pub(super) const PLANNED_BAND: Parameter = Parameter {
    default: Some("NULL"),
    description: "A band, counted from 0. Of a planar file, only that band's tiles are given.",
    ..BAND_INDEX
};

pub(super) fn band_index(options: &impl OptionValues) -> Result<Option<u32>> {
    options.integer(&BAND_INDEX, A_BAND)
}

/// The bands that there are, for errors.
pub(super) const A_BAND: &str = "a band counted from 0";

pub(super) const BANDS: Parameter = Parameter {
    name: "bands",
    value: ValueType::Integers,
    default: None,
    description: "The bands, counted from 0, in the order of the result; by default all bands of the file.",
};

/// The bands of a row; None for all.
pub(super) fn bands(options: &impl OptionValues) -> Result<Option<Vec<u32>>> {
    match options.integers(&BANDS, "bands counted from 0")? {
        Some(bands) if bands.is_empty() => Err(Error::argument("bands: expected one band at least, found none")),
        bands => Ok(bands),
    }
}

pub(super) const LEVEL: Parameter = Parameter {
    name: "level",
    value: ValueType::IntegerOrText,
    default: Some("0"),
    description: "The level, 0 being the full resolution; or `'auto'`: the coarsest level whose pixels are at most 1 % larger than \
        `resolution` (sizes of overviews are rounded), else the full resolution.",
};

/// The level of a plan, which has no resolution.
pub(super) const PLANNED_LEVEL: Parameter =
    Parameter { value: ValueType::Integer, description: "The level, 0 being the full resolution.", ..LEVEL };

/// The levels that there are, for errors.
pub(super) const A_LEVEL: &str = "a level counted from 0";

pub(super) const RESOLUTION: Parameter = Parameter {
    name: "resolution",
    value: ValueType::Number,
    default: None,
    description: "The size of a pixel that is wanted, in units of the raster's CRS; with `level: 'auto'` only.",
};

/// A level by its number, or by the word `auto`, which goes with a resolution.
pub(super) fn level(options: &impl OptionValues) -> Result<LevelChoice> {
    let word = options.text(&LEVEL).map(|word| word.trim().to_owned());
    let number = match &word {
        // A named parameter that takes a word or a number is a text.
        Some(word) => word.parse().ok(),
        None => options.integer::<u32>(&LEVEL, "a level counted from 0, or 'auto'")?,
    };
    let word = word.filter(|_| number.is_none());
    let is_auto = |word: &str| word.eq_ignore_ascii_case("auto");
    match (number, word.as_deref(), options.number(&RESOLUTION)) {
        (None, None, None) => Ok(LevelChoice::Index(0)),
        (Some(level), _, None) => Ok(LevelChoice::Index(level)),
        (None, Some(word), Some(resolution)) if is_auto(word) => {
            if resolution > 0.0 && resolution.is_finite() {
                Ok(LevelChoice::Resolution(resolution))
            } else {
                Err(Error::argument(format!("resolution: expected a number greater than 0, found {resolution}")))
            }
        }
        (None, Some(word), None) if is_auto(word) => {
            Err(Error::argument("level 'auto': expected a resolution with it, found none"))
        }
        (None, Some(word), _) => {
            Err(Error::argument(format!("level: expected a level counted from 0, or 'auto', found '{word}'")))
        }
        (_, _, Some(_)) => Err(Error::argument("resolution: expected level 'auto' with it, found another level")),
    }
}

pub(super) const MASKED: Parameter = Parameter {
    name: "masked",
    value: ValueType::Boolean,
    default: Some("true"),
    description: "Whether the internal mask and the alpha band make pixels invalid, besides nodata.",
};

pub(super) fn masked(options: &impl OptionValues) -> bool {
    options.boolean(&MASKED).unwrap_or(true)
}

pub(super) const MASK: Parameter = Parameter {
    name: "mask",
    value: ValueType::Other("STRUCT(href, metadata, band_index, keep | drop | bits)"),
    default: None,
    description: "Another raster that makes pixels invalid, such as Sentinel-2's scene classification or Landsat's QA_PIXEL: `href`; `metadata`, if it \
        is at hand; `band_index`, 0 by default; and one of `keep` (only pixels with these values count), `drop` (pixels with these values \
        do not count) and `bits` (pixels with any of these bits set do not count; 0 is the lowest bit), each a list of integers. The mask may have \
        any grid, resolution and CRS: each pixel takes the pixel of the mask that contains its centre. Where the mask has no pixel, or \
        an invalid one, pixels are invalid.",
};

pub(super) const WEIGHTS: Parameter = Parameter {
    name: "weights",
    value: ValueType::Other("STRUCT(href, metadata, band_index)"),
    default: None,
    description: "Another raster that weighs pixels, such as a population or the share of a crop: `href`; `metadata`, if it is at hand; \
        `band_index`, 0 by default. It may have any grid and CRS: each pixel takes the weight of the pixel that contains its centre.",
};

pub(super) const SCALED: Parameter = Parameter {
    name: "scaled",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Whether the band's scale and offset are applied: `value * scale + offset`, as the metadata has them. They are those of \
    the file, or of the STAC Item where the index was built with `stac_scale := true`. Without either, values stay as they are: \
    `B04_metadata.scale IS NOT NULL` says whether there is a scale.",
};

pub(super) fn scaled(options: &impl OptionValues) -> bool {
    options.boolean(&SCALED).unwrap_or(false)
}

pub(super) const ON_ERROR: Parameter = Parameter {
    name: "on_error",
    value: ValueType::Text,
    default: Some("'fail'"),
    description: "The effect of a file that cannot be read: missing, not a TIFF, damaged, changed since it was indexed, in an encoding that is \
        not supported, or on a server that does not respond. `'fail'`: the query fails. `'null'`: the row is NULL, and the others are \
        unaffected. Invalid arguments, such as a geometry, a level or a band that does not exist, fail the query either way.",
};

pub(super) fn on_error(options: &impl OptionValues) -> Result<Option<OnError>> {
    options.choice(&ON_ERROR, &[("null", OnError::Null), ("fail", OnError::Fail)])
}

pub(super) const METHOD: Parameter = Parameter {
    name: "method",
    value: ValueType::Text,
    default: Some("'coverage'"),
    description: "When a pixel counts: `'coverage'`, by the fraction of it that is covered; `'center'`, wholly where its centre is \
        covered; `'all_touched'`, wholly where it is touched: the latter two as rasterio rasterises.",
};

pub(super) fn method(options: &impl OptionValues) -> Result<Method> {
    let choices = [("coverage", Method::Fraction), ("center", Method::Center), ("all_touched", Method::AllTouched)];
    Ok(options.choice(&METHOD, &choices)?.unwrap_or(Method::Fraction))
}

pub(super) const RESAMPLING: Parameter = Parameter {
    name: "resampling",
    value: ValueType::Text,
    default: Some("'nearest'"),
    description: "`'nearest'`, `'bilinear'` or `'cubic'` (Catmull-Rom), as GDAL's warper computes them. `'bilinear'` weighs the valid \
            ones of the four pixels around the point anew. `'cubic'` needs all sixteen pixels around it to be valid and inside the \
            image; where one is not, the value is the bilinear one. NULL where the pixel that contains the point is invalid.",
};

pub(super) fn resampling(options: &impl OptionValues) -> Result<Resampling> {
    let choices = [("nearest", Resampling::Nearest), ("bilinear", Resampling::Bilinear), ("cubic", Resampling::Cubic)];
    Ok(options.choice(&RESAMPLING, &choices)?.unwrap_or(Resampling::Nearest))
}

pub(super) const MAX_DISTANCE: Parameter = Parameter {
    name: "max_distance_pixels",
    value: ValueType::Integer,
    default: Some("0"),
    description: "How many pixels away a valid pixel is looked for where the one that holds the point is invalid: in rings \
            around it, the nearest of the first ring that has one. At most 4,096 in rasters of more than 67 million pixels.",
};

pub(super) fn max_distance(options: &impl OptionValues) -> Result<u32> {
    Ok(options.integer(&MAX_DISTANCE, "a number of pixels from 0")?.unwrap_or(0))
}

pub(super) const MAX_CONCURRENT: Parameter = Parameter {
    name: "max_concurrent",
    value: ValueType::Integer,
    default: Some("300"),
    description: "The maximum number of requests in flight.",
};

/// A count of at least 1.
pub(super) fn count(options: &impl OptionValues, option: &Parameter) -> Result<Option<usize>> {
    let count = options.integer::<usize>(option, "a number of at least 1")?;
    match count {
        Some(0) => Err(Error::argument(format!("{}: expected a number of at least 1, found 0", option.name))),
        count => Ok(count),
    }
}
