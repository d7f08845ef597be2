//! Properties for any bytes: no panic, no endless loop, memory in proportion to the file, and results independent of how bytes are pushed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

mod support;

use std::fmt::Debug;
use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use rasteret_cog::{
    CogHeader, DecodeResult, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder, Limits, Result,
};
use support::{TiffWriter, Values, geo_keys, reduced, slice, tiled};

/// Common interface of all decoders.
trait Decoder {
    type Output: Debug;
    fn new(limits: Limits, file_size: Option<u64>) -> Self;
    fn push(&mut self, offset: u64, bytes: Bytes);
    fn try_decode(&mut self) -> Result<DecodeResult<Self::Output>>;
}

macro_rules! decoder {
    ($type:ty, $answer:ty) => {
        impl Decoder for $type {
            type Output = $answer;
            fn new(limits: Limits, file_size: Option<u64>) -> Self {
                Self::new(limits, file_size)
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

/// Runs a decoder and pushes the requested ranges, clipped to the file.
///
/// # Panics
///
/// If a range is requested twice, or if there are more rounds than bytes.
fn drive<D: Decoder>(file: &Bytes, file_size: Option<u64>) -> Result<D::Output> {
    let mut decoder = D::new(Limits::default(), file_size);
    let mut held: Vec<Range<u64>> = Vec::new();
    for _ in 0..file.len() + 3 {
        let needs = match decoder.try_decode()? {
            DecodeResult::Data(answer) => return Ok(answer),
            DecodeResult::NeedsData(needs) => needs,
        };
        assert!(!needs.is_empty());
        assert!(needs.windows(2).all(|pair| pair[0].end < pair[1].start), "not sorted and disjoint: {needs:?}");
        for need in needs {
            assert!(need.start < need.end, "an empty range");
            assert!(file_size.is_none_or(|size| need.end <= size), "{need:?} is beyond the file");
            let again = held.iter().any(|held| held.start < need.end && need.start < held.end);
            assert!(!again, "{need:?} was pushed before");
            let answer = slice(file, &need);
            held.push(need.start..need.start + answer.len() as u64);
            decoder.push(need.start, answer);
        }
    }
    panic!("no result after as many rounds as there are bytes");
}

/// A file of the writer with all kinds of tags, in any form.
fn files() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), any::<bool>(), 1u32..400, 1u32..400, 0usize..200, 1usize..5, 0u64..3).prop_map(
        |(is_big_endian, is_big_tiff, width, height, gap, levels, last)| {
            let mut ifds = vec![tiled(width, height, 16)];
            ifds[0].extend([
                (330, Values::Long(vec![8, 40])),
                (33550, Values::Double(vec![10.0, 10.0, 0.0])),
                (33922, Values::Double(vec![0.0, 0.0, 0.0, 500.0, 600.0, 0.0])),
                (34735, geo_keys(&[(1024, 1), (1025, 2), (2048, 4326), (3072, 32767), (3074, 16032)])),
                (42112, Values::Ascii("<GDALMetadata><Item role=\"scale\" sample=\"0\">2</Item></GDALMetadata>\0")),
                (42113, Values::Ascii("-9999\0")),
                (347, Values::Undefined(vec![7; 30])),
            ]);
            ifds.extend(
                (1..levels).map(|level| reduced(1 + 4 * (level as u32 % 2), width >> level | 1, height | 1, 32)),
            );
            TiffWriter { is_big_endian, is_big_tiff, ifds, gap, last_next: last * 8 }.bytes()
        },
    )
}

/// A header that leads to an IFD, then anything.
fn nearly_files() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        Just(&b"II*\0\x08\0\0\0"[..]),
        Just(&b"MM\0*\0\0\0\x08"[..]),
        Just(&b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"[..]),
        Just(&b""[..]),
    ];
    (header, proptest::collection::vec(any::<u8>(), 0..400)).prop_map(|(header, rest)| [header, &rest].concat())
}

/// A valid file with some changed bytes.
fn mutated_files() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![any::<u8>(), Just(0), Just(255), Just(1)];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), value), 1..12);
    (files(), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut file, changes, end, is_cut)| {
        for (at, value) in changes {
            // Most changes are in the IFDs at the start of the file.
            let at = at.index(file.len()).min(at.index(300).max(at.index(file.len()) % 300));
            file[at] = value;
        }
        if is_cut {
            file.truncate(end.index(file.len()));
        }
        file
    })
}

