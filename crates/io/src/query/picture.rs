//! Pictures of rasters, for `cog_preview` and `cog_map_tile`.
//!
//! ```text
//! rows ── Frame ──> grids, and the sources that meet them ── group within the memory limit ── BandReads ──> pixels
//!                                                                 ranges, colours ──> PNG, in parallel <──────┘
//! ```

use std::sync::Arc;

use rasteret_cog::Window;
use rasteret_cog::render::{Colormap, Colors, MapTile, Picture, Stretch, preview_grid};
use rasteret_cog::tiff::Photometric;
use rasteret_cog::warp::{Composite, Resampling, TargetGrid};

use super::OrNull;
use super::Reader;
use super::color_tables::ColorTable;
use super::picture_pixels::{BandReads, PictureSource};
use super::picture_ranges::{RANGE_SIZE, Stretched};
use crate::{Error, Result};

/// The part of a raster that a picture shows.
#[derive(Debug, Clone, Copy)]
pub enum Frame {
    /// The whole raster, or the window around the geometry, reduced to this many pixels along its longer side.
    Preview(u32),
    /// A tile of a web map.
    Tile(MapTile),
}

/// Options for the picture of a row.
#[derive(Debug, Clone)]
pub struct PictureOptions {
    /// The part of the raster.
    pub frame: Frame,
    /// The ranges of values.
    pub stretch: Stretch,
    /// Colours for one band.
    pub colormap: Option<Colormap>,
    /// How the values of the sources become one; None for those of a single source.
    pub composite: Option<Composite>,
}

/// The row of a picture.
#[derive(Debug)]
pub struct PictureRow<'a> {
    /// The rasters, in order; a preview shows the first one.
    pub sources: Vec<PictureSource<'a>>,
    /// The options.
    pub options: PictureOptions,
}

/// A picture with its grid.
struct Framed<'r, 'a> {
    row: &'r PictureRow<'a>,
    /// The sources that meet the grid, at least one.
    sources: Vec<&'r PictureSource<'a>>,
    grid: Arc<TargetGrid>,
    /// Where the grid is a part of a larger picture: the size of that, and the part.
    part: Option<((u32, u32), Window)>,
    table: Option<ColorTable>,
}

