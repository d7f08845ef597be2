//! Parses the items of a GDAL_METADATA in the same way as GDAL's XML reader (`CPLParseXMLString`).
//!
//! That reader accepts input that is not well-formed: bare `&`, unknown entities and control characters, repeated or
//! unquoted attributes, several roots, names that differ in case, any encoding. It rejects unclosed or mismatched
//! elements and attributes without a value. A rejected document has no items.
//!
//! ```text
//! bytes ── Tokens ──> tokens ── Items ──> Item of each <Item> in the first root that is called GDALMetadata
//! ```
//!
//! Both steps are single passes in linear time and memory.

use super::number::is_space;

/// An `<Item>` as GDAL reads it: the first attribute of each name, or child element with that name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Item {
    pub(super) name: Option<Vec<u8>>,
    pub(super) sample: Option<Vec<u8>>,
    pub(super) role: Option<Vec<u8>>,
    pub(super) domain: Option<Vec<u8>>,
    /// Its text, if it has no other content.
    pub(super) text: Option<Vec<u8>>,
}

/// Maximum nesting depth, as in GDAL.
const MAX_DEPTH: usize = 10_000;

/// The element that contains the items.
const ROOT: &[u8] = b"GDALMetadata";

/// The attributes of interest, in the order of [`Item`]'s fields.
const KEYS: [&[u8]; 4] = [b"name", b"sample", b"role", b"domain"];

/// Calls `take` with each item of a document, in order; None if the document is invalid, in which case it has no items.
pub(super) fn for_each_item(document: &[u8], take: impl FnMut(Item)) -> Option<()> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let end = document.iter().position(|byte| *byte == 0).unwrap_or(document.len());
    let mut tokens = Tokens { bytes: &document[..end], at: 0, in_element: false };
    let mut items = Items { open: Vec::new(), root: Root::Awaited, item: None, take };
    let mut token = tokens.next()?;
    loop {
        token = match token {
            Token::End => break,
            Token::Open => {
                items.tag(&mut tokens)?;
                tokens.next()?
            }
            Token::Name(name) => items.attribute(name, &mut tokens)?,
            // End of the attributes; the content follows.
            Token::Close if !items.open.is_empty() => tokens.next()?,
            Token::SlashClose => {
                items.close()?;
                tokens.next()?
            }
            Token::QuestionClose if items.is_in_instruction() => {
                items.close()?;
                tokens.next()?
            }
            Token::Comment(text) => {
                items.node(&Node::Other(text));
                tokens.next()?
            }
            Token::Doctype => {
                items.node(&Node::Other(b"<"));
                tokens.next()?
            }
            Token::Text(text) if !tokens.in_element => {
                items.node(&Node::Text(text));
                tokens.next()?
            }
            Token::Close | Token::QuestionClose | Token::Equal | Token::Text(_) => return None,
        };
    }
    items.open.is_empty().then_some(())
}

/// A token of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    End,
    /// `<`
    Open,
    /// `>`
    Close,
    /// `/>`
    SlashClose,
    /// `?>`
    QuestionClose,
    /// `=`
    Equal,
    /// Name of an element, with a leading slash at its end, or of an attribute.
    Name(&'a [u8]),
    /// Quoted value, or text between tags.
    Text(Text<'a>),
    Comment(&'a [u8]),
    Doctype,
}

/// Text as it appears in the document.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Text<'a> {
    raw: &'a [u8],
    /// Whether entities are replaced, as everywhere except in CDATA.
    has_entities: bool,
}

impl Text<'_> {
    fn unescaped(self) -> Vec<u8> {
        if self.has_entities { unescaped(self.raw) } else { self.raw.to_vec() }
    }
}

/// Splits a document without NULs into tokens.
struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the next token is inside a tag.
    in_element: bool,
}

