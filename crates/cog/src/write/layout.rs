//! The head of a COG: header, ghost area and IFDs, with the offsets of the tiles behind it.

use super::geo_tags::{TransformTags, gdal_metadata, geo_keys, nodata_text, transform_tags};
use super::levels::levels;
use super::options::invalid;
use super::{BigTiff, CogOptions, CogProfile, LevelSize};
use crate::geo::GeoKeyTags;
use crate::tiff::{FieldType, Photometric, Predictor, SampleFormat, Tag};
use crate::{Limits, Result};

/// Bytes before and after a tile: its size, and its last four bytes again.
const LEADER: u64 = 4;
const TRAILER: u64 = 4;

/// The lines of GDAL's ghost area, which describe how tiles lie in the file. The blank is room for YES, which a writer that
/// breaks the layout puts there.
const GHOST: &str = "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n\
    BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n ";
const GHOST_MASK: &str = "MASK_INTERLEAVED_WITH_IMAGERY=YES\n";

/// Sizes of an encoded tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodedTile {
    /// Bytes of the samples.
    pub image: u32,
    /// Bytes of the mask; 0 without one.
    pub mask: u32,
}

/// The positions of all parts of a COG.
#[derive(Debug)]
pub struct CogLayout {
    profile: CogProfile,
    options: CogOptions,
    levels: Vec<LevelSize>,
    predictor: Predictor,
    geo_keys: Option<GeoKeyTags>,
}

/// An entry of an IFD.
struct Entry {
    tag: Tag,
    field_type: FieldType,
    count: u64,
    value: Vec<u8>,
}

/// Writes numbers as a TIFF of one of the two kinds has them.
#[derive(Clone, Copy)]
struct Form {
    is_big: bool,
}

impl CogLayout {
    /// Bytes before and after an encoded tile.
    pub const FRAME: u64 = LEADER + TRAILER;

    /// The layout of a raster.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for properties and options that cannot be written.
    pub fn new(profile: CogProfile, options: CogOptions) -> Result<Self> {
        profile.check()?;
        options.check()?;
        let levels = levels(profile.width, profile.height, &options);
        let (tiles, max) = (levels.first().map_or(0, LevelSize::tiles), Limits::default().max_tiles);
        if tiles > max {
            return invalid(format!("expected at most {max} tiles, found {tiles}: use a larger block size"));
        }
        Ok(Self {
            levels,
            predictor: options.predictor_for(profile.dtype)?,
            geo_keys: geo_keys(&profile)?,
            profile,
            options,
        })
    }

    /// The full resolution and its overviews, largest first.
    #[must_use]
    pub fn levels(&self) -> &[LevelSize] {
        &self.levels
    }

    /// The head of the file, which the tiles follow: levels in reverse, the tiles of each row by row, and each as
    /// [`leader and trailer`](Self::frame) have it, its mask after its samples.
    ///
    /// `tiles` has the sizes of the tiles of each level.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a file above 4 GiB that must not be a BigTIFF.
    pub fn head(&self, tiles: &[Vec<EncodedTile>]) -> Result<Vec<u8>> {
        let body: u64 = tiles.iter().flatten().map(|tile| framed(tile.image) + framed(tile.mask)).sum();
        let classic = self.head_of(Form { is_big: false }, tiles);
        let length = u64::try_from(classic.len()).unwrap_or(u64::MAX) + body;
        let is_large = length > u32::MAX.into();
        match self.options.big_tiff {
            BigTiff::No if is_large => {
                invalid(format!("expected at most {} bytes without BigTIFF, found {length}", u32::MAX))
            }
            BigTiff::Yes => Ok(self.head_of(Form { is_big: true }, tiles)),
            BigTiff::Auto if is_large => Ok(self.head_of(Form { is_big: true }, tiles)),
            BigTiff::Auto | BigTiff::No => Ok(classic),
        }
    }

    /// The bytes before and after an encoded tile.
    #[must_use]
    pub fn frame(encoded: &[u8]) -> ([u8; 4], [u8; 4]) {
        let size = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        (size.to_le_bytes(), encoded.last_chunk().copied().unwrap_or_default())
    }

    fn head_of(&self, form: Form, tiles: &[Vec<EncodedTile>]) -> Vec<u8> {
        // Lengths do not depend on the offsets.
        let length = self.bytes(form, tiles, 0).len();
        self.bytes(form, tiles, u64::try_from(length).unwrap_or(u64::MAX))
    }

