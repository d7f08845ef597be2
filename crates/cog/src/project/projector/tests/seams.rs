//! Poles, cuts of maps, and rasters beyond 180 degrees. Expected values are computed by shapely from polygons densified and projected with
//! pyproj (PROJ 9.5), or by hand.

use geo_types::Coord;

use super::{Raster, parsed};
use crate::zonal::{Coverage, Method};

/// NSIDC's grids of 25 km.
const NORTH: Raster = Raster("EPSG:3413", 304, 448, -3_850_000.0, 5_850_000.0, 25_000.0);
const SOUTH: Raster = Raster("EPSG:3031", 316, 332, -3_950_000.0, 4_350_000.0, 25_000.0);
/// All of EASE-Grid 2.0.
const GLOBE: Raster = Raster("EPSG:6933", 694, 292, -17_367_530.0, 7_314_540.0, 50_000.0);
/// The pole is a kilometre below, on the left side, and in the upper right corner.
const NEAR: Raster = Raster("EPSG:3413", 1800, 1800, -956_250.0, 1_801_000.0, 1000.0);
const SIDE: Raster = Raster("EPSG:3413", 36, 36, -1_800_000.0, 900_000.0, 50_000.0);
const CORNER: Raster = Raster("EPSG:3413", 36, 36, -1_800_000.0, 1_800_000.0, 50_000.0);
/// Longitudes from 190 to 290, from 0 to 360, and from -182.5 to 182.5.
const EAST: Raster = Raster("EPSG:4326", 100, 60, 190.0, 60.0, 1.0);
const GREENWICH: Raster = Raster("EPSG:4326", 72, 36, 0.0, 90.0, 5.0);
const WIDE: Raster = Raster("EPSG:4326", 73, 36, -182.5, 90.0, 5.0);
/// A box around the oval of Equal Earth.
const OVAL: Raster = Raster("EPSG:8857", 80, 40, -18_000_000.0, 9_000_000.0, 450_000.0);

/// Returns the number of pixels in a box, and the largest coverage of a pixel.
fn covered(raster: &Raster, crs: &str, [xmin, ymin, xmax, ymax]: [f64; 4]) -> (f64, f64) {
    let text = format!("POLYGON(({xmin} {ymin}, {xmax} {ymin}, {xmax} {ymax}, {xmin} {ymax}, {xmin} {ymin}))");
    let coverage = Coverage::of(&raster.pixels(crs, &text), raster.1, raster.2, Method::Fraction);
    (coverage.weight(), coverage.runs().map(|run| run.weight).fold(0.0, f64::max))
}

fn check(cases: &[(&Raster, &str, [f64; 4], f64, f64)]) {
    for (raster, crs, bounds, expected, tolerance) in cases {
        let (count, most) = covered(raster, crs, *bounds);
        assert!((count - expected).abs() <= *tolerance, "{} {crs} {bounds:?}: {count}, expected {expected}", raster.0);
        assert!(most <= 1.0, "{} {crs} {bounds:?}: {most}", raster.0);
    }
}

#[test]
fn the_pole_is_in_the_raster_and_on_the_edge_of_the_geometrys_map() {
    check(&[
        (&NORTH, "EPSG:3857", [-4_552_779.6, 12_882_824.4, -4_352_779.6, 12_982_824.4], 2.099, 0.02),
        (&NORTH, "EPSG:8857", [1_100_000.0, 7_700_000.0, 1_300_000.0, 7_800_000.0], 31.8, 0.15),
        (&NORTH, "EPSG:6933", [-3_959_421.5, 7_010_000.0, -3_759_421.5, 7_060_000.0], 15.68, 0.15),
        (&SOUTH, "EPSG:3857", [-100_000.0, -12_982_824.4, 100_000.0, -12_882_824.4], 2.11, 0.02),
        // A circle, approximated within a quarter of a pixel.
        (&NORTH, "OGC:CRS84", [-180.0, 80.0, 180.0, 90.0], 5927.42, 8.0),
    ]);
    // On both sides of Mercator's cut, and in one piece in longitude and latitude: a sector of a ring with the radii of pyproj. Its
    // perimeter is 60 pixels, with an average error of a fortieth of a pixel.
    let edge = 20_037_508.342_789_244;
    let (west, east) = ([-edge, 15e6, -19e6, 16e6], [19e6, 15e6, edge, 16e6]);
    let latitude = |y: f64| (y / 6_378_137.0).sinh().atan().to_degrees();
    let longitude = 19e6 / edge * 180.0;
    let across = covered(&NORTH, "OGC:CRS84", [longitude, latitude(15e6), 360.0 - longitude, latitude(16e6)]).0;
    let sum = covered(&NORTH, "EPSG:3857", west).0 + covered(&NORTH, "EPSG:3857", east).0;
    assert!((across - 97.793).abs() < 0.75 && (sum - 97.793).abs() < 1.5, "{across} {sum}");
}

