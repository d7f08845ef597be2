//! `rasteret_normalize(record [, headers])`: the columns that `rasteret_enrich` adds to records that lack them.

use arrow_schema::{Field as ArrowField, Schema};
use rasteret_io::Session;
use rasteret_io::enrich::{Georeference, Input, Normalized, Normalizer};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::schema::{BOUNDS, Field, MetadataReader};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer, arrow, arrow_reader};

static DOC: Documentation = Documentation {
    name: "rasteret_normalize",
    kind: Kind::Scalar,
    signatures: &[
        "rasteret_normalize(record STRUCT(…)) -> STRUCT(\"proj:epsg\" INTEGER, crs VARCHAR, bbox STRUCT(xmin DOUBLE, ymin \
            DOUBLE, xmax DOUBLE, ymax DOUBLE), year INTEGER, month INTEGER)",
        "rasteret_normalize(record STRUCT(…), headers STRUCT(…)[]) -> STRUCT(…)",
    ],
    description: "Computes the columns that `rasteret_enrich` adds to a record, for a record of any table. \
        `\"proj:epsg\"` and `crs` are taken from the first of the record's `proj:code`, `proj:epsg`, `eo:epsg`, \
        `crs`, `proj:wkt2` and `proj:projjson` that names a CRS, else from the headers. `bbox` is that of the \
        geometry, else the bounding box of the first header's raster in longitude and latitude, as in `cog_bounds(…, \
        'OGC:CRS84')` (`xmin` is larger than `xmax` across the antimeridian); NULL if the CRS is unknown or local. \
        `year` and `month` are derived from `datetime` or `start_datetime`. CRS and time are looked up in columns, \
        then in a STRUCT `properties`.",
    parameters: &[
        Parameter {
            name: "record",
            value: ValueType::Other("STRUCT"),
            default: None,
            description: "A whole row: the name of a table, or the alias of a query. The geometry is the column \
                `geometry`, else the first GEOMETRY column. Because extensions cannot see the CRS of a column, `bbox` \
                is derived from it only within longitude -180 to 180 and latitude -90 to 90.",
        },
        Parameter {
            name: "headers",
            value: ValueType::Other("STRUCT[]"),
            default: Some("NULL"),
            description: "Metadata of the record's files, in order of preference. Only `crs`, `transform`, \
                `image_width` and `image_height` are used.",
        },
    ],
    options: &[],
    returns: "The five values, each NULL if neither the record nor a header determines it; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT n.year, n.month, n.crs FROM (SELECT rasteret_normalize(items, [cog_metadata('test/data/cog.tif')]) AS n \
              FROM (SELECT DATE '2024-02-01' AS datetime) AS items)",
        result: "2024\t2\tEPSG:32631",
    }],
};

/// The scalar function.
pub(crate) struct RasteretNormalize;

impl ScalarFunction for RasteretNormalize {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let returns = || LogicalType::structure(Normalized::ALL.map(|column| (column.name(), logical_type(column))));
        let any = || LogicalType::of(TypeId::Any);
        vec![
            Signature { parameters: vec![any()], returns: returns() },
            Signature { parameters: vec![any(), any()], returns: returns() },
        ]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let record = arguments.required(0)?;
        let rows = arguments.rows();
        if !matches!(record.kind().id(), TypeId::Struct | TypeId::SqlNull) {
            return Err(Error::argument(format!("record: expected a row as a STRUCT, found {}", record.kind())));
        }
        let headers = match arguments.optional(1) {
            Some(headers) => georeferences(headers, rows)?,
            None => Vec::new(),
        };
        let columns = record.kind().fields();
        let fields: Vec<ArrowField> =
            columns.iter().filter_map(|(name, kind)| arrow_reader::field(name, kind)).collect();
        let schema = Schema::new(fields);
        let array = |input: &Input| {
            let column = record.field(schema.fields().get(input.column)?.name())?;
            match &input.field {
                // DuckDB requires the fields of a NULL STRUCT to be NULL.
                Some(field) => arrow_reader::array(column.field(field)?, rows),
                None => arrow_reader::array(column, rows),
            }
        };
        let headers_of = |row: usize| headers.get(row).into_iter().flatten().cloned();
        let columns = Normalizer::new(&schema).columns(&Normalized::ALL, rows, array, headers_of, session.transforms());
        for (index, column) in columns.iter().enumerate() {
            arrow::write(&mut output.field(index)?, column)?;
        }
        (0..rows).filter(|row| record.is_null(*row)).try_for_each(|row| output.set_null(row))
    }
}

/// The SQL type of a computed column.
pub(super) fn logical_type(column: Normalized) -> LogicalType {
    match column {
        Normalized::Epsg | Normalized::Year | Normalized::Month => LogicalType::of(TypeId::Integer),
        Normalized::Crs => LogicalType::varchar(),
        Normalized::Bbox => Field::struct_of(BOUNDS),
    }
}

/// The georeferences of the headers of each row, without NULLs.
fn georeferences(headers: &Reader<'_>, rows: usize) -> Result<Vec<Vec<Georeference<'static>>>> {
    if !matches!(headers.kind().id(), TypeId::List | TypeId::SqlNull) {
        return Err(Error::argument(format!("headers: expected a list of metadata, found {}", headers.kind())));
    }
    let of_row = |row: usize| match headers.list(row) {
        Some((range, elements)) => {
            let metadata = MetadataReader::new(elements)?;
            range.filter_map(|at| metadata.georeference(at).transpose()).collect()
        }
        None => Ok(Vec::new()),
    };
    (0..rows).map(of_row).collect()
}
