//! The ranges of values that are stretched to 0–255.
//!
//! The arithmetic is that of rio-tiler's `linear_rescale` and of numpy's `percentile`.

use super::values::each;
use crate::tiff::DataType;

/// The pixels of a band, row by row.
#[derive(Debug, Clone, Copy)]
pub struct BandPixels<'a> {
    /// Type of the values.
    pub data_type: DataType,
    /// Values, little-endian.
    pub data: &'a [u8],
    /// One byte per pixel: 0 for invalid.
    pub mask: &'a [u8],
}

/// How ranges of values are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Stretch {
    /// 8-bit values unchanged; percentiles 2 and 98 for others.
    Automatic,
    /// The same range for all bands, or one for each.
    Ranges(Vec<[f64; 2]>),
    /// Between two percentiles of the valid values of each band.
    Percentiles([f64; 2]),
}

/// The percentiles of [`Stretch::Automatic`].
const USUAL: [f64; 2] = [2.0, 98.0];

/// A range of values, which becomes 0–255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Values from 0 to 255 as they are.
    Bytes,
    /// Values between two others.
    Between(f64, f64),
}

impl Stretch {
    /// Whether ranges depend on the values of bands of these types.
    #[must_use]
    pub fn depends_on_values(&self, data_types: &[DataType]) -> bool {
        match self {
            Self::Automatic => data_types.iter().any(|data_type| *data_type != DataType::Uint8),
            Self::Ranges(_) => false,
            Self::Percentiles(_) => true,
        }
    }

    /// The range of each band.
    #[must_use]
    pub fn ranges(&self, bands: &[BandPixels<'_>]) -> Vec<Range> {
        let of_band = |(at, band): (usize, &BandPixels<'_>)| match self {
            Self::Automatic if band.data_type == DataType::Uint8 => Range::Bytes,
            Self::Automatic => between_percentiles(band, USUAL),
            Self::Percentiles(percentiles) => between_percentiles(band, *percentiles),
            Self::Ranges(ranges) => {
                let range = ranges.get(at).or_else(|| ranges.first());
                range.map_or(Range::Bytes, |[low, high]| Range::Between(*low, *high))
            }
        };
        bands.iter().enumerate().map(of_band).collect()
    }
}

impl Range {
    /// The stretched value of a number that is not NaN.
    #[inline]
    pub(super) fn stretch(self, value: f64) -> u8 {
        let scaled = match self {
            Self::Bytes => value,
            Self::Between(low, high) if low < high => (value.clamp(low, high) - low) / (high - low) * 255.0,
            // All values between the percentiles are the same.
            Self::Between(low, _) => {
                if value > low {
                    255.0
                } else {
                    0.0
                }
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "truncated as in rio-tiler; saturates"
        )]
        let byte = scaled as u8;
        byte
    }
}

/// The range between two percentiles of the valid, finite values; 0 to 1 without any.
fn between_percentiles(band: &BandPixels<'_>, percentiles: [f64; 2]) -> Range {
    let mut values = Vec::with_capacity(band.mask.len());
    each(band.data_type, band.data, |at, value| {
        if value.is_finite() && band.mask.get(at).is_some_and(|mask| *mask != 0) {
            values.push(value);
        }
    });
    let mut of = |percentile| percentile_of(&mut values, percentile);
    match percentiles.map(&mut of) {
        [Some(low), Some(high)] => Range::Between(low, high),
        _ => Range::Between(0.0, 1.0),
    }
}

/// A percentile, interpolated linearly; None without values.
fn percentile_of(values: &mut [f64], percentile: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = percentile / 100.0 * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the last index")]
    let at = (position.floor() as usize).min(last);
    let share = position - at as f64;
    let (_, low, rest) = values.select_nth_unstable_by(at, f64::total_cmp);
    let low = *low;
    let high = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    // As numpy rounds.
    Some(if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels<'a>(data: &'a [u8], mask: &'a [u8]) -> BandPixels<'a> {
        BandPixels { data_type: DataType::Float32, data, mask }
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn percentiles_equal_numpy() {
        let mut values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.5];
        let of = |values: &mut [f64], percentile| percentile_of(values, percentile).unwrap();
        // numpy.percentile([3, 1, 4, 1.5, 9, 2.5], [0, 2, 50, 90, 98, 100])
        let found = [0.0, 2.0, 50.0, 90.0, 98.0, 100.0].map(|percentile| of(&mut values, percentile));
        assert_eq!(found, [1.0, 1.05, 2.75, 6.5, 8.500_000_000_000_002, 9.0]);
        assert_eq!(percentile_of(&mut [], 50.0), None);
        assert_eq!(of(&mut [7.0], 98.0), 7.0);
    }

    #[test]
    fn only_valid_finite_values_are_used() {
        let data = bytes(&[1.0, 1000.0, f32::NAN, f32::INFINITY, 3.0]);
        let range = Stretch::Percentiles([0.0, 100.0]).ranges(&[pixels(&data, &[255, 0, 255, 255, 255])]);
        assert_eq!(range, [Range::Between(1.0, 3.0)]);
        assert_eq!(Stretch::Automatic.ranges(&[pixels(&data, &[0; 5])]), [Range::Between(0.0, 1.0)]);
    }

    #[test]
    fn values_are_stretched_and_truncated() {
        let range = Range::Between(100.0, 300.0);
        let found = [-1e300, 100.0, 150.0, 299.9, 300.0, f64::INFINITY].map(|value| range.stretch(value));
        assert_eq!(found, [0, 0, 63, 254, 255, 255]);
        assert_eq!(
            (0..=255).map(|byte| Range::Bytes.stretch(byte.into())).collect::<Vec<u8>>(),
            (0..=255).collect::<Vec<u8>>()
        );
        let constant = Range::Between(5.0, 5.0);
        assert_eq!([4.0, 5.0, 6.0].map(|value| constant.stretch(value)), [0, 0, 255]);
    }

    #[test]
    fn bands_share_a_range_or_have_their_own() {
        let data = bytes(&[0.0]);
        let bands = [pixels(&data, &[255]); 2];
        assert_eq!(Stretch::Ranges(vec![[0.0, 1.0]]).ranges(&bands), [Range::Between(0.0, 1.0); 2]);
        let own = Stretch::Ranges(vec![[0.0, 1.0], [2.0, 3.0]]).ranges(&bands);
        assert_eq!(own, [Range::Between(0.0, 1.0), Range::Between(2.0, 3.0)]);
    }
}
