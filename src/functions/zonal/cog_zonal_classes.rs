//! `cog_zonal_classes(href, metadata, geometry [, options])`: the distinct values covered by a geometry, with their
//! pixel counts and fractions.

use rasteret_io::Session;

use super::cog_zonal_stats;
use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::params;
use crate::functions::sources::{self, SourceArguments};
use crate::schema::{Field, field, plain};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, Writer};

static DOC: Documentation = Documentation {
    name: "cog_zonal_classes",
    kind: Kind::Scalar,
    signatures: &[
        "cog_zonal_classes(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(value DOUBLE, count DOUBLE, fraction DOUBLE)[]",
        "cog_zonal_classes(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(value DOUBLE, count DOUBLE, fraction DOUBLE)[]",
        "cog_zonal_classes(sources ANY, geometry ANY) -> STRUCT(…)[][]",
        "cog_zonal_classes(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)[][]",
    ],
    description: "Returns the distinct values covered by a geometry with the number of pixels and the fraction of \
        each. Use it for land cover maps, or the scene classification of Sentinel-2. `count` and `fraction` are \
        `unique` and `frac` in exactextract. Pixels count as in `cog_zonal_stats`.",
    parameters: &[params::HREF, params::METADATA, params::SOURCES, params::GEOMETRY],
    options: cog_zonal_stats::OPTIONS,
    returns: "One STRUCT per value, in ascending order: `value`, `count` (the sum of the weights of its pixels) and \
        `fraction` (of the weights of all valid pixels). Empty if the zone has no valid pixels; NULL for NULL. A zone \
        with more than 16,777,216 distinct values is an error. For a list of sources, a list with one list per source.",
    examples: &[
        Example {
            sql: "SELECT unnest(cog_zonal_classes('test/data/cog.tif', NULL, {xmin: 500010, ymin: 4599980, xmax: 500025, ymax: 4599990}, \
                  {geometry_crs: 'native'}), recursive := true)",
            result: "65.0\t1.0\t0.6666666666666666\n66.0\t0.5\t0.3333333333333333",
        },
        Example {
            sql: "SELECT classes[-1].value AS largest, len(classes) AS variety, \
                  list_reduce(classes, lambda a, b: CASE WHEN b.count >= a.count THEN b ELSE a END).value AS majority \
                  FROM (SELECT cog_zonal_classes('test/data/cog.tif', NULL, {xmin: 500010, ymin: 4599980, xmax: 500025, ymax: 4599990}, \
                  {geometry_crs: 'native'}) AS classes)",
            result: "66.0\t2\t65.0",
        },
    ],
};

/// A value of a zone.
struct Class {
    value: f64,
    count: f64,
    fraction: f64,
}

/// The fields of a class.
const CLASS: &[Field<Class>] = &[
    field("value", plain!(Double, |class| Some(class.value))),
    field("count", plain!(Double, |class| Some(class.count))),
    field("fraction", plain!(Double, |class| Some(class.fraction))),
];

/// Bytes of a class: its value in a histogram, the class, and DuckDB's STRUCT, which it may copy.
const BYTES_OF_A_CLASS: u64 = 96;

/// The scalar function.
pub(crate) struct CogZonalClasses;

impl ScalarFunction for CogZonalClasses {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let returns = || LogicalType::list(&Field::struct_of(CLASS));
        sources::signatures(0, returns)
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let Some(call) = SourceArguments::new(arguments, 0, DOC.options)? else {
            return sources::write_nulls(&mut output, arguments.rows());
        };
        let histograms = session.zonal_histograms(&call.resolve(session, cog_zonal_stats::zone_options)?)?;
        let lengths: Vec<_> =
            histograms.iter().map(|histogram| histogram.as_ref().map(|zone| zone.entries().len())).collect();
        let count: usize = lengths.iter().flatten().sum();
        let bytes = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(BYTES_OF_A_CLASS);
        session.check_memory(bytes, || format!("the {count} classes of the zones of a call"))?;
        let mut classes = Vec::with_capacity(count);
        for histogram in histograms.into_iter().flatten() {
            let all = histogram.weight();
            let class = |entry: &rasteret_cog::zonal::Entry| Class {
                value: entry.value,
                count: entry.weight,
                fraction: entry.weight / all,
            };
            classes.extend(histogram.entries().iter().map(class));
        }
        let classes: Vec<_> = classes.iter().map(Some).collect();
        call.write(&mut output, |writer| Field::write_struct(CLASS, &mut writer.lists(&lengths)?, &classes))
    }
}