#[test]
fn the_pole_is_near_or_on_the_side_or_in_the_corner() {
    check(&[
        (&NEAR, "OGC:CRS84", [0.0, 89.85, 90.0, 89.95], 81.31, 1.0),
        (&SIDE, "OGC:CRS84", [-161.7, 82.2, -148.4, 89.03], 32.67, 0.3),
        (&CORNER, "OGC:CRS84", [-176.7, 70.0, -163.4, 85.0], 201.66, 1.0),
        // A cap around the whole raster.
        (&CORNER, "OGC:CRS84", [-180.0, 50.0, 180.0, 90.0], 1296.0, 0.0),
        (&SIDE, "OGC:CRS84", [0.0, 50.0, 360.0, 90.0], 1296.0, 0.0),
        (&NORTH, "OGC:CRS84", [-180.0, 10.0, 180.0, 90.0], 136_192.0, 0.0),
    ]);
}

#[test]
fn parts_at_different_turns_are_counted_once() {
    // Around 172 E and 98 W: 90 degrees apart in the CRS of the geometry, across the antimeridian.
    let globe = Raster("EPSG:4326", 36, 18, -180.0, 90.0, 10.0);
    let parts = "MULTIPOLYGON(((8600000 1000000, 9400000 1000000, 9400000 1800000, 8600000 1000000)), \
                 ((-400000 1000000, 400000 1000000, 400000 1800000, -400000 1000000)))";
    let pixels = globe.pixels("+proj=merc +lon_0=172 +datum=WGS84", parts);
    let bounds = pixels.bbox().unwrap();
    assert!(pixels.polygons.len() == 2 && bounds.xmin > 0.0 && bounds.xmax < 36.0, "{bounds:?}");
}

#[test]
fn geometries_that_start_at_the_cut_are_on_one_side() {
    let size = 40_075_016.685_578_49 / 23.0;
    let world = Raster("EPSG:3395", 23, 23, -20_037_508.342_789_244, 19_994_875.0, size);
    let text = "POLYGON((-110 -90, -110 -59, -180 -59, -180 -90, -110 -90))";
    let bounds = world.pixels("OGC:CRS84", text).bbox().unwrap();
    assert!(bounds.xmin >= 0.0 && bounds.xmax < 5.0, "{bounds:?}");
}

#[test]
fn caps_wider_than_a_turn_cover_a_pixel_once() {
    let beside = Raster("EPSG:3575", 14, 4, 0.0, 22_930.964_117_820_706, 25_000.0);
    let (count, most) = covered(&beside, "OGC:CRS84", [-180.0, 70.849, 200.0, 90.0]);
    assert!((count - 56.0).abs() < 0.02 && most <= 1.0, "{count} {most}");
}

#[test]
fn no_pixels_are_lost_at_the_edge_of_a_datums_area_of_use() {
    // British National Grid west and north of Great Britain, where forward and inverse transformation use different operations.
    for (x, y, size, bounds, expected) in [
        (0.0, 600_000.0, 100.0, [-8.95, 54.95, -8.85, 55.05], 7151.06),
        (0.0, 500_000.0, 100.0, [-9.15, 53.25, -9.05, 53.35], 7453.40),
    ] {
        let raster = Raster("EPSG:27700", 4000, 4000, x - 300_000.0, y, size);
        let (count, most) = covered(&raster, "OGC:CRS84", bounds);
        assert!((count - expected).abs() < 10.0 && most <= 1.0, "{bounds:?}: {count}, expected {expected}");
    }
}

#[test]
fn geometries_outside_of_the_projection_are_empty() {
    let raster = Raster("EPSG:2193", 10, 10, 1_700_000.0, 5_400_000.0, 1000.0);
    let orthographic = "+proj=ortho +lat_0=40 +lon_0=0 +R=6371000 +type=crs";
    assert!(raster.pixels(orthographic, "POINT(0 0)").points.is_empty());
    assert!(raster.pixels(orthographic, "POLYGON((0 0, 9 0, 0 9, 0 0))").polygons.is_empty());
}

