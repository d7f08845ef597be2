//! The option `grid`.

use std::sync::Arc;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::warp::TargetGrid;
use rasteret_io::query::GridChoice;

use super::params;
use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::schema::MetadataReader;
use crate::vector::{Reader, TypeId};

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
    let crs = field(&CRS).and_then(|reader| reader.text(row)).map(str::to_owned);
    let resolution = field(&GRID_RESOLUTION).and_then(|reader| reader.number(row));
    let transform = field(&TRANSFORM).and_then(|reader| reader.list(row));
    let transform = transform.map(|(range, numbers)| range.map(|at| numbers.number(at)).collect::<Option<Vec<f64>>>());
    let size = |parameter: &Parameter| field(parameter).and_then(|reader| reader.integer(row));
    let matched = matched.map(|matched| matched.raster_info(row)).transpose()?.flatten();
    match (crs, resolution, matched, transform, size(&WIDTH), size(&HEIGHT)) {
        (Some(crs), Some(resolution), None, None, None, None) => {
            if !(resolution.is_finite() && resolution > 0.0) {
                return Err(Error::argument(format!(
                    "grid: resolution: expected a number greater than 0, found {resolution}"
                )));
            }
            Ok(Some(GridChoice::Aligned { crs, resolution }))
        }
        (None, None, Some(raster), None, None, None) => {
            Ok(Some(GridChoice::Grid(Arc::new(TargetGrid::of_raster(&raster)?))))
        }
        (Some(crs), None, None, Some(transform), Some(width), Some(height)) => {
            let found = transform.as_ref().map_or_else(|| "a NULL".to_owned(), |numbers| numbers.len().to_string());
            let numbers: Option<[f64; 6]> = transform.and_then(|numbers| numbers.try_into().ok());
            let Some(numbers) = numbers else {
                return Err(Error::argument(format!("grid: transform: expected six numbers, found {found}")));
            };
            let size = |name: &str, size: i128| {
                u32::try_from(size)
                    .map_err(|_| Error::argument(format!("grid: {name}: expected a number of pixels, found {size}")))
            };
            let (width, height) = (size(WIDTH.name, width)?, size(HEIGHT.name, height)?);
            let grid = TargetGrid::new(GeoTransform::from_array(numbers), Some(crs), width, height)?;
            Ok(Some(GridChoice::Grid(Arc::new(grid))))
        }
        _ => {
            let found = FIELDS.iter().filter(|parameter| field(parameter).is_some()).map(|field| field.name);
            let found: Vec<_> = found.collect();
            Err(wrong(&if found.is_empty() { "none of them".to_owned() } else { found.join(", ") }))
        }
    }
}

fn wrong(found: &str) -> Error {
    Error::argument(format!("{}: expected {}, found {found}", params::GRID.name, params::GRID.value.sql()))
}
