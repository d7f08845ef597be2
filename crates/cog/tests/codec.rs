//! Decodes tiles to samples: depths, byte orders, predictors, fill order, sizes. Test data is encoded independently of the decoder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

use proptest::collection::vec;
use proptest::prelude::*;
use rasteret_cog::codec::{BlockShape, MAX_BLOCK_BYTES, Samples, decode};
use rasteret_cog::tiff::{
    ByteOrder, Compression, DataType, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat,
};
use rasteret_cog::{Encoding, Error};

/// An encoding with chunky samples of one depth and format.
fn encoding(compression: Compression, bits: u16, format: u16, samples: u16) -> Encoding {
    Encoding {
        compression,
        bits_per_sample: vec![bits; usize::from(samples)],
        sample_format: vec![SampleFormat::from_code(format); usize::from(samples)],
        ..Encoding::uncompressed(DataType::Uint8, samples)
    }
}

fn shape(width: u32, height: u32, samples_per_pixel: u16) -> BlockShape {
    BlockShape { width, height, samples_per_pixel }
}

fn samples(bytes: &[u8], encoding: &Encoding, order: ByteOrder, shape: BlockShape) -> Result<Samples, Error> {
    decode(bytes, encoding, order, shape, 0).map(|tile| {
        assert_eq!((tile.width, tile.height), (shape.width, shape.height));
        assert_eq!(
            tile.samples.len() as u64,
            u64::from(shape.width) * u64::from(shape.height) * u64::from(shape.samples_per_pixel)
        );
        tile.samples
    })
}

/// Packs rows of numbers, most significant bit first, with each row padded to a byte.
fn pack(numbers: &[u64], row: usize, bits: usize) -> Vec<u8> {
    numbers
        .chunks(row)
        .flat_map(|row| {
            let digits: String = row.iter().map(|number| format!("{number:0bits$b}")).collect();
            let digits = format!("{digits:0<width$}", width = digits.len().div_ceil(8) * 8);
            (0..digits.len() / 8)
                .map(|at| u8::from_str_radix(&digits[8 * at..8 * at + 8], 2).unwrap())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Packs rows as in a file: libtiff swaps the bytes of 24-bit numbers in big-endian files.
fn packed(numbers: &[u64], row: usize, bits: usize, order: ByteOrder) -> Vec<u8> {
    let mut bytes = pack(numbers, row, bits);
    if bits == 24 && order == ByteOrder::Big {
        bytes.chunks_exact_mut(3).for_each(<[u8]>::reverse);
    }
    bytes
}

/// A zlib stream of stored blocks (RFC 1950 and 1951).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut chunks = bytes.chunks(0xFFFF).peekable();
    while let Some(chunk) = chunks.next() {
        out.push(u8::from(chunks.peek().is_none()));
        let length = chunk.len() as u16;
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn as_u64(samples: &Samples) -> Vec<u64> {
    match samples {
        Samples::Uint8(list) => list.iter().map(|number| u64::from(*number)).collect(),
        Samples::Uint16(list) => list.iter().map(|number| u64::from(*number)).collect(),
        Samples::Uint32(list) => list.iter().map(|number| u64::from(*number)).collect(),
        Samples::Uint64(list) => list.clone(),
        other => panic!("{other:?}"),
    }
}

/// The largest number of a depth.
fn largest(bits: u16) -> u64 {
    u64::MAX >> (64 - bits)
}

#[test]
fn every_depth_is_unpacked() {
    for bits in (1..=64).filter(|bits| ![8, 16, 32, 64].contains(bits)) {
        for width in [1, 2, 3, 7, 8, 9, 13] {
            let numbers: Vec<u64> =
                (0..3 * u64::from(width)).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & largest(bits)).collect();
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let packed = packed(&numbers, width as usize, usize::from(bits), order);
                for format in [1, 2] {
                    let encoding = encoding(Compression::None, bits, format, 1);
                    let got = samples(&packed, &encoding, order, shape(width, 3, 1)).unwrap();
                    assert_eq!(as_u64(&got), numbers, "{bits} bits, {width} columns");
                    let size = got.data_type().size();
                    assert!(8 * size >= usize::from(bits) && (size == 1 || 4 * size < usize::from(bits)), "{bits}");
                }
            }
        }
    }
}

#[test]
fn words_are_read_in_the_byte_order() {
    let bytes: Vec<u8> = (1..=16).collect();
    let get = |bits, format, order, count| {
        samples(&bytes, &encoding(Compression::None, bits, format, 1), order, shape(count, 1, 1)).unwrap()
    };
    use ByteOrder::{Big, Little};
    assert_eq!(get(16, 1, Little, 2), Samples::Uint16(vec![0x0201, 0x0403]));
    assert_eq!(get(16, 1, Big, 2), Samples::Uint16(vec![0x0102, 0x0304]));
    assert_eq!(get(16, 2, Big, 1), Samples::Int16(vec![0x0102]));
    assert_eq!(get(16, 3, Big, 1), Samples::Float16(vec![0x0102]));
    assert_eq!(get(32, 1, Little, 1), Samples::Uint32(vec![0x0403_0201]));
    assert_eq!(get(32, 2, Big, 1), Samples::Int32(vec![0x0102_0304]));
    assert_eq!(get(32, 3, Big, 1), Samples::Float32(vec![f32::from_bits(0x0102_0304)]));
    assert_eq!(get(64, 1, Big, 1), Samples::Uint64(vec![0x0102_0304_0506_0708]));
    assert_eq!(get(64, 2, Little, 1), Samples::Int64(vec![0x0807_0605_0403_0201]));
    assert_eq!(get(64, 3, Big, 1), Samples::Float64(vec![f64::from_bits(0x0102_0304_0506_0708)]));
    let [re, im] = [0x0102_0304, 0x0506_0708].map(f32::from_bits);
    assert_eq!(get(64, 6, Big, 1), Samples::Complex64(vec![[re, im]]));
    let [re, im] = [0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09].map(f64::from_bits);
    assert_eq!(get(128, 6, Little, 1), Samples::Complex128(vec![[re, im]]));
    assert_eq!(get(8, 2, Little, 2), Samples::Int8(vec![1, 2]));
}

/// Values from the definition: a sign, an exponent with a bias of 63, a mantissa of 16 bits.
#[test]
fn integers_of_24_bits() {
    let numbers = [1, 256, 65_536, 0xAB_CDEF];
    let want = Samples::Uint32(numbers.to_vec());
    let encoding = encoding(Compression::None, 24, 1, 1);
    let big_first: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()[1..].to_vec()).collect();
    assert_eq!(samples(&big_first, &encoding, ByteOrder::Little, shape(4, 1, 1)).unwrap(), want);
    // libtiff swaps them in big-endian files, so GDAL writes the least significant byte first.
    let little_first: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()[..3].to_vec()).collect();
    assert_eq!(samples(&little_first, &encoding, ByteOrder::Big, shape(4, 1, 1)).unwrap(), want);
}

