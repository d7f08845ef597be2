//! Checks of the COG layout (OGC 21-026; GDAL's `validate_cloud_optimized_geotiff.py`) that need only the header.
//!
//! ```text
//! header  [GDAL's ghost area]  IFD of the image  IFDs of overviews, largest first  │  pixels of the smallest overview … of the image
//! ```
//!
//! Not checked: external overviews (`.ovr`), and the leaders and trailers of blocks.

use crate::FilePosition;
use crate::header::cog_header::CogHeader;
use crate::header::level::Level;
use crate::header::level_reader::level;
use crate::header::roles::Role;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;

/// Maximum width and height of an image that may be untiled.
const SMALL: u32 = 512;

/// Start of GDAL's ghost area; six digits, ` bytes` and a newline follow, then as many bytes as the digits say.
const GHOST: &[u8] = b"GDAL_STRUCTURAL_METADATA_SIZE=";
const GHOST_START: u64 = 43;

/// Maximum bytes of a ghost area to inspect. GDAL writes about 250.
const GHOST_MAX: u64 = 4096;

/// Text that GDAL writes to the ghost area when an optimized file is modified.
const EDITED: &[u8] = b"KNOWN_INCOMPATIBLE_EDITION=YES";

/// An image of the main chain: the offset of its IFD, and its tiles.
struct Placed {
    ifd: u64,
    level: Level,
}

/// Returns descriptions of the violated rules. `images` are the IFDs of the main chain, without pages, in chain order.
pub(super) fn faults(file: &File, images: &[(Role, &Ifd)], header: &CogHeader) -> Vec<String> {
    let Some((_, first)) = images.first() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let image = Placed { ifd: first.offset, level: header.image.clone() };
    let bands = header.image.encoding.samples_per_pixel;
    // In chain order, unlike the overviews of the header.
    let overviews: Vec<Placed> = images
        .iter()
        .filter(|(role, _)| *role == Role::Overview)
        .filter_map(|(_, ifd)| Some(Placed { ifd: ifd.offset, level: level(file, ifd).ok()? }))
        .filter(|overview| overview.level.encoding.samples_per_pixel == bands)
        .collect();
    check_tiles(&image.level, "the image", &mut faults);
    check_start(file, first, &mut faults);
    check_ifds(&image, &overviews, &mut faults);
    check_pixels(&image, &overviews, &mut faults);
    faults
}

fn check_tiles(level: &Level, name: &str, faults: &mut Vec<String>) {
    let (width, height) = (level.image_width, level.image_height);
    if !level.is_tiled && (width > SMALL || height > SMALL) {
        faults.push(format!("{name} is larger than {SMALL} x {SMALL} pixels ({width} x {height}) and has no tiles"));
    }
}

/// The IFD of the image must be at the start of the file, after the ghost area if there is one.
fn check_start(file: &File, first: &Ifd, faults: &mut Vec<String>) {
    let header_end = if first.header.is_big { 16 } else { 8 };
    let bytes = |offset, length| file.get(offset, length, FilePosition::byte(offset)).ok().flatten();
    let ghost = bytes(header_end, GHOST_START).filter(|start| start.starts_with(GHOST)).and_then(|start| {
        let digits = std::str::from_utf8(start.get(GHOST.len()..GHOST.len() + 6)?).ok()?;
        digits.parse::<u64>().ok()
    });
    let end = ghost.map_or(header_end, |length| header_end + GHOST_START + length);
    // IFDs start at even offsets.
    if first.offset != end && first.offset != end + end % 2 {
        faults.push(format!(
            "the IFD of the image stands at byte {}, expected at byte {}",
            first.offset,
            end + end % 2
        ));
    }
    let text = ghost.and_then(|length| bytes(header_end + GHOST_START, length.min(GHOST_MAX)));
    if text.is_some_and(|text| text.windows(EDITED.len()).any(|words| words == EDITED)) {
        faults.push(
            "the file was changed after its layout had been optimized (KNOWN_INCOMPATIBLE_EDITION=YES)".to_owned(),
        );
    }
}

/// Overviews must decrease in size, be tiled, and have IFDs in file order.
fn check_ifds(image: &Placed, overviews: &[Placed], faults: &mut Vec<String>) {
    let mut before = image;
    for (index, overview) in overviews.iter().enumerate() {
        let previous = match index {
            0 => "the image".to_owned(),
            _ => format!("overview {}", index - 1),
        };
        let (level, larger) = (&overview.level, &before.level);
        if level.image_width > larger.image_width || level.image_height > larger.image_height {
            faults.push(format!("overview {index} is larger than {previous}"));
        }
        check_tiles(level, &format!("overview {index}"), faults);
        if overview.ifd < before.ifd {
            faults.push(format!(
                "the IFD of overview {index} stands at byte {}, before that of {previous} at byte {}",
                overview.ifd, before.ifd
            ));
        }
        before = overview;
    }
}

/// Pixel data must follow the IFDs, starting with the smallest overview.
fn check_pixels(image: &Placed, overviews: &[Placed], faults: &mut Vec<String>) {
    let mut names = vec!["the image".to_owned()];
    names.extend((0..overviews.len()).map(|index| format!("overview {index}")));
    let placed: Vec<&Placed> = std::iter::once(image).chain(overviews).collect();
    let first_tile = |placed: &Placed| placed.level.tile_offsets.iter().copied().find(|offset| *offset > 0);
    if let (Some(last), Some(name)) = (placed.last(), names.last())
        && first_tile(last).is_some_and(|offset| offset < last.ifd)
    {
        faults.push(format!("the pixels of {name} begin before its IFD"));
    }
    for index in (1..placed.len()).rev() {
        if let (Some(larger), Some(smaller)) = (first_tile(placed[index - 1]), first_tile(placed[index]))
            && larger < smaller
        {
            faults.push(format!("the pixels of {} begin before those of {}", names[index - 1], names[index]));
        }
    }
}
