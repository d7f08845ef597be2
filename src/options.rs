//! Options of scalar functions: one trailing STRUCT, its keys and their types checked once a vector.

use crate::error::{Error, Result};
use crate::vector::{LogicalType, Reader, TypeId};

/// A key that a function's options may have.
pub(crate) struct OptionKey {
    /// Its name in SQL.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) kind: OptionKind,
}

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// VARCHAR.
    Text,
    /// BOOLEAN.
    Boolean,
    /// An integer of any width.
    Integer,
    /// A number of any type.
    Number,
    /// An integer of any width, or a word.
    IntegerOrText,
    /// A list of integers of any width.
    Integers,
    /// A MAP, or a STRUCT whose fields are the names.
    Map,
}

impl OptionKind {
    /// The type as SQL writes it.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Number => "DOUBLE",
            Self::IntegerOrText => "INTEGER or VARCHAR",
            Self::Integers => "INTEGER[]",
            Self::Map => "MAP",
        }
    }

    /// Whether values of a type are of this kind.
    pub(crate) fn accepts(self, kind: &LogicalType) -> bool {
        let id = kind.id();
        match self {
            _ if id == TypeId::SqlNull => true,
            Self::Text => matches!(id, TypeId::Varchar | TypeId::StringLiteral),
            Self::Boolean => id == TypeId::Boolean,
            Self::Integer => id.is_integer(),
            Self::Number => id.is_numeric(),
            Self::IntegerOrText => Self::Integer.accepts(kind) || Self::Text.accepts(kind),
            Self::Integers => {
                let is_integer = |element: LogicalType| element.id() == TypeId::SqlNull || element.id().is_integer();
                matches!(id, TypeId::List | TypeId::Array) && kind.element().is_some_and(is_integer)
            }
            Self::Map => matches!(id, TypeId::Map | TypeId::Struct),
        }
    }
}

/// The options of a vector of calls. An option that is absent or NULL has its default.
pub(crate) struct Options<'a> {
    reader: Option<&'a Reader<'a>>,
    keys: &'static [OptionKey],
}

impl<'a> Options<'a> {
    /// Checks that the argument is a STRUCT of known keys with values of their types; None where the overload has none.
    pub(crate) fn new(reader: Option<&'a Reader<'a>>, keys: &'static [OptionKey]) -> Result<Self> {
        let Some(reader) = reader.filter(|reader| reader.kind().id() != TypeId::SqlNull) else {
            return Ok(Self { reader: None, keys });
        };
        let wrong = |found: String| {
            let known: Vec<_> = keys.iter().map(|key| format!("{} {}", key.name, key.kind.name())).collect();
            Err(Error::argument(format!("options: expected a STRUCT of {}, found {found}", known.join(", "))))
        };
        if reader.kind().id() != TypeId::Struct {
            return wrong(reader.kind().to_string());
        }
        for (name, kind) in reader.kind().fields() {
            match keys.iter().find(|key| key.name.eq_ignore_ascii_case(&name)) {
                None => return wrong(name),
                Some(key) if !key.kind.accepts(&kind) => return wrong(format!("{name} {kind}")),
                Some(_) => {}
            }
        }
        Ok(Self { reader: Some(reader), keys })
    }

    /// Fails where options stand in the place of another argument.
    pub(crate) fn check_not_options(&self, argument: &str, kind: &LogicalType) -> Result<()> {
        match Self::are_keys(kind, self.keys) {
            true => Err(Error::argument(format!(
                "{argument}: expected the STRUCT of cog_metadata() or of an index, found options: pass NULL before them where \
                 there is no metadata"
            ))),
            false => Ok(()),
        }
    }

    /// Whether a type is a STRUCT whose fields all are keys of options.
    pub(crate) fn are_keys(kind: &LogicalType, keys: &[OptionKey]) -> bool {
        let fields = kind.fields();
        let is_key = |name: &str| keys.iter().any(|key| key.name.eq_ignore_ascii_case(name));
        !fields.is_empty() && fields.iter().all(|(name, _)| is_key(name))
    }

    /// A field that is there and not NULL.
    fn field(&self, name: &str, row: usize) -> Option<&'a Reader<'a>> {
        let reader = self.reader.filter(|reader| !reader.is_null(row))?;
        reader.field(name).filter(|field| !field.is_null(row))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        self.field(name, row)?.text(row)
    }

    /// A BOOLEAN.
    pub(crate) fn boolean(&self, name: &str, row: usize) -> Option<bool> {
        self.field(name, row)?.boolean(row)
    }

    /// An integer of a range, with `expected` to say which.
    pub(crate) fn integer<T: TryFrom<i128>>(&self, name: &str, expected: &str, row: usize) -> Result<Option<T>> {
        let Some(value) = self.field(name, row).and_then(|field| field.integer(row)) else {
            return Ok(None);
        };
        let in_range = T::try_from(value).map(Some);
        in_range.map_err(|_| Error::argument(format!("{name}: expected {expected}, found {value}")))
    }

    /// A list of integers of a range, with `expected` to say which.
    pub(crate) fn integers<T: TryFrom<i128>>(&self, name: &str, expected: &str, row: usize) -> Result<Option<Vec<T>>> {
        let Some((range, numbers)) = self.field(name, row).and_then(|field| field.list(row)) else {
            return Ok(None);
        };
        let integer = |at: usize| {
            let found = numbers.integer(at).filter(|_| !numbers.is_null(at));
            let shown = || found.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
            let value = found.and_then(|value| T::try_from(value).ok());
            value.ok_or_else(|| Error::argument(format!("{name}: expected {expected}, found {}", shown())))
        };
        range.map(integer).collect::<Result<_>>().map(Some)
    }

    /// A number.
    pub(crate) fn number(&self, name: &str, row: usize) -> Option<f64> {
        self.field(name, row)?.number(row)
    }

    /// Names and values of a MAP or a STRUCT; `expected` says what the values are.
    pub(crate) fn pairs<T>(
        &self,
        name: &str,
        expected: &str,
        row: usize,
        read: impl Fn(&Reader<'_>, usize) -> Option<T>,
    ) -> Result<Vec<(String, T)>> {
        let Some(field) = self.field(name, row) else {
            return Ok(Vec::new());
        };
        let entries: Option<Vec<_>> = match field.list(row) {
            Some((range, entries)) => range
                .map(|at| Some((entries.field("key")?.text(at)?.to_owned(), read(entries.field("value")?, at)?)))
                .collect(),
            None => field
                .kind()
                .fields()
                .into_iter()
                .map(|(key, _)| {
                    let value = read(field.field(&key)?, row)?;
                    Some((key, value))
                })
                .collect(),
        };
        entries.ok_or_else(|| Error::argument(format!("{name}: expected a MAP of {expected}, found {}", field.kind())))
    }
}
