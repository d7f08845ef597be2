//! `rasteret_enrich_sql(source, bands [, options])`: what `rasteret_enrich` does, as SQL text for `FROM query(…)`.

use std::fmt::Write as _;

use rasteret_io::Session;

use super::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "rasteret_enrich_sql",
    kind: Kind::Scalar,
    signatures: &[
        "rasteret_enrich_sql(source VARCHAR, bands VARCHAR[]) -> VARCHAR",
        "rasteret_enrich_sql(source VARCHAR, bands VARCHAR[], options STRUCT(…)) -> VARCHAR",
    ],
    description: "SQL text that gives a source's columns with the headers of its assets, for `FROM query(…)`: the source may \
        be any table, view, CTE, temporary table or subquery of the caller's own connection. Other than `rasteret_enrich`, \
        it names its bands, adds no normalised columns, and never fails because all files failed.",
    parameters: &[
        Parameter {
            name: "source",
            kind: "VARCHAR",
            default: None,
            description: "The name of a table or view, quoted as SQL needs it, or a query.",
        },
        Parameter { name: "bands", kind: "VARCHAR[]", default: None, description: "Asset keys." },
        Parameter {
            name: "options",
            kind: "STRUCT",
            default: Some("{}"),
            description: "`assets_column`, `href_column`, `band_index`, `url_rewrite` and `on_error`, as in `rasteret_enrich`; \
                the MAPs may be written as STRUCTs.",
        },
    ],
    returns: "SQL text.",
    examples: &[Example {
        sql: "SELECT id, B04_metadata.dtype, rasteret_error \
              FROM query(rasteret_enrich_sql('FROM ''test/data/items.parquet''', ['B04'])) ORDER BY id LIMIT 1",
        result: "scene-0\tuint16\tNULL",
    }],
};

/// The scalar function.
pub(super) struct RasteretEnrichSql;

impl ScalarFunction for RasteretEnrichSql {
    const NAME: &'static str = "rasteret_enrich_sql";

    fn signatures() -> Vec<Signature> {
        let parameters = || vec![LogicalType::varchar(), LogicalType::list(&LogicalType::varchar())];
        let with_options = parameters().into_iter().chain([LogicalType::of(TypeId::Any)]).collect();
        vec![
            Signature { parameters: parameters(), returns: LogicalType::varchar() },
            Signature { parameters: with_options, returns: LogicalType::varchar() },
        ]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let (source, bands) = (arguments.required(0)?, arguments.required(1)?);
        let texts = (0..arguments.rows()).map(|row| {
            let Some(source) = source.text(row) else {
                return Ok(None);
            };
            let Some(bands) = texts(bands, row) else {
                return Ok(None);
            };
            let options = arguments.optional(2).map(|options| Options::read(options, row)).transpose()?;
            Enrichment { source, bands, options: options.unwrap_or_default() }.sql().map(Some)
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        output.texts(texts)
    }
}

/// The options, by their names in SQL.
#[derive(Default)]
struct Options {
    assets_column: Option<String>,
    href_column: Option<String>,
    band_index: Vec<(String, i128)>,
    url_rewrite: Vec<(String, String)>,
    fail: bool,
}

const OPTIONS: [&str; 5] = ["assets_column", "href_column", "band_index", "url_rewrite", "on_error"];

impl Options {
    fn read(options: &Reader<'_>, row: usize) -> Result<Self> {
        if options.is_null(row) {
            return Ok(Self::default());
        }
        let fields = options.kind().fields();
        if options.kind().id() != TypeId::Struct {
            return Err(Error::argument(format!("options: expected a STRUCT, found {}", options.kind())));
        }
        if let Some((unknown, _)) = fields.iter().find(|(name, _)| !OPTIONS.contains(&name.to_lowercase().as_str())) {
            let known = OPTIONS.join(", ");
            return Err(Error::argument(format!("options: expected {known}, found {unknown}")));
        }
        let fail = match text(options, "on_error", row)?.as_deref() {
            None | Some("null") => false,
            Some("fail") => true,
            Some(other) => {
                return Err(Error::argument(format!("on_error: expected 'null' or 'fail', found '{other}'")));
            }
        };
        Ok(Self {
            assets_column: text(options, "assets_column", row)?,
            href_column: text(options, "href_column", row)?,
            band_index: pairs(options, "band_index", "integers", row, |value, at| value.integer(at))?,
            url_rewrite: pairs(options, "url_rewrite", "texts", row, |value, at| value.text(at).map(str::to_owned))?,
            fail,
        })
    }
}

/// A call, ready to be written as SQL.
struct Enrichment<'a> {
    source: &'a str,
    bands: Vec<String>,
    options: Options,
}

impl Enrichment<'_> {
    /// One function call a row for all bands, so that their files are fetched together; then a column a band.
    fn sql(&self) -> Result<String> {
        if self.bands.is_empty() {
            return Err(Error::argument("bands: expected at least one asset key, found none"));
        }
        if let Some((band, _)) = self.options.band_index.iter().find(|(band, _)| !self.bands.contains(band)) {
            return Err(Error::argument(format!("band_index: expected a key of bands, found '{band}'")));
        }
        let hrefs: Vec<_> = self.bands.iter().map(|band| self.href(band)).collect();
        let indexes: Vec<_> = self.bands.iter().map(|band| self.band_index(band)).collect();
        let function = if self.options.fail { "cog_metadata" } else { "try_cog_metadata" };
        let mut sql = String::from("SELECT * EXCLUDE (\"rasteret headers\")");
        let mut errors = Vec::new();
        for (position, band) in (1..).zip(&self.bands) {
            let header = format!("\"rasteret headers\"[{position}]");
            let metadata = if self.options.fail { String::new() } else { ".metadata".to_owned() };
            // Writing to a String cannot fail.
            let _ = write!(sql, ", ({header}){metadata} AS {}", identifier(&format!("{band}_metadata")));
            let error = if self.options.fail { "NULL" } else { &format!("({header}).error") };
            let (no_href, prefix) = (literal(&format!("{band}: no href")), literal(&format!("{band}: ")));
            errors.push(format!("CASE WHEN {header} IS NULL THEN {no_href} ELSE {prefix} || {error} END"));
        }
        let _ = write!(
            sql,
            ", nullif(concat_ws('; ', {}), '') AS rasteret_error FROM (SELECT *, {function}([{}], [{}]::BIGINT[]) AS \
             \"rasteret headers\" FROM {} AS source)",
            errors.join(", "),
            hrefs.join(", "),
            indexes.join(", "),
            relation(self.source),
        );
        Ok(sql)
    }

