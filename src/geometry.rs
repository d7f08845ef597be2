//! Geometry arguments: a parameter of type ANY, interpreted by the type of the vector.
//!
//! | type | read as |
//! |---|---|
//! | `GEOMETRY` of DuckDB 1.5 and later | its payload, little-endian WKB |
//! | `BLOB`, `WKB_BLOB` | WKB: ISO or EWKB |
//! | `VARCHAR`, `JSON` | WKT, EWKT, GeoJSON, or WKB as hexadecimal digits |
//! | `STRUCT` with fields `xmin`, `ymin`, `xmax`, `ymax` in any order | a box |
//! | `LIST` or `ARRAY` of four numbers | a box, in that order |
//! | `"NULL"` | an untyped NULL, see [`GeometryReader::is_untyped`] |
//!
//! The numbers of a box may have any numeric type. A box that contains a NULL is NULL, as in `ST_MakeEnvelope`.
//!
//! `GEOMETRY` of the spatial extension before DuckDB 1.5 is a BLOB that does not contain WKB; it is rejected by its
//! name. The CRS of a `GEOMETRY('…')` type is used on hosts that expose it, see [`LogicalType::geometry_crs`].
//! Constants of table functions are passed as values, whose GEOMETRY is read as WKT.

use std::cell::Cell;

pub(crate) use rasteret_cog::DEFAULT_CRS;
use rasteret_cog::{Corners, EncodedGeometry, ParsedGeometry};

use crate::error::{Error, Result};
use crate::vector::{LogicalType, Reader, TypeId, Value};

/// The fields of a box, in the order of a list.
const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Format of the values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Wkb,
    /// A STRUCT with the [`SIDES`].
    Fields,
    /// A LIST or ARRAY of numbers.
    Numbers,
    Null,
}

impl Form {
    fn of(kind: &LogicalType) -> Result<Self> {
        let is_number = |kind: &LogicalType| kind.id().is_numeric() || kind.id() == TypeId::SqlNull;
        match kind.id() {
            TypeId::Blob if kind.alias().is_some_and(|alias| alias.eq_ignore_ascii_case("GEOMETRY")) => {
                Err(Error::argument(
                    "geometry: expected WKB, found the spatial extension's own GEOMETRY: write ST_AsWKB(geometry)",
                ))
            }
            TypeId::Varchar | TypeId::StringLiteral => Ok(Self::Text),
            TypeId::Blob | TypeId::Geometry => Ok(Self::Wkb),
            TypeId::SqlNull => Ok(Self::Null),
            TypeId::Struct if side_indexes(kind, is_number).is_some() => Ok(Self::Fields),
            TypeId::List | TypeId::Array if kind.element().is_some_and(|element| is_number(&element)) => {
                match (kind.id(), kind.array_size()) {
                    (TypeId::Array, size) if size != SIDES.len() => Err(wrong_length(size)),
                    _ => Ok(Self::Numbers),
                }
            }
            _ => Err(Error::argument(format!(
                "geometry: expected GEOMETRY, WKB as BLOB, WKT, EWKT, GeoJSON or hexadecimal WKB as VARCHAR, or a box as \
                 STRUCT(xmin, ymin, xmax, ymax) or DOUBLE[4] of numbers, found {kind}"
            ))),
        }
    }
}

/// The positions of the sides of a box in a STRUCT; None if one is missing or `accepts` rejects its type.
fn side_indexes(kind: &LogicalType, accepts: impl Fn(&LogicalType) -> bool) -> Option<[usize; 4]> {
    let fields = kind.fields();
    let index = |side: &str| fields.iter().position(|(name, kind)| name.eq_ignore_ascii_case(side) && accepts(kind));
    let [xmin, ymin, xmax, ymax] = SIDES.map(index);
    Some([xmin?, ymin?, xmax?, ymax?])
}

fn wrong_length(found: usize) -> Error {
    Error::argument(format!("geometry: expected a box of 4 numbers (xmin, ymin, xmax, ymax), found {found}"))
}

fn corners([xmin, ymin, xmax, ymax]: [f64; 4]) -> EncodedGeometry<'static> {
    EncodedGeometry::Box(Corners { xmin, ymin, xmax, ymax })
}

/// The type of a geometry parameter.
pub(crate) fn geometry_type() -> LogicalType {
    LogicalType::of(TypeId::Any)
}

/// Reads the geometries of a vector.
pub(crate) struct GeometryReader<'a> {
    reader: &'a Reader<'a>,
    form: Form,
    /// The CRS of a `GEOMETRY('…')`.
    crs: Option<String>,
    /// The text of the last row.
    last: Cell<Option<&'a str>>,
}

impl<'a> GeometryReader<'a> {
    /// Checks the type of the vector.
    pub(crate) fn new(reader: &'a Reader<'a>) -> Result<Self> {
        let (form, crs) = (Form::of(reader.kind())?, reader.kind().geometry_crs());
        Ok(Self { reader, form, crs, last: Cell::new(None) })
    }

    /// Whether the vector has the type `"NULL"`. DuckDB uses this type for an untyped NULL and to a prepared parameter that
    /// is NULL; a column only has it if it was created from bare NULLs.
    pub(crate) fn is_untyped(&self) -> bool {
        self.form == Form::Null
    }

