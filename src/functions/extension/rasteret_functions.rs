//! `FROM rasteret_functions()`: the function reference. DuckDB's C API cannot set descriptions for
//! `duckdb_functions()`.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions;
use crate::schema::{Cell, Field, struct_lists};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "rasteret_functions",
    kind: Kind::Table,
    signatures: &["FROM rasteret_functions()"],
    description: "Lists the functions of the extension with their documentation.",
    parameters: &[],
    options: &[],
    returns: "One row per function: `name`; `kind`, `scalar` or `table`; `signature`, one line per overload; \
        `description`; `parameters`, a list of STRUCTs of `name`, `type`, `default` and `description`, including \
        options; `returns`; `example`.",
    examples: &[
        Example {
            sql: "SELECT name, kind, signature FROM rasteret_functions() WHERE name = 'rasteret_version'",
            result: "rasteret_version\tscalar\trasteret_version() -> VARCHAR",
        },
        Example {
            sql: "SELECT p.name, p.type, p.default FROM (SELECT unnest(parameters) AS p FROM rasteret_functions() WHERE name = 'cog_bounds')",
            result: "metadata\tSTRUCT\tNULL\ncrs\tVARCHAR\t'native'",
        },
    ],
};

/// One parameter or option of a function.
struct Described {
    name: &'static str,
    kind: String,
    default: Option<&'static str>,
    description: &'static str,
}

/// One function.
struct Row {
    documentation: &'static Documentation,
    parameters: Vec<Described>,
}

impl Row {
    fn new(documentation: &'static Documentation) -> Self {
        let parameters = documentation.all_parameters().map(|(parameter, kind)| Described {
            name: parameter.name,
            kind,
            default: parameter.default,
            description: parameter.description,
        });
        Self { documentation, parameters: parameters.collect() }
    }
}

const PARAMETER: &[Field<Described>] = &[
    Field { name: "name", cell: Cell::Text(|parameter| Some(Cow::Borrowed(parameter.name))) },
    Field { name: "type", cell: Cell::Text(|parameter| Some(Cow::Borrowed(&parameter.kind))) },
    Field { name: "default", cell: Cell::Text(|parameter| parameter.default.map(Cow::Borrowed)) },
    Field { name: "description", cell: Cell::Text(|parameter| Some(Cow::Borrowed(parameter.description))) },
];

const COLUMNS: &[Field<Row>] = &[
    Field { name: "name", cell: Cell::Text(|row| Some(Cow::Borrowed(row.documentation.name))) },
    Field { name: "kind", cell: Cell::Text(|row| Some(Cow::Borrowed(row.documentation.kind.name()))) },
    Field { name: "signature", cell: Cell::Text(|row| Some(Cow::Owned(row.documentation.signatures.join("\n")))) },
    Field { name: "description", cell: Cell::Text(|row| Some(Cow::Borrowed(row.documentation.description))) },
    Field {
        name: "parameters",
        cell: Cell::Nested(
            || LogicalType::list(&Field::struct_of(PARAMETER)),
            |writer, rows| struct_lists(writer, rows, PARAMETER, |row| &row.parameters),
        ),
    },
    Field { name: "returns", cell: Cell::Text(|row| Some(Cow::Borrowed(row.documentation.returns))) },
    Field {
        name: "example",
        cell: Cell::Text(|row| row.documentation.examples.first().map(|example| Cow::Borrowed(example.sql))),
    },
];

/// The table function.
pub(crate) struct RasteretFunctions;

impl TableFunction for RasteretFunctions {
    type Bind = ();
    /// The number of functions returned so far.
    type Global = AtomicUsize;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        Vec::new()
    }

    fn bind(_session: &Session, _info: &BindInfo) -> Result<Bind<()>> {
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state: (), columns, rows: Some(functions::documentation().count() as u64) })
    }

    fn init((): &(), _columns: &[usize]) -> Result<Init<AtomicUsize>> {
        Ok(Init { state: AtomicUsize::new(0), max_threads: 1 })
    }

    fn next((): &(), written: &AtomicUsize, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let first = written.fetch_add(output.capacity(), Ordering::Relaxed);
        let rows: Vec<Row> = functions::documentation().skip(first).take(output.capacity()).map(Row::new).collect();
        output.write_fields(COLUMNS, &rows.iter().map(Some).collect::<Vec<_>>())
    }
}
