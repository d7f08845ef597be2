//! The pixels of pictures: bands of one raster, or of a composite of several, resampled to a grid.

use std::sync::Arc;

use rasteret_cog::CogHeader;
use rasteret_cog::pixel::WindowBuffers;
use rasteret_cog::render::BandPixels;
use rasteret_cog::tiff::{DataType, Photometric};
use rasteret_cog::warp::{Composite, Resampling, TargetGrid};

use super::{
    GridChoice, LevelChoice, MosaicRow, OrNull, PlannedMosaic, PlannedWarp, ReadRequest, Reader, ResolvedRead,
    SourceBand, WarpOptions,
};
use crate::Result;

/// A raster of a picture, with the options of its pixels.
#[derive(Debug, Clone)]
pub struct PictureSource<'a> {
    /// The raster.
    pub resolved: ResolvedRead<'a>,
    /// One, three or four bands; None for red, green and blue where the file has them, else the first band.
    pub bands: Option<Vec<u32>>,
    /// The resampling method; None for the default of the raster.
    pub resampling: Option<Resampling>,
    /// Applies scale and offset of the bands.
    pub scaled: bool,
}

/// Bands of rasters on one grid.
pub(super) struct BandReads<'r, 'a> {
    /// At least one.
    pub(super) sources: Vec<&'r PictureSource<'a>>,
    pub(super) grid: Arc<TargetGrid>,
    /// How the values of the sources become one; None for those of a single source.
    pub(super) composite: Option<Composite>,
}

/// The pixels of bands.
pub(super) struct Pixels {
    pub(super) size: (u32, u32),
    bands: Vec<(DataType, Vec<u8>, Vec<u8>)>,
}

impl PictureSource<'_> {
    /// The bands of the raster.
    pub(super) fn bands(&self) -> Vec<u32> {
        self.bands.clone().unwrap_or_else(|| usual_bands(self.resolved.target.file.header()))
    }
}

/// Red, green and blue where the file has them, else the first band.
fn usual_bands(header: &CogHeader) -> Vec<u32> {
    let encoding = &header.image.encoding;
    let is_colored = matches!(encoding.photometric, Some(Photometric::Rgb | Photometric::YCbCr));
    match header.band_index {
        Some(band) => vec![band],
        None if is_colored && encoding.samples_per_pixel >= 3 => vec![0, 1, 2],
        None => vec![0],
    }
}

impl Pixels {
    pub(super) fn bands(&self) -> Vec<BandPixels<'_>> {
        let pixels = self.bands.iter();
        pixels.map(|(data_type, data, mask)| BandPixels { data_type: *data_type, data, mask }).collect()
    }

    pub(super) fn data_types(&self) -> Vec<DataType> {
        self.bands.iter().map(|(data_type, ..)| *data_type).collect()
    }

    /// Whether no pixel is valid in all bands.
    pub(super) fn is_empty(&self) -> bool {
        let masks: Vec<&[u8]> = self.bands.iter().map(|(.., mask)| mask.as_slice()).collect();
        let count = masks.first().map_or(0, |mask| mask.len());
        !(0..count).any(|at| masks.iter().all(|mask| mask.get(at).is_some_and(|byte| *byte != 0)))
    }

    /// Pixels that are not read yet.
    fn of_warps(warps: &[PlannedWarp]) -> Option<Self> {
        let window = warps.first()?.window();
        let bands = warps.iter().map(|warp| (warp.data_type(), vec![0; warp.data_len()], vec![0; warp.mask_len()]));
        Some(Self { size: (window.width, window.height), bands: bands.collect() })
    }

    /// Pixels that are not read yet.
    fn of_mosaic(mosaic: &PlannedMosaic) -> Self {
        let band = || (mosaic.data_type(), vec![0; mosaic.data_len()], vec![0; mosaic.mask_len()]);
        let grid = mosaic.grid();
        Self { size: (grid.width, grid.height), bands: (0..mosaic.bands()).map(|_| band()).collect() }
    }

    fn buffers(&mut self) -> impl Iterator<Item = WindowBuffers<'_>> {
        self.bands.iter_mut().map(|(_, data, mask)| WindowBuffers { data, mask })
    }

    /// Makes pixels without a value invalid: 0 of counts.
    fn exclude_zeros(&mut self) {
        for (data_type, data, mask) in &mut self.bands {
            for (value, valid) in data.chunks_exact(data_type.size()).zip(mask) {
                *valid &= u8::from(value.iter().any(|byte| *byte != 0)) * u8::MAX;
            }
        }
    }
}

