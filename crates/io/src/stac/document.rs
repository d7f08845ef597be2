//! Splits JSON files into Items: a file has one Item, an ItemCollection, a list of Items, or one of these per line.
//!
//! Items are passed on as they are parsed, so that a file of any length needs no more memory than its largest item, whose text is
//! limited. A first line longer than that limit is read as the beginning of a single document.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Cursor, Read};

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

use super::item::Kind;
use crate::types::json::WithNulls;
use crate::{Error, Result};

/// Bytes of a file that are buffered for the parser.
const BUFFER: usize = 1 << 16;

/// The position of an item in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemPosition {
    /// The file is the item.
    Whole,
    /// Counted from 0.
    Item(u64),
    /// Counted from 1, as editors do.
    Line(u64),
    /// Row of a Parquet file, from 0.
    Row(u64),
}

impl fmt::Display for ItemPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("item"),
            Self::Item(number) => write!(f, "item {number}"),
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// Takes items; an error ends the reading.
pub(super) type ItemConsumer<'a> = dyn FnMut(ItemPosition, Value) -> Result<()> + 'a;

/// Why a document was not read to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The error in the text. The rest is still read if the file has one item per line.
    Malformed { at: Option<ItemPosition>, what: String },
    /// The sink's error, or the store's.
    Error(Error),
}

/// Reads all items, each with a text of at most `item_max` bytes. A line that is not JSON is passed to `spoiled`, which
/// may end the reading.
pub(super) fn read(
    input: impl Read,
    item_max: u64,
    sink: &mut ItemConsumer<'_>,
    spoiled: &mut dyn FnMut(ItemPosition, String) -> Result<()>,
) -> std::result::Result<(), Stop> {
    let mut input = io::BufReader::with_capacity(BUFFER, WithNulls::new(input));
    let mut number = 1;
    let first = match first_byte(&mut input, &mut number)? {
        None => return Err(malformed("expected STAC as JSON or Parquet, found an empty file")),
        Some(byte @ (b'{' | b'[')) => byte,
        Some(0x1f) => return Err(malformed("expected STAC as JSON or Parquet, found gzip")),
        Some(byte) => {
            let shown = char::from(byte);
            let what = match shown.is_ascii_graphic() {
                true => format!("expected STAC as JSON or Parquet, found text that begins with '{shown}'"),
                false => "expected STAC as JSON or Parquet, found neither".to_owned(),
            };
            return Err(malformed(&what));
        }
    };
    if first == b'[' {
        return metered(input, item_max, sink);
    }
    let mut line = Vec::new();
    input.by_ref().take(item_max).read_until(b'\n', &mut line).map_err(of_io)?;
    let complete = serde_json::from_slice::<IgnoredAny>(&line).is_ok();
    if !complete {
        return metered(Cursor::new(line).chain(input), item_max, sink);
    }
    let mut next = number + 1;
    if first_byte(&mut input, &mut next)?.is_none() {
        return document(&mut Deserializer::from_slice(&line), ItemPosition::Whole, sink);
    }
    lines(line, [number, next], input, item_max, sink, spoiled)
}

/// Newline-delimited JSON after its first line; `numbers` are the numbers of this line and the next.
fn lines(
    mut line: Vec<u8>,
    [mut number, mut next]: [u64; 2],
    mut input: impl BufRead,
    item_max: u64,
    sink: &mut ItemConsumer<'_>,
    spoiled: &mut dyn FnMut(ItemPosition, String) -> Result<()>,
) -> std::result::Result<(), Stop> {
    loop {
        let position = ItemPosition::Line(number);
        if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
            match document(&mut Deserializer::from_slice(&line), position, sink) {
                Err(Stop::Malformed { what, .. }) => {
                    // The parser counts lines from its first one.
                    let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
                    spoiled(position, what).map_err(Stop::Error)?;
                }
                other => other?,
            }
        }
        line.clear();
        (number, next) = (next, next + 1);
        if input.by_ref().take(item_max).read_until(b'\n', &mut line).map_err(of_io)? == 0 {
            return Ok(());
        }
        if line.len() as u64 >= item_max {
            return Err(Stop::Malformed { at: Some(ItemPosition::Line(number)), what: too_long(item_max) });
        }
    }
}

/// One document of any length, with limited items.
fn metered(input: impl Read, item_max: u64, sink: &mut ItemConsumer<'_>) -> std::result::Result<(), Stop> {
    // The buffer is filled ahead of the item that ends in it.
    let allowed = item_max.saturating_add(BUFFER as u64);
    let left = Cell::new(allowed);
    let metered = io::BufReader::with_capacity(BUFFER, Metered { input, left: &left, item_max });
    let mut renewing = |position, item| {
        left.set(allowed);
        sink(position, item)
    };
    document(&mut Deserializer::from_reader(metered), ItemPosition::Whole, &mut renewing)
}

