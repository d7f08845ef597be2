//! Computes columns of collections that the source lacks: `"proj:epsg"`, `crs`, `bbox`, `year`, `month`.
//!
//! | column | from the record | else |
//! |---|---|---|
//! | `"proj:epsg"`, `crs` | [`record_crs::MEMBERS`], as columns or in a STRUCT `properties` | the first band's header that has a CRS |
//! | `bbox` | the geometry column's WKB, if its CRS is longitude and latitude | the first header with bounds in longitude and latitude |
//! | `year`, `month` | [`calendar::COLUMNS`], as columns or in a STRUCT `properties` | NULL |
//!
//! The box of a header is that of [`RasterInfo::footprint`] in OGC:CRS84; a header whose CRS is unknown or local has
//! none. A geometry column may have no CRS: a file can leave it unknown, and DuckDB's stable C API does not report the
//! CRS of a GEOMETRY. Such a geometry is used if [`could_be_degrees`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use rasteret_cog::crs::Transforms;
use rasteret_cog::geo::{Crs, GeoTransform};
use rasteret_cog::{Bands, CogHeader, DEFAULT_CRS, RasterInfo};

use super::columns::{Normalized, bbox_fields};
use super::record_crs::RecordCrs;
use super::{calendar, cell, envelope, record_crs};
use crate::parquet::Kind;

/// Which columns are computed, from which of the source's.
#[derive(Debug, Default)]
pub struct Normalizer {
    missing: Vec<Normalized>,
    crs: Vec<Input>,
    time: Vec<Input>,
    geometry: Option<Geometry>,
    boxes: Boxes,
}

/// Boxes of headers that are known: files of one grid, as scenes of many dates, share the work of following their sides.
#[derive(Debug, Default)]
struct Boxes(Mutex<HashMap<GridKey, Option<envelope::Envelope>>>);

/// The parts of a header that its box depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct GridKey {
    crs: Crs,
    /// The transform's numbers, bit by bit.
    transform: [u64; 6],
    size: (u32, u32),
}

/// Maximum number of cached boxes.
const MAX_BOXES: usize = 4_096;

/// A column of the source, or a field of its STRUCT `properties`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// By its index in the schema.
    pub column: usize,
    /// The field's name; None for the column itself.
    pub field: Option<String>,
}

/// The georeference in a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Georeference<'a> {
    /// The image's CRS.
    pub crs: Option<Cow<'a, Crs>>,
    /// Pixel corners to that CRS.
    pub transform: Option<GeoTransform>,
    /// The image's columns and rows.
    pub size: Option<(u32, u32)>,
}

/// The column of geometries.
#[derive(Debug)]
struct Geometry {
    input: Input,
    /// Whether its CRS is known to be longitude and latitude.
    is_geographic: bool,
}

/// The STRUCT of STAC Items for values that are columns in GeoParquet.
const PROPERTIES: &str = "properties";

/// The code whose coordinates are longitude and latitude in degrees of WGS 84.
const LONGITUDE_LATITUDE: i32 = 4326;

impl<'a> From<&'a CogHeader> for Georeference<'a> {
    fn from(header: &'a CogHeader) -> Self {
        let crs = header.crs.as_ref().map(Cow::Borrowed);
        Self { crs, transform: header.transform, size: Some((header.image.image_width, header.image.image_height)) }
    }
}

