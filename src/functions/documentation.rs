//! What the function reference says of a function: a constant beside its code, from which the reference is made.

/// Everything that a user needs to know to call a function.
#[derive(Debug)]
pub struct Documentation {
    /// The name in SQL.
    pub name: &'static str,
    /// Where it may stand in a query.
    pub kind: Kind,
    /// Each way to call it, as SQL writes it.
    pub signatures: &'static [&'static str],
    /// What it does, in Markdown; the first sentence stands in the README's table.
    pub description: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// What it gives, in Markdown.
    pub returns: &'static str,
    /// Examples that run as tests.
    pub examples: &'static [Example],
}

/// Where a function may stand in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In an expression.
    Scalar,
    /// In a FROM clause.
    Table,
}

/// A parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name; a named parameter is written `name := value`.
    pub name: &'static str,
    /// Its SQL type.
    pub kind: &'static str,
    /// The value when it is not given, as SQL writes it; None for a required one.
    pub default: Option<&'static str>,
    /// What it means.
    pub description: &'static str,
}

/// A query that runs against `test/data`, and its result.
#[derive(Debug)]
pub struct Example {
    /// The query.
    pub sql: &'static str,
    /// The rows, a line each, values separated by tabs, as the DuckDB CLI prints them in its list mode.
    pub result: &'static str,
}
