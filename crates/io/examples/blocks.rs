//! Measures the speed of reading blocks of a file: a benchmark of the tile pipeline without DuckDB.
//!
//! `blocks HREF [ROUNDS]`: all tiles of band 0, `ROUNDS` times (default 5), each with 1 and 2 threads, first without cache
//! (every tile is fetched and decoded), then with all tiles in the cache (the cost of the pipeline itself).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rasteret_cog::pixel::Band;
use rasteret_io::{BlockRequest, Keep, Location, RasterFile, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let href = arguments.first().ok_or("usage: blocks HREF [ROUNDS]")?;
    let rounds: usize = arguments.get(1).map_or(Ok(5), |text| text.parse())?;
    for threads in ["1", "2"] {
        let session = Session::from_variables(|name| match name {
            "RASTERET_THREADS" => Some(threads.to_owned()),
            "RASTERET_TILE_CACHE_BYTES" => Some((4_u64 << 30).to_string()),
            name => std::env::var(name).ok(),
        })?;
        let file = session.headers(&[href]).remove(0)?;
        let band = Arc::new(Band::new(file.header.clone(), 0, 0, true)?);
        let file = Arc::new(RasterFile::new(Location::parse(href)?, &file));
        let tiling = band.tiling();
        let (across, down) =
            (tiling.image_width.div_ceil(tiling.tile_width), tiling.image_height.div_ceil(tiling.tile_height));
        let requests: Vec<BlockRequest> = (0..down)
            .flat_map(|row| (0..across).map(move |col| (row, col)))
            .map(|(row, col)| BlockRequest { file: file.clone(), band: band.clone(), row, col })
            .collect();
        let read = |keep| -> Result<f64, Box<dyn std::error::Error>> {
            let (pixels, failed) = (AtomicU64::new(0), AtomicU64::new(0));
            let start = Instant::now();
            session.blocks(requests.clone(), keep).for_each(|_, block| match block {
                Ok(block) => {
                    let window = block.window;
                    pixels.fetch_add(u64::from(window.width) * u64::from(window.height), Ordering::Relaxed);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    eprintln!("{error}");
                    failed.fetch_add(1, Ordering::Relaxed);
                    ControlFlow::Break(())
                }
            })?;
            let seconds = start.elapsed().as_secs_f64();
            let expected = u64::from(tiling.image_width) * u64::from(tiling.image_height);
            match (pixels.into_inner() == expected, failed.into_inner()) {
                (true, 0) => Ok(seconds),
                (_, failed) => Err(format!("{failed} blocks failed").into()),
            }
        };
        let median = |keep| -> Result<f64, Box<dyn std::error::Error>> {
            let mut runs = (0..rounds.max(1)).map(|_| read(keep)).collect::<Result<Vec<_>, _>>()?;
            runs.sort_by(f64::total_cmp);
            Ok(runs[runs.len() / 2])
        };
        let decoded = median(Keep::Nothing)?;
        read(Keep::Tiles)?;
        let kept = median(Keep::Tiles)?;
        let (blocks, per_block) = (requests.len(), kept * 1e6 / requests.len() as f64);
        println!(
            "{threads} threads, {blocks} blocks: {decoded:.3} s fetched and decoded, {kept:.6} s kept ({per_block:.2} us a block)"
        );
    }
    Ok(())
}
