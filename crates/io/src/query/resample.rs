//! Reads and resamples planned windows.
//!
//! ```text
//! Part ──┬── pixels of the source ───────────────────────────────────────────────── read ──> copied
//!        └── blocks of the grid ── source windows ── group within the memory limit ── read ──> resampled in parallel
//! ```
//!
//! Copied windows are read in one round, those of a group of blocks in another; each tile is decoded once for a round.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rasteret_cog::Window;
use rasteret_cog::pixel::{WindowBuffers, WindowWriter};
use rasteret_cog::warp::{Copied, SourcePixels, Warp, WarpBlock, WarpedBlock, clear_outside, fill_invalid};

use super::Reader;
use super::warp::PlannedWarp;
use super::window::{PlannedWindow, StartedWindows};
use crate::{Error, Result};

/// Blocks whose source positions are computed before they are read.
const BLOCKS_AT_ONCE: usize = 32;

/// Smallest side of a block of several sources.
const LEAST_BLOCK: u32 = 16;

/// Side of the blocks whose pixels, which take so many bytes each, fit into `room`.
pub(super) fn block_side(bytes_of_a_pixel: u64, room: u64) -> u32 {
    let mut side = Warp::BLOCK;
    while side > LEAST_BLOCK && (u64::from(side) * u64::from(side)).saturating_mul(bytes_of_a_pixel) > room {
        side /= 2;
    }
    side
}

/// A part of a planned window, which is written to buffers of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) warp: &'a PlannedWarp,
    /// Position in the grid.
    pub(super) window: Window,
}

/// A part whose pixels are those of its source.
struct CopiedPart {
    /// The position of the part.
    at: usize,
    window: PlannedWindow,
    /// Position in the grid.
    target: Window,
    /// Whether that is the whole part, so that pixels are read into its buffers.
    is_whole: bool,
}

/// Blocks that are read together.
#[derive(Default)]
struct Group {
    /// The part that each block belongs to.
    blocks: Vec<(usize, WarpBlock)>,
    bytes: u64,
}

/// The source windows of a group.
struct GroupWindows {
    windows: Vec<PlannedWindow>,
    pixels: Vec<SourcePixels>,
    /// The windows of each block.
    of_blocks: Vec<Range<usize>>,
}

impl Reader {
    /// Writes the pixels of resampled windows, in their order. False for a window whose file cannot be read and whose `on_error` allows
    /// that: the contents of its buffers are then undefined.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or the pixels of a block take more memory than there may be.
    pub fn fill_warps(&self, warps: &[&PlannedWarp], mut buffers: Vec<WindowBuffers<'_>>) -> Result<Vec<bool>> {
        let parts: Vec<Part<'_>> = warps.iter().map(|warp| Part { warp, window: warp.window }).collect();
        let is_read = self.fill_parts(&parts, &mut buffers)?;
        for (warp, output) in warps.iter().zip(&mut buffers) {
            if let Some(coverage) = &warp.coverage {
                clear_outside(warp.window, coverage, output.mask);
            }
            fill_invalid(warp.warp.fill(), output);
        }
        Ok(is_read)
    }

    /// Reads parts, each to a block of its own; also whether each of them was read. Without its file, where `on_error` allows that, a block
    /// has no valid pixels.
    pub(super) fn read_parts(&self, parts: &[Part<'_>]) -> Result<(Vec<WarpedBlock>, Vec<bool>)> {
        let memory = |part: &Part<'_>| {
            let pixels = usize::try_from(part.window.pixels()).unwrap_or(usize::MAX);
            let data = vec![0; pixels.saturating_mul(part.warp.data_type().size())];
            WarpedBlock { window: part.window, data, mask: vec![0; pixels] }
        };
        let mut blocks: Vec<WarpedBlock> = parts.iter().map(memory).collect();
        let buffers = blocks.iter_mut().map(|block| WindowBuffers { data: &mut block.data, mask: &mut block.mask });
        let are_read = self.fill_parts(parts, &mut buffers.collect::<Vec<_>>())?;
        for (block, _) in blocks.iter_mut().zip(&are_read).filter(|(_, is_read)| !**is_read) {
            block.mask.fill(0);
        }
        Ok((blocks, are_read))
    }

