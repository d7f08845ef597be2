//! GeoJSON geometries to the WKB that DuckDB's GEOMETRY holds: little-endian, ISO codes, one dimension throughout.
//!
//! Coordinates are not changed: rings are not closed, reoriented or repaired, since a footprint is data of the catalog. Other
//! shapes are errors. Heights are dropped if a position has none. RFC 7946, section 3.1.

use serde_json::{Map, Value};

/// Returns the bytes, or an error message.
pub(super) fn of_geojson(geometry: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let dimensions = match has_heights(geometry) {
        true => 3,
        false => 2,
    };
    let mut wkb = Vec::new();
    write(&mut wkb, geometry, dimensions)?;
    Ok(wkb)
}

/// Whether each position has a third number, and there is a position.
fn has_heights(geometry: &Map<String, Value>) -> bool {
    fn lowest(value: &Value) -> Option<usize> {
        let list = value.as_array()?;
        match list.first()? {
            Value::Number(_) => Some(list.len()),
            _ => list.iter().filter_map(lowest).min(),
        }
    }
    fn of(geometry: &Map<String, Value>) -> Option<usize> {
        match geometry.get("geometries").and_then(Value::as_array) {
            Some(parts) => parts.iter().filter_map(|part| of(part.as_object()?)).min(),
            None => lowest(geometry.get("coordinates")?),
        }
    }
    of(geometry).is_some_and(|lowest| lowest >= 3)
}

/// The types and the depth of their coordinates, by their WKB code.
const TYPES: [(&str, u32); 6] =
    [("Point", 1), ("LineString", 2), ("Polygon", 3), ("MultiPoint", 4), ("MultiLineString", 5), ("MultiPolygon", 6)];
const COLLECTION: u32 = 7;
/// ISO adds this for Z.
const Z: u32 = 1_000;

fn write(wkb: &mut Vec<u8>, geometry: &Map<String, Value>, dimensions: usize) -> Result<(), String> {
    let name = match geometry.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(_) => return Err("expected a text as type".to_owned()),
        None => return Err("no type".to_owned()),
    };
    if name == "GeometryCollection" {
        let parts = geometry.get("geometries").and_then(Value::as_array);
        let parts = parts.ok_or_else(|| "expected geometries, a list".to_owned())?;
        head(wkb, COLLECTION, dimensions);
        count(wkb, parts)?;
        return parts.iter().try_for_each(|part| match part.as_object() {
            Some(part) => write(wkb, part, dimensions),
            None => Err("expected an object among geometries".to_owned()),
        });
    }
    let Some((_, code)) = TYPES.iter().find(|(known, _)| *known == name) else {
        return Err(format!("type '{}' is not a GeoJSON geometry", shown(name)));
    };
    let coordinates = geometry.get("coordinates").ok_or_else(|| "no coordinates".to_owned())?;
    body(wkb, *code, coordinates, dimensions).map_err(|what| format!("coordinates of the {name}: {what}"))
}

/// A word of the file, short enough for an error.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn body(wkb: &mut Vec<u8>, code: u32, coordinates: &Value, dimensions: usize) -> Result<(), String> {
    head(wkb, code, dimensions);
    let list = coordinates.as_array().ok_or_else(|| "expected a list".to_owned())?;
    match code {
        // ISO's empty point is one of NaNs.
        1 if list.is_empty() => {
            (0..dimensions).for_each(|_| wkb.extend(f64::NAN.to_le_bytes()));
            Ok(())
        }
        1 => position(wkb, coordinates, dimensions),
        2 => positions(wkb, list, dimensions),
        3 => {
            count(wkb, list)?;
            list.iter().try_for_each(|ring| match ring.as_array() {
                Some(ring) => positions(wkb, ring, dimensions),
                None => Err("expected a list of rings".to_owned()),
            })
        }
        _ => {
            count(wkb, list)?;
            list.iter().try_for_each(|part| body(wkb, code - 3, part, dimensions))
        }
    }
}

fn positions(wkb: &mut Vec<u8>, list: &[Value], dimensions: usize) -> Result<(), String> {
    count(wkb, list)?;
    list.iter().try_for_each(|value| position(wkb, value, dimensions))
}