impl Normalizer {
    /// For records of these columns.
    pub fn new(schema: &Schema) -> Self {
        let absent = |name: &str| !schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(name));
        let missing = Normalized::ALL.into_iter().filter(|column| absent(column.name())).collect();
        let inputs = |names: &[&str]| names.iter().filter_map(|name| Input::find(schema, name)).collect();
        Self {
            missing,
            crs: inputs(&record_crs::MEMBERS),
            time: inputs(&calendar::COLUMNS),
            geometry: geometry(schema),
            boxes: Boxes::default(),
        }
    }

    /// The columns that the source lacks, in the output's order.
    pub(super) fn missing(&self) -> &[Normalized] {
        &self.missing
    }

    /// The source columns that must be read for these columns.
    pub fn inputs(&self, wanted: &[Normalized]) -> Vec<Input> {
        let mut inputs = Vec::new();
        if wanted.iter().any(|column| matches!(column, Normalized::Epsg | Normalized::Crs)) {
            inputs.extend(self.crs.iter().cloned());
        }
        if wanted.iter().any(|column| matches!(column, Normalized::Year | Normalized::Month)) {
            inputs.extend(self.time.iter().cloned());
        }
        if wanted.contains(&Normalized::Bbox) {
            inputs.extend(self.geometry.iter().map(|geometry| geometry.input.clone()));
        }
        inputs
    }

    /// The requested columns of `rows` records. `array` returns the values of an input, `headers` those of one record's
    /// bands.
    pub fn columns<'a, I>(
        &self,
        wanted: &[Normalized],
        rows: usize,
        array: impl Fn(&Input) -> Option<ArrayRef>,
        headers: impl Fn(usize) -> I,
        transforms: &Transforms,
    ) -> Vec<ArrayRef>
    where
        I: IntoIterator<Item = Georeference<'a>>,
    {
        let arrays = |inputs: &[Input]| inputs.iter().filter_map(&array).collect::<Vec<_>>();
        let (crs, time) = (arrays(&self.crs), arrays(&self.time));
        let geometry = self.geometry.as_ref().and_then(|geometry| Some((geometry, array(&geometry.input)?)));
        let crs_of = |row: usize| {
            let of_record = record_crs::first(crs.iter().map(|array| RecordCrs::of_cell(array, row)));
            of_record.or_else(|| headers(row).into_iter().find_map(|header| header_crs(&header)))
        };
        let month_of = |row: usize| time.iter().find_map(|array| calendar::of_cell(array, row));
        let bbox_of = |row: usize| {
            let of_record = geometry.as_ref().and_then(|(geometry, array)| {
                let envelope = envelope::of_wkb(cell::bytes(array, row)?)?;
                (geometry.is_geographic || could_be_degrees(envelope)).then_some(envelope)
            });
            of_record.or_else(|| headers(row).into_iter().find_map(|header| self.boxes.get(&header, transforms)))
        };
        let rows = 0..rows;
        wanted
            .iter()
            .map(|column| -> ArrayRef {
                match column {
                    Normalized::Epsg => {
                        Arc::new(rows.clone().map(|row| crs_of(row)?.epsg).collect::<PrimitiveArray<Int32Type>>())
                    }
                    Normalized::Crs => {
                        Arc::new(rows.clone().map(|row| Some(crs_of(row)?.text)).collect::<StringArray>())
                    }
                    Normalized::Bbox => boxes(rows.clone().map(bbox_of)),
                    Normalized::Year => {
                        Arc::new(rows.clone().map(|row| Some(month_of(row)?.0)).collect::<PrimitiveArray<Int32Type>>())
                    }
                    Normalized::Month => {
                        Arc::new(rows.clone().map(|row| Some(month_of(row)?.1)).collect::<PrimitiveArray<Int32Type>>())
                    }
                }
            })
            .collect()
    }
}

impl Input {
    /// The column with this name, otherwise the field of `properties`; letter case is ignored, as in SQL.
    pub(crate) fn find(schema: &Schema, name: &str) -> Option<Self> {
        let is = |field: &Field| field.name().eq_ignore_ascii_case(name);
        if let Some(column) = schema.fields().iter().position(|field| is(field)) {
            return Some(Self { column, field: None });
        }
        let (column, properties) = schema.fields().find(PROPERTIES)?;
        match properties.data_type() {
            DataType::Struct(fields) => {
                let field = fields.iter().find(|field| is(field))?;
                Some(Self { column, field: Some(field.name().clone()) })
            }
            _ => None,
        }
    }