#[test]
fn a_pole_on_the_side_of_a_raster_with_geometries_of_other_maps() {
    let half = Raster("EPSG:32761", 39, 16, -5_642_104.255, 6_000_000.0, 250_000.0);
    let point = half.pixels("EPSG:3857", "POINT(1472470.6036 -25078482.5947)").points;
    // pyproj: 2057073.27 2242810.21
    assert!((point[0].x - 30.7967).abs() < 1e-3 && (point[0].y - 15.0288).abs() < 1e-3, "{point:?}");
    // One kilometre next to it: 2001345 2001446.
    let beside = Raster("EPSG:32761", 10, 27, 1_993_293.464, 2_676_000.0, 25_000.0);
    let point = beside.pixels("EPSG:3857", "POINT(4778319.8062 -55942077.3684)").points;
    assert!((point[0].x - 0.3220).abs() < 1e-3 && (point[0].y - 26.9822).abs() < 1e-3, "{point:?}");
}

#[test]
fn lines_are_followed_where_maps_bend_within_a_pixel() {
    // Pixels of 2,500 km, far from the centre of the line's map; its length is computed with pyproj from 200,000 points.
    let coarse = Raster("+proj=sinu +R=6371007.181 +units=m", 16, 8, -20_015_109.354, 10_007_554.677, 2_501_888.669);
    let line = coarse.pixels("EPSG:6932", "LINESTRING(9776394.87 -2301227.68, 11039545.36 -6085761.14)");
    let length = Coverage::of(&line, coarse.1, coarse.2, Method::Fraction).weight();
    assert!((length - 4.1318).abs() < 0.02, "{length}");
    // A parallel of 360 degrees over a raster that starts in the middle of it, and one that is 360 degrees too long.
    let length = |text: &str| {
        let line = GREENWICH.pixels("OGC:CRS84", text);
        Coverage::of(&line, GREENWICH.1, GREENWICH.2, Method::Fraction).weight()
    };
    assert!((length("LINESTRING(-180 10, 180 10)") - 72.0).abs() < 1e-9);
    assert!((length("LINESTRING(-200 10, 200 10)") - 80.0).abs() < 1e-9);
    // A triangle around one pole covers nothing at the other pole, which is at infinity in its map.
    let degrees = Raster("EPSG:4326", 36, 19, -5.0, 95.0, 10.0);
    let triangle = "POLYGON((1975350 2014097, 2004422 1978761, 2015174 2008584, 1975350 2014097))";
    let coverage = Coverage::of(&degrees.pixels("EPSG:32761", triangle), degrees.1, degrees.2, Method::Fraction);
    assert!(coverage.runs().all(|run| run.row == 18), "{coverage:?}");
}

#[test]
fn parts_a_turn_apart_cover_a_pixel_once() {
    let count = |raster: &Raster, text: &str| {
        let coverage = Coverage::of(&raster.pixels("OGC:CRS84", text), raster.1, raster.2, Method::Fraction);
        assert!(coverage.runs().all(|run| run.weight <= 1.0));
        coverage.weight()
    };
    for raster in [&NORTH, &OVAL, &GREENWICH] {
        let once = count(raster, "POLYGON((-10 60, 30 60, 30 80, -10 80, -10 60))");
        // A copy of the part, and half of it.
        let again = "MULTIPOLYGON(((-10 60, 30 60, 30 80, -10 80, -10 60)),((350 60, 390 60, 390 80, 350 80, 350 60)))";
        let half = "MULTIPOLYGON(((-10 60, 30 60, 30 80, -10 80, -10 60)),((370 60, 390 60, 390 80, 370 80, 370 60)))";
        assert!(once > 10.0 && (count(raster, again) - once).abs() < 0.02 * once, "{}", raster.0);
        assert!((count(raster, half) - once).abs() < 0.02 * once, "{}", raster.0);
    }
}

#[test]
fn outlines_that_fold_and_maps_that_end() {
    check(&[
        (&GLOBE, "EPSG:10594", [-3_821_730.0, -869_946.0, -3_621_730.0, -669_946.0], 16.0, 0.05),
        // The area of the sphere divided by that of a pixel; edges of the map have an error of a twentieth of a pixel.
        (&OVAL, "OGC:CRS84", [-180.0, -90.0, 180.0, 90.0], 5.100_656e14 / 2.025e11, 8.0),
    ]);
}

