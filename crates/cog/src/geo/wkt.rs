//! Writes and parses WKT 1 (OGC 01-009): nested `KEYWORD["text",1.5,CHILD[…]]`.

use std::fmt::{self, Write};

/// A keyword with its values.
#[derive(Debug)]
pub(crate) struct Node {
    text: String,
}

impl Node {
    pub(crate) fn new(keyword: &str) -> Self {
        Self { text: format!("{keyword}[") }
    }

    fn separate(&mut self) {
        if !self.text.ends_with('[') {
            self.text.push(',');
        }
    }

    /// Appends a quoted text. Quotes and control characters, which WKT 1 cannot represent, become apostrophes and
    /// spaces.
    pub(crate) fn text(mut self, value: &str) -> Self {
        self.separate();
        self.text.push('"');
        self.text.extend(value.chars().map(|c| match c {
            '"' => '\'',
            c if c.is_control() => ' ',
            c => c,
        }));
        self.text.push('"');
        self
    }

    /// Appends a number in its shortest round-trip form.
    pub(crate) fn number(mut self, value: f64) -> Self {
        self.separate();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self
    }

    /// Appends a nested keyword.
    pub(crate) fn child(mut self, child: Self) -> Self {
        self.separate();
        self.text.push_str(&child.text);
        self.text.push(']');
        self
    }

    /// Appends an EPSG code, unless it is 0.
    pub(crate) fn authority(self, code: u32) -> Self {
        match code {
            0 => self,
            _ => self.child(Self::new("AUTHORITY").text("EPSG").text(&code.to_string())),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}]", self.text)
    }
}

/// Deepest nesting that is parsed; a CRS has five levels.
const MAX_DEPTH: usize = 16;

/// A parsed keyword with its values.
#[derive(Debug, PartialEq)]
pub(super) struct Element {
    pub(super) keyword: String,
    pub(super) values: Vec<Value>,
}

/// A value of a keyword.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    Element(Element),
}

impl Element {
    /// Parses WKT without blanks, as [`Node`] writes it; None for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (element, rest) = Self::parse_at(text, MAX_DEPTH)?;
        rest.is_empty().then_some(element)
    }

    fn parse_at(text: &str, depth: usize) -> Option<(Self, &str)> {
        let depth = depth.checked_sub(1)?;
        let (keyword, mut rest) = text.split_once('[')?;
        if keyword.is_empty() || !keyword.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        let mut values = Vec::new();
        loop {
            let value;
            (value, rest) = Value::parse_at(rest, depth)?;
            values.push(value);
            if let Some(after) = rest.strip_prefix(']') {
                return Some((Self { keyword: keyword.to_owned(), values }, after));
            }
            rest = rest.strip_prefix(',')?;
        }
    }

    /// The first value, if it is a text.
    pub(super) fn name(&self) -> Option<&str> {
        match self.values.first() {
            Some(Value::Text(name)) => Some(name),
            _ => None,
        }
    }

    /// A value that is a number.
    pub(super) fn number(&self, at: usize) -> Option<f64> {
        match self.values.get(at) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The nested elements of a keyword.
    pub(super) fn children<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Self> {
        self.values.iter().filter_map(move |value| match value {
            Value::Element(element) if element.keyword == keyword => Some(element),
            _ => None,
        })
    }

    /// The first nested element of a keyword.
    pub(super) fn child<'a>(&'a self, keyword: &'a str) -> Option<&'a Self> {
        self.children(keyword).next()
    }

    /// The EPSG code.
    pub(super) fn authority(&self) -> Option<u16> {
        let authority = self.child("AUTHORITY").filter(|authority| authority.name() == Some("EPSG"))?;
        match authority.values.get(1) {
            Some(Value::Text(code)) => code.parse().ok(),
            _ => None,
        }
    }
}

impl Value {
    fn parse_at(text: &str, depth: usize) -> Option<(Self, &str)> {
        if let Some(quoted) = text.strip_prefix('"') {
            let (value, rest) = quoted.split_once('"')?;
            return Some((Self::Text(value.to_owned()), rest));
        }
        let end = text.find(['[', ']', ','])?;
        if text[end..].starts_with('[') {
            return Element::parse_at(text, depth).map(|(element, rest)| (Self::Element(element), rest));
        }
        let number: f64 = text[..end].parse().ok().filter(|number: &f64| number.is_finite())?;
        Some((Self::Number(number), &text[end..]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, Node};

    #[test]
    fn what_is_written_is_parsed() {
        let node = Node::new("UNIT").text("metre, [or] so").number(-1.5e-7).authority(9001);
        let element = Element::parse(&node.to_string()).unwrap();
        assert_eq!(
            (element.name(), element.number(1), element.authority()),
            (Some("metre, [or] so"), Some(-1.5e-7), Some(9001))
        );
        for text in
            ["", "A", "A[", "A[]", "A[1", "A[1,]", "A[1]]", "A[1]x", "[1]", "A[NaN]", "A[\"x]", "A [1]", "A[B[1]"]
        {
            assert_eq!(Element::parse(text), None, "{text}");
        }
        assert_eq!(Element::parse(&format!("{}1{}", "A[".repeat(17), "]".repeat(17))), None);
    }

    #[test]
    fn nodes_nest() {
        let node = Node::new("LOCAL_CS")
            .text("a \"b\"\n")
            .child(Node::new("UNIT").text("metre").number(1.0).authority(9001))
            .authority(0);
        assert_eq!(node.to_string(), "LOCAL_CS[\"a 'b' \",UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]]");
    }
}
