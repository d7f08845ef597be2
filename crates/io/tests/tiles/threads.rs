//! Helper threads, local files and concurrent calls.

use crate::support::Scratch;
use crate::support::raster::Raster;
use crate::support::session;
use crate::{FAR, NEAR, all, assert_idle, for_all, read, store};
use rasteret_io::Keep;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn helpers_are_bounded_over_all_callers() {
    let session = session(&[("RASTERET_THREADS", "3")]);
    session.set_host_threads(64);
    let peak = |callers: usize| {
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    let work = |_| {
                        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(1));
                        now.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    };
                    session.for_each(50, work).unwrap();
                });
            }
        });
        assert_eq!(done.into_inner(), 50 * callers);
        peak.into_inner()
    };
    assert_eq!(peak(1), 3);
    // When a caller arrives, there may be one too many until a helper leaves.
    assert!((3..=4).contains(&peak(3)), "expected 3 or 4 threads of several callers");
    assert!(peak(6) <= 6, "expected at most one thread per caller");
    session.for_each(0, |_| panic!("no items")).unwrap();
    for_all(&session, Vec::new(), Keep::Tiles, |_, _| panic!("no blocks")).unwrap();
}

#[test]
fn local_files() {
    let (scratch, session) = (Scratch::new("tiles-local"), session(&[]));
    let path = scratch.file("a.tif", &FAR.bytes());
    let file = session.headers(&[&path]).remove(0).unwrap();
    let requests = |tiles: &[u32]| FAR.requests(&path, &file, tiles.iter().copied());
    read(&session, FAR, requests(&all(FAR)), &all(FAR));
    // Cached tiles are not used for a file that has changed.
    let changed = Raster { seed: 1, ..FAR };
    scratch.file("a.tif", &[changed.bytes(), vec![0]].concat());
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    let size = FAR.bytes().len();
    assert_eq!(
        error.to_string(),
        format!("{path}: the file changed since it was indexed: expected {size} bytes, found {}", size + 1)
    );
    // Nor if only the modification time differs.
    scratch.file("a.tif", &changed.bytes());
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains("the file changed since it was indexed: expected last modified "), "{error}");
    let unversioned = changed.requests(&path, &changed.unversioned(), [3]);
    read(&session, changed, unversioned.clone(), &[3]);
    scratch.file("a.tif", &FAR.bytes());
    let error = session.blocks(unversioned, Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains("the file changed while it was read: expected last modified "), "{error}");
    let short = scratch.file("short.tif", &FAR.bytes()[..100_000]);
    let error =
        session.blocks(FAR.requests(&short, &FAR.unversioned(), [9]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().ends_with(": beyond the end of the file of 100000 bytes"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert_eq!(error.to_string(), format!("{path}: no such file or directory"));
}

#[test]
fn more_local_files_than_a_process_may_open() {
    let (scratch, session) = (Scratch::new("tiles-many"), session(&[]));
    let small = Raster { across: 2, down: 1, ..NEAR };
    let file = small.unversioned();
    let requests: Vec<_> = (0..2048)
        .flat_map(|index| {
            let raster = Raster { seed: (index % 251) as u8, ..small };
            small.requests(&scratch.file(&format!("{index}.tif"), &raster.bytes()), &file, [0, 1])
        })
        .collect();
    for_all(&session, requests, Keep::Nothing, |request, block| {
        let raster = Raster { seed: (request / 2 % 251) as u8, ..small };
        raster.assert_block(request as u32 % 2, &block.unwrap());
    })
    .unwrap();
}

#[test]
fn many_threads_calls_and_files_in_little_memory() {
    let rasters: Vec<(String, Raster)> = (0..6)
        .map(|file| (format!("{file}.tif"), Raster { gap: file * 1000, seed: file as u8, side: 32, ..FAR }))
        .collect();
    let scratch = Scratch::new("tiles-stress");
    for (budget, cache) in [("1", "0"), ("5000", "3000"), ("100000", "20000"), ("100000000", "100000000")] {
        let named: Vec<_> = rasters.iter().map(|(name, raster)| (name.as_str(), *raster)).collect();
        let variables = [("RASTERET_READ_BUDGET_BYTES", budget), ("RASTERET_TILE_CACHE_BYTES", cache)];
        let (session, _) = store(&variables, &named);
        thread::scope(|scope| {
            for thread in 0..6_u32 {
                let (session, rasters, scratch) = (&session, &rasters, &scratch);
                scope.spawn(move || {
                    for round in 0..3_u32 {
                        let pick = |n: u32| (thread * 7 + round * 13 + n * n * 5) % 96;
                        let picks: Vec<u32> = (0..24).map(pick).collect();
                        let requests = picks.iter().flat_map(|pick| {
                            let (name, raster) = &rasters[(pick / 16) as usize];
                            let href = match (pick / 16) % 2 {
                                0 => format!("s3://b/{name}"),
                                _ => scratch.file(&format!("{thread}-{round}-{name}"), &raster.bytes()),
                            };
                            raster.requests(&href, &raster.unversioned(), [pick % 16])
                        });
                        let keep = if round % 2 == 0 { Keep::Tiles } else { Keep::Nothing };
                        let check = |request: usize, block: rasteret_io::Result<_>| {
                            let pick = picks[request];
                            rasters[(pick / 16) as usize].1.assert_block(pick % 16, &block.unwrap());
                        };
                        for_all(session, requests.collect(), keep, check).unwrap();
                        // Some calls end early.
                        let stream = session
                            .blocks(rasters[0].1.requests("s3://b/0.tif", &rasters[0].1.unversioned(), 0..16), keep);
                        stream.next().unwrap().1.unwrap();
                    }
                });
            }
        });
        assert_idle(&session);
    }
}
