//! File header and image file directories (TIFF 6.0, section 2; BigTIFF design page).
//!
//! ```text
//! classic  II|MM  42  u32 first IFD          IFD  u16 count  12-byte entries  u32 next
//!                                            entry  u16 tag  u16 type  u32 count  4 bytes of value or its offset
//! BigTIFF  II|MM  43  8  0  u64 first IFD    IFD  u64 count  20-byte entries  u64 next
//!                                            entry  u16 tag  u16 type  u64 count  8 bytes of value or its offset
//! ```
//!
//! Bytes between the header and the first IFD are skipped, including GDAL's ghost area.

use super::file::{File, PREFETCH};
use super::{ByteOrder, FieldType, Tag};
use crate::{Error, FilePosition, Result};

/// The file header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileHeader {
    pub(crate) byte_order: ByteOrder,
    /// Whether the file is BigTIFF, with 8-byte offsets and counts.
    pub(crate) is_big: bool,
    pub(crate) first_ifd: u64,
}

impl FileHeader {
    /// Size of the BigTIFF header, the longer one.
    const MAX_LENGTH: u64 = 16;

    /// Reads the header; None if bytes are missing.
    pub(crate) fn read(file: &mut File) -> Result<Option<Self>> {
        let at = FilePosition::byte(0);
        let Some(bytes) = file.get_with_prefetch(0, 8, PREFETCH, at)? else {
            return Ok(None);
        };
        let mut fields = Fields::new(&bytes, ByteOrder::Little);
        let byte_order = match fields.array() {
            Some([b'I', b'I']) => ByteOrder::Little,
            Some([b'M', b'M']) => ByteOrder::Big,
            found => {
                return Err(Error::Malformed {
                    at,
                    what: format!("not a TIFF: expected II or MM, found {}", found.unwrap_or_default().escape_ascii()),
                });
            }
        };
        fields.byte_order = byte_order;
        match fields.u16() {
            Some(42) => {
                Ok(fields.u32().map(|first_ifd| Self { byte_order, is_big: false, first_ifd: u64::from(first_ifd) }))
            }
            Some(43) => {
                let Some(bytes) = file.get_with_prefetch(0, Self::MAX_LENGTH, PREFETCH, at)? else {
                    return Ok(None);
                };
                let mut fields = Fields::new(&bytes[4..], byte_order);
                match (fields.u16(), fields.u16()) {
                    (Some(8), Some(0)) => {
                        Ok(fields.u64().map(|first_ifd| Self { byte_order, is_big: true, first_ifd }))
                    }
                    (size, _) => Err(Error::Malformed {
                        at: FilePosition::byte(4),
                        what: format!("expected 8-byte offsets in a BigTIFF, found {}", size.unwrap_or_default()),
                    }),
                }
            }
            version => Err(Error::Malformed {
                at: FilePosition::byte(2),
                what: format!("not a TIFF: expected version 42 or 43, found {}", version.unwrap_or_default()),
            }),
        }
    }
}

/// An entry of an IFD. Its value may be anywhere in the file and of an unknown type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) tag: Tag,
    pub(crate) field_type: FieldType,
    pub(crate) count: u64,
    /// The last 4 or 8 bytes: the left-justified value or its offset.
    pub(crate) inline: [u8; 8],
    /// Byte offset of the entry.
    byte: u64,
}

/// An image file directory.
#[derive(Debug, Clone)]
pub(crate) struct Ifd {
    /// Index in file order, main chain first.
    pub(crate) index: u32,
    pub(crate) offset: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) header: FileHeader,
    /// Index in `entries` plus 1 of each [`Tag::slot`]; 0 if absent.
    positions: [u16; Tag::SLOTS],
}

impl Ifd {
    /// Reads the IFD at `offset` and the offset of the next one, 0 for none; None if bytes are missing.
    pub(crate) fn read(file: &mut File, header: FileHeader, index: u32, offset: u64) -> Result<Option<(Self, u64)>> {
        let at = FilePosition { ifd: Some(index), tag: None, byte: Some(offset) };
        let (count_size, entry_size, next_size) = if header.is_big { (8, 20, 8) } else { (2, 12, 4) };
        let Some(bytes) = file.get_with_prefetch(offset, count_size, PREFETCH, at)? else {
            return Ok(None);
        };
        let mut fields = Fields::new(&bytes, header.byte_order);
        let count = fields.offset_sized(header.is_big, true).unwrap_or(0);
        let max = file.limits().max_tags_per_ifd;
        if count > max {
            return Err(Error::LimitExceeded { at, limit: "count of tags", asked: count, max });
        }
        let length = count_size + count * entry_size;
        // Some files end with their last IFD, without an offset of the next: the chain ends there.
        let has_next = file.may_hold(offset, length + next_size);
        let length = if has_next { length + next_size } else { length };
        let Some(bytes) = file.get_with_prefetch(offset, length, PREFETCH, at)? else {
            return Ok(None);
        };
        let number_of = |bytes: &[u8]| Fields::new(bytes, header.byte_order).offset_sized(header.is_big, false);
        let (body, next) = bytes.split_at(bytes.len() - if has_next { index_of(next_size) } else { 0 });
        let next = if has_next { number_of(next).unwrap_or(0) } else { 0 };
        let body = &body[index_of(count_size)..];
        let mut entries: Vec<Entry> = Vec::with_capacity(index_of(count));
        let mut byte = offset + count_size;
        if header.is_big {
            for entry in body.as_chunks().0 {
                entries.push(Entry::parse_big(entry, header.byte_order, byte));
                byte += entry_size;
            }
        } else {
            for entry in body.as_chunks().0 {
                entries.push(Entry::parse_classic(entry, header.byte_order, byte));
                byte += entry_size;
            }
        }
        let mut positions = [0; Tag::SLOTS];
        for (position, entry) in (1..).zip(&entries) {
            // Like libtiff, uses the first entry of a repeated tag.
            if let Some(slot) = entry.tag.slot()
                && positions[slot] == 0
            {
                positions[slot] = position;
            }
        }
        let ifd = Self { index, offset, entries, header, positions };
        Ok(Some((ifd, next)))
    }

