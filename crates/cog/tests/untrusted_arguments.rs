//! Untrusted arguments and numbers return a valid result or an error, and never panic.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::LazyLock;

use geo_types::Coord;
use proptest::prelude::*;
use rasteret_cog::crs::Transforms;
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::{Corners, EncodedGeometry, Error, GeometryProjector, ParsedGeometry, TileSpan, Tiling};

static TRANSFORMS: LazyLock<Transforms> = LazyLock::new(Transforms::default);

/// WKB and text of geometries, which are then damaged.
const TEXTS: [&str; 5] = [
    "POLYGON((0 0, 9 0, 9 9, 0 9, 0 0),(1 1, 2 1, 2 2, 1 1))",
    "SRID=4326;MULTIPOINT((1 2),(3 4))",
    "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2, 3 4))",
    r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[9,0],[9,9],[0,0]]]]}"#,
    r#"{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"EPSG:4326"}}}"#,
];

static CRSS: [&str; 9] = [
    "OGC:CRS84",
    "EPSG:3857",
    "EPSG:32631",
    "EPSG:3031",
    "EPSG:27700",
    "EPSG:4807",
    "ESRI:54009",
    "+proj=sinu +R=6371007.181",
    "+proj=geos +h=35786023 +lon_0=-75 +ellps=GRS80",
];

fn wkb() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![any::<f64>(), -200.0..200.0];
    let codes = prop_oneof![1u32..8, Just(0x2000_0001), Just(1003), Just(0x8000_0003), any::<u32>()];
    let counts = prop_oneof![0u32..4, any::<u32>()];
    (any::<bool>(), codes, proptest::collection::vec((counts, proptest::collection::vec(number, 0..6)), 0..4)).prop_map(
        |(is_little, code, parts)| {
            let word = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
            let mut bytes = vec![u8::from(is_little)];
            bytes.extend(word(code));
            for (count, numbers) in parts {
                bytes.extend(word(count));
                bytes.extend(
                    numbers.into_iter().flat_map(|x| if is_little { x.to_le_bytes() } else { x.to_be_bytes() }),
                );
            }
            bytes
        },
    )
}

