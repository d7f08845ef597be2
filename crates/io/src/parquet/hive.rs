//! Partition columns of Hive-partitioned files: `.../year=2024/month=5/a.parquet`.
//!
//! Columns, their order, types and values are those of DuckDB's `read_parquet`:
//!
//! - A folder `key=value` with one `=` is a partition. Its key is unchanged, its value is URL-decoded. If a key occurs
//!   twice, the first value is used.
//! - There are columns only if all files have the same keys. They follow the files' own, sorted by key; a key that is a column of
//!   the files, letter case ignored, replaces this column, with the value and type of the folder.
//! - The type is the first of DATE, TIMESTAMP and BIGINT that DuckDB would cast every value to in strict mode ([`Scalar`]), as
//!   written, before it is decoded; else VARCHAR.
//! - Which values are NULL differs between releases of DuckDB: [`NullFolders`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, PrimitiveArray, StringArray};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};

use super::hive_cast;
use crate::{Error, Location, Result};

/// Whether folders of the form `key=value` are columns: `hive_partitioning` of `read_parquet`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HiveOptions {
    /// None: if all files have the same keys. Some(true): required, and an error if they do not.
    pub partitioning: Option<bool>,
    /// Names of folders that mean NULL.
    pub nulls: NullFolders,
}

/// Which values of a partition are NULL in `read_parquet`. `NULL` is so in any letter case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NullFolders {
    /// DuckDB 1.4: `NULL`, which is considered text for the detection of the type; `__HIVE_DEFAULT_PARTITION__` is a text.
    Word,
    /// DuckDB 1.5: `NULL` and `__HIVE_DEFAULT_PARTITION__`, which do not affect the type.
    #[default]
    WordAndDefault,
    /// DuckDB 2.0: the same, but `NULL` is a text in a VARCHAR.
    DefaultAndTypedWord,
}

impl HiveOptions {
    /// Without partition columns.
    pub const OFF: Self = Self { partitioning: Some(false), nulls: NullFolders::WordAndDefault };
}

/// The folder that Hive's writers use for NULL.
const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A value of a partition column.
#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Date(i32),
    /// Microseconds since 1970-01-01.
    Timestamp(i64),
    Bigint(i64),
    Text(String),
}

/// The types of partition columns, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    Timestamp,
    Bigint,
    Text,
}

/// The partition columns of a set of files.
#[derive(Debug, Default)]
pub(super) struct Partitions(Vec<Partition>);

/// One of them.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) field: FieldRef,
    /// Partitions of each file.
    values: Vec<Option<Scalar>>,
}

impl Partitions {
    /// The partition columns of these files.
    pub(super) fn of(files: &[String], options: HiveOptions) -> Result<Self> {
        if options.partitioning == Some(false) {
            return Ok(Self::default());
        }
        let folders: Vec<BTreeMap<&str, &str>> = files.iter().map(|file| folders(file)).collect();
        let Some(first) = folders.first() else { return Ok(Self::default()) };
        if let Some(at) = folders.iter().position(|other| !other.keys().eq(first.keys())) {
            return match options.partitioning {
                Some(true) => Err(mismatch(&files[0], first, &files[at], &folders[at])),
                _ => Ok(Self::default()),
            };
        }
        let mut columns: Vec<(&str, Vec<Option<&str>>, Kind)> = Vec::new();
        for key in first.keys().copied() {
            let values: Vec<Option<&str>> = folders.iter().map(|folders| folders.get(key).copied()).collect();
            let kind = Kind::of(values.iter().flatten().copied(), options.nulls);
            match columns.iter_mut().find(|(known, ..)| known.to_lowercase() == key.to_lowercase()) {
                // Keys that differ in letter case are one column: the first spelling's values, the last one's type.
                Some((_, _, known)) => *known = kind,
                None => columns.push((key, values, kind)),
            }
        }
        let columns =
            columns.into_iter().map(|(key, values, kind)| Partition::new(key, &values, kind, options.nulls, files));
        Ok(Self(columns.collect::<Result<_>>()?))
    }