fn position(wkb: &mut Vec<u8>, value: &Value, dimensions: usize) -> Result<(), String> {
    let numbers = value.as_array().filter(|numbers| numbers.len() >= 2);
    let numbers = numbers.ok_or_else(|| "expected positions of two or three numbers".to_owned())?;
    for index in 0..dimensions {
        let number = numbers.get(index).and_then(Value::as_f64);
        wkb.extend(number.ok_or_else(|| "expected numbers in a position".to_owned())?.to_le_bytes());
    }
    Ok(())
}

fn head(wkb: &mut Vec<u8>, code: u32, dimensions: usize) {
    wkb.push(1);
    wkb.extend((code + if dimensions == 3 { Z } else { 0 }).to_le_bytes());
}

fn count(wkb: &mut Vec<u8>, list: &[Value]) -> Result<(), String> {
    let count = u32::try_from(list.len()).map_err(|_| format!("{} parts do not fit WKB", list.len()))?;
    wkb.extend(count.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn wkb(json: &str) -> Result<Vec<u8>, String> {
        of_geojson(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap())
    }

    fn point(code: u32, numbers: &[f64]) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(code.to_le_bytes());
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes
    }

    #[test]
    fn points_and_heights() {
        assert_eq!(wkb(r#"{"type":"Point","coordinates":[1,2]}"#).unwrap(), point(1, &[1.0, 2.0]));
        assert_eq!(wkb(r#"{"type":"Point","coordinates":[1,2,3]}"#).unwrap(), point(1001, &[1.0, 2.0, 3.0]));
        // GeoJSON defines no meaning for a fourth number.
        assert_eq!(wkb(r#"{"type":"Point","coordinates":[1,2,3,4]}"#).unwrap(), point(1001, &[1.0, 2.0, 3.0]));
        let mixed = wkb(r#"{"type":"MultiPoint","coordinates":[[1,2,3],[4,5]]}"#).unwrap();
        let parts = [point(1, &[1.0, 2.0]), point(1, &[4.0, 5.0])].concat();
        assert_eq!(mixed, [vec![1, 4, 0, 0, 0, 2, 0, 0, 0], parts].concat());
    }

    #[test]
    fn all_types_are_wkb_that_duckdb_reads() {
        for json in [
            r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"Polygon","coordinates":[[[1,2],[3,4],[5,6],[1,2]]]}"#,
            r#"{"type":"Polygon","coordinates":[]}"#,
            r#"{"type":"Point","coordinates":[]}"#,
            r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]]]}"#,
            r#"{"type":"MultiPolygon","coordinates":[[[[1,2,0],[3,4,0],[5,6,0],[1,2,0]]]]}"#,
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},
                {"type":"Polygon","coordinates":[[[1,2,0],[3,4,0],[5,6,0],[1,2,0]]]}]}"#,
        ] {
            let wkb = wkb(json).unwrap();
            assert!(crate::parquet::wkb_is_canonical(&wkb), "{json}");
            assert_eq!(hex::decode(&hex::encode(&wkb)).unwrap(), wkb);
        }
    }

    #[test]
    fn errors_for_values_other_than_geometries() {
        for (json, expected) in [
            (r#"{}"#, "no type"),
            (r#"{"type":7}"#, "expected a text as type"),
            (r#"{"type":"Circle"}"#, "type 'Circle' is not a GeoJSON geometry"),
            (r#"{"type":"Point"}"#, "no coordinates"),
            (
                r#"{"type":"Point","coordinates":[1]}"#,
                "coordinates of the Point: expected positions of two or three numbers",
            ),
            (r#"{"type":"Point","coordinates":["1","2"]}"#, "coordinates of the Point: expected numbers in a position"),
            (r#"{"type":"Polygon","coordinates":[1]}"#, "coordinates of the Polygon: expected a list of rings"),
            (r#"{"type":"MultiPoint","coordinates":7}"#, "coordinates of the MultiPoint: expected a list"),
            (r#"{"type":"GeometryCollection"}"#, "expected geometries, a list"),
        ] {
            assert_eq!(wkb(json).unwrap_err(), expected, "{json}");
        }
    }
}
