use geo_types::Coord;

use crate::crs::Transforms;
use crate::geo::{BBox, GeoTransform};
use crate::header::fixtures::header;
use crate::{CogHeader, Footprint, ParsedGeometry};

/// A raster of 100 x 100 pixels: CRS, upper left corner and pixel size.
fn raster(crs: &str, x: f64, y: f64, size: f64) -> CogHeader {
    let transform = Some(GeoTransform::from_array([size, 0.0, x, 0.0, -size, y]));
    CogHeader { transform, crs: Some(crs.parse().unwrap()), ..header(100, 100, 10, 1) }
}

fn footprint(header: &CogHeader, crs: &str) -> Footprint {
    let transform = header.transform_from(crs, &Transforms::default()).unwrap();
    header.raster_info().footprint(transform.as_ref()).unwrap()
}

fn near(bbox: BBox, expected: [f64; 4]) {
    let found = [bbox.xmin, bbox.ymin, bbox.xmax, bbox.ymax];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}, expected {expected:?}");
}

#[test]
fn boxes() {
    let scene = raster("EPSG:32631", 500_000.0, 4_200_000.0, 1000.0);
    near(footprint(&scene, "native").bbox(), [500_000.0, 4_100_000.0, 600_000.0, 4_200_000.0]);
    near(footprint(&scene, "EPSG:32631").bbox(), [500_000.0, 4_100_000.0, 600_000.0, 4_200_000.0]);
    // pyproj: transform_bounds(…, densify_pts=201)
    near(footprint(&scene, "OGC:CRS84").bbox(), [3.0, 37.040_894, 4.138_074, 37.947_590]);
    near(footprint(&raster("EPSG:4326", 170.0, 10.0, 0.2), "EPSG:4326").bbox(), [170.0, -10.0, -170.0, 10.0]);
    near(footprint(&raster("EPSG:4326", 170.0, 10.0, 0.2), "native").bbox(), [170.0, -10.0, 190.0, 10.0]);
    near(footprint(&raster("EPSG:4326", 0.0, 90.0, 3.6), "OGC:CRS84").bbox(), [-180.0, -90.0, 180.0, 90.0]);
    near(footprint(&raster("EPSG:4326", -10.0, 10.0, 0.1), "OGC:CRS84").bbox(), [-10.0, 0.0, 0.0, 10.0]);
    let polar = footprint(&raster("EPSG:3031", -4e6, 4e6, 8e4), "OGC:CRS84").bbox();
    assert_eq!((polar.xmin, polar.xmax, polar.ymin), (-180.0, 180.0, -90.0));
}

#[test]
fn outlines_as_wkb() {
    let parts = |header: &CogHeader, crs: &str| {
        ParsedGeometry::from_wkb(&footprint(header, crs).to_wkb().unwrap()).unwrap().geometry.polygons
    };
    let scene = raster("EPSG:32631", 500_000.0, 4_200_000.0, 1000.0);
    assert_eq!(parts(&scene, "native")[0].exterior().0.len(), 5);
    let curved = parts(&scene, "OGC:CRS84");
    assert!(curved.len() == 1 && (5..10).contains(&curved[0].exterior().0.len()));
    let large = raster("EPSG:32631", 300_000.0, 6_000_000.0, 6000.0);
    assert!(parts(&large, "OGC:CRS84")[0].exterior().0.len() > 8);
    let across = parts(&raster("EPSG:32660", 760_000.0, 100_000.0, 1000.0), "OGC:CRS84");
    assert_eq!(across.len(), 2);
    assert!(across.iter().flat_map(|part| &part.exterior().0).all(|Coord { x, .. }| x.abs() <= 180.0));
    let polar = parts(&raster("EPSG:3031", -4e6, 4e6, 8e4), "OGC:CRS84");
    assert!(!polar.is_empty() && polar.iter().flat_map(|part| &part.exterior().0).any(|point| point.y == -90.0));
    let area: f64 = polar.iter().map(|part| shoelace(&part.exterior().0)).sum();
    // From the pole to 55 degrees in the middle of the sides and 40 degrees in the corners.
    assert!((360.0 * 35.0..360.0 * 50.0).contains(&area), "{area}");
}

fn shoelace(ring: &[Coord<f64>]) -> f64 {
    (ring.windows(2).map(|pair| pair[0].x * pair[1].y - pair[1].x * pair[0].y).sum::<f64>() / 2.0).abs()
}

