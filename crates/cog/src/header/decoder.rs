//! Sans-I/O header decoder: bytes in, header or missing ranges out.
//!
//! ```text
//! push(0, first 32 KiB) ── try_decode ── Data(header)                     a normal COG
//!                              └──────── NeedsData([tables ..]) ── push ── try_decode ── Data(header)
//! ```

use std::cmp::Reverse;
use std::ops::Range;

use bytes::Bytes;

use super::cog_header::CogHeader;
use super::descriptive::is_descriptive;
use super::level::Level;
use super::level_reader::{Need, level};
use super::roles::{Role, role};
use crate::geo::Georeference;
use crate::tiff::chain::Chain;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;
use crate::tiff::{ExtraSample, Tag};
use crate::{Error, FilePosition, Limits, Result};

/// Result of a decoding attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodeResult<T> {
    /// Byte ranges to push before the next attempt: sorted, non-empty, disjoint, and as many as are known so far.
    NeedsData(Vec<Range<u64>>),
    /// The decoded value.
    Data(T),
}

/// Decodes the header of a file from the bytes pushed to it.
///
/// Accepts untrusted bytes: it never panics or loops, and allocates in proportion to the bytes pushed. The result does
/// not depend on the order or the size of pushes.
#[derive(Debug)]
pub struct HeaderDecoder {
    file: File,
    chain: Chain,
    /// Number of IFDs of the chain whose role is known.
    classified: usize,
    /// Those IFDs that are not pages, in chain order.
    kept: Vec<Kept>,
    /// Whether to collect the descriptive values of the image too, see [`crate::InfoDecoder`].
    is_describing: bool,
}

/// An IFD that is part of the header.
#[derive(Debug)]
struct Kept {
    /// Position in the chain.
    ifd: usize,
    role: Role,
    /// Whether all its values have been pushed.
    is_ready: bool,
}

impl HeaderDecoder {
    /// Creates an empty decoder. If `file_size` (in bytes) is known, impossible offsets are detected early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        let file = File::new(limits, file_size);
        Self { file, chain: Chain::default(), classified: 0, kept: Vec::new(), is_describing: false }
    }

    /// Like [`new`](Self::new), but also collects descriptive values.
    pub(crate) fn describing(limits: Limits, file_size: Option<u64>) -> Self {
        Self { is_describing: true, ..Self::new(limits, file_size) }
    }

    /// The bytes pushed so far.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The IFDs of the main chain that are part of the header, in chain order.
    pub(crate) fn images(&self) -> Vec<(Role, &Ifd)> {
        self.kept.iter().filter_map(|kept| Some((kept.role, self.chain.ifds().get(kept.ifd)?))).collect()
    }

    /// Adds `bytes` found at `offset` of the file. Pushes may come in any order and size, and may overlap.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        self.file.push(offset, bytes);
    }

    /// Returns the header, or every range known to be missing.
    ///
    /// If the file size is unknown, a range may extend beyond the end of the file; push the bytes that exist.
    ///
    /// # Errors
    ///
    /// The fault of the file, see [`Error`]. Returns [`Error::Malformed`] if data is missing and nothing was pushed
    /// since the last `NeedsData`: the file is truncated.
    pub fn try_decode(&mut self) -> Result<DecodeResult<CogHeader>> {
        let chain_ended = self.chain.advance(&mut self.file)?;
        self.classify()?;
        let mut kept = std::mem::take(&mut self.kept);
        let gathered = self.gather(&mut kept);
        self.kept = kept;
        gathered?;
        let needs = self.file.needs()?;
        if !needs.is_empty() {
            return Ok(DecodeResult::NeedsData(needs));
        }
        debug_assert!(chain_ended, "an incomplete chain has recorded the missing ranges");
        self.assemble().map(DecodeResult::Data)
    }

    /// Determines the roles of new IFDs of the chain, up to the first whose role needs more bytes.
    fn classify(&mut self) -> Result<()> {
        for ifd in &self.chain.ifds()[self.classified..] {
            let Some(role) = role(&mut self.file, ifd)? else {
                return Ok(());
            };
            if role != Role::Page {
                let max = self.file.limits().max_levels;
                if self.kept.len() > usize::try_from(max).unwrap_or(usize::MAX) {
                    return Err(Error::LimitExceeded {
                        at: ifd.place(Tag::NEW_SUBFILE_TYPE),
                        limit: "count of overviews and masks",
                        asked: u64::from(max) + 1,
                        max: u64::from(max),
                    });
                }
                self.kept.push(Kept { ifd: self.classified, role, is_ready: false });
            }
            self.classified += 1;
        }
        Ok(())
    }

    /// Looks up all needed values, so that all missing ranges are reported at once.
    fn gather(&mut self, kept: &mut Vec<Kept>) -> Result<()> {
        let ifds = self.chain.ifds();
        let mut fatal = None;
        kept.retain_mut(|kept| {
            if kept.is_ready || fatal.is_some() {
                return true;
            }
            match require_values(&mut self.file, &ifds[kept.ifd], kept.role) {
                Ok(is_ready) if self.is_describing && kept.role == Role::Image => {
                    kept.is_ready = require_description(&mut self.file, &ifds[kept.ifd]) && is_ready;
                }
                Ok(is_ready) => kept.is_ready = is_ready,
                Err(error) if is_fatal(kept.role, &error) => fatal = Some(error),
                Err(_) => return false,
            }
            true
        });
        fatal.map_or(Ok(()), Err)
    }

    /// Builds the header once all values are available.
    fn assemble(&self) -> Result<CogHeader> {
        let ifds = self.chain.ifds();
        let file = &self.file;
        refuse_shared_values(file, self.kept.iter().map(|kept| &ifds[kept.ifd]))?;
        let Some(first) = self.kept.first().map(|kept| &ifds[kept.ifd]) else {
            return Err(Error::Malformed { at: FilePosition::byte(4), what: "expected an IFD, found none".to_owned() });
        };
        let image = level(file, first)?;
        let samples = image.encoding.samples_per_pixel;
        let mut overviews = Vec::new();
        let mut masks = Vec::new();
        for kept in &self.kept[1..] {
            let level = match level(file, &ifds[kept.ifd]) {
                Ok(level) => level,
                Err(error) if is_fatal(kept.role, &error) => return Err(error),
                Err(_) => continue,
            };
            let bands = level.encoding.samples_per_pixel;
            match kept.role {
                // A mask has one band, or as many as the image; a reduced image with another number of bands is a
                // thumbnail.
                Role::Mask if bands == 1 || bands == samples => masks.push(level),
                Role::Overview if bands == samples => overviews.push(level),
                _ => {}
            }
        }
        largest_first(&mut overviews);
        largest_first(&mut masks);
        let extra_samples = first.value(file, Tag::EXTRA_SAMPLES)?.map(|value| value.integers()).transpose()?;
        let extra_samples = extra_samples.map(|codes| codes.into_iter().map(ExtraSample::from_code).collect());
        let georeference = Georeference::read(file, first, &image.encoding)?;
        Ok(CogHeader {
            byte_order: first.header.byte_order,
            image,
            overviews,
            masks,
            band_index: None,
            extra_samples,
            transform: georeference.transform,
            pixel_scale: georeference.pixel_scale,
            tiepoint: georeference.tiepoint,
            crs: georeference.crs,
            nodata: georeference.nodata,
            nodata_text: georeference.nodata_text,
            nodata_values: georeference.nodata_values,
            scale: georeference.scale,
            offset: georeference.offset,
        })
    }
}