fn damaged() -> impl Strategy<Value = String> {
    (0..TEXTS.len(), any::<prop::sample::Index>(), "[-0-9(), .;=\\[\\]{}a-zA-Z\"]{0,4}", 0usize..3).prop_map(
        |(text, at, with, cut)| {
            let text: Vec<char> = TEXTS[text].chars().collect();
            let at = at.index(text.len());
            let rest = &text[(at + cut).min(text.len())..];
            text[..at].iter().copied().chain(with.chars()).chain(rest.iter().copied()).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn geometries(bytes in proptest::collection::vec(any::<u8>(), 0..200), wkb in wkb(), text in any::<String>(), damaged in damaged()) {
        let parsed = [
            ParsedGeometry::from_wkb(&bytes),
            ParsedGeometry::from_wkb(&wkb),
            ParsedGeometry::from_text(&text),
            ParsedGeometry::from_text(&damaged),
        ];
        for parsed in parsed.into_iter().flatten() {
            prop_assert!(parsed.geometry.vertices().all(|vertex| vertex.x.is_finite() && vertex.y.is_finite()));
            prop_assert!(parsed.geometry.lines.iter().all(|line| line.0.len() >= 2));
            prop_assert!(parsed.geometry.polygons.iter().all(|polygon| polygon.exterior().is_closed()));
        }
        let digits: String = wkb.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(ParsedGeometry::from_text(&digits).ok(), ParsedGeometry::from_wkb(&wkb).ok());
    }

    #[test]
    fn boxes(xmin: f64, ymin: f64, xmax: f64, ymax: f64) {
        let parsed = EncodedGeometry::Box(Corners { xmin, ymin, xmax, ymax }).parse();
        let is_finite = [xmin, ymin, xmax, ymax].iter().all(|number| number.is_finite());
        match parsed {
            Ok(parsed) => {
                prop_assert!(is_finite && ymin <= ymax);
                // A box across the antimeridian needs longitudes.
                prop_assert_eq!(parsed.check_crs("OGC:CRS84").is_ok(), true);
                prop_assert_eq!(parsed.check_crs("EPSG:3857").is_ok(), xmin <= xmax);
            }
            Err(error) => prop_assert!(error.to_string().starts_with("geometry: box"), "{}", error),
        }
    }

    #[test]
    fn names_of_crss(text in any::<String>(), code in any::<u32>(), words in "(\\+[a-z_0-9]{1,6}=?[-a-zA-Z0-9.]{0,6} ?){1,5}") {
        let names = [
            (text.clone(), "EPSG:3857"),
            (format!("EPSG:{}", code % 40_000), "OGC:CRS84"),
            (format!("+proj=tmerc {words}"), "OGC:CRS84"),
            (format!("PROJCS[\"x\",{text}]"), "OGC:CRS84"),
        ];
        for (from, to) in names {
            match TRANSFORMS.get(&from, to) {
                Ok(transform) => {
                    let point = transform.backward(Coord { x: 3.0, y: 4.0 });
                    prop_assert!(point.is_none_or(|point| point.x.is_finite() && point.y.is_finite()), "{}", from);
                }
                Err(error) => prop_assert!(matches!(error, Error::InvalidArgument { .. }), "{}", error),
            }
        }
    }
}

/// A polygon on a raster of 1000 x 700 pixels.
#[derive(Debug)]
struct Scene {
    from: &'static str,
    to: &'static str,
    transform: [f64; 6],
    ring: Vec<(f64, f64)>,
}

/// Scenes whose polygons are in one of these CRSs.
fn scene(crss: &'static [&'static str]) -> impl Strategy<Value = Scene> {
    let scales = (prop_oneof![-1e4..1e4, Just(0.0), any::<f64>()], -1e4..1e4);
    let corners = proptest::collection::vec((-200.0..200.0, -90.0..90.0), 3..6);
    let scale = prop_oneof![Just(1.0), Just(1e5), any::<f64>()];
    (prop::sample::select(crss), prop::sample::select(&CRSS[..]), scales, (-1e7..1e7, -1e7..1e7), corners, scale)
        .prop_map(|(from, to, scales, origin, corners, scale)| {
            let mut ring: Vec<_> = corners.iter().map(|(x, y)| (x * scale, y * scale)).collect();
            ring.push(ring[0]);
            Scene { from, to, transform: [scales.0, 0.0, origin.0, 0.0, scales.1, origin.1], ring }
        })
}

fn tiles_are_in_the_image(scene: &Scene) -> Result<(), TestCaseError> {
    let ring: Vec<_> = scene.ring.iter().map(|(x, y)| format!("{x:?} {y:?}")).collect();
    let transform = TRANSFORMS.get(scene.from, scene.to).unwrap();
    let (Ok(parsed), Ok(projector)) = (
        ParsedGeometry::from_text(&format!("POLYGON(({}))", ring.join(","))),
        GeometryProjector::new(1000, 700, GeoTransform::from_array(scene.transform), Some(transform)),
    ) else {
        return Ok(());
    };
    if let Ok(pixels) = projector.pixels(&parsed.geometry) {
        let tiling = Tiling { image_width: 1000, image_height: 700, tile_width: 64, tile_height: 64 };
        let is_inside = |span: &TileSpan| span.row < 11 && span.start < span.end && span.end <= 16;
        prop_assert!(tiling.cover(&pixels).iter().all(is_inside));
    }
    Ok(())
}

// The slowest tests of the crate, divided to run on two threads.
proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn rasters_anywhere(scene in scene(&CRSS[..4])) {
        tiles_are_in_the_image(&scene)?;
    }

    #[test]
    fn rasters_anywhere_in_other_crss(scene in scene(&CRSS[4..])) {
        tiles_are_in_the_image(&scene)?;
    }
}
