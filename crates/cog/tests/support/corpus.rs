//! Location of the corpus of real files, and criteria for comparisons with it. Shared by the tests of both crates.
//!
//! `RASTERET_CORPUS` is its path, by default `../shared/corpus` relative to the workspace. Without a corpus, tests print a message and pass,
//! unless `RASTERET_REQUIRE_CORPUS=1`.
#![allow(dead_code)]

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns the path of the corpus. Without a corpus, prints a message and returns None, or fails if it is required.
pub(crate) fn corpus() -> Option<PathBuf> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let path = std::env::var_os("RASTERET_CORPUS").map_or_else(default, PathBuf::from);
    if path.join("oracle.jsonl").is_file() {
        return Some(path);
    }
    let required = std::env::var("RASTERET_REQUIRE_CORPUS").is_ok_and(|value| value == "1");
    assert!(!required, "no corpus at {}", path.display());
    eprintln!("SKIPPED: no corpus at {}; set RASTERET_CORPUS", path.display());
    None
}

/// Whether two decoders agree on the file and its codec is lossless.
pub(crate) fn is_exact(record: &Value) -> bool {
    record["tifffile"]["ok"] == true
        && record["gdal"]["ok"] == true
        && record["gdal"]["bands"].as_array().is_some_and(|bands| !bands.is_empty())
        && record["gdal"]["lossy"] == false
        && record["tifffile_vs_gdal"]["status"] == "equal"
}

/// Returns the digest in the format of the oracle.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
