//! `cog_zonal_quantiles(href, metadata, geometry, quantiles [, options])`: medians and other quantiles of the pixels that a geometry covers.

use rasteret_io::Session;
use rasteret_io::reads::ZoneOptions;

use super::asks::{self, Geometries};
use super::cog_zonal_stats;
use super::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::Options;
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "cog_zonal_quantiles",
    kind: Kind::Scalar,
    signatures: &[
        "cog_zonal_quantiles(href VARCHAR, metadata STRUCT(…), geometry ANY, quantiles DOUBLE[]) -> DOUBLE[]",
        "cog_zonal_quantiles(href VARCHAR, metadata STRUCT(…), geometry ANY, quantiles DOUBLE[], options STRUCT(…)) -> DOUBLE[]",
    ],
    description: "Medians and other quantiles of the pixels that a geometry covers, each pixel weighted by the fraction of it that is \
        covered. Quantiles are defined and interpolated as in exactextract, which truncates those of integer bands to integers; here they \
        are not truncated. Pixels count as in `cog_zonal_stats`.",
    parameters: &[
        asks::HREF,
        asks::METADATA,
        super::cog_tiles_for_geometry::GEOMETRY,
        Parameter {
            name: "quantiles",
            kind: "DOUBLE[]",
            default: None,
            description: "Numbers from 0 to 1: 0.5 is the median, 0 the minimum and 1 the maximum.",
        },
        asks::GEOMETRY_CRS_OPTION,
        asks::BAND_INDEX_OPTION,
        asks::LEVEL_OPTION,
        asks::RESOLUTION_OPTION,
        asks::MASKED_OPTION,
        asks::SCALED_OPTION,
        asks::METHOD_OPTION,
        asks::ON_ERROR_OPTION,
    ],
    returns: "One number for each of `quantiles`, in their order; NULL for each where the zone has no valid pixels, and for a NULL among them. A \
        zone of more than 16,777,216 distinct values is an error.",
    examples: &[
        Example {
            sql: "SELECT cog_zonal_quantiles('test/data/cog.tif', NULL, \
                  'POLYGON((500010 4599980, 500025 4599980, 500025 4599990, 500010 4599990, 500010 4599980))', [0, 0.5, 1], \
                  {geometry_crs: 'native'}) AS quantiles",
            result: "[65.0, 65.5, 66.0]",
        },
        Example {
            sql: "SELECT cog_zonal_quantiles('test/data/cog.tif', cog_metadata('test/data/cog.tif'), {xmin: 500010, ymin: 4599980, \
                  xmax: 500025, ymax: 4599990}, [0.5], {geometry_crs: 'native', method: 'all_touched'})[1] AS median",
            result: "65.5",
        },
    ],
};

/// The scalar function.
pub(super) struct CogZonalQuantiles;

impl ScalarFunction for CogZonalQuantiles {
    const NAME: &'static str = "cog_zonal_quantiles";

    fn signatures() -> Vec<Signature> {
        let any = || LogicalType::of(TypeId::Any);
        let numbers = || LogicalType::list(&LogicalType::of(TypeId::Double));
        let required = || vec![LogicalType::varchar(), any(), any(), numbers()];
        let with_options = [required(), vec![any()]].into_iter().flatten().collect();
        [required(), with_options].map(|parameters| Signature { parameters, returns: numbers() }).into()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(2)?)?);
        let quantiles = arguments.required(3)?;
        let options = Options::new(arguments.optional(4), cog_zonal_stats::OPTIONS)?;
        let asked = asks::read(session, arguments, &geometries, &options, |row| {
            Ok((cog_zonal_stats::zone_options(&options, row, None)?, shares(quantiles, row)?))
        })?;
        let mut zones = Vec::with_capacity(asked.len());
        let mut wanted = Vec::with_capacity(asked.len());
        for row in asked {
            // A NULL instead of quantiles has no zone.
            let row = row.and_then(|(asked, (options, shares))| Some((asked, options, shares?)));
            zones.push(row.as_ref().map(|(asked, options, _)| (asked.clone(), *options)) as Option<(_, ZoneOptions)>);
            wanted.push(row.map(|(_, _, shares)| shares));
        }
        let histograms = session.zonal_histograms(&zones)?;
        let lists: Vec<Option<Vec<Option<f64>>>> = histograms
            .iter()
            .zip(wanted)
            .map(|(histogram, wanted)| {
                let (histogram, wanted) = (histogram.as_ref()?, wanted?);
                let mut found = histogram.quantiles(&wanted.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
                Some(wanted.iter().map(|share| share.and_then(|_| found.next().flatten())).collect())
            })
            .collect();
        let lengths: Vec<_> = lists.iter().map(|list| list.as_ref().map(Vec::len)).collect();
        output.lists(&lengths)?.values(lists.into_iter().flatten().flatten())
    }
}

/// The quantiles that a row names; None for NULL.
fn shares(quantiles: &Reader<'_>, row: usize) -> Result<Option<Vec<Option<f64>>>> {
    if quantiles.is_null(row) {
        return Ok(None);
    }
    let Some((range, numbers)) = quantiles.list(row) else {
        return Ok(None);
    };
    let share = |at: usize| match numbers.number(at) {
        Some(share) if !(0.0..=1.0).contains(&share) => {
            Err(Error::argument(format!("quantiles: expected numbers from 0 to 1, found {share}")))
        }
        share => Ok(share.filter(|_| !numbers.is_null(at))),
    };
    range.map(share).collect::<Result<_>>().map(Some)
}
