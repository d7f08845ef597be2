//! Options of calls: the trailing STRUCT of a scalar function, checked once per vector, and the named parameters of a
//! table function.
//!
//! Both are read through [`OptionValues`], so that each option has a single parser for all functions.

use std::borrow::Cow;

use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::vector::{BindInfo, LogicalType, Reader, TypeId, Value};

/// The options of a call. An option that is missing or NULL has its default value.
pub(crate) trait OptionValues {
    /// Whether it is given and not NULL.
    fn has(&self, option: &Parameter) -> bool;

    /// A text.
    fn text(&self, option: &Parameter) -> Option<Cow<'_, str>>;

    /// A BOOLEAN.
    fn boolean(&self, option: &Parameter) -> Option<bool>;

    /// A number.
    fn number(&self, option: &Parameter) -> Option<f64>;

    /// An integer, or the text of another value.
    fn whole(&self, option: &Parameter) -> Option<Result<i128, String>>;

    /// The elements of a list of integers, with None for NULL.
    fn wholes(&self, option: &Parameter) -> Option<Vec<Option<i128>>>;

    /// The elements of a list of numbers, with None for NULL.
    fn numbers(&self, option: &Parameter) -> Option<Vec<Option<f64>>>;

    /// The entries of a MAP of texts.
    fn text_pairs(&self, option: &Parameter) -> Result<Vec<(String, String)>>;

    /// The entries of a MAP of integers.
    fn integer_pairs(&self, option: &Parameter) -> Result<Vec<(String, i128)>>;

    /// An integer of a range that `expected` describes.
    fn integer<T: TryFrom<i128>>(&self, option: &Parameter, expected: &str) -> Result<Option<T>> {
        let Some(value) = self.whole(option) else {
            return Ok(None);
        };
        let shown = match &value {
            Ok(value) => value.to_string(),
            Err(shown) => shown.clone(),
        };
        let in_range = value.ok().and_then(|value| T::try_from(value).ok());
        match in_range {
            Some(value) => Ok(Some(value)),
            None => Err(Error::argument(format!("{}: expected {expected}, found {shown}", option.name))),
        }
    }

    /// One of several keywords, case-insensitive.
    fn choice<T: Copy>(&self, option: &Parameter, choices: &[(&str, T)]) -> Result<Option<T>> {
        self.text(option).map(|found| choose(option, &found, choices)).transpose()
    }
}

/// Characters of an unknown keyword that are shown.
const MAX_SHOWN: usize = 100;

/// The value of a keyword, case-insensitive.
pub(crate) fn choose<T: Copy>(option: &Parameter, found: &str, choices: &[(&str, T)]) -> Result<T> {
    if let Some((_, value)) = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(found)) {
        return Ok(*value);
    }
    let words: Vec<_> = choices.iter().map(|(word, _)| format!("'{word}'")).collect();
    let expected = match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    let found: String = found.chars().take(MAX_SHOWN).collect();
    Err(Error::argument(format!("{}: expected {expected}, found '{found}'", option.name)))
}

/// The options of a vector of calls of a scalar function.
pub(crate) struct Options<'a> {
    reader: Option<&'a Reader<'a>>,
    known: &'static [Parameter],
}

impl<'a> Options<'a> {
    /// Checks that the argument is a STRUCT of known options with values of their types; None if the overload has no
    /// options.
    pub(crate) fn new(reader: Option<&'a Reader<'a>>, known: &'static [Parameter]) -> Result<Self> {
        let Some(reader) = reader.filter(|reader| reader.kind().id() != TypeId::SqlNull) else {
            return Ok(Self { reader: None, known });
        };
        let wrong = |found: String| {
            let known: Vec<_> = known.iter().map(|option| format!("{} {}", option.name, option.value.sql())).collect();
            Err(Error::argument(format!("options: expected a STRUCT of {}, found {found}", known.join(", "))))
        };
        if reader.kind().id() != TypeId::Struct {
            return wrong(reader.kind().to_string());
        }
        for (name, kind) in reader.kind().fields() {
            match known.iter().find(|option| option.name.eq_ignore_ascii_case(&name)) {
                None => return wrong(name),
                Some(option) if !option.value.accepts(&kind) => return wrong(format!("{name} {kind}")),
                Some(_) => {}
            }
        }
        Ok(Self { reader: Some(reader), known })
    }