    /// The encoded geometry of a row; None for NULL.
    pub(crate) fn encoded(&self, row: usize) -> Result<Option<EncodedGeometry<'a>>> {
        Ok(match self.form {
            Form::Text => self.text(row).map(EncodedGeometry::Text),
            Form::Wkb => self.reader.bytes(row).map(EncodedGeometry::Wkb),
            Form::Fields if self.reader.is_null(row) => None,
            Form::Fields => four(SIDES.map(|side| self.reader.field(side)?.number(row))).map(corners),
            Form::Numbers => match self.reader.list(row) {
                None => None,
                Some((range, _)) if range.len() != SIDES.len() => return Err(wrong_length(range.len())),
                Some((range, numbers)) => four([0, 1, 2, 3].map(|at| numbers.number(range.start + at))).map(corners),
            },
            Form::Null => None,
        })
    }

    /// The text of a row. All rows of a constant have one text, which may be long: it is validated once.
    fn text(&self, row: usize) -> Option<&'a str> {
        let bytes = self.reader.bytes(row)?;
        let last = self.last.get().filter(|last| std::ptr::eq(last.as_bytes(), bytes));
        self.last.set(last.or_else(|| self.reader.text(row)));
        self.last.get()
    }

    /// The CRS of a `GEOMETRY('…')` type.
    pub(crate) fn type_crs(&self) -> Option<&str> {
        self.crs.as_deref()
    }
}

/// Four numbers, if none is missing.
fn four([xmin, ymin, xmax, ymax]: [Option<f64>; 4]) -> Option<[f64; 4]> {
    Some([xmin?, ymin?, xmax?, ymax?])
}

/// The encoded geometry of a constant argument, and the CRS of its type.
pub(crate) struct ConstantGeometry {
    encoded: Constant,
    type_crs: Option<String>,
}

/// An owned [`EncodedGeometry`].
enum Constant {
    Text(String),
    Wkb(Vec<u8>),
    Box([f64; 4]),
}

/// The geometry argument of a table function.
pub(crate) enum GeometryArgument {
    /// An untyped NULL.
    Absent,
    /// A NULL with a type.
    Null,
    /// A geometry.
    Given(ConstantGeometry),
}

impl GeometryArgument {
    /// Converts a value.
    pub(crate) fn of(value: Option<&Value>) -> Result<Self> {
        match value.filter(|value| !is_untyped_null(value)) {
            None => Ok(Self::Absent),
            Some(value) => Ok(ConstantGeometry::of(value)?.map_or(Self::Null, Self::Given)),
        }
    }
}

/// Whether a constant is a bare NULL. Before 2.0, DuckDB usually passes it to a table function with the type INTEGER.
fn is_untyped_null(value: &Value) -> bool {
    value.is_null() && matches!(value.id(), TypeId::SqlNull | TypeId::Integer)
}

impl ConstantGeometry {
    /// Converts a value; None for NULL.
    pub(crate) fn of(value: &Value) -> Result<Option<Self>> {
        if is_untyped_null(value) {
            return Ok(None);
        }
        let (form, type_crs) = value.with_kind(|kind| (Form::of(kind), kind.geometry_crs()));
        let form = form?;
        if value.is_null() {
            return Ok(None);
        }
        let encoded = match form {
            Form::Text => value.text().map(Constant::Text),
            Form::Wkb => value.geometry_text().map(Constant::Text).or_else(|| value.bytes().map(Constant::Wkb)),
            Form::Fields => {
                let indexes = value.with_kind(|kind| side_indexes(kind, |_| true)).unwrap_or_default();
                four(indexes.map(|index| value.field(index)?.number())).map(Constant::Box)
            }
            Form::Numbers => {
                let numbers = value.numbers().unwrap_or_default();
                four(numbers.try_into().map_err(|numbers: Vec<_>| wrong_length(numbers.len()))?).map(Constant::Box)
            }
            Form::Null => None,
        };
        Ok(encoded.map(|encoded| Self { encoded, type_crs }))
    }

    /// The encoded geometry.
    pub(crate) fn encoded(&self) -> EncodedGeometry<'_> {
        match &self.encoded {
            Constant::Text(text) => EncodedGeometry::Text(text),
            Constant::Wkb(bytes) => EncodedGeometry::Wkb(bytes),
            Constant::Box(sides) => corners(*sides),
        }
    }

    /// The CRS of a `GEOMETRY('…')` type.
    pub(crate) fn type_crs(&self) -> Option<&str> {
        self.type_crs.as_deref()
    }

    /// The parts of a box on both sides of the antimeridian; the geometry itself otherwise.
    pub(crate) fn parse_within_180(&self) -> Result<ParsedGeometry> {
        let Constant::Box([xmin, ymin, xmax, ymax]) = self.encoded else {
            return self.parse();
        };
        if xmin <= xmax {
            return self.parse();
        }
        let mut parsed = corners([xmin, ymin, 180.0, ymax]).parse()?;
        let rest = corners([-180.0, ymin, xmax, ymax]).parse()?.geometry;
        parsed.geometry.points.extend(rest.points);
        parsed.geometry.lines.extend(rest.lines);
        parsed.geometry.polygons.extend(rest.polygons);
        Ok(parsed)
    }

    /// The parsed and validated geometry; without a CRS of its own, it has that of its type.
    pub(crate) fn parse(&self) -> Result<ParsedGeometry> {
        let mut parsed = self.encoded().parse()?;
        parsed.crs = parsed.crs.or_else(|| self.type_crs.clone());
        Ok(parsed)
    }
}
