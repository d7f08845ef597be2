//! Means of two by two pixels: overviews by average of levels with even sides.

use super::number::{Number, PixelRow};

/// Samples whose means are computed without shares.
pub(super) trait Halved: Number {
    /// A type for sums.
    type Sum: Copy + Default + std::ops::AddAssign;

    fn widened(self) -> Self::Sum;

    /// The mean of 1 to 4 samples. Integers are rounded, halves away from zero.
    fn mean(sum: Self::Sum, count: u32) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Halved for $type {
            type Sum = i64;

            #[inline]
            fn widened(self) -> i64 {
                i64::from(self)
            }

            #[inline]
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean is within the range of its samples")]
            fn mean(sum: i64, count: u32) -> Self {
                let half = |sum: i64| match count {
                    1 => sum,
                    2 => (sum + 1) / 2,
                    3 => (2 * sum + 3) / 6,
                    _ => (sum + 2) / 4,
                };
                (if sum < 0 { -half(-sum) } else { half(sum) }) as Self
            }
        }
    )*};
}

integers!(u8 u16 u32 i8 i16 i32);

impl Halved for f32 {
    type Sum = f64;

    #[inline]
    fn widened(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "rounds")]
    fn mean(sum: f64, count: u32) -> Self {
        (sum / f64::from(count)) as Self
    }
}

impl Halved for f64 {
    type Sum = f64;

    #[inline]
    fn widened(self) -> f64 {
        self
    }

    #[inline]
    fn mean(sum: f64, count: u32) -> Self {
        sum / f64::from(count)
    }
}

/// Reduces two rows of an even number of pixels of so many bands.
pub(super) fn halve<T: Halved>(rows: [&PixelRow; 2], bands: usize, nodata: Option<T>) -> PixelRow {
    let size = size_of::<T>();
    let stride = bands * size;
    let pixels = rows[0].samples.len() / stride.max(1) / 2;
    let mut samples = Vec::with_capacity(pixels * stride);
    let masks = rows[0].mask.as_deref().zip(rows[1].mask.as_deref());
    let mut mask = masks.map(|_| Vec::with_capacity(pixels));
    let pairs = rows[0].samples.chunks_exact(2 * stride).zip(rows[1].samples.chunks_exact(2 * stride));
    for (pixel, (upper, lower)) in pairs.enumerate() {
        let valid = masks.map_or([true; 4], |(upper, lower)| {
            let at = |mask: &[u8], column: usize| mask.get(column).is_some_and(|byte| *byte != 0);
            [at(upper, 2 * pixel), at(upper, 2 * pixel + 1), at(lower, 2 * pixel), at(lower, 2 * pixel + 1)]
        });
        let ((a, b), (c, d)) = (upper.split_at(stride), lower.split_at(stride));
        let bands = a.chunks_exact(size).zip(b.chunks_exact(size)).zip(c.chunks_exact(size)).zip(d.chunks_exact(size));
        let mut any = 0;
        for (((a, b), c), d) in bands {
            let (mut sum, mut count) = (T::Sum::default(), 0);
            for (value, valid) in [a, b, c, d].map(T::read).into_iter().zip(valid) {
                if valid && !value.is_nan() && nodata != Some(value) {
                    sum += value.widened();
                    count += 1;
                }
            }
            let value = match (count, nodata) {
                (0, nodata) => nodata.unwrap_or(T::INVALID),
                (count, nodata) => T::mean(sum, count).unlike(nodata),
            };
            any |= u8::from(count > 0);
            value.write(&mut samples);
        }
        if let Some(mask) = &mut mask {
            mask.push(255 * any);
        }
    }
    PixelRow { samples, mask }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_rounded_away_from_zero() {
        for (values, expected) in [
            (vec![1, 2], 2),
            (vec![-1, -2], -2),
            (vec![1, 1, 2], 1),
            (vec![1, 2, 2], 2),
            (vec![-1, -1, 0], -1),
            (vec![0, 0, 1, 1], 1),
            (vec![0, 0, 0, 1], 0),
            (vec![-1, -1, 0, 0], -1),
            (vec![i32::MAX; 4], i32::MAX),
            (vec![i32::MIN; 4], i32::MIN),
            (vec![i32::MIN; 3], i32::MIN),
            (vec![7], 7),
        ] {
            let sum = values.iter().map(|value| i64::from(*value)).sum();
            assert_eq!(i32::mean(sum, u32::try_from(values.len()).unwrap()), expected, "{values:?}");
        }
        assert_eq!(u32::mean(4 * i64::from(u32::MAX), 4), u32::MAX);
    }
}