    /// Puts the columns among those of the files; each with its index there.
    pub(super) fn place(self, fields: &mut Vec<FieldRef>) -> Vec<(usize, Partition)> {
        let place = |partition: Partition| {
            let is_named = |field: &FieldRef| field.name().to_lowercase() == partition.field.name().to_lowercase();
            let at = fields.iter().position(is_named).unwrap_or(fields.len());
            match fields.get_mut(at) {
                Some(field) => *field = Arc::new(partition.field.as_ref().clone().with_name(field.name())),
                None => fields.push(Arc::clone(&partition.field)),
            }
            (at, Partition { field: Arc::clone(&fields[at]), ..partition })
        };
        self.0.into_iter().map(place).collect()
    }
}

/// The value of a partition column in all rows of one file.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    value: Option<Scalar>,
    data_type: DataType,
}

impl Constant {
    pub(super) fn array(&self, rows: usize) -> ArrayRef {
        match &self.value {
            None => arrow_array::new_null_array(&self.data_type, rows),
            Some(Scalar::Date(days)) => Arc::new(PrimitiveArray::<Date32Type>::from_value(*days, rows)),
            Some(Scalar::Timestamp(micros)) => {
                Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from_value(*micros, rows))
            }
            Some(Scalar::Bigint(number)) => Arc::new(PrimitiveArray::<Int64Type>::from_value(*number, rows)),
            Some(Scalar::Text(text)) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))),
        }
    }
}

impl Partition {
    fn new(key: &str, values: &[Option<&str>], kind: Kind, nulls: NullFolders, files: &[String]) -> Result<Self> {
        let field = Arc::new(Field::new(key, kind.data_type(), true));
        let values = values.iter().zip(files).map(|(value, file)| {
            let Some(value) = value.filter(|value| !nulls.is_null(value, kind)) else { return Ok(None) };
            if value.is_empty() && kind != Kind::Text {
                return Ok(None);
            }
            let scalar = decoded(value).and_then(|text| kind.cast(text));
            let expected = kind.name();
            let what = || format!("folder '{key}={value}': expected a {expected}, as in other folders of that key");
            scalar.map(Some).ok_or_else(|| wrong(file, what()))
        });
        Ok(Self { field, values: values.collect::<Result<_>>()? })
    }

    /// The value of a file, by its number.
    pub(super) fn constant(&self, file: usize) -> Constant {
        Constant { value: self.values.get(file).cloned().flatten(), data_type: self.field.data_type().clone() }
    }
}

impl Kind {
    /// The type of a column of these values.
    fn of<'a>(values: impl Iterator<Item = &'a str>, nulls: NullFolders) -> Self {
        let decides = |value: &&str| nulls == NullFolders::Word || !(is_word(value) || *value == DEFAULT_PARTITION);
        let mut kinds = values.filter(decides).map(|value| {
            let of = |kind: &Self| kind.cast(value.to_owned()).is_some();
            [Self::Date, Self::Timestamp, Self::Bigint].into_iter().find(of).unwrap_or(Self::Text)
        });
        let Some(first) = kinds.next() else { return Self::Text };
        if kinds.all(|kind| kind == first) { first } else { Self::Text }
    }

    fn cast(self, text: String) -> Option<Scalar> {
        match self {
            Self::Date => hive_cast::date(&text).map(Scalar::Date),
            Self::Timestamp => hive_cast::timestamp(&text).map(Scalar::Timestamp),
            Self::Bigint => hive_cast::bigint(&text).map(Scalar::Bigint),
            Self::Text => Some(Scalar::Text(text)),
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Bigint => DataType::Int64,
            Self::Text => DataType::Utf8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::Bigint => "BIGINT",
            Self::Text => "VARCHAR in UTF-8",
        }
    }
}

