//! GDAL_METADATA (42112): scale, offset and nodata, as interpreted by GDAL 3.10.
//!
//! ```xml
//! <GDALMetadata>
//!   <Item name="OFFSET" sample="0" role="offset">-0.1</Item>
//!   <Item name="SCALE" sample="0" role="scale">0.0001</Item>
//!   <Item name="NODATA_VALUES">0 0 0</Item>
//! </GDALMetadata>
//! ```

use super::minixml::{Item, for_each_item, unescaped};
use super::number::{float, float_with_point, signed};

/// The values used from a GDAL_METADATA.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct GdalMetadata {
    /// Scale of each band, 1 for bands without one; None if no band has one.
    pub(crate) scale: Option<Vec<f64>>,
    /// Offset of each band, 0 for bands without one; None if no band has one.
    pub(crate) offset: Option<Vec<f64>>,
    /// NODATA_VALUE, or NODATA_VALUES if all bands have the same.
    pub(crate) nodata: Option<f64>,
    /// NODATA_VALUES, one per band.
    pub(crate) nodata_values: Option<Vec<f64>>,
}

impl GdalMetadata {
    /// Parses the text for a file with `bands` bands. A document that GDAL rejects is ignored, see [`super::minixml`].
    pub(crate) fn parse(text: &[u8], bands: u16) -> Self {
        let mut reader = Reader { bands: usize::from(bands), ..Reader::default() };
        match for_each_item(text, |item| reader.take(item)) {
            Some(()) => reader.finish(),
            None => Self::default(),
        }
    }
}

/// Evaluates items.
#[derive(Default)]
struct Reader {
    bands: usize,
    scale: Option<Vec<f64>>,
    offset: Option<Vec<f64>>,
    /// Dataset-level items; the last one of a name counts.
    nodata_value: Option<Vec<u8>>,
    nodata_values: Option<Vec<u8>>,
}

impl Reader {
    fn take(&mut self, item: Item) {
        let Item { name: Some(name), sample, role, domain, text: Some(text) } = item else {
            return;
        };
        let domain = domain.unwrap_or_default();
        if domain.eq_ignore_ascii_case(b"IMAGE_STRUCTURE") {
            return;
        }
        // GDAL unescapes texts twice.
        let text = unescaped(&text);
        let role = role.unwrap_or_default();
        match sample.map_or(-1, |sample| c_int(signed(&sample))) {
            -1 if domain.is_empty() && name.eq_ignore_ascii_case(b"NODATA_VALUES") => self.nodata_values = Some(text),
            -1 if domain.is_empty() && name.eq_ignore_ascii_case(b"NODATA_VALUE") => self.nodata_value = Some(text),
            band => {
                let (values, default) = match () {
                    () if role.eq_ignore_ascii_case(b"scale") => (&mut self.scale, 1.0),
                    () if role.eq_ignore_ascii_case(b"offset") => (&mut self.offset, 0.0),
                    () => return,
                };
                if let Some(band) = usize::try_from(band).ok().filter(|band| *band < self.bands) {
                    values.get_or_insert_with(|| vec![default; self.bands])[band] = float(&text);
                }
            }
        }
    }

    fn finish(self) -> GdalMetadata {
        // GDAL ignores a list that does not have one value per band.
        let nodata_values = self.nodata_values.map(|text| numbers(&text, self.bands)).filter(|n| n.len() == self.bands);
        let common = nodata_values.as_deref().and_then(common_value);
        GdalMetadata {
            scale: self.scale,
            offset: self.offset,
            nodata: common.or_else(|| self.nodata_value.map(|text| float_with_point(&text))),
            nodata_values,
        }
    }
}

/// Numbers of a list separated by blanks, at most `count + 1`.
fn numbers(list: &[u8], count: usize) -> Vec<f64> {
    let texts = list.split(|byte| *byte == b' ').filter(|text| !text.is_empty());
    texts.take(count + 1).map(float_with_point).collect()
}

/// The common value of a list.
fn common_value(numbers: &[f64]) -> Option<f64> {
    let first = *numbers.first()?;
    numbers.iter().all(|other| *other == first || other.is_nan() && first.is_nan()).then_some(first)
}

/// Converts a number to C's `int`, as `atoi` truncates it.
#[expect(clippy::cast_possible_truncation, reason = "as GDAL does")]
fn c_int(number: i64) -> i32 {
    number as i32
}

#[cfg(test)]
mod tests {
    use super::GdalMetadata;

    #[test]
    fn scale_and_offset_are_per_band() {
        let xml = br#"<GDALMetadata>
            <Item name="X" sample="1" role="scale">0.5</Item>
            <Item name="SCALE" sample="0">7</Item>
            <Item name="OFFSET" sample="9" role="offset">7</Item>
            <Item name="OFFSET" sample="2" role="Offset">1,5</Item>
            <Item name="NODATA_VALUES">0 0 0</Item>
        </GDALMetadata>"#;
        let metadata = GdalMetadata::parse(xml, 3);
        assert_eq!(metadata.scale, Some(vec![1.0, 0.5, 1.0]));
        assert_eq!(metadata.offset, Some(vec![0.0, 0.0, 1.5]));
        assert_eq!((metadata.nodata, metadata.nodata_values), (Some(0.0), Some(vec![0.0; 3])));
    }

    #[test]
    fn documents_rejected_by_gdal_are_ignored() {
        let item = r#"<Item name="SCALE" sample="0" role="scale">2</Item>"#;
        for xml in [
            String::new(),
            "\0".to_owned(),
            format!("<GDALMetadata>{item}"),
            format!("<GDALMetadata>{item}</Metadata>"),
            format!("<GDALMetadata>{item}</GDALMetadata"),
            format!("<GDALMetadata>{item}<Item name></Item></GDALMetadata>"),
            format!("<!DOCTYPE a [<GDALMetadata>{item}</GDALMetadata>"),
            format!("<Metadata>{item}</Metadata>"),
        ] {
            assert_eq!(GdalMetadata::parse(xml.as_bytes(), 1), GdalMetadata::default(), "{xml}");
        }
    }

    #[test]
    fn nodata_values_are_those_of_all_bands() {
        let of = |items: &str| {
            let metadata = GdalMetadata::parse(format!("<GDALMetadata>{items}</GDALMetadata>").as_bytes(), 2);
            (metadata.nodata, metadata.nodata_values)
        };
        let values = |list: &str| of(&format!("<Item name=\"NODATA_VALUES\">{list}</Item>"));
        assert_eq!(values("0 1"), (None, Some(vec![0.0, 1.0])));
        assert_eq!(values("  7   7 "), (Some(7.0), Some(vec![7.0, 7.0])));
        assert_eq!(values("0"), (None, None));
        assert_eq!(values("0 0 0"), (None, None));
        // Only blanks separate values; a comma ends a number.
        assert_eq!(values("0\t0"), (None, None));
        assert_eq!(values("1,5 1"), (Some(1.0), Some(vec![1.0, 1.0])));
        assert_eq!(of("<Item name=\"NODATA_VALUE\">5</Item>"), (Some(5.0), None));
        // The last item of a name is used; items of a band or another domain are ignored.
        let last = "<Item name=\"NODATA_VALUES\">1 1</Item><Item name=\"nodata_values\">2 2</Item>\
            <Item name=\"NODATA_VALUES\" sample=\"0\">3 3</Item><Item name=\"NODATA_VALUES\" domain=\"X\">4 4</Item>";
        assert_eq!(of(last), (Some(2.0), Some(vec![2.0, 2.0])));
    }
}
