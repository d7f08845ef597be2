//! Values at points: rows in any order that share tiles, bands and requests, with failing files.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use rasteret_cog::EncodedGeometry;
use rasteret_cog::pixel::{Interpolation, ValueOptions};
use rasteret_io::query::{LevelChoice, ReadRequest, ResolvedRead};
use rasteret_io::{Location, OnError, RasterFile, Session};
use support::raster::Raster;
use support::server::{Reply, Server};
use support::session;

/// Gaps between tiles exceed the limit for coalescing, so that each tile is one request.
const RASTER: Raster = Raster { across: 4, down: 4, side: 16, gap: 300 << 10, seed: 0 };

/// The tile for which the server returns an error.
const LOST: u32 = 5;

const NEAREST: ValueOptions =
    ValueOptions { interpolation: Interpolation::Nearest, max_distance_pixels: 0, scaled: false };

fn rows<'a>(
    session: &Session,
    file: &Arc<RasterFile>,
    points: &'a [String],
    on_error: OnError,
) -> Vec<Option<ResolvedRead<'a>>> {
    let requests = points.iter().map(|point| {
        Some(ReadRequest {
            file: Arc::clone(file),
            level: LevelChoice::Index(0),
            band_index: None,
            masked: true,
            mask: None,
            weights: None,
            geometry: Some(EncodedGeometry::Text(point)),
            geometry_crs: Some("native"),
            type_crs: None,
            on_error,
        })
    });
    session.prepare(requests.collect()).unwrap()
}

/// Pixels in all tiles, with pixels of a tile not adjacent, some of them repeated, and one outside.
fn pixels() -> Vec<(u32, u32)> {
    let side = RASTER.side;
    let of_tiles = |step: u32| {
        (0..RASTER.tiles()).map(move |tile| {
            let (row, col) = (tile / RASTER.across, tile % RASTER.across);
            (col * side + (step * 5 + tile) % side, row * side + (step * 11 + tile) % side)
        })
    };
    (0..3).chain(1..2).flat_map(of_tiles).chain([(RASTER.across * side, 0)]).collect()
}

/// The expected value of [`RASTER`] at a pixel; None outside, and in the missing tile.
fn expected((col, row): (u32, u32)) -> Option<f64> {
    let (side, is_inside) = (RASTER.side, col < RASTER.across * RASTER.side);
    let tile = row / side * RASTER.across + col / side;
    let place = RASTER.range(tile).start as usize + (row % side * side + col % side) as usize;
    (is_inside && tile != LOST).then(|| f64::from(RASTER.bytes()[place]))
}

#[test]
fn rows_share_tiles_and_fail_by_tile() {
    let bytes = RASTER.bytes();
    let server = Server::start(move |request, _| {
        let is_lost = request.range == Some(RASTER.range(LOST));
        if is_lost { Reply::Status(404, String::new(), String::new()) } else { Reply::File(bytes.clone()) }
    });
    let session = session(&[]);
    let file = Arc::new(RasterFile::new(Location::parse(&server.url("a.tif")).unwrap(), &RASTER.indexed()));
    let points: Vec<String> = pixels().iter().map(|(col, row)| format!("POINT({col}.5 {row}.5)")).collect();
    let expected: Vec<Option<f64>> = pixels().into_iter().map(expected).collect();

    let lenient = rows(&session, &file, &points, OnError::Null);
    let of_one: Vec<_> = lenient.iter().map(|row| Some((row.clone().unwrap(), NEAREST))).collect();
    assert_eq!(session.values(&of_one).unwrap(), expected);
    assert_eq!(server.log().len(), RASTER.tiles() as usize, "expected one request per tile");

    // The single band twice in every second row; no value for a row without a read.
    let bands = |at: usize| if at.is_multiple_of(2) { vec![0, 0] } else { vec![0] };
    let of_many: Vec<_> = lenient
        .iter()
        .enumerate()
        .map(|(at, row)| (at != 3).then(|| (row.clone().unwrap(), NEAREST, bands(at))))
        .collect();
    let repeated = expected.iter().enumerate().filter(|(at, _)| *at != 3);
    let repeated: Vec<_> = repeated.flat_map(|(at, value)| vec![*value; bands(at).len()]).collect();
    assert_eq!(session.band_values(&of_many).unwrap(), repeated);

    // Interpolation at the centre of a pixel returns its value.
    let bilinear = ValueOptions { interpolation: Interpolation::Bilinear, ..NEAREST };
    let inside = |at: &usize| {
        let (col, row) = pixels()[*at];
        (1..RASTER.side - 1).contains(&(col % RASTER.side)) && (1..RASTER.side - 1).contains(&(row % RASTER.side))
    };
    let inside: Vec<usize> = (0..points.len() - 1).filter(inside).collect();
    let mixed: Vec<_> = inside.iter().map(|at| Some((lenient[*at].clone().unwrap(), bilinear))).collect();
    let found = session.values(&mixed).unwrap();
    assert_eq!(found, inside.iter().map(|at| expected[*at]).collect::<Vec<_>>());

    let strict = rows(&session, &file, &points, OnError::Fail);
    let strict: Vec<_> = strict.iter().map(|row| Some((row.clone().unwrap(), NEAREST))).collect();
    assert!(session.values(&strict).is_err());
}
