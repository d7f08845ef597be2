//! Dumps all IFDs: order, SubIFDs, format of values, and tolerated faults.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

mod support;

use rasteret_cog::{IfdInfo, Role};
use support::{TiffWriter, Values, dump, reduced, tiled};

fn value(ifd: &IfdInfo, code: u16) -> Option<&str> {
    ifd.tags.iter().find(|tag| tag.code == code).unwrap().value.as_deref()
}

#[test]
fn values_are_formatted() {
    let file = TiffWriter::new(vec![tiled(2000, 2000, 16)])
        .with(270, Values::Ascii("one\0two\0\0"))
        .with(282, Values::Raw(5, 1, vec![1, 0, 0, 0, 2, 0, 0, 0]))
        .with(347, Values::Undefined((0..40).collect()))
        .with(700, Values::Byte(vec![60; 5000]))
        .with(33550, Values::Double(vec![0.5, 1e-9, -0.0]))
        .with(65000, Values::Raw(9, 2, (-3i32).to_le_bytes().repeat(2)))
        .with(65001, Values::Raw(99, 7, vec![]))
        .with(65002, Values::At(4, 1000, 1 << 30))
        .with(65003, Values::Raw(11, 1, 1.25f32.to_le_bytes().to_vec()));
    let ifds = dump(&file.bytes(), 1000).unwrap();
    let ifd = &ifds[0];
    assert_eq!((ifd.index, ifd.parent, ifd.offset, ifd.role), (0, None, 8, Role::Image));
    assert_eq!((ifd.image_width, ifd.tile_height, ifd.samples_per_pixel), (Some(2000), Some(16), Some(1)));
    assert_eq!(ifd.compression.unwrap().to_string(), "deflate");
    assert_eq!(value(ifd, 270), Some("one\ntwo"));
    assert_eq!(value(ifd, 282), Some("1/2"));
    assert_eq!(value(ifd, 347).unwrap().len(), 2 + 64 + "… (40 bytes)".len());
    assert_eq!(value(ifd, 700).unwrap().split_at(66), (&*format!("0x{}", "3c".repeat(32)), "… (5000 bytes)"));
    assert_eq!(value(ifd, 33550), Some("0.5, 0.000000001, -0"));
    assert_eq!(value(ifd, 65000), Some("-3, -3"));
    assert_eq!(value(ifd, 65001), None, "unknown type");
    assert_eq!(value(ifd, 65002), None, "beyond the end");
    assert_eq!(value(ifd, 65003), Some("1.25"));
    let offsets = value(ifd, 324).unwrap();
    assert!(offsets.starts_with("1000, 2000, ") && offsets.ends_with("64000, … (15625 values)"), "{offsets}");
    let tag = ifd.tags.iter().find(|tag| tag.code == 322).unwrap();
    assert_eq!((tag.name.as_deref(), tag.field_type.to_string().as_str(), tag.count), (Some("TileWidth"), "SHORT", 1));
}

#[test]
fn sub_ifds_follow_the_main_chain() {
    // IFD 0 at byte 8 has 11 entries and is followed by IFD 1. SubIFDs refer to both, to each other, and beyond the end.
    let main = TiffWriter::new(vec![tiled(10, 10, 16), reduced(1, 5, 5, 16)]);
    let length = main.bytes().len() as u64;
    let mut sub = reduced(1, 3, 3, 16);
    sub.push((330, Values::Long(vec![8])));
    let sub_file =
        TiffWriter { gap: usize::try_from(length).unwrap() + 12, ..TiffWriter::new(vec![sub, tiled(2, 2, 16)]) };
    let mut file = main.with(330, Values::Long(vec![u32::try_from(length).unwrap() + 20])).bytes();
    assert_eq!(file.len() as u64, length + 12);
    let sub_bytes = sub_file.bytes();
    file.extend(&sub_bytes[file.len()..]);
    for first in [16, 100, 1 << 20] {
        let ifds = dump(&file, first).unwrap();
        let found: Vec<_> =
            ifds.iter().map(|ifd| (ifd.index, ifd.parent, ifd.role, ifd.image_width.unwrap())).collect();
        assert_eq!(
            found,
            [
                (0, None, Role::Image, 10),
                (1, None, Role::Overview, 5),
                (2, Some(0), Role::Overview, 3),
                (3, Some(0), Role::Page, 2),
            ]
        );
    }
}

#[test]
fn values_shared_by_all_tags_are_rejected() {
    let mut tags = tiled(10, 10, 16);
    tags.extend((0..2000).map(|n| (10_000 + n, Values::At(2, 4000, 8))));
    let file = TiffWriter::new(vec![tags]).bytes();
    let error = dump(&file, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("length of values shared between tags of"), "{error}");
}
