//! The options of pictures.

use rasteret_cog::render::{Colormap, Stretch};
use rasteret_cog::warp::Resampling;
use rasteret_io::query::{Frame, PictureOptions, PictureSource, ResolvedRead};

use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::functions::sources::Source;
use crate::options::OptionValues;

pub(super) const BANDS: Parameter = Parameter {
    description: "One band; three bands for red, green and blue; or four bands, the last of which is the opacity, from 0 to the \
        largest integer of its type, or to 1. By default the first three bands of an RGB image, else the first band.",
    ..params::BANDS
};

pub(super) const RANGE: Parameter = Parameter {
    name: "range",
    value: ValueType::Numbers,
    default: None,
    description: "The values that become black and white, or the ends of the colormap: two numbers, or two for each of three \
        bands.",
};

pub(super) const PERCENTILES: Parameter = Parameter {
    name: "percentiles",
    value: ValueType::Numbers,
    default: Some("[2, 98]"),
    description: "The range of each band between two percentiles of its valid values. By default, 8-bit values are unchanged and \
        others are stretched between percentiles 2 and 98.",
};

pub(super) const COLORMAP: Parameter = Parameter {
    name: "colormap",
    value: ValueType::Text,
    default: None,
    description: "The colours of one band: `viridis`, `magma`, `greys` (white to black), `terrain` or `ndvi` (for values from -1 to \
        1), or one of these in reverse order with the suffix `_r`. By default the file's color table if it has one, else black to \
        white.",
};

pub(super) const RESAMPLING: Parameter = Parameter {
    description: "`'nearest'`, the default for rasters with a color table; `'bilinear'`, the default for others; `'cubic'`, \
        `'average'`, `'mode'`, `'min'` or `'max'`. See [resampling](parameters.md#resampling).",
    ..params::GRID_RESAMPLING
};

pub(super) const SCALED: Parameter = Parameter {
    description: "Whether the [scale and offset](parameters.md#scale-and-offset) in the metadata are applied before values are \
        stretched.",
    ..params::SCALED
};

/// A size in pixels.
pub(super) fn size(options: &impl OptionValues, option: &Parameter, default: u32, max: u32) -> Result<u32> {
    match options.integer(option, &format!("a number of pixels from 1 to {max}"))? {
        None => Ok(default),
        Some(size) if (1..=max).contains(&size) => Ok(size),
        Some(size) => {
            Err(Error::argument(format!("{}: expected a number of pixels from 1 to {max}, found {size}", option.name)))
        }
    }
}

/// The options of a row.
pub(super) fn picture_options(options: &impl OptionValues, frame: Frame) -> Result<PictureOptions> {
    let colormap = options.text(&COLORMAP).map(|name| Colormap::named(&name)).transpose()?;
    Ok(PictureOptions { frame, stretch: stretch(options)?, colormap, composite: params::composite(options)? })
}

/// The options of a source.
pub(super) struct SourceOptions {
    bands: Option<Vec<u32>>,
    resampling: Option<Resampling>,
    scaled: bool,
}

impl SourceOptions {
    pub(super) fn of(source: &Source<'_>) -> Result<Self> {
        // None for the usual bands.
        let bands = source.bands()?.into_iter().collect();
        Ok(Self { bands, resampling: source.resampling()?, scaled: source.scaled() })
    }

    pub(super) fn picture(self, resolved: ResolvedRead<'_>) -> PictureSource<'_> {
        let Self { bands, resampling, scaled } = self;
        PictureSource { resolved, bands, resampling, scaled }
    }
}

/// The ranges of values.
fn stretch(options: &impl OptionValues) -> Result<Stretch> {
    match (numbers(options, &RANGE)?, numbers(options, &PERCENTILES)?) {
        (None, None) => Ok(Stretch::Automatic),
        (Some(_), Some(_)) => Err(Error::argument("range: expected a range or percentiles, found both")),
        (Some(range), None) => {
            let pairs = pairs(&RANGE, &range)?;
            match pairs.iter().find(|[low, high]| low >= high) {
                Some([low, high]) => {
                    Err(Error::argument(format!("range: expected a number and a larger one, found {low} and {high}")))
                }
                None => Ok(Stretch::Ranges(pairs)),
            }
        }
        (None, Some(percentiles)) => match pairs(&PERCENTILES, &percentiles)?.as_slice() {
            [[low, high]] if 0.0 <= *low && low < high && *high <= 100.0 => Ok(Stretch::Percentiles([*low, *high])),
            _ => Err(Error::argument(format!(
                "percentiles: expected a number from 0 to 100 and a larger one, found {percentiles:?}"
            ))),
        },
    }
}

/// The finite numbers of an option.
fn numbers(options: &impl OptionValues, option: &Parameter) -> Result<Option<Vec<f64>>> {
    let Some(numbers) = options.numbers(option) else { return Ok(None) };
    let finite: Option<Vec<f64>> = numbers.iter().map(|number| number.filter(|number| number.is_finite())).collect();
    let found = || numbers.iter().map(|number| number.map_or_else(|| "NULL".to_owned(), |number| number.to_string()));
    finite.map(Some).ok_or_else(|| {
        Error::argument(format!(
            "{}: expected finite numbers, found {}",
            option.name,
            found().collect::<Vec<_>>().join(", ")
        ))
    })
}

/// Pairs of numbers.
fn pairs(option: &Parameter, numbers: &[f64]) -> Result<Vec<[f64; 2]>> {
    match numbers.as_chunks::<2>() {
        (pairs, []) if !pairs.is_empty() => Ok(pairs.to_vec()),
        _ => Err(Error::argument(format!("{}: expected two numbers, found {}", option.name, numbers.len()))),
    }
}
