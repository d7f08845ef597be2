//! Dump of all IFDs and tags of a file as text, for `cog_ifds`.
//!
//! Walks SubIFDs and formats values. Tolerates tags that [`HeaderDecoder`](crate::HeaderDecoder) rejects: a tag that
//! cannot be decoded has no value, because a dump is used to inspect broken files.

use std::collections::HashSet;
use std::fmt::Write;

use bytes::Bytes;

use super::decoder::DecodeResult;
use super::roles::{Role, role};
use crate::tiff::chain::Chain;
use crate::tiff::file::File;
use crate::tiff::ifd::{Entry, Ifd};
use crate::tiff::value::Value;
use crate::tiff::{Compression, FieldType, Tag};
use crate::{Error, Limits, Result};

/// Maximum number of values fetched and shown per tag, followed by `…` and the total count. Enough for any tag except
/// tile tables.
pub const MAX_NUMBERS_SHOWN: u64 = 64;

/// Maximum number of characters of a text fetched and shown: a screenful of GDAL_METADATA.
pub const MAX_TEXT_SHOWN: u64 = 4096;

/// Maximum number of bytes of an UNDEFINED value, or of a long BYTE value, fetched and shown as hex digits.
pub const MAX_BYTES_SHOWN: u64 = 32;

/// One IFD.
#[derive(Debug, Clone, PartialEq)]
pub struct IfdInfo {
    /// Position in file order: the main chain from 0, then SubIFDs, parents before children.
    pub index: u32,
    /// Index of the IFD whose SubIFDs tag leads here; None in the main chain.
    pub parent: Option<u32>,
    /// Byte offset of the IFD.
    pub offset: u64,
    /// Role of its image.
    pub role: Role,
    /// ImageWidth (256), if readable.
    pub image_width: Option<u64>,
    /// ImageLength (257), if readable.
    pub image_height: Option<u64>,
    /// TileWidth (322), if readable.
    pub tile_width: Option<u64>,
    /// TileLength (323), else RowsPerStrip (278), as stored, if readable.
    pub tile_height: Option<u64>,
    /// SamplesPerPixel (277), if readable.
    pub samples_per_pixel: Option<u64>,
    /// Compression (259), if readable; LERC without its second codec.
    pub compression: Option<Compression>,
    /// All entries, in file order.
    pub tags: Vec<TagInfo>,
}

/// One entry of an IFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagInfo {
    /// Tag code.
    pub code: u16,
    /// Name in the specification; None for unknown tags.
    pub name: Option<String>,
    /// Type of the values.
    pub field_type: FieldType,
    /// Count of the values.
    pub count: u64,
    /// The values as text: numbers separated by `, `, rationals as `1/2`, bytes as hex digits. Truncated at
    /// [`MAX_NUMBERS_SHOWN`], [`MAX_TEXT_SHOWN`] or [`MAX_BYTES_SHOWN`]. None if unreadable.
    pub value: Option<String>,
}

/// Decodes all IFDs of a file, including SubIFDs, from the bytes pushed to it.
///
/// Accepts untrusted bytes and is driven in the same way as [`HeaderDecoder`](crate::HeaderDecoder).
#[derive(Debug)]
pub struct IfdDecoder {
    file: File,
    chain: Chain,
    ifds: Vec<(Ifd, Option<u32>)>,
    /// Whether the main chain has been moved to `ifds`.
    is_main_read: bool,
    /// Number of entries of `ifds` whose SubIFDs are in `ifds` or `queue`.
    expanded: usize,
    /// Offset and parent of SubIFDs to read next.
    queue: Vec<(u64, u32)>,
    /// Offsets in `ifds` and `queue`.
    seen: HashSet<u64>,
}