    /// The values of the input, from those of its column.
    pub(crate) fn of(&self, column: &ArrayRef) -> Option<ArrayRef> {
        let Some(field) = &self.field else { return Some(Arc::clone(column)) };
        let properties = column.as_struct_opt()?;
        let values = properties.column_by_name(field)?;
        // A field of a NULL struct may hold anything.
        match properties.nulls() {
            None => Some(Arc::clone(values)),
            Some(nulls) => {
                let nulls = NullBuffer::union(Some(nulls), values.nulls());
                values.to_data().into_builder().nulls(nulls).build().ok().map(arrow_array::make_array)
            }
        }
    }
}

/// The column `geometry`, else the first that the source calls one; not in a CRS other than longitude and latitude.
fn geometry(schema: &Schema) -> Option<Geometry> {
    let wkb = |field: &Field| *field.data_type() == DataType::Binary;
    let named = schema.fields().find("geometry").filter(|(_, field)| wkb(field));
    let marked = || {
        let mut fields = schema.fields().iter().enumerate();
        fields.find(|(_, field)| matches!(Kind::of(field), Some(Kind::Wkb { .. })))
    };
    let (column, field) = named.or_else(marked)?;
    let input = Input { column, field: None };
    let Some(Kind::Wkb { crs: Some(crs) }) = Kind::of(field) else {
        return Some(Geometry { input, is_geographic: false });
    };
    let is_geographic = crs.eq_ignore_ascii_case("OGC:CRS84")
        || RecordCrs::parse(&crs).is_some_and(|crs| crs.epsg == Some(LONGITUDE_LATITUDE));
    is_geographic.then_some(Geometry { input, is_geographic })
}

/// Whether a box of unknown CRS lies within longitude -180 to 180 and latitude -90 to 90.
///
/// STAC has all geometries in degrees, so coordinates that can be degrees are interpreted as degrees. Metres or feet of a projected CRS cannot,
/// unless within two hundred of its origin.
fn could_be_degrees([xmin, ymin, xmax, ymax]: envelope::Envelope) -> bool {
    xmin >= -180.0 && xmax <= 180.0 && ymin >= -90.0 && ymax <= 90.0
}

fn header_crs(header: &Georeference<'_>) -> Option<RecordCrs> {
    match header.crs.as_deref()? {
        Crs::Epsg(code) => RecordCrs::epsg(i64::from(*code)),
        Crs::Wkt(wkt) => RecordCrs::parse(wkt),
    }
}

impl Boxes {
    /// The box around a header's image in longitude and latitude.
    fn get(&self, header: &Georeference<'_>, transforms: &Transforms) -> Option<envelope::Envelope> {
        let crs = header.crs.as_deref()?.clone();
        let (transform, size) = (header.transform?, header.size?);
        let key = GridKey { crs, transform: transform.to_array().map(f64::to_bits), size };
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *known;
        }
        let found = header_bbox(transform, size, key.crs.clone(), transforms);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_BOXES {
            known.clear();
        }
        known.insert(key, found);
        found
    }
}

fn header_bbox(
    transform: GeoTransform,
    (width, height): (u32, u32),
    crs: Crs,
    transforms: &Transforms,
) -> Option<envelope::Envelope> {
    let bands = Bands { count: 1, narrowed_to: None };
    let raster = RasterInfo { width, height, bands, transform: Some(transform), crs: Some(crs) };
    let transform = raster.transform_from(DEFAULT_CRS, transforms).ok()?;
    let bounds = raster.footprint(transform.as_ref()).ok()?.bbox();
    Some([bounds.xmin, bounds.ymin, bounds.xmax, bounds.ymax])
}

fn boxes(boxes: impl Iterator<Item = Option<envelope::Envelope>>) -> ArrayRef {
    let boxes: Vec<_> = boxes.collect();
    let side = |side: usize| -> ArrayRef {
        Arc::new(boxes.iter().map(|sides| sides.map(|sides| sides[side])).collect::<PrimitiveArray<Float64Type>>())
    };
    let nulls = NullBuffer::from_iter(boxes.iter().map(Option::is_some));
    let columns = (0..4).map(side).collect();
    Arc::new(StructArray::new(bbox_fields(), columns, Some(nulls)))
}
