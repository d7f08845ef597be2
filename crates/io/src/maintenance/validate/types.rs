//! Checks of the columns of an index, and of the fields of its metadata STRUCTs.

use arrow_schema::{DataType, Field};

use super::super::collection::Collection;
use super::problem::{Check, Problem};

/// The type of a field, without its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Integer,
    Number,
    Text,
    /// GDAL's name, or the TIFF code written by Python Rasteret.
    TextOrInteger,
    Boolean,
    Timestamp,
    Integers,
    Numbers,
    Structs,
}

/// The fields that the index format fixes.
const FIXED: [(&str, Holds); 17] = [
    ("image_width", Holds::Integer),
    ("image_height", Holds::Integer),
    ("tile_width", Holds::Integer),
    ("tile_height", Holds::Integer),
    ("dtype", Holds::Text),
    ("transform", Holds::Numbers),
    ("predictor", Holds::Integer),
    ("compression", Holds::TextOrInteger),
    ("tile_offsets", Holds::Integers),
    ("tile_byte_counts", Holds::Integers),
    ("pixel_scale", Holds::Numbers),
    ("tiepoint", Holds::Numbers),
    ("nodata", Holds::Number),
    ("samples_per_pixel", Holds::Integer),
    ("planar_configuration", Holds::Integer),
    ("photometric", Holds::Integer),
    ("extra_samples", Holds::Integers),
];

/// Later ones, which an index need not have.
const LATER: [(&str, Holds); 13] = [
    ("band_index", Holds::Integer),
    ("byte_order", Holds::Text),
    ("bits_per_sample", Holds::Integers),
    ("sample_format", Holds::Integers),
    ("is_tiled", Holds::Boolean),
    ("crs", Holds::Text),
    ("scale", Holds::Numbers),
    ("offset", Holds::Numbers),
    ("overviews", Holds::Structs),
    ("masks", Holds::Structs),
    ("file_size", Holds::Integer),
    ("etag", Holds::Text),
    ("last_modified", Holds::Timestamp),
];

/// The problems with the types, and for each band whether its values can be checked.
pub(super) fn check(collection: &Collection) -> (Vec<Problem>, Vec<bool>) {
    let mut problems = Vec::new();
    let mut say = |band: Option<&str>, check, message: String| {
        problems.push(Problem { record: None, band: band.map(str::to_owned), check, message, file: None });
    };
    if collection.bands.is_empty() && collection.missing.is_empty() {
        say(None, Check::Column, "expected a metadata STRUCT in a column '{band}_metadata', found none".to_owned());
    }
    for band in &collection.missing {
        say(Some(band), Check::Column, format!("expected a STRUCT in a column '{band}_metadata', found none"));
    }
    let schema = collection.source.schema();
    let bands = collection.bands.iter().map(|band| {
        let DataType::Struct(fields) = schema.field(band.column).data_type() else { return false };
        let mut fits = true;
        let of = |name: &str| fields.iter().find(|field| field.name() == name);
        for (name, holds) in FIXED {
            match of(name) {
                Some(field) if holds.fits(field) => continue,
                Some(field) => say(Some(&band.name), Check::Type, holds.unlike(name, field)),
                None => {
                    say(Some(&band.name), Check::Type, format!("field {name}: expected {}, found none", holds.name()))
                }
            }
            fits = false;
        }
        for (name, holds) in LATER {
            if let Some(field) = of(name).filter(|field| !holds.fits(field)) {
                say(Some(&band.name), Check::Type, holds.unlike(name, field));
                fits = false;
            }
        }
        fits
    });
    let bands = bands.collect();
    (problems, bands)
}

impl Holds {
    fn fits(self, field: &Field) -> bool {
        let element = |data_type: &DataType| match data_type {
            DataType::List(element) => Some(element.data_type().clone()),
            _ => None,
        };
        let kind = field.data_type();
        // A column of nothing but NULLs is written as that by some writers.
        kind.is_null()
            || match self {
                Self::Integer => kind.is_integer(),
                Self::Number => is_number(kind),
                Self::Text => *kind == DataType::Utf8,
                Self::TextOrInteger => *kind == DataType::Utf8 || kind.is_integer(),
                Self::Boolean => *kind == DataType::Boolean,
                Self::Timestamp => matches!(kind, DataType::Timestamp(..)),
                Self::Integers => element(kind).is_some_and(|element| element.is_integer() || element.is_null()),
                Self::Numbers => element(kind).is_some_and(|element| is_number(&element) || element.is_null()),
                Self::Structs => {
                    element(kind).is_some_and(|element| matches!(element, DataType::Struct(_)) || element.is_null())
                }
            }
    }

    fn unlike(self, name: &str, field: &Field) -> String {
        format!("field {name}: expected {}, found {}", self.name(), sql(field.data_type()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Text => "VARCHAR",
            Self::TextOrInteger => "VARCHAR or a TIFF code",
            Self::Boolean => "BOOLEAN",
            Self::Timestamp => "TIMESTAMP",
            Self::Integers => "a list of integers",
            Self::Numbers => "a list of numbers",
            Self::Structs => "a list of STRUCTs",
        }
    }
}

/// A type in SQL's words, as far as such fields have them.
fn sql(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Binary => "BLOB".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::List(element) => format!("{}[]", sql(element.data_type())),
        DataType::Struct(_) => "a STRUCT".to_owned(),
        DataType::Map(..) => "a MAP".to_owned(),
        kind if kind.is_integer() => "an integer".to_owned(),
        kind => kind.to_string(),
    }
}

fn is_number(kind: &DataType) -> bool {
    kind.is_integer() || matches!(kind, DataType::Float32 | DataType::Float64)
}