impl IfdDecoder {
    /// Creates an empty decoder. If `file_size` (in bytes) is known, impossible offsets are detected early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self {
            file: File::new(limits, file_size),
            chain: Chain::default(),
            ifds: Vec::new(),
            is_main_read: false,
            expanded: 0,
            queue: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// Adds `bytes` found at `offset` of the file. Pushes may come in any order and size, and may overlap.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        self.file.push(offset, bytes);
    }

    /// Returns all IFDs, or every range known to be missing.
    ///
    /// # Errors
    ///
    /// The file header or the main chain is invalid, a limit is exceeded, or no bytes were pushed since the last
    /// `NeedsData`.
    pub fn try_decode(&mut self) -> Result<DecodeResult<Vec<IfdInfo>>> {
        if !self.is_main_read && self.chain.advance(&mut self.file)? {
            self.is_main_read = true;
            self.ifds = self.chain.ifds().iter().map(|ifd| (ifd.clone(), None)).collect();
            self.seen = self.ifds.iter().map(|(ifd, _)| ifd.offset).collect();
        }
        while self.is_main_read && (self.expanded < self.ifds.len() || !self.queue.is_empty()) {
            if !self.expand()? || !self.read_queue()? {
                break;
            }
        }
        let needs = self.file.needs()?;
        if !needs.is_empty() {
            return Ok(DecodeResult::NeedsData(needs));
        }
        let mut infos = Vec::with_capacity(self.ifds.len());
        let mut shown = 0;
        for (ifd, parent) in &self.ifds {
            infos.extend(info(&mut self.file, ifd, *parent, &mut shown)?);
        }
        let needs = self.file.needs()?;
        if !needs.is_empty() {
            return Ok(DecodeResult::NeedsData(needs));
        }
        Ok(DecodeResult::Data(infos))
    }

    /// Queues the SubIFDs of new IFDs; false if bytes are missing.
    fn expand(&mut self) -> Result<bool> {
        let max = self.file.limits().max_ifds;
        while let Some((ifd, _)) = self.ifds.get(self.expanded) {
            if let Some(entry) = ifd.entry(Tag::SUB_IFDS) {
                let offsets: Vec<u64> = match ifd.fetch(&mut self.file, entry, u64::from(max)) {
                    Ok(None) => return Ok(false),
                    Ok(Some(value)) => value.integers().unwrap_or_default(),
                    Err(_) => Vec::new(),
                };
                for offset in offsets {
                    if offset != 0 && self.seen.insert(offset) {
                        self.queue.push((offset, ifd.index));
                    }
                }
            }
            self.expanded += 1;
        }
        Ok(true)
    }

    /// Reads the queued SubIFDs and queues the IFDs chained to them; false if bytes are missing.
    fn read_queue(&mut self) -> Result<bool> {
        let Some(header) = self.ifds.first().map(|(ifd, _)| ifd.header) else {
            return Ok(true);
        };
        let max = u64::from(self.file.limits().max_ifds);
        let mut read = Vec::with_capacity(self.queue.len());
        let mut index = u32::try_from(self.ifds.len()).unwrap_or(u32::MAX);
        for (offset, parent) in &self.queue {
            if u64::from(index) >= max {
                return Err(Error::LimitExceeded {
                    at: self.ifds[0].0.place(Tag::SUB_IFDS),
                    limit: "count of IFDs",
                    asked: u64::from(index) + 1,
                    max,
                });
            }
            match Ifd::read(&mut self.file, header, index, *offset) {
                Ok(Some((ifd, next))) => {
                    read.push(Some((ifd, next, *parent)));
                    index += 1;
                }
                Ok(None) => read.push(None),
                // An invalid offset is skipped, so that the readable IFDs are still shown.
                Err(_) => {}
            }
        }
        if read.iter().any(Option::is_none) {
            return Ok(false);
        }
        self.queue.clear();
        for (ifd, next, parent) in read.into_iter().flatten() {
            if next != 0 && self.seen.insert(next) {
                self.queue.push((next, parent));
            }
            self.ifds.push((ifd, Some(parent)));
        }
        Ok(true)
    }
}

/// Formats one IFD; None if bytes are missing. `shown` counts the bytes shown so far.
fn info(file: &mut File, ifd: &Ifd, parent: Option<u32>, shown: &mut u64) -> Result<Option<IfdInfo>> {
    let Some(role) = role(file, ifd)? else {
        return Ok(None);
    };
    let max = file.held().saturating_mul(4).saturating_add(1 << 16);
    let mut is_complete = true;
    let mut tags = Vec::with_capacity(ifd.entries.len());
    for entry in &ifd.entries {
        let name = Tag::name(entry.tag);
        let value = match ifd.fetch(file, entry, shown_count(entry)) {
            Ok(None) => {
                is_complete = false;
                None
            }
            Ok(Some(value)) => {
                // Bounds the output when entries share the same value bytes.
                *shown += value.bytes().len() as u64;
                if *shown > max {
                    return Err(Error::LimitExceeded {
                        at: ifd.place(entry.tag),
                        limit: "length of values shared between tags",
                        asked: *shown,
                        max,
                    });
                }
                Some(format_value(&value, entry.count))
            }
            Err(_) => None,
        };
        tags.push(TagInfo { code: entry.tag.0, name, field_type: entry.field_type, count: entry.count, value });
    }
    if !is_complete {
        return Ok(None);
    }
    let mut integer = |tag: Tag| -> Option<u64> {
        let entry = ifd.entry(tag)?;
        let value = ifd.fetch(file, entry, 1).ok()??;
        value.integers().ok()?.first().copied()
    };
    Ok(Some(IfdInfo {
        index: ifd.index,
        parent,
        offset: ifd.offset,
        role,
        image_width: integer(Tag::IMAGE_WIDTH),
        image_height: integer(Tag::IMAGE_LENGTH),
        tile_width: integer(Tag::TILE_WIDTH),
        tile_height: integer(Tag::TILE_LENGTH).or_else(|| integer(Tag::ROWS_PER_STRIP)),
        samples_per_pixel: integer(Tag::SAMPLES_PER_PIXEL),
        compression: integer(Tag::COMPRESSION).and_then(|code| u16::try_from(code).ok()).map(Compression::from_code),
        tags,
    }))
}

/// Number of values of an entry to show.
fn shown_count(entry: &Entry) -> u64 {
    match entry.field_type {
        FieldType::ASCII => MAX_TEXT_SHOWN,
        FieldType::UNDEFINED => MAX_BYTES_SHOWN,
        FieldType::BYTE if entry.count > MAX_NUMBERS_SHOWN => MAX_BYTES_SHOWN,
        _ => MAX_NUMBERS_SHOWN,
    }
}

/// Formats a value; `count` is the number of values that the entry declares.
fn format_value(value: &Value, count: u64) -> String {
    let rest = if value.count < count { "…" } else { "" };
    match value.field_type {
        FieldType::ASCII => format!("{}{rest}", text(value.bytes())),
        FieldType::UNDEFINED => bytes(value, count),
        FieldType::BYTE if count > MAX_NUMBERS_SHOWN => bytes(value, count),
        _ => {
            let mut text = value.spelled_numbers().join(", ");
            if !rest.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(text, ", … ({count} values)");
            }
            text
        }
    }
}

/// Decodes text without trailing NULs. NULs between strings (TIFF 6.0, section 2) become newlines.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&bytes[..end]).replace('\0', "\n")
}

/// Formats bytes as hex digits, with the total count if truncated.
fn bytes(value: &Value, count: u64) -> String {
    let mut text = String::from("0x");
    for byte in value.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    if value.count < count {
        let _ = write!(text, "… ({count} bytes)");
    }
    text
}