    /// The head, for tiles that begin at `start`.
    fn bytes(&self, form: Form, tiles: &[Vec<EncodedTile>], start: u64) -> Vec<u8> {
        let mut ghost = GHOST.to_owned();
        if self.profile.has_mask {
            ghost += GHOST_MASK;
        }
        let ghost = format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{ghost}", ghost.len());
        let header = if form.is_big { 16 } else { 8 };
        let first = even(header + ghost.len());
        let mut bytes = form.header(first);
        bytes.extend_from_slice(ghost.as_bytes());
        bytes.resize(first, 0);
        let offsets = self.offsets(tiles, start);
        let mut ifds: Vec<_> = Vec::new();
        for is_mask in [false, true] {
            for (level, offsets) in offsets.iter().enumerate() {
                if is_mask && !self.profile.has_mask {
                    continue;
                }
                let pick = |(image, mask): &(u64, u64)| if is_mask { *mask } else { *image };
                let size = |tile: &EncodedTile| if is_mask { tile.mask } else { tile.image };
                let offsets: Vec<_> = offsets.iter().map(pick).collect();
                let sizes: Vec<_> = tiles.get(level).into_iter().flatten().map(size).collect();
                // As GDAL has it: the image, its mask, overviews, their masks.
                ifds.push((level > 0, self.entries(form, level, is_mask, &offsets, &sizes)));
            }
        }
        ifds.sort_by_key(|(is_overview, _)| *is_overview);
        let count = ifds.len();
        for (index, (_, entries)) in ifds.into_iter().enumerate() {
            form.append(&mut bytes, entries, index + 1 == count);
        }
        bytes
    }

    /// Offsets of the samples and masks of the tiles of each level.
    fn offsets(&self, tiles: &[Vec<EncodedTile>], start: u64) -> Vec<Vec<(u64, u64)>> {
        let mut next = start;
        let mut place = |size: u32| {
            let at = next + LEADER;
            next += framed(size);
            at
        };
        let mut offsets: Vec<Vec<_>> = tiles
            .iter()
            .rev()
            .map(|tiles| tiles.iter().map(|tile| (place(tile.image), place(tile.mask))).collect())
            .collect();
        offsets.reverse();
        offsets
    }

    fn entries(&self, form: Form, level: usize, is_mask: bool, offsets: &[u64], sizes: &[u32]) -> Vec<Entry> {
        let Some(size) = self.levels.get(level) else { return Vec::new() };
        let profile = &self.profile;
        let bands = if is_mask { 1 } else { profile.bands };
        let per_band = |value: u16| Entry::shorts(Tag::BITS_PER_SAMPLE, vec![value; bands.into()]);
        let bits = u16::try_from(8 * profile.dtype.size()).unwrap_or(u16::MAX);
        let format = if is_mask { SampleFormat::Uint } else { SampleFormat::of(profile.dtype) };
        let compression = if is_mask { crate::tiff::Compression::Deflate } else { self.options.compression };
        let photometric = if is_mask { Photometric::TransparencyMask } else { Photometric::BlackIsZero };
        let mut entries = vec![
            Entry::number(Tag::IMAGE_WIDTH, size.width),
            Entry::number(Tag::IMAGE_LENGTH, size.height),
            per_band(if is_mask { 1 } else { bits }),
            Entry::shorts(Tag::COMPRESSION, vec![compression.code()]),
            Entry::shorts(Tag::PHOTOMETRIC_INTERPRETATION, vec![photometric.code()]),
            Entry::shorts(Tag::SAMPLES_PER_PIXEL, vec![bands]),
            Entry::shorts(Tag::PLANAR_CONFIGURATION, vec![1]),
            Entry::number(Tag::TILE_WIDTH, self.options.block_size),
            Entry::number(Tag::TILE_LENGTH, self.options.block_size),
            form.offsets(Tag::TILE_OFFSETS, offsets),
            Entry::longs(Tag::TILE_BYTE_COUNTS, sizes),
            Entry { tag: Tag::SAMPLE_FORMAT, ..Entry::shorts(Tag::SAMPLE_FORMAT, vec![format.code(); bands.into()]) },
        ];
        let subfile = u32::from(level > 0) | if is_mask { 4 } else { 0 };
        if subfile != 0 {
            entries.push(Entry::longs(Tag::NEW_SUBFILE_TYPE, &[subfile]));
        }
        if !is_mask && self.predictor != Predictor::None {
            entries.push(Entry::shorts(Tag::PREDICTOR, vec![self.predictor.code()]));
        }
        if bands > 1 {
            // Unspecified data.
            entries.push(Entry::shorts(Tag::EXTRA_SAMPLES, vec![0; usize::from(bands) - 1]));
        }
        if let Some(nodata) = profile.nodata.filter(|_| !is_mask) {
            entries.push(Entry::ascii(Tag::GDAL_NODATA, &nodata_text(nodata, profile.dtype)));
        }
        if level == 0 && !is_mask {
            entries.extend(self.description());
        }
        entries.sort_by_key(|entry| entry.tag);
        entries
    }