impl NullFolders {
    fn is_null(self, value: &str, kind: Kind) -> bool {
        match self {
            Self::Word => is_word(value),
            Self::WordAndDefault => is_word(value) || value == DEFAULT_PARTITION,
            Self::DefaultAndTypedWord => (is_word(value) && kind != Kind::Text) || value == DEFAULT_PARTITION,
        }
    }
}

fn is_word(value: &str) -> bool {
    value.eq_ignore_ascii_case("NULL")
}

/// The partitions of a path by their keys. The query string of a URL is not part of its path.
fn folders(file: &str) -> BTreeMap<&str, &str> {
    let is_url = ["http://", "https://"].iter().any(|scheme| file.starts_with(scheme));
    let path = if is_url { file.split(['?', '#']).next().unwrap_or_default() } else { file };
    let mut folders = BTreeMap::new();
    let mut parts = path.split(['/', '\\']).peekable();
    while let Some(part) = parts.next() {
        let is_folder = parts.peek().is_some();
        if let Some((key, value)) = part.split_once('=').filter(|(key, value)| !key.is_empty() && !value.contains('='))
            && is_folder
            && !part.contains(['?', '\n'])
        {
            folders.entry(key).or_insert(value);
        }
    }
    folders
}

/// The value with `%XX` as bytes; None if they are not UTF-8.
fn decoded(value: &str) -> Option<String> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

fn mismatch(first: &str, expected: &BTreeMap<&str, &str>, file: &str, found: &BTreeMap<&str, &str>) -> Error {
    let names = |folders: &BTreeMap<&str, &str>| match folders.is_empty() {
        true => "none".to_owned(),
        false => folders.keys().copied().collect::<Vec<_>>().join(", "),
    };
    let first = crate::types::location::redacted(first);
    let what = format!("expected the Hive partitions of {first} ({}), found {}", names(expected), names(found));
    wrong(file, format!("hive_partitioning: {what}"))
}

