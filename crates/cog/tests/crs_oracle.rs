//! Compares transformations with PROJ in both directions, for points in the area of use of each CRS family. `crs/cases.jsonl` of the corpus
//! was generated with pyproj.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use geo_types::Coord;
use rasteret_cog::crs::Transforms;
use serde_json::Value;

/// Tolerance in metres on the ground, for two implementations of the same formulas. Far below the size of a pixel.
const TOLERANCE_M: f64 = 0.01;

/// Length of a degree along a meridian.
const METRES_A_DEGREE: f64 = 111_000.0;

/// PROJ 9.8 uses the ellipsoidal formula of plate carrée; PROJ 9.5, which generated the cases, the spherical one. See docs/limits.md.
const NEWER_FORMULA: [&str; 2] = ["EPSG:4087", "EPSG:32662"];

fn cases() -> Option<String> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let path = std::env::var_os("RASTERET_CORPUS").map_or_else(default, PathBuf::from).join("crs/cases.jsonl");
    if let Ok(cases) = std::fs::read_to_string(&path) {
        return Some(cases);
    }
    let required = std::env::var("RASTERET_REQUIRE_CORPUS").is_ok_and(|value| value == "1");
    assert!(!required, "no cases at {}", path.display());
    eprintln!("SKIPPED: no cases at {}; set RASTERET_CORPUS", path.display());
    None
}

/// Returns the largest distance of a point from the oracle, in metres; None if the CRS is rejected.
fn worst(transforms: &Transforms, name: &str, points: &Value) -> Option<f64> {
    let transform = transforms.get("OGC:CRS84", name).ok()?;
    // Compares longitudes modulo 360, scaled by the cosine of the latitude.
    let apart = |found: Option<Coord<f64>>, x: f64, y: f64, degrees: bool| {
        let Some(found) = found else { return f64::INFINITY };
        if !degrees {
            return (found.x - x).hypot(found.y - y);
        }
        let turned = (found.x - x) - 360.0 * ((found.x - x) / 360.0).round();
        (turned * y.to_radians().cos()).hypot(found.y - y) * METRES_A_DEGREE
    };
    let mut worst = 0.0f64;
    for point in points.as_array().unwrap() {
        let numbers: Option<Vec<f64>> = point.as_array().unwrap().iter().map(Value::as_f64).collect();
        let Some(&[lon, lat, x, y, back_lon, back_lat]) = numbers.as_deref() else {
            continue;
        };
        worst = worst.max(apart(transform.forward(Coord { x: lon, y: lat }), x, y, transform.to_degrees()));
        worst = worst.max(apart(transform.backward(Coord { x, y }), back_lon, back_lat, true));
    }
    Some(worst)
}

#[test]
fn transformations_equal_proj() {
    let Some(cases) = cases() else { return };
    let transforms = Transforms::default();
    let (mut checked, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let name = case["name"].as_str().unwrap();
        // PROJ strings of the cases omit the datum of the code, and are therefore different CRSs.
        for form in ["code", "wkt1"] {
            let Some(text) = case[form].as_str().filter(|text| !text.is_empty()) else { continue };
            match worst(&transforms, text, &case["points"]) {
                None => refused.push(format!("{name} as {form}: {}", transforms.get("OGC:CRS84", text).unwrap_err())),
                Some(metres) if metres > TOLERANCE_M && !NEWER_FORMULA.contains(&name) => {
                    wrong.push(format!("{name} as {form}: {metres} m"));
                }
                Some(_) => checked += 1,
            }
        }
    }
    eprintln!("{checked} definitions agree with PROJ within {TOLERANCE_M} m, {} refused", refused.len());
    eprintln!("{}", refused.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
