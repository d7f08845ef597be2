//! The option `grid`.

use std::sync::Arc;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::warp::TargetGrid;
use rasteret_io::query::GridChoice;

use super::params;
use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::schema::MetadataReader;
use crate::vector::{LogicalType, Reader, TypeId, Value};

const CRS: Parameter = field("crs", ValueType::Text);
const GRID_RESOLUTION: Parameter = field("resolution", ValueType::Number);
const MATCH: Parameter = field("match", ValueType::Other("STRUCT"));
const TRANSFORM: Parameter = field("transform", ValueType::Numbers);
const WIDTH: Parameter = field("width", ValueType::Integer);
const HEIGHT: Parameter = field("height", ValueType::Integer);

/// The fields of a grid.
const FIELDS: [&Parameter; 6] = [&CRS, &GRID_RESOLUTION, &MATCH, &TRANSFORM, &WIDTH, &HEIGHT];

const fn field(name: &'static str, value: ValueType) -> Parameter {
    Parameter { name, value, default: None, description: "A field of a grid." }
}

/// The grids of the rows of a vector.
#[derive(Default)]
pub(super) struct Grids(Vec<Option<GridChoice>>);

impl Grids {
    /// Reads the option of a vector of calls.
    pub(super) fn new(reader: Option<&Reader<'_>>, rows: usize) -> Result<Self> {
        let Some(reader) = reader else { return Ok(Self::default()) };
        match reader.kind().id() {
            TypeId::SqlNull => return Ok(Self::default()),
            TypeId::Struct => {}
            _ => return Err(wrong(&reader.kind().to_string())),
        }
        for (name, kind) in reader.kind().fields() {
            let known = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(&name));
            if !known.is_some_and(|field| field.value.accepts(&kind)) {
                return Err(wrong(&format!("the field {name} {kind}")));
            }
        }
        let matched = reader.field(MATCH.name).filter(|field| field.kind().id() != TypeId::SqlNull);
        let matched = matched.map(MetadataReader::new).transpose()?;
        let mut grids: Vec<Option<GridChoice>> = Vec::with_capacity(rows);
        for row in 0..rows {
            let grid = match grids.last() {
                Some(last) if reader.is_same(row - 1, row) => last.clone(),
                _ => of_row(reader, matched.as_ref(), row)?,
            };
            grids.push(grid);
        }
        Ok(Self(grids))
    }

    /// The grid of a row; None without the option.
    pub(super) fn of_row(&self, row: usize) -> Option<&GridChoice> {
        self.0.get(row)?.as_ref()
    }
}

fn of_row(reader: &Reader<'_>, matched: Option<&MetadataReader<'_>>, row: usize) -> Result<Option<GridChoice>> {
    if reader.is_null(row) {
        return Ok(None);
    }
    let field = |field: &Parameter| reader.field(field.name).filter(|reader| !reader.is_null(row));
    let matched = matched.map(|matched| matched.raster_info(row)).transpose()?.flatten();
    let numbers = field(&TRANSFORM).and_then(|reader| reader.list(row));
    let size = |parameter: &Parameter| field(parameter).and_then(|reader| reader.integer(row));
    let given = Given {
        crs: field(&CRS).and_then(|reader| reader.text(row)).map(str::to_owned),
        resolution: field(&GRID_RESOLUTION).and_then(|reader| reader.number(row)),
        matched: matched.map(|raster| TargetGrid::of_raster(&raster)).transpose()?,
        transform: numbers.map(|(range, numbers)| range.map(|at| numbers.number(at)).collect()),
        width: size(&WIDTH),
        height: size(&HEIGHT),
    };
    given.choice().map(Some)
}

/// Reads a constant; None for NULL.
pub(super) fn constant(value: Option<&Value>) -> Result<Option<GridChoice>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    if value.id() != TypeId::Struct {
        return Err(wrong(&value.type_name()));
    }
    let mut given = Given::default();
    for (at, (name, kind)) in value.with_kind(LogicalType::fields).into_iter().enumerate() {
        let known = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(&name));
        let field = value.field(at).filter(|field| !field.is_null());
        // A NULL without a type arrives as an INTEGER.
        let Some(known) = known.filter(|known| field.is_none() || known.value.accepts(&kind)) else {
            return Err(wrong(&format!("the field {name} {kind}")));
        };
        let Some(field) = field else { continue };
        match known.name {
            name if name == CRS.name => given.crs = field.text(),
            name if name == GRID_RESOLUTION.name => given.resolution = field.number(),
            name if name == MATCH.name => given.matched = Some(matched(&field)?),
            name if name == TRANSFORM.name => given.transform = field.numbers().map(|list| list.into_iter().collect()),
            name if name == WIDTH.name => given.width = field.integer().map(i128::from),
            _ => given.height = field.integer().map(i128::from),
        }
    }
    given.choice().map(Some)
}

