//! `cog_value(href, metadata, point [, options])`: the value at a point.

use rasteret_cog::pixel::ValueOptions;
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::params;
use crate::functions::sources::{self, Source, SourceArguments};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_value",
    kind: Kind::Scalar,
    signatures: &[
        "cog_value(href VARCHAR, metadata STRUCT(…), point ANY) -> DOUBLE",
        "cog_value(href VARCHAR, metadata STRUCT(…), point ANY, options STRUCT(…)) -> DOUBLE",
        "cog_value(sources ANY, point ANY) -> DOUBLE[]",
        "cog_value(sources ANY, point ANY, options STRUCT(…)) -> DOUBLE[]",
    ],
    description: "Returns the value of a raster at a point, either of the pixel that contains it or interpolated. \
        Nodata and masked pixels are excluded from interpolation, and the remaining weights are normalized. Rows of a \
        query share tiles: each tile is fetched and decoded once.",
    parameters: &[params::HREF, params::METADATA, params::SOURCES, params::POINT],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        params::SCALED,
        params::ON_ERROR,
        params::RESAMPLING,
        params::MAX_DISTANCE,
    ],
    returns: "The value, or NULL if the point is outside the image, empty or NULL, or the pixel is nodata or masked. \
        Points outside the domain of the raster's CRS are outside the image. If a point corresponds to several \
        pixels, on the antimeridian or in a raster wider than the world, the westernmost one is used. For a list of \
        sources, a list with one value per source.",
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

/// The scalar function.
pub(crate) struct CogValue;

impl ScalarFunction for CogValue {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let returns = || LogicalType::of(TypeId::Double);
        sources::signatures(0, returns)
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let Some(call) = SourceArguments::new(arguments, 0, DOC.options)? else {
            return sources::write_nulls(&mut output, arguments.rows());
        };
        let values = session.values(&call.resolve(session, value_options)?)?;
        call.write(&mut output, |writer| writer.values(values))
    }
}

/// The sampling options of a source.
pub(super) fn value_options(source: &Source<'_>) -> Result<ValueOptions> {
    Ok(ValueOptions {
        interpolation: params::interpolation(&source.options)?,
        max_distance_pixels: params::max_distance(&source.options)?,
        scaled: source.scaled(),
    })
}
