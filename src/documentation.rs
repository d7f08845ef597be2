//! The documentation of SQL functions: constants from which the reference is generated, and which also define the
//! options to register and check.

/// The documentation of a function.
#[derive(Debug)]
pub struct Documentation {
    /// The name in SQL.
    pub name: &'static str,
    /// Whether it is a scalar or a table function.
    pub kind: Kind,
    /// The overloads, in SQL syntax.
    pub signatures: &'static [&'static str],
    /// A description in Markdown; the first sentence is the summary in the contents of the reference.
    pub description: &'static str,
    /// Its positional parameters.
    pub parameters: &'static [Parameter],
    /// Its options: named parameters of a table function, keys of the trailing STRUCT of a scalar function.
    pub options: &'static [Parameter],
    /// The result, in Markdown.
    pub returns: &'static str,
    /// Examples that run as tests.
    pub examples: &'static [Example],
}

/// The kind of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Used in expressions.
    Scalar,
    /// Used in FROM clauses.
    Table,
    /// The format of a COPY statement.
    Copy,
}

impl Kind {
    /// Its name in the reference.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Table => "table",
            Self::Copy => "copy",
        }
    }
}

impl Documentation {
    /// Parameters, then options, each with its type as shown in the reference.
    pub fn all_parameters(&self) -> impl Iterator<Item = (&'static Parameter, String)> {
        let kind = self.kind;
        let positional = self.parameters.iter().map(|parameter| (parameter, parameter.value.sql().to_owned()));
        let options = self.options.iter().map(move |option| {
            let sql = match (kind, option.value) {
                (Kind::Scalar, value) => format!("option, {}", value.sql()),
                // Named parameters are registered with these types.
                (Kind::Table, ValueType::Integer) => "BIGINT".to_owned(),
                (Kind::Table, ValueType::IntegerOrText) => "VARCHAR".to_owned(),
                (Kind::Table | Kind::Copy, value) => value.sql().to_owned(),
            };
            (option, sql)
        });
        positional.chain(options)
    }
}

/// A parameter or an option.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type.
    pub value: ValueType,
    /// The default value in SQL syntax; None for a required parameter.
    pub default: Option<&'static str>,
    /// A description in Markdown.
    pub description: &'static str,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// VARCHAR.
    Text,
    /// BOOLEAN.
    Boolean,
    /// An integer of any width.
    Integer,
    /// A number of any type.
    Number,
    /// An integer of any width, or a keyword.
    IntegerOrText,
    /// A list of integers of any width.
    Integers,
    /// A list of numbers.
    Numbers,
    /// A MAP of this type, or a STRUCT whose fields are the keys.
    Map(&'static str),
    /// Another type, checked by the function itself.
    Other(&'static str),
}

impl ValueType {
    /// The type in SQL syntax.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Number => "DOUBLE",
            Self::IntegerOrText => "INTEGER or VARCHAR",
            Self::Integers => "INTEGER[]",
            Self::Numbers => "DOUBLE[]",
            Self::Map(kind) | Self::Other(kind) => kind,
        }
    }
}

/// A query that runs against `test/data`, and its result.
#[derive(Debug)]
pub struct Example {
    /// The query.
    pub sql: &'static str,
    /// The rows, one per line, with values separated by tabs, as printed by the DuckDB CLI in list mode.
    pub result: &'static str,
}
