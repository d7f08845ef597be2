use geo_types::LineString;

use super::is_convex;
use crate::geometry::ParsedGeometry;

fn fault(text: &str) -> Option<String> {
    ParsedGeometry::from_text(text).err().map(|error| error.to_string())
}

#[test]
fn valid_polygons() {
    for text in [
        "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))",
        // Repeated vertices, and vertices along an edge.
        "POLYGON((0 0, 2 0, 4 0, 4 0, 4 4, 4 4, 0 4, 0 0))",
        // A hole that touches the shell in a point, and two holes that touch each other.
        "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0),(0 2, 1 1, 2 2, 0 2))",
        "POLYGON((0 0, 9 0, 9 9, 0 9, 0 0),(1 1, 3 1, 3 3, 1 3, 1 1),(3 3, 5 3, 5 5, 3 5, 3 3))",
        // Either orientation.
        "POLYGON((0 0, 0 4, 4 4, 4 0, 0 0),(1 1, 2 1, 2 2, 1 2, 1 1))",
        // Parts that overlap.
        "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 4, 0 0)),((1 1, 2 1, 2 2, 1 2, 1 1)))",
    ] {
        assert_eq!(fault(text), None, "{text}");
    }
}

#[test]
fn convex_rings_are_detected() {
    let convex = |text: &str| is_convex(ParsedGeometry::from_text(text).unwrap().geometry.polygons[0].exterior());
    for text in [
        "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))",
        "POLYGON((0 0, 0 4, 4 4, 4 0, 0 0))",
        "POLYGON((0 0, 3 1, 1 3, 0 0))",
        "POLYGON((2 0, 4 1, 4 3, 2 4, 0 3, 0 1, 2 0))",
    ] {
        assert!(convex(text), "{text}");
    }
    // Vertices on an edge, repeated vertices, a concave vertex.
    for text in [
        "POLYGON((0 0, 2 0, 4 0, 4 4, 0 4, 0 0))",
        "POLYGON((0 0, 4 0, 4 0, 4 4, 0 4, 0 0))",
        "POLYGON((0 0, 4 0, 4 4, 2 1, 0 4, 0 0))",
    ] {
        assert!(!convex(text), "{text}");
    }
    // A pentagram turns to one side only, but twice around; a bow tie turns to both.
    let ring = |points: &[(f64, f64)]| LineString::from(points.to_vec());
    assert!(!is_convex(&ring(&[(0.0, 3.0), (2.0, -3.0), (-3.0, 1.0), (3.0, 1.0), (-2.0, -3.0), (0.0, 3.0)])));
    assert!(!is_convex(&ring(&[(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0)])));
}

#[test]
fn invalid_polygons_and_positions() {
    for (text, expected) in [
        ("POLYGON((0 0, 2 2, 2 0, 0 2, 0 0))", "polygon 0, ring 0, edge 0 meets ring 0, edge 2 near (1 1)"),
        // A ring that touches itself in a vertex, and one whose vertex lies on an edge.
        ("POLYGON((0 0, 2 2, 4 0, 4 4, 2 2, 0 4, 0 0))", "near (2 2)"),
        ("POLYGON((0 0, 4 0, 4 4, 2 0, 0 4, 0 0))", "edge 0 meets ring 0, edge 2 near (2 0)"),
        // A ring that runs back along itself.
        ("POLYGON((0 0, 4 0, 2 0, 4 4, 0 0))", "edge 0 meets ring 0, edge 1"),
        ("POLYGON((0 0, 4 4, 4 4, 0 0, 0 0))", "expected an area, found none at (0 0)"),
        ("POLYGON((0 0, 4 0, 4 4, 0 4, 0 0),(3 1, 5 1, 5 2, 3 2, 3 1))", "edge 1 meets ring 1, edge 0 near (4 1)"),
        ("POLYGON((0 0, 4 0, 4 4, 0 4, 0 0),(0 1, 1 1, 1 2, 0 2, 0 1))", "edge 3 meets ring 1, edge 3"),
        (
            "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0),(5 5, 6 5, 6 6, 5 5))",
            "ring 1: expected a hole inside the shell, found (5 5)",
        ),
        // A hole that leaves the shell through a vertex.
        ("POLYGON((0 0, 4 0, 4 4, 0 4, 0 0),(2 2, 4 4, 6 4, 4 4, 2 3, 2 2))", "polygon 0"),
        (
            "POLYGON((0 0, 9 0, 9 9, 0 9, 0 0),(1 1, 5 1, 5 5, 1 5, 1 1),(2 2, 3 2, 3 3, 2 3, 2 2))",
            "ring 2: expected disjoint holes, found (2 2) in ring 1",
        ),
        ("MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)),((0 0, 2 2, 2 0, 0 2, 0 0)))", "polygon 1, ring 0, edge 0"),
    ] {
        let found = fault(text).unwrap_or_default();
        assert!(found.contains(expected), "{text}: {found}");
    }
}

/// A comb of many teeth, with long parallel edges that a sweep must not compare pairwise.
fn comb(teeth: u32, upright: bool) -> String {
    let mut points = vec![(0, 0)];
    for tooth in 0..teeth {
        points.extend([(2 * tooth, 1000), (2 * tooth + 1, 1000), (2 * tooth + 1, 1), (2 * tooth + 2, 1)]);
    }
    points.extend([(2 * teeth + 2, 0), (0, 0)]);
    let points = points.iter().map(|(x, y)| if upright { format!("{x} {y}") } else { format!("{y} {x}") });
    format!("POLYGON(({}))", points.collect::<Vec<_>>().join(","))
}

#[test]
fn many_edges_are_compared_by_a_sweep() {
    for upright in [true, false] {
        assert_eq!(fault(&comb(20_000, upright)), None);
    }
    let crossed = comb(100, true).replace("101 1000", "101 1000, 90 990");
    assert!(fault(&crossed).unwrap().contains("meets"), "{crossed}");
}
