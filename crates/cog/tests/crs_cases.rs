//! The CRS of GeoKeys against GDAL: `crs_cases.tsv`, made by `scripts/make-crs-cases`, which explains its columns. Where GDAL has a CRS,
//! points are transformed within a centimetre, or the CRS is refused; where it has none on Earth, there is no code and no transformation.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use geo_types::Coord;
use rasteret_cog::crs::Transforms;
use rasteret_cog::geo::Crs;
use support::{TiffWriter, Values, decode, tiled};

const TOLERANCE_M: f64 = 0.01;
const METRES_A_DEGREE: f64 = 111_000.0;

/// Reasons for which the decoder or the engine rejects a CRS that GDAL and PROJ read.
const REFUSED: [&str; 16] = [
    "EPSG:5514 in another unit",
    "EPSG:6933 in another unit",
    "EPSG:3974 in another unit",
    "EPSG:8700 in another unit",
    "EPSG:3785 in another unit",
    "a Mercator projection of a sphere",
    "geocentric coordinates below a projection",
    "EPSG:7415 in another unit",
    "web Mercator in a unit without a code",
    "a prime meridian in another unit than degrees",
    "a Transverse Mercator to the south, by its method",
    "parameters that its projection cannot have",
    "degrees of a datum in another unit",
    "a datum that keys contradict",
    "a prime meridian in other units than degrees",
    "no transformation from",
];

/// The file of a line's keys.
fn file(keys: &str) -> TiffWriter {
    let (mut directory, mut doubles, mut ascii) = (vec![1, 1, 0, 0], Vec::new(), Vec::new());
    for entry in keys.split(' ') {
        let (key, value) = entry.split_once('=').unwrap();
        let key = key.parse().unwrap();
        let at = |length: usize| u16::try_from(length).unwrap();
        if value.starts_with('"') {
            let text: String = serde_json::from_str(value).unwrap();
            directory.extend([key, 34737, at(text.len() + 1), at(ascii.len())]);
            ascii.extend(text.bytes().chain([b'|']));
        } else if let Ok(number) = value.parse() {
            directory.extend([key, 0, 1, number]);
        } else {
            let numbers: Vec<f64> = value.split(',').map(|number| number.parse().unwrap()).collect();
            directory.extend([key, 34736, at(numbers.len()), at(doubles.len())]);
            doubles.extend(numbers);
        }
        directory[3] += 1;
    }
    let count = ascii.len() as u64;
    TiffWriter::new(vec![tiled(10, 10, 16)])
        .with(34735, Values::Short(directory))
        .with(34736, Values::Double(doubles))
        .with(34737, Values::Raw(2, count, ascii))
}

/// The base CRS of a projected CRS in WKT.
struct Base {
    /// Without its code, which a reader would prefer over the definition.
    name: String,
    code: Option<String>,
    /// Of the prime meridian, in degrees.
    longitude: f64,
}

/// None of any other CRS.
fn base(crs: &str) -> Option<Base> {
    let (_, text) = crs.split_once(",GEOGCS[")?;
    let (text, _) = text.split_once("],PROJECTION[")?;
    let (_, meridian) = text.split_once("PRIMEM[").unwrap();
    let longitude = meridian.split([',', ']']).nth(1).unwrap().parse().unwrap();
    let unit = text.rfind("UNIT[").unwrap();
    let end = unit + text[unit..].find(']').unwrap();
    let code = text[end..].split('"').nth(3).map(str::to_owned);
    Some(Base { name: format!("GEOGCS[{}]]", &text[..end]), code, longitude })
}

/// How far the worst point is from GDAL's, in metres on the ground; or why there is no transformation.
fn worst(transforms: &Transforms, crs: &str, points: &str) -> Result<f64, String> {
    let base = base(crs);
    let (source, longitude) = base.as_ref().map_or(("OGC:CRS84", 0.0), |base| (&base.name, base.longitude));
    let transform = transforms.get(source, crs).map_err(|error| error.to_string())?;
    let mut worst = 0.0f64;
    for point in points.split(';').filter(|point| !point.is_empty()) {
        let numbers: Vec<f64> = point.split(' ').map(|number| number.parse().unwrap()).collect();
        let [lon, lat, x, y] = numbers[..] else { panic!("{point}") };
        let at = |lat| transform.forward(Coord { x: lon - longitude, y: lat });
        // Units on the ground, by a step to the north.
        let step = 1e-4;
        let (Some(here), Some(north)) = (at(lat), at(lat + step)) else { return Ok(f64::INFINITY) };
        let unit = step * METRES_A_DEGREE / (here.x - north.x).hypot(here.y - north.y);
        worst = worst.max((here.x - x).hypot(here.y - y) * unit);
    }
    Ok(worst)
}

/// Compares a case with GDAL: the difference, or, as an error, the reason for its rejection.
fn compare(transforms: &Transforms, crs: &Crs, expected: &str, points: &str) -> Result<Option<String>, String> {
    let name = crs.to_string();
    if expected == "none" {
        let is_refused = transforms.get("OGC:CRS84", &name).is_err();
        return Ok((!is_refused).then(|| "GDAL has none".to_owned()));
    }
    if let Some(code) = expected.strip_prefix("EPSG:") {
        return match crs {
            Crs::Epsg(found) if found.to_string() == code => Ok(None),
            Crs::Epsg(_) => Ok(Some("another code".to_owned())),
            Crs::Wkt(_) => {
                Err(transforms.get("OGC:CRS84", &name).err().map_or("no code".to_owned(), |error| error.to_string()))
            }
        };
    }
    let [_, code, below] = expected.split(' ').collect::<Vec<_>>()[..] else { panic!("{expected}") };
    if let Crs::Epsg(found) = crs
        && code != "-"
    {
        return Ok((found.to_string() != code).then(|| "another code".to_owned()));
    }
    let metres = worst(transforms, &name, points)?;
    let claimed = base(&name).and_then(|base| base.code);
    Ok(if metres > TOLERANCE_M {
        Some(format!("{metres} m off"))
    } else if below != "-" && claimed.as_deref().is_some_and(|claimed| claimed != below) {
        Some("another geographic CRS".to_owned())
    } else {
        None
    })
}

#[test]
fn crss_of_geokeys_are_those_of_gdal() {
    let transforms = Transforms::default();
    let (mut agree, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for line in include_str!("crs_cases.tsv").lines().skip(1) {
        let [keys, expected, points] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let crs = decode(&file(keys).bytes()).unwrap().crs.unwrap();
        match compare(&transforms, &crs, expected, points) {
            Ok(None) => agree += 1,
            Ok(Some(what)) => wrong.push(format!("{keys}: {expected}: {what}: {crs}")),
            Err(error) if REFUSED.iter().any(|known| crs.to_string().contains(known) || error.contains(known)) => {
                refused.push(format!("{keys}: {expected}: {error}"));
            }
            Err(error) => wrong.push(format!("{keys}: {expected}: {error}: {crs}")),
        }
    }
    println!("{agree} agree, {} refused:\n{}", refused.len(), refused.join("\n"));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused.len() * 10 < agree, "{} refused", refused.len());
}
