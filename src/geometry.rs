//! Geometry arguments: one ANY parameter, told apart by the vector's type.
//!
//! | type | read as |
//! |---|---|
//! | `GEOMETRY` of the core (DuckDB 1.5 and later) | its payload, little-endian WKB |
//! | `BLOB`, `WKB_BLOB` | WKB: ISO or EWKB |
//! | `VARCHAR`, `JSON` | WKT, EWKT or GeoJSON |
//!
//! The spatial extension's `GEOMETRY` before DuckDB 1.5 is a BLOB by type and not WKB by content: it is refused, by its name.
//! The CRS of a `GEOMETRY('…')` type counts on the hosts that let an extension see it, see [`LogicalType::geometry_crs`].
//! Constants of table functions come as values, whose GEOMETRY is read as WKT.

use rasteret_cog::ParsedGeometry;

use crate::error::{Error, Result};
use crate::vector::{LogicalType, Reader, TypeId, Value};

/// The CRS of a geometry for which nothing is said.
pub(crate) const DEFAULT_CRS: &str = "OGC:CRS84";

/// How a type's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Wkb,
    Null,
}

impl Form {
    fn of(kind: &LogicalType) -> Result<Self> {
        match kind.id() {
            TypeId::Blob if kind.alias().is_some_and(|alias| alias.eq_ignore_ascii_case("GEOMETRY")) => {
                Err(Error::argument(
                    "geometry: expected WKB, found the spatial extension's own GEOMETRY: write ST_AsWKB(geometry)",
                ))
            }
            TypeId::Varchar | TypeId::StringLiteral => Ok(Self::Text),
            TypeId::Blob | TypeId::Geometry => Ok(Self::Wkb),
            TypeId::SqlNull => Ok(Self::Null),
            _ => Err(Error::argument(format!(
                "geometry: expected GEOMETRY, WKB as BLOB, or WKT, EWKT or GeoJSON as VARCHAR, found {kind}"
            ))),
        }
    }
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
}

impl<'a> GeometryReader<'a> {
    /// Checks the vector's type.
    pub(crate) fn new(reader: &'a Reader<'a>) -> Result<Self> {
        Ok(Self { reader, form: Form::of(reader.kind())?, crs: reader.kind().geometry_crs() })
    }

    /// The geometry of a row, None for NULL.
    pub(crate) fn read(&self, row: usize) -> Result<Option<ParsedGeometry>> {
        let parsed = match self.form {
            Form::Text => self.reader.text(row).map(ParsedGeometry::from_text),
            Form::Wkb => self.reader.bytes(row).map(ParsedGeometry::from_wkb),
            Form::Null => None,
        };
        Ok(parsed.transpose()?.map(|parsed| with_crs(parsed, self.crs.as_deref())))
    }
}

/// The geometry of a constant argument, None for NULL.
pub(crate) fn geometry_of(value: &Value) -> Result<Option<ParsedGeometry>> {
    if value.is_null() {
        return Ok(None);
    }
    let (form, crs) = value.with_kind(|kind| (Form::of(kind), kind.geometry_crs()));
    let parsed = match form? {
        Form::Text => value.text().map(|text| ParsedGeometry::from_text(&text)),
        Form::Wkb => match value.geometry_text() {
            Some(text) => Some(ParsedGeometry::from_text(&text)),
            None => value.bytes().map(|bytes| ParsedGeometry::from_wkb(&bytes)),
        },
        Form::Null => None,
    };
    Ok(parsed.transpose()?.map(|parsed| with_crs(parsed, crs.as_deref())))
}

/// A geometry that carries no CRS itself is in its type's.
fn with_crs(mut parsed: ParsedGeometry, crs: Option<&str>) -> ParsedGeometry {
    parsed.crs = parsed.crs.or_else(|| crs.map(str::to_owned));
    parsed
}
