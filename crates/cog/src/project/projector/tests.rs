mod seams;

use geo_types::Coord;

use super::GeometryProjector;
use crate::crs::Transforms;
use crate::geo::GeoTransform;
use crate::project::mapping::distance;
use crate::{Geometry, ParsedGeometry, TileSpan, Tiling};

/// A north-up raster: its CRS, size, upper left corner and pixel size.
struct Raster(&'static str, u32, u32, f64, f64, f64);

/// A Sentinel-2 scene.
const SCENE: Raster = Raster("EPSG:32631", 10980, 10980, 499_980.0, 4_200_000.0, 10.0);

fn parsed(text: &str) -> Geometry {
    ParsedGeometry::from_text(text).unwrap().geometry
}

impl Raster {
    fn projector(&self, crs: &str) -> GeometryProjector {
        let Self(raster, width, height, x, y, size) = *self;
        let transform = Transforms::default().get(crs, raster).unwrap();
        GeometryProjector::new(width, height, GeoTransform::from_array([size, 0.0, x, 0.0, -size, y]), Some(transform))
            .unwrap()
    }

    fn pixels(&self, crs: &str, text: &str) -> Geometry {
        self.projector(crs).pixels(&parsed(text)).unwrap()
    }

    fn refusal(&self, crs: &str, text: &str) -> String {
        self.projector(crs).pixels(&parsed(text)).unwrap_err().to_string()
    }

    /// Covered tiles, with a tenth of the image per tile and axis, as rows of ten.
    fn tiles(&self, crs: &str, text: &str) -> Vec<String> {
        let tiling = Tiling {
            image_width: self.1,
            image_height: self.2,
            tile_width: self.1.div_ceil(10),
            tile_height: self.2.div_ceil(10),
        };
        let mut rows = vec![['.'; 10]; 10];
        for TileSpan { row, start, end } in tiling.cover(&self.pixels(crs, text)) {
            (start..end).for_each(|col| rows[row as usize][col as usize] = '#');
        }
        rows.iter().map(|row| row.iter().collect()).collect()
    }
}

fn all() -> Vec<String> {
    vec!["#".repeat(10); 10]
}

#[test]
fn edges_follow_the_curve_within_a_quarter_of_a_pixel() {
    for (crs, text) in [
        ("OGC:CRS84", "LINESTRING(3.05 37.9, 4.1 37.05)"),
        ("OGC:CRS84", "LINESTRING(3.0 37.5, 4.2 37.5)"),
        ("EPSG:3857", "LINESTRING(340000 4500000, 450000 4560000)"),
        ("EPSG:3035", "LINESTRING(3715801 1599313, 3801731 1661384)"),
    ] {
        let projector = SCENE.projector(crs);
        let line = &projector.pixels(&parsed(text)).unwrap().lines[0];
        assert!(line.0.len() > 2, "{text}");
        let (ends, transform) = (parsed(text).lines[0].0.clone(), Transforms::default().get(crs, SCENE.0).unwrap());
        let mut worst = 0.0f64;
        for step in 0..=1000 {
            let on_edge = ends[0] + (ends[1] - ends[0]) * (f64::from(step) / 1000.0);
            let pixel = projector.mapping.pixel(transform.forward(on_edge).unwrap());
            let nearest =
                line.0.windows(2).map(|pair| from_segment(pixel, pair[0], pair[1])).fold(f64::INFINITY, f64::min);
            // The line is clipped to the domain.
            if (0.0..=10980.0).contains(&pixel.x) && (0.0..=10980.0).contains(&pixel.y) {
                worst = worst.max(nearest);
            }
        }
        assert!(worst < 0.25, "{text}: {worst} pixels");
    }
}

fn from_segment(p: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> f64 {
    let along = b - a;
    let t = (((p.x - a.x) * along.x + (p.y - a.y) * along.y) / (along.x * along.x + along.y * along.y)).clamp(0.0, 1.0);
    distance(p, a + along * t)
}

#[test]
fn small_polygons_get_few_vertices() {
    let hexagon =
        "POLYGON((3.500 37.500, 3.503 37.500, 3.505 37.503, 3.503 37.506, 3.500 37.506, 3.498 37.503, 3.500 37.500))";
    assert_eq!(SCENE.pixels("OGC:CRS84", hexagon).polygons[0].exterior().0.len(), 7);
}

#[test]
fn geometries_far_larger_than_the_raster() {
    for (crs, text) in [
        ("OGC:CRS84", "POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"),
        ("OGC:CRS84", "POLYGON((-180 0, 180 0, 180 80, -180 80, -180 0))"),
        ("OGC:CRS84", "POLYGON((0 -90, 360 -90, 360 90, 0 90, 0 -90))"),
        ("EPSG:3857", "POLYGON((-2e7 -2e7, 2e7 -2e7, 2e7 2e7, -2e7 2e7, -2e7 -2e7))"),
    ] {
        assert_eq!(SCENE.tiles(crs, text), all(), "{crs} {text}");
    }
    assert!(SCENE.pixels("OGC:CRS84", "POLYGON((-60 -10, -50 -10, -50 10, -60 -10))").is_empty());
    assert!(SCENE.pixels("OGC:CRS84", "POINT(-177 37)").is_empty());
    // Half of the world, starting at the scene's central meridian.
    let east = SCENE.tiles("OGC:CRS84", "POLYGON((3.63 -90, 180 -90, 180 90, 3.63 90, 3.63 -90))");
    assert!(east.iter().all(|row| row.starts_with("....") && row.ends_with("####")), "{east:?}");
}

#[test]
fn across_the_antimeridian() {
    let west = Raster("EPSG:32660", 1000, 1000, 760_000.0, 100_000.0, 100.0);
    let whole = west.tiles("OGC:CRS84", "POLYGON((179 0, 181 0, 181 0.9, 179 0.9, 179 0))");
    assert!(whole[4..].iter().any(|row| row.contains('#')));
    for text in [
        "POLYGON((-181 0, -179 0, -179 0.9, -181 0.9, -181 0))",
        "MULTIPOLYGON(((179 0, 180 0, 180 0.9, 179 0.9, 179 0)),((-180 0, -179 0, -179 0.9, -180 0.9, -180 0)))",
    ] {
        assert_eq!(west.tiles("OGC:CRS84", text), whole, "{text}");
    }
    // Web Mercator wraps at the antimeridian.
    let edge = 20_037_508.342_789_244;
    let fiji = Raster("EPSG:3857", 1000, 1000, edge - 1_000_000.0, 500_000.0, 1000.0);
    let right = fiji.tiles("OGC:CRS84", "POLYGON((179 -3, 190 -3, 190 3, 179 3, 179 -3))");
    assert_eq!(right, fiji.tiles("OGC:CRS84", "POLYGON((179 -3, 180 -3, 180 3, 179 3, 179 -3))"));
    assert!(right.iter().any(|row| row == ".........#" || row == "........##"), "{right:?}");
    assert!(
        fiji.tiles("OGC:CRS84", "POLYGON((-180 -3, -170 -3, -170 3, -180 3, -180 -3))")
            .iter()
            .all(|row| !row.contains('#'))
    );
    let globe = Raster("EPSG:3857", 1000, 1000, -edge, edge, edge / 500.0);
    let both = globe.tiles("OGC:CRS84", "POLYGON((170 -3, 190 -3, 190 3, 170 3, 170 -3))");
    assert_eq!(both[4], "#........#");
    assert_eq!(globe.tiles("OGC:CRS84", "POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"), all());
}

#[test]
fn rasters_of_longitudes() {
    let greenwich = Raster("EPSG:4326", 360, 180, 0.0, 90.0, 1.0);
    let west = greenwich.tiles("OGC:CRS84", "POLYGON((-36 -9, -1 -9, -1 9, -36 9, -36 -9))");
    assert_eq!(west[4], ".........#");
    assert_eq!(west, greenwich.tiles("OGC:CRS84", "POLYGON((324 -9, 359 -9, 359 9, 324 9, 324 -9))"));
    assert_eq!(greenwich.tiles("OGC:CRS84", "POLYGON((-10 -9, 10 -9, 10 9, -10 9, -10 -9))")[4], "#........#");
    assert_eq!(
        greenwich.tiles("EPSG:3857", "POLYGON((-4e6 -1e6, -1e5 -1e6, -1e5 1e6, -4e6 1e6, -4e6 -1e6))")[4],
        ".........#"
    );
    let globe = Raster("EPSG:4326", 360, 180, -180.0, 90.0, 1.0);
    assert_eq!(globe.tiles("OGC:CRS84", "POLYGON((170 -9, 190 -9, 190 9, 170 9, 170 -9))")[4], "#........#");
    assert_eq!(globe.tiles("OGC:CRS84", "POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"), all());
    // Another datum: a transformation that keeps multiples of 360 degrees.
    let nad27 = Raster("EPSG:4267", 360, 180, 0.0, 90.0, 1.0);
    assert_eq!(nad27.tiles("OGC:CRS84", "POLYGON((-100 30, -80 30, -80 40, -100 40, -100 30))")[2], ".......#..");
}

#[test]
fn around_a_pole() {
    let south = Raster("EPSG:3031", 1000, 1000, -4_000_000.0, 4_000_000.0, 8000.0);
    assert_eq!(south.tiles("OGC:CRS84", "POLYGON((-180 -90, 180 -90, 180 -20, -180 -20, -180 -90))"), all());
    let cap = south.tiles("OGC:CRS84", "POLYGON((-180 -90, 180 -90, 180 -80, -180 -80, -180 -90))");
    assert_eq!((cap[3].as_str(), cap[4].as_str()), ("....##....", "...####..."));
    assert_eq!(cap[0], "..........");
    // A sector across the antimeridian, which is at the bottom.
    let sector = south.tiles("OGC:CRS84", "POLYGON((170 -75, 190 -75, 190 -65, 170 -65, 170 -75))");
    assert_eq!(sector.iter().map(|row| row.matches('#').count()).collect::<Vec<_>>()[..6], [0; 6]);
    assert!(sector[7..].concat().contains('#'));
    assert!(south.pixels("OGC:CRS84", "POINT(10 60)").is_empty());
}

#[test]
fn rasters_larger_than_their_projection() {
    let globe = Raster("+proj=sinu +R=6371007.181 +units=m", 1000, 500, -20_015_109.0, 10_007_555.0, 40_030.0);
    assert_eq!(globe.tiles("OGC:CRS84", "POLYGON((5 -5, 10 -5, 10 5, 5 5, 5 -5))")[4], ".....#....");
    let disk = Raster(
        "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80 +units=m",
        1000,
        1000,
        -5_500_000.0,
        5_500_000.0,
        11_000.0,
    );
    assert_eq!(disk.tiles("OGC:CRS84", "POLYGON((-76 -1, -74 -1, -74 1, -76 1, -76 -1))")[4], "....##....");
    // Points not visible to the satellite are outside, like the hidden half of a polygon across the limb.
    assert!(disk.pixels("OGC:CRS84", "POLYGON((100 -1, 102 -1, 102 1, 100 1, 100 -1))").is_empty());
    assert!(disk.pixels("OGC:CRS84", "POINT(100 0)").is_empty());
    let limb = disk.tiles("OGC:CRS84", "POLYGON((-74 -1, 105 -1, 105 1, -74 1, -74 -1))");
    assert_eq!((limb[4].as_str(), limb[3].as_str()), (".....#####", ".........."));
    // A raster outside of the projection.
    let space = Raster(disk.0, 100, 100, 6_000_000.0, 9_000_000.0, 10_000.0);
    let transform = Transforms::default().get("OGC:CRS84", disk.0).unwrap();
    let array = [space.5, 0.0, space.3, 0.0, -space.5, space.4];
    let refused =
        GeometryProjector::new(space.1, space.2, GeoTransform::from_array(array), Some(transform)).unwrap_err();
    assert!(refused.to_string().contains("lies outside the domain of its CRS"), "{refused}");
}

#[test]
fn metres_are_not_accepted_as_degrees() {
    let error = SCENE.refusal("OGC:CRS84", "POINT(500000 4500000)");
    assert!(error.contains("found (500000 4500000): name the CRS of the coordinates with geometry_crs"), "{error}");
    assert!(SCENE.refusal("OGC:CRS84", "POINT(50 95)").contains("within 90"));
}

#[test]
fn native_coordinates_are_transformed_by_the_affine() {
    let native = |array, text| {
        GeometryProjector::new(100, 100, GeoTransform::from_array(array), None).unwrap().pixels(&parsed(text))
    };
    let point = |array, text| native(array, text).unwrap().points[0];
    assert_eq!(point([10.0, 0.0, 500.0, 0.0, -10.0, 900.0], "POINT(510 880)"), Coord { x: 1.0, y: 2.0 });
    assert_eq!(point([0.0, 2.0, 1.0, -2.0, 0.0, 5.0], "POINT(7 1)"), Coord { x: 2.0, y: 3.0 });
    // Integer pixels round-trip for any coefficients.
    let array =
        [0.000_277_777_777_777_777_8, 0.0, -179.999_861_111_111, 0.0, -0.000_277_777_777_777_8, 59.999_861_111_1];
    let transform = GeoTransform::from_array(array);
    for col in [1.0, 512.0, 1536.0, 3600.0] {
        let (x, y) = transform.forward(col, col);
        let projector = GeometryProjector::new(4000, 4000, transform, None).unwrap();
        assert_eq!(projector.mapping.pixel(Coord { x, y }), Coord { x: col, y: col });
    }
    let huge = native(
        [10.0, 0.0, 500.0, 0.0, -10.0, 900.0],
        "POLYGON((-1e200 -1e200, 1e200 -1e200, 1e200 1e200, -1e200 1e200, -1e200 -1e200))",
    );
    assert!(huge.unwrap().vertices().all(|pixel| pixel.x.abs() <= 200.0 && pixel.y.abs() <= 200.0));
    assert!(native([1e-300, 0.0, 0.0, 0.0, -1e-300, 0.0], "POINT(1e300 1e300)").is_err());
    assert!(GeometryProjector::new(100, 100, GeoTransform::from_array([0.0; 6]), None).is_err());
}
