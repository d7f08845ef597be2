//! Band names and descriptive tags, named as in GDAL and rasterio's `tags()`.

use std::collections::HashMap;

use crate::geo::{AreaOrPoint, GdalItem, area_or_point, gdal_items};
use crate::header::descriptive::{DESCRIPTIVE, ValueFormat};
use crate::tiff::Tag;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;
use crate::tiff::value::Value;

/// Band names and tags of an image.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) band_names: Vec<Option<String>>,
    pub(super) tags: Vec<(String, String)>,
    /// Index of each tag in `tags`, by its lower-case name.
    places: HashMap<String, usize>,
}

impl Described {
    /// Reads the tags of an image with `bands` bands.
    pub(super) fn read(file: &File, ifd: &Ifd, bands: u16) -> Self {
        let mut described = Self { band_names: vec![None; bands.into()], ..Self::default() };
        for (code, name, format) in DESCRIPTIVE {
            if let Some(text) = ifd.find_value(file, Tag(code)).and_then(|value| format_value(&value, format)) {
                described.set(name, text);
            }
        }
        for item in gdal_items(file, ifd) {
            described.take(item);
        }
        if let Some(meaning) = area_or_point(file, ifd) {
            let text = match meaning {
                AreaOrPoint::Area => "Area",
                AreaOrPoint::Point => "Point",
            };
            described.set("AREA_OR_POINT", text.to_owned());
        }
        described
    }

    fn take(&mut self, item: GdalItem) {
        let GdalItem { name, text, band, role, domain } = item;
        match band {
            Some(band) if role.eq_ignore_ascii_case("description") => {
                if let Some(band_name) = self.band_names.get_mut(band) {
                    *band_name = Some(text).filter(|text| !text.is_empty());
                }
            }
            None if domain.is_empty() && !name.is_empty() => self.set(&name, text),
            _ => {}
        }
    }

    /// Sets a tag, replacing one of the same name. Like GDAL's string lists, ignores case.
    fn set(&mut self, name: &str, text: String) {
        let place = *self.places.entry(name.to_ascii_lowercase()).or_insert(self.tags.len());
        match self.tags.get_mut(place) {
            Some(known) => known.1 = text,
            None => self.tags.push((name.to_owned(), text)),
        }
    }
}

fn format_value(value: &Value<'_>, format: ValueFormat) -> Option<String> {
    match format {
        ValueFormat::Text => value.text().ok().map(std::borrow::Cow::into_owned),
        ValueFormat::Number => value.number().map(eight_digits),
        ValueFormat::Unit => {
            let unit = value.integers::<u16>().ok()?.first().copied()?;
            Some(match unit {
                1 => "1 (unitless)".to_owned(),
                2 => "2 (pixels/inch)".to_owned(),
                3 => "3 (pixels/cm)".to_owned(),
                other => other.to_string(),
            })
        }
    }
}

/// Formats a number like C's `%.8g`.
fn eight_digits(number: f64) -> String {
    let scientific = format!("{number:.7e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return number.to_string();
    };
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match exponent.parse::<i32>() {
        Ok(exponent @ -4..8) => trimmed(&format!("{number:.*}", usize::try_from(7 - exponent).unwrap_or(0))),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
        }
        Err(_) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::eight_digits;

    #[test]
    fn numbers_are_formatted_as_in_c() {
        for (number, text) in [
            (72.5, "72.5"),
            (300.0, "300"),
            (0.0, "0"),
            (1.0 / 3.0, "0.33333333"),
            (123_456_789.0, "1.2345679e+08"),
            (99_999_999.0, "99999999"),
            (0.000_012, "1.2e-05"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(eight_digits(number), text);
        }
    }
}
