//! The items of a GDAL_METADATA, found as GDAL's own XML reader (`CPLParseXMLString`) finds them.
//!
//! That reader takes much that is not XML: texts with bare `&`, unknown entities and control characters, attributes that are
//! repeated or not quoted, several roots, names that differ in case, bytes of any encoding. It refuses others: elements that are not
//! closed or closed by another name, attributes without a value. A document that it refuses has no items at all.
//!
//! ```text
//! bytes ── Tokens ──> tokens ── Items ──> Item of each <Item> in the first root that is called GDALMetadata
//! ```
//!
//! Both steps go over the document once: time and memory are in proportion to it, whatever it holds.

use super::number::is_space;

/// What GDAL reads of one `<Item>`: the first of each attribute, or of the elements in it that have an attribute's name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Item {
    pub(super) name: Option<Vec<u8>>,
    pub(super) sample: Option<Vec<u8>>,
    pub(super) role: Option<Vec<u8>>,
    pub(super) domain: Option<Vec<u8>>,
    /// Its text, where that is all that it holds.
    pub(super) text: Option<Vec<u8>>,
}

/// Elements inside one another, as GDAL allows them.
const MAX_DEPTH: usize = 10_000;

/// The element that holds the items.
const ROOT: &[u8] = b"GDALMetadata";

/// The attributes that are looked at, in the order of [`Item`]'s fields.
const KEYS: [&[u8]; 4] = [b"name", b"sample", b"role", b"domain"];

/// Calls `take` with the items of a document from first to last, as far as it can be read; None where it cannot be read to its
/// end, so that it has no items.
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
            // Attributes of an element end here; its content follows.
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

/// The tokens of a document.
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
    /// The name of an element, behind a slash where it ends one, or of an attribute.
    Name(&'a [u8]),
    /// A value in quotes, or text between tags.
    Text(Text<'a>),
    Comment(&'a [u8]),
    Doctype,
}

/// A text as it stands in the document.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Text<'a> {
    raw: &'a [u8],
    /// Whether `&` begins an entity, as everywhere but in CDATA.
    has_entities: bool,
}

impl Text<'_> {
    fn unescaped(self) -> Vec<u8> {
        if self.has_entities { unescaped(self.raw) } else { self.raw.to_vec() }
    }
}

/// The tokens of a document without NUL.
struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the next one is part of a tag.
    in_element: bool,
}

impl<'a> Tokens<'a> {
    /// The next token; None where a quote or a DOCTYPE is not closed.
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
                // A name begins with any character.
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

    /// The bytes from `start` on up to an end, which is skipped; all that are left where there is none.
    fn until(&mut self, start: usize, end: &[u8]) -> &'a [u8] {
        let rest = &self.rest()[start..];
        let length = rest.windows(end.len()).position(|window| window == end);
        self.at += start + length.map_or(rest.len(), |length| length + end.len());
        &rest[..length.unwrap_or(rest.len())]
    }

    /// Skips a DOCTYPE, whose declarations may hold `>`.
    fn doctype(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let (mut at, mut in_quotes) = (1, false);
        loop {
            match rest.get(at)? {
                b'"' => in_quotes = !in_quotes,
                b'>' if !in_quotes => break,
                // Declarations, which end with the first bracket.
                b'[' => at += 1 + rest.get(at + 1..)?.iter().position(|byte| *byte == b']')?,
                _ => {}
            }
            at += 1;
        }
        Some(self.skip(at + 1, Token::Doctype))
    }
}

/// A node inside an element that is no attribute.
enum Node<'a> {
    Text(Text<'a>),
    /// Elements by their names, and comments by their texts.
    Other(&'a [u8]),
}

/// Whether the root was found.
#[derive(PartialEq)]
enum Root {
    Awaited,
    Open,
    Closed,
}

/// Puts items together.
struct Items<'a, F> {
    /// Names of the elements that are open.
    open: Vec<&'a [u8]>,
    root: Root,
    item: Option<Building>,
    take: F,
}

/// An item whose element is open.
#[derive(Default)]
struct Building {
    /// Values of the [`KEYS`]; None where none was found, and inside where the first has no value.
    values: [Option<Option<Vec<u8>>>; 4],
    content: Content,
    /// The element in it that is open, and which of the keys it is.
    child: Option<(usize, Content)>,
}

/// The content of an element, besides its attributes.
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
    /// Takes what follows a `<`: the name of an element that begins, or the end of one.
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

    /// Takes an attribute, and gives the token after it.
    fn attribute(&mut self, name: &[u8], tokens: &mut Tokens<'a>) -> Option<Token<'a>> {
        let next = tokens.next()?;
        if next != Token::Equal {
            // A value alone in a processing instruction is text.
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

    /// Takes a text or a comment of the innermost element that is open, or an element below the items' own.
    fn node(&mut self, node: &Node<'_>) {
        match (self.open.len(), &mut self.item) {
            // The first node of the root's name is the root, and a comment has no items.
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

    /// Closes the innermost element; None where there is none.
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
    /// The key of this name, if it is the first of it.
    fn unseen(&self, name: &[u8]) -> Option<usize> {
        let key = KEYS.iter().position(|key| key.eq_ignore_ascii_case(name))?;
        self.values[key].is_none().then_some(key)
    }

    fn finish(self) -> Item {
        let [name, sample, role, domain] = self.values.map(Option::flatten);
        Item { name, sample, role, domain, text: self.content.text }
    }
}

/// A text whose entities are replaced, up to the first that is not known (`CPLUnescapeString`).
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

/// The character of `&#123;` or `&#x7b;`, empty for 0, and the length of that.
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

/// Whether bytes start with others, in any case.
fn starts_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests;
