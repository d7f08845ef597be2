//! Location of the corpus of real files, and the part of it that decoders are compared with. Shared by the tests of both crates.
//!
//! It is found at `RASTERET_CORPUS`, else at `../shared/corpus` beside the workspace. Without one, tests print a message and pass, unless
//! `RASTERET_REQUIRE_CORPUS=1`.
#![allow(dead_code)]

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The corpus of real files; None, with a message, where there is none and none is required.
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

/// Two decoders agree on the file, and its codec is exact.
pub(crate) fn is_exact(record: &Value) -> bool {
    record["tifffile"]["ok"] == true
        && record["gdal"]["ok"] == true
        && record["gdal"]["bands"].as_array().is_some_and(|bands| !bands.is_empty())
        && record["gdal"]["lossy"] == false
        && record["tifffile_vs_gdal"]["status"] == "equal"
}

/// The digest as the oracle writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