/// Returns the parts of an outline in longitude and latitude. Checks that they are valid and disjoint, and intersect every tile.
fn checked(header: &CogHeader) -> Vec<geo_types::Polygon<f64>> {
    use geo::Relate as _;
    let transform = header.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
    let wkb = footprint(header, "OGC:CRS84").to_wkb().unwrap();
    let geometry = ParsedGeometry::from_wkb(&wkb).unwrap().geometry;
    let parts = geometry.polygons.clone();
    assert!(parts.iter().flat_map(|part| &part.exterior().0).all(|Coord { x, y }| x.abs() <= 180.0 && y.abs() <= 90.0));
    for (at, part) in parts.iter().enumerate() {
        for other in &parts[at + 1..] {
            assert!(
                !part.relate(other).matches("T********").unwrap() && !part.relate(other).matches("****1****").unwrap()
            );
        }
    }
    let mut plan = crate::TilePlan::new(
        header.grid(0).unwrap().layout(),
        header.bands(),
        None,
        transform,
        &crate::ProjectorCache::default(),
    )
    .unwrap();
    let tiles = plan.tiles(&geometry).unwrap().len();
    assert_eq!(tiles, header.image.tile_offsets.len());
    parts
}

fn area(parts: &[geo_types::Polygon<f64>]) -> f64 {
    parts.iter().map(|part| shoelace(&part.exterior().0)).sum()
}

#[test]
fn poles_and_globes_are_valid() {
    // The pole inside, on a side, in a corner, and a kilometre outside.
    for (x, y) in [(-4e6, 4e6), (-4e6, 1e6), (-8e6, 3e6), (0.0, 4e6), (-8e6, 8e6), (0.0, 8e6), (0.0, 0.0), (1e3, 4e6)] {
        let parts = checked(&raster("EPSG:3413", x, y, 8e4));
        assert!(area(&parts) > 1000.0, "{x} {y}");
        let reaches_pole = parts.iter().flat_map(|part| &part.exterior().0).any(|point| point.y > 89.99);
        assert_eq!(reaches_pole, x != -4e6 || y != 8e6, "{x} {y}");
    }
    // The pole exactly in a corner or on a side of equal-area maps, whose inverse has an error of centimetres there.
    for (crs, x, y, size, expected) in
        [("EPSG:6931", 0.0, 3_227_548.758, 1e5, 13551.2), ("EPSG:6932", -100_000.0, 0.0, 1000.0, 90.42)]
    {
        let covered = area(&checked(&raster(crs, x, y, size)));
        assert!((covered - expected).abs() < 0.01 * expected, "{crs}: {covered}");
    }
    // A quarter of the northern hemisphere, starting at the pole; and the hemisphere without corners.
    let quarter = checked(&raster("EPSG:3413", 0.0, 0.0, 1e4));
    assert!((area(&quarter) - 90.0 * 10.0).abs() < 60.0, "{}", area(&quarter));
    for (crs, [x, y], [width, height], expected) in [
        ("EPSG:6933", [-17_367_530.445, 7_314_540.83], [347_350.608_9, 146_290.816_6], 61_232.1),
        ("EPSG:4326", [0.0, 90.0], [3.6, 1.8], 64_800.0),
        ("EPSG:4326", [-182.5, 90.0], [3.65, 1.8], 64_800.0),
        ("EPSG:4326", [190.0, 60.0], [1.0, 1.0], 10_000.0),
        ("EPSG:4326", [-540.0, 60.0], [1.0, 1.0], 10_000.0),
        ("EPSG:4326", [130.0, 60.0], [1.0, 1.0], 10_000.0),
        ("EPSG:3857", [-20_037_508.342_789_244, 20_037_508.342_789_244], [400_750.166_855_784_9; 2], 61_236.8),
        // Across the antimeridian, 200 km x 200 km at the equator.
        ("EPSG:32601", [100_000.0, 100_000.0], [2000.0, 2000.0], 3.25),
    ] {
        let transform = Some(GeoTransform::from_array([width, 0.0, x, 0.0, -height, y]));
        let covered = area(&checked(&CogHeader { transform, ..raster(crs, x, y, width) }));
        assert!((covered - expected).abs() < 0.001 * expected + 0.05, "{crs} {x}: {covered}");
    }
    // Half a pixel beyond the poles, as in grids of points.
    let over = parts_of(&CogHeader {
        transform: Some(GeoTransform::from_array([3.6, 0.0, -180.0, 0.0, -1.818, 90.9])),
        ..raster("EPSG:4326", 0.0, 0.0, 1.0)
    });
    assert_eq!(area(&over), 64_800.0);
}

