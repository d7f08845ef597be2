//! `rasteret_version()`: the version of the extension.

use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, Writer};

static DOC: Documentation = Documentation {
    name: "rasteret_version",
    kind: Kind::Scalar,
    signatures: &["rasteret_version() -> VARCHAR"],
    description: "Returns the version of the loaded extension.",
    parameters: &[],
    options: &[],
    returns: "A semantic version, such as `0.1.0`.",
    examples: &[Example { sql: "SELECT rasteret_version() LIKE '_%._%._%'", result: "true" }],
};

/// The scalar function.
pub(crate) struct RasteretVersion;

impl ScalarFunction for RasteretVersion {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        vec![Signature { parameters: Vec::new(), returns: LogicalType::varchar() }]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        output.texts((0..arguments.rows()).map(|_| Some(env!("CARGO_PKG_VERSION"))))
    }
}