impl<'a> BandReads<'_, 'a> {
    fn warp_options(&self, source: &PictureSource<'a>) -> WarpOptions {
        WarpOptions {
            grid: GridChoice::Grid(Arc::clone(&self.grid)),
            resampling: source.resampling,
            auto_level: true,
            scaled: source.scaled,
            all_touched: false,
            turns: true,
        }
    }

    fn mosaic(&self, composite: Composite) -> MosaicRow<'a> {
        let mut bands: Vec<Vec<SourceBand<'a>>> = Vec::new();
        for source in &self.sources {
            let own = source.bands();
            bands.resize_with(bands.len().max(own.len()), Vec::new);
            for (band, band_index) in bands.iter_mut().zip(own) {
                let request = ReadRequest { band_index: Some(band_index), ..source.resolved.request.clone() };
                let resolved = ResolvedRead { request, target: Arc::clone(&source.resolved.target) };
                band.push(SourceBand {
                    resolved,
                    resampling: source.resampling,
                    auto_level: true,
                    scaled: source.scaled,
                });
            }
        }
        MosaicRow { bands, grid: Some(GridChoice::Grid(Arc::clone(&self.grid))), composite, all_touched: false }
    }
}

impl Reader {
    /// Reads bands, resampled to their grids; None where the geometry lies outside, and where a file cannot be read and `on_error` allows
    /// that: of several, those are left out.
    pub(super) fn band_pixels(&self, reads: &[BandReads<'_, '_>]) -> Result<Vec<Option<Pixels>>> {
        let single = |read: &&BandReads<'_, '_>| read.composite.is_none();
        let mut of_warps = self.warped(&reads.iter().filter(single).collect::<Vec<_>>())?.into_iter();
        let mut of_mosaics =
            self.composited(&reads.iter().filter(|read| !single(read)).collect::<Vec<_>>())?.into_iter();
        let pixels = reads.iter().map(|read| if single(&read) { of_warps.next() } else { of_mosaics.next() });
        Ok(pixels.map(Option::flatten).collect())
    }

    /// The pixels of single rasters.
    fn warped(&self, reads: &[&BandReads<'_, '_>]) -> Result<Vec<Option<Pixels>>> {
        let bands: Vec<_> =
            reads.iter().map(|read| read.sources.first().map(|source| (*read, *source, source.bands()))).collect();
        let rows =
            bands.iter().flatten().flat_map(|(read, source, bands)| bands.iter().map(move |band| (read, source, band)));
        let requests = rows.clone().map(|(_, source, band)| {
            let request = source.resolved.request.clone();
            Some(ReadRequest { band_index: Some(*band), level: LevelChoice::Index(0), ..request })
        });
        let prepared = self.prepare(requests.collect())?.into_iter().zip(rows);
        let warps = prepared.map(|(resolved, (read, source, _))| {
            let Some(resolved) = resolved else { return Ok(None) };
            let check = resolved.target.band.check_real().map_err(|source| resolved.target.fault(source));
            Ok(check.or_null(resolved.request.on_error)?.map(|()| (resolved, read.warp_options(source))))
        });
        let mut planned = self.plan_warps(warps.collect::<Result<_>>()?)?.into_iter();
        let of_reads: Vec<Option<Vec<_>>> = bands
            .iter()
            .map(|read| {
                let (.., bands) = read.as_ref()?;
                planned.by_ref().take(bands.len()).collect::<Vec<_>>().into_iter().collect()
            })
            .collect();
        let mut pixels: Vec<Option<Pixels>> =
            of_reads.iter().map(|warps| warps.as_deref().and_then(Pixels::of_warps)).collect();
        let warps: Vec<_> = of_reads.iter().flatten().flatten().collect();
        let buffers = pixels.iter_mut().flatten().flat_map(Pixels::buffers).collect();
        let mut were_read = self.fill_warps(&warps, buffers)?.into_iter();
        for pixels in &mut pixels {
            let count = pixels.as_ref().map_or(0, |pixels| pixels.bands.len());
            // All of them are taken, also after a failure.
            if were_read.by_ref().take(count).filter(|is_read| !is_read).count() > 0 {
                *pixels = None;
            }
        }
        Ok(pixels)
    }

    /// The pixels of composites.
    fn composited(&self, reads: &[&BandReads<'_, '_>]) -> Result<Vec<Option<Pixels>>> {
        let rows = reads.iter().map(|read| read.composite.map(|composite| read.mosaic(composite)));
        let mosaics = self.plan_mosaics(rows.collect())?;
        let mut pixels: Vec<Option<Pixels>> =
            mosaics.iter().map(|mosaic| mosaic.as_ref().map(Pixels::of_mosaic)).collect();
        let buffers = pixels.iter_mut().flatten().flat_map(Pixels::buffers).collect();
        self.fill_mosaics(&mosaics.iter().flatten().collect::<Vec<_>>(), buffers)?;
        let counts = pixels.iter_mut().zip(reads).filter(|(_, read)| read.composite == Some(Composite::Count));
        counts.filter_map(|(pixels, _)| pixels.as_mut()).for_each(Pixels::exclude_zeros);
        Ok(pixels)
    }
}
