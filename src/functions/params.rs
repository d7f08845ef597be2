//! Parameters shared by several functions, with their names, types, defaults, documentation and, if a value needs more
//! than a type check, parsers.

use rasteret_cog::pixel::{Interpolation, WindowOptions};
use rasteret_cog::warp::{Composite, Resampling};
use rasteret_cog::zonal;
use rasteret_io::OnError;
use rasteret_io::query::{GridChoice, LevelChoice, WarpOptions};

use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::options::{OptionValues, RowOptions, choose};

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
    description: "Skips files that cannot be read instead of failing.",
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
    description: "The result of `cog_metadata`, or a metadata column of an index.",
};

pub(super) const SOURCES: Parameter = Parameter {
    name: "sources",
    value: ValueType::Other("VARCHAR[] or STRUCT(href, metadata, …)[]"),
    default: None,
    description: "A list of rasters: hrefs, or STRUCTs with `href` and optionally `metadata`, `band_index` and \
        `scaled`, which override the options. The files of all rows of a vector are read concurrently. A NULL source \
        has a NULL result. See [sources](parameters.md#sources).",
};

pub(super) const GEOMETRY: Parameter = Parameter {
    name: "geometry",
    value: GEOMETRY_VALUE,
    default: None,
    description: "GEOMETRY, WKB, WKT, EWKB, EWKT or GeoJSON, or a box (STRUCT with `xmin`, `ymin`, `xmax` and `ymax`, \
        or a list of these four numbers). See [geometry](parameters.md#geometry).",
};

/// The types of a geometry argument.
pub(super) const GEOMETRY_VALUE: ValueType = ValueType::Other("GEOMETRY, BLOB, VARCHAR, STRUCT or DOUBLE[4]");

/// The geometry of a function that reads the whole image without it.
pub(super) const OPTIONAL_GEOMETRY: Parameter = Parameter {
    default: Some("the whole image"),
    description: "A geometry or a box; see [geometry](parameters.md#geometry). If omitted or an untyped `NULL`, the \
        whole image is read; a [typed NULL](parameters.md#null-geometries) has a NULL result.",
    ..GEOMETRY
};

pub(super) const POINT: Parameter = Parameter {
    name: "point",
    description: "A point, in any form of a [geometry](parameters.md#geometry).",
    ..GEOMETRY
};

pub(super) const GEOMETRY_CRS: Parameter = Parameter {
    name: "geometry_crs",
    value: ValueType::Text,
    default: Some("'OGC:CRS84'"),
    description: "The CRS of the geometry: `EPSG:n`, `ESRI:n`, `OGC:CRS84`, WKT, a PROJ string, or `native` for the \
        CRS of the raster. By default the CRS of the geometry's type or value if it has one, else longitude and \
        latitude. See [CRS of a geometry](parameters.md#crs-of-a-geometry).",
};

pub(super) const BAND_INDEX: Parameter = Parameter {
    name: "band_index",
    value: ValueType::Integer,
    default: Some("0"),
    description: "The band, counted from 0. By default the band that the metadata is restricted to, else the first.",
};

/// The band of a plan.
pub(super) const PLANNED_BAND: Parameter = Parameter {
    default: Some("NULL"),
    description: "A band, counted from 0. For planar files, only the tiles of this band are returned.",
    ..BAND_INDEX
};

pub(super) fn band_index(options: &impl OptionValues) -> Result<Option<u32>> {
    options.integer(&BAND_INDEX, A_BAND)
}

/// The expected values of a band, for errors.
pub(super) const A_BAND: &str = "a band counted from 0";

pub(super) const BANDS: Parameter = Parameter {
    name: "bands",
    value: ValueType::Integers,
    default: None,
    description: "The bands, counted from 0, in the order of the result. By default all bands of the file.",
};

/// The bands of a row; None for all.
pub(super) fn bands(options: &impl OptionValues) -> Result<Option<Vec<u32>>> {
    options.wholes(&BANDS).map(|bands| bands_of(&bands)).transpose()
}

