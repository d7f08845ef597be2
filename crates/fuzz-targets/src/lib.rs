#![doc = include_str!("../README.md")]

mod codecs;
mod geometries;
mod geotiff;
mod grids;
mod headers;
mod index;
mod input;
mod listing;
mod records;
mod remote;
mod settings;
mod warps;

use std::path::PathBuf;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name for `cargo fuzz run`, and of the folder with its seeds.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All targets.
pub const TARGETS: [Target; 32] = [
    target("header", headers::header),
    target("ifds", headers::ifds),
    target("info", headers::info),
    target("geokeys", geotiff::geokeys),
    target("gdal_metadata", geotiff::gdal_metadata),
    target("nodata", geotiff::nodata),
    target("crs", geometries::crs),
    target("wkb", geometries::wkb),
    target("geometry_text", geometries::text),
    target("coverage", geometries::coverage),
    target("codec", codecs::any),
    target("uncompressed", codecs::uncompressed),
    target("deflate", codecs::deflate),
    target("lzw", codecs::lzw),
    target("packbits", codecs::packbits),
    target("zstd", codecs::zstd),
    target("lzma", codecs::lzma),
    target("lerc", codecs::lerc),
    target("jpeg", codecs::jpeg),
    target("jpeg2000", codecs::jpeg2000),
    target("jxl", codecs::jxl),
    target("webp", codecs::webp),
    target("ccitt", codecs::ccitt),
    target("href", remote::href),
    target("stac", remote::stac),
    target("metadata", index::metadata),
    target("records", records::records),
    target("pixel_map", grids::pixel_map),
    target("listing", listing::listing),
    target("settings", settings::settings),
    target("warp", warps::warp),
    target("cog_writer", warps::cog_writer),
];

/// Runs the target of this name on one input.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    assert!(target.is_some(), "no fuzz target {name}");
    if let Some(target) = target {
        (target.run)(data);
    }
}

/// Path of a file of this thread, which is overwritten by each input.
fn scratch(extension: &str) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let name = format!("rasteret-fuzz-{}-{thread}.{extension}", std::process::id());
    std::env::temp_dir().join(name.replace(['(', ')'], ""))
}
