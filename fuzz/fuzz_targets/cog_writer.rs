#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rasteret_fuzz_targets::run("cog_writer", data));
