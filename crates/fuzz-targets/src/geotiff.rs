//! Values of single tags in an otherwise valid file, so that every input reaches their parsers.

use super::headers;

/// A tag, its type and its value.
type Entry<'a> = (u16, u16, &'a [u8]);

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const DOUBLE: u16 = 12;

/// A TIFF with one tile of 16 x 16 bytes and additional entries, whose values have whole units of their type.
fn tiff(more: &[Entry<'_>]) -> Vec<u8> {
    let number = |value: u16| value.to_le_bytes();
    let own: [(u16, [u8; 2]); 10] = [
        (256, number(16)),
        (257, number(16)),
        (258, number(8)),
        (259, number(1)),
        (262, number(1)),
        (277, number(1)),
        (322, number(16)),
        (323, number(16)),
        (324, number(8)),
        (325, number(256)),
    ];
    let own: Vec<Entry<'_>> = own.iter().map(|(tag, value)| (*tag, SHORT, value.as_slice())).collect();
    let mut entries = [own.as_slice(), more].concat();
    entries.sort_by_key(|(tag, ..)| *tag);
    let ifd = 8 + 256;
    let mut values = Vec::new();
    let mut file =
        [b"II*\0".as_slice(), &le(ifd), &[7; 256], &number(u16::try_from(entries.len()).unwrap_or(0))].concat();
    let behind = ifd + 2 + 12 * entries.len() + 4;
    for (tag, kind, value) in entries {
        let unit = match kind {
            ASCII => 1,
            SHORT => 2,
            _ => 8,
        };
        file.extend(number(tag));
        file.extend(number(kind));
        file.extend(le(value.len() / unit));
        if value.len() <= 4 {
            file.extend(value);
            file.resize(file.len() + 4 - value.len(), 0);
        } else {
            file.extend(le(behind + values.len()));
            values.extend(value);
            values.resize(values.len().next_multiple_of(8), 0);
        }
    }
    file.extend([0; 4]);
    file.extend(values);
    file
}

fn le(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

/// Splits into `eighths` eighths of the units, and the rest.
fn split(data: &[u8], unit: usize, eighths: usize) -> (&[u8], &[u8]) {
    let length = (data.len() * eighths / 8).next_multiple_of(unit).min(data.len() / unit * unit);
    data.split_at(length)
}

fn decode(entries: &[Entry<'_>]) {
    let file = tiff(entries);
    headers::header(&file);
    headers::info(&file);
}

/// GeoKeys and the tags that they refer to; the first byte defines their lengths.
pub(crate) fn geokeys(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let eighth = |shift: u8| usize::from(first >> shift & 7);
    let (keys, data) = split(data, 2, eighth(0) + 1);
    let (doubles, data) = split(data, 8, eighth(3));
    let (transform, text) = split(data, 8, eighth(5) & 3);
    decode(
        &[(33550, DOUBLE, transform), (33922, DOUBLE, transform), (34264, DOUBLE, transform)]
            .into_iter()
            .skip(eighth(6) & 1)
            .chain([(34735, SHORT, keys), (34736, DOUBLE, doubles), (34737, ASCII, text)])
            .collect::<Vec<_>>(),
    );
}

/// The XML of GDAL_METADATA.
pub(crate) fn gdal_metadata(data: &[u8]) {
    decode(&[(42112, ASCII, data)]);
}

/// The number of GDAL_NODATA.
pub(crate) fn nodata(data: &[u8]) {
    decode(&[(42113, ASCII, data)]);
}
