//! `cog_values(href, metadata, point [, options])`: the values of several bands at a point.

use rasteret_io::Session;

use super::cog_value;
use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::params;
use crate::functions::sources::{self, SourceArguments};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_values",
    kind: Kind::Scalar,
    signatures: &[
        "cog_values(href VARCHAR, metadata STRUCT(…), point ANY) -> DOUBLE[]",
        "cog_values(href VARCHAR, metadata STRUCT(…), point ANY, options STRUCT(…)) -> DOUBLE[]",
        "cog_values(sources ANY, point ANY) -> DOUBLE[][]",
        "cog_values(sources ANY, point ANY, options STRUCT(…)) -> DOUBLE[][]",
    ],
    description: "Returns the values of several bands at a point, like `rasterio.sample`. Use it for rasters of \
        embeddings, for example. Each value is that of `cog_value` for the band. Tiles that contain all bands are \
        fetched and decoded once.",
    parameters: &[params::HREF, params::METADATA, params::SOURCES, params::POINT],
    options: &[
        params::GEOMETRY_CRS,
        params::BANDS,
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        params::SCALED,
        params::ON_ERROR,
        params::RESAMPLING,
        params::MAX_DISTANCE,
    ],
    returns: "One value per band, NULL if the point is outside the image, or the pixel is nodata or masked. NULL for \
        NULL, and for a file that is skipped by `on_error`. For a list of sources, a list with one list per source.",
    examples: &[
        Example {
            sql: "SELECT cog_values('test/data/rgba.tif', NULL, 'POINT(500015 4599985)', {geometry_crs: 'native'}) AS values",
            result: "[17.0, 10.0, 20.0, 255.0]",
        },
        Example {
            sql: "SELECT cog_values('test/data/rgba.tif', NULL, 'POINT(500015 4599985)', {geometry_crs: 'native', bands: [2, 0]}) AS values",
            result: "[20.0, 17.0]",
        },
    ],
};

/// The scalar function.
pub(crate) struct CogValues;

impl ScalarFunction for CogValues {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let returns = || LogicalType::list(&LogicalType::of(TypeId::Double));
        sources::signatures(0, returns)
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let Some(call) = SourceArguments::new(arguments, 0, DOC.options)? else {
            return sources::write_nulls(&mut output, arguments.rows());
        };
        let of_sources =
            call.resolve(session, |source| Ok((cog_value::value_options(source)?, params::bands(&source.options)?)))?;
        let with_bands = of_sources.into_iter().map(|of_source| {
            let (resolved, (options, bands)) = of_source?;
            let bands = bands.unwrap_or_else(|| (0..resolved.request.file.header().bands().count.into()).collect());
            Some((resolved, options, bands))
        });
        let with_bands: Vec<Option<(_, _, Vec<u32>)>> = with_bands.collect();
        let lengths: Vec<_> = with_bands.iter().map(|row| row.as_ref().map(|(_, _, bands)| bands.len())).collect();
        let values = session.band_values(&with_bands)?;
        call.write(&mut output, |writer| writer.lists(&lengths)?.values(values))
    }
}
