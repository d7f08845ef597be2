//! `cog_zonal_quantiles(href, metadata, geometry, quantiles [, options])`: the median and other quantiles of the pixels
//! covered by a geometry.

use rasteret_io::Session;

use super::cog_zonal_stats;
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::functions::sources::{self, Source, SourceArguments};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_zonal_quantiles",
    kind: Kind::Scalar,
    signatures: &[
        "cog_zonal_quantiles(href VARCHAR, metadata STRUCT(…), geometry ANY, quantiles DOUBLE[]) -> DOUBLE[]",
        "cog_zonal_quantiles(href VARCHAR, metadata STRUCT(…), geometry ANY, quantiles DOUBLE[], options STRUCT(…)) -> DOUBLE[]",
        "cog_zonal_quantiles(sources ANY, geometry ANY, quantiles DOUBLE[]) -> DOUBLE[][]",
        "cog_zonal_quantiles(sources ANY, geometry ANY, quantiles DOUBLE[], options STRUCT(…)) -> DOUBLE[][]",
    ],
    description: "Computes the median and other quantiles of the pixels covered by a geometry, weighted by the \
        fraction of each pixel that is covered. Quantiles are defined and interpolated as in exactextract, but those \
        of integer bands are not truncated to integers. Pixels count as in `cog_zonal_stats`.",
    parameters: &[params::HREF, params::METADATA, params::SOURCES, params::GEOMETRY, QUANTILES],
    options: cog_zonal_stats::OPTIONS,
    returns: "One number per element of `quantiles`, NULL for a NULL element, and for all if the zone has no valid \
        pixels. A zone with more than 16,777,216 distinct values is an error. For a list of sources, a list with one \
        list per source.",
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
        Example {
            sql: "SELECT cog_zonal_quantiles(['test/data/cog.tif', 'test/data/cog_b.tif'], {xmin: 500010, ymin: 4599980, \
                  xmax: 500025, ymax: 4599990}, [0.5], {geometry_crs: 'native'}) AS medians",
            result: "[[65.5], [196.5]]",
        },
    ],
};

const QUANTILES: Parameter = Parameter {
    name: "quantiles",
    value: ValueType::Numbers,
    default: None,
    description: "Numbers from 0 to 1: 0.5 is the median, 0 the minimum and 1 the maximum.",
};

/// The scalar function.
pub(crate) struct CogZonalQuantiles;

impl ScalarFunction for CogZonalQuantiles {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        sources::signatures(1, || LogicalType::list(&LogicalType::of(TypeId::Double)))
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let Some(call) = SourceArguments::new(arguments, 1, DOC.options)? else {
            return sources::write_nulls(&mut output, arguments.rows());
        };
        let quantiles = call.further(0)?;
        let resolved = call.resolve(session, |source: &Source<'_>| {
            Ok((cog_zonal_stats::zone_options(source)?, shares(quantiles, source.row)?))
        })?;
        let mut zones = Vec::with_capacity(resolved.len());
        let mut wanted = Vec::with_capacity(resolved.len());
        for source in resolved {
            // A row whose quantiles are NULL has no zone.
            let source = source.and_then(|(resolved, (options, shares))| Some(((resolved, options), shares?)));
            let (zone, shares) = source.unzip();
            zones.push(zone);
            wanted.push(shares);
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
        call.write(&mut output, |writer| writer.lists(&lengths)?.values(lists.into_iter().flatten().flatten()))
    }
}

/// The quantiles of a row; None for NULL.
fn shares(quantiles: &Reader<'_>, row: usize) -> Result<Option<Vec<Option<f64>>>> {
    if !QUANTILES.value.accepts(quantiles.kind()) {
        return Err(Error::argument(format!("quantiles: expected DOUBLE[], found {}", quantiles.kind())));
    }
    let Some((range, numbers)) = quantiles.list(row).filter(|_| !quantiles.is_null(row)) else {
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
