//! Measures coverage of polygons and statistics of the covered pixels. The time of coverage must grow with edges and rows, that of
//! statistics with pixels, at the speed of memory.
//!
//! The polygons are similar to those of `scripts/benchmarks/zonal.py`: hexagons of fields, and a country.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, missing_docs)]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use geo_types::{LineString, Polygon};
use rasteret_cog::codec::{DecodedTile, Samples};
use rasteret_cog::pixel::{Band, Block};
use rasteret_cog::tiff::{ByteOrder, DataType};
use rasteret_cog::zonal::{Coverage, Method, ZonalStats};
use rasteret_cog::{CogHeader, Encoding, Geometry, Level, Tiling};

const SIDE: u32 = 10_980;

/// A ring around a centre, whose radius varies by the share `wave`.
fn ring(x: f64, y: f64, radius: f64, vertices: u32, wave: f64) -> Geometry {
    let corner = |at: u32| {
        let angle = f64::from(at % vertices) / f64::from(vertices) * TAU;
        let radius =
            radius * (1.0 + wave * ((angle * 7.0).sin() + 0.3 * (angle * 61.0).cos() + 0.05 * (angle * 997.0).sin()));
        (x + radius * angle.cos(), y + radius * angle.sin())
    };
    let shell = LineString::from((0..=vertices).map(corner).collect::<Vec<_>>());
    Geometry { polygons: vec![Polygon::new(shell, vec![])], ..Geometry::default() }
}

fn coverage(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("coverage");
    let geometries = [
        ("hexagon of 60 pixels", ring(5000.3, 6000.7, 4.8, 6, 0.0)),
        ("hexagon 60 pixels wide", ring(5000.3, 6000.7, 30.0, 6, 0.0)),
        ("country of 10,000 vertices", ring(5490.0, 5490.0, 4000.0, 10_000, 0.1)),
    ];
    for (name, geometry) in &geometries {
        for method in [Method::Fraction, Method::Center, Method::AllTouched] {
            let id = format!("{name}, {method:?}");
            group.bench_function(id, |bench| {
                bench.iter(|| Coverage::of(black_box(geometry), SIDE, SIDE, method));
            });
        }
    }
    let country = Coverage::of(&geometries[2].1, SIDE, SIDE, Method::Fraction);
    let tiling = Tiling { image_width: SIDE, image_height: SIDE, tile_width: 512, tile_height: 512 };
    group.bench_function("tiles of the country", |bench| bench.iter(|| black_box(&country).tiles(&tiling)));
    group.finish();
}

/// One band of one tile as large as the image, as if it were decoded.
fn block(samples: Samples, dtype: DataType, nodata: Option<f64>) -> Block {
    let header = CogHeader {
        byte_order: ByteOrder::Little,
        image: Level {
            image_width: SIDE,
            image_height: SIDE,
            tile_width: SIDE,
            tile_height: SIDE,
            is_tiled: true,
            tile_offsets: vec![1],
            tile_byte_counts: vec![1],
            encoding: Encoding::uncompressed(dtype, 1),
        },
        overviews: Vec::new(),
        masks: Vec::new(),
        band_index: None,
        extra_samples: None,
        transform: None,
        pixel_scale: None,
        tiepoint: None,
        crs: None,
        nodata,
        nodata_text: None,
        nodata_values: None,
        scale: None,
        offset: None,
    };
    let band = Band::new(Arc::new(header), 0, 0, false).unwrap();
    let tile = DecodedTile { width: SIDE, height: SIDE, samples_per_pixel: 1, samples, valid: None };
    band.block(0, 0, &[Some(Arc::new(tile))]).unwrap()
}

fn statistics(criterion: &mut Criterion) {
    let pixels = SIDE as usize * SIDE as usize;
    let whole = ring(5490.0, 5490.0, 20_000.0, 4, 0.0);
    let whole = Coverage::of(&whole, SIDE, SIDE, Method::Fraction);
    let field = Coverage::of(&ring(5000.3, 6000.7, 4.8, 6, 0.0), SIDE, SIDE, Method::Fraction);
    let shorts = || Samples::Uint16((0..pixels).map(|at| (at * 7919 % 10_007) as u16).collect());
    let singles = || Samples::Float32((0..pixels).map(|at| (at * 7919 % 10_007) as f32).collect());
    let blocks = [
        ("uint16", block(shorts(), DataType::Uint16, None)),
        ("uint16 with nodata", block(shorts(), DataType::Uint16, Some(0.0))),
        ("float32", block(singles(), DataType::Float32, None)),
        ("float32 with nodata", block(singles(), DataType::Float32, Some(-9999.0))),
    ];
    let mut group = criterion.benchmark_group("statistics");
    group.sample_size(10);
    for (name, block) in &blocks {
        for (zone, coverage) in [("image", &whole), ("hexagon of 60 pixels", &field)] {
            group.throughput(Throughput::Elements(coverage.weight() as u64));
            group.bench_function(format!("{name}, {zone}"), |bench| {
                bench.iter(|| {
                    let mut stats = ZonalStats::default();
                    stats.add(block, coverage);
                    stats.finish(None)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, coverage, statistics);
criterion_main!(benches);
