//! Locates the hrefs of a record, and determines which of its assets are GeoTIFFs.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use serde_json::Value;

use super::href::is_geotiff;
use super::members::Members;
use super::{cell, scaling};
use crate::types::json;
use crate::{Error, Result};

/// A column that holds hrefs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assets {
    pub(crate) form: Form,
    /// Index in the source's schema.
    pub(crate) column: usize,
    /// Whether the members of [`scaling`] are read too.
    pub(crate) with_scaling: bool,
}

/// Form of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `STRUCT(band STRUCT(href VARCHAR, ...), ...)`
    Struct,
    /// `MAP(VARCHAR, STRUCT(href VARCHAR, ...))`
    Map,
    /// STAC's `assets` object as text.
    Json,
    /// One href, shared by all bands.
    Href,
}

/// The fields of an asset that matter here.
const HREF: &str = "href";
const TYPE: &str = "type";
const BAND_INDEX: &str = "band_index";
const OWN: [&str; 3] = [HREF, TYPE, BAND_INDEX];

/// An asset of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset<'a> {
    pub(crate) href: &'a str,
    pub(crate) band_index: Option<i64>,
    /// Its other members.
    pub(crate) members: Members<'a>,
}

/// The asset, or why there is none.
pub(crate) type Found<'a> = std::result::Result<Asset<'a>, &'static str>;

/// Error of a record without the asset, or whose asset has no href.
pub(crate) const NO_HREF: &str = "no href";

impl Assets {
    /// Finds the column and checks its type.
    pub(crate) fn find(schema: &Schema, assets_column: &str, href_column: Option<&str>) -> Result<Self> {
        if let Some(name) = href_column {
            let (column, field) = find(schema, "href_column", name)?;
            return match field.data_type() {
                DataType::Utf8 => Ok(Self { form: Form::Href, column, with_scaling: false }),
                other => Err(wrong(format!("href_column '{name}': expected VARCHAR, found {other}"))),
            };
        }
        let (column, field) = find(schema, "assets_column", assets_column)?;
        let form = match field.data_type() {
            DataType::Struct(bands) if bands.iter().any(|band| has_href(band.data_type())) => Some(Form::Struct),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(entries) => match entries.as_ref() {
                    [key, value] if *key.data_type() == DataType::Utf8 && has_href(value.data_type()) => {
                        Some(Form::Map)
                    }
                    _ => None,
                },
                _ => None,
            },
            DataType::Utf8 => Some(Form::Json),
            _ => None,
        };
        match form {
            Some(form) => Ok(Self { form, column, with_scaling: false }),
            None => Err(wrong(format!(
                "assets_column '{assets_column}': expected STRUCT(band STRUCT(href VARCHAR, ...), ...), MAP(VARCHAR, \
                 STRUCT(href VARCHAR, ...)) or JSON text, found {}",
                brief(field.data_type())
            ))),
        }
    }

    /// The STRUCT fields to read for these bands; None if the whole column is needed.
    pub(crate) fn fields(&self, bands: &[String]) -> Option<Vec<Vec<String>>> {
        (self.form == Form::Struct).then(|| {
            let more: &[&str] = if self.with_scaling { &scaling::MEMBERS } else { &[] };
            let paths = |band: &String| {
                let fields = OWN.iter().chain(more);
                fields.map(|field| vec![band.clone(), (*field).to_owned()]).collect::<Vec<_>>()
            };
            bands.iter().flat_map(paths).collect()
        })
    }

    /// The keys defined by the type: fields of a STRUCT with an href.
    pub(crate) fn struct_keys(&self, schema: &Schema) -> Option<Vec<String>> {
        match (self.form, schema.field(self.column).data_type()) {
            (Form::Struct, DataType::Struct(bands)) => {
                let bands = bands.iter().filter(|band| has_href(band.data_type()));
                Some(bands.map(|band| band.name().clone()).collect())
            }
            _ => None,
        }
    }

    /// Calls `each(band, row, asset)` for all bands and rows of a column in this form.
    pub(crate) fn each(&self, array: &ArrayRef, bands: &[String], mut each: impl FnMut(usize, usize, Found<'_>)) {
        let rows = array.len();
        match self.form {
            Form::Href => {
                for row in 0..rows {
                    let asset = cell::text(array, row)
                        .map(|href| Asset { href, band_index: None, members: Members::None })
                        .ok_or(NO_HREF);
                    (0..bands.len()).for_each(|band| each(band, row, asset));
                }
            }
            Form::Struct => {
                let assets = array.as_struct();
                for (index, band) in bands.iter().enumerate() {
                    let asset = assets.column_by_name(band).and_then(|asset| asset.as_struct_opt());
                    let columns = asset.map(|asset| (asset, Columns::of(asset)));
                    for row in 0..rows {
                        let found = columns.as_ref().filter(|(asset, _)| assets.is_valid(row) && asset.is_valid(row));
                        each(index, row, found.and_then(|(_, columns)| columns.asset(row)).ok_or(NO_HREF));
                    }
                }
            }
            Form::Map => {
                let map = array.as_map();
                let values = map.values().as_struct();
                let columns = Columns::of(values);
                let offsets = map.value_offsets();
                for row in 0..rows {
                    let entries = entries(offsets, row, map.is_valid(row));
                    for (index, band) in bands.iter().enumerate() {
                        let entry = entries.clone().find(|entry| cell::text(map.keys(), *entry) == Some(band));
                        let entry = entry.filter(|entry| values.is_valid(*entry));
                        each(index, row, entry.and_then(|entry| columns.asset(entry)).ok_or(NO_HREF));
                    }
                }
            }
            Form::Json => {
                for row in 0..rows {
                    let assets = match cell::text(array, row).map(parsed) {
                        Some(Ok(assets)) => Ok(assets),
                        Some(Err(_)) => Err("the assets are not valid JSON"),
                        None => Err(NO_HREF),
                    };
                    for (index, band) in bands.iter().enumerate() {
                        each(
                            index,
                            row,
                            assets.as_ref().map_err(|why| *why).and_then(|assets| {
                                let asset = assets.get(band).ok_or(NO_HREF)?;
                                let href = asset.get(HREF).and_then(Value::as_str).ok_or(NO_HREF)?;
                                let band_index = asset.get(BAND_INDEX).and_then(Value::as_i64);
                                Ok(Asset { href, band_index, members: Members::Json(asset) })
                            }),
                        );
                    }
                }
            }
        }
    }

    /// Adds the keys that these records have to `keys`, in order of appearance, each with whether it is a GeoTIFF in one
    /// of them. `array` is a column in this form.
    pub(crate) fn survey(&self, array: &ArrayRef, keys: &mut Vec<(String, bool)>) {
        let mut add = |key: &str, geotiff: bool| match keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known |= geotiff,
            None => keys.push((key.to_owned(), geotiff)),
        };
        match self.form {
            Form::Href => {}
            Form::Struct => {
                let assets = array.as_struct();
                for (field, asset) in assets.fields().iter().zip(assets.columns()) {
                    let Some(asset) = asset.as_struct_opt() else { continue };
                    let columns = Columns::of(asset);
                    let valid = |row: &usize| assets.is_valid(*row) && asset.is_valid(*row);
                    let geotiff = (0..asset.len()).filter(valid).any(|row| columns.is_geotiff(row));
                    add(field.name(), geotiff);
                }
            }
            Form::Map => {
                let map = array.as_map();
                let values = map.values().as_struct();
                let columns = Columns::of(values);
                for row in 0..map.len() {
                    for entry in entries(map.value_offsets(), row, map.is_valid(row)) {
                        if let Some(key) = cell::text(map.keys(), entry) {
                            add(key, values.is_valid(entry) && columns.is_geotiff(entry));
                        }
                    }
                }
            }
            Form::Json => {
                for row in 0..array.len() {
                    let assets = cell::text(array, row).and_then(|text| parsed(text).ok());
                    for (key, asset) in assets.iter().filter_map(Value::as_object).flatten() {
                        let text = |field: &str| asset.get(field).and_then(Value::as_str);
                        add(key, is_geotiff(text(TYPE), text(HREF)));
                    }
                }
            }
        }
    }
}