/// Limits the bytes that are read between two items.
struct Metered<'a, R> {
    input: R,
    left: &'a Cell<u64>,
    item_max: u64,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        match self.left.get().checked_sub(count as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::other(too_long(self.item_max))),
        }
        Ok(count)
    }
}

/// The error of a text that takes too much memory once it is parsed.
pub(super) fn too_long(max: u64) -> String {
    format!("expected JSON of at most {max} bytes per item (a share of the memory limit), found more")
}

/// One JSON value that is an item or holds items.
fn document<'de, R: serde_json::de::Read<'de>>(
    json: &mut Deserializer<R>,
    position: ItemPosition,
    sink: &mut ItemConsumer<'_>,
) -> std::result::Result<(), Stop> {
    let mut stopped = None;
    let parsed = json.deserialize_any(Document { position, sink, stopped: &mut stopped }).and_then(|()| json.end());
    match (parsed, stopped) {
        (_, Some(error)) => Err(Stop::Error(error)),
        (Ok(()), None) => Ok(()),
        (Err(error), None) if error.is_io() => Err(of_io(error.into())),
        (Err(error), None) => Err(malformed(&error.to_string())),
    }
}

/// An invalid text.
fn malformed(what: &str) -> Stop {
    Stop::Malformed { at: None, what: what.to_owned() }
}

/// The store's error inside of one of reading.
fn of_io(error: io::Error) -> Stop {
    match error.downcast::<Error>() {
        Ok(error) => Stop::Error(error),
        Err(error) => malformed(&error.to_string()),
    }
}

/// Finds the first byte that is not blank, after a byte-order mark, and leaves it in the input; `line` counts the lines
/// passed.
fn first_byte(input: &mut impl BufRead, line: &mut u64) -> std::result::Result<Option<u8>, Stop> {
    const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
    loop {
        let buffered = input.fill_buf().map_err(of_io)?;
        let Some(first) = buffered.first() else { return Ok(None) };
        let skipped = match first.is_ascii_whitespace() {
            true => buffered.iter().take_while(|byte| byte.is_ascii_whitespace()).count(),
            false if buffered.starts_with(MARK) => MARK.len(),
            false => return Ok(Some(*first)),
        };
        *line += buffered[..skipped].iter().filter(|byte| **byte == b'\n').count() as u64;
        input.consume(skipped);
    }
}

/// An object or a list at the top.
struct Document<'a, 'b> {
    position: ItemPosition,
    sink: &'a mut ItemConsumer<'b>,
    stopped: &'a mut Option<Error>,
}

impl Document<'_, '_> {
    fn give<E: serde::de::Error>(&mut self, position: ItemPosition, item: Value) -> std::result::Result<(), E> {
        (self.sink)(position, item).map_err(|error| {
            *self.stopped = Some(error);
            E::custom("stopped")
        })
    }

    /// Items of a list, counted.
    fn items<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> std::result::Result<(), A::Error> {
        let mut number = 0;
        while let Some(item) = items.next_element::<Value>()? {
            self.give(ItemPosition::Item(number), item)?;
            number += 1;
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a STAC Item, an ItemCollection or a list of Items")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, items: A) -> std::result::Result<(), A::Error> {
        self.items(items)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> std::result::Result<(), A::Error> {
        let mut object = Map::new();
        let mut is_collection = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == FEATURES {
                is_collection = true;
                members.next_value_seed(Features(&mut self))?;
            } else {
                let value = members.next_value()?;
                object.insert(name, value);
            }
        }
        if is_collection {
            return match object.get("type").and_then(Value::as_str) {
                // The type of ItemCollections before STAC 0.9, and of some tools, is none.
                Some("FeatureCollection" | "ItemCollection") | None => Ok(()),
                Some(_) => Err(A::Error::custom("expected type FeatureCollection beside features, found another")),
            };
        }
        match Kind::of(&object) {
            Kind::Catalog => Ok(()),
            Kind::Item | Kind::Other => {
                let position = self.position;
                self.give(position, Value::Object(object))
            }
        }
    }
}

/// The member of an ItemCollection that holds the items.
const FEATURES: &str = "features";

/// Its value.
struct Features<'a, 'b, 'c>(&'c mut Document<'a, 'b>);

