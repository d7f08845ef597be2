//! Pixels of rasters on a grid: values, the blocks that threads take, and which requests are made ahead.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::pixel::ValueRows;
use rasteret_cog::warp::{Resampling, TargetGrid};
use rasteret_cog::{Run, Window, zonal};
use rasteret_io::query::{
    GridChoice, GridTile, LevelChoice, PixelPlan, PixelRow, PixelTable, ReadRequest, ResolvedRead, SourceBand,
};
use rasteret_io::{Location, OnError, RasterFile, Session};
use support::raster::Raster;
use support::server::{Reply, Server};
use support::session;

/// Tiles further apart than what is read along: each is a request.
const RASTER: Raster = Raster { across: 4, down: 4, side: 256, gap: 300 << 10, seed: 0 };

/// Bytes of a block of the grid: values and a mask.
const BLOCK: u64 = 256 * 256 * 2;

fn resolved(session: &Session, href: &str, raster: Raster) -> ResolvedRead<'static> {
    let file = Arc::new(RasterFile::new(Location::parse(href).unwrap(), &raster.indexed()));
    let request = ReadRequest {
        file,
        level: LevelChoice::Index(0),
        band_index: None,
        masked: true,
        mask: None,
        weights: None,
        geometry: None,
        geometry_crs: None,
        type_crs: None,
        on_error: OnError::Fail,
    };
    session.prepare(vec![Some(request)]).unwrap().pop().unwrap().unwrap()
}

/// A row of rasters on a grid whose pixels have twice the size of those of the raster, and begin at one of its pixels.
fn row(rasters: Vec<ResolvedRead<'static>>, first: f64, size: u32) -> PixelRow<'static> {
    let transform = GeoTransform::from_array([2.0, 0.0, first, 0.0, 2.0, first]);
    let grid = GridChoice::Grid(Arc::new(TargetGrid::new(transform, None, size, size).unwrap()));
    let band = |resolved| {
        Some(SourceBand { resolved, resampling: Some(Resampling::Nearest), auto_level: true, scaled: false })
    };
    PixelRow { rasters: rasters.into_iter().map(band).collect(), grid: Some(grid), method: zonal::Method::Fraction }
}

/// The value of a pixel of the raster.
fn value(raster: Raster, col: u32, row: u32) -> f64 {
    let tile = row / raster.side * raster.across + col / raster.side;
    f64::from((tile * 41 + row % raster.side * 7 + col % raster.side + u32::from(raster.seed)) as u8)
}

/// The values of a row of a window, of a raster of the plan.
fn values(plan: &PixelPlan, tile: &GridTile, raster: usize, row: u32) -> Vec<Option<f64>> {
    let Window { col_off, width, .. } = tile.window;
    let run = Run { row, start: col_off, end: col_off + width, weight: 1.0 };
    let mut rows = ValueRows::default();
    rows.start(width as usize, 1);
    tile.pixels[raster].fill(0, &run, plan.scaling(raster), &mut rows);
    let is_valid = |at: &usize| !rows.invalid().contains(at);
    (0..width as usize).map(|at| is_valid(&at).then(|| rows.values()[at])).collect()
}

#[test]
fn each_block_is_read_once_and_no_more_than_a_group_at_a_time() {
    let bytes = RASTER.bytes();
    let server = Server::start(move |_, _| Reply::File(bytes.clone()));
    // A block of one raster.
    let session = session(&[("RASTERET_READ_BUDGET_BYTES", &(4 * BLOCK).to_string())]);
    let raster = resolved(&session, &server.url("a.tif"), RASTER);
    let plan = session.plan_pixels(vec![row(vec![raster], 0.0, 512)]).unwrap().pop().unwrap().unwrap();
    assert_eq!((plan.level, plan.band_index, plan.raster_count()), (0, 0, 1));
    let tiles = plan.tiles(&session).unwrap();
    assert_eq!(*tiles, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    let stream = plan.stream(&session, &[0], tiles);
    assert!(server.log().is_empty());
    let taken = Mutex::new(BTreeSet::new());
    let check = |tile: &GridTile| {
        let Window { col_off, row_off, .. } = tile.window;
        for row in [row_off, row_off + 1, row_off + 255] {
            let expected: Vec<_> =
                (col_off..col_off + 256).map(|col| Some(value(RASTER, 2 * col + 1, 2 * row + 1))).collect();
            assert_eq!(values(&plan, tile, 0, row), expected, "row {row}");
        }
        assert!(taken.lock().unwrap().insert((row_off, col_off)));
    };
    check(&stream.next().unwrap().unwrap());
    // The four tiles under the first block.
    assert_eq!(server.log().len(), 4);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(tile) = stream.next() {
                    check(&tile.unwrap());
                }
            });
        }
    });
    assert_eq!(taken.into_inner().unwrap().len(), 4);
    assert_eq!(server.log().len(), 16);
}

#[test]
fn blocks_of_many_rasters_are_smaller() {
    let session = session(&[("RASTERET_READ_BUDGET_BYTES", &(4 * BLOCK).to_string())]);
    let rasters = (0..5).map(|_| resolved(&session, "/nowhere.tif", RASTER)).collect();
    let plan = session.plan_pixels(vec![row(rasters, 0.0, 512)]).unwrap().pop().unwrap().unwrap();
    assert_eq!(plan.window((0, 0)).unwrap(), Window { col_off: 0, row_off: 0, width: 64, height: 64 });
    assert_eq!(plan.tiles(&session).unwrap().len(), 64);
}

#[test]
fn tables_have_the_values_of_all_rasters_and_none_beyond_them() {
    let other = Raster { seed: 100, ..RASTER };
    let files = [RASTER.bytes(), other.bytes()];
    let server = Server::start(move |request, _| Reply::File(files[usize::from(request.target == "/b.tif")].clone()));
    let session = session(&[]);
    let resolve = |name: &str, raster| resolved(&session, &server.url(name), raster);
    // The last pixels are beyond the rasters.
    let rows = vec![row(vec![resolve("a.tif", RASTER), resolve("b.tif", other)], 600.0, 300)];
    let tables = session.pixel_tables(rows).unwrap();
    let [PixelTable { transform, runs, values }] = tables.as_slice() else { panic!("{} tables", tables.len()) };
    assert_eq!(transform.unwrap().to_array(), [2.0, 0.0, 600.0, 0.0, 2.0, 600.0]);
    let pixels: Vec<_> = runs.iter().flat_map(|run| (run.start..run.end).map(|col| (col, run.row))).collect();
    assert_eq!(pixels.len(), 300 * 300);
    for (raster, found) in [RASTER, other].into_iter().zip(values) {
        let expected = pixels.iter().map(|(col, row)| {
            let (col, row) = (601 + 2 * col, 601 + 2 * row);
            (col < 1024 && row < 1024).then(|| value(raster, col, row))
        });
        assert!(*found.as_ref().unwrap() == expected.collect::<Vec<_>>());
    }
}
