use geo_types::Coord;

use super::{EncodedGeometry, ParsedGeometry};

/// Little-endian WKB with concatenated parts as body.
fn wkb(code: u32, body: &[&[u8]]) -> Vec<u8> {
    [&[1], code.to_le_bytes().as_slice(), &body.concat()].concat()
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn count(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

fn points(bytes: &[u8]) -> Vec<(f64, f64)> {
    ParsedGeometry::from_wkb(bytes).unwrap().geometry.points.iter().map(|point| (point.x, point.y)).collect()
}

fn refusal(text: &str) -> String {
    ParsedGeometry::from_text(text).unwrap_err().to_string()
}

#[test]
fn dialects_and_byte_orders() {
    assert_eq!(points(&wkb(1, &[&floats(&[1.0, 2.0])])), [(1.0, 2.0)]);
    for (code, rest) in [(1001, 1), (2001, 1), (3001, 2), (0x8000_0001, 1), (0x4000_0001, 1), (0xC000_0001, 2)] {
        let body = floats(&[1.0, 2.0, 9.0, 9.0][..2 + rest]);
        assert_eq!(points(&wkb(code, &[&body])), [(1.0, 2.0)], "{code}");
    }
    let big = [&[0, 0, 0, 0, 1][..], &1f64.to_be_bytes(), &2f64.to_be_bytes()].concat();
    assert_eq!(points(&big), [(1.0, 2.0)]);
    // Parts may have different byte orders.
    assert_eq!(points(&wkb(4, &[&count(2), &big, &wkb(1, &[&floats(&[3.0, 4.0])])])), [(1.0, 2.0), (3.0, 4.0)]);
    let srid = ParsedGeometry::from_wkb(&wkb(0x2000_0001, &[&count(32631), &floats(&[1.0, 2.0])])).unwrap();
    assert_eq!((srid.crs.as_deref(), srid.geometry.points.len()), (Some("EPSG:32631"), 1));
}

#[test]
fn empty_parts_are_dropped() {
    assert!(points(&wkb(1, &[&floats(&[f64::NAN, f64::NAN])])).is_empty());
    let nan = wkb(1, &[&floats(&[f64::NAN, f64::NAN])]);
    assert_eq!(points(&wkb(4, &[&count(2), &nan, &wkb(1, &[&floats(&[3.0, 4.0])])])), [(3.0, 4.0)]);
    for text in ["POINT EMPTY", "POLYGON EMPTY", "MULTIPOLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY", "LINESTRING EMPTY"] {
        assert!(ParsedGeometry::from_text(text).unwrap().geometry.is_empty(), "{text}");
    }
}

#[test]
fn text_of_every_type() {
    let count = |text: &str| {
        let geometry = ParsedGeometry::from_text(text).unwrap().geometry;
        (geometry.points.len(), geometry.lines.len(), geometry.polygons.len())
    };
    assert_eq!(count("POINT(1 2)"), (1, 0, 0));
    assert_eq!(count("  point z (1 2 3) "), (1, 0, 0));
    assert_eq!(count("MULTIPOINT((1 2),(3 4))"), (2, 0, 0));
    assert_eq!(count("MULTIPOINT(1 2, 3 4)"), (2, 0, 0));
    assert_eq!(count("LINESTRING(1 2, 3 4)"), (0, 1, 0));
    assert_eq!(count("MULTILINESTRING((1 2, 3 4),(5 6, 7 8))"), (0, 2, 0));
    assert_eq!(count("POLYGON((0 0, 9 0, 9 9, 0 0),(5 3, 6 3, 6 4, 5 3))"), (0, 0, 1));
    assert_eq!(count("MULTIPOLYGON(((0 0, 9 0, 9 9, 0 0)),((0 0, 9 0, 9 9, 0 0)))"), (0, 0, 2));
    assert_eq!(count("GEOMETRYCOLLECTION(POINT(1 2),GEOMETRYCOLLECTION(LINESTRING(1 2, 3 4)))"), (1, 1, 0));
    assert_eq!(count(r#"{"type":"Point","coordinates":[1,2,3]}"#), (1, 0, 0));
    let polygon = r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]]]}"#;
    assert_eq!(count(polygon), (0, 0, 1));
    let feature = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{polygon}}}"#);
    assert_eq!(count(&feature), (0, 0, 1));
    assert_eq!(count(&format!(r#"{{"type":"FeatureCollection","features":[{feature},{feature}]}}"#)), (0, 0, 2));
}

#[test]
fn crs_in_the_encoding() {
    let crs = |text: &str| ParsedGeometry::from_text(text).unwrap().crs;
    assert_eq!(crs("SRID=32631;POINT(1 2)").as_deref(), Some("EPSG:32631"));
    assert_eq!(crs("srid=4326; POINT(1 2)").as_deref(), Some("EPSG:4326"));
    assert_eq!(crs("SRID=0;POINT(1 2)"), None);
    assert_eq!(crs("POINT(1 2)"), None);
    let named = r#"{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32631"}}}"#;
    assert_eq!(crs(named).as_deref(), Some("urn:ogc:def:crs:EPSG::32631"));
    assert!(refusal(r#"{"type":"Point","coordinates":[1,2],"crs":{"type":"link"}}"#).contains("member crs"));
}

#[test]
fn the_fast_path_for_one_ring_equals_the_general_reader() {
    let ring = [0.0, 0.0, 5.0, 0.5, 4.0, 4.0, 0.0, 0.0];
    let plain = wkb(3, &[&count(1), &count(4), &floats(&ring)]);
    let is_quick = |bytes: &[u8]| ParsedGeometry::default().take_one_ring(bytes);
    assert!(is_quick(&plain));
    let with_z: Vec<f64> = ring.chunks(2).flat_map(|point| [point[0], point[1], 7.0]).collect();
    let others = [
        // ISO and EWKB with Z, EWKB with an SRID, a collection, bytes after the end.
        wkb(1003, &[&count(1), &count(4), &floats(&with_z)]),
        wkb(0x8000_0003, &[&count(1), &count(4), &floats(&with_z)]),
        wkb(0x2000_0003, &[&count(32631), &count(1), &count(4), &floats(&ring)]),
        wkb(6, &[&count(1), &plain]),
        [&plain[..], &[0; 16]].concat(),
    ];
    let expected = ParsedGeometry::from_wkb(&plain).unwrap().geometry;
    for other in others {
        assert!(!is_quick(&other));
        assert_eq!(ParsedGeometry::from_wkb(&other).unwrap().geometry, expected);
    }
    // Invalid input is read by the general reader, whose errors have a position.
    for bad in [&ring[..6], &[0.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 1.0, 0.0, 1.0, f64::NAN, 0.0, 0.0], &ring[2..]] {
        let vertices = u32::try_from(bad.len() / 2).unwrap();
        let bytes = wkb(3, &[&count(1), &count(vertices), &floats(bad)]);
        assert!(!is_quick(&bytes) && ParsedGeometry::from_wkb(&bytes).is_err(), "{bad:?}");
    }
    assert!(!is_quick(&plain[..plain.len() - 1]));
}

#[test]
fn reused_memory_is_cleared() {
    let square = wkb(3, &[&count(1), &count(5), &floats(&[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0, 0.0, 0.0])]);
    let triangle = wkb(3, &[&count(1), &count(4), &floats(&[5.0, 5.0, 6.0, 5.0, 5.0, 6.0, 5.0, 5.0])]);
    let with_srid = wkb(0x2000_0001, &[&count(32631), &floats(&[1.0, 2.0])]);
    let texts = ["LINESTRING(0 0, 1 1)", "MULTIPOLYGON(((0 0, 1 0, 0 1, 0 0)), ((5 5, 6 5, 5 6, 5 5)))", "POINT EMPTY"];
    let encoded: Vec<_> = [&square, &with_srid, &triangle, &square]
        .into_iter()
        .map(|bytes| EncodedGeometry::Wkb(bytes.as_slice()))
        .chain(texts.map(EncodedGeometry::Text))
        .collect();
    let mut used = ParsedGeometry::default();
    for (first, second) in encoded.iter().flat_map(|first| encoded.iter().map(move |second| (first, second))) {
        first.parse_into(&mut used).unwrap();
        second.parse_into(&mut used).unwrap();
        assert_eq!(used, second.parse().unwrap(), "{first:?}, {second:?}");
    }
}

#[test]
fn errors_have_a_position() {
    for (text, expected) in [
        (
            "POLYGON((0 0, 1 0, 1 1))",
            "polygon 0, ring 0: expected a closed ring, found (0 0) at its start and (1 1) at its end",
        ),
        ("POLYGON((0 0, 1 0, 0 0))", "polygon 0, ring 0: expected a ring of at least 4 vertices, found 3"),
        (
            "MULTIPOLYGON(((0 0, 9 0, 9 9, 0 0)),((0 0, 9 0, 9 9, 0 0),(5 3, 6 3, 6 4)))",
            "polygon 1, ring 1: expected a closed",
        ),
        ("LINESTRING(1 2)", "line 0: expected at least 2 vertices"),
        ("CIRCULARSTRING(0 0, 1 1, 2 0)", "expected WKT or GeoJSON"),
        ("POINT(1 2) POINT(3 4)", "expected the end of the WKT, found 'POINT(3 4)'"),
        ("POINT(1 2", "'(' open"),
        ("POINT 1 2)", "')' without '('"),
        ("POINT(1)", "expected WKT"),
        ("nonsense", "expected WKT or GeoJSON, found 'nonsense'"),
        ("", "expected WKT or GeoJSON"),
        ("SRID=x;POINT(1 2)", "expected SRID=number before ';', found 'SRID=x'"),
        (r#"{"type":"Point"}"#, "expected GeoJSON"),
        (r#"{"type":"Point","coordinates":[1]}"#, "expected GeoJSON"),
    ] {
        let found = refusal(text);
        assert!(found.starts_with("geometry: ") && found.contains(expected), "{text}: {found}");
    }
    let ring = floats(&[0.0, 0.0, 1.0, 0.0, f64::NAN, 1.0, 0.0, 0.0]);
    let error = ParsedGeometry::from_wkb(&wkb(3, &[&count(1), &count(4), &ring])).unwrap_err().to_string();
    assert_eq!(error, "geometry: polygon 0, ring 0, vertex 2: expected finite coordinates, found (NaN 1)");
    let error = ParsedGeometry::from_wkb(&wkb(8, &[&count(0)])).unwrap_err().to_string();
    assert!(error.contains("CIRCULARSTRING"), "{error}");
}

#[test]
fn hostile_input_is_an_error() {
    for bytes in [&[][..], &[1], &[7, 0, 0, 0, 1], &wkb(99, &[]), &wkb(1, &[&[0; 8]])] {
        assert!(ParsedGeometry::from_wkb(bytes).is_err(), "{bytes:?}");
    }
    // Declared counts are not trusted.
    for code in [2, 3, 4, 5, 6, 7] {
        assert!(ParsedGeometry::from_wkb(&wkb(code, &[&count(u32::MAX), &[1, 1]])).is_err());
    }
    let nested = [wkb(7, &[&count(1)]).repeat(100_000), wkb(7, &[&count(0)])].concat();
    assert!(ParsedGeometry::from_wkb(&nested).unwrap_err().to_string().contains("nested collections"));
    let nested = "GEOMETRYCOLLECTION(".repeat(100_000) + "POINT(1 2)" + &")".repeat(100_000);
    assert!(refusal(&nested).contains("nested parentheses"));
    let nested = r#"{"type":"GeometryCollection","geometries":["#.repeat(100_000);
    assert!(refusal(&nested).contains("GeoJSON"));
}

#[test]
fn the_number_of_vertices_is_bounded() {
    const MAX: usize = 1 << 22;
    let text = format!("MULTIPOINT({}1 2)", "1 2,".repeat(MAX));
    assert!(refusal(&text).contains("expected at most 4194304 vertices, found more"));
    let vertices = MAX + 1;
    let ring = wkb(3, &[&count(1), &count(u32::try_from(vertices).unwrap()), &vec![0; 16 * vertices]]);
    let error = ParsedGeometry::from_wkb(&ring).unwrap_err().to_string();
    assert!(error.contains("expected at most 4194304 vertices, found more"), "{error}");
}

#[test]
fn all_vertices_are_returned() {
    let parsed =
        ParsedGeometry::from_text("GEOMETRYCOLLECTION(POINT(1 2),POLYGON((0 0, 9 0, 9 9, 0 0),(5 3, 6 3, 6 4, 5 3)))");
    let geometry = parsed.unwrap().geometry;
    assert_eq!(geometry.vertices().count(), 9);
    assert_eq!(geometry.vertices().last(), Some(Coord { x: 5.0, y: 3.0 }));
}
