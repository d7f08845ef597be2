//! Windows of pixels, for `cog_read`.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::CogHeader;
use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowPart, WindowProfile, WindowWriter};

use super::Reader;
use super::consumer::{PendingRead, batches};
use super::{OrNull, ResolvedRead, Target};
use crate::OnError;
use crate::{Keep, Result};

/// A window that is about to be read.
#[derive(Debug)]
pub struct PlannedWindow {
    target: Arc<Target>,
    consumer: WindowWriter,
    on_error: OnError,
}

/// Windows whose tiles are being fetched.
pub struct StartedWindows<'a> {
    reader: Reader,
    windows: Vec<&'a PlannedWindow>,
    keep: Keep,
    /// For each batch, the windows and their tiles. Those of the first batch are being fetched.
    batches: Vec<Vec<(usize, Range<usize>)>>,
    first: PendingRead,
}

impl PlannedWindow {
    pub(super) fn new(target: Arc<Target>, consumer: WindowWriter, on_error: OnError) -> Self {
        Self { target, consumer, on_error }
    }

    /// The properties that are known before pixels are read.
    pub fn profile(&self) -> &WindowProfile {
        self.consumer.profile()
    }

    /// The header of the file.
    pub fn header(&self) -> &CogHeader {
        self.target.file.header()
    }
}

impl Reader {
    /// The windows of rows; None for None, if the geometry lies outside the image, and if the file cannot be read and `on_error`
    /// allows that. Makes no request.
    ///
    /// # Errors
    ///
    /// If a geometry or its CRS is wrong, or a window is too large to be held.
    pub fn plan_windows(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, WindowOptions)>],
    ) -> Result<Vec<Option<PlannedWindow>>> {
        let consumer = |resolved: &ResolvedRead<'_>, options: &WindowOptions| {
            let pixels = resolved.pixels(self)?;
            let consumer =
                WindowWriter::masked(&resolved.target.band, pixels.as_ref(), *options, self.memory().of_coverage());
            consumer.map_err(|source| resolved.target.fault(source))
        };
        let planned = self.of_rows(resolved, |(resolved, options)| {
            let on_error = resolved.request.on_error;
            let consumer = consumer(resolved, options).or_null(on_error)?.flatten();
            Ok(consumer.map(|consumer| PlannedWindow { target: resolved.target.clone(), consumer, on_error }))
        })?;
        let planned: Vec<_> = planned.into_iter().map(Option::flatten).collect();
        let bytes = planned.iter().flatten().map(|window| window.profile().total_len()).fold(0, u64::saturating_add);
        // DuckDB copies the results of constant calls and the values that functions take from a STRUCT.
        self.memory().check(bytes.saturating_mul(2), || {
            format!("the windows of {} rows, which DuckDB may copy,", planned.iter().flatten().count())
        })?;
        Ok(planned)
    }

    /// Asks for the bytes of windows, which come while the caller makes room for the pixels.
    pub fn start_windows<'a>(&self, windows: impl Iterator<Item = &'a PlannedWindow>) -> StartedWindows<'a> {
        let windows: Vec<_> = windows.collect();
        // Tiles of whole images are used once; those of windows may be needed by other rows.
        let is_scan = windows.iter().all(|window| window.consumer.is_whole());
        let keep = if is_scan { Keep::Nothing } else { Keep::Tiles };
        let batches = batches(windows.iter().map(|window| window.consumer.tiles().len()));
        let first = pending_read(self, &windows, batches.first().map_or(&[], Vec::as_slice), keep);
        first.start();
        StartedWindows { reader: self.clone(), windows, keep, batches, first }
    }
}

/// The tiles of a batch.
fn pending_read(
    reader: &Reader,
    windows: &[&PlannedWindow],
    batch: &[(usize, Range<usize>)],
    keep: Keep,
) -> PendingRead {
    let reads = batch.iter().map(|(at, range)| {
        let window = windows[*at];
        (&window.target, window.on_error, &window.consumer.tiles()[range.clone()])
    });
    reader.pending_read(reads, keep)
}

impl StartedWindows<'_> {
    /// Writes the pixels of the windows, in their order, into zeroed memory. False for a window whose file cannot be read and whose
    /// `on_error` allows that: what its buffers hold is of no use.
    ///
    /// # Errors
    ///
    /// If a file cannot be read; what the buffers hold is then of no use.
    pub fn fill<'b>(self, buffers: impl Iterator<Item = WindowBuffers<'b>>) -> Result<Vec<bool>> {
        let Self { reader, windows, keep, batches, first } = self;
        let parts: Vec<Vec<Mutex<WindowPart<'_>>>> = windows
            .iter()
            .zip(buffers)
            .map(|(window, buffers)| window.consumer.parts(buffers).into_iter().map(Mutex::new).collect())
            .collect();
        let mut is_read = vec![true; windows.len()];
        let mut first = Some(first);
        for batch in batches {
            let reading = first.take().unwrap_or_else(|| pending_read(&reader, &windows, &batch, keep));
            let read = reading.finish(|at, tile, block| {
                let (window, range) = &batch[at];
                if let Some(part) = parts.get(*window).and_then(|parts| parts.get(range.start + tile)) {
                    windows[*window].consumer.consume(block, &mut part.lock().unwrap_or_else(PoisonError::into_inner));
                }
                Ok(())
            })?;
            for ((window, _), read) in batch.into_iter().zip(read) {
                is_read[window] &= read.is_some();
            }
        }
        Ok(is_read)
    }
}