/// The size of a header must be in proportion to its file.
fn check_size(header: &CogHeader, file: &Bytes) {
    let levels = || std::iter::once(&header.image).chain(&header.overviews).chain(&header.masks);
    let tiles: usize = levels().map(|level| level.tile_offsets.len() + level.tile_byte_counts.len()).sum();
    // A table of BYTE has one byte per entry, and shared tables may be counted twice; each level may have one inline tile.
    assert!(tiles <= 2 * file.len() + 2 * 129, "{tiles} entries from {} bytes", file.len());
}

fn check_anything(file: &Bytes) {
    let sized = Some(file.len() as u64);
    if let Ok(header) = drive::<HeaderDecoder>(file, sized) {
        check_size(&header, file);
        let bands = u32::from(header.image.encoding.samples_per_pixel);
        for band in [0, 1, 65_535] {
            assert_eq!(header.for_band(band).is_ok(), band < bands);
        }
        assert_eq!(header.bounds().is_some(), header.transform.is_some());
    }
    if let Ok(header) = drive::<HeaderDecoder>(file, None) {
        check_size(&header, file);
    }
    for size in [sized, None] {
        if let Ok(ifds) = drive::<IfdDecoder>(file, size) {
            assert!(!ifds.is_empty() && (0..).zip(&ifds).all(|(index, ifd)| ifd.index == index));
        }
        match (drive::<InfoDecoder>(file, size), drive::<HeaderDecoder>(file, size)) {
            (Ok(info), Ok(header)) => assert_same(&info.header, &header),
            (info, header) => assert_eq!(info.is_ok(), header.is_ok()),
        }
    }
}

/// Decodes a file that was pushed in pieces of any size and order before the first call.
fn pushed_in_pieces<D: Decoder>(file: &Bytes, cuts: &[prop::sample::Index], is_backwards: bool) -> Result<D::Output> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
    cuts.extend([0, file.len()]);
    cuts.sort_unstable();
    let mut pieces: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    if is_backwards {
        pieces.reverse();
    }
    let mut decoder = D::new(Limits::default(), Some(file.len() as u64));
    for piece in pieces {
        decoder.push(piece.start as u64, file.slice(piece));
    }
    match decoder.try_decode()? {
        DecodeResult::Data(answer) => Ok(answer),
        DecodeResult::NeedsData(needs) => panic!("the whole file was pushed, but {needs:?} is requested"),
    }
}

fn check_pieces<D: Decoder>(file: &Bytes, cuts: &[prop::sample::Index], is_backwards: bool) {
    let whole = pushed_in_pieces::<D>(file, &[], false);
    assert_same(&pushed_in_pieces::<D>(file, cuts, is_backwards), &whole);
    match (drive::<D>(file, Some(file.len() as u64)), whole) {
        (Ok(driven), Ok(whole)) => assert_same(&driven, &whole),
        // The first fault may differ if bytes are pushed later.
        (driven, whole) => assert_eq!(driven.is_ok(), whole.is_ok()),
    }
}

/// Compares debug output, because tiepoints may be NaN.
fn assert_same<T: Debug>(answer: &T, expected: &T) {
    assert_eq!(format!("{answer:?}"), format!("{expected:?}"));
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_errors(file in nearly_files()) {
        check_anything(&Bytes::from(file));
    }

    #[test]
    fn mutated_files_are_decoded_or_errors(file in mutated_files()) {
        check_anything(&Bytes::from(file));
    }

    #[test]
    fn results_of_valid_files_do_not_depend_on_pushes(
        file in files(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        is_backwards: bool,
    ) {
        let file = Bytes::from(file);
        check_pieces::<HeaderDecoder>(&file, &cuts, is_backwards);
        check_pieces::<IfdDecoder>(&file, &cuts, is_backwards);
        check_pieces::<InfoDecoder>(&file, &cuts, is_backwards);
    }

    #[test]
    fn results_of_mutated_files_do_not_depend_on_pushes(
        file in mutated_files(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        is_backwards: bool,
    ) {
        let file = Bytes::from(file);
        check_pieces::<HeaderDecoder>(&file, &cuts, is_backwards);
        check_pieces::<IfdDecoder>(&file, &cuts, is_backwards);
        check_pieces::<InfoDecoder>(&file, &cuts, is_backwards);
    }
}
