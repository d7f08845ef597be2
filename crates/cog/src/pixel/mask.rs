//! Masks by another raster, such as a classification or quality bits.
//!
//! ```text
//! MappedPixels ── tiles ──> blocks of the mask ── add ──> a byte per pixel of the block ──> Block::masked
//! ```
//!
//! Pixels outside of the mask raster, or at its invalid pixels, are masked.

use std::sync::Arc;

use super::mapped_blocks::{paste, take};
use super::plane::Plane;
use super::sample::Sample;
use super::{Block, Pixels, Visitor};
use crate::codec::{DecodedTile, Samples};
use crate::grid::MappedPixels;
use crate::{Error, Result, Tiling, Window};

/// Rule by which values of a mask raster keep a pixel valid.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MaskRule {
    /// These values.
    Keep(Vec<i64>),
    /// All values except these.
    Drop(Vec<i64>),
    /// Values with none of these bits set; bit 0 is the least significant.
    Bits(u64),
}

impl MaskRule {
    /// Creates a rule from bit positions.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a position beyond 63.
    pub fn bits(positions: &[i64]) -> Result<Self> {
        let bit = |position: &i64| u32::try_from(*position).ok().and_then(|position| 1u64.checked_shl(position));
        let mut bits = positions.iter().map(|position| {
            let wrong =
                || Error::InvalidArgument { what: format!("bits: expected positions from 0 to 63, found {position}") };
            bit(position).ok_or_else(wrong)
        });
        bits.try_fold(0, |all, bit| Ok(all | bit?)).map(Self::Bits)
    }

    /// Whether a pixel with this value stays valid.
    #[expect(clippy::cast_precision_loss, reason = "the values of a classification are small integers")]
    fn accepts(&self, value: f64) -> bool {
        let is_one_of = |values: &[i64]| values.iter().any(|known| *known as f64 == value);
        match self {
            Self::Keep(values) => is_one_of(values),
            Self::Drop(values) => !value.is_nan() && !is_one_of(values),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bits of two's complement")]
            Self::Bits(bits) => {
                let whole = if value < 0.0 { (value as i64) as u64 } else { value as u64 };
                value.fract() == 0.0 && whole & bits == 0
            }
        }
    }
}

/// Mask of a block, filled by blocks of the mask raster.
#[derive(Debug)]
pub struct Mask {
    pixels: MappedPixels,
    /// One byte per pixel in row-major order: 255 if valid, else 0.
    bytes: Vec<u8>,
}

impl Mask {
    /// Creates a mask for the pixels of a block, all invalid.
    #[must_use]
    pub fn new(pixels: MappedPixels) -> Self {
        let len = usize::try_from(pixels.window.pixels()).unwrap_or(usize::MAX);
        Self { pixels, bytes: vec![0; len] }
    }

    /// Creates a mask for a window that [`paste`](Self::paste) fills, all invalid.
    #[must_use]
    pub fn of_window(window: Window) -> Self {
        Self::new(MappedPixels::none(window))
    }

    /// Copies the mask of a part of the window.
    pub fn paste(&mut self, part: &Self) {
        paste((self.pixels.window, &mut self.bytes), (part.pixels.window, &part.bytes));
    }

    /// The tiles (row, col) of the mask raster whose blocks must be added.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        self.pixels.tiles(tiling)
    }

    /// Adds the pixels of a block of the mask raster.
    pub fn add(&mut self, block: &Block, rule: &MaskRule) {
        let classes = Classes::new(rule);
        take(&self.pixels, block, &mut self.bytes, || Accepted(&classes));
    }
}

/// A rule with its results for the values that most masks have.
struct Classes<'a> {
    rule: &'a MaskRule,
    /// For each value, a byte of a mask.
    bytes: [u8; 256],
}

impl<'a> Classes<'a> {
    fn new(rule: &'a MaskRule) -> Self {
        let mut bytes = [0; 256];
        (0..=u8::MAX).zip(&mut bytes).for_each(|(value, byte)| *byte = byte_of(rule.accepts(f64::from(value))));
        Self { rule, bytes }
    }

