//! TIFFs whose pixels identify their position, and reads of their blocks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rasteret_cog::pixel::{Band, Block};
use rasteret_cog::{CogHeader, DecodeResult, HeaderDecoder, Limits};
use rasteret_io::{BlockRequest, CogFile, Location, ObjectVersion, RasterFile};

/// A tiled, uncompressed image of bytes; tiles are stored in order after the header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raster {
    pub(crate) across: u32,
    pub(crate) down: u32,
    /// Columns and rows of a tile, a multiple of 16.
    pub(crate) side: u32,
    /// Bytes between consecutive tiles.
    pub(crate) gap: usize,
    /// Added to each pixel.
    pub(crate) seed: u8,
}

impl Default for Raster {
    fn default() -> Self {
        Self { across: 4, down: 4, side: 16, gap: 0, seed: 0 }
    }
}

/// Offset of the first tile, after the longest possible header.
const PIXELS: usize = 64 << 10;

impl Raster {
    pub(crate) fn tiles(self) -> u32 {
        self.across * self.down
    }

    pub(crate) fn tile_bytes(self) -> usize {
        (self.side * self.side) as usize
    }

    /// Byte range of a tile.
    pub(crate) fn range(self, tile: u32) -> Range<u64> {
        let start = (PIXELS + tile as usize * (self.tile_bytes() + self.gap)) as u64;
        start..start + self.tile_bytes() as u64
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let (tiles, tables) = (self.tiles() as usize, 8 + 2 + 11 * 12 + 4);
        let mut file = b"II*\0\x08\0\0\0\x0b\0".to_vec();
        let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(count.to_le_bytes());
            file.extend(value.to_le_bytes());
        };
        // A table with one value is stored in its entry.
        let inline = |value: u32, place: usize| if tiles == 1 { value } else { place as u32 };
        entry(256, 4, 1, self.across * self.side);
        entry(257, 4, 1, self.down * self.side);
        entry(258, 3, 1, 8);
        entry(259, 3, 1, 1);
        entry(262, 3, 1, 1);
        entry(277, 3, 1, 1);
        entry(284, 3, 1, 1);
        entry(322, 4, 1, self.side);
        entry(323, 4, 1, self.side);
        entry(324, 4, tiles as u32, inline(self.range(0).start as u32, tables));
        entry(325, 4, tiles as u32, inline(self.tile_bytes() as u32, tables + 4 * tiles));
        file.extend([0; 4]);
        if tiles > 1 {
            (0..self.tiles()).for_each(|tile| file.extend((self.range(tile).start as u32).to_le_bytes()));
            (0..tiles).for_each(|_| file.extend((self.tile_bytes() as u32).to_le_bytes()));
        }
        assert!(file.len() <= PIXELS, "tables of {tiles} tiles");
        for tile in 0..self.tiles() {
            file.resize(self.range(tile).start as usize, 0xee);
            let pixels = (0..self.side).flat_map(|row| (0..self.side).map(move |col| (col, row)));
            file.extend(pixels.map(|(col, row)| self.pixel(tile, col, row)));
        }
        file
    }

    /// The value of a pixel of a tile.
    fn pixel(self, tile: u32, col: u32, row: u32) -> u8 {
        (tile * 41 + row * 7 + col).to_le_bytes()[0].wrapping_add(self.seed)
    }

    pub(crate) fn header(self) -> Arc<CogHeader> {
        let bytes = self.bytes();
        let mut decoder = HeaderDecoder::new(Limits::default(), Some(bytes.len() as u64));
        decoder.push(0, Bytes::from(bytes));
        match decoder.try_decode().unwrap() {
            DecodeResult::Data(header) => Arc::new(header),
            DecodeResult::NeedsData(ranges) => unreachable!("{ranges:?}"),
        }
    }

    /// The index entry of the file served by [`super::server::Server`].
    pub(crate) fn indexed(self) -> CogFile {
        CogFile {
            header: self.header(),
            version: ObjectVersion {
                size: Some(self.bytes().len() as u64),
                etag: Some("\"v1\"".to_owned()),
                last_modified: Some(1_767_225_600_000_000),
            },
        }
    }

    /// An index entry without versions.
    pub(crate) fn unversioned(self) -> CogFile {
        CogFile { header: self.header(), version: ObjectVersion::default() }
    }

    /// Requests for tiles of a file.
    pub(crate) fn requests(
        self,
        href: &str,
        file: &CogFile,
        tiles: impl IntoIterator<Item = u32>,
    ) -> Vec<BlockRequest> {
        let band = Arc::new(Band::new(file.header.clone(), 0, 0, true).unwrap());
        let file = Arc::new(RasterFile::new(Location::parse(href).unwrap(), file));
        tiles
            .into_iter()
            .map(|tile| BlockRequest {
                file: file.clone(),
                band: band.clone(),
                row: tile / self.across,
                col: tile % self.across,
            })
            .collect()
    }

    /// Checks that a block has the pixels of a tile.
    pub(crate) fn assert_block(self, tile: u32, block: &Block) {
        let (left, top) = (tile % self.across * self.side, tile / self.across * self.side);
        assert_eq!((block.window.col_off, block.window.row_off), (left, top));
        assert_eq!((block.window.width, block.window.height), (self.side, self.side));
        let mut bytes = vec![0; self.side as usize];
        for row in 0..self.side {
            block.copy(top + row, left..left + self.side, &mut bytes);
            let expected: Vec<u8> = (0..self.side).map(|col| self.pixel(tile, col, row)).collect();
            assert_eq!(bytes, expected, "tile {tile}, row {row}");
        }
    }
}