fn parts_of(header: &CogHeader) -> Vec<geo_types::Polygon<f64>> {
    let wkb = footprint(header, "OGC:CRS84").to_wkb().unwrap();
    ParsedGeometry::from_wkb(&wkb).unwrap().geometry.polygons
}

#[test]
fn rasters_larger_than_their_projection_are_traced_along_its_edge() {
    let globe = raster("+proj=sinu +R=6371007.181 +units=m", -20_015_109.0, 20_015_109.0, 400_302.0);
    let transform = globe.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
    let parts = ParsedGeometry::from_wkb(&globe.raster_info().footprint(transform.as_ref()).unwrap().to_wkb().unwrap());
    let covered = area(&parts.unwrap().geometry.polygons);
    assert!((covered - 360.0 * 180.0).abs() < 650.0, "{covered}");
    let disk = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80 +units=m";
    let bounds = footprint(&raster(disk, -5_500_000.0, 5_500_000.0, 110_000.0), "OGC:CRS84").bbox();
    // A satellite at 35,786 km sees up to 81.3 degrees; pixels at the limb have an error of about a tenth of a degree.
    assert!((bounds.xmax - 6.3).abs() < 0.3 && (bounds.ymax - 81.3).abs() < 0.3, "{bounds:?}");
    let nowhere = raster(disk, 6e6, 9e6, 10_000.0);
    let transform = nowhere.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
    let refused = nowhere.raster_info().footprint(transform.as_ref()).unwrap_err().to_string();
    assert!(refused.contains("no part of the raster in its domain"), "{refused}");
}

#[test]
fn maps_that_end_in_points_are_traced_across_their_cut() {
    // The whole sinusoidal map, with its tips in the image, on its sides, and next to corners of pixels.
    for (crs, left, top, [width, height], [cols, rows]) in [
        ("+proj=sinu +R=6371007.181 +units=m", -20_015_109.354, 10_007_554.677, [1e6, 1e6], [40, 20]),
        ("+proj=sinu +R=6371007.181 +units=m", -20_500_009.0, 10_500_009.0, [205_000.0, 205_000.0], [201, 101]),
        ("+proj=sinu +lon_0=90 +R=6371007.181 +units=m", -20_400_001.0, 10_400_003.0, [4e5, 3e5], [102, 70]),
        ("+proj=moll +lon_0=0 +datum=WGS84 +units=m", -18_100_000.0, 9_100_000.0, [1e5, 1e5], [363, 183]),
    ] {
        let transform = Some(GeoTransform::from_array([width, 0.0, left, 0.0, -height, top]));
        let globe = CogHeader { transform, crs: Some(crs.parse().unwrap()), ..header(cols, rows, 10, 1) };
        let covered = area(&parts_of(&globe));
        assert!((covered - 360.0 * 180.0).abs() < 650.0, "{crs} {width}: {covered}");
    }
}

#[test]
fn long_images_are_traced_as_accurately_as_square_ones() {
    // Areas computed with pyproj and shapely, with 4,000 points per side.
    for (crs, [x, y], size, [cols, rows], expected) in [
        ("EPSG:3413", [1000.0, 209_120.5], 50_000.0, [3, 30], 462.20),
        ("EPSG:6932", [-4_774_881.5, 1_801_000.0], 300_000.0, [40, 6], 5453.14),
    ] {
        let transform = Some(GeoTransform::from_array([size, 0.0, x, 0.0, -size, y]));
        let long = CogHeader { transform, crs: Some(crs.parse().unwrap()), ..header(cols, rows, 10, 1) };
        let covered = area(&parts_of(&long));
        assert!((covered - expected).abs() < 0.01 * expected, "{crs}: {covered}");
    }
}

#[test]
fn pixels_without_area_have_no_outline() {
    let scene = raster("EPSG:32631", 500_000.0, 4_200_000.0, 1000.0);
    // The determinant is below the smallest normal number.
    for numbers in
        [[2.7e-305, 0.0, 5e5, 0.0, -4900.0, 4.2e6], [0.0, 0.0, 5e5, 0.0, -10.0, 4.2e6], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]]
    {
        let damaged = CogHeader { transform: Some(GeoTransform::from_array(numbers)), ..scene.clone() };
        let transform = damaged.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
        let error = damaged.raster_info().footprint(transform.as_ref()).unwrap_err().to_string();
        assert!(error.contains("expected pixels with an area, found transform"), "{error}");
        assert!(damaged.raster_info().footprint(None).is_ok());
    }
}
