//! Tags of georeferencing and description: GeoTIFF 1.1, and GDAL's GDAL_NODATA and GDAL_METADATA.

use super::CogProfile;
use super::options::invalid;
use crate::Result;
use crate::geo::{Crs, GeoKeyTags, GeoTransform, keys_of};
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

/// GeoKeys of a CRS. Without one there are none, from which GDAL would read a local CRS.
///
/// # Errors
///
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a CRS that GeoKeys do not define.
pub(super) fn geo_keys(profile: &CogProfile) -> Result<Option<GeoKeyTags>> {
    let Some(crs) = &profile.crs else { return Ok(None) };
    match crs.parse::<Crs>().ok().and_then(|crs| keys_of(&crs)) {
        Some(keys) => Ok(Some(keys)),
        None => {
            let shown: String = crs.chars().take(60).collect();
            invalid(format!(
                "expected a CRS that GeoTIFF can define, by an EPSG code or by the WKT of a file, found {shown}: choose another with grid"
            ))
        }
    }
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
