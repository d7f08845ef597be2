//! ColorMap (TIFF 6.0, section 5): 16-bit reds, then greens, then blues, one per possible sample value.

use crate::header::cog_header::CogHeader;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;
use crate::tiff::{Photometric, Tag};

/// Red, green, blue and alpha, from 0 to 255.
pub type Color = [u16; 4];

/// Returns the colours of a palette image; None for other images, and if the length of the map does not fit the bit
/// depth.
pub(super) fn read(file: &File, ifd: &Ifd, header: &CogHeader) -> Option<Vec<Color>> {
    let encoding = &header.image.encoding;
    let bits = encoding.bits_per_sample.first().copied().filter(|bits| (1..=16).contains(bits))?;
    if encoding.photometric != Some(Photometric::Palette) {
        return None;
    }
    let values: Vec<u16> = ifd.find_value(file, Tag::COLOR_MAP)?.integers().ok()?;
    let count = 1usize << bits;
    if values.len() != 3 * count {
        return None;
    }
    let divisor = divisor(&values);
    let (reds, rest) = values.split_at(count);
    let (greens, blues) = rest.split_at(count);
    let colors = reds.iter().zip(greens).zip(blues).map(|((red, green), blue)| {
        let [red, green, blue] = [red, green, blue].map(|value| value / divisor);
        [red, green, blue, 255]
    });
    let mut colors: Vec<Color> = colors.collect();
    // As in GDAL, the nodata value is transparent.
    let nodata = header.nodata.filter(|nodata| nodata.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(nodata));
    // An integer below 2^32.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    if let Some(color) = nodata.and_then(|nodata| colors.get_mut(nodata as usize)) {
        color[3] = 0;
    }
    Some(colors)
}

/// Returns the divisor that maps entries to 0–255. 65535 represents 255, so the divisor is 257. Some writers shift by 8
/// bits, which yields multiples of 256, and some store 0 to 255 directly.
fn divisor(values: &[u16]) -> u16 {
    if values.iter().all(|value| *value < 256) {
        1
    } else if values.iter().all(|value| value.is_multiple_of(256)) {
        256
    } else {
        257
    }
}