fn wrong(file: &str, what: String) -> Error {
    match Location::parse_any(file) {
        Ok(location) => Error::Records { location, what },
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    fn columns(files: &[&str], options: HiveOptions) -> Vec<(String, DataType)> {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let partitions = Partitions::of(&files, options).unwrap();
        let columns = partitions.0.iter();
        columns.map(|column| (column.field.name().clone(), column.field.data_type().clone())).collect()
    }

    fn texts(values: &[&str], options: HiveOptions) -> (DataType, Vec<Option<String>>) {
        let files: Vec<String> = values.iter().map(|value| format!("d/k={value}/a.parquet")).collect();
        let partitions = Partitions::of(&files, options).unwrap();
        let [column] = partitions.0.as_slice() else { return (DataType::Null, Vec::new()) };
        let text = |file: usize| {
            let array = column.constant(file).array(2);
            assert_eq!((array.len(), array.data_type()), (2, column.field.data_type()));
            array.is_valid(1).then(|| match array.data_type() {
                DataType::Date32 => array.as_primitive::<Date32Type>().value(1).to_string(),
                DataType::Int64 => array.as_primitive::<Int64Type>().value(1).to_string(),
                DataType::Utf8 => array.as_string::<i32>().value(1).to_owned(),
                _ => array.as_primitive::<TimestampMicrosecondType>().value(1).to_string(),
            })
        };
        (column.field.data_type().clone(), (0..files.len()).map(text).collect())
    }

    #[test]
    fn keys_of_paths() {
        let keys = |file: &'static str| folders(file).into_iter().collect::<Vec<_>>();
        assert_eq!(keys("s3://b/z=1/x/a=b/f.parquet"), [("a", "b"), ("z", "1")]);
        assert_eq!(keys("k=1/f=2"), [("k", "1")]);
        assert_eq!(keys("k=1/k=2/f"), [("k", "1")]);
        assert_eq!(keys("=1/k=a=b/j=/f"), [("j", "")]);
        assert_eq!(keys("a%20b=1/k=a?b/c=2\n/f"), [("a%20b", "1")]);
        assert_eq!(keys("k=1\\f"), [("k", "1")]);
        assert_eq!(keys("https://h/k=1/f?sig=a/x=2/"), [("k", "1")]);
    }

    #[test]
    fn columns_are_those_that_all_files_have() {
        let detect = HiveOptions::default();
        let bigint = |name: &str| (name.to_owned(), DataType::Int64);
        assert_eq!(columns(&["z=1/a=2/f", "a=3/z=4/f"], detect), [bigint("a"), bigint("z")]);
        for files in [["k=1/f", "f"], ["k=1/f", "j=1/f"], ["k=1/f", "k=1/j=1/f"], ["k=1/f", "K=1/f"]] {
            assert_eq!(columns(&files, detect), []);
            let files = files.map(str::to_owned);
            let force = HiveOptions { partitioning: Some(true), ..detect };
            let error = Partitions::of(&files, force).unwrap_err().to_string();
            assert!(error.contains("hive_partitioning: expected the Hive partitions of k=1/f (k), found "), "{error}");
        }
        assert_eq!(columns(&["k=1/f"], HiveOptions::OFF), []);
        assert_eq!(columns(&["k=1/K=2/f"], detect), [bigint("K")]);
    }

    #[test]
    fn types_and_values() {
        let since = HiveOptions::default();
        let before = HiveOptions { nulls: NullFolders::Word, ..since };
        let two = HiveOptions { nulls: NullFolders::DefaultAndTypedWord, ..since };
        let some = |values: &[&str]| values.iter().map(|value| Some((*value).to_owned())).collect::<Vec<_>>();
        assert_eq!(texts(&["1", "-2"], since), (DataType::Int64, some(&["1", "-2"])));
        assert_eq!(texts(&["1", "a"], since), (DataType::Utf8, some(&["1", "a"])));
        assert_eq!(texts(&["01", "2"], since), (DataType::Utf8, some(&["01", "2"])));
        assert_eq!(texts(&["2024-01-31"], since), (DataType::Date32, some(&["19753"])));
        assert_eq!(texts(&["2024-01-31", "7"], since), (DataType::Utf8, some(&["2024-01-31", "7"])));
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(texts(&["2024-01-31T10:00:00Z"], since), (timestamp, some(&["1706695200000000"])));
        assert_eq!(texts(&["2024-01-31%2010%3A00%3A00"], since), (DataType::Utf8, some(&["2024-01-31 10:00:00"])));
        assert_eq!(texts(&["a%C3%A9%2fb+%zz%2"], since), (DataType::Utf8, some(&["aé/b+%zz%2"])));
        let null = |value: &str| vec![None, Some(value.to_owned())];
        assert_eq!(texts(&[DEFAULT_PARTITION, "3"], since), (DataType::Int64, null("3")));
        assert_eq!(texts(&["null", "3"], since), (DataType::Int64, null("3")));
        assert_eq!(texts(&[DEFAULT_PARTITION], since), (DataType::Utf8, vec![None]));
        assert_eq!(texts(&[DEFAULT_PARTITION, "3"], before), (DataType::Utf8, some(&[DEFAULT_PARTITION, "3"])));
        assert_eq!(texts(&["NULL", "3"], before), (DataType::Utf8, null("3")));
        assert_eq!(texts(&["NULL", "a"], two), (DataType::Utf8, some(&["NULL", "a"])));
        assert_eq!(texts(&["NULL", "3"], two), (DataType::Int64, null("3")));
        assert_eq!(texts(&[DEFAULT_PARTITION, "a"], two), (DataType::Utf8, null("a")));
        assert_eq!(texts(&["", "3"], since), (DataType::Utf8, some(&["", "3"])));
        let error = Partitions::of(&["k=a%FF/f".to_owned()], since).unwrap_err().to_string();
        assert!(error.contains("folder 'k=a%FF': expected a VARCHAR in UTF-8"), "{error}");
    }
}