    /// The options of one row.
    pub(crate) fn row(&self, row: usize) -> RowOptions<'a> {
        RowOptions { reader: self.reader.filter(|reader| !reader.is_null(row)), row }
    }

    /// The column of an option that is a STRUCT.
    pub(crate) fn column(&self, option: &Parameter) -> Option<&'a Reader<'a>> {
        self.reader?.field(option.name)
    }

    /// Fails if options are passed in place of another argument.
    pub(crate) fn check_not_options(&self, argument: &str, kind: &LogicalType) -> Result<()> {
        match Self::are_options(kind, self.known) {
            true => Err(Error::argument(format!(
                "{argument}: expected the STRUCT of cog_metadata() or of an index, found options: pass NULL before them where \
                 there is no metadata"
            ))),
            false => Ok(()),
        }
    }

    /// Two optional arguments, a geometry and options; a single one that has the type of options is the options.
    pub(crate) fn with_geometry(
        arguments: [Option<&'a Reader<'a>>; 2],
        known: &[Parameter],
    ) -> (Option<&'a Reader<'a>>, Option<&'a Reader<'a>>) {
        match arguments {
            [Some(options), None] if Self::are_options(options.kind(), known) => (None, Some(options)),
            [geometry, options] => (geometry, options),
        }
    }

    /// Whether a type is a STRUCT with only option names as fields.
    fn are_options(kind: &LogicalType, known: &[Parameter]) -> bool {
        let fields = kind.fields();
        let is_option = |name: &str| known.iter().any(|option| option.name.eq_ignore_ascii_case(name));
        !fields.is_empty() && fields.iter().all(|(name, _)| is_option(name))
    }
}

/// The options of one row of a vector.
#[derive(Clone, Copy)]
pub(crate) struct RowOptions<'a> {
    reader: Option<&'a Reader<'a>>,
    row: usize,
}

impl<'a> RowOptions<'a> {
    /// A text with the lifetime of the vector.
    pub(crate) fn borrowed_text(&self, option: &Parameter) -> Option<&'a str> {
        self.field(option)?.text(self.row)
    }

    /// An option that is given and not NULL.
    fn field(&self, option: &Parameter) -> Option<&'a Reader<'a>> {
        self.reader?.field(option.name).filter(|field| !field.is_null(self.row))
    }

    /// The entries of a MAP, or of a STRUCT; `expected` describes their values.
    fn pairs<T>(
        &self,
        option: &Parameter,
        expected: &str,
        read: impl Fn(&Reader<'_>, usize) -> Option<T>,
    ) -> Result<Vec<(String, T)>> {
        let Some(field) = self.field(option) else {
            return Ok(Vec::new());
        };
        let entries: Option<Vec<_>> = match field.list(self.row) {
            Some((range, entries)) => range
                .map(|at| Some((entries.field("key")?.text(at)?.to_owned(), read(entries.field("value")?, at)?)))
                .collect(),
            None => field
                .kind()
                .fields()
                .into_iter()
                .map(|(key, _)| {
                    let value = read(field.field(&key)?, self.row)?;
                    Some((key, value))
                })
                .collect(),
        };
        let found = field.kind();
        entries.ok_or_else(|| Error::argument(format!("{}: expected a MAP of {expected}, found {found}", option.name)))
    }
}

impl OptionValues for RowOptions<'_> {
    fn has(&self, option: &Parameter) -> bool {
        self.field(option).is_some()
    }

    fn text(&self, option: &Parameter) -> Option<Cow<'_, str>> {
        self.borrowed_text(option).map(Cow::Borrowed)
    }

    fn boolean(&self, option: &Parameter) -> Option<bool> {
        self.field(option)?.boolean(self.row)
    }

    fn number(&self, option: &Parameter) -> Option<f64> {
        self.field(option)?.number(self.row)
    }

    fn whole(&self, option: &Parameter) -> Option<Result<i128, String>> {
        self.field(option)?.integer(self.row).map(Ok)
    }

    fn wholes(&self, option: &Parameter) -> Option<Vec<Option<i128>>> {
        let (range, numbers) = self.field(option)?.list(self.row)?;
        Some(range.map(|at| numbers.integer(at).filter(|_| !numbers.is_null(at))).collect())
    }

    fn numbers(&self, option: &Parameter) -> Option<Vec<Option<f64>>> {
        let (range, numbers) = self.field(option)?.list(self.row)?;
        Some(range.map(|at| numbers.number(at).filter(|_| !numbers.is_null(at))).collect())
    }

    fn text_pairs(&self, option: &Parameter) -> Result<Vec<(String, String)>> {
        self.pairs(option, "texts", |value, at| value.text(at).map(str::to_owned))
    }

    fn integer_pairs(&self, option: &Parameter) -> Result<Vec<(String, i128)>> {
        self.pairs(option, "integers", |value, at| value.integer(at))
    }
}