/// The grid of a constant STRUCT of metadata.
fn matched(metadata: &Value) -> Result<TargetGrid> {
    let kinds = metadata.with_kind(LogicalType::fields);
    let field = |name: &str| {
        let at = kinds.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        metadata.field(at).filter(|field| !field.is_null())
    };
    let wrong = |name: &str| {
        let found = field(name).map_or_else(|| "none".to_owned(), |found| found.type_name());
        Error::argument(format!("grid: match: expected metadata with a field {name}, found {found}"))
    };
    let size = |name: &str| {
        let size = field(name).and_then(|size| u32::try_from(size.integer()?).ok());
        size.ok_or_else(|| wrong(name))
    };
    let transform = match field("transform") {
        None => GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        Some(numbers) => {
            let numbers = numbers.numbers().and_then(|list| list.into_iter().collect::<Option<Vec<f64>>>());
            let numbers: Option<[f64; 6]> = numbers.and_then(|numbers| numbers.try_into().ok());
            GeoTransform::from_array(numbers.ok_or_else(|| wrong("transform"))?)
        }
    };
    let crs = field("crs").map(|crs| crs.text().ok_or_else(|| wrong("crs"))).transpose()?;
    Ok(TargetGrid::new(transform, crs, size("image_width")?, size("image_height")?)?)
}

/// The fields of a grid that are given.
#[derive(Default)]
struct Given {
    crs: Option<String>,
    resolution: Option<f64>,
    matched: Option<TargetGrid>,
    /// None if one of the numbers is NULL.
    transform: Option<Option<Vec<f64>>>,
    width: Option<i128>,
    height: Option<i128>,
}

impl Given {
    fn choice(self) -> Result<GridChoice> {
        let found = self.names();
        match (self.crs, self.resolution, self.matched, self.transform, self.width, self.height) {
            (Some(crs), Some(resolution), None, None, None, None) => {
                if !(resolution.is_finite() && resolution > 0.0) {
                    return Err(Error::argument(format!(
                        "grid: resolution: expected a number greater than 0, found {resolution}"
                    )));
                }
                Ok(GridChoice::Aligned { crs, resolution })
            }
            (None, None, Some(grid), None, None, None) => Ok(GridChoice::Grid(Arc::new(grid))),
            (Some(crs), None, None, Some(transform), Some(width), Some(height)) => {
                let found = transform.as_ref().map_or_else(|| "a NULL".to_owned(), |numbers| numbers.len().to_string());
                let numbers: Option<[f64; 6]> = transform.and_then(|numbers| numbers.try_into().ok());
                let Some(numbers) = numbers else {
                    return Err(Error::argument(format!("grid: transform: expected six numbers, found {found}")));
                };
                let size = |name: &str, size: i128| {
                    u32::try_from(size).map_err(|_| {
                        Error::argument(format!("grid: {name}: expected a number of pixels, found {size}"))
                    })
                };
                let (width, height) = (size(WIDTH.name, width)?, size(HEIGHT.name, height)?);
                let grid = TargetGrid::new(GeoTransform::from_array(numbers), Some(crs), width, height)?;
                Ok(GridChoice::Grid(Arc::new(grid)))
            }
            _ => Err(wrong(&found)),
        }
    }

    /// The names of the fields, for errors.
    fn names(&self) -> String {
        let are_given = [
            self.crs.is_some(),
            self.resolution.is_some(),
            self.matched.is_some(),
            self.transform.is_some(),
            self.width.is_some(),
            self.height.is_some(),
        ];
        let given = FIELDS.iter().zip(are_given).filter(|(_, is_given)| *is_given).map(|(field, _)| field.name);
        let given: Vec<_> = given.collect();
        if given.is_empty() { "none of them".to_owned() } else { given.join(", ") }
    }
}

fn wrong(found: &str) -> Error {
    Error::argument(format!("{}: expected {}, found {found}", params::GRID.name, params::GRID.value.sql()))
}
