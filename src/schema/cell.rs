//! The SQL type of a STRUCT field, and how its values are written to a vector.

use std::borrow::Cow;

use rasteret_cog::Level;

use crate::error::Result;
use crate::vector::{LogicalType, OutputChunk, TypeId, Writer};

/// A field of a STRUCT that describes an `R`, or a column.
pub(crate) struct Field<R: 'static> {
    /// Its name in SQL.
    pub(crate) name: &'static str,
    /// Its type and value.
    pub(crate) cell: Cell<R>,
}

/// The value of a field, by SQL type; None is NULL.
pub(crate) enum Cell<R: 'static> {
    /// A fixed-size type; see [`plain`].
    Plain(TypeId, Write<R>),
    /// VARCHAR.
    Text(fn(&R) -> Option<Cow<'_, str>>),
    /// BLOB.
    Blob(fn(&R) -> Option<&[u8]>),
    /// BLOB, written by the function itself; see [`Blobs`](crate::vector::blobs::Blobs).
    InPlace,
    /// INTEGER[] of small unsigned numbers.
    Shorts(for<'a> fn(&'a R) -> Option<Cow<'a, [u16]>>),
    /// INTEGER[] of numbers up to `i32::MAX`.
    Integers(fn(&R) -> Option<&[u32]>),
    /// BIGINT[] of numbers up to `i64::MAX`.
    BigInts(fn(&R) -> Option<&[u64]>),
    /// DOUBLE[].
    Doubles(fn(&R) -> Option<Cow<'_, [f64]>>),
    /// A STRUCT, or a list of STRUCTs: its type and a function that writes all rows; see [`structs`] and
    /// [`struct_lists`].
    Nested(fn() -> LogicalType, Write<R>),
    /// A field of one image of the file.
    OfLevel(fn(&R) -> &Level, &'static Cell<Level>),
}

/// Writes a column for all rows; None is NULL.
pub(crate) type Write<R> = fn(&mut Writer<'_>, &[Option<&R>]) -> Result<()>;

/// The [`Cell`] of a fixed-size type, with a closure from `&R` to an optional value of the Rust type: INTEGER (`i32`),
/// BIGINT (`i64`), DOUBLE (`f64`), BOOLEAN (`bool`), TIMESTAMP (`i64`, microseconds since 1970-01-01 UTC).
///
/// A macro, so that the closure is inlined into the loop over the rows: a call per value would cost more than the
/// value.
macro_rules! plain {
    (Integer, $get:expr) => {
        plain!(Integer as i32, $get)
    };
    (Bigint, $get:expr) => {
        plain!(Bigint as i64, $get)
    };
    (Double, $get:expr) => {
        plain!(Double as f64, $get)
    };
    (Boolean, $get:expr) => {
        plain!(Boolean as bool, $get)
    };
    (Timestamp, $get:expr) => {
        plain!(Timestamp as i64, $get)
    };
    ($id:ident as $rust:ty, $get:expr) => {
        $crate::schema::Cell::Plain($crate::vector::TypeId::$id, |writer, rows| {
            writer.values::<$rust>($crate::schema::each(rows, $get))
        })
    };
}
pub(crate) use plain;

impl<R> Cell<R> {
    /// The field's SQL type.
    pub(crate) fn kind(&self) -> LogicalType {
        let list = |id| LogicalType::list(&LogicalType::of(id));
        match self {
            Self::Plain(id, _) => LogicalType::of(*id),
            Self::Text(_) => LogicalType::of(TypeId::Varchar),
            Self::Blob(_) | Self::InPlace => LogicalType::of(TypeId::Blob),
            Self::Shorts(_) | Self::Integers(_) => list(TypeId::Integer),
            Self::BigInts(_) => list(TypeId::Bigint),
            Self::Doubles(_) => list(TypeId::Double),
            Self::Nested(kind, _) => kind(),
            Self::OfLevel(_, cell) => cell.kind(),
        }
    }

    /// Writes the field for all rows.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, rows: &[Option<&R>]) -> Result<()> {
        match self {
            Self::Plain(_, write) => write(writer, rows),
            Self::Text(get) => writer.texts(rows.iter().map(|row| row.and_then(get).map(Text))),
            Self::Blob(get) => writer.texts(rows.iter().map(|row| row.and_then(get))),
            Self::InPlace => Ok(()),
            Self::Shorts(get) => {
                let lists: Vec<Option<Vec<u32>>> =
                    rows.iter().map(|row| Some(row.and_then(get)?.iter().copied().map(u32::from).collect())).collect();
                writer.value_lists(&lists.iter().map(Option::as_deref).collect::<Vec<_>>())
            }
            Self::Integers(get) => writer.value_lists(&rows.iter().map(|row| row.and_then(get)).collect::<Vec<_>>()),
            Self::BigInts(get) => writer.value_lists(&rows.iter().map(|row| row.and_then(get)).collect::<Vec<_>>()),
            Self::Doubles(get) => {
                let lists: Vec<_> = rows.iter().map(|row| row.and_then(get)).collect();
                writer.value_lists(&lists.iter().map(Option::as_deref).collect::<Vec<_>>())
            }
            Self::Nested(_, write) => write(writer, rows),
            Self::OfLevel(get, cell) => cell.write(writer, &rows.iter().map(|row| row.map(get)).collect::<Vec<_>>()),
        }
    }
}

impl<R> Field<R> {
    /// The STRUCT type of these fields.
    pub(crate) fn struct_of(fields: &[Self]) -> LogicalType {
        LogicalType::structure(fields.iter().map(|field| (field.name, field.cell.kind())))
    }

    /// Writes a STRUCT of these fields per row; None is NULL.
    pub(crate) fn write_struct(fields: &[Self], writer: &mut Writer<'_>, rows: &[Option<&R>]) -> Result<()> {
        writer.set_struct_nulls(rows.iter().map(Option::is_none))?;
        for (index, field) in fields.iter().enumerate() {
            field.cell.write(&mut writer.field(index)?, rows)?;
        }
        Ok(())
    }
}

impl OutputChunk<'_> {
    /// Writes a chunk of `rows` with the columns `fields` that the query uses.
    pub(crate) fn write_fields<R>(&mut self, fields: &[Field<R>], rows: &[Option<&R>]) -> Result<()> {
        for (index, column) in self.columns().iter().copied().enumerate() {
            if let Some(field) = fields.get(column) {
                field.cell.write(&mut self.writer(index)?, rows)?;
            }
        }
        self.set_rows(rows.len())
    }
}

/// Writes one STRUCT of `fields` per row.
pub(crate) fn structs<R, S>(
    writer: &mut Writer<'_>,
    rows: &[Option<&R>],
    fields: &[Field<S>],
    get: impl Fn(&R) -> Option<S>,
) -> Result<()> {
    let values: Vec<_> = rows.iter().map(|row| row.and_then(&get)).collect();
    Field::write_struct(fields, writer, &values.iter().map(Option::as_ref).collect::<Vec<_>>())
}

/// Writes one list of STRUCTs of `fields` per row.
pub(crate) fn struct_lists<R, S>(
    writer: &mut Writer<'_>,
    rows: &[Option<&R>],
    fields: &[Field<S>],
    get: impl Fn(&R) -> &[S],
) -> Result<()> {
    let lists: Vec<_> = rows.iter().map(|row| row.map(&get)).collect();
    let lengths: Vec<_> = lists.iter().map(|list| list.map(<[S]>::len)).collect();
    let elements: Vec<_> = lists.into_iter().flatten().flatten().map(Some).collect();
    Field::write_struct(fields, &mut writer.lists(&lengths)?, &elements)
}

/// The value of each row.
pub(crate) fn each<'r, R, T>(
    rows: &'r [Option<&R>],
    get: impl Fn(&R) -> Option<T> + 'r,
) -> impl Iterator<Item = Option<T>> + 'r {
    rows.iter().map(move |row| row.and_then(&get))
}

/// The bytes of borrowed or owned text.
struct Text<'a>(Cow<'a, str>);

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