#[test]
fn floats_of_24_bits() {
    let cases = [
        (0x3F_0000u32, 1.0f32),
        (0xBF_8000, -1.5),
        (0x00_0001, 2f32.powi(-78)),
        (0x80_8000, -(2f32.powi(-63))),
        (0x01_0000, 2f32.powi(-62)),
        (0x7E_FFFF, 2f32.powi(64) - 2f32.powi(47)),
        (0x7F_0000, f32::INFINITY),
        (0x00_0000, 0.0),
    ];
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let bytes: Vec<u8> = cases
            .iter()
            .flat_map(|(bits, _)| {
                let [_, a, b, c] = bits.to_be_bytes();
                if order == ByteOrder::Big { [a, b, c] } else { [c, b, a] }
            })
            .collect();
        let want = Samples::Float32(cases.iter().map(|(_, value)| *value).collect());
        assert_eq!(samples(&bytes, &encoding(Compression::None, 24, 3, 1), order, shape(8, 1, 1)).unwrap(), want);
        // Predictor 3 stores differences of bytes in planes, the most significant first, for both byte orders.
        let mut planes: Vec<u8> = (1..4).flat_map(|at| cases.map(|(bits, _)| bits.to_be_bytes()[at])).collect();
        for at in (1..planes.len()).rev() {
            planes[at] = planes[at].wrapping_sub(planes[at - 1]);
        }
        let encoding = Encoding { predictor: Predictor::FloatingPoint, ..encoding(Compression::Deflate, 24, 3, 1) };
        assert_eq!(samples(&stored(&planes), &encoding, order, shape(8, 1, 1)).unwrap(), want);
    }
    let nan = samples(&[0xFF, 0xFF, 0x7F], &encoding(Compression::None, 24, 3, 1), ByteOrder::Little, shape(1, 1, 1));
    assert!(matches!(nan.unwrap(), Samples::Float32(list) if list[0].is_nan()));
}

