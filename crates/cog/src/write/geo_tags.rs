//! Tags of georeferencing and description: GeoTIFF 1.1, and GDAL's GDAL_NODATA and GDAL_METADATA.

use super::CogProfile;
use super::options::invalid;
use crate::Result;
use crate::geo::{GeoTransform, is_geographic};
use crate::tiff::DataType;

/// ModelPixelScale and ModelTiepoint of a transform without rotation, else ModelTransformation.
pub(super) enum TransformTags {
    ScaleAndTiepoint([f64; 3], [f64; 6]),
    Matrix([f64; 16]),
}

/// The tags of a transform. GDAL reads a negative scale as north up, so that other directions need the matrix.
pub(super) fn transform_tags(transform: &GeoTransform) -> TransformTags {
    let GeoTransform { a, b, c, d, e, f } = *transform;
    if b == 0.0 && d == 0.0 && a > 0.0 && e < 0.0 {
        TransformTags::ScaleAndTiepoint([a, -e, 0.0], [0.0, 0.0, 0.0, c, f, 0.0])
    } else {
        TransformTags::Matrix([a, b, 0.0, c, d, e, 0.0, f, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    }
}

/// GeoKeyDirectory of a CRS.
///
/// # Errors
///
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a CRS without an EPSG code that GeoKeys can hold.
pub(super) fn geo_keys(profile: &CogProfile) -> Result<Option<Vec<u16>>> {
    // GTRasterTypeGeoKey: RasterPixelIsArea.
    let area = [1025, 0, 1, 1];
    let keys = match &profile.crs {
        // Without a CRS, GDAL would read a local one from the keys.
        None => return Ok(None),
        Some(crs) => {
            let code = crs.strip_prefix("EPSG:").and_then(|code| code.parse::<u16>().ok()).filter(|code| *code < 32767);
            let Some((code, is_geographic)) = code.and_then(|code| Some((code, is_geographic(code)?))) else {
                let shown: String = crs.chars().take(60).collect();
                return invalid(format!("expected a CRS with an EPSG code, which GeoTIFF can name, found {shown}"));
            };
            // GTModelTypeGeoKey, then GeodeticCRSGeoKey or ProjectedCRSGeoKey.
            match is_geographic {
                true => vec![[1024, 0, 1, 2], area, [2048, 0, 1, code]],
                false => vec![[1024, 0, 1, 1], area, [3072, 0, 1, code]],
            }
        }
    };
    let count = u16::try_from(keys.len()).unwrap_or(u16::MAX);
    Ok(Some([1, 1, 0, count].into_iter().chain(keys.into_iter().flatten()).collect()))
}

/// GDAL_NODATA: as GDAL writes it, integers without a fraction.
pub(super) fn nodata_text(nodata: f64, dtype: DataType) -> String {
    if nodata.is_nan() {
        return "nan".to_owned();
    }
    if nodata.is_infinite() {
        return if nodata > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // The shortest text that reads back as the same number.
    match dtype {
        #[expect(clippy::cast_possible_truncation, reason = "rounds, as the samples are rounded")]
        DataType::Float32 => format!("{}", nodata as f32),
        _ => format!("{nodata}"),
    }
}

/// GDAL_METADATA with names, scales and offsets of bands; None without any.
pub(super) fn gdal_metadata(profile: &CogProfile) -> Option<String> {
    let item = |name: &str, band: usize, role: &str, value: &str| {
        format!("  <Item name=\"{name}\" sample=\"{band}\" role=\"{role}\">{}</Item>\n", escaped(value))
    };
    let mut items = String::new();
    for band in 0..usize::from(profile.bands) {
        if let Some(name) = profile.band_names.get(band).filter(|name| !name.is_empty()) {
            items += &item("DESCRIPTION", band, "description", name);
        }
        if let Some((scale, offset)) = profile.scaling.get(band) {
            items += &item("OFFSET", band, "offset", &offset.to_string());
            items += &item("SCALE", band, "scale", &scale.to_string());
        }
    }
    (!items.is_empty()).then(|| format!("<GDALMetadata>\n{items}</GDALMetadata>\n"))
}

/// Text as GDAL writes it: escaped twice, since its reader unescapes the text that its XML parser has unescaped.
fn escaped(text: &str) -> String {
    escaped_once(&escaped_once(text))
}

fn escaped_once(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // No other control characters are allowed in XML, and 0 ends the tag.
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
        escaped
    })
}