/// Maximum number of bands of a list: those that a TIFF can have.
const MAX_BANDS: usize = 65_535;

/// The bands of a list.
pub(super) fn bands_of(numbers: &[Option<i128>]) -> Result<Vec<u32>> {
    if numbers.is_empty() {
        return Err(Error::argument("bands: expected at least one band, found none"));
    }
    if numbers.len() > MAX_BANDS {
        let found = numbers.len();
        return Err(Error::argument(format!("bands: expected at most {MAX_BANDS} bands, found {found}")));
    }
    let band = |number: &Option<i128>| {
        let shown = number.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
        let wrong = || Error::argument(format!("bands: expected bands counted from 0, found {shown}"));
        number.and_then(|number| u32::try_from(number).ok()).ok_or_else(wrong)
    };
    numbers.iter().map(band).collect()
}

pub(super) const LEVEL: Parameter = Parameter {
    name: "level",
    value: ValueType::IntegerOrText,
    default: Some("0"),
    description: "The level of resolution: 0 is the full resolution, 1 the first overview. `'auto'` selects the \
        coarsest level whose pixels are at most 1 % larger than `resolution`, or the full resolution if there is none.",
};

/// The level of a plan, which does not accept a resolution.
pub(super) const PLANNED_LEVEL: Parameter = Parameter {
    value: ValueType::Integer,
    description: "The level of resolution: 0 is the full resolution, 1 the \
        first overview.",
    ..LEVEL
};

/// The expected values of a level, for errors.
pub(super) const A_LEVEL: &str = "a level counted from 0";

pub(super) const RESOLUTION: Parameter = Parameter {
    name: "resolution",
    value: ValueType::Number,
    default: None,
    description: "The desired pixel size for `level: 'auto'`, in units of the raster's CRS.",
};

/// Reads a level: a number, or `auto` with a resolution.
pub(super) fn level(options: &impl OptionValues) -> Result<LevelChoice> {
    let word = options.text(&LEVEL).map(|word| word.trim().to_owned());
    let number = match &word {
        // A named parameter that accepts a keyword or a number is passed as text.
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
        // The level is selected when the raster is known.
        (None, Some(word), None) if is_auto(word) && options.has(&GRID) => Ok(LevelChoice::Index(0)),
        (None, Some(word), None) if is_auto(word) => {
            Err(Error::argument("level 'auto': expected a resolution, found none"))
        }
        (None, Some(word), _) => {
            Err(Error::argument(format!("level: expected a level counted from 0, or 'auto', found '{word}'")))
        }
        (_, _, Some(_)) => Err(Error::argument("resolution: expected level 'auto', found another level")),
    }
}

pub(super) const MASKED: Parameter = Parameter {
    name: "masked",
    value: ValueType::Boolean,
    default: Some("true"),
    description: "Whether pixels are invalid where the internal mask or the alpha band marks them, in addition to \
        nodata.",
};

pub(super) fn masked(options: &impl OptionValues) -> bool {
    options.boolean(&MASKED).unwrap_or(true)
}

pub(super) const MASK: Parameter = Parameter {
    name: "mask",
    value: ValueType::Other("STRUCT(href, metadata, band_index, keep | drop | bits)"),
    default: None,
    description: "A second raster that excludes pixels, such as a scene classification: `href`, optionally `metadata` \
        and `band_index`, and one of `keep`, `drop` and `bits`. See [masks](parameters.md#masks).",
};

pub(super) const WEIGHTS: Parameter = Parameter {
    name: "weights",
    value: ValueType::Other("STRUCT(href, metadata, band_index)"),
    default: None,
    description: "A second raster of pixel weights, such as population or crop fraction: `href`, and optionally \
        `metadata` and `band_index`. It may have any grid and CRS: the weight of a pixel is that of the pixel that \
        contains its centre.",
};

