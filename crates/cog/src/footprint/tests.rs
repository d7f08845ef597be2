use geo_types::Coord;

use crate::crs::Transforms;
use crate::geo::{BBox, GeoTransform};
use crate::plan::tests::header;
use crate::{CogHeader, Footprint, ParsedGeometry};

/// A raster of 100 x 100 pixels: CRS, upper left corner and pixel size.
fn raster(crs: &str, x: f64, y: f64, size: f64) -> CogHeader {
    let transform = Some(GeoTransform::from_array([size, 0.0, x, 0.0, -size, y]));
    CogHeader { transform, crs: Some(crs.parse().unwrap()), ..header(100, 100, 10, 1) }
}

fn footprint(header: &CogHeader, crs: &str) -> Footprint {
    let transform = header.transform_from(crs, &Transforms::default()).unwrap();
    header.frame().footprint(transform.as_ref()).unwrap()
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
    near(footprint(&raster("EPSG:4326", 0.0, 90.0, 3.6), "OGC:CRS84").bbox(), [-180.0, -270.0, 180.0, 90.0]);
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
    // From the pole to 55 degrees at the sides' middles and 40 in the corners, all around.
    assert!((360.0 * 35.0..360.0 * 50.0).contains(&area), "{area}");
}

fn shoelace(ring: &[Coord<f64>]) -> f64 {
    (ring.windows(2).map(|pair| pair[0].x * pair[1].y - pair[1].x * pair[0].y).sum::<f64>() / 2.0).abs()
}

#[test]
fn what_has_no_place_is_an_error() {
    let globe = raster("+proj=sinu +R=6371007.181 +units=m", -20_015_109.0, 20_015_109.0, 400_302.0);
    let transform = globe.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
    assert!(globe.frame().footprint(transform.as_ref()).unwrap_err().to_string().contains("have no place there"));
}