    #[inline]
    fn byte<T: Sample>(&self, sample: T) -> u8 {
        match u8::try_from(sample.whole()) {
            Ok(class) if T::WHOLE_BITS > 0 => self.bytes[usize::from(class)],
            _ => self.byte_of(sample.to_f64()),
        }
    }

    fn byte_of(&self, value: f64) -> u8 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the value")]
        let class = value as u8;
        match self.bytes.get(usize::from(class)) {
            Some(byte) if f64::from(class) == value => *byte,
            _ => byte_of(self.rule.accepts(value)),
        }
    }
}

fn byte_of(is_valid: bool) -> u8 {
    if is_valid { u8::MAX } else { 0 }
}

/// One byte per pixel: 255 if the rule accepts it.
struct Accepted<'a>(&'a Classes<'a>);

impl Visitor for Accepted<'_> {
    type Output = Vec<u8>;

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(pixels.len());
        pixels.for_each(|sample, is_valid| bytes.push(if is_valid { self.0.byte(sample) } else { 0 }));
        bytes
    }
}

impl Block {
    /// Applies a mask to the block.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the mask is for another window.
    pub fn masked(mut self, mask: Mask) -> Result<Self> {
        let window = mask.pixels.window;
        let tile = DecodedTile {
            width: window.width,
            height: window.height,
            samples_per_pixel: 1,
            samples: Samples::Uint8(mask.bytes),
            valid: None,
        };
        let plane = Plane::new(Arc::new(tile), (window.col_off, window.row_off), self.window, 0)?;
        self.masks.extend(self.mask.replace(plane));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let keep = MaskRule::Keep(vec![4, 5]);
        assert!(keep.accepts(4.0) && !keep.accepts(3.0) && !keep.accepts(4.5) && !keep.accepts(f64::NAN));
        let drop = MaskRule::Drop(vec![3, -1]);
        assert!(drop.accepts(4.0) && !drop.accepts(3.0) && !drop.accepts(-1.0) && !drop.accepts(f64::NAN));
        let bits = MaskRule::bits(&[1, 3, 63]).unwrap();
        assert!(bits.accepts(0.0) && bits.accepts(5.0) && !bits.accepts(2.0) && !bits.accepts(8.0));
        // Two's complement: all bits of -1 are set, and the highest of every negative number.
        assert!(!bits.accepts(-1.0) && !bits.accepts(-4.0) && !bits.accepts(0.5));
        for position in [-1, 64] {
            let error = MaskRule::bits(&[position]).unwrap_err().to_string();
            assert!(error.ends_with(&format!("bits: expected positions from 0 to 63, found {position}")), "{error}");
        }
    }

    #[test]
    fn classes_equal_the_rule() {
        let rules =
            [MaskRule::Keep(vec![4, 5, -7, 300]), MaskRule::Drop(vec![3, -1, 256]), MaskRule::Bits(0b1_0000_1010)];
        for rule in rules {
            let classes = Classes::new(&rule);
            let expected = |value: f64| byte_of(rule.accepts(value));
            for value in -600..=600_i16 {
                assert_eq!(classes.byte(value), expected(value.into()), "{rule:?}, {value}");
                assert_eq!(
                    classes.byte(f64::from(value) / 2.0),
                    expected(f64::from(value) / 2.0),
                    "{rule:?}, {value} / 2"
                );
            }
            for value in 0..=u8::MAX {
                assert_eq!(classes.byte(value), expected(value.into()), "{rule:?}, {value}");
            }
            // Beyond the range of signed integers, the lowest bits are compared with the class.
            for value in [u64::MAX, u64::MAX - 251, (1 << 63) + 4] {
                assert_eq!(classes.byte(value), expected(value.to_f64()), "{rule:?}, {value}");
            }
            for value in [f32::NAN, f32::INFINITY, -0.0, 1e30] {
                assert_eq!(classes.byte(value), expected(value.into()), "{rule:?}, {value}");
            }
        }
    }
}
