use geo_types::Coord;

use super::{Transform, Transforms, nearest_longitude};

fn transform(from: &str, to: &str) -> Transform {
    Transform::new(from, to).unwrap()
}

fn refusal(name: &str) -> String {
    Transform::new(name, "EPSG:3857").unwrap_err().to_string()
}

#[test]
fn equivalent_names() {
    for name in [
        "EPSG:4326",
        "epsg:4326",
        "CRS84",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:EPSG::4326",
        "http://www.opengis.net/def/crs/EPSG/0/4326",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        r#"{"type":"GeographicCRS","id":{"authority":"EPSG","code":4326}}"#,
    ] {
        let same = transform(name, "OGC:CRS84");
        assert!(same.is_identity() && same.from_degrees(), "{name}");
    }
    assert!(!transform("OGC:CRS84", "EPSG:32631").is_identity());
    assert!(!transform("OGC:CRS84", "EPSG:32631").to_degrees());
    assert!(transform("OGC:CRS84", "EPSG:4267").to_degrees());
    // Longitudes in grads do not repeat after 360.
    assert!(!transform("OGC:CRS84", "EPSG:4807").to_degrees());
}

#[test]
fn x_is_first_for_all_axis_orders() {
    let point = transform("EPSG:4326", "EPSG:3857").forward(Coord { x: 10.0, y: 50.0 }).unwrap();
    assert!(
        (point.x - 1_113_194.907_932_735_6).abs() < 1e-3 && (point.y - 6_446_275.841_017_158).abs() < 1e-3,
        "{point:?}"
    );
}

#[test]
fn vertical_parts_are_ignored() {
    for name in ["EPSG:9707", "EPSG:4979"] {
        let point = transform("OGC:CRS84", name).forward(Coord { x: 10.0, y: 50.0 }).unwrap();
        assert!((point.x - 10.0).abs() < 1e-9 && (point.y - 50.0).abs() < 1e-9, "{name}: {point:?}");
    }
}

#[test]
fn unreliable_transformations_are_refused() {
    for (name, expected) in [
        ("", "expected EPSG:code"),
        ("4326", "expected EPSG:code"),
        ("/etc/passwd", "expected EPSG:code"),
        ("EPSG:999999", "unknown EPSG code"),
        ("EPSG:4978", "geocentric"),
        ("EPSG:5773", "no transformation from EPSG:5773"),
        ("LOCAL_CS[\"x\",UNIT[\"metre\",1]]", "local CRS"),
        ("NONSENSE[\"x\"]", "expected WKT"),
        ("+proj=longlat +ellps=foo", "unknown ellipsoid"),
        ("+proj=longlat +datum=foo", "unknown datum"),
        ("+proj=longlat +ellps=bessel +nadgrids=/tmp/x.gsb", "grid files"),
        ("+proj=pipeline +step +proj=merc", "pipelines"),
        ("+init=epsg:4326", "definitions in other places"),
        ("+proj=nonsense", "CRS"),
        ("{}", "PROJJSON is read by its id"),
        ("{", "expected PROJJSON"),
    ] {
        let text = refusal(name);
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn points_outside_of_the_domain_are_none() {
    let mercator = transform("OGC:CRS84", "EPSG:3857");
    for (x, y) in [(0.0, 90.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
        assert_eq!(mercator.forward(Coord { x, y }), None, "{x} {y}");
    }
}

#[test]
fn multiples_of_360_are_kept_between_longitudes() {
    let datum = transform("OGC:CRS84", "EPSG:4267");
    let point = datum.forward(Coord { x: 260.0, y: 40.0 }).unwrap();
    assert!((point.x - 260.0).abs() < 0.01, "{point:?}");
    assert!((nearest_longitude(-179.0, 180.0) - 181.0).abs() < 1e-12);
}

#[test]
fn transformations_are_cached() {
    let transforms = Transforms::default();
    let first = transforms.get("OGC:CRS84", "EPSG:32631").unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &transforms.get("OGC:CRS84", "EPSG:32631").unwrap()));
    assert!(transforms.get("nonsense", "EPSG:32631").is_err());
    assert_eq!(format!("{transforms:?}"), "Transforms(2 pairs)");
}

#[test]
fn poles_round_trip() {
    for (name, latitude) in [("EPSG:3031", -90.0), ("EPSG:3413", 90.0), ("EPSG:6931", 90.0), ("EPSG:6932", -90.0)] {
        let polar = transform("OGC:CRS84", name);
        let pole = polar.forward(Coord { x: 0.0, y: latitude }).unwrap();
        assert!(pole.x.abs() < 1e-3 && pole.y.abs() < 1e-3, "{name}: {pole:?}");
        let back = polar.backward(pole).unwrap();
        assert!((back.y - latitude).abs() < 1e-6, "{name}: {back:?}");
    }
}

#[test]
fn the_length_of_names_is_limited() {
    let padded = |length: usize| format!("EPSG:32631{}", " ".repeat(length - 10));
    assert!(transform(&padded(1 << 16), "EPSG:32631").is_identity());
    let error = Transforms::default().get("EPSG:32631", &padded((1 << 16) + 1)).unwrap_err().to_string();
    assert!(error.contains("expected at most 65536 bytes, found 65537"), "{error}");
    assert!(error.len() < 200, "{error}");
    assert!(refusal(&padded(1 << 20)).contains("expected at most 65536 bytes"));
}