#[test]
fn different_depths_in_one_pixel() {
    let encoding = Encoding { bits_per_sample: vec![5, 6, 16], ..encoding(Compression::None, 5, 1, 3) };
    // 27 bits per pixel: 11111 000001 0000000100000010 and 00001 111111 1000000000000000, then 2 bits of padding.
    let bits = "11111000001000000010000001000001111111100000000000000000";
    let bytes: Vec<u8> = (0..7).map(|at| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).unwrap()).collect();
    let got = samples(&bytes, &encoding, ByteOrder::Little, shape(2, 1, 3)).unwrap();
    assert_eq!(got, Samples::Uint16(vec![31, 1, 0x0102, 1, 63, 0x8000]));
    // In a planar file, each plane has its own depth.
    let planar = Encoding { planar_configuration: PlanarConfiguration::Planar, ..encoding };
    let got = decode(&[0b0000_0111, 0xFF, 0], &planar, ByteOrder::Little, shape(2, 1, 1), 1).unwrap();
    assert_eq!(got.samples, Samples::Uint8(vec![1, 63]));
}

/// Predictor 2, differences from the previous sample of the same band, for each depth, number of samples and byte order.
#[test]
fn horizontal_differences() {
    for bits in 1..=64u16 {
        for per_pixel in 1..=6usize {
            let (width, height) = (5, 2);
            let row = width * per_pixel;
            let numbers: Vec<u64> = (0..(row * height) as u64)
                .map(|n| (n + 1).wrapping_mul(0xD134_2543_DE82_EF95).rotate_left(17) & largest(bits))
                .collect();
            let mut differences = numbers.clone();
            for row in differences.chunks_mut(row) {
                for at in (per_pixel..row.len()).rev() {
                    row[at] = row[at].wrapping_sub(row[at - per_pixel]) & largest(bits);
                }
            }
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let bytes = match (bits, order) {
                    (16 | 32 | 64, ByteOrder::Little) => differences
                        .iter()
                        .flat_map(|number| number.to_le_bytes()[..usize::from(bits) / 8].to_vec())
                        .collect(),
                    _ => packed(&differences, row, usize::from(bits), order),
                };
                let encoding = encoding(Compression::Deflate, bits, 1, per_pixel as u16);
                let encoding = Encoding { predictor: Predictor::Horizontal, ..encoding };
                let shape = shape(width as u32, height as u32, per_pixel as u16);
                let got = samples(&stored(&bytes), &encoding, order, shape).unwrap();
                assert_eq!(as_u64(&got), numbers, "{bits} bits, {per_pixel} samples, {order}");
            }
        }
    }
}

/// Predictor 3 as defined by Technical Note 3.
#[test]
fn planes_of_bytes() {
    for size in [2, 4, 8] {
        for per_pixel in 1..=5usize {
            let row = 7 * per_pixel;
            let numbers: Vec<u64> =
                (0..row as u64).map(|n| (n + 3).wrapping_mul(0xA24B_AED4_963E_E407) >> (64 - 8 * size)).collect();
            let mut bytes: Vec<u8> = Vec::new();
            for plane in 0..size {
                bytes.extend(numbers.iter().map(|number| (number >> (8 * (size - 1 - plane))) as u8));
            }
            for at in (per_pixel..bytes.len()).rev() {
                bytes[at] = bytes[at].wrapping_sub(bytes[at - per_pixel]);
            }
            let encoding = encoding(Compression::Deflate, 8 * size as u16, 3, per_pixel as u16);
            let encoding = Encoding { predictor: Predictor::FloatingPoint, ..encoding };
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let got = samples(&stored(&bytes), &encoding, order, shape(7, 1, per_pixel as u16)).unwrap();
                let got: Vec<u64> = match got {
                    Samples::Float16(list) => list.iter().map(|bits| u64::from(*bits)).collect(),
                    Samples::Float32(list) => list.iter().map(|number| u64::from(number.to_bits())).collect(),
                    Samples::Float64(list) => list.iter().map(|number| number.to_bits()).collect(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(got, numbers, "{size} bytes, {per_pixel} samples");
            }
        }
    }
}

/// Files written by GDAL 3.10.3 with `real = 0, 1, 2, ..`, `imaginary = 15, 14, ..` and predictor 2, which uses 64-bit differences.
#[test]
fn complex_samples_with_predictor_2() {
    let pairs: Vec<[f32; 2]> = (0..4u8).map(|n| [f32::from(n), 15.0 - f32::from(n)]).collect();
    let numbers: Vec<u64> =
        pairs.iter().map(|[re, im]| u64::from(re.to_bits()) | u64::from(im.to_bits()) << 32).collect();
    let differences: Vec<u64> =
        std::iter::once(numbers[0]).chain(numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))).collect();
    let encoding = Encoding { predictor: Predictor::Horizontal, ..encoding(Compression::Deflate, 64, 6, 1) };
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let bytes: Vec<u8> = differences
            .iter()
            .flat_map(|number| if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() })
            .collect();
        let got = samples(&stored(&bytes), &encoding, order, shape(4, 1, 1)).unwrap();
        assert_eq!(got, Samples::Complex64(pairs.clone()));
    }
}