/// A named argument that is given and not NULL.
fn given<'a>(info: &'a BindInfo, option: &Parameter) -> Option<&'a Value> {
    info.named(option.name).filter(|value| !value.is_null())
}

/// The entries of a named argument of type MAP.
fn named_pairs<T>(info: &BindInfo, option: &Parameter, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<(String, T)>> {
    let Some(value) = given(info, option) else {
        return Ok(Vec::new());
    };
    let (name, expected) = (option.name, option.value.sql());
    let unexpected = || Error::argument(format!("{name}: expected {expected}, found {}", value.type_name()));
    let entries = value.map().ok_or_else(unexpected)?;
    entries.iter().map(|(key, value)| Some((key.text()?, read(value)?))).collect::<Option<_>>().ok_or_else(unexpected)
}

impl OptionValues for BindInfo {
    fn has(&self, option: &Parameter) -> bool {
        given(self, option).is_some()
    }

    fn text(&self, option: &Parameter) -> Option<Cow<'_, str>> {
        given(self, option)?.text().map(Cow::Owned)
    }

    fn boolean(&self, option: &Parameter) -> Option<bool> {
        given(self, option)?.boolean()
    }

    fn number(&self, option: &Parameter) -> Option<f64> {
        given(self, option)?.number()
    }

    /// Also accepts an integer as text, because an error of DuckDB's own cast would not name the argument.
    fn whole(&self, option: &Parameter) -> Option<Result<i128, String>> {
        let value = given(self, option)?;
        let text = value.text();
        let number = value.integer().map(i128::from).or_else(|| text.as_deref()?.trim().parse().ok());
        Some(number.ok_or_else(|| text.map_or_else(|| value.type_name(), |text| format!("'{text}'"))))
    }

    fn wholes(&self, option: &Parameter) -> Option<Vec<Option<i128>>> {
        let elements = given(self, option)?.list()?;
        Some(elements.iter().map(|value| value.integer().map(i128::from)).collect())
    }

    fn numbers(&self, option: &Parameter) -> Option<Vec<Option<f64>>> {
        given(self, option)?.numbers()
    }

    fn text_pairs(&self, option: &Parameter) -> Result<Vec<(String, String)>> {
        named_pairs(self, option, Value::text)
    }

    fn integer_pairs(&self, option: &Parameter) -> Result<Vec<(String, i128)>> {
        named_pairs(self, option, |value| value.integer().map(i128::from))
    }
}

impl ValueType {
    /// The type for registering a named parameter. ANY if several types are accepted, or if an empty list or MAP has no
    /// specific type.
    pub(crate) fn logical_type(self) -> LogicalType {
        let of = LogicalType::of;
        match self {
            Self::Text | Self::IntegerOrText => LogicalType::varchar(),
            Self::Boolean => of(TypeId::Boolean),
            Self::Integer => of(TypeId::Bigint),
            Self::Number => of(TypeId::Double),
            Self::Integers => LogicalType::list(&of(TypeId::Bigint)),
            Self::Numbers => LogicalType::list(&of(TypeId::Double)),
            Self::Map(_) | Self::Other(_) => of(TypeId::Any),
        }
    }

    /// Whether an option of this type accepts values of another type.
    pub(crate) fn accepts(self, kind: &LogicalType) -> bool {
        let id = kind.id();
        let list_of = |accepts: fn(TypeId) -> bool| {
            let is_right = |element: LogicalType| element.id() == TypeId::SqlNull || accepts(element.id());
            matches!(id, TypeId::List | TypeId::Array) && kind.element().is_some_and(is_right)
        };
        match self {
            _ if id == TypeId::SqlNull => true,
            Self::Text => matches!(id, TypeId::Varchar | TypeId::StringLiteral),
            Self::Boolean => id == TypeId::Boolean,
            Self::Integer => id.is_integer(),
            Self::Number => id.is_numeric(),
            Self::IntegerOrText => Self::Integer.accepts(kind) || Self::Text.accepts(kind),
            Self::Integers => list_of(TypeId::is_integer),
            Self::Numbers => list_of(TypeId::is_numeric),
            Self::Map(_) => matches!(id, TypeId::Map | TypeId::Struct),
            Self::Other(_) => true,
        }
    }
}