    /// Writes the pixels of parts, as of [`fill_warps`](Self::fill_warps), but for values of invalid pixels, and without regard to
    /// geometries.
    pub(super) fn fill_parts(&self, parts: &[Part<'_>], outputs: &mut [WindowBuffers<'_>]) -> Result<Vec<bool>> {
        let (copies, resampled) = self.plan_copies(parts)?;
        let mut copying = Some(self.start_windows(copies.iter().map(|copy| &copy.window)));
        outputs.iter_mut().for_each(|output| output.mask.fill(0));
        let mut is_read = vec![true; parts.len()];
        let blocks = resampled.into_iter().flat_map(|at| blocks_of(&parts[at]).map(move |block| (at, block)));
        let (mut blocks, mut pending) = (blocks.fuse(), VecDeque::new());
        loop {
            let group = self.next_group(parts, &mut blocks, &mut pending)?;
            let GroupWindows { windows, mut pixels, of_blocks } = self.windows_of(&group, parts)?;
            let reading = self.start_windows(windows.iter());
            if let Some(copying) = copying.take() {
                finish_copies(&copies, copying, parts, outputs, &mut is_read)?;
            }
            if group.blocks.is_empty() {
                return Ok(is_read);
            }
            let were_read = reading.fill(pixels.iter_mut().map(SourcePixels::buffers))?;
            for ((at, _), windows) in group.blocks.iter().zip(&of_blocks) {
                is_read[*at] &= were_read.get(windows.clone()).is_some_and(|read| read.iter().all(|read| *read));
            }
            self.resample(&group, &of_blocks, &pixels, parts, outputs)?;
        }
    }