#[test]
fn fill_order_2_reverses_bits_of_every_codec() {
    let turned = |bytes: &[u8]| -> Vec<u8> { bytes.iter().map(|byte| byte.reverse_bits()).collect() };
    let data = [1, 2, 3, 250];
    for (compression, bytes) in [
        (Compression::None, data.to_vec()),
        (Compression::Deflate, stored(&data)),
        (Compression::PackBits, vec![3, 1, 2, 3, 250]),
    ] {
        let encoding = Encoding { fill_order: FillOrder::LsbFirst, ..encoding(compression, 8, 1, 1) };
        let got = samples(&turned(&bytes), &encoding, ByteOrder::Little, shape(2, 2, 1)).unwrap();
        assert_eq!(got, Samples::Uint8(data.to_vec()));
    }
}

#[test]
fn other_codecs_ignore_the_predictor() {
    for (compression, bytes) in [(Compression::None, vec![1, 1, 1]), (Compression::PackBits, vec![0xFE, 1])] {
        let encoding = Encoding { predictor: Predictor::Horizontal, ..encoding(compression, 8, 1, 1) };
        let got = samples(&bytes, &encoding, ByteOrder::Little, shape(3, 1, 1)).unwrap();
        assert_eq!(got, Samples::Uint8(vec![1, 1, 1]));
    }
}

#[test]
fn short_tiles_are_errors_but_long_tiles_are_not() {
    let data: Vec<u8> = (0..40).collect();
    for compression in [Compression::None, Compression::Deflate] {
        let bytes = if compression == Compression::None { data.clone() } else { stored(&data) };
        let encoding = encoding(compression, 8, 1, 1);
        let got = samples(&bytes, &encoding, ByteOrder::Little, shape(6, 6, 1)).unwrap();
        assert_eq!(got, Samples::Uint8(data[..36].to_vec()));
        let error = samples(&bytes, &encoding, ByteOrder::Little, shape(7, 6, 1)).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }));
        assert_eq!(error.to_string(), "file: expected 42 bytes in a tile, found 40");
    }
}

#[test]
fn errors_name_unsupported_encodings() {
    let refusal = |encoding: Encoding, shape| {
        let error = samples(&stored(&[0; 64]), &encoding, ByteOrder::Little, shape).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        error.to_string()
    };
    let unknown = refusal(encoding(Compression::Unknown(34676), 8, 1, 1), shape(2, 2, 1));
    assert_eq!(unknown, "file: compression 34676 is not supported");
    let unknown = decode(&[], &encoding(Compression::Unknown(1), 8, 1, 1), ByteOrder::Little, shape(2, 2, 1), 0);
    assert!(matches!(unknown, Err(Error::Unsupported { .. })));
    assert!(refusal(encoding(Compression::Deflate, 32, 5, 1), shape(2, 2, 1)).contains("complex_int16"));
    for (predictor, bits, format) in
        [(3, 32, 1), (2, 24, 3), (2, 128, 6), (3, 64, 6), (4, 8, 1), (3, 12, 1), (7, 16, 3)]
    {
        let encoding =
            Encoding { predictor: Predictor::from_code(predictor), ..encoding(Compression::Deflate, bits, format, 1) };
        assert!(refusal(encoding, shape(2, 1, 1)).contains(&format!("predictor {predictor}")));
    }
    let mixed = Encoding {
        sample_format: vec![SampleFormat::Uint, SampleFormat::Float],
        bits_per_sample: vec![16, 32],
        ..encoding(Compression::None, 8, 1, 2)
    };
    assert!(refusal(mixed, shape(2, 2, 2)).contains("uint16 and float32"));
    let ycbcr = Encoding { photometric: Some(Photometric::YCbCr), ..encoding(Compression::Deflate, 8, 1, 3) };
    assert!(refusal(ycbcr, shape(2, 2, 3)).contains("subsampled 2 by 2"));
}

