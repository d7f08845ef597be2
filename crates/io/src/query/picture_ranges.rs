//! The ranges of values that pictures are stretched from.
//!
//! Those of map tiles are the same for all tiles of a raster, or of a list of rasters: percentiles are those of a small preview of the
//! raster, the first one of a list that can be read.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_cog::render::{Range, Stretch, preview_grid};
use rasteret_cog::tiff::DataType;
use rasteret_cog::warp::Composite;
use rasteret_cog::{CogHeader, Window};

use super::Reader;
use super::picture_pixels::{BandReads, PictureSource, Pixels};
use super::stretches::RangeKey;
use crate::{Error, ObjectVersion, Result};

/// Size of the preview by whose values the percentiles of map tiles are computed.
pub(super) const RANGE_SIZE: u32 = 256;

/// A picture whose values are stretched.
pub(super) struct Stretched<'r, 'a> {
    pub(super) stretch: &'r Stretch,
    /// The rasters of a map tile, in order, also those that do not meet it; None for a picture with a range of its own.
    pub(super) sources: Option<&'r [PictureSource<'a>]>,
    pub(super) composite: Option<Composite>,
    /// None if they cannot be read.
    pub(super) pixels: Option<&'r Pixels>,
}

impl Stretched<'_, '_> {
    /// The ranges that are known without reading another picture: None for a picture without pixels, an error for values of which a
    /// single raster has no range.
    fn own(&self) -> Result<Own> {
        let Some(pixels) = self.pixels else { return Ok(Own::Nothing) };
        let of_pixels = || Own::Ranges(self.stretch.ranges(&pixels.bands()));
        let Some(sources) = self.sources else { return Ok(of_pixels()) };
        let data_types = match (self.composite, sources.first()) {
            (Some(Composite::Mean | Composite::Median), Some(first)) if first.scaled => vec![DataType::Float64],
            (Some(Composite::Mean | Composite::Median), Some(first)) => vec![first.resolved.target.band.data_type()],
            _ => pixels.data_types(),
        };
        if !self.stretch.depends_on_values(&data_types) {
            return Ok(match self.stretch {
                // Of means of 8-bit values too.
                Stretch::Automatic => Own::Ranges(vec![Range::Bytes; pixels.data_types().len()]),
                Stretch::Ranges(_) | Stretch::Percentiles(_) => of_pixels(),
            });
        }
        if pixels.is_empty() {
            return Ok(Own::Nothing);
        }
        if matches!(self.composite, Some(Composite::Count | Composite::Stddev)) {
            let what = "range: expected a range for the methods 'count' and 'stddev', found none".to_owned();
            return Err(Error::InvalidArgument { what });
        }
        Ok(Own::Unknown)
    }
}

enum Own {
    Nothing,
    Ranges(Vec<Range>),
    Unknown,
}

impl Reader {
    /// The ranges of the bands of pictures; None for those without pixels.
    pub(super) fn ranges_of(&self, pictures: &[Stretched<'_, '_>]) -> Result<Vec<Option<Vec<Range>>>> {
        let mut ranges = Vec::with_capacity(pictures.len());
        // Pictures whose range is that of a source, with the source.
        let mut missing = Vec::new();
        for (at, picture) in pictures.iter().enumerate() {
            ranges.push(match picture.own()? {
                Own::Nothing => None,
                Own::Ranges(own) => Some(own),
                Own::Unknown => {
                    missing.push((at, 0));
                    None
                }
            });
        }
        while !missing.is_empty() {
            self.query().check()?;
            let mut of_sources: HashMap<RangeKey, Vec<(usize, usize)>> = HashMap::new();
            for (at, number) in std::mem::take(&mut missing) {
                let picture = &pictures[at];
                let Some(source) = picture.sources.and_then(|sources| sources.get(number)) else { continue };
                let key = range_key(source, picture.stretch);
                match self.known_ranges().get(&key) {
                    Some(known) => ranges[at] = Some(known),
                    None => of_sources.entry(key).or_default().push((at, number)),
                }
            }
            let of_sources: Vec<_> = of_sources.into_iter().collect();
            for ((key, rows), found) in of_sources.iter().zip(self.ranges_of_sources(pictures, &of_sources)?) {
                match found {
                    Some(found) => {
                        self.known_ranges().put(key.clone(), found.clone());
                        rows.iter().for_each(|(at, _)| ranges[*at] = Some(found.clone()));
                    }
                    None => missing.extend(rows.iter().map(|(at, number)| (*at, number + 1))),
                }
            }
        }
        Ok(ranges)
    }

    /// The ranges of sources, each named by pictures with their number there; None for those that cannot be read.
    fn ranges_of_sources(
        &self,
        pictures: &[Stretched<'_, '_>],
        of_sources: &[(RangeKey, Vec<(usize, usize)>)],
    ) -> Result<Vec<Option<Vec<Range>>>> {
        let named = of_sources.iter().filter_map(|(_, rows)| {
            let (at, number) = *rows.first()?;
            let picture = pictures.get(at)?;
            Some((picture.stretch, picture.sources?.get(number)?))
        });
        let reads = named.clone().map(|(_, source)| range_reads(source)).collect::<Result<Vec<_>>>()?;
        let pixels = self.band_pixels(&reads)?;
        Ok(named
            .zip(pixels)
            .map(|((stretch, _), pixels)| pixels.map(|pixels| stretch.ranges(&pixels.bands())))
            .collect())
    }
}

/// A small preview of the whole raster.
fn range_reads<'r, 'a>(source: &'r PictureSource<'a>) -> Result<BandReads<'r, 'a>> {
    let raster = source.resolved.target.file.header().raster_info();
    let whole = Window::of_image(raster.width, raster.height);
    let grid = preview_grid(&raster, whole, RANGE_SIZE).map_err(|fault| source.resolved.target.fault(fault))?;
    Ok(BandReads { sources: vec![source], grid: Arc::new(grid), composite: None })
}

/// Everything that the percentiles of bands depend on.
fn range_key(source: &PictureSource<'_>, stretch: &Stretch) -> RangeKey {
    let (file, request) = (&source.resolved.target.file, &source.resolved.request);
    let percentiles = match stretch {
        Stretch::Percentiles(percentiles) => Some(percentiles.map(f64::to_bits)),
        Stretch::Automatic | Stretch::Ranges(_) => None,
    };
    let of_file = if *file.version() == ObjectVersion::default() { Arc::as_ptr(file).addr() } else { 0 };
    let of_mask = request.mask.as_ref().map_or(0, |mask| Arc::as_ptr(mask).addr());
    RangeKey {
        location: file.location().key().to_owned(),
        version: file.version().clone(),
        call: [of_file, of_mask],
        bands: source.bands(),
        header_numbers: header_numbers(file.header()),
        percentiles,
        masked: request.masked,
        scaled: source.scaled,
        resampling: source.resampling,
    }
}

/// The bits of the nodata value, the nodata values of bands, the scales and the offsets.
fn header_numbers(header: &CogHeader) -> [Option<Vec<u64>>; 4] {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect();
    [
        header.nodata.map(|nodata| vec![nodata.to_bits()]),
        header.nodata_values.as_deref().map(bits),
        header.scale.as_deref().map(bits),
        header.offset.as_deref().map(bits),
    ]
}
