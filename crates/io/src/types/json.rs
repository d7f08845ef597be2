//! JSON as Python writes it: bare `NaN`, `Infinity` and `-Infinity` are read as `null`.
//!
//! JSON has no numbers for them (RFC 8259, section 6), but `json.dumps` writes them by default, so that items with a
//! nodata value of NaN are common. The words are replaced before the text is parsed, outside of strings only. Columns
//! in a parser's error refer to the replaced text, lines to the file.

use std::borrow::Cow;
use std::io::{self, Read};

use serde::de::DeserializeOwned;

const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

const NULL: &[u8] = b"null";

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// Parses a document.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&with_nulls(text))
}

/// Replaces the words by `null`.
pub(crate) fn with_nulls(text: &[u8]) -> Cow<'_, [u8]> {
    // The words contain a capital I or N; documents without these letters are not copied.
    if !text.windows(3).any(|bytes| bytes == b"NaN" || bytes == b"Inf") {
        return Cow::Borrowed(text);
    }
    let mut scanner = Scanner::default();
    let mut replaced = Vec::with_capacity(text.len() + text.len() / 64);
    scanner.push(text, &mut replaced);
    scanner.finish(&mut replaced);
    Cow::Owned(replaced)
}

/// Replaces the words in a stream.
pub(crate) struct WithNulls<R> {
    input: R,
    chunk: Vec<u8>,
    scanner: Scanner,
    /// Replaced text; the bytes from `at` on have not been read.
    ready: Vec<u8>,
    at: usize,
    at_end: bool,
}

impl<R: Read> WithNulls<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, chunk: vec![0; CHUNK], scanner: Scanner::default(), ready: Vec::new(), at: 0, at_end: false }
    }
}

impl<R: Read> Read for WithNulls<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.at_end {
            (self.at, self.at_end) = (0, false);
            self.ready.clear();
            match self.input.read(&mut self.chunk)? {
                0 => {
                    self.at_end = true;
                    self.scanner.finish(&mut self.ready);
                }
                read => self.scanner.push(&self.chunk[..read], &mut self.ready),
            }
        }
        let rest = &self.ready[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// Finds the words in a text that arrives in pieces.
#[derive(Debug, Default)]
struct Scanner {
    state: State,
    /// The beginning of a word, buffered until its end is known.
    held: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Outside,
    String,
    /// After a backslash in a string.
    Escape,
}

impl Scanner {
    fn push(&mut self, mut text: &[u8], output: &mut Vec<u8>) {
        while let Some(first) = text.first() {
            if !self.held.is_empty() {
                self.word(*first, output);
                text = if self.held.is_empty() { text } else { &text[1..] };
                self.complete(output);
                continue;
            }
            let end = text.iter().position(|byte| self.is_end(*byte)).unwrap_or(text.len());
            output.extend_from_slice(&text[..end]);
            let Some(byte) = text.get(end) else { return };
            match (self.state, byte) {
                (State::Outside, b'"') => self.state = State::String,
                (State::Outside, byte) => self.held.push(*byte),
                (State::String, b'"') => self.state = State::Outside,
                (State::String, _) => self.state = State::Escape,
                (State::Escape, _) => self.state = State::String,
            }
            if self.held.is_empty() {
                output.push(*byte);
            }
            text = &text[end + 1..];
        }
    }

    /// Whether the run of bytes that are copied as they are ends here.
    fn is_end(&self, byte: u8) -> bool {
        match self.state {
            State::Outside => matches!(byte, b'"' | b'N' | b'I' | b'-'),
            State::String => matches!(byte, b'"' | b'\\'),
            State::Escape => true,
        }
    }

    /// Adds a byte to the held bytes if they are still the beginning of a word; otherwise releases them.
    fn word(&mut self, byte: u8, output: &mut Vec<u8>) {
        let length = self.held.len();
        let goes_on = |word: &&[u8]| word.starts_with(&self.held) && word.get(length) == Some(&byte);
        match WORDS.iter().any(goes_on) {
            true => self.held.push(byte),
            false => output.append(&mut self.held),
        }
    }

    /// Writes `null` for a word that is complete.
    fn complete(&mut self, output: &mut Vec<u8>) {
        if WORDS.contains(&self.held.as_slice()) {
            output.extend_from_slice(NULL);
            self.held.clear();
        }
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        output.append(&mut self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces the text at once, and as a stream in pieces of all lengths.
    fn replaced(text: &str) -> String {
        let whole = String::from_utf8(with_nulls(text.as_bytes()).into_owned()).unwrap();
        for length in 1..=text.len() {
            let mut scanner = Scanner::default();
            let mut output = Vec::new();
            text.as_bytes().chunks(length).for_each(|piece| scanner.push(piece, &mut output));
            scanner.finish(&mut output);
            assert_eq!(String::from_utf8(output).unwrap(), whole, "pieces of {length}");
        }
        let mut streamed = String::new();
        WithNulls::new(text.as_bytes()).read_to_string(&mut streamed).unwrap();
        assert_eq!(streamed, whole);
        whole
    }

    #[test]
    fn words_outside_of_strings_become_null() {
        for (text, expected) in [
            ("NaN", "null"),
            (r#"{"a":NaN,"b":-Infinity,"c":[Infinity, NaN]}"#, r#"{"a":null,"b":null,"c":[null, null]}"#),
            (r#"{"NaN":"NaN, \"NaN\\","b":NaN}"#, r#"{"NaN":"NaN, \"NaN\\","b":null}"#),
            (r#"["\\",NaN,"\\\"",Infinity]"#, r#"["\\",null,"\\\"",null]"#),
            (r#"["-Infinity é",-1,-Infinity,--Infinity]"#, r#"["-Infinity é",-1,null,-null]"#),
            ("{\"a\":NaN\n,\"b\":-3}\n{\"a\":Infinity}", "{\"a\":null\n,\"b\":-3}\n{\"a\":null}"),
        ] {
            assert_eq!(replaced(text), expected);
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in ["", "Na", "-", "-Infinit", "NNa NNaX", "nan, Infinite, -1, \"", "\"NaN", "\"\\", "[-1, -I, -N]"] {
            assert_eq!(replaced(text), text);
        }
        assert_eq!(replaced("NNaN"), "Nnull");
        assert_eq!(replaced("-NaN"), "-null");
    }

    #[test]
    fn documents() {
        let value: serde_json::Value = parse(br#"{"nodata": NaN, "name": "NaN"}"#).unwrap();
        assert_eq!(value, serde_json::json!({"nodata": null, "name": "NaN"}));
        assert!(parse::<serde_json::Value>(b"[NaNs]").is_err());
    }
}