impl Reader {
    /// The pictures of rows as PNG; None for None, where the geometry or the tile lies outside of the rasters, for a tile without valid
    /// pixels, and where no file can be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or an option does not fit the raster, a file cannot be read, or the pictures take too much memory.
    pub fn pictures(&self, rows: &[Option<PictureRow<'_>>]) -> Result<Vec<Option<Vec<u8>>>> {
        let rows: Vec<Option<&PictureRow<'_>>> = rows.iter().map(Option::as_ref).collect();
        let framed = self.of_rows(&rows, |row| self.framed(row))?;
        let framed = self.with_tables(framed.into_iter().map(Option::flatten).collect())?;
        let room = self.memory().shares(self.options()).in_flight;
        let mut pictures: Vec<Option<Vec<u8>>> = rows.iter().map(|_| None).collect();
        let (mut group, mut bytes, mut total) = (Vec::new(), 0_u64, 0_u64);
        let mut finish = |group: Vec<(usize, Framed<'_, '_>)>| {
            let (places, group): (Vec<usize>, Vec<_>) = group.into_iter().unzip();
            for (at, picture) in places.into_iter().zip(self.pictures_of(group)?) {
                total = total.saturating_add(picture.as_ref().map_or(0, Vec::len) as u64);
                pictures[at] = picture;
            }
            // DuckDB copies them.
            self.memory().check(total.saturating_mul(2), || "pictures, which DuckDB copies,".to_owned())
        };
        for (at, framed) in framed.into_iter().enumerate() {
            let Some(framed) = framed else { continue };
            let size = framed.bytes();
            self.memory()
                .check(size, || format!("a picture of {} x {} pixels", framed.grid.width, framed.grid.height))?;
            if bytes.saturating_add(size) > room && !group.is_empty() {
                finish(std::mem::take(&mut group))?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            group.push((at, framed));
        }
        finish(group)?;
        Ok(pictures)
    }

    /// The grid of a row, and the sources that meet it; None outside of all sources.
    fn framed<'r, 'a>(&self, row: &'r PictureRow<'a>) -> Result<Option<Framed<'r, 'a>>> {
        check_bands(row)?;
        let tile = match row.options.frame {
            Frame::Tile(tile) => tile,
            Frame::Preview(size) => {
                let Some(source) = row.sources.first() else { return Ok(None) };
                let grid = self.preview(source, size).or_null(source.resolved.request.on_error)?.flatten();
                return Ok(grid.map(|grid| Framed { row, sources: vec![source], grid, part: None, table: None }));
            }
        };
        let (mut sources, mut part) = (Vec::new(), None::<Window>);
        for source in &row.sources {
            self.query().check()?;
            let target = &source.resolved.target;
            let own = tile.part(&target.file.header().raster_info(), self.transforms());
            let own = own.map_err(|fault| target.fault(fault)).or_null(source.resolved.request.on_error)?;
            let Some(own) = own.flatten() else { continue };
            part = Some(part.map_or(own, |part| part.union(&own)));
            sources.push(source);
        }
        let Some(part) = part else { return Ok(None) };
        let grid = tile.grid(part).map_err(|error| Error::InvalidArgument { what: error.to_string() })?;
        Ok(Some(Framed { row, sources, grid: Arc::new(grid), part: Some((tile.size(), part)), table: None }))
    }

    /// The grid of a preview; None where the geometry lies outside.
    fn preview(&self, source: &PictureSource<'_>, size: u32) -> Result<Option<Arc<TargetGrid>>> {
        let target = &source.resolved.target;
        let raster = target.file.header().raster_info();
        let pixels = source.resolved.pixels(self)?;
        let window = match pixels.as_ref().map(|pixels| pixels.bbox()) {
            None => Some(Window::of_image(raster.width, raster.height)),
            Some(bounds) => bounds.and_then(|bounds| Window::around(bounds, raster.width, raster.height)),
        };
        let grid = window.map(|window| preview_grid(&raster, window, size).map(Arc::new)).transpose();
        grid.map_err(|fault| target.fault(fault))
    }

    /// Adds the colour tables of palette images. Sources whose table cannot be read, and whose `on_error` allows that, are left out.
    fn with_tables<'r, 'a>(&self, mut framed: Vec<Option<Framed<'r, 'a>>>) -> Result<Vec<Option<Framed<'r, 'a>>>> {
        let with_table: Vec<usize> = framed
            .iter()
            .enumerate()
            .filter(|(_, row)| row.as_ref().is_some_and(Framed::uses_table))
            .map(|(at, _)| at)
            .collect();
        let sources: Vec<&PictureSource<'_>> = with_table
            .iter()
            .filter_map(|at| framed[*at].as_ref())
            .flat_map(|row| row.sources.iter().copied())
            .collect();
        let files: Vec<_> = sources.iter().map(|source| source.resolved.target.file.as_ref()).collect();
        let mut tables = self.color_tables_of(&files)?.into_iter();
        for at in with_table {
            let Some(mut row) = framed[at].take() else { continue };
            let mut of_row = Vec::with_capacity(row.sources.len());
            for (source, table) in std::mem::take(&mut row.sources).into_iter().zip(tables.by_ref()) {
                of_row.extend(table.or_null(source.resolved.request.on_error)?.map(|table| (source, table)));
            }
            let Some((first, table)) = of_row.first().cloned() else { continue };
            if table.is_some() {
                row.check_table()?;
            }
            if let Some((other, _)) = of_row.iter().find(|(_, other)| *other != table) {
                let found = (first.resolved.target.file.location(), other.resolved.target.file.location());
                return Err(Error::InvalidArgument {
                    what: format!(
                        "sources: expected sources with the same color table, found different ones of {} and {}: use a colormap or a range",
                        found.0, found.1
                    ),
                });
            }
            row.sources = of_row.into_iter().map(|(source, _)| source).collect();
            framed[at] = Some(Framed { table, ..row });
        }
        Ok(framed)
    }

    /// The pictures of a group of rows.
    fn pictures_of(&self, group: Vec<Framed<'_, '_>>) -> Result<Vec<Option<Vec<u8>>>> {
        let reads: Vec<_> = group.iter().map(Framed::reads).collect();
        let pixels = self.band_pixels(&reads)?;
        let stretched = group.iter().zip(&pixels).map(|(framed, pixels)| Stretched {
            stretch: &framed.row.options.stretch,
            sources: (framed.part.is_some() && framed.table.is_none()).then_some(framed.row.sources.as_slice()),
            composite: framed.row.options.composite,
            pixels: pixels.as_ref(),
        });
        let ranges = self.ranges_of(&stretched.collect::<Vec<_>>())?;
        let rows = group.into_iter().zip(pixels).zip(ranges);
        let rows = rows.map(|((framed, pixels), ranges)| Some((framed, pixels?, ranges?))).collect::<Vec<_>>();
        let pictures = self.of_rows(&rows, |(framed, pixels, ranges)| {
            let colors = match (&framed.table, framed.row.options.colormap) {
                (Some(table), _) => Colors::Table(table),
                (None, Some(map)) => Colors::Map(map),
                (None, None) => Colors::Plain,
            };
            let draw = || {
                let mut picture = Picture::new(pixels.size, &pixels.bands(), ranges, colors)?;
                if let Some((size, part)) = framed.part {
                    if picture.is_transparent() {
                        return Ok(None);
                    }
                    picture = picture.within(size, part);
                }
                picture.to_png().map(Some)
            };
            draw().map_err(|fault| match framed.sources.first() {
                Some(source) => source.resolved.target.fault(fault),
                None => Error::InvalidArgument { what: fault.to_string() },
            })
        })?;
        Ok(pictures.into_iter().map(Option::flatten).collect())
    }
}

impl<'r, 'a> Framed<'r, 'a> {
    /// Memory for making the picture, in bytes.
    fn bytes(&self) -> u64 {
        let bands = self.sources.first().map_or(0, |source| source.bands().len()) as u64;
        let of = |(width, height): (u32, u32)| Picture::bytes(u64::from(width) * u64::from(height), bands);
        let beside = match self.part {
            Some((size, _)) => of(size).saturating_add(of((RANGE_SIZE, RANGE_SIZE))),
            None => 0,
        };
        of((self.grid.width, self.grid.height)).saturating_add(beside)
    }

    /// Whether colours are those of the files' colour tables.
    fn uses_table(&self) -> bool {
        let options = &self.row.options;
        let is_palette = |source: &&PictureSource<'_>| {
            let encoding = &source.resolved.target.file.header().image.encoding;
            encoding.photometric == Some(Photometric::Palette) && !source.scaled && source.bands().len() == 1
        };
        options.colormap.is_none() && options.stretch == Stretch::Automatic && self.sources.iter().any(is_palette)
    }

    /// Checks that values are not blended.
    fn check_table(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::InvalidArgument { what: what.to_owned() });
        let blends = |source: &PictureSource<'_>| {
            matches!(source.resampling, Some(Resampling::Bilinear | Resampling::Cubic | Resampling::Average))
        };
        if self.row.sources.iter().any(blends) {
            return wrong(
                "resampling: expected 'nearest', 'mode', 'min' or 'max' for a raster with a color table, found another",
            );
        }
        match self.row.options.composite {
            None | Some(Composite::First | Composite::Last | Composite::Min | Composite::Max) => Ok(()),
            Some(Composite::Mean | Composite::Median | Composite::Count | Composite::Stddev) => {
                wrong("method: expected 'first', 'last', 'min' or 'max' for rasters with a color table, found another")
            }
        }
    }

    fn reads(&self) -> BandReads<'r, 'a> {
        BandReads { sources: self.sources.clone(), grid: Arc::clone(&self.grid), composite: self.row.options.composite }
    }
}

/// Checks the number of bands, and the options that depend on it.
fn check_bands(row: &PictureRow<'_>) -> Result<()> {
    let wrong = |what: String| Err(Error::InvalidArgument { what });
    let mut counts = row.sources.iter().map(|source| source.bands().len());
    let Some(count) = counts.next() else { return Ok(()) };
    if let Some(found) = counts.find(|other| *other != count) {
        return wrong(format!("bands: expected as many bands of each source as of the first, {count}, found {found}"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return wrong(format!("bands: expected one, three or four bands, found {count}"));
    }
    if row.options.colormap.is_some() && count != 1 {
        return wrong(format!("colormap: expected one band with it, found {count} bands"));
    }
    match &row.options.stretch {
        Stretch::Ranges(ranges) if ranges.len() != 1 && ranges.len() != count.min(3) => {
            let expected = if count == 1 { "2 numbers" } else { "2 or 6 numbers" };
            wrong(format!("range: expected {expected} for {count} bands, found {}", 2 * ranges.len()))
        }
        _ => Ok(()),
    }
}
