//! Scale and offset of an asset's bands in STAC, for files whose headers do not contain them.
//!
//! | STAC | an asset has |
//! |---|---|
//! | 1.1 | `bands`, a list of objects with `raster:scale` and `raster:offset`; or both beside `bands`, for all bands |
//! | 1.0 | `raster:bands`, a list of objects with `scale` and `offset` |
//!
//! The first list that has a scale or an offset is used. Its entries are the file's bands in order. There may be fewer
//! entries than samples if the others are extra samples such as alpha; a single entry may belong to the band that the
//! asset is narrowed to. Any other number is an error, because the scale of another band would give wrong values. An
//! entry with only one of the two has a scale of 1 or an offset of 0; an entry with neither leaves the band as it is in
//! the file's header.

use std::sync::Arc;

use rasteret_cog::CogHeader;
use serde_json::{Map, Value};

use super::members::Members;
use crate::types::json;
use crate::{CogFile, Error, Location, Result};

const LISTS: [&str; 2] = [BANDS, RASTER_BANDS];
const BANDS: &str = "bands";
const RASTER_BANDS: &str = "raster:bands";
const SCALE: [&str; 2] = ["raster:scale", "scale"];
const OFFSET: [&str; 2] = ["raster:offset", "offset"];

/// Members of an asset that are used.
pub(crate) const MEMBERS: [&str; 4] = [BANDS, RASTER_BANDS, SCALE[0], OFFSET[0]];

/// The scaling of the bands of one asset in STAC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scaling {
    /// The source of `bands`.
    list: &'static str,
    bands: Vec<Option<Linear>>,
    /// For all bands that are not in the list.
    others: Option<Linear>,
}

/// `value * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Linear {
    scale: f64,
    offset: f64,
}

impl Scaling {
    /// The scaling of an asset; None if it has none.
    pub(crate) fn of(asset: Members<'_>) -> Result<Option<Self>, String> {
        Self::parse(asset).map_err(|what| format!("stac_scale: {what}"))
    }

    fn parse(asset: Members<'_>) -> Result<Option<Self>, String> {
        let others = linear(&|name: &str| asset.get(name), &SCALE[..1], &OFFSET[..1])?;
        for list in LISTS {
            let Some(entries) = asset.get(list) else { continue };
            let Value::Array(entries) = structured(entries) else { continue };
            let bands = entries.iter().enumerate().map(|(index, entry)| {
                let empty = Map::new();
                let entry = entry.as_object().unwrap_or(&empty);
                linear(&|name: &str| entry.get(name).cloned(), &SCALE, &OFFSET)
                    .map_err(|what| format!("{list}, entry {index}: {what}"))
            });
            let bands = bands.collect::<Result<Vec<_>, _>>()?;
            if bands.iter().any(Option::is_some) {
                return Ok(Some(Self { list, bands, others }));
            }
        }
        Ok(others.map(|others| Self { list: BANDS, bands: Vec::new(), others: Some(others) }))
    }

    /// The file with this scale and offset in its header; `band` is the one that the asset is narrowed to.
    pub(crate) fn apply(&self, file: &CogFile, band: Option<u32>) -> Result<CogFile, String> {
        let header = file.header.as_ref();
        let mut bands = self.of_file(header, band)?;
        bands.iter_mut().for_each(|entry| *entry = entry.or(self.others));
        let own = |list: &Option<Vec<f64>>, at: usize| list.as_ref().and_then(|list| list.get(at)).copied();
        let scale = bands.iter().enumerate().map(|(at, band)| match band {
            Some(band) => band.scale,
            None => own(&header.scale, at).unwrap_or(1.0),
        });
        let offset = bands.iter().enumerate().map(|(at, band)| match band {
            Some(band) => band.offset,
            None => own(&header.offset, at).unwrap_or(0.0),
        });
        let (scale, offset) = (Some(scale.collect()), Some(offset.collect()));
        Ok(CogFile { header: Arc::new(CogHeader { scale, offset, ..header.clone() }), ..file.clone() })
    }

    /// The entries by the bands of a file.
    fn of_file(&self, header: &CogHeader, band: Option<u32>) -> Result<Vec<Option<Linear>>, String> {
        let samples = usize::from(header.image.encoding.samples_per_pixel);
        let extra = header.extra_samples.as_ref().map_or(0, Vec::len);
        let given = self.bands.len();
        let mut bands = vec![None; samples];
        let narrowed = band.and_then(|band| usize::try_from(band).ok()).filter(|band| *band < samples);
        match (self.bands.as_slice(), narrowed) {
            ([], _) => {}
            ([one], Some(band)) => bands[band] = *one,
            (entries, _) if given == samples || given + extra == samples => {
                bands.iter_mut().zip(entries).for_each(|(band, entry)| *band = *entry);
            }
            _ => {
                return Err(format!(
                    "stac_scale: expected an entry in {} for each of the file's bands ({samples}), found {given}",
                    self.list
                ));
            }
        }
        Ok(bands)
    }
}

/// Scale and offset of an object; None if it has neither.
fn linear(member: &dyn Fn(&str) -> Option<Value>, scale: &[&str], offset: &[&str]) -> Result<Option<Linear>, String> {
    let find = |names: &[&str]| -> Result<Option<f64>, String> {
        names.iter().find_map(|name| number(name, &member(name)?).transpose()).transpose()
    };
    Ok(match (find(scale)?, find(offset)?) {
        (None, None) => None,
        (scale, offset) => Some(Linear { scale: scale.unwrap_or(1.0), offset: offset.unwrap_or(0.0) }),
    })
}

