//! Runs every fuzz target on its seeds and on mutations of them. Inputs are deterministic; runs take seconds, without nightly and libFuzzer.
//!
//! Seeds are the files of test/fuzz/TARGET, including inputs of fixed crashes, and for whole headers the fixtures. `RASTERET_MUTATIONS` is the
//! number of mutations per target.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rasteret_fuzz_targets::{TARGETS, Target};

/// Default number of mutations per target.
const MUTATIONS: usize = 400;

/// Maximum CPU time of an input; most take less than a millisecond.
const SLOW: Duration = Duration::from_secs(5);

/// Bytes with a special meaning in many formats.
const VALUES: [u64; 10] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Targets with the fixtures as additional seeds.
const OF_FILES: [&str; 3] = ["header", "ifds", "info"];

/// Maximum size of fixtures used as seeds. Larger ones take longer without reaching more code.
const FIXTURE_MAX: usize = 5_000;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test")
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<_> = paths.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

fn seeds(target: Target) -> Vec<(String, Vec<u8>)> {
    let mut seeds = files(&tests().join("fuzz").join(target.name));
    if OF_FILES.contains(&target.name) {
        let fixtures = files(&tests().join("data")).into_iter();
        seeds.extend(fixtures.filter(|(name, data)| name.ends_with(".tif") && data.len() <= FIXTURE_MAX));
    }
    assert!(!seeds.is_empty(), "no seeds for {}", target.name);
    seeds
}

/// xorshift64*, which generates the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A seed with bytes changed, moved, repeated, removed or copied from another seed.
fn mutated(random: &mut Random, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(data.len() + 1);
        match random.below(8) {
            0 => data.truncate(at),
            1 if at < data.len() => data[at] ^= 1 << random.below(8),
            2 if at < data.len() => data[at] = random.next() as u8,
            3 | 4 => {
                let width = 1 << random.below(4);
                let value = VALUES[random.below(VALUES.len())].to_le_bytes();
                data.iter_mut().skip(at).take(width).zip(value).for_each(|(byte, value)| *byte = value);
            }
            5 => {
                let end = (at + random.below(64)).min(data.len());
                data.drain(at..end);
            }
            6 => {
                let start = random.below(other.len());
                let piece = &other[start..(start + random.below(64)).min(other.len())];
                data.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = (at + random.below(32)).min(data.len());
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
        }
    }
    data
}

/// CPU time of this thread, which does not depend on the load of the machine. Elapsed time on systems without it.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let scheduled = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = scheduled.and_then(|numbers| numbers.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Runs a target on an input. Returns the problem, if any, with the path of the saved input.
fn problem(target: Target, name: &str, data: &[u8]) -> Option<String> {
    let start = processor_time();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    let what = match ended {
        Ok(()) if processor_time() - start < SLOW => return None,
        Ok(()) => format!("took {:?}", processor_time() - start),
        Err(_) => "panicked".to_owned(),
    };
    let kept = std::env::temp_dir().join(format!("rasteret-{}-{name}", target.name));
    let _ = std::fs::write(&kept, data);
    Some(format!("{} {what} on {name}, saved as {}", target.name, kept.display()))
}

fn run(target: Target, count: usize) -> Vec<String> {
    let seeds = seeds(target);
    let mut problems: Vec<String> = seeds.iter().filter_map(|(name, seed)| problem(target, name, seed)).collect();
    let mut random =
        Random(target.name.bytes().fold(0x9e37_79b9, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte)));
    for number in 0..count {
        let (seed, other) = (&seeds[number % seeds.len()], &seeds[random.below(seeds.len())]);
        let data = mutated(&mut random, &seed.1, &other.1);
        problems.extend(problem(target, &format!("mutation-{number}-of-{}", seed.0), &data));
    }
    problems
}

#[test]
fn seeds_and_mutations_run_without_faults() {
    let count = std::env::var("RASTERET_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut problems = Vec::new();
        while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
            problems.extend(run(*target, count));
        }
        problems
    };
    let problems: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_folder_of_seeds_has_a_target() {
    for entry in std::fs::read_dir(tests().join("fuzz")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(name == "README.md" || TARGETS.iter().any(|target| name == target.name), "{name:?}");
    }
}