impl<'a> Tokens<'a> {
    /// The next token; None if a quote or a DOCTYPE is not closed.
    fn next(&mut self) -> Option<Token<'a>> {
        self.at += self.rest().iter().take_while(|byte| is_space(**byte)).count();
        let rest = self.rest();
        let Some(first) = rest.first() else {
            return Some(Token::End);
        };
        let second = rest.get(1).copied();
        Some(match first {
            b'<' if starts_with(rest, b"<!--") => Token::Comment(self.until(4, b"-->")),
            b'<' if starts_with(rest, b"<!DOCTYPE") => return self.doctype(),
            b'<' if starts_with(rest, b"<![CDATA[") => {
                Token::Text(Text { raw: self.until(9, b"]]>"), has_entities: false })
            }
            b'<' if !self.in_element => {
                self.in_element = true;
                self.skip(1, Token::Open)
            }
            _ if !self.in_element => {
                let end = rest.iter().skip(1).position(|byte| *byte == b'<').map_or(rest.len(), |at| at + 1);
                self.skip(end, Token::Text(Text { raw: &rest[..end], has_entities: true }))
            }
            b'>' => {
                self.in_element = false;
                self.skip(1, Token::Close)
            }
            b'=' => self.skip(1, Token::Equal),
            b'/' if second == Some(b'>') => {
                self.in_element = false;
                self.skip(2, Token::SlashClose)
            }
            b'?' if second == Some(b'>') => {
                self.in_element = false;
                self.skip(2, Token::QuestionClose)
            }
            b'"' | b'\'' => {
                let length = rest.iter().skip(1).position(|byte| byte == first)?;
                self.skip(length + 2, Token::Text(Text { raw: &rest[1..=length], has_entities: true }))
            }
            _ => {
                // Names may start with any character.
                let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
                let length = 1 + rest.iter().skip(1).take_while(is_part).count();
                self.skip(length, Token::Name(&rest[..length]))
            }
        })
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, length: usize, token: Token<'a>) -> Token<'a> {
        self.at += length;
        token
    }

    /// The bytes from `start` up to an end marker, which is skipped; all remaining ones without it.
    fn until(&mut self, start: usize, end: &[u8]) -> &'a [u8] {
        let rest = &self.rest()[start..];
        let length = rest.windows(end.len()).position(|window| window == end);
        self.at += start + length.map_or(rest.len(), |length| length + end.len());
        &rest[..length.unwrap_or(rest.len())]
    }

    /// Skips a DOCTYPE, whose declarations may contain `>`.
    fn doctype(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let (mut at, mut in_quotes) = (1, false);
        loop {
            match rest.get(at)? {
                b'"' => in_quotes = !in_quotes,
                b'>' if !in_quotes => break,
                // Declarations end at the first bracket.
                b'[' => at += 1 + rest.get(at + 1..)?.iter().position(|byte| *byte == b']')?,
                _ => {}
            }
            at += 1;
        }
        Some(self.skip(at + 1, Token::Doctype))
    }
}

/// A child node of an element other than an attribute.
enum Node<'a> {
    Text(Text<'a>),
    /// Elements by name, and comments by text.
    Other(&'a [u8]),
}

/// Whether the root was found.
#[derive(PartialEq)]
enum Root {
    Awaited,
    Open,
    Closed,
}

/// Assembles items from tokens.
struct Items<'a, F> {
    /// Names of the open elements.
    open: Vec<&'a [u8]>,
    root: Root,
    item: Option<Building>,
    take: F,
}

/// An item whose element is open.
#[derive(Default)]
struct Building {
    /// Values of the [`KEYS`]; the outer None if absent, the inner one if the first has no value.
    values: [Option<Option<Vec<u8>>>; 4],
    content: Content,
    /// The open child element, and the index of its key.
    child: Option<(usize, Content)>,
}

/// Content of an element besides its attributes.
#[derive(Default)]
struct Content {
    nodes: usize,
    text: Option<Vec<u8>>,
}

impl Content {
    fn add(&mut self, node: &Node<'_>) {
        self.nodes += 1;
        self.text = match node {
            Node::Text(text) if self.nodes == 1 => Some(text.unescaped()),
            _ => None,
        };
    }
}

impl<'a, F: FnMut(Item)> Items<'a, F> {
    /// Handles `<`: the start of an element, or the end of one.
    fn tag(&mut self, tokens: &mut Tokens<'a>) -> Option<()> {
        let Token::Name(name) = tokens.next()? else {
            return None;
        };
        if let Some(name) = name.strip_prefix(b"/") {
            let is_open = self.open.last().is_some_and(|open| open.eq_ignore_ascii_case(name));
            return if is_open && tokens.next()? == Token::Close { self.close() } else { None };
        }
        if self.open.len() == MAX_DEPTH {
            return None;
        }
        match (self.open.len(), &mut self.item) {
            (0, _) if self.root == Root::Awaited && name.eq_ignore_ascii_case(ROOT) => self.root = Root::Open,
            (1, item) if self.root == Root::Open && name.eq_ignore_ascii_case(b"Item") => {
                *item = Some(Building::default());
            }
            (2, Some(item)) => {
                item.content.add(&Node::Other(name));
                item.child = item.unseen(name).map(|key| (key, Content::default()));
            }
            _ => self.node(&Node::Other(name)),
        }
        self.open.push(name);
        Some(())
    }

