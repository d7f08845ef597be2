//! `rasteret_enrich_sql(source, bands [, options])`: the equivalent of `rasteret_enrich` as SQL text for
//! `FROM query(…)`.
//!
//! # Columns that only some sources lack
//!
//! The text is generated without knowing the columns of the source, so DuckDB has to determine which of the computed
//! columns already exist:
//!
//! 1. Each column of the source is renamed from `X` to `X of source`, by `COLUMNS(…) AS …`.
//! 2. They are followed by the columns that are always new, as `X of rasteret`, and those that may exist, as
//!    `X of source`. If the source has X, in any case, the second `X of source` is a duplicate, which DuckDB renames to
//!    `X of source_1` in the outer query.
//! 3. The outermost SELECT keeps the columns whose names end in ` of source` or ` of rasteret`, without these suffixes.
//!    The duplicates do not match; all columns of the source do, even one named `X_1`.

use std::collections::HashSet;

use rasteret_io::OnError;
use rasteret_io::Session;
use rasteret_io::enrich::{Normalized, positions_of_all};

use super::collection;
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::options::{Options, RowOptions};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "rasteret_enrich_sql",
    kind: Kind::Scalar,
    signatures: &[
        "rasteret_enrich_sql(source VARCHAR, bands VARCHAR[]) -> VARCHAR",
        "rasteret_enrich_sql(source VARCHAR, bands VARCHAR[], options STRUCT(…)) -> VARCHAR",
    ],
    description: "Returns the SQL text of a query equivalent to `rasteret_enrich`, for `FROM query(…)`. The source \
        may be any table, view, CTE, temporary table or subquery of the connection. Assets must be STRUCTs or MAPs of \
        STRUCTs with an `href`. Unlike `rasteret_enrich`, it requires the bands to be named, does not fail if all \
        files fail, and derives `bbox` from a geometry like `rasteret_normalize`. If a column of the source has the \
        name of a metadata column or `rasteret_error`, DuckDB appends `_1` to the name of the new column.",
    parameters: &[
        Parameter {
            name: "source",
            value: ValueType::Text,
            default: None,
            description: "A query, or the name of a table or view, quoted as in SQL.",
        },
        Parameter { default: None, description: "Asset keys.", ..collection::BANDS },
    ],
    options: &[
        collection::ASSETS_COLUMN,
        collection::HREF_COLUMN,
        collection::BAND_INDEX,
        collection::URL_REWRITE,
        collection::NORMALIZE,
        Parameter {
            description: "As in `rasteret_enrich`; requires `to_json` of DuckDB's json extension.",
            ..collection::STAC_SCALE
        },
        collection::ON_ERROR,
    ],
    returns: "The SQL text.",
    examples: &[Example {
        sql: "SELECT id, B04_metadata.dtype, year, month, rasteret_error \
              FROM query(rasteret_enrich_sql('FROM ''test/data/items.parquet''', ['B04'])) ORDER BY id LIMIT 1",
        result: "scene-0\tuint16\t2023\t12\tNULL",
    }],
};

/// The scalar function.
pub(crate) struct RasteretEnrichSql;

impl ScalarFunction for RasteretEnrichSql {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        // ANY, to accept a single band: an overload for it would make a bare NULL ambiguous.
        let parameters = || vec![LogicalType::varchar(), LogicalType::of(TypeId::Any)];
        let with_options = parameters().into_iter().chain([LogicalType::of(TypeId::Any)]).collect();
        vec![
            Signature { parameters: parameters(), returns: LogicalType::varchar() },
            Signature { parameters: with_options, returns: LogicalType::varchar() },
        ]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let (source, bands) = (arguments.required(0)?, arguments.required(1)?);
        let options = Options::new(arguments.optional(2), DOC.options)?;
        let texts = (0..arguments.rows()).map(|row| {
            let Some(source) = source.text(row) else {
                return Ok(None);
            };
            let Some(bands) = bands_of(bands, row)? else {
                return Ok(None);
            };
            let options = Settings::read(&options.row(row))?;
            Enrichment { source, bands, options }.sql().map(Some)
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        output.texts(texts)
    }
}

/// The options of a row.
struct Settings {
    assets_column: String,
    href_column: Option<String>,
    band_index: Vec<(String, u32)>,
    url_rewrite: Vec<(String, String)>,
    normalize: bool,
    stac_scale: bool,
    fail: bool,
}

impl Settings {
    fn read(options: &RowOptions<'_>) -> Result<Self> {
        Ok(Self {
            assets_column: collection::assets_column(options),
            href_column: collection::href_column(options),
            band_index: collection::band_index(options)?,
            url_rewrite: collection::url_rewrite(options)?,
            normalize: collection::normalize(options),
            stac_scale: collection::stac_scale(options),
            fail: params::on_error(options)? == Some(OnError::Fail),
        })
    }
}

/// A call, ready to be written as SQL.
struct Enrichment<'a> {
    source: &'a str,
    bands: Vec<String>,
    options: Settings,
}

