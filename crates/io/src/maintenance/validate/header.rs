//! Compares an index with the current headers of its files.

use rasteret_cog::{CogHeader, Level};

use super::super::collection::Href;
use super::metadata::Stored;
use crate::headers::Headers;
use crate::types::location::local_from_remote;
use crate::{CogFile, Location, Result};

/// Reads the headers of the rows that have no other problem and reports those that differ from the index. Each distinct
/// file is read once.
pub(super) fn check(
    headers: &Headers,
    stored: &Stored<'_>,
    hrefs: &[Option<Href>],
    sound: &[bool],
    mut say: impl FnMut(usize, String),
) {
    let sound = hrefs.iter().zip(sound).enumerate();
    let sound = sound.filter_map(|(row, (href, sound))| Some((row, href.as_ref().filter(|_| *sound)?)));
    let (refused, requested): (Vec<_>, Vec<_>) = sound.partition(|(_, href)| href.refused);
    for (row, href) in refused {
        say(row, local_from_remote(&href.opened).map(|error| error.to_string()).unwrap_or_default());
    }
    let requested: Vec<(usize, &str)> = requested.into_iter().map(|(row, href)| (row, &*href.opened)).collect();
    let files = headers.current_headers(&requested.iter().map(|(_, href)| *href).collect::<Vec<_>>());
    for ((row, href), file) in requested.into_iter().zip(files) {
        match file.and_then(|file| narrowed(&file, href, stored.integer("band_index", row))) {
            Err(error) => say(row, error.to_string()),
            Ok(header) => {
                let different = differences(stored, row, &header);
                if !different.is_empty() {
                    say(row, format!("the file is not the one indexed: {}", different.join(", ")));
                }
            }
        }
    }
}

/// The header as the index would hold it.
fn narrowed(file: &CogFile, href: &str, band: Option<i64>) -> Result<CogHeader> {
    match band.and_then(|band| u32::try_from(band).ok()) {
        None => Ok(file.header.as_ref().clone()),
        Some(band) => file.header.for_band(band).map_err(|source| match Location::parse_any(href) {
            Ok(location) => crate::Error::Header { location, source },
            Err(error) => error,
        }),
    }
}

/// The fields in which a row differs from the file's header.
fn differences(stored: &Stored<'_>, row: usize, header: &CogHeader) -> Vec<String> {
    let image: &Level = &header.image;
    let mut different = Vec::new();
    let integers = [
        ("image_width", i64::from(image.image_width)),
        ("image_height", image.image_height.into()),
        ("tile_width", image.tile_width.into()),
        ("tile_height", image.tile_height.into()),
        ("predictor", image.encoding.predictor.code().into()),
        ("samples_per_pixel", image.encoding.samples_per_pixel.into()),
        ("planar_configuration", image.encoding.planar_configuration.code().into()),
    ];
    for (name, now) in integers {
        if let Some(indexed) = stored.integer(name, row).filter(|indexed| *indexed != now) {
            different.push(format!("{name} {now} instead of {indexed}"));
        }
    }
    if let Some(indexed) = stored.text("dtype", row).filter(|indexed| *indexed != image.encoding.dtype.name()) {
        different.push(format!("dtype {} instead of {indexed}", image.encoding.dtype.name()));
    }
    if let Some(indexed) = stored.compression(row).filter(|indexed| *indexed != image.encoding.compression) {
        different.push(format!("compression {} instead of {indexed}", image.encoding.compression));
    }
    if stored.transform(row) != header.transform.map(|transform| transform.to_array()) {
        different.push("another transform".to_owned());
    }
    let nodata = |number: f64| if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
    if stored.number("nodata", row).map(nodata) != header.nodata.map(nodata) {
        different.push("another nodata".to_owned());
    }
    if let Some(indexed) = stored.text("crs", row)
        && header.crs.as_ref().map(ToString::to_string).as_deref() != Some(indexed)
    {
        different.push("another crs".to_owned());
    }
    let offsets = image.tile_offsets.iter().map(|offset| i64::try_from(*offset).ok());
    let counts = image.tile_byte_counts.iter().map(|count| Some(i64::from(*count)));
    if !stored.integers("tile_offsets", row).unwrap_or_default().into_iter().eq(offsets) {
        different.push("other tile_offsets".to_owned());
    }
    if !stored.integers("tile_byte_counts", row).unwrap_or_default().into_iter().eq(counts) {
        different.push("other tile_byte_counts".to_owned());
    }
    different
}