/// STAC's `assets` object.
fn parsed(text: &str) -> serde_json::Result<Value> {
    json::parse(text.as_bytes())
}

/// Entries of one row of a map.
fn entries(offsets: &[i32], row: usize, valid: bool) -> std::ops::Range<usize> {
    let at = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    if valid { at(row)..at(row + 1) } else { 0..0 }
}

/// The columns of a struct of assets.
struct Columns<'a> {
    asset: &'a StructArray,
    href: Option<&'a ArrayRef>,
    media_type: Option<&'a ArrayRef>,
    band_index: Option<&'a ArrayRef>,
}

impl<'a> Columns<'a> {
    fn of(asset: &'a StructArray) -> Self {
        Self {
            asset,
            href: asset.column_by_name(HREF),
            media_type: asset.column_by_name(TYPE),
            band_index: asset.column_by_name(BAND_INDEX),
        }
    }

    fn asset(&self, row: usize) -> Option<Asset<'a>> {
        let href = cell::text(self.href?, row)?;
        let band_index = self.band_index.and_then(|array| cell::integer(array, row));
        Some(Asset { href, band_index, members: Members::Row(self.asset, row) })
    }

    fn is_geotiff(&self, row: usize) -> bool {
        let text = |array: Option<&'a ArrayRef>| array.and_then(|array| cell::text(array, row));
        is_geotiff(text(self.media_type), text(self.href))
    }
}

fn has_href(asset: &DataType) -> bool {
    let href = |fields: &Fields| fields.find(HREF).is_some_and(|(_, href)| *href.data_type() == DataType::Utf8);
    matches!(asset, DataType::Struct(fields) if href(fields))
}

fn find<'a>(schema: &'a Schema, argument: &str, name: &str) -> Result<(usize, &'a Field)> {
    match schema.fields().find(name) {
        Some((index, field)) => Ok((index, field)),
        None => Err(wrong(format!(
            "{argument}: no column '{name}'; columns: {}",
            listed(schema.fields().iter().map(|field| field.name().as_str()))
        ))),
    }
}

/// Names for an error message: all names, or the first of many.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 40;
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A type without its children.
fn brief(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => format!("STRUCT({})", listed(fields.iter().map(|field| field.name().as_str()))),
        DataType::Map(..) => "MAP".to_owned(),
        DataType::List(_) => "LIST".to_owned(),
        other => other.to_string(),
    }
}

fn wrong(what: String) -> Error {
    Error::InvalidArgument { what }
}

/// Adds the keys of a batch to `keys`; the first column of the batch is the assets.
pub(crate) fn survey(assets: &Assets, batch: &RecordBatch, keys: &mut Vec<(String, bool)>) {
    if let Some(array) = batch.columns().first() {
        assets.survey(array, keys);
    }
}