    /// Georeferencing and metadata, of the full resolution only.
    fn description(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        match self.profile.transform.as_ref().map(transform_tags) {
            Some(TransformTags::ScaleAndTiepoint(scale, tiepoint)) => {
                entries.push(Entry::doubles(Tag::MODEL_PIXEL_SCALE, &scale));
                entries.push(Entry::doubles(Tag::MODEL_TIEPOINT, &tiepoint));
            }
            Some(TransformTags::Matrix(matrix)) => entries.push(Entry::doubles(Tag::MODEL_TRANSFORMATION, &matrix)),
            None => {}
        }
        if let Some(GeoKeyTags { directory, doubles, ascii }) = &self.geo_keys {
            entries.push(Entry::shorts(Tag::GEO_KEY_DIRECTORY, directory.clone()));
            if !doubles.is_empty() {
                entries.push(Entry::doubles(Tag::GEO_DOUBLE_PARAMS, doubles));
            }
            if !ascii.is_empty() {
                entries.push(Entry::ascii(Tag::GEO_ASCII_PARAMS, ascii));
            }
        }
        entries.extend(gdal_metadata(&self.profile).map(|text| Entry::ascii(Tag::GDAL_METADATA, &text)));
        entries
    }
}

/// Bytes of an encoded tile in the file; none for a mask that is not there.
fn framed(size: u32) -> u64 {
    if size == 0 { 0 } else { u64::from(size) + CogLayout::FRAME }
}

fn even(length: usize) -> usize {
    length.next_multiple_of(2)
}

impl Entry {
    fn new<const BYTES: usize>(tag: Tag, field_type: FieldType, values: impl IntoIterator<Item = [u8; BYTES]>) -> Self {
        let value: Vec<u8> = values.into_iter().flatten().collect();
        Self { tag, field_type, count: u64::try_from(value.len() / BYTES).unwrap_or(u64::MAX), value }
    }

    fn shorts(tag: Tag, values: Vec<u16>) -> Self {
        Self::new(tag, FieldType::SHORT, values.into_iter().map(u16::to_le_bytes))
    }

    fn longs(tag: Tag, values: &[u32]) -> Self {
        Self::new(tag, FieldType::LONG, values.iter().map(|value| value.to_le_bytes()))
    }

    fn doubles(tag: Tag, values: &[f64]) -> Self {
        Self::new(tag, FieldType::DOUBLE, values.iter().map(|value| value.to_le_bytes()))
    }

    /// A SHORT if it fits, else a LONG.
    fn number(tag: Tag, value: u32) -> Self {
        u16::try_from(value).map_or_else(|_| Self::longs(tag, &[value]), |value| Self::shorts(tag, vec![value]))
    }

    fn ascii(tag: Tag, text: &str) -> Self {
        Self::new(tag, FieldType::ASCII, text.bytes().chain([0]).map(|byte| [byte]))
    }
}

impl Form {
    fn header(self, first: usize) -> Vec<u8> {
        let first = u64::try_from(first).unwrap_or(u64::MAX);
        match self.is_big {
            true => [b"II\x2B\0\x08\0\0\0".as_slice(), &first.to_le_bytes()].concat(),
            false => [b"II\x2A\0".as_slice(), &self.offset(first)].concat(),
        }
    }

    /// An offset; one that a classic TIFF cannot hold is not written.
    fn offset(self, offset: u64) -> Vec<u8> {
        match self.is_big {
            true => offset.to_le_bytes().to_vec(),
            false => u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes().to_vec(),
        }
    }

    fn offsets(self, tag: Tag, offsets: &[u64]) -> Entry {
        let field_type = if self.is_big { FieldType::LONG8 } else { FieldType::LONG };
        let value = offsets.iter().flat_map(|offset| self.offset(*offset)).collect();
        Entry { tag, field_type, count: u64::try_from(offsets.len()).unwrap_or(u64::MAX), value }
    }

    /// Appends an IFD, with the values that do not fit into its entries behind it.
    fn append(self, bytes: &mut Vec<u8>, entries: Vec<Entry>, is_last: bool) {
        let (count, inline, word) = if self.is_big { (8, 8, 8) } else { (2, 4, 4) };
        let entry_bytes = 4 + 2 * word;
        let mut values = Vec::new();
        let values_at = bytes.len() + count + entries.len() * entry_bytes + word;
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&number(entries.len()).to_le_bytes()[..count]);
        for entry in entries {
            bytes.extend_from_slice(&entry.tag.0.to_le_bytes());
            bytes.extend_from_slice(&entry.field_type.code().to_le_bytes());
            bytes.extend_from_slice(&entry.count.to_le_bytes()[..word]);
            if entry.value.len() <= inline {
                let end = bytes.len() + inline;
                bytes.extend_from_slice(&entry.value);
                bytes.resize(end, 0);
            } else {
                bytes.extend(self.offset(number(values_at + values.len())));
                values.extend_from_slice(&entry.value);
                values.resize(even(values.len()), 0);
            }
        }
        let next = if is_last { 0 } else { number(values_at + values.len()) };
        bytes.extend(self.offset(next));
        bytes.extend_from_slice(&values);
    }
}
