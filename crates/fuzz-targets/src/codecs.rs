//! Any bytes in any encoding return an error, or as many samples as the block has.
//!
//! The first bytes of an input are the encoding: `[bits, format, samples, predictor, flags, width, height, second]`.

use rasteret_cog::Encoding;
use rasteret_cog::codec::{BlockShape, decode};
use rasteret_cog::tiff::{
    ByteOrder, Compression, DataType, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat,
};

/// TIFF codes of all codecs, and an unknown code.
pub(crate) const CODES: [u16; 17] =
    [1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34712, 34887, 34925, 50000, 50001, 50002, 52546, 34676];

fn tile(compression: Compression, data: &[u8]) {
    let Some(([bits, format, samples, predictor, flags, width, height, second], bytes)) = data.split_first_chunk()
    else {
        return;
    };
    let count = u16::from(samples % 5) + 1;
    let compression = match (compression, second % 3) {
        (Compression::Lerc, 1) => Compression::LercDeflate,
        (Compression::Lerc, 2) => Compression::LercZstd,
        (compression, _) => compression,
    };
    // JPEGTables are a separate stream before that of the tile.
    let tables = bytes.len().min(usize::from(*second)) * usize::from(flags & 8 != 0);
    let (tables, bytes) = bytes.split_at(tables);
    let encoding = Encoding {
        compression,
        predictor: Predictor::from_code(u16::from(predictor % 5)),
        planar_configuration: PlanarConfiguration::from_code(1 + u16::from(flags & 1)),
        photometric: Some(Photometric::from_code(u16::from(predictor / 5 % 9))),
        samples_per_pixel: count,
        bits_per_sample: vec![u16::from(bits % 130); usize::from(count)],
        sample_format: vec![SampleFormat::from_code(u16::from(format % 7)); usize::from(count)],
        dtype: DataType::Uint8,
        fill_order: FillOrder::from_code(1 + u16::from(flags >> 1 & 1)),
        jpeg_tables: (!tables.is_empty()).then(|| tables.to_vec().into()),
        ycbcr_subsampling: (flags & 16 != 0).then_some([u16::from(second & 7), u16::from(second >> 3 & 7)]),
        lerc_parameters: None,
        t4_options: (flags & 32 != 0).then_some(u32::from(second & 7)),
    };
    let byte_order = if flags & 4 != 0 { ByteOrder::Big } else { ByteOrder::Little };
    let planar = encoding.is_planar();
    let shape = BlockShape {
        width: u32::from(*width),
        height: u32::from(*height),
        samples_per_pixel: if planar { 1 } else { count },
    };
    if let Ok(tile) = decode(bytes, &encoding, byte_order, shape, if planar { count - 1 } else { 0 }) {
        let pixels = usize::from(*width) * usize::from(*height);
        assert_eq!(tile.samples.len(), pixels * usize::from(shape.samples_per_pixel));
        assert!(tile.valid.is_none_or(|valid| valid.len() == pixels));
    }
}

/// The first byte selects the codec.
pub(crate) fn any(data: &[u8]) {
    if let Some((code, data)) = data.split_first() {
        tile(Compression::from_code(CODES[usize::from(*code) % CODES.len()]), data);
    }
}

macro_rules! codecs {
    ($($name:ident: $($code:literal)+;)+) => {$(
        pub(crate) fn $name(data: &[u8]) {
            $(tile(Compression::from_code($code), data);)+
        }
    )+};
}

codecs! {
    uncompressed: 1;
    deflate: 8;
    lzw: 5;
    packbits: 32773;
    zstd: 50000;
    lzma: 34925;
    lerc: 34887;
    jpeg: 7;
    jpeg2000: 34712;
    jxl: 52546;
    webp: 50001;
    ccitt: 2 3 4;
}
