//! Arguments of functions that read collections of records: the source, and its relevant columns.

use std::path::Path;

use rasteret_io::maintenance::CollectionOptions;
use rasteret_io::parquet::HiveOptions;

use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::{files, params};
use crate::host::Host;
use crate::options::OptionValues;
use crate::vector::BindInfo;

pub(super) const SOURCE: Parameter = Parameter {
    name: "source",
    value: ValueType::Other("VARCHAR or VARCHAR[]"),
    default: None,
    description: "The Parquet files of the index: a path, a URL, a glob, or a list of them. Hive folders are read as \
        columns, as in `rasteret_enrich`.",
};

pub(super) const BANDS: Parameter = Parameter {
    name: "bands",
    value: ValueType::Other("VARCHAR or VARCHAR[]"),
    default: Some("NULL"),
    description: "Asset keys. NULL: all assets that are GeoTIFFs by media type or extension.",
};

/// The asset keys of a call; None for NULL.
pub(super) fn bands(info: &BindInfo) -> Result<Option<Vec<String>>> {
    let bands = info.named(BANDS.name).filter(|value| !value.is_null());
    bands.map(|value| files::texts(BANDS.name, value)).transpose()
}

pub(super) const ASSETS_COLUMN: Parameter = Parameter {
    name: "assets_column",
    value: ValueType::Text,
    default: Some("'assets'"),
    description: "The column of assets: a STRUCT or MAP of STRUCTs with an `href`, or the JSON of STAC. To use \
        columns of hrefs, write `{B04: {href: red_href}, B08: {href: nir_href}} AS assets`.",
};

pub(super) fn assets_column(options: &impl OptionValues) -> String {
    options.text(&ASSETS_COLUMN).map_or_else(|| "assets".to_owned(), Into::into)
}

pub(super) const HREF_COLUMN: Parameter = Parameter {
    name: "href_column",
    value: ValueType::Text,
    default: Some("NULL"),
    description: "A column of hrefs, instead of assets: all bands are in the same file. Several bands need a \
        `band_index` each.",
};

pub(super) fn href_column(options: &impl OptionValues) -> Option<String> {
    options.text(&HREF_COLUMN).map(Into::into)
}

pub(super) const BAND_INDEX: Parameter = Parameter {
    name: "band_index",
    value: ValueType::Map("MAP(VARCHAR, BIGINT)"),
    default: Some("MAP {}"),
    description: "The position of each band in its file, counted from 0.",
};

pub(super) fn band_index(options: &impl OptionValues) -> Result<Vec<(String, u32)>> {
    let pairs = options.integer_pairs(&BAND_INDEX)?.into_iter().map(|(band, index)| {
        let wrong = |_| Error::argument(format!("band_index: expected {}, found {index}", params::A_BAND));
        Ok((band, u32::try_from(index).map_err(wrong)?))
    });
    pairs.collect()
}

pub(super) const URL_REWRITE: Parameter = Parameter {
    name: "url_rewrite",
    value: ValueType::Map("MAP(VARCHAR, VARCHAR)"),
    default: Some("MAP {}"),
    description: "Prefixes of hrefs and their replacements; the longest matching prefix is replaced.",
};

pub(super) fn url_rewrite(options: &impl OptionValues) -> Result<Vec<(String, String)>> {
    options.text_pairs(&URL_REWRITE)
}

pub(super) const NORMALIZE: Parameter = Parameter {
    name: "normalize",
    value: ValueType::Boolean,
    default: Some("true"),
    description: "Adds `\"proj:epsg\"`, `crs`, `bbox`, `year` and `month` if the source lacks them; see \
        `rasteret_normalize`.",
};

pub(super) fn normalize(options: &impl OptionValues) -> bool {
    options.boolean(&NORMALIZE).unwrap_or(true)
}

pub(super) const STAC_SCALE: Parameter = Parameter {
    name: "stac_scale",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Takes `scale` and `offset` of the metadata from the asset: `raster:scale` and `raster:offset` of \
        its `bands` or of the asset (STAC 1.1), or `scale` and `offset` of its `raster:bands` (STAC 1.0). If the \
        asset has neither, those of the file are kept.",
};

pub(super) fn stac_scale(options: &impl OptionValues) -> bool {
    options.boolean(&STAC_SCALE).unwrap_or(false)
}

pub(super) const ON_ERROR: Parameter = Parameter {
    default: Some("'null'"),
    description: "`'null'`: a file that fails has NULL metadata, and `rasteret_error` holds the reason. `'fail'`: the \
        query fails. If all files fail, the query fails in both cases.",
    ..params::ON_ERROR
};

pub(super) const HIVE_PARTITIONING: Parameter = Parameter {
    name: "hive_partitioning",
    value: ValueType::Boolean,
    default: Some("NULL"),
    description: "Whether folders `key=value` are read as columns, with the names, types and values of \
        `read_parquet`. They follow the columns of the files, and replace a column of the same name. NULL: if all \
        files have the same keys. `true`: different keys are an error.",
};

pub(super) fn hive(info: &BindInfo) -> HiveOptions {
    HiveOptions { partitioning: info.boolean(&HIVE_PARTITIONING), nulls: Host::current().null_folders() }
}

/// The patterns of the source.
pub(super) fn source(info: &BindInfo) -> Result<Vec<String>> {
    let source = info.argument(0).ok_or_else(|| Error::argument("expected a source, found no argument"))?;
    files::texts("source", source)
}

/// Adds the glob of its files to an error if the source is a local folder.
pub(super) fn with_folder_hint(error: rasteret_io::Error, source: &[&str]) -> Error {
    // Paths excluded by a lock are not accessed.
    let folder = source.iter().find(|name| error.denial().is_none() && Path::new(name).is_dir());
    match folder {
        Some(name) => {
            let glob = format!("{}/**/*.parquet", name.trim_end_matches('/')).replace('\'', "''");
            Error::argument(format!("source: expected Parquet files, found the folder '{name}': write '{glob}'"))
        }
        None => error.into(),
    }
}

/// The options of a function that reads an index.
pub(super) fn options(info: &BindInfo) -> Result<CollectionOptions> {
    Ok(CollectionOptions {
        bands: bands(info)?,
        assets_column: assets_column(info),
        href_column: href_column(info),
        url_rewrite: url_rewrite(info)?,
        hive: hive(info),
    })
}