impl<'de> DeserializeSeed<'de> for Features<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("features, a list of Items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> std::result::Result<(), A::Error> {
        self.0.items(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM_MAX: u64 = 1 << 17;

    fn items(text: &str) -> std::result::Result<Vec<(ItemPosition, String)>, String> {
        let mut items = Vec::new();
        let mut spoiled = Vec::new();
        let outcome = read(
            text.as_bytes(),
            ITEM_MAX,
            &mut |position, item| {
                items.push((position, super::super::item::named(&item).unwrap_or_default()));
                Ok(())
            },
            &mut |position, what| {
                spoiled.push(format!("{position}: {what}"));
                Ok(())
            },
        );
        match (outcome, spoiled.is_empty()) {
            (Ok(()), true) => Ok(items),
            (Ok(()), false) => Err(format!("{items:?} {}", spoiled.join("; "))),
            (Err(Stop::Malformed { what, .. }), _) => Err(what),
            (Err(Stop::Error(error)), _) => Err(error.to_string()),
        }
    }

    fn found(places: &[(ItemPosition, &str)]) -> std::result::Result<Vec<(ItemPosition, String)>, String> {
        Ok(places.iter().map(|(position, id)| (*position, (*id).to_owned())).collect())
    }

    #[test]
    fn all_forms() {
        let (a, b) = (r#"{"type":"Feature","id":"a"}"#, r#"{"type":"Feature","id":"b"}"#);
        assert_eq!(items(a), found(&[(ItemPosition::Whole, "a")]));
        assert_eq!(items(&format!("\u{feff} \n{a}\n\n")), found(&[(ItemPosition::Whole, "a")]));
        assert_eq!(items("{\n  \"type\": \"Feature\",\n  \"id\": \"a\"\n}\n"), found(&[(ItemPosition::Whole, "a")]));
        let both = [(ItemPosition::Item(0), "a"), (ItemPosition::Item(1), "b")];
        assert_eq!(items(&format!("[{a},\n{b}]")), found(&both));
        assert_eq!(items(&format!(r#"{{"features":[{a},{b}],"type":"FeatureCollection","links":[]}}"#)), found(&both));
        assert_eq!(items(&format!(r#"{{"type":"FeatureCollection","features":[{a},{b}]}}"#)), found(&both));
        assert_eq!(
            items(&format!("{a}\n\n{b}\r\n")),
            found(&[(ItemPosition::Line(1), "a"), (ItemPosition::Line(3), "b")])
        );
        assert_eq!(items(&format!("\n{a}\n{b}")), found(&[(ItemPosition::Line(2), "a"), (ItemPosition::Line(3), "b")]));
        assert_eq!(items("[]"), found(&[]));
    }

    #[test]
    fn too_long_texts_are_errors_in_all_forms() {
        let (item, other) =
            (r#"{"type":"Feature","id":"a"}"#, format!(r#"{{"type":"Feature","id":"{}"}}"#, "b".repeat(1 << 18)));
        let expected = "expected JSON of at most 131072 bytes per item (a share of the memory limit), found more";
        let collection = |items: &str| format!(r#"{{"type":"FeatureCollection","features":[{items}]}}"#);
        for text in [other.clone(), format!("[{other}]"), collection(&other), format!("{item}\n{other}\n")] {
            assert!(items(&text).unwrap_err().ends_with(expected), "{}", items(&text).unwrap_err());
        }
        // The limit applies to items, not to the length of a collection.
        let many = [item; 20_000].join(",");
        for text in [collection(&many), format!("[{many}]"), [item; 20_000].join("\n")] {
            assert_eq!(items(&text).unwrap().len(), 20_000);
        }
    }

    #[test]
    fn catalogs_are_not_items() {
        assert_eq!(items(r#"{"type":"Catalog","id":"a","links":[]}"#), found(&[]));
        assert_eq!(items(r#"{"id":"a","stac_version":"0.9.0","links":[],"extent":{}}"#), found(&[]));
    }

    #[test]
    fn errors_for_documents_other_than_stac() {
        for (text, expected) in [
            ("", "expected STAC as JSON or Parquet, found an empty file"),
            (" \n", "expected STAC as JSON or Parquet, found an empty file"),
            ("<html>", "expected STAC as JSON or Parquet, found text that begins with '<'"),
            ("\u{1f}", "expected STAC as JSON or Parquet, found gzip"),
            ("{\"type\":\n 7,}", "trailing comma at line 2 column 4"),
            ("[{}", "EOF while parsing a list at line 1 column 3"),
            ("[{}] 7", "trailing characters at line 1 column 6"),
            ("{\"features\": 7}", "invalid type: integer `7`, expected features, a list of Items at line 1 column 14"),
            (
                "{\"features\": [], \"type\": \"X\"}",
                "expected type FeatureCollection beside features, found another at line 1 column 29",
            ),
        ] {
            assert_eq!(items(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_line_does_not_affect_others() {
        let text = "{\"type\":\"Feature\",\"id\":\"a\"}\n{\"type\":\n{\"type\":\"Feature\",\"id\":\"b\"}\n";
        let outcome = items(text).unwrap_err();
        assert!(outcome.contains("\"a\"") && outcome.contains("\"b\""), "{outcome}");
        assert!(outcome.ends_with("line 2: EOF while parsing a value"), "{outcome}");
    }
}
