//! `rasteret_python_metadata(metadata)`: the STRUCT in the form read by Python Rasteret.

use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::params;
use crate::schema::{Field, MetadataReader, PYTHON_METADATA};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "rasteret_python_metadata",
    kind: Kind::Scalar,
    signatures: &["rasteret_python_metadata(metadata STRUCT(…)) -> STRUCT(…)"],
    description: "Converts a metadata STRUCT to the form that Python Rasteret 0.4 reads. The result has its seventeen \
        fields, with `compression` as the TIFF code.",
    parameters: &[Parameter {
        description: "The result of `cog_metadata`, or a metadata column of an index, including indexes written by \
            Python Rasteret.",
        ..params::METADATA
    }],
    options: &[],
    returns: "The STRUCT for Python Rasteret; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT rasteret_python_metadata(cog_metadata('test/data/cog.tif')).compression",
        result: "8",
    }],
};

/// The scalar function.
pub(crate) struct RasteretPythonMetadata;

impl ScalarFunction for RasteretPythonMetadata {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        vec![Signature { parameters: vec![LogicalType::of(TypeId::Any)], returns: Field::struct_of(PYTHON_METADATA) }]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let metadata = MetadataReader::new(arguments.required(0)?)?;
        let files = (0..arguments.rows()).map(|row| metadata.read(row)).collect::<Result<Vec<_>>>()?;
        Field::write_struct(PYTHON_METADATA, &mut output, &files.iter().map(Option::as_ref).collect::<Vec<_>>())
    }
}
