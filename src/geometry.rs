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

pub(crate) use rasteret_cog::DEFAULT_CRS;
use rasteret_cog::{EncodedGeometry, ParsedGeometry};

use crate::error::{Error, Result};
use crate::vector::{LogicalType, Reader, TypeId, Value};

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

    /// The geometry of a row as it came, None for NULL.
    pub(crate) fn encoded(&self, row: usize) -> Option<EncodedGeometry<'a>> {
        match self.form {
            Form::Text => self.reader.text(row).map(EncodedGeometry::Text),
            Form::Wkb => self.reader.bytes(row).map(EncodedGeometry::Wkb),
            Form::Null => None,
        }
    }

    /// The CRS of a `GEOMETRY('…')` type.
    pub(crate) fn type_crs(&self) -> Option<&str> {
        self.crs.as_deref()
    }
}

/// The geometry of a constant argument as it came, and the CRS of its type.
pub(crate) struct ConstantGeometry {
    encoded: Constant,
    type_crs: Option<String>,
}

/// An owned [`EncodedGeometry`].
enum Constant {
    Text(String),
    Wkb(Vec<u8>),
}

impl ConstantGeometry {
    /// Takes it out of a value, None for NULL.
    pub(crate) fn of(value: &Value) -> Result<Option<Self>> {
        if value.is_null() {
            return Ok(None);
        }
        let (form, type_crs) = value.with_kind(|kind| (Form::of(kind), kind.geometry_crs()));
        let encoded = match form? {
            Form::Text => value.text().map(Constant::Text),
            Form::Wkb => value.geometry_text().map(Constant::Text).or_else(|| value.bytes().map(Constant::Wkb)),
            Form::Null => None,
        };
        Ok(encoded.map(|encoded| Self { encoded, type_crs }))
    }

    /// The geometry as it came.
    pub(crate) fn encoded(&self) -> EncodedGeometry<'_> {
        match &self.encoded {
            Constant::Text(text) => EncodedGeometry::Text(text),
            Constant::Wkb(bytes) => EncodedGeometry::Wkb(bytes),
        }
    }

    /// The CRS of a `GEOMETRY('…')` type.
    pub(crate) fn type_crs(&self) -> Option<&str> {
        self.type_crs.as_deref()
    }

    /// The geometry, read and checked; one that carries no CRS itself is in its type's.
    pub(crate) fn parse(&self) -> Result<ParsedGeometry> {
        let mut parsed = self.encoded().parse()?;
        parsed.crs = parsed.crs.or_else(|| self.type_crs.clone());
        Ok(parsed)
    }
}
