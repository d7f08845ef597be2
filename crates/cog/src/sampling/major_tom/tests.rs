use proptest::prelude::*;

use super::*;

fn cell(lat: f64, lon: f64, spacing: f64) -> String {
    MajorTomCell::of(lat, lon, spacing).unwrap().to_string()
}

/// Results of the original package: latitude, longitude, spacing, cell.
const VECTORS: &[(f64, f64, f64, &str)] = &[
    (0.0, 0.0, 10.0, "1D_1L"),
    (1e-9, 1e-9, 10.0, "0U_0R"),
    (48.8566, 2.3522, 10.0, "543U_17R"),
    (-33.8688, 151.2093, 10.0, "378D_1396R"),
    (40.7128, -74.006, 10.0, "453U_625L"),
    (37.7749, -122.4194, 10.0, "420U_1078L"),
    (-22.9068, -43.1729, 10.0, "256D_443L"),
    (35.6762, 139.6503, 10.0, "397U_1263R"),
    (64.1466, -21.9426, 10.0, "714U_107L"),
    (-54.8019, -68.303, 10.0, "611D_438L"),
    (78.2232, 15.6267, 10.0, "870U_35R"),
    (0.05, 179.99, 10.0, "0U_2003R"),
    (0.05, -179.99, 10.0, "0U_2004L"),
    (-0.05, -179.9999, 10.0, "1D_2004L"),
    (51.4779, 0.0, 10.0, "573U_1L"),
    (89.95, 10.0, 10.0, "1001U_0R"),
    (-89.99, -120.0, 10.0, "1002D_0R"),
    (-90.0, 0.0, 10.0, "1001U_1L"),
    (90.0, 0.0, 10.0, "1001U_1L"),
    (12.97, 180.0, 10.0, "144U_1952R"),
    (12.97, -180.0, 10.0, "144U_1952R"),
    (-0.01, 0.01, 10.0, "1D_0R"),
    (0.01, -0.01, 10.0, "0U_1L"),
    (66.5, 25.7, 10.0, "740U_114R"),
    (-77.85, 166.67, 10.0, "867D_389R"),
    (48.8566, 2.3522, 100.0, "54U_1R"),
    (-33.8688, 151.2093, 100.0, "38D_139R"),
    (0.05, -179.99, 100.0, "0U_200R"),
    (-89.99, -120.0, 100.0, "100U_2L"),
    (48.8566, 2.3522, 320.0, "17U_0R"),
    (0.05, -179.99, 320.0, "0U_63L"),
    (40.7128, -74.006, 1000.0, "4U_7L"),
    (51.08736207015028, -176.0642544533898, 333.3, "17U_39R"),
];

#[test]
fn cells_of_the_original_package() {
    for (lat, lon, spacing, expected) in VECTORS {
        assert_eq!(cell(*lat, *lon, *spacing), *expected, "{lat} {lon} at {spacing} km");
    }
}

#[test]
fn invalid_coordinates_are_errors() {
    for (lat, lon, spacing, named) in [
        (90.1, 0.0, 10.0, "lat"),
        (f64::NAN, 0.0, 10.0, "lat"),
        (0.0, 181.0, 10.0, "lon"),
        (0.0, f64::INFINITY, 10.0, "lon"),
        (0.0, 0.0, 0.0, "grid_km"),
        (0.0, 0.0, f64::NAN, "grid_km"),
        (0.0, 0.0, f64::INFINITY, "grid_km"),
        (0.0, 0.0, 1e-9, "grid_km"),
    ] {
        let error = MajorTomCell::of(lat, lon, spacing).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// The algorithm of the original package: `numpy.searchsorted(edges, degrees) - 1` over all edges.
fn searched(span: f64, parts: i64, degrees: f64) -> i64 {
    let half = span / 2.0;
    let step = span / parts as f64;
    let mut edges: Vec<f64> = (0..parts).map(|j| floored_mod(j as f64 * step + -half, span) - half).collect();
    edges.sort_by(f64::total_cmp);
    let zeroth = edges.partition_point(|edge| *edge < 0.0) as i64;
    let found = edges.partition_point(|edge| *edge < degrees) as i64 - 1;
    found.rem_euclid(parts) - zeroth
}

proptest! {
    #[test]
    fn cells_equal_the_original_algorithm(lat in -90.0..=90.0, lon in -180.0..=180.0, spacing in 20.0..5_000.0) {
        let found = MajorTomCell::of(lat, lon, spacing).unwrap();
        let rows = parts(PI * RADIUS / spacing);
        prop_assert_eq!(found.row, searched(180.0, rows, lat));
        let edge = Axis::new(180.0, rows).edge(found.row);
        let columns = parts(2.0 * PI * (RADIUS * (edge * PI / 180.0).cos()) / spacing);
        prop_assert_eq!(found.col, searched(360.0, columns, lon));
    }

    /// Coordinates on edges, and the next double on both sides.
    #[test]
    fn cells_on_edges_equal_the_original_algorithm(parts in 1_i64..3_000, at in 0.0..1.0_f64, beside in -1_i64..=1) {
        for span in [180.0, 360.0] {
            let axis = Axis::new(span, parts);
            #[expect(clippy::cast_possible_truncation, reason = "some edge below the last")]
            let edge = axis.edge(axis.first + (at * parts as f64) as i64);
            let degrees = match beside {
                -1 => edge.next_down(),
                1 => edge.next_up(),
                _ => edge,
            };
            prop_assert_eq!(axis.find(degrees), searched(span, parts, degrees));
        }
    }

    #[test]
    fn any_arguments(lat: f64, lon: f64, spacing: f64) {
        let is_valid = lat.abs() <= 90.0 && lon.abs() <= 180.0 && spacing >= MIN_SPACING && spacing.is_finite();
        prop_assert_eq!(MajorTomCell::of(lat, lon, spacing).is_ok(), is_valid);
    }
}
