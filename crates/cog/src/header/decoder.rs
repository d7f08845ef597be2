//! Bytes in, header out: the loop between the decoder and whoever fetches.
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

/// An answer, or what is missing for one.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodeResult<T> {
    /// Byte ranges to push before the next try: sorted, not empty, disjoint, and all that can be known to be missing.
    NeedsData(Vec<Range<u64>>),
    /// The answer.
    Data(T),
}

/// Decodes a file's header from whatever bytes it is given.
///
/// Takes hostile bytes: it never panics or loops, and what it allocates is in proportion to the bytes pushed. The answer
/// does not depend on how bytes are cut into pushes, nor on their order.
#[derive(Debug)]
pub struct HeaderDecoder {
    file: File,
    chain: Chain,
    /// IFDs of the chain whose role is known.
    classified: usize,
    /// Those of them that are not pages, in chain order.
    kept: Vec<Kept>,
    /// Whether descriptive values of the image are gathered as well, see [`crate::InfoDecoder`].
    is_describing: bool,
}

/// An IFD that becomes part of the header.
#[derive(Debug)]
struct Kept {
    /// Position in the chain.
    ifd: usize,
    role: Role,
    /// Whether all its values are at hand.
    is_ready: bool,
}

impl HeaderDecoder {
    /// A decoder that has seen nothing; `file_size` in bytes, where known, catches impossible offsets early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        let file = File::new(limits, file_size);
        Self { file, chain: Chain::default(), classified: 0, kept: Vec::new(), is_describing: false }
    }

    /// As [`new`](Self::new); descriptive values are at hand with the header.
    pub(crate) fn describing(limits: Limits, file_size: Option<u64>) -> Self {
        Self { is_describing: true, ..Self::new(limits, file_size) }
    }

    /// The bytes at hand.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The IFDs of the main chain that became part of the header, in its order.
    pub(crate) fn images(&self) -> Vec<(Role, &Ifd)> {
        self.kept.iter().filter_map(|kept| Some((kept.role, self.chain.ifds().get(kept.ifd)?))).collect()
    }

    /// Hands over `bytes` that stand at `offset` of the file, in any order and of any size; overlaps are fine.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        self.file.push(offset, bytes);
    }

    /// The header, or the ranges that are missing for it: all that can be known so far, at once.
    ///
    /// A range may reach beyond the end of a file of unknown size: push what there is.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, see [`Error`]. A try that finds data missing, with nothing new pushed since the
    /// last such try, is [`Error::Malformed`]: the file ends too early.
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
        debug_assert!(chain_ended, "a chain that goes on has noted what it misses");
        self.assemble().map(DecodeResult::Data)
    }

    /// Finds the roles of the IFDs that are new in the chain, up to one whose role is still missing.
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

    /// Looks for all values that are needed, so that all missing ones are noted at once.
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

    /// The header, from IFDs whose values are all at hand.
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
                // A mask has one band, or one for each of the image's; a reduced image with other bands is a thumbnail.
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

/// Overviews that cannot be used are left out, as GDAL does: cameras and scanners store thumbnails so, in encodings of
/// their own and without tile tables. A mask that cannot be used is an error: without it, pixels would be wrong.
fn is_fatal(role: Role, error: &Error) -> bool {
    role != Role::Overview || matches!(error, Error::LimitExceeded { .. })
}

/// Whether all values that a role needs are at hand; notes those that are missing.
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
            // GDAL warns of a value that cannot be there, and goes on without it.
            Err(Error::Malformed { .. }) if entry.tag == Tag::GDAL_METADATA => true,
            required => required?,
        };
    }
    Ok(is_ready)
}

/// Whether all descriptive values that can be read are at hand; notes those that are missing.
fn require_description(file: &mut File, ifd: &Ifd) -> bool {
    let max = file.limits().max_value_bytes;
    let mut is_ready = true;
    for entry in ifd.entries.iter().filter(|entry| is_descriptive(entry.tag)) {
        if entry.length().is_some_and(|length| length <= max) {
            // A value beyond the end of the file is none.
            is_ready &= ifd.require(file, entry).unwrap_or(true);
        }
    }
    is_ready
}

/// Refuses values that many IFDs share: they would make memory grow without bytes to match. Those of distinct images have
/// next to nothing in common; twice the bytes at hand leave room for oddities.
fn refuse_shared_values<'a>(file: &File, ifds: impl Iterator<Item = &'a Ifd>) -> Result<()> {
    let mut total: u64 = 0;
    for ifd in ifds {
        for entry in ifd.entries.iter().filter(|entry| [Need::Table, Need::Layout].contains(&Need::of(entry.tag))) {
            total = total.saturating_add(entry.length().unwrap_or(0));
            if total > file.held().saturating_mul(2) {
                return Err(Error::Malformed {
                    at: entry.place(ifd.index),
                    what: "expected a value of this image's own, found one that other images share".to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Sorts by width, then height; equal ones stay in file order.
fn largest_first(levels: &mut [Level]) {
    levels.sort_by_key(|level| Reverse((level.image_width, level.image_height)));
}