pub(super) const SCALED: Parameter = Parameter {
    name: "scaled",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Whether the scale and offset in the metadata are applied: `value * scale + offset`. Values are \
        unchanged if the metadata has neither. See [scale and offset](parameters.md#scale-and-offset).",
};

pub(super) fn scaled(options: &impl OptionValues) -> bool {
    options.boolean(&SCALED).unwrap_or(false)
}

pub(super) const ON_ERROR: Parameter = Parameter {
    name: "on_error",
    value: ValueType::Text,
    default: Some("'fail'"),
    description: "`'fail'`: a file that cannot be read fails the query. `'null'`: its rows are NULL. See \
        [errors](parameters.md#errors).",
};

pub(super) fn on_error(options: &impl OptionValues) -> Result<Option<OnError>> {
    options.choice(&ON_ERROR, &[("null", OnError::Null), ("fail", OnError::Fail)])
}

pub(super) const METHOD: Parameter = Parameter {
    name: "method",
    value: ValueType::Text,
    default: Some("'coverage'"),
    description: "The weight of a pixel. `'coverage'`: the fraction of it that is covered. `'center'`: 1 if its \
        centre is covered. `'all_touched'`: 1 if any part of it is touched. The latter two select the same pixels as \
        rasterio.",
};

pub(super) fn method(options: &impl OptionValues) -> Result<zonal::Method> {
    let choices = [
        ("coverage", zonal::Method::Fraction),
        ("center", zonal::Method::Center),
        ("all_touched", zonal::Method::AllTouched),
    ];
    Ok(options.choice(&METHOD, &choices)?.unwrap_or(zonal::Method::Fraction))
}

pub(super) const GRID: Parameter = Parameter {
    name: "grid",
    value: ValueType::Other("STRUCT(crs, resolution | transform, width, height) or STRUCT(match)"),
    default: None,
    description: "The grid that pixels are resampled to: `{crs, resolution}`, `{match: metadata}` or `{crs, transform, \
        width, height}`. See [grids](parameters.md#grids).",
};

/// The level of a function with the option `grid`.
pub(super) const GRID_LEVEL: Parameter = Parameter {
    description: "The level of resolution: 0 is the full resolution, 1 the first overview. `'auto'` selects the \
        coarsest level whose pixels are at most 1 % larger than `resolution`, or the full resolution if there is none. \
        With a `grid`, `'auto'` is the default, and refers to the pixels of the grid.",
    ..LEVEL
};

pub(super) const GRID_RESAMPLING: Parameter = Parameter {
    name: "resampling",
    value: ValueType::Text,
    default: Some("'bilinear'"),
    description: "`'nearest'`, the default for rasters with a color table; `'bilinear'`, the default for others; \
        `'cubic'`, `'average'`, `'mode'`, `'min'` or `'max'`. See [resampling](parameters.md#resampling).",
};

/// The resampling method of a pixel table.
pub(super) const TABLE_RESAMPLING: Parameter = Parameter {
    default: None,
    description: "How rasters are resampled to the grid, as in `cog_read`: by default `'nearest'` for rasters with a \
        color table, and `'bilinear'` for others. Without a `grid`, rasters whose pixels are those of the first one, or \
        coarser ones aligned with them, such as 20 m with 10 m, have their own values unless a method is named. See \
        [resampling](parameters.md#resampling).",
    ..GRID_RESAMPLING
};

/// The names of resampling methods.
const RESAMPLINGS: [(&str, Resampling); 7] = [
    ("nearest", Resampling::Nearest),
    ("bilinear", Resampling::Bilinear),
    ("cubic", Resampling::Cubic),
    ("average", Resampling::Average),
    ("mode", Resampling::Mode),
    ("min", Resampling::Min),
    ("max", Resampling::Max),
];

/// The resampling method of a grid; None for the default of the raster.
pub(super) fn grid_resampling(options: &impl OptionValues) -> Result<Option<Resampling>> {
    options.choice(&GRID_RESAMPLING, &RESAMPLINGS)
}

/// A resampling method by name.
pub(super) fn resampling_named(name: &str) -> Result<Resampling> {
    choose(&GRID_RESAMPLING, name, &RESAMPLINGS)
}

/// How several sources become one image.
pub(super) const COMPOSITE: Parameter = Parameter {
    name: "method",
    value: ValueType::Text,
    default: Some("'first'"),
    description: "How the valid values of a pixel are combined: `'first'` or `'last'` in the order of the sources, \
        `'min'`, `'max'`, `'mean'`, `'median'`, `'count'`, or `'stddev'` of the population.",
};

/// The method of an image; None for the default.
pub(super) fn composite(options: &impl OptionValues) -> Result<Option<Composite>> {
    let methods = [
        ("first", Composite::First),
        ("last", Composite::Last),
        ("min", Composite::Min),
        ("max", Composite::Max),
        ("mean", Composite::Mean),
        ("median", Composite::Median),
        ("count", Composite::Count),
        ("stddev", Composite::Stddev),
    ];
    options.choice(&COMPOSITE, &methods)
}

/// The options for resampling to a grid; None without a grid.
pub(super) fn warp_options(
    options: &impl OptionValues,
    grid: Option<&GridChoice>,
    window: WindowOptions,
) -> Result<Option<WarpOptions>> {
    let resampling = grid_resampling(options)?;
    let Some(grid) = grid else {
        return match resampling {
            Some(_) => Err(Error::argument("resampling: expected a grid with it, found none")),
            None => Ok(None),
        };
    };
    let WindowOptions { scaled, all_touched } = window;
    Ok(Some(WarpOptions {
        grid: grid.clone(),
        resampling,
        auto_level: is_grid_level(options)?,
        scaled,
        all_touched,
        turns: true,
    }))
}

/// The level of a function whose result always has a grid.
pub(super) const IMAGE_LEVEL: Parameter = Parameter {
    default: Some("'auto'"),
    description: "The level of resolution of all sources: 0 is the full resolution, 1 the first overview. `'auto'` \
        selects, for each source, the coarsest level whose pixels are at most 1 % larger than those of the grid. Without \
        a `grid`, the grid is that of this level of the first source, by default of its full resolution.",
    ..LEVEL
};

/// Reads the level of a function whose result always has a grid. The level is selected
/// when the raster is known.
pub(super) fn image_level<'a>(options: &RowOptions<'a>) -> Result<LevelChoice> {
    match options.text(&LEVEL) {
        Some(word) if word.trim().eq_ignore_ascii_case("auto") => Ok(LevelChoice::Index(0)),
        _ => level(options),
    }
}