impl Enrichment<'_> {
    fn sql(&self) -> Result<String> {
        if self.bands.is_empty() {
            return Err(Error::argument("bands: expected at least one asset key, found none"));
        }
        let mut names = HashSet::new();
        if let Some(band) = self.bands.iter().find(|band| !names.insert(band.to_lowercase())) {
            return Err(Error::argument(format!("bands: '{band}' is given twice (names are case-insensitive)")));
        }
        if let Some((band, _)) = self.options.band_index.iter().find(|(band, _)| !self.bands.contains(band)) {
            return Err(Error::argument(format!("band_index: expected a key of bands, found '{band}'")));
        }
        let has_index = |band: &String| self.options.band_index.iter().any(|(name, _)| name == band);
        if self.options.href_column.is_some()
            && self.bands.len() > 1
            && let Some(band) = self.bands.iter().find(|band| !has_index(band))
        {
            return Err(Error::argument(positions_of_all(band)));
        }
        if self.options.stac_scale && self.options.href_column.is_some() {
            return Err(Error::argument("stac_scale: expected assets, found href_column, which has no scale"));
        }
        Ok(if self.options.normalize { self.normalized() } else { self.bare() })
    }

    /// Returns the columns of the source and the new ones.
    fn bare(&self) -> String {
        let columns = Columns::new(self, "");
        let headers = self.headers(|column| format!("\"rasteret record\".{}", identifier(column)));
        let fetched = format!("SELECT *, {headers} AS \"rasteret headers\" FROM {}", self.relation());
        format!("SELECT * EXCLUDE (\"rasteret headers\"), {}, {} FROM ({fetched})", columns.metadata, columns.error)
    }

    /// Returns the same, and the columns of `rasteret_normalize` that the source lacks.
    ///
    /// Columns that depend on the record alone are computed without headers. If only these are used, headers are not
    /// fetched; a condition on `year` also excludes rows before fetching, because DuckDB pushes it below the call.
    fn normalized(&self) -> String {
        let columns = Columns::new(self, " of rasteret");
        let headers = self.headers(|column| identifier(&format!("{column} of source")));
        let header = if self.options.fail { "header" } else { "header.metadata" };
        let fields =
            ["crs", "transform", "image_width", "image_height"].map(|name| format!("'{name}': {header}.{name}"));
        let added = Normalized::ALL.map(|column| {
            let from = match column {
                Normalized::Year | Normalized::Month => "rasteret time",
                Normalized::Epsg | Normalized::Crs | Normalized::Bbox => "rasteret place",
            };
            let name = column.name();
            format!("\"{from}\".\"{name}\" AS \"{name} of source\"")
        });
        let renamed = format!(
            "SELECT COLUMNS('(?s)^(.*)$') AS '\\1 of source', \"rasteret record\" AS \"rasteret record\" FROM {}",
            self.relation()
        );
        let fetched = format!(
            "SELECT *, rasteret_normalize(\"rasteret record\") AS \"rasteret time\", {headers} AS \"rasteret headers\" \
             FROM ({renamed})"
        );
        let located = format!(
            "SELECT *, rasteret_normalize(\"rasteret record\", list_transform(\"rasteret headers\", lambda header: {{{}}})) \
             AS \"rasteret place\" FROM ({fetched})",
            fields.join(", ")
        );
        let all = format!(
            "SELECT * EXCLUDE (\"rasteret record\", \"rasteret time\", \"rasteret headers\", \"rasteret place\"), {}, {}, {} \
             FROM ({located})",
            columns.metadata,
            added.join(", "),
            columns.error
        );
        format!("SELECT COLUMNS('(?s)^(.*) of (?:source|rasteret)$') AS '\\1' FROM ({all})")
    }

    /// The source with an alias that refers to a row as a STRUCT, and is unlikely to be the name of a column.
    fn relation(&self) -> String {
        format!("{} AS \"rasteret record\"", relation(self.source))
    }

    /// One function call per row for all bands, so that their files are fetched concurrently. `column` returns the
    /// expression of a column of the source.
    fn headers(&self, column: impl Fn(&str) -> String) -> String {
        let hrefs: Vec<_> = self.bands.iter().map(|band| self.href(band, &column)).collect();
        let indexes: Vec<_> = self.bands.iter().map(|band| self.band_index(band)).collect();
        let function = if self.options.fail { "cog_metadata" } else { "try_cog_metadata" };
        let assets = match self.options.stac_scale {
            true => {
                let asset = |band: &String| format!("to_json({})", self.asset(band, &column));
                format!(", [{}]::VARCHAR[]", self.bands.iter().map(asset).collect::<Vec<_>>().join(", "))
            }
            false => String::new(),
        };
        format!("{function}([{}], [{}]::BIGINT[]{assets})", hrefs.join(", "), indexes.join(", "))
    }

    /// The expression of the href of a band.
    fn href(&self, band: &str, column: impl Fn(&str) -> String) -> String {
        let href = match &self.options.href_column {
            Some(name) => column(name),
            None => format!("{}['href']", self.asset(band, &column)),
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

    /// The expression of the asset of a band. Brackets work for STRUCTs and MAPs.
    fn asset(&self, band: &str, column: impl Fn(&str) -> String) -> String {
        format!("{}[{}]", column(&self.options.assets_column), literal(band))
    }

    fn band_index(&self, band: &str) -> String {
        let index = self.options.band_index.iter().find(|(name, _)| name == band);
        index.map_or_else(|| "NULL".to_owned(), |(_, index)| index.to_string())
    }
}

/// The columns that are always new, for a SELECT.
struct Columns {
    metadata: String,
    error: String,
}

impl Columns {
    /// The columns with this suffix of their names.
    fn new(enrichment: &Enrichment<'_>, ending: &str) -> Self {
        let mut metadata = Vec::new();
        let mut errors = Vec::new();
        for (position, band) in (1..).zip(&enrichment.bands) {
            let header = format!("\"rasteret headers\"[{position}]");
            let (field, error) = match enrichment.options.fail {
                true => ("", "NULL".to_owned()),
                false => (".metadata", of_file(&format!("({header}).error"))),
            };
            metadata.push(format!("({header}){field} AS {}", identifier(&format!("{band}_metadata{ending}"))));
            let (no_href, prefix) = (literal(&format!("{band}: no href")), literal(&format!("{band}: ")));
            errors.push(format!("CASE WHEN {header} IS NULL THEN {no_href} ELSE {prefix} || {error} END"));
        }
        let name = identifier(&format!("rasteret_error{ending}"));
        Self {
            metadata: metadata.join(", "),
            error: format!("nullif(concat_ws('; ', {}), '') AS {name}", errors.join(", ")),
        }
    }
}

/// Converts an error of `try_cog_metadata` to the form of `rasteret_enrich`: with the file, without the name of the
/// function.
fn of_file(error: &str) -> String {
    let unnamed = format!("regexp_replace({error}, '^try_cog_metadata: ', '')");
    format!(r"regexp_replace({unnamed}, '(?s)^try_cog_metadata\(''(.*?)''\): ', '\1: ')")
}

/// A query in parentheses, or an unchanged name.
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

/// The bands of a row: a list of texts without its NULL elements, or a single text; None for NULL.
fn bands_of(reader: &Reader<'_>, row: usize) -> Result<Option<Vec<String>>> {
    let is_text = |kind: TypeId| matches!(kind, TypeId::Varchar | TypeId::StringLiteral | TypeId::SqlNull);
    match reader.kind().id() {
        kind if is_text(kind) => Ok(reader.text(row).map(|band| vec![band.to_owned()])),
        TypeId::List => {
            let Some((range, elements)) = reader.list(row) else { return Ok(None) };
            if !range.is_empty() && !is_text(elements.kind().id()) {
                return Err(wrong_bands(reader));
            }
            Ok(Some(range.filter_map(|at| elements.text(at)).map(str::to_owned).collect()))
        }
        _ => Err(wrong_bands(reader)),
    }
}

fn wrong_bands(found: &Reader<'_>) -> Error {
    Error::argument(format!("bands: expected VARCHAR or VARCHAR[], found {}", found.kind()))
}

#[cfg(test)]
mod tests {
    use super::Enrichment;
    use super::Settings;
    use super::relation;

    #[test]
    fn names_and_texts_are_quoted() {
        let options = Settings {
            url_rewrite: vec![("s3://".to_owned(), "https://it's/".to_owned())],
            band_index: vec![("a\"b".to_owned(), 2)],
            normalize: false,
            assets_column: "assets".to_owned(),
            href_column: None,
            stac_scale: false,
            fail: false,
        };
        let sql = Enrichment { source: "t", bands: vec!["a\"b".to_owned()], options }.sql().unwrap();
        assert!(sql.contains("AS \"a\"\"b_metadata\""), "{sql}");
        assert!(sql.contains("'https://it''s/'"), "{sql}");
        assert!(sql.contains("[2]::BIGINT[]"), "{sql}");
        assert!(sql.ends_with("FROM t AS \"rasteret record\")"), "{sql}");
    }

    #[test]
    fn queries_are_enclosed_in_parentheses() {
        assert_eq!(relation(" FROM t;"), "(FROM t)");
        assert_eq!(relation("select 1"), "(select 1)");
        assert_eq!(relation("main.fromage"), "main.fromage");
        assert_eq!(relation("(FROM t)"), "(FROM t)");
    }
}