/// Unusable overviews are skipped, as in GDAL: cameras and scanners store thumbnails with encodings of their own and
/// without tile tables. An unusable mask is an error, because pixels would be wrong without it.
fn is_fatal(role: Role, error: &Error) -> bool {
    role != Role::Overview || matches!(error, Error::LimitExceeded { .. })
}

/// Whether all values needed for a role are available; records missing ranges.
fn require_values(file: &mut File, ifd: &Ifd, role: Role) -> Result<bool> {
    let limits = *file.limits();
    let mut is_ready = true;
    for entry in &ifd.entries {
        let (limit, asked, max) = match Need::of(entry.tag) {
            Need::Nothing => continue,
            Need::Image if role != Role::Image => continue,
            Need::Table => ("count of tiles", entry.count, limits.max_tiles),
            Need::Layout | Need::Image => ("length in bytes", entry.length().unwrap_or(0), limits.max_value_bytes),
        };
        if asked > max {
            return Err(Error::LimitExceeded { at: entry.place(ifd.index), limit, asked, max });
        }
        is_ready &= match ifd.require(file, entry) {
            // GDAL warns about an unreadable GDAL_METADATA and ignores it.
            Err(Error::Malformed { .. }) if entry.tag == Tag::GDAL_METADATA => true,
            required => required?,
        };
    }
    Ok(is_ready)
}

/// Whether all readable descriptive values are available; records missing ranges.
fn require_description(file: &mut File, ifd: &Ifd) -> bool {
    let max = file.limits().max_value_bytes;
    let mut is_ready = true;
    for entry in ifd.entries.iter().filter(|entry| is_descriptive(entry.tag)) {
        if entry.length().is_some_and(|length| length <= max) {
            // A value beyond the end of the file is ignored.
            is_ready &= ifd.require(file, entry).unwrap_or(true);
        }
    }
    is_ready
}

/// Rejects values shared by many IFDs, which would let memory grow out of proportion to the bytes. Distinct images
/// share almost nothing; a factor of two leaves room for oddities.
fn refuse_shared_values<'a>(file: &File, ifds: impl Iterator<Item = &'a Ifd>) -> Result<()> {
    let mut total: u64 = 0;
    for ifd in ifds {
        for entry in ifd.entries.iter().filter(|entry| [Need::Table, Need::Layout].contains(&Need::of(entry.tag))) {
            total = total.saturating_add(entry.length().unwrap_or(0));
            if total > file.held().saturating_mul(2) {
                return Err(Error::Malformed {
                    at: entry.place(ifd.index),
                    what: "expected values of a single image, found values shared by several images".to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Sorts by width, then height, descending; images of equal size stay in file order.
fn largest_first(levels: &mut [Level]) {
    levels.sort_by_key(|level| Reverse((level.image_width, level.image_height)));
}
