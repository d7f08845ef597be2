//! [`rasteret_cog::InfoDecoder`]: any bytes give a description or an error, whole or fetched as asked.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rasteret_cog::{DecodeResult, InfoDecoder, Limits};

fuzz_target!(|data: &[u8]| {
    let file = Bytes::copy_from_slice(data);
    let size = file.len() as u64;
    let mut decoder = InfoDecoder::new(Limits::default(), Some(size));
    for _ in 0..data.len() + 3 {
        match decoder.try_decode() {
            Ok(DecodeResult::NeedsData(needs)) => {
                for range in needs {
                    decoder.push(range.start, file.slice(range.start as usize..range.end as usize));
                }
            }
            Ok(DecodeResult::Data(_)) | Err(_) => break,
        }
    }
});