    /// The parts that are copied, and the positions of those that are resampled.
    fn plan_copies(&self, parts: &[Part<'_>]) -> Result<(Vec<CopiedPart>, Vec<usize>)> {
        let (mut copies, mut resampled) = (Vec::new(), Vec::new());
        for (at, Part { warp, window }) in parts.iter().enumerate() {
            self.query().check()?;
            // Of a window around a geometry, only blocks with pixels inside are read.
            let copied = if warp.coverage.is_some() { Copied::No } else { warp.warp.copied(*window) };
            match copied {
                Copied::No => resampled.push(at),
                Copied::Outside => {}
                Copied::Part { source, target } => {
                    copies.push(CopiedPart { at, window: read_of(warp, source)?, target, is_whole: target == *window });
                }
            }
        }
        Ok((copies, resampled))
    }

    /// The next blocks whose source pixels fit into memory together, at least one; empty at the end.
    fn next_group(
        &self,
        parts: &[Part<'_>],
        blocks: &mut impl Iterator<Item = (usize, Window)>,
        pending: &mut VecDeque<(usize, WarpBlock)>,
    ) -> Result<Group> {
        let room = self.memory().shares(self.options()).in_flight;
        let mut group = Group::default();
        loop {
            while let Some((at, block)) = pending.pop_front() {
                let bytes = group.bytes.saturating_add(parts[at].warp.warp.source_bytes(&block));
                if bytes > room && !group.blocks.is_empty() {
                    pending.push_front((at, block));
                    return Ok(group);
                }
                group.bytes = bytes;
                group.blocks.push((at, block));
            }
            let some: Vec<Option<_>> = blocks.by_ref().take(BLOCKS_AT_ONCE).map(Some).collect();
            if some.is_empty() {
                return Ok(group);
            }
            let planned = self.of_rows(&some, |(at, block)| {
                let warp = parts[*at].warp;
                warp.warp.plan(*block).map_err(|source| warp.target.fault(source))
            })?;
            for ((at, _), planned) in some.into_iter().flatten().zip(planned) {
                let planned = planned.into_iter().flatten().filter(|block| !block.sources.is_empty());
                pending.extend(planned.map(|block| (at, block)));
            }
        }
    }

    /// The source windows of a group, with memory for their pixels.
    fn windows_of(&self, group: &Group, parts: &[Part<'_>]) -> Result<GroupWindows> {
        // The pixels, and the bytes of mode's shares.
        self.memory().check(group.bytes.saturating_mul(3), || "the source pixels of a block of the grid".to_owned())?;
        let (mut windows, mut pixels, mut of_blocks) = (Vec::new(), Vec::new(), Vec::new());
        for (at, block) in &group.blocks {
            let warp = parts[*at].warp;
            let start = windows.len();
            for source in &block.sources {
                let window = read_of(warp, *source)?;
                pixels.push(SourcePixels::new(window.profile()).map_err(|source| warp.target.fault(source))?);
                windows.push(window);
            }
            of_blocks.push(start..windows.len());
        }
        Ok(GroupWindows { windows, pixels, of_blocks })
    }

    /// Resamples the blocks of a group, several at a time.
    fn resample(
        &self,
        group: &Group,
        of_blocks: &[Range<usize>],
        pixels: &[SourcePixels],
        parts: &[Part<'_>],
        outputs: &mut [WindowBuffers<'_>],
    ) -> Result<()> {
        let outputs: Vec<Mutex<&mut WindowBuffers<'_>>> = outputs.iter_mut().map(Mutex::new).collect();
        let fault: OnceLock<Error> = OnceLock::new();
        self.for_each(group.blocks.len(), |number| {
            let (at, block) = &group.blocks[number];
            let Part { warp, window } = parts[*at];
            match warp.warp.resample(block, pixels.get(of_blocks[number].clone()).unwrap_or_default()) {
                Ok(warped) => {
                    let mut output = outputs[*at].lock().unwrap_or_else(PoisonError::into_inner);
                    warped.copy_to(window, &mut output);
                }
                // All blocks of a part have the same fault, if any.
                Err(source) => {
                    let _ = fault.set(warp.target.fault(source));
                }
            }
        })?;
        fault.into_inner().map_or(Ok(()), Err)
    }
}

/// The read of a window of the source.
fn read_of(warp: &PlannedWarp, source: Window) -> Result<PlannedWindow> {
    let writer = WindowWriter::of_window(&warp.target.band, source, warp.warp.window_options());
    let writer = writer.map_err(|source| warp.target.fault(source))?;
    Ok(PlannedWindow::new(Arc::clone(&warp.target), writer, warp.on_error))
}

/// The blocks of a part that have pixels inside the geometry.
fn blocks_of<'a>(part: &Part<'a>) -> impl Iterator<Item = Window> + use<'a> {
    let coverage = part.warp.coverage.as_ref();
    let is_wanted = move |block: &Window| coverage.is_none_or(|coverage| coverage.within(*block).next().is_some());
    Warp::blocks(part.window).filter(is_wanted)
}

/// Reads the copied parts.
fn finish_copies(
    copies: &[CopiedPart],
    copying: StartedWindows<'_>,
    parts: &[Part<'_>],
    outputs: &mut [WindowBuffers<'_>],
    is_read: &mut [bool],
) -> Result<()> {
    let lengths = |copy: &CopiedPart| match copy.is_whole {
        true => (0, 0),
        false => (copy.window.profile().data_len(), copy.window.profile().mask_len()),
    };
    let mut of_pieces: Vec<(Vec<u8>, Vec<u8>)> =
        copies.iter().map(lengths).map(|(data, mask)| (vec![0; data], vec![0; mask])).collect();
    let mut buffers = Vec::with_capacity(copies.len());
    let mut whole = outputs.iter_mut().enumerate();
    for (copy, (data, mask)) in copies.iter().zip(&mut of_pieces) {
        // Copies are in the order of the parts.
        match whole.find(|(at, _)| *at == copy.at).filter(|_| copy.is_whole) {
            Some((_, output)) => buffers.push(WindowBuffers { data: &mut *output.data, mask: &mut *output.mask }),
            None => buffers.push(WindowBuffers { data, mask }),
        }
    }
    let were_read = copying.fill(buffers.into_iter())?;
    for ((copy, (data, mask)), was_read) in copies.iter().zip(of_pieces).zip(were_read) {
        is_read[copy.at] &= was_read;
        if !copy.is_whole {
            WarpedBlock { window: copy.target, data, mask }.copy_to(parts[copy.at].window, &mut outputs[copy.at]);
        }
    }
    Ok(())
}