    /// Handles an attribute and returns the token after it.
    fn attribute(&mut self, name: &[u8], tokens: &mut Tokens<'a>) -> Option<Token<'a>> {
        let next = tokens.next()?;
        if next != Token::Equal {
            // A value without a name in a processing instruction is text.
            return self.is_in_instruction().then_some(next);
        }
        let value = match tokens.next()? {
            Token::Text(text) => text,
            Token::Name(raw) => Text { raw, has_entities: false },
            _ => return None,
        };
        if self.open.len() == 2
            && let Some(item) = &mut self.item
            && let Some(key) = item.unseen(name)
        {
            item.values[key] = Some(Some(value.unescaped()));
        }
        tokens.next()
    }

    /// Adds a text, comment or nested element to the innermost open element.
    fn node(&mut self, node: &Node<'_>) {
        match (self.open.len(), &mut self.item) {
            // The first node with the root's name is the root; a comment has no items.
            (0, _) => {
                if let (Root::Awaited, Node::Other(text)) = (&self.root, node)
                    && text.eq_ignore_ascii_case(ROOT)
                {
                    self.root = Root::Closed;
                }
            }
            (2, Some(item)) => {
                item.content.add(node);
                if let Node::Other(text) = node
                    && let Some(key) = item.unseen(text)
                {
                    item.values[key] = Some(None);
                }
            }
            (3, Some(Building { child: Some((_, content)), .. })) => content.add(node),
            _ => {}
        }
    }

    /// Closes the innermost element; None if there is none.
    fn close(&mut self) -> Option<()> {
        self.open.pop()?;
        match (self.open.len(), &mut self.item) {
            (0, _) if self.root == Root::Open => self.root = Root::Closed,
            (1, item) => {
                if let Some(item) = item.take() {
                    (self.take)(item.finish());
                }
            }
            (2, Some(item)) => {
                if let Some((key, content)) = item.child.take() {
                    item.values[key] = Some(content.text);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn is_in_instruction(&self) -> bool {
        self.open.last().is_some_and(|name| name.starts_with(b"?"))
    }
}

impl Building {
    /// The index of a key, at its first occurrence.
    fn unseen(&self, name: &[u8]) -> Option<usize> {
        let key = KEYS.iter().position(|key| key.eq_ignore_ascii_case(name))?;
        self.values[key].is_none().then_some(key)
    }

    fn finish(self) -> Item {
        let [name, sample, role, domain] = self.values.map(Option::flatten);
        Item { name, sample, role, domain, text: self.content.text }
    }
}

/// Replaces entities, up to the first unknown one (`CPLUnescapeString`).
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    const NAMED: [(&[u8], u8); 5] =
        [(b"&lt;", b'<'), (b"&gt;", b'>'), (b"&amp;", b'&'), (b"&apos;", b'\''), (b"&quot;", b'"')];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'&') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if let Some((name, byte)) = NAMED.iter().find(|(name, _)| starts_with(rest, name)) {
            out.push(*byte);
            rest = &rest[name.len()..];
        } else if let Some((character, length)) = numbered(rest) {
            out.extend_from_slice(character.as_bytes());
            rest = &rest[length..];
        } else {
            return out;
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Decodes `&#123;` or `&#x7b;` to a character, or to nothing for 0, and returns its length.
fn numbered(text: &[u8]) -> Option<(String, usize)> {
    let (start, radix) = if starts_with(text, b"&#x") { (3, 16) } else { (2, 10) };
    let rest = text.strip_prefix(b"&#").and(text.get(start..))?;
    let end = rest.iter().position(|byte| !char::from(*byte).is_digit(radix))?;
    if rest[end] != b';' {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(radix).unwrap_or_default();
    let number = rest[..end].iter().fold(0_u32, |number, byte| number.wrapping_mul(radix).wrapping_add(digit(byte)));
    let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((if number == 0 { String::new() } else { character.to_string() }, start + end + 1))
}

/// Case-insensitive prefix test.
fn starts_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests;
