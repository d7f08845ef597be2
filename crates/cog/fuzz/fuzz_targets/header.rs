//! [`rasteret_cog::HeaderDecoder`]: any bytes give a header or an error, whole or fetched as asked.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rasteret_cog::{DecodeResult, HeaderDecoder, Limits};

fuzz_target!(|data: &[u8]| {
    let file = Bytes::copy_from_slice(data);
    let size = file.len() as u64;
    for file_size in [Some(size), None] {
        let mut decoder = HeaderDecoder::new(Limits::default(), file_size);
        // Each round brings a byte or ends with an error.
        for _ in 0..data.len() + 3 {
            match decoder.try_decode() {
                Ok(DecodeResult::NeedsData(needs)) => {
                    for range in needs {
                        let [start, end] = [range.start, range.end].map(|at| at.min(size) as usize);
                        decoder.push(range.start, file.slice(start..end));
                    }
                }
                Ok(DecodeResult::Data(header)) => {
                    for band in [0, 1, u32::MAX] {
                        let _ = header.for_band(band);
                    }
                    let _ = header.bounds();
                    break;
                }
                Err(error) => {
                    let _ = error.to_string();
                    break;
                }
            }
        }
    }
});
