//! `cog_value(href, metadata, point [, options])`: the value at a point.

use rasteret_cog::pixel::{Resampling, ValueOptions};
use rasteret_io::Session;

use super::asks::{self, Geometries, Sources};
use super::cog_tiles_for_geometry::GEOMETRY_KINDS;
use super::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::{OptionKey, OptionKind, Options};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "cog_value",
    kind: Kind::Scalar,
    signatures: &[
        "cog_value(href VARCHAR, metadata STRUCT(…), point ANY) -> DOUBLE",
        "cog_value(href VARCHAR, metadata STRUCT(…), point ANY, options STRUCT(…)) -> DOUBLE",
        "cog_value(sources ANY, point ANY) -> DOUBLE[]",
        "cog_value(sources ANY, point ANY, options STRUCT(…)) -> DOUBLE[]",
    ],
    description: "The value at a point: of the pixel that holds it, or interpolated from those around it. Nodata and masked pixels are \
        never blended in: what remains is weighed anew. Rows of one query share tiles: each is fetched and decoded once.",
    parameters: &[
        asks::HREF,
        asks::METADATA,
        asks::SOURCES,
        POINT,
        asks::GEOMETRY_CRS_OPTION,
        asks::BAND_INDEX_OPTION,
        asks::LEVEL_OPTION,
        asks::RESOLUTION_OPTION,
        asks::MASKED_OPTION,
        asks::SCALED_OPTION,
        asks::ON_ERROR_OPTION,
        RESAMPLING_OPTION,
        MAX_DISTANCE_OPTION,
    ],
    returns: "The value; NULL outside the image, on nodata, where masked, and for NULL. Points that the raster's CRS does not reach are outside, \
        empty points are NULL. Of several pixels for one point, on the antimeridian or where a raster is wider than the world, it is \
        that of the westernmost one. Of a LIST of sources, one value for each, in order.",
    examples: &[
        Example {
            sql: "SELECT cog_value('test/data/cog.tif', NULL, 'POINT(500015 4599985)', {geometry_crs: 'native'}) AS value",
            result: "65.0",
        },
        Example {
            sql: "SELECT cog_value('test/data/cog.tif', cog_metadata('test/data/cog.tif'), 'POINT(500020 4599980)', \
                  {geometry_crs: 'native', resampling: 'bilinear'}) AS value",
            result: "97.5",
        },
        Example {
            sql: "SELECT cog_value('test/data/cog.tif', NULL, 'POINT(500001 4599998)', {geometry_crs: 'native'}) AS nodata, \
                  cog_value('test/data/cog.tif', NULL, 'POINT(500001 4599998)', {geometry_crs: 'native', max_distance_pixels: 1}) AS near",
            result: "NULL\t64.0",
        },
        Example {
            sql: "SELECT href, cog_value(href, NULL, 'POINT(500015 4599985)', {geometry_crs: 'native', on_error: 'null'}) AS value \
                  FROM (VALUES ('test/data/cog.tif'), ('test/data/not_a_tiff.tif')) AS files(href)",
            result: "test/data/cog.tif\t65.0\ntest/data/not_a_tiff.tif\tNULL",
        },
        Example {
            sql: "SELECT cog_value(['test/data/cog.tif', 'test/data/cog_b.tif'], 'POINT(500015 4599985)', {geometry_crs: 'native'}) AS series",
            result: "[65.0, 195.0]",
        },
    ],
};

pub(super) const RESAMPLING: OptionKey = OptionKey { name: "resampling", kind: OptionKind::Text };
pub(super) const MAX_DISTANCE: OptionKey = OptionKey { name: "max_distance_pixels", kind: OptionKind::Integer };

/// The documentation of a point.
pub(super) const POINT: Parameter = Parameter {
    name: "point",
    kind: GEOMETRY_KINDS,
    default: None,
    description: "A point, in any form of a geometry that `cog_tiles_for_geometry` accepts.",
};

/// The documentation of the options of values.
pub(super) const RESAMPLING_OPTION: Parameter = Parameter {
    name: RESAMPLING.name,
    kind: "option, VARCHAR",
    default: Some("'nearest'"),
    description: "`'nearest'`, `'bilinear'` or `'cubic'` (Catmull-Rom), as GDAL's warper computes them. `'bilinear'` weighs the valid \
            ones of the four pixels around the point anew. `'cubic'` needs all sixteen pixels around it to be valid and inside the \
            image; where one is not, the value is the bilinear one. NULL where the pixel that contains the point is invalid.",
};
pub(super) const MAX_DISTANCE_OPTION: Parameter = Parameter {
    name: MAX_DISTANCE.name,
    kind: "option, INTEGER",
    default: Some("0"),
    description: "How many pixels away a valid pixel is looked for where the one that holds the point is invalid: in rings \
            around it, the nearest of the first ring that has one. At most 4,096 in rasters of more than 67 million pixels.",
};

/// The options.
const OPTIONS: &[OptionKey] = &[
    asks::GEOMETRY_CRS,
    asks::BAND_INDEX,
    asks::LEVEL,
    asks::RESOLUTION,
    asks::MASKED,
    asks::SCALED,
    asks::ON_ERROR,
    RESAMPLING,
    MAX_DISTANCE,
];

/// The scalar function.
pub(super) struct CogValue;

impl ScalarFunction for CogValue {
    const NAME: &'static str = "cog_value";

    fn signatures() -> Vec<Signature> {
        let returns = || LogicalType::of(TypeId::Double);
        asks::signatures(returns).into_iter().chain(asks::list_signatures(returns)).collect()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        if asks::is_bare_null(arguments)? {
            return output.lists(&vec![None; arguments.rows()]).map(|_| ());
        }
        if asks::is_list_form(arguments)? {
            let geometries = Geometries::Each(GeometryReader::new(arguments.required(1)?)?);
            let options = Options::new(arguments.optional(2), OPTIONS)?;
            let (sources, lengths) = Sources::of_lists(arguments, &geometries)?;
            let asked = asks::read_sources(session, &sources, &geometries, &options, |row, scaled| {
                value_options(&options, row, scaled)
            })?;
            let values = session.values(&asked)?;
            return output.lists(&lengths)?.values(values);
        }
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(2)?)?);
        let options = Options::new(arguments.optional(3), OPTIONS)?;
        let asked = asks::read(session, arguments, &geometries, &options, |row| value_options(&options, row, None))?;
        output.values(session.values(&asked)?)
    }
}

/// How the value of a row is found; `scaled` of a source takes the place of the option.
pub(super) fn value_options(options: &Options<'_>, row: usize, scaled: Option<bool>) -> Result<ValueOptions> {
    Ok(ValueOptions {
        resampling: resampling_of(options.text(RESAMPLING.name, row))?,
        max_distance_pixels: options.integer(MAX_DISTANCE.name, "a number of pixels from 0", row)?.unwrap_or(0),
        scaled: scaled.or_else(|| options.boolean(asks::SCALED.name, row)).unwrap_or(false),
    })
}

fn resampling_of(name: Option<&str>) -> Result<Resampling> {
    match name {
        None => Ok(Resampling::Nearest),
        Some(name) if name.eq_ignore_ascii_case("nearest") => Ok(Resampling::Nearest),
        Some(name) if name.eq_ignore_ascii_case("bilinear") => Ok(Resampling::Bilinear),
        Some(name) if name.eq_ignore_ascii_case("cubic") => Ok(Resampling::Cubic),
        Some(name) => {
            Err(Error::argument(format!("resampling: expected 'nearest', 'bilinear' or 'cubic', found '{name}'")))
        }
    }
}
