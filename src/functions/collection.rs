//! What the table functions over an index share: their source and which of its columns they look at.

use std::path::Path;

use rasteret_io::source::HiveOptions;
use rasteret_io::upkeep::CollectionOptions;

use super::documentation::Parameter;
use super::{files, rasteret_enrich};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::vector::{BindInfo, LogicalType, TypeId, Value};

pub(super) const SOURCE: Parameter = Parameter {
    name: "source",
    kind: "VARCHAR or VARCHAR[]",
    default: None,
    description: "The index: Parquet files by a path, a URL, a glob, or a list of them. Hive folders are columns, as in \
        `rasteret_enrich`.",
};

pub(super) const ASSETS_COLUMN: Parameter = Parameter {
    name: "assets_column",
    kind: "VARCHAR",
    default: Some("'assets'"),
    description: "The column of assets, as in `rasteret_enrich`.",
};

pub(super) const HREF_COLUMN: Parameter = Parameter {
    name: "href_column",
    kind: "VARCHAR",
    default: Some("NULL"),
    description: "A column of hrefs, instead of assets.",
};

pub(super) const URL_REWRITE: Parameter = Parameter {
    name: "url_rewrite",
    kind: "MAP(VARCHAR, VARCHAR)",
    default: Some("MAP {}"),
    description: "Prefixes of hrefs and what to put in their place; the longest that fits counts.",
};

pub(super) const HIVE_PARTITIONING: Parameter = Parameter {
    name: "hive_partitioning",
    kind: "BOOLEAN",
    default: Some("NULL"),
    description: "Whether folders `key=value` are columns, as in `read_parquet`: the same names, types and values, behind the columns of \
        the files or in place of one of that name. NULL: where all files have the same keys; `true`: an error where they do not.",
};

/// The argument `hive_partitioning`.
pub(super) fn hive(info: &BindInfo) -> HiveOptions {
    let partitioning = info.named("hive_partitioning").and_then(|value| value.boolean());
    HiveOptions { partitioning, nulls: Host::current().null_folders() }
}

/// The named parameters.
pub(super) fn named_parameters() -> Vec<(&'static str, LogicalType)> {
    let of = LogicalType::of;
    vec![
        // ANY: a band may stand alone, and the types of empty lists and maps are open.
        ("bands", of(TypeId::Any)),
        ("assets_column", of(TypeId::Varchar)),
        ("href_column", of(TypeId::Varchar)),
        ("url_rewrite", of(TypeId::Any)),
        ("hive_partitioning", of(TypeId::Boolean)),
    ]
}

/// The source's patterns.
pub(super) fn source(info: &BindInfo) -> Result<Vec<String>> {
    let source = info.argument(0).ok_or_else(|| Error::argument("expected a source, found no argument"))?;
    files::texts("source", source)
}

/// The error, and the glob of its files where the source is a local folder.
pub(super) fn with_folder_hint(error: rasteret_io::Error, source: &[&str]) -> Error {
    // What a lock forbids is not looked at.
    let folder = source.iter().find(|name| error.denial().is_none() && Path::new(name).is_dir());
    match folder {
        Some(name) => {
            let glob = format!("{}/**/*.parquet", name.trim_end_matches('/')).replace('\'', "''");
            Error::argument(format!("source: expected Parquet files, found the folder '{name}': write '{glob}'"))
        }
        None => error.into(),
    }
}

/// The named arguments; NULL is as good as none.
pub(super) fn options(info: &BindInfo) -> Result<CollectionOptions> {
    let given = |name| info.named(name).filter(|value| !value.is_null());
    let mut options = CollectionOptions { hive: hive(info), ..CollectionOptions::default() };
    if let Some(value) = given("bands") {
        options.bands = Some(files::texts("bands", value)?);
    }
    if let Some(name) = given("assets_column").and_then(|value| value.text()) {
        options.assets_column = name;
    }
    options.href_column = given("href_column").and_then(|value| value.text());
    if let Some(value) = given("url_rewrite") {
        options.url_rewrite = rasteret_enrich::pairs("url_rewrite", "MAP(VARCHAR, VARCHAR)", value, Value::text)?;
    }
    Ok(options)
}
