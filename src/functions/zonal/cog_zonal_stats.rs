//! `cog_zonal_stats(href, metadata, geometry [, options])`: statistics of the pixels covered by a geometry.

use rasteret_cog::zonal::Statistics;
use rasteret_io::Session;
use rasteret_io::query::ZoneOptions;

use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::params;
use crate::functions::sources::{self, Source, SourceArguments};
use crate::schema::{Field, field, plain};
use crate::vector::{Arguments, ScalarFunction, Signature, Writer};

static DOC: Documentation = Documentation {
    name: "cog_zonal_stats",
    kind: Kind::Scalar,
    signatures: &[
        "cog_zonal_stats(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(…)",
        "cog_zonal_stats(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)",
        "cog_zonal_stats(sources ANY, geometry ANY) -> STRUCT(…)[]",
        "cog_zonal_stats(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)[]",
    ],
    description: "Computes statistics of the pixels covered by a geometry, weighted by the exact fraction of each \
        pixel that is covered. The results agree with exactextract: polygons smaller than a pixel have a result, and \
        zones with a common border share the pixels on it. Pixels of lines are weighted by the length of the line in \
        the pixel, pixels of points by one. Where polygons of a multipolygon overlap, each of them counts, as in \
        exactextract: merge them first (with `ST_Union_Agg` of the spatial extension) to count the area once. Rows of \
        a query share tiles, and the coverage of a geometry is computed once for all bands and dates on the same \
        grid. NaN, nodata and masked pixels do not count.",
    parameters: &[params::HREF, params::METADATA, params::SOURCES, params::GEOMETRY],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        params::SCALED,
        params::METHOD,
        params::WEIGHTS,
        params::ON_ERROR,
    ],
    returns: "`count` (the sum of the weights), `sum`, `mean`, `min`, `max`, `stddev` and `variance` (of the \
        population). With `weights`, also `weighted_sum`, `weighted_mean`, `weighted_stddev` and `weighted_variance` \
        as defined by exactextract, else NULL: they are NULL if a valid pixel has no weight, and all except the sum \
        are NULL if the weights add up to 0. For a zone without valid pixels, `count` is 0 and the rest NULL. NULL \
        for NULL. For a list of sources, a list with one STRUCT per source.",
    examples: &[
        Example {
            sql: "SELECT z.count, z.sum, z.mean, z.min, z.max FROM (SELECT cog_zonal_stats('test/data/cog.tif', NULL, \
                  'POLYGON((500010 4599980, 500025 4599980, 500025 4599990, 500010 4599990, 500010 4599980))', \
                  {geometry_crs: 'native'}) AS z)",
            result: "1.5\t98.0\t65.33333333333333\t65.0\t66.0",
        },
        Example {
            sql: "SELECT z.count, z.mean FROM (SELECT cog_zonal_stats('test/data/cog.tif', cog_metadata('test/data/cog.tif'), \
                  'POLYGON((500010 4599980, 500025 4599980, 500025 4599990, 500010 4599990, 500010 4599980))', \
                  {geometry_crs: 'native', method: 'all_touched'}) AS z)",
            result: "2.0\t65.5",
        },
        Example {
            sql: "SELECT z.count, z.mean FROM (SELECT cog_zonal_stats('test/data/cog.tif', NULL, {xmin: 500010, ymin: 4599980, \
                  xmax: 500025, ymax: 4599990}, {geometry_crs: 'native'}) AS z)",
            result: "1.5\t65.33333333333333",
        },
        Example {
            sql: "SELECT [z.mean FOR z IN cog_zonal_stats([{href: 'test/data/cog.tif', metadata: cog_metadata('test/data/cog.tif')}, \
                  {href: 'test/data/cog_b.tif', metadata: NULL}], {xmin: 500010, ymin: 4599980, xmax: 500025, ymax: 4599990}, \
                  {geometry_crs: 'native'})] AS series",
            result: "[65.33333333333333, 196.0]",
        },
    ],
};

/// The options of zonal functions without weights.
pub(super) const OPTIONS: &[Parameter] = &[
    params::GEOMETRY_CRS,
    params::BAND_INDEX,
    params::LEVEL,
    params::RESOLUTION,
    params::MASKED,
    params::MASK,
    params::SCALED,
    params::METHOD,
    params::ON_ERROR,
];

/// The fields of the result.
const STATISTICS: &[Field<Statistics>] = &[
    field("count", plain!(Double, |zone| Some(zone.count))),
    field("sum", plain!(Double, |zone| Some(zone.values?.sum))),
    field("mean", plain!(Double, |zone| Some(zone.values?.mean))),
    field("min", plain!(Double, |zone| Some(zone.values?.min))),
    field("max", plain!(Double, |zone| Some(zone.values?.max))),
    field("stddev", plain!(Double, |zone| Some(zone.values?.stddev))),
    field("variance", plain!(Double, |zone| Some(zone.values?.variance))),
    field("weighted_sum", plain!(Double, |zone| Some(zone.weighted?.sum))),
    field("weighted_mean", plain!(Double, |zone| zone.weighted?.mean)),
    field("weighted_stddev", plain!(Double, |zone| Some(zone.weighted?.variance?.sqrt()))),
    field("weighted_variance", plain!(Double, |zone| zone.weighted?.variance)),
];

/// The scalar function.
pub(crate) struct CogZonalStats;

impl ScalarFunction for CogZonalStats {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let returns = || Field::struct_of(STATISTICS);
        sources::signatures(0, returns)
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let Some(call) = SourceArguments::new(arguments, 0, DOC.options)? else {
            return sources::write_nulls(&mut output, arguments.rows());
        };
        let zones = session.zonal_statistics(&call.resolve(session, zone_options)?)?;
        let zones: Vec<_> = zones.iter().map(Option::as_ref).collect();
        call.write(&mut output, |writer| Field::write_struct(STATISTICS, writer, &zones))
    }
}

/// The zonal options of a source.
pub(super) fn zone_options(source: &Source<'_>) -> Result<ZoneOptions> {
    Ok(ZoneOptions { method: params::method(&source.options)?, scaled: source.scaled() })
}