#[test]
fn rasters_beyond_180() {
    // 1000 km in Web Mercator, in degrees of longitude, and of latitude from the equator.
    let (x, y) = (8.983_152_841, 8.946_573_379);
    let edge = 20_037_508.342_789_244;
    check(&[
        (&EAST, "EPSG:3857", [-11_200_000.0, 4_000_000.0, -11_000_000.0, 4_200_000.0], 2.66, 0.01),
        (&GREENWICH, "EPSG:3857", [-1e6, -1e6, 1e6, 1e6], 4.0 * x * y / 25.0, 0.01),
        (&GREENWICH, "OGC:CRS84", [-200.0, -40.0, 200.0, -17.0], 72.0 * 23.0 / 5.0, 0.5),
        (&GREENWICH, "OGC:CRS84", [-180.0, -40.0, 180.0, -17.0], 72.0 * 23.0 / 5.0, 1e-9),
        // Both of two columns that coincide.
        (&WIDE, "OGC:CRS84", [170.0, -12.0, 190.0, 12.0], 24.0, 1e-9),
        (&WIDE, "EPSG:3857", [edge - 5e5, -1e6, edge, 1e6], (x / 2.0 + 2.5) * 2.0 * y / 25.0, 0.02),
    ]);
}

/// The pixel of a point; None outside.
fn pixel(raster: &Raster, crs: &str, x: f64, y: f64) -> Option<(f64, f64)> {
    let points = raster.projector(crs).pixels(&parsed(&format!("POINT({x} {y})"))).unwrap().points;
    assert!(points.len() <= 1, "{points:?}");
    points.first().map(|point: &Coord<f64>| (point.x.floor(), point.y.floor()))
}

#[test]
fn points_have_one_pixel() {
    let globe = Raster("EPSG:4326", 72, 36, -180.0, 90.0, 5.0);
    let edge = 20_037_508.342_789_244;
    let mercator = Raster("EPSG:3857", 72, 72, -edge, edge, edge / 36.0);
    for longitude in [180.0, -180.0, 540.0, -540.0] {
        assert_eq!(pixel(&globe, "OGC:CRS84", longitude, 33.0), Some((0.0, 11.0)), "{longitude}");
        assert_eq!(pixel(&mercator, "OGC:CRS84", longitude, 1.0), Some((0.0, 35.0)), "{longitude}");
    }
    assert_eq!(pixel(&globe, "EPSG:3857", edge, 1.0).map(|pixel| pixel.0), Some(0.0));
    for longitude in [0.0, 360.0, -360.0] {
        assert_eq!(pixel(&GREENWICH, "OGC:CRS84", longitude, 33.0), Some((0.0, 11.0)), "{longitude}");
    }
    assert_eq!(pixel(&GREENWICH, "OGC:CRS84", -1.0, 33.0), Some((71.0, 11.0)));
    // The western one of two pixels.
    assert_eq!(pixel(&WIDE, "OGC:CRS84", 181.0, 33.0), Some((0.0, 11.0)));
    assert_eq!(pixel(&WIDE, "EPSG:3857", -edge + 1000.0, 1.0).map(|pixel| pixel.0), Some(0.0));
    assert_eq!(pixel(&EAST, "EPSG:3857", -11_100_000.0, 4_100_000.0).map(|pixel| pixel.0), Some(70.0));
    // Of four pixels around the pole, the lower right one contains it, because the upper left corner belongs to a pixel.
    assert_eq!(pixel(&CORNER, "OGC:CRS84", 10.0, 80.0), None);
    assert_eq!(pixel(&NORTH, "OGC:CRS84", -45.0, 75.0).map(|pixel| pixel.0), Some(154.0));
}

#[test]
fn points_elsewhere_are_outside() {
    let scene = &super::SCENE;
    for (crs, x, y) in [
        ("OGC:CRS84", 5.0, 37.5),
        ("OGC:CRS84", -170.0, 10.0),
        ("OGC:CRS84", 100.0, -40.0),
        ("OGC:CRS84", 0.0, 90.0),
        ("EPSG:3857", 1e6, 9e6),
        ("EPSG:3857", 1e9, 1e9),
        ("EPSG:3413", 1e300, 1e300),
    ] {
        assert_eq!(pixel(scene, crs, x, y), None, "{crs} {x} {y}");
        assert_eq!(pixel(&NORTH, crs, x, -y.abs().min(80.0)), None, "{crs} {x} {y}");
    }
    assert!(scene.refusal("OGC:CRS84", "POINT(3 91)").contains("within 90"));
    assert!(scene.pixels("OGC:CRS84", "POINT EMPTY").is_empty());
}