/// Whether the level is that of the grid's pixels.
pub(super) fn is_grid_level(options: &impl OptionValues) -> Result<bool> {
    let has_number = match options.text(&LEVEL) {
        Some(word) => word.trim().parse::<u32>().is_ok(),
        None => options.integer::<u32>(&LEVEL, A_LEVEL)?.is_some(),
    };
    Ok(!has_number && options.number(&RESOLUTION).is_none())
}

pub(super) const RESAMPLING: Parameter = Parameter {
    name: "resampling",
    value: ValueType::Text,
    default: Some("'nearest'"),
    description: "`'nearest'`, `'bilinear'` or `'cubic'` (Catmull-Rom), computed as in GDAL's warper. `'bilinear'` \
        uses only the valid ones of the four nearest pixels. `'cubic'` falls back to `'bilinear'` unless all sixteen \
        pixels around the point are valid and inside the image. The result is NULL if the pixel that contains the \
        point is invalid.",
};

pub(super) fn interpolation(options: &impl OptionValues) -> Result<Interpolation> {
    let choices =
        [("nearest", Interpolation::Nearest), ("bilinear", Interpolation::Bilinear), ("cubic", Interpolation::Cubic)];
    Ok(options.choice(&RESAMPLING, &choices)?.unwrap_or(Interpolation::Nearest))
}

pub(super) const MAX_DISTANCE: Parameter = Parameter {
    name: "max_distance_pixels",
    value: ValueType::Integer,
    default: Some("0"),
    description: "The search distance for a valid pixel if the pixel that contains the point is invalid: rings of \
        pixels around it are searched outwards, and the nearest valid pixel of the first ring that has one is used. \
        At most 4,096 in rasters of more than 67 million pixels.",
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
