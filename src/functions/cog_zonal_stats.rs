//! `cog_zonal_stats(href, metadata, geometry [, options])`: statistics of the pixels that a geometry covers.

use rasteret_cog::coverage::Statistics;
use rasteret_io::Session;
use rasteret_io::reads::ZoneOptions;

use super::asks::{self, Geometries, Sources};
use super::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::geometry::GeometryReader;
use crate::options::{OptionKey, OptionKind, Options};
use crate::schema::{Field, plain};
use crate::vector::{Arguments, ScalarFunction, Signature, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "cog_zonal_stats",
    kind: Kind::Scalar,
    signatures: &[
        "cog_zonal_stats(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(…)",
        "cog_zonal_stats(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)",
        "cog_zonal_stats(sources ANY, geometry ANY) -> STRUCT(…)[]",
        "cog_zonal_stats(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)[]",
    ],
    description: "Statistics of the pixels that a geometry covers, each pixel weighted by the exact fraction of it that is covered, \
        as exactextract has them: polygons smaller than a pixel have an answer, and zones that share a border share its pixels. \
        Lines weigh by their length in each pixel, points by one. Where polygons of a multipolygon overlap, each of them counts, as in exactextract: \
        merge them first (with `ST_Union_Agg` of the spatial extension) to count their area once. Rows of one query share tiles, and the coverage of a geometry \
        is computed once for all bands and dates of a grid. NaN never counts, nor do nodata and masked pixels.",
    parameters: &[
        asks::HREF,
        asks::METADATA,
        asks::SOURCES,
        super::cog_tiles_for_geometry::GEOMETRY,
        asks::GEOMETRY_CRS_OPTION,
        asks::BAND_INDEX_OPTION,
        asks::LEVEL_OPTION,
        asks::RESOLUTION_OPTION,
        asks::MASKED_OPTION,
        asks::SCALED_OPTION,
        asks::METHOD_OPTION,
        asks::ON_ERROR_OPTION,
    ],
    returns: "`count` (the sum of weights), `sum`, `mean`, `min`, `max`, `stddev` and `variance` (of the population). A zone \
        without valid pixels has count 0 and NULL for the rest; NULL for NULL. Of a LIST of sources, one STRUCT for each, in order.",
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

/// The options of all functions of zones.
pub(super) const OPTIONS: &[OptionKey] = &[
    asks::GEOMETRY_CRS,
    asks::BAND_INDEX,
    asks::LEVEL,
    asks::RESOLUTION,
    asks::MASKED,
    asks::SCALED,
    asks::ON_ERROR,
    OptionKey { name: asks::METHOD_OPTION.name, kind: OptionKind::Text },
];

/// The fields of the answer.
const STATISTICS: &[Field<Statistics>] = &[
    Field { name: "count", cell: plain!(Double, |zone| Some(zone.count)) },
    Field { name: "sum", cell: plain!(Double, |zone| Some(zone.values?.sum)) },
    Field { name: "mean", cell: plain!(Double, |zone| Some(zone.values?.mean)) },
    Field { name: "min", cell: plain!(Double, |zone| Some(zone.values?.min)) },
    Field { name: "max", cell: plain!(Double, |zone| Some(zone.values?.max)) },
    Field { name: "stddev", cell: plain!(Double, |zone| Some(zone.values?.stddev)) },
    Field { name: "variance", cell: plain!(Double, |zone| Some(zone.values?.variance)) },
];

/// The scalar function.
pub(super) struct CogZonalStats;

impl ScalarFunction for CogZonalStats {
    const NAME: &'static str = "cog_zonal_stats";

    fn signatures() -> Vec<Signature> {
        let returns = || Field::struct_of(STATISTICS);
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
                zone_options(&options, row, scaled)
            })?;
            let statistics = session.zonal_statistics(&asked)?;
            let statistics: Vec<_> = statistics.iter().map(Option::as_ref).collect();
            return Field::write_struct(STATISTICS, &mut output.lists(&lengths)?, &statistics);
        }
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(2)?)?);
        let options = Options::new(arguments.optional(3), OPTIONS)?;
        let asked = asks::read(session, arguments, &geometries, &options, |row| zone_options(&options, row, None))?;
        let statistics = session.zonal_statistics(&asked)?;
        Field::write_struct(STATISTICS, &mut output, &statistics.iter().map(Option::as_ref).collect::<Vec<_>>())
    }
}

/// How a row's pixels become numbers; `scaled` of a source takes the place of the option.
pub(super) fn zone_options(options: &Options<'_>, row: usize, scaled: Option<bool>) -> Result<ZoneOptions> {
    let method = asks::method_of(options.text(asks::METHOD_OPTION.name, row))?;
    let scaled = scaled.or_else(|| options.boolean(asks::SCALED.name, row)).unwrap_or(false);
    Ok(ZoneOptions { method, scaled })
}
