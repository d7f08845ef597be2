//! What GDAL adds to a file: GDAL_NODATA (42113) as text, and GDAL_METADATA (42112) as XML.
//!
//! ```xml
//! <GDALMetadata>
//!   <Item name="OFFSET" sample="0" role="offset">-0.1</Item>
//!   <Item name="SCALE" sample="0" role="scale">0.0001</Item>
//!   <Item name="NODATA_VALUES">0 0 0</Item>
//! </GDALMetadata>
//! ```

/// What is of use here of a GDAL_METADATA.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct GdalMetadata {
    /// Scale of each band, 1 where only other bands have one; None when no band has.
    pub(crate) scale: Option<Vec<f64>>,
    /// Offset of each band, 0 where only other bands have one; None when no band has.
    pub(crate) offset: Option<Vec<f64>>,
    /// NODATA_VALUE or NODATA_VALUES, where all bands have the same.
    pub(crate) nodata: Option<f64>,
}

/// XML nodes that are read at most: a band has a few dozen items, and bands are at most 65,535.
const MAX_NODES: u32 = 4_000_000;

impl GdalMetadata {
    /// Reads the XML for a file of so many bands. Text that is not XML says nothing, as for GDAL.
    pub(crate) fn parse(xml: &str, bands: u16) -> Self {
        let mut metadata = Self::default();
        let options = roxmltree::ParsingOptions { nodes_limit: MAX_NODES, ..roxmltree::ParsingOptions::default() };
        let Ok(document) = roxmltree::Document::parse_with_options(xml, options) else {
            return metadata;
        };
        let bands = usize::from(bands);
        for item in document.root_element().children().filter(|node| node.has_tag_name("Item")) {
            let text = item.text().unwrap_or_default();
            let band = item.attribute("sample").and_then(|sample| sample.trim().parse::<usize>().ok());
            let (values, default) = match item.attribute("role") {
                Some("scale") => (&mut metadata.scale, 1.0),
                Some("offset") => (&mut metadata.offset, 0.0),
                _ => {
                    let name = item.attribute("name").unwrap_or_default();
                    // Items of other domains say other things under the same name.
                    if ["NODATA_VALUE", "NODATA_VALUES"].contains(&name) && !item.has_attribute("domain") {
                        metadata.nodata = metadata.nodata.or_else(|| common_value(text));
                    }
                    continue;
                }
            };
            if let (Some(band), Some(number)) = (band, number(text)) {
                let values = values.get_or_insert_with(|| vec![default; bands]);
                if let Some(value) = values.get_mut(band) {
                    *value = number;
                }
            }
        }
        metadata
    }
}

/// The value that all numbers of a list share: a file has one nodata here, so differing ones are none.
fn common_value(list: &str) -> Option<f64> {
    let mut numbers = list.split_whitespace().map(number);
    let first = numbers.next()??;
    numbers.all(|other| other.is_some_and(|other| other == first || other.is_nan() && first.is_nan())).then_some(first)
}

/// The number that a GDAL_NODATA holds, read as GDAL reads it, which is as C's `strtod`: the longest number that the text
/// starts with, `nan` and `inf` in any case among them, and 0 where it starts with none. None for a text of blanks.
///
/// A comma counts as the decimal point: GDAL takes either, since files were written under other locales.
pub(crate) fn nodata(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return None;
    }
    // Rust takes C's notation as a whole, nan and inf in any case among it.
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let unsigned = text.trim_start_matches(['-', '+']);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let starts_with = |prefix: &str| {
        let start = unsigned.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // Visual C's spellings, which GDAL wrote on Windows, begin with "1.#".
    if ["nan", "1.#QNAN", "1.#SNAN", "1.#IND"].into_iter().any(starts_with) {
        return Some(f64::NAN);
    }
    if ["inf", "1.#INF"].into_iter().any(starts_with) {
        return Some(sign * f64::INFINITY);
    }
    let text = text.replacen(',', ".", 1);
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    // No number that means something is longer: it bounds the quadratic search for the longest prefix.
    let longest = ends.take(400).collect::<Vec<_>>().into_iter().rev();
    let mut prefixes = longest.filter_map(|end| text[..end].parse().ok());
    Some(prefixes.next().unwrap_or(0.0))
}

/// A number of GDAL_METADATA.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{GdalMetadata, nodata};

    #[test]
    fn scale_and_offset_are_per_band() {
        let xml = r#"<GDALMetadata>
            <Item name="X" sample="1" role="scale">0.5</Item>
            <Item name="SCALE" sample="0">7</Item>
            <Item name="OFFSET" sample="9" role="offset">7</Item>
            <Item name="NODATA_VALUES">0 0 0</Item>
        </GDALMetadata>"#;
        let metadata = GdalMetadata::parse(xml, 3);
        assert_eq!(metadata.scale, Some(vec![1.0, 0.5, 1.0]));
        assert_eq!(metadata.offset, Some(vec![0.0, 0.0, 0.0]));
        assert_eq!(metadata.nodata, Some(0.0));
    }

    #[test]
    fn what_is_not_xml_says_nothing() {
        for xml in ["", "<GDALMetadata>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "\u{0}"] {
            assert_eq!(GdalMetadata::parse(xml, 1), GdalMetadata::default());
        }
    }

    #[test]
    fn differing_nodata_values_are_none() {
        let xml = "<GDALMetadata><Item name=\"NODATA_VALUES\">0 1</Item></GDALMetadata>";
        assert_eq!(GdalMetadata::parse(xml, 2).nodata, None);
    }

    #[test]
    fn nodata_as_gdal_reads_it() {
        for (text, expected) in [
            (" -9999\n", -9999.0),
            ("-3.4028234663852886e+038\0", -3.402_823_466_385_288_6e38),
            ("-inf", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
            ("1e400", f64::INFINITY),
            ("-1.#INF", f64::NEG_INFINITY),
            (".5", 0.5),
            ("1.", 1.0),
            ("+7", 7.0),
            ("1,5", 1.5),
            ("-9999 0", -9999.0),
            ("255\u{e9}", 255.0),
            ("0x10", 0.0),
            ("none", 0.0),
        ] {
            assert_eq!(nodata(text), Some(expected), "{text:?}");
        }
        for text in ["nan", "NaN", "-nan", "nan(0x8)", "-1.#IND"] {
            assert!(nodata(text).is_some_and(f64::is_nan), "{text}");
        }
        assert_eq!(nodata(" \n\0"), None);
    }
}
