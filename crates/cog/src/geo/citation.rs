//! CRS definitions in citations, beyond a name.

use super::keys::{GeoKeys, key};

/// GeodeticCitationGeoKey as written by GDAL and Esri:
/// `GCS Name = NAD83|Datum = North_American_Datum_1983|Ellipsoid = GRS 1980|Primem = Greenwich|AUnits = Degree`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) datum: Option<&'a str>,
    pub(super) ellipsoid: Option<&'a str>,
    pub(super) prime_meridian: Option<&'a str>,
    pub(super) unit: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Parses a text of that form; any other text is a name.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut parts = Self::default();
        let mut is_structured = false;
        for part in text.split('|') {
            if let Some((label, value)) = part.split_once(" = ") {
                let field = match label.trim() {
                    "GCS Name" => &mut parts.name,
                    "Datum" => &mut parts.datum,
                    "Ellipsoid" => &mut parts.ellipsoid,
                    "Primem" => &mut parts.prime_meridian,
                    "AUnits" => &mut parts.unit,
                    _ => continue,
                };
                *field = Some(value.trim());
                is_structured = true;
            }
        }
        if !is_structured {
            parts.name = Some(text.trim()).filter(|name| !name.is_empty());
        }
        parts
    }
}

/// The linear unit of a citation, which overrides the keys.
#[derive(Debug, PartialEq)]
pub(super) enum CitedUnit {
    /// No unit is named.
    None,
    /// Size of the unit in metres.
    Metres(f64),
    /// A unit of unknown or ambiguous size.
    Unclear,
}

const US_SURVEY_FOOT: f64 = 12.0 / 39.37;

/// Units that GDAL recognizes after `LUnits = `, except for those it confuses: `mm`, `mi`, `mile`, `miles` and `in`.
const UNITS: [(&[&str], f64); 11] = [
    (&["meters", "meter", "m", "metre", "metres"], 1.0),
    (&["centimeters", "centimeter", "cm"], 0.01),
    (&["millimeters", "millimeter"], 0.001),
    (&["kilometers", "kilometer", "km"], 1000.0),
    (&["us_survey_feet", "us_survey_foot", "feet", "foot", "ft"], US_SURVEY_FOOT),
    (&["international_feet", "international_foot"], 0.3048),
    (&["inches", "inch"], 0.025_400_050_800_1),
    (&["yards", "yard", "yd"], 0.9144),
    (&["modified_american_feet", "modified_american_foot"], 0.304_812_253),
    (&["clarke_feet", "clarke_foot"], 0.304_797_265_1),
    (&["indian_feet", "indian_foot"], 0.304_799_514_2),
];

fn named(name: &str) -> Option<f64> {
    let is_name = |known: &&str| known.eq_ignore_ascii_case(name);
    UNITS.iter().find(|(names, _)| names.iter().any(is_name)).map(|(_, size)| *size)
}

/// The unit named by CitationGeoKey or, for a projected CRS without a code, by its own citation.
pub(super) fn linear_unit(keys: &GeoKeys, has_code: bool) -> CitedUnit {
    let in_key = |key| keys.text(key).map_or(CitedUnit::None, |text| unit_in(keys, &text));
    match in_key(key::CITATION) {
        CitedUnit::None if !has_code => in_key(key::PROJECTED_CITATION),
        unit => unit,
    }
}

fn unit_in(keys: &GeoKeys, text: &str) -> CitedUnit {
    if text.contains("IMAGINE GeoTIFF") {
        let unit = text.lines().find_map(|line| line.trim().strip_prefix("Units = "));
        return unit.map_or(CitedUnit::None, |unit| named(unit.trim()).map_or(CitedUnit::Unclear, CitedUnit::Metres));
    }
    let Some(unit) = text.split('|').find_map(|part| part.trim().strip_prefix("LUnits = ")) else {
        return CitedUnit::None;
    };
    // Other names are followed by a size.
    let size = || keys.double(key::LINEAR_UNIT_SIZE).filter(|size| *size > 0.0);
    let is_confused = ["mm", "mi", "mile", "miles", "in"].iter().any(|name| name.eq_ignore_ascii_case(unit.trim()));
    match named(unit.trim()).or_else(|| size().filter(|_| !is_confused)) {
        Some(size) => CitedUnit::Metres(size),
        None => CitedUnit::Unclear,
    }
}

/// Whether a citation of Erdas Imagine names a State Plane zone, which overrides the keys.
pub(super) fn is_state_plane(keys: &GeoKeys) -> bool {
    keys.text(key::PROJECTED_CITATION).is_some_and(|text| text.contains("State Plane Zone "))
}

/// The first non-empty citation, in one line.
pub(super) fn name(keys: &GeoKeys, candidates: &[u16]) -> Option<String> {
    candidates.iter().filter_map(|key| keys.text(*key)).map(|text| text.trim().to_owned()).find(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(citations: &[(u16, &str)]) -> GeoKeys {
        let length = |length: usize| u16::try_from(length).unwrap();
        let (mut directory, mut ascii) = (vec![1, 1, 0, length(citations.len())], Vec::new());
        for (key, text) in citations {
            directory.extend([*key, 34737, length(text.len() + 1), length(ascii.len())]);
            ascii.extend(text.bytes().chain([b'|']));
        }
        GeoKeys::new(directory, Vec::new(), ascii)
    }

    #[test]
    fn parts_of_a_citation() {
        let parts = Parts::parse("GCS Name = A|Datum = B|Ellipsoid = C|Primem = D|AUnits = E|");
        assert_eq!((parts.name, parts.datum, parts.ellipsoid), (Some("A"), Some("B"), Some("C")));
        assert_eq!((parts.prime_meridian, parts.unit), (Some("D"), Some("E")));
        assert_eq!(Parts::parse(" WGS 84 "), Parts { name: Some("WGS 84"), ..Parts::default() });
        assert_eq!(Parts::parse(""), Parts::default());
    }

    #[test]
    fn units_of_a_citation() {
        let unit = |citations, has_code| linear_unit(&with(citations), has_code);
        assert_eq!(unit(&[(3073, "PCS Name = a|LUnits = Feet")], false), CitedUnit::Metres(US_SURVEY_FOOT));
        assert_eq!(unit(&[(3073, "LUnits = feet")], true), CitedUnit::None);
        assert_eq!(unit(&[(1026, "LUnits = international_feet")], true), CitedUnit::Metres(0.3048));
        assert_eq!(unit(&[(1026, "a"), (3073, "LUnits = feet")], false), CitedUnit::Metres(US_SURVEY_FOOT));
        assert_eq!(unit(&[(3073, "LUnits = mile")], false), CitedUnit::Unclear);
        assert_eq!(unit(&[(3073, "IMAGINE GeoTIFF Support\nUnits = meters\n")], false), CitedUnit::Metres(1.0));
    }
}
