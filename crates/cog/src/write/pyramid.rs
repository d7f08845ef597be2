//! Rows of pixels to rows of tiles, of the full resolution and of its overviews.

use super::levels::levels;
use super::number::PixelRow;
use super::overview::Reducer;
use super::{CogOptions, CogProfile, LevelSize};

/// Cuts rows of pixels into tiles, and builds the overviews while they arrive.
#[derive(Debug)]
pub struct Pyramid {
    levels: Vec<Level>,
}

/// A level that is being filled.
#[derive(Debug)]
struct Level {
    tiles: TileRow,
    /// Rows of pixels that the level has taken.
    rows: u32,
    size: LevelSize,
    /// Makes the rows of the next level.
    reducer: Option<Reducer>,
}

/// A row of tiles of a level.
#[derive(Debug)]
pub struct TileRow {
    /// The level, 0 being the full resolution.
    pub level: usize,
    /// The row of tiles.
    pub row: u32,
    /// Number of tiles.
    pub tiles: u32,
    block_size: usize,
    pixel_bytes: usize,
    width: usize,
    /// Rows of pixels of the level's width; fewer than the block size at the lower edge.
    samples: Vec<u8>,
    mask: Option<Vec<u8>>,
}

impl Pyramid {
    /// An empty pyramid of a raster.
    #[must_use]
    pub fn new(profile: &CogProfile, options: &CogOptions) -> Self {
        let sizes = levels(profile.width, profile.height, options);
        let block_size = usize::try_from(options.block_size).unwrap_or(usize::MAX);
        let made = sizes.iter().enumerate().map(|(level, size)| Level {
            tiles: TileRow {
                level,
                row: 0,
                tiles: size.tiles_across,
                block_size,
                pixel_bytes: profile.pixel_bytes(),
                width: usize::try_from(size.width).unwrap_or(usize::MAX),
                samples: Vec::new(),
                mask: profile.has_mask.then(Vec::new),
            },
            rows: 0,
            size: *size,
            reducer: sizes.get(level + 1).zip(options.overviews).map(|(next, resampling)| {
                Reducer::new(profile, resampling, (size.width, size.height), (next.width, next.height))
            }),
        });
        Self { levels: made.collect() }
    }

    /// Bytes that the pyramid of a raster holds: a row of tiles and four rows of pixels of each level.
    #[must_use]
    pub fn bytes(profile: &CogProfile, options: &CogOptions) -> u64 {
        let pixel =
            u64::try_from(profile.pixel_bytes()).unwrap_or(u64::MAX).saturating_add(u64::from(profile.has_mask));
        let rows = u64::from(options.block_size) + 4;
        let widths = levels(profile.width, profile.height, options).into_iter().map(|level| u64::from(level.width));
        widths.fold(0, |bytes: u64, width| bytes.saturating_add(width.saturating_mul(pixel).saturating_mul(rows)))
    }

    /// Takes the next row of pixels of the full resolution: `samples` with the bands of a pixel together, little-endian,
    /// and `mask` with a byte per pixel, which counts if the file has a mask. Passes on the rows of tiles that are complete
    /// with it.
    ///
    /// # Errors
    ///
    /// Those of `emit`.
    pub fn push<E>(
        &mut self,
        samples: &[u8],
        mask: &[u8],
        emit: &mut impl FnMut(&TileRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let has_mask = self.levels.first().is_some_and(|level| level.tiles.mask.is_some());
        push(&mut self.levels, PixelRow { samples: samples.to_vec(), mask: has_mask.then(|| mask.to_vec()) }, emit)
    }
}

/// Adds a row to the first of the levels, and the rows that follow from it to the others.
fn push<E>(levels: &mut [Level], row: PixelRow, emit: &mut impl FnMut(&TileRow) -> Result<(), E>) -> Result<(), E> {
    let Some((level, smaller)) = levels.split_first_mut() else { return Ok(()) };
    level.tiles.samples.extend_from_slice(&row.samples);
    if let (Some(mask), Some(row)) = (&mut level.tiles.mask, &row.mask) {
        mask.extend_from_slice(row);
    }
    level.rows += 1;
    let block_size = u32::try_from(level.tiles.block_size).unwrap_or(u32::MAX);
    if level.rows.is_multiple_of(block_size) || level.rows == level.size.height {
        emit(&level.tiles)?;
        level.tiles.row += 1;
        level.tiles.samples.clear();
        level.tiles.mask.iter_mut().for_each(Vec::clear);
    }
    match &mut level.reducer {
        Some(reducer) => reducer.push(row, |row| push(smaller, row, emit)),
        None => Ok(()),
    }
}

impl TileRow {
    /// The samples of a tile, and its mask if the file has one, in the full block size: beyond the image, the last column
    /// and row are repeated, which compresses well.
    #[must_use]
    pub fn tile(&self, column: u32) -> (Vec<u8>, Option<Vec<u8>>) {
        let cut = |bytes: &[u8], size| self.cut(bytes, size, usize::try_from(column).unwrap_or(usize::MAX));
        (cut(&self.samples, self.pixel_bytes), self.mask.as_ref().map(|mask| cut(mask, 1)))
    }

    /// Cuts a tile out of rows of pixels of a size.
    fn cut(&self, bytes: &[u8], size: usize, column: usize) -> Vec<u8> {
        let start = column * self.block_size;
        let count = self.block_size.min(self.width.saturating_sub(start));
        let mut tile = Vec::with_capacity(self.block_size * self.block_size * size);
        for row in bytes.chunks_exact(self.width * size) {
            let pixels = &row[start * size..(start + count) * size];
            tile.extend_from_slice(pixels);
            for _ in count..self.block_size {
                tile.extend_from_slice(&pixels[(count - 1) * size..]);
            }
        }
        let row_bytes = self.block_size * size;
        while tile.len() < self.block_size * row_bytes {
            tile.extend_from_within(tile.len() - row_bytes..);
        }
        tile
    }
}