    /// The expression of a band's href.
    fn href(&self, band: &str) -> String {
        let href = match (&self.options.href_column, &self.options.assets_column) {
            (Some(column), _) => format!("source.{}", identifier(column)),
            // Brackets read STRUCTs and MAPs alike.
            (None, column) => {
                let assets = identifier(column.as_deref().unwrap_or("assets"));
                format!("source.{assets}[{}]['href']", literal(band))
            }
        };
        let mut rewrites: Vec<_> = self.options.url_rewrite.iter().collect();
        if rewrites.is_empty() {
            return href;
        }
        rewrites.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let cases = rewrites.iter().fold(String::new(), |cases, (prefix, replacement)| {
            let (prefix, replacement) = (literal(prefix), literal(replacement));
            format!("{cases} WHEN starts_with({href}, {prefix}) THEN {replacement} || {href}[length({prefix}) + 1:]")
        });
        format!("CASE{cases} ELSE {href} END")
    }

    fn band_index(&self, band: &str) -> String {
        let index = self.options.band_index.iter().find(|(name, _)| name == band);
        index.map_or_else(|| "NULL".to_owned(), |(_, index)| index.to_string())
    }
}

/// A query in parentheses, or a name as it stands.
fn relation(source: &str) -> String {
    let source = source.trim().trim_end_matches(';');
    let first = source.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    let is_query = ["select", "from", "with", "values", "table"].iter().any(|word| first.eq_ignore_ascii_case(word));
    if is_query { format!("({source})") } else { source.to_owned() }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The elements of a list of texts; NULL elements are left out.
fn texts(reader: &Reader<'_>, row: usize) -> Option<Vec<String>> {
    let (range, elements) = reader.list(row)?;
    Some(range.filter_map(|at| elements.text(at)).map(str::to_owned).collect())
}

/// A text option, None when it is absent or NULL.
fn text(options: &Reader<'_>, name: &str, row: usize) -> Result<Option<String>> {
    let Some(field) = options.field(name).filter(|field| !field.is_null(row)) else {
        return Ok(None);
    };
    let text = field.text(row).map(str::to_owned);
    text.map(Some).ok_or_else(|| Error::argument(format!("{name}: expected VARCHAR, found {}", field.kind())))
}

/// An option of names and values: a MAP, or a STRUCT whose fields are the names.
fn pairs<T>(
    options: &Reader<'_>,
    name: &str,
    expected: &str,
    row: usize,
    read: impl Fn(&Reader<'_>, usize) -> Option<T>,
) -> Result<Vec<(String, T)>> {
    let Some(field) = options.field(name).filter(|field| !field.is_null(row)) else {
        return Ok(Vec::new());
    };
    let entries: Option<Vec<_>> = match field.list(row) {
        Some((range, entries)) => range
            .map(|at| Some((entries.field("key")?.text(at)?.to_owned(), read(entries.field("value")?, at)?)))
            .collect(),
        None => field
            .kind()
            .fields()
            .into_iter()
            .map(|(key, _)| {
                let value = read(field.field(&key)?, row)?;
                Some((key, value))
            })
            .collect(),
    };
    entries.ok_or_else(|| Error::argument(format!("{name}: expected a MAP of {expected}, found {}", field.kind())))
}

#[cfg(test)]
mod tests {
    use super::{Enrichment, Options, relation};

    #[test]
    fn names_and_texts_are_quoted() {
        let options = Options {
            url_rewrite: vec![("s3://".to_owned(), "https://it's/".to_owned())],
            band_index: vec![("a\"b".to_owned(), 2)],
            ..Options::default()
        };
        let sql = Enrichment { source: "t", bands: vec!["a\"b".to_owned()], options }.sql().unwrap();
        assert!(sql.contains("AS \"a\"\"b_metadata\""), "{sql}");
        assert!(sql.contains("'https://it''s/'"), "{sql}");
        assert!(sql.contains("[2]::BIGINT[]"), "{sql}");
        assert!(sql.ends_with("FROM t AS source)"), "{sql}");
    }

    #[test]
    fn queries_are_put_in_parentheses() {
        assert_eq!(relation(" FROM t;"), "(FROM t)");
        assert_eq!(relation("select 1"), "(select 1)");
        assert_eq!(relation("main.fromage"), "main.fromage");
        assert_eq!(relation("(FROM t)"), "(FROM t)");
    }
}
