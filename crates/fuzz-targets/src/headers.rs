//! Any bytes return a result or an error, if read completely and in the requested ranges.

use bytes::Bytes;
use rasteret_cog::{
    CogHeader, DecodeResult, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder, Limits, Result,
};

/// Common interface of all decoders.
trait Decoder {
    type Output;
    fn new(file_size: Option<u64>) -> Self;
    fn push(&mut self, offset: u64, bytes: Bytes);
    fn try_decode(&mut self) -> Result<DecodeResult<Self::Output>>;
}

macro_rules! decoder {
    ($type:ty, $answer:ty) => {
        impl Decoder for $type {
            type Output = $answer;
            fn new(file_size: Option<u64>) -> Self {
                Self::new(Limits::default(), file_size)
            }
            fn push(&mut self, offset: u64, bytes: Bytes) {
                self.push(offset, bytes);
            }
            fn try_decode(&mut self) -> Result<DecodeResult<$answer>> {
                self.try_decode()
            }
        }
    };
}

decoder!(HeaderDecoder, CogHeader);
decoder!(IfdDecoder, Vec<IfdInfo>);
decoder!(InfoDecoder, FileInfo);

/// Decodes a file, with known and unknown size.
fn drive<D: Decoder>(data: &[u8], answer: impl Fn(&D::Output)) {
    let file = Bytes::copy_from_slice(data);
    let size = file.len() as u64;
    for file_size in [Some(size), None] {
        let mut decoder = D::new(file_size);
        // Each round adds at least one byte or returns an error.
        for round in 0.. {
            assert!(round < data.len() + 3, "a round without a new byte");
            match decoder.try_decode() {
                Ok(DecodeResult::NeedsData(needs)) => {
                    for range in needs {
                        let place = |at: u64| usize::try_from(at.min(size)).unwrap_or(usize::MAX);
                        decoder.push(range.start, file.slice(place(range.start)..place(range.end)));
                    }
                }
                Ok(DecodeResult::Data(data)) => {
                    answer(&data);
                    break;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    break;
                }
            }
        }
    }
}

/// The accessors of a header.
pub(crate) fn check(header: &CogHeader) {
    for band in [0, 1, u32::MAX] {
        let _ = header.for_band(band);
    }
    let _ = header.bounds();
}

pub(crate) fn header(data: &[u8]) {
    drive::<HeaderDecoder>(data, check);
}

pub(crate) fn ifds(data: &[u8]) {
    drive::<IfdDecoder>(data, |_| ());
}

pub(crate) fn info(data: &[u8]) {
    drive::<InfoDecoder>(data, |info| check(&info.header));
}
