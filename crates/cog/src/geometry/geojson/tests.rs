use geo_types::Coord;

use super::{MAX_VERTICES, parse};
use crate::geometry::Geometry;

fn geometry(text: &str) -> Geometry {
    parse(text).unwrap().0
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn members_have_any_order() {
    let expected = Geometry { points: vec![Coord { x: 1.0, y: -2.5 }], ..Geometry::default() };
    for text in [
        r#"{"type":"Point","coordinates":[1,-2.5]}"#,
        r#"{"coordinates":[1.0,-2.5,7,8],"bbox":[1,2],"type":"Point"}"#,
        r#"{"geometry":{"coordinates":[1e0,-25e-1],"type":"Point"},"type":"Feature"}"#,
        r#"{"type":"Feature","coordinates":"none","properties":{"type":["x",{}]},"geometry":{"type":"Point","coordinates":[1,-2.5]},"id":7}"#,
        r#"{"features":[{"type":"Feature","geometry":null},{"geometry":{"type":"Point","coordinates":[1,-2.5]},"type":"Feature"}],"type":"FeatureCollection"}"#,
        r#"{"geometries":[{"type":"GeometryCollection","geometries":[{"type":"MultiPoint","coordinates":[[1,-2.5]]}]}],"type":"GeometryCollection"}"#,
    ] {
        assert_eq!(geometry(text), expected, "{text}");
    }
}

#[test]
fn parts_are_nested_as_in_the_type() {
    let parts = |text: &str| {
        let Geometry { points, lines, polygons } = geometry(text);
        let holes: usize = polygons.iter().map(|polygon| polygon.interiors().len()).sum();
        (points.len(), lines.len(), polygons.len(), holes)
    };
    let ring = "[[0,0],[9,0],[9,9],[0,0]]";
    let hole = "[[5,3],[6,3],[6,4],[5,3]]";
    assert_eq!(parts(r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#), (2, 0, 0, 0));
    assert_eq!(parts(r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#), (0, 1, 0, 0));
    assert_eq!(parts(r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[],[[1,2],[3,4]]]}"#), (0, 2, 0, 0));
    assert_eq!(parts(&format!(r#"{{"type":"Polygon","coordinates":[{ring},{hole}]}}"#)), (0, 0, 1, 1));
    assert_eq!(
        parts(&format!(r#"{{"type":"MultiPolygon","coordinates":[[{ring},{hole}],[],[{ring}]]}}"#)),
        (0, 0, 2, 1)
    );
    for kind in ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"] {
        assert_eq!(parts(&format!(r#"{{"type":"{kind}","coordinates":[]}}"#)), (0, 0, 0, 0), "{kind}");
    }
}

#[test]
fn other_texts_are_errors() {
    for (text, expected) in [
        (r#"{"type":"Point","coordinates":[[]]}"#, "expected the coordinates of a Point, found others"),
        (r#"{"type":"Point","coordinates":[1]}"#, "expected a position of two numbers, found one"),
        (r#"{"type":"Point","coordinates":[[1,2]]}"#, "expected the coordinates of a Point"),
        (r#"{"type":"LineString","coordinates":[1,2]}"#, "expected the coordinates of a LineString"),
        (r#"{"type":"Polygon","coordinates":[[1,2],[3,4]]}"#, "expected the coordinates of a Polygon"),
        (r#"{"type":"Polygon","coordinates":[[[1,2]],[3,4]]}"#, "expected coordinates of one kind in a list"),
        (r#"{"type":"LineString","coordinates":[[1,2],[]]}"#, "expected coordinates of one kind in a list"),
        (r#"{"type":"MultiPolygon","coordinates":[[[[[1,2]]]]]}"#, "nested up to 4 times"),
        (r#"{"type":"Point","coordinates":["1",2]}"#, "expected a number or a list of coordinates"),
        (r#"{"type":"Point","coordinates":[1,2,null]}"#, "expected f64"),
        (r#"{"type":"Point","coordinates":[1e999,2]}"#, "number out of range"),
        (r#"{"type":"Point","coordinates":null}"#, "expected a list of coordinates"),
        (r#"{"type":"Point"}"#, "expected the member coordinates of a Point, found none"),
        (r#"{"coordinates":[1,2]}"#, "expected the member type, found none"),
        (r#"{"type":"Circle","coordinates":[1,2]}"#, "expected a type of GeoJSON, found 'Circle'"),
        (r#"{"type":"Feature"}"#, "expected the member geometry of a Feature"),
        (r#"{"type":"Feature","geometry":{"type":"Feature","geometry":null}}"#, "found a Feature"),
        (r#"{"type":"FeatureCollection","features":[{"type":"Point","coordinates":[1,2]}]}"#, "expected Features"),
        (r#"{"type":"GeometryCollection","geometries":[{"type":"Feature","geometry":null}]}"#, "expected geometries"),
        (r#"{"type":"Point","coordinates":[1,2]} x"#, "trailing characters"),
        (r#"{"type":"Point","coordinates":[1,2]"#, "EOF"),
        ("{}", "expected the member type"),
    ] {
        let found = refusal(text);
        assert!(found.starts_with("geometry: expected GeoJSON: ") && found.contains(expected), "{text}: {found}");
    }
    let open = refusal(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}"#);
    assert!(open.contains("polygon 0, ring 0: expected a closed ring"), "{open}");
}

#[test]
fn names_of_a_crs() {
    let crs = |member: &str| parse(&format!(r#"{{"type":"Point","coordinates":[1,2],"crs":{member}}}"#));
    let name = crs(r#"{"type":"name","properties":{"x":1,"name":"EPSG:32631"}}"#).unwrap().1;
    assert_eq!(name.as_deref(), Some("EPSG:32631"));
    assert_eq!(crs("null").unwrap().1, None);
    for member in
        ["7", r#""EPSG:4326""#, "[1,[2]]", "{}", r#"{"properties":{"name":null}}"#, r#"{"properties":"name"}"#, "true"]
    {
        let found = crs(member).unwrap_err().to_string();
        assert_eq!(found, "geometry: expected a name in the GeoJSON member crs, found none", "{member}");
    }
    // A CRS below the top level is not that of the geometry.
    let inner =
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2],"crs":{"properties":{"name":"x"}}}}"#;
    assert_eq!(parse(inner).unwrap().1, None);
}

#[test]
fn the_number_of_vertices_is_bounded() {
    let points =
        |count: usize| format!(r#"{{"type":"MultiPoint","coordinates":[{}[1,2]]}}"#, "[1,2],".repeat(count - 1));
    // Lists and objects count, too.
    assert_eq!(geometry(&points(MAX_VERTICES - 2)).points.len(), MAX_VERTICES - 2);
    assert!(refusal(&points(MAX_VERTICES - 1)).contains("expected at most 4194304 vertices, found more"));
    let empty = format!(r#"{{"type":"MultiLineString","coordinates":[{}[]]}}"#, "[],".repeat(MAX_VERTICES));
    assert!(refusal(&empty).contains("expected at most 4194304 vertices, found more"));
}
