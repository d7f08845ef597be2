//! `major_tom_cell(lat, lon, grid_km)`: the cell of the Major TOM grid that contains a location.

use rasteret_cog::MajorTomCell;
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "major_tom_cell",
    kind: Kind::Scalar,
    signatures: &["major_tom_cell(lat DOUBLE, lon DOUBLE, grid_km DOUBLE) -> VARCHAR"],
    description: "Returns the name of the cell of the Major TOM grid that contains a location. The cells have about \
        equal size all over the Earth, and their names are those of the `majortom` package. Use them for spatial \
        splits and to join data sets. The latitude comes first, as in the package.",
    parameters: &[
        Parameter {
            name: "lat",
            value: ValueType::Number,
            default: None,
            description: "Latitude in degrees, -90 to \
            90.",
        },
        Parameter {
            name: "lon",
            value: ValueType::Number,
            default: None,
            description: "Longitude in degrees, -180 to \
            180.",
        },
        Parameter {
            name: "grid_km",
            value: ValueType::Number,
            default: None,
            description: "Spacing of the grid in kilometres, at least 0.001. The Major TOM data sets use 10.",
        },
    ],
    options: &[],
    returns: "`{row}U` or `{row}D` (up or down from the equator), `_`, `{column}R` or `{column}L` (right or left of \
        Greenwich); NULL for NULL. Cells include their northern and eastern edges; locations west of the first column \
        of a row are in its last column.",
    examples: &[Example {
        sql: "SELECT major_tom_cell(48.8566, 2.3522, 10), major_tom_cell(-33.8688, 151.2093, 100)",
        result: "543U_17R\t38D_139R",
    }],
};

/// The scalar function.
pub(crate) struct MajorTomCellFunction;

impl ScalarFunction for MajorTomCellFunction {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let parameters = (0..3).map(|_| LogicalType::of(TypeId::Double)).collect();
        vec![Signature { parameters, returns: LogicalType::varchar() }]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let (lat, lon, spacing) = (arguments.required(0)?, arguments.required(1)?, arguments.required(2)?);
        let cell = |row| match (lat.number(row), lon.number(row), spacing.number(row)) {
            (Some(lat), Some(lon), Some(spacing)) => Ok(Some(MajorTomCell::of(lat, lon, spacing)?.to_string())),
            _ => Ok(None),
        };
        output.texts((0..arguments.rows()).map(cell).collect::<Result<Vec<_>>>()?)
    }
}
