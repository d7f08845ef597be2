//! Writes WKT 1 (OGC 01-009): nested `KEYWORD["text",1.5,CHILD[…]]`.

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

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn nodes_nest() {
        let node = Node::new("LOCAL_CS")
            .text("a \"b\"\n")
            .child(Node::new("UNIT").text("metre").number(1.0).authority(9001))
            .authority(0);
        assert_eq!(node.to_string(), "LOCAL_CS[\"a 'b' \",UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]]");
    }
}