/// A header may declare any size: allocations are limited to the possible size of the decoded bytes.
#[test]
fn sizes_are_limited() {
    let encoding = encoding(Compression::None, 64, 1, 1);
    let error = samples(&[0; 8], &encoding, ByteOrder::Little, shape(u32::MAX, u32::MAX, 1)).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { max: MAX_BLOCK_BYTES, .. }), "{error}");
    for compression in
        [Compression::None, Compression::PackBits, Compression::Lzw, Compression::Deflate, Compression::Zstd]
    {
        let encoding = Encoding { compression, ..encoding.clone() };
        let error = samples(&[0x78; 8], &encoding, ByteOrder::Little, shape(1 << 14, 1 << 13, 1)).unwrap_err();
        assert!(error.to_string().starts_with("file: expected 1073741824 bytes in a tile, found "), "{error}");
    }
    assert!(samples(&[0; 8], &encoding, ByteOrder::Little, shape(0, 1, 1)).is_err());
    assert!(decode(&[0; 8], &encoding, ByteOrder::Little, shape(1, 1, 1), 1).is_err());
    assert!(samples(&[0; 8], &encoding, ByteOrder::Little, shape(1, 1, 2)).is_err());
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    let codecs = [
        Compression::None,
        Compression::PackBits,
        Compression::Lzw,
        Compression::Deflate,
        Compression::Zstd,
        Compression::Lzma,
    ];
    (proptest::sample::select(codecs.to_vec()), 0..5u16, 1..3u16, vec((1..=64u16, 1..=6u16), 1..5)).prop_map(
        |(compression, predictor, fill_order, depths)| Encoding {
            predictor: Predictor::from_code(predictor),
            fill_order: FillOrder::from_code(fill_order),
            bits_per_sample: depths.iter().map(|depth| depth.0).collect(),
            sample_format: depths.iter().map(|depth| SampleFormat::from_code(depth.1)).collect(),
            ..encoding(compression, 8, 1, depths.len() as u16)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_samples_or_an_error(
        encoding in any_encoding(),
        bytes in vec(any::<u8>(), 0..300),
        is_big in any::<bool>(),
        (width, height) in (0..40u32, 0..6u32),
        (first, count) in (0..5u16, 0..5u16),
    ) {
        let order = if is_big { ByteOrder::Big } else { ByteOrder::Little };
        if let Ok(tile) = decode(&bytes, &encoding, order, shape(width, height, count), first) {
            prop_assert_eq!(tile.samples.len(), (width * height) as usize * usize::from(count));
        }
    }

    /// Streams that start like valid ones.
    #[test]
    fn broken_streams_give_samples_or_an_error(
        (compression, head) in proptest::sample::select(vec![
            (Compression::Lzw, vec![0x80, 0]),
            (Compression::Lzw, vec![0, 1]),
            (Compression::Deflate, vec![0x78, 0x9C]),
            (Compression::Zstd, vec![0x28, 0xB5, 0x2F, 0xFD]),
            (Compression::Lzma, vec![0xFD, b'7', b'z', b'X', b'Z', 0]),
        ]),
        bytes in vec(any::<u8>(), 0..400),
        width in 1..2000u32,
    ) {
        let encoding = encoding(compression, 8, 1, 1);
        match samples(&[head, bytes].concat(), &encoding, ByteOrder::Little, shape(width, 1, 1)) {
            Ok(samples) => prop_assert_eq!(samples.len(), width as usize),
            Err(error) => prop_assert!(matches!(error, Error::Malformed { .. }), "{}", error),
        }
    }
}
