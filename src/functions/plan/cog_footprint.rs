//! `cog_footprint(metadata [, crs])`: the outline of a raster.

use rasteret_io::Session;

use super::cog_bounds::{in_crs, in_crs_signatures};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::params;
use crate::geometry::DEFAULT_CRS;
use crate::host::Host;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_footprint",
    kind: Kind::Scalar,
    signatures: &[
        "cog_footprint(metadata STRUCT(…)) -> GEOMETRY",
        "cog_footprint(metadata STRUCT(…), crs VARCHAR) -> GEOMETRY",
    ],
    description: "Returns the outline of a raster as a polygon, by default in longitude and latitude. Its sides are \
        approximated to a quarter of a pixel. An outline that crosses the antimeridian is split there into a \
        multipolygon (RFC 7946, 3.1.9). The result is always valid: around a pole it extends to the pole, around the \
        world it is a box, and for a raster that extends beyond its projection it is the outline of the part inside.",
    parameters: &[
        params::METADATA,
        Parameter {
            name: "crs",
            value: ValueType::Text,
            default: Some("'OGC:CRS84'"),
            description: "The CRS of the outline, in any form of [`geometry_crs`](parameters.md#crs-of-a-geometry); \
                `native` for the coordinates of the raster.",
        },
    ],
    options: &[],
    returns: "GEOMETRY in DuckDB 1.5 and later, else WKB as BLOB; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT len(cog_tiles_for_geometry(m, cog_footprint(m))) AS tiles FROM (SELECT cog_metadata('test/data/cog.tif') AS m)",
        result: "16",
    }],
};

/// The scalar function.
pub(crate) struct CogFootprint;

impl ScalarFunction for CogFootprint {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        in_crs_signatures(|| {
            LogicalType::of(if Host::current().has_geometry() { TypeId::Geometry } else { TypeId::Blob })
        })
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let outlines = in_crs(session, arguments, DEFAULT_CRS, |footprint| Ok(footprint.to_wkb()?))?;
        output.texts(outlines)
    }
}