/// A number; None for null, and for NaN, which some writers use instead.
fn number(name: &str, value: &Value) -> Result<Option<f64>, String> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_nan() => Ok(None),
        Some(number) if number.is_finite() => Ok(Some(number)),
        _ => {
            let found: String = value.to_string().chars().take(40).collect();
            Err(format!("{name}: expected a number, found {found}"))
        }
    }
}

/// A list that a writer of Parquet has stored as JSON text.
fn structured(value: Value) -> Value {
    match value {
        Value::String(text) => json::parse(text.as_bytes()).unwrap_or(Value::Null),
        value => value,
    }
}

/// The file with the scale and offset of a STAC asset, given as JSON; `band` is the band to which the asset is restricted.
/// The file is returned unchanged if the asset has no scaling; an invalid scaling is an error.
pub fn stac_scaled(file: CogFile, location: &Location, asset: &str, band: Option<u32>) -> Result<CogFile> {
    let wrong = |what| Error::Records { location: location.clone(), what };
    let asset = structured(Value::String(asset.to_owned()));
    // A column of JSON text, encoded as JSON a second time.
    let asset = structured(asset);
    match Scaling::of(Members::Json(&asset)).map_err(wrong)? {
        Some(scaling) => scaling.apply(&file, band).map_err(wrong),
        None => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use rasteret_cog::{DecodeResult, HeaderDecoder, Limits};
    use serde_json::json;

    use super::*;
    use crate::ObjectVersion;

    /// A fixture with other numbers of samples and extra samples.
    fn file(samples: u16, extra: usize) -> CogFile {
        let path = format!("{}/../../test/data/scaled.tif", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let mut decoder = HeaderDecoder::new(Limits::default(), Some(bytes.len() as u64));
        decoder.push(0, bytes.into());
        let Ok(DecodeResult::Data(mut header)) = decoder.try_decode() else { panic!("expected a header") };
        header.image.encoding.samples_per_pixel = samples;
        header.extra_samples = Some(vec![rasteret_cog::tiff::ExtraSample::Unspecified; extra]);
        (header.scale, header.offset) = (Some(vec![0.5; 8]), None);
        CogFile { header: Arc::new(header), version: ObjectVersion::default() }
    }

    fn scaled(asset: &Value, samples: u16, extra: usize, band: Option<u32>) -> Result<(Vec<f64>, Vec<f64>), String> {
        let scaling = Scaling::of(Members::Json(asset))?.expect("a scale or an offset");
        let header = scaling.apply(&file(samples, extra), band)?.header;
        Ok((header.scale.clone().unwrap(), header.offset.clone().unwrap()))
    }

    #[test]
    fn scales_of_all_members() {
        let (scale, offset) = (0.0001, -0.1);
        let expected = || Ok((vec![scale], vec![offset]));
        for asset in [
            json!({"raster:bands": [{"scale": scale, "offset": offset}]}),
            json!({"bands": [{"raster:scale": scale, "raster:offset": offset}]}),
            json!({"bands": [{"name": "B04"}], "raster:bands": [{"scale": scale, "offset": offset}]}),
            json!({"raster:scale": scale, "raster:offset": offset, "bands": [{"name": "B04"}]}),
            json!({"raster:bands": r#"[{"scale": 0.0001, "offset": -0.1, "nodata": NaN}]"#}),
            json!({"raster:bands": [{"scale": "0.0001", "offset": "-0.1"}]}),
        ] {
            assert_eq!(scaled(&asset, 1, 0, None), expected(), "{asset}");
        }
        for asset in [json!({}), json!({"bands": [{"raster:scale": null}], "raster:bands": [{"scale": "nan"}]})] {
            assert_eq!(Scaling::of(Members::Json(&asset)), Ok(None));
        }
        let asset = json!({"raster:bands": [{"scale": true}]});
        let error = "stac_scale: raster:bands, entry 0: scale: expected a number, found true";
        assert_eq!(Scaling::of(Members::Json(&asset)).unwrap_err(), error);
    }

    #[test]
    fn entries_belong_to_bands() {
        let two = json!({"raster:bands": [{"scale": 2}, {"offset": 3}]});
        assert_eq!(scaled(&two, 2, 0, None), Ok((vec![2.0, 1.0], vec![0.0, 3.0])));
        assert_eq!(scaled(&two, 2, 0, Some(1)), Ok((vec![2.0, 1.0], vec![0.0, 3.0])));
        // The scale 0.5 of the file is kept if STAC has none.
        assert_eq!(scaled(&two, 3, 1, None), Ok((vec![2.0, 1.0, 0.5], vec![0.0, 3.0, 0.0])));
        let one = json!({"raster:bands": [{"scale": 2}]});
        assert_eq!(scaled(&one, 3, 0, Some(2)), Ok((vec![0.5, 0.5, 2.0], vec![0.0; 3])));
        let gap = json!({"raster:bands": [{}, {"scale": 2}]});
        assert_eq!(scaled(&gap, 2, 0, None), Ok((vec![0.5, 2.0], vec![0.0; 2])));
        let error = "stac_scale: expected an entry in raster:bands for each of the file's bands (3), found 1";
        assert_eq!(scaled(&one, 3, 0, None).unwrap_err(), error);
        let location = Location::parse("a.tif").unwrap();
        let found = stac_scaled(file(3, 0), &location, &one.to_string(), None).unwrap_err().to_string();
        assert_eq!(found, format!("a.tif: {error}"));
        let twice = Value::String(one.to_string()).to_string();
        let header = stac_scaled(file(1, 0), &location, &twice, None).unwrap().header;
        assert_eq!(header.scale, Some(vec![2.0]));
        let header = stac_scaled(file(1, 0), &location, "null", None).unwrap().header;
        assert_eq!(header.scale, Some(vec![0.5; 8]));
    }
}
