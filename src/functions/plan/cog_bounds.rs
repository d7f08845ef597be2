//! `cog_bounds(metadata [, crs])`: the bounding box of a raster.

use rasteret_cog::NATIVE;
use rasteret_cog::geo::BBox;
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::params;
use crate::functions::shared_metadata::SharedMetadata;
use crate::schema::{BOUNDS, Field, MetadataReader};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_bounds",
    kind: Kind::Scalar,
    signatures: &[
        "cog_bounds(metadata STRUCT(…)) -> STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)",
        "cog_bounds(metadata STRUCT(…), crs VARCHAR) -> STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)",
    ],
    description: "Returns the bounding box of a raster, in its own CRS or another. Sides that are curves in that CRS \
        are followed to a quarter of a pixel. In longitude and latitude, `xmin` is larger than `xmax` if the raster \
        crosses the antimeridian (RFC 7946, 5.2), and a raster that contains a pole extends from -180 to 180.",
    parameters: &[
        params::METADATA,
        Parameter {
            name: "crs",
            value: ValueType::Text,
            default: Some("'native'"),
            description: "The CRS of the box, in any form of [`geometry_crs`](parameters.md#crs-of-a-geometry). By \
                default the coordinates of the raster, which are pixels without georeferencing.",
        },
    ],
    options: &[],
    returns: "The box; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT b.xmin, b.ymin, b.xmax, b.ymax FROM (SELECT cog_bounds(cog_metadata('test/data/cog.tif')) AS b)",
        result: "500000.0\t4599360.0\t500640.0\t4600000.0",
    }],
};

/// The scalar function.
pub(crate) struct CogBounds;

impl ScalarFunction for CogBounds {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        in_crs_signatures(|| Field::struct_of(BOUNDS))
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let boxes = in_crs(session, arguments, NATIVE, |footprint| Ok(footprint.bbox()))?;
        let rows: Vec<Option<&BBox>> = boxes.iter().map(Option::as_ref).collect();
        Field::write_struct(BOUNDS, &mut output, &rows)
    }
}

/// The overloads of a function with metadata and a CRS.
pub(super) fn in_crs_signatures(returns: fn() -> LogicalType) -> Vec<Signature> {
    let metadata = || LogicalType::of(TypeId::Any);
    vec![
        Signature { parameters: vec![metadata()], returns: returns() },
        Signature { parameters: vec![metadata(), LogicalType::varchar()], returns: returns() },
    ]
}

/// The result of `compute` for the footprint of each row in the CRS of the second argument; computed once per raster and
/// CRS.
pub(super) fn in_crs<T: Clone>(
    session: &Session,
    arguments: &Arguments<'_>,
    default: &str,
    compute: impl Fn(&rasteret_cog::Footprint) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let mut rasters = SharedMetadata::<_, Vec<(String, T)>>::new(arguments.required(0)?, MetadataReader::raster_info)?;
    let crs = arguments.optional(1);
    let rows = (0..arguments.rows()).map(|row| {
        let named = crs.map_or(Some(default), |crs| crs.text(row));
        let (Some((raster, results)), Some(crs)) = (rasters.get(row)?, named) else {
            return Ok(None);
        };
        if let Some((_, known)) = results.iter().find(|(name, _)| name == crs) {
            return Ok(Some(known.clone()));
        }
        session.check_interrupt()?;
        let transform = raster.transform_from(crs, session.transforms())?;
        let found = compute(&raster.footprint(transform.as_ref())?)?;
        results.push((crs.to_owned(), found.clone()));
        Ok(Some(found))
    });
    rows.collect()
}