    /// The entry of a tag with a slot.
    #[inline]
    pub(crate) fn entry(&self, tag: Tag) -> Option<&Entry> {
        let position = usize::from(*self.positions.get(tag.slot()?)?);
        self.entries.get(position.checked_sub(1)?)
    }

    /// The position of a tag: that of its entry, or of the IFD if absent.
    pub(crate) fn place(&self, tag: Tag) -> FilePosition {
        FilePosition { ifd: Some(self.index), tag: Some(tag.0), byte: self.entry(tag).map(|entry| entry.byte) }
    }
}

impl Entry {
    #[inline]
    fn parse_classic(bytes: &[u8; 12], order: ByteOrder, byte: u64) -> Self {
        let [t0, t1, f0, f1, c0, c1, c2, c3, a, b, c, d] = *bytes;
        Self {
            tag: Tag(order.u16([t0, t1])),
            field_type: FieldType::from_code(order.u16([f0, f1])),
            count: u64::from(order.u32([c0, c1, c2, c3])),
            inline: [a, b, c, d, 0, 0, 0, 0],
            byte,
        }
    }

    #[inline]
    fn parse_big(bytes: &[u8; 20], order: ByteOrder, byte: u64) -> Self {
        let [t0, t1, f0, f1, c0, c1, c2, c3, c4, c5, c6, c7, a, b, c, d, e, f, g, h] = *bytes;
        Self {
            tag: Tag(order.u16([t0, t1])),
            field_type: FieldType::from_code(order.u16([f0, f1])),
            count: order.u64([c0, c1, c2, c3, c4, c5, c6, c7]),
            inline: [a, b, c, d, e, f, g, h],
            byte,
        }
    }

    /// Size of the value in bytes; None if the type is unknown or the size overflows.
    pub(crate) fn length(&self) -> Option<u64> {
        self.count.checked_mul(u64::from(self.field_type.size()?)).filter(|length| *length < i64::MAX.unsigned_abs())
    }

    /// Position of a value of `length` bytes; None if it is [`Entry::inline`].
    pub(crate) fn offset(&self, header: FileHeader, length: u64) -> Option<u64> {
        let [a, b, c, d, ..] = self.inline;
        match header.is_big {
            true => (length > 8).then(|| header.byte_order.u64(self.inline)),
            false => (length > 4).then(|| u64::from(header.byte_order.u32([a, b, c, d]))),
        }
    }

    /// Fast path for a single SHORT or LONG, which most values are.
    #[inline]
    pub(crate) fn inline_integer(&self, byte_order: ByteOrder) -> Option<u64> {
        let [a, b, c, d, ..] = self.inline;
        match (self.count, self.field_type) {
            (1, FieldType::SHORT) => Some(u64::from(byte_order.u16([a, b]))),
            (1, FieldType::LONG) => Some(u64::from(byte_order.u32([a, b, c, d]))),
            _ => None,
        }
    }

    /// The position of the entry, in the IFD of this index.
    pub(crate) fn place(&self, ifd: u32) -> FilePosition {
        FilePosition { ifd: Some(ifd), tag: Some(self.tag.0), byte: Some(self.byte) }
    }
}

/// Converts a size that is in memory or within the limit on tags.
fn index_of(size: u64) -> usize {
    usize::try_from(size).unwrap_or(0)
}

/// Reads numbers from the front of a slice; None beyond its end.
struct Fields<'a> {
    rest: &'a [u8],
    byte_order: ByteOrder,
}

impl<'a> Fields<'a> {
    fn new(rest: &'a [u8], byte_order: ByteOrder) -> Self {
        Self { rest, byte_order }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| self.byte_order.u16(bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| self.byte_order.u32(bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(|bytes| self.byte_order.u64(bytes))
    }

    /// Reads a number of 8 bytes in BigTIFF; in classic TIFF, of 2 for entry counts and of 4 otherwise.
    fn offset_sized(&mut self, is_big: bool, is_entry_count: bool) -> Option<u64> {
        match (is_big, is_entry_count) {
            (true, _) => self.u64(),
            (false, true) => self.u16().map(u64::from),
            (false, false) => self.u32().map(u64::from),
        }
    }
}
