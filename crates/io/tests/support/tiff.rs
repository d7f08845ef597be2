//! Synthetic TIFFs with a minimal header (TIFF 6.0, section 2; BigTIFF design page).

/// A tiled image of `across` by `down` tiles of 16 x 16 pixels of 8 bits.
#[derive(Clone, Copy)]
pub(crate) struct Tiff {
    pub(crate) across: u32,
    pub(crate) down: u32,
    pub(crate) big: bool,
    /// Whether the IFD and its tables are at the end of the file, after the pixels.
    pub(crate) ifd_at_end: bool,
    /// Number of overviews, each with half the tiles across and down.
    pub(crate) overviews: u32,
    /// Minimum size of the file in bytes.
    pub(crate) min_size: usize,
}

impl Default for Tiff {
    fn default() -> Self {
        Self { across: 4, down: 4, big: false, ifd_at_end: false, overviews: 0, min_size: 100_000 }
    }
}

impl Tiff {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut file = Vec::new();
        file.extend(b"II");
        if self.big {
            file.extend(43u16.to_le_bytes());
            file.extend(8u16.to_le_bytes());
            file.extend(0u16.to_le_bytes());
        } else {
            file.extend(42u16.to_le_bytes());
        }
        let mut link = file.len();
        self.word(&mut file, 0);
        if self.ifd_at_end {
            file.resize(self.min_size.max(file.len()), 0);
        }
        for level in 0..=self.overviews {
            let here = file.len() as u64;
            self.set_word(&mut file, link, here);
            link = self.ifd(&mut file, level);
        }
        file.resize(self.min_size.max(file.len()), 0);
        file
    }

    /// Appends an IFD followed by its tables; returns the position of the offset of the next IFD.
    fn ifd(self, file: &mut Vec<u8>, level: u32) -> usize {
        let (across, down) = ((self.across >> level).max(1), (self.down >> level).max(1));
        let tiles = (across * down) as usize;
        let mut entries: Vec<(u16, u16, u64, u64)> = vec![
            (256, 4, 1, u64::from(across * 16)),
            (257, 4, 1, u64::from(down * 16)),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (277, 3, 1, 1),
            (322, 3, 1, 16),
            (323, 3, 1, 16),
            (324, 4, tiles as u64, 0),
            (325, 4, tiles as u64, 0),
        ];
        if level > 0 {
            entries.insert(0, (254, 4, 1, 1));
        }
        let word = if self.big { 8 } else { 4 };
        let entry = 4 + 2 * word;
        let size = if self.big { 8 } else { 2 } + entries.len() * entry + word;
        let tables = file.len() + size;
        // A table with one value is stored in its entry.
        let inline = tiles * 4 <= word;
        for (index, place) in [(entries.len() - 2, tables), (entries.len() - 1, tables + tiles * 4)] {
            entries[index].3 = if inline { 8 } else { place as u64 };
        }
        if self.big {
            file.extend((entries.len() as u64).to_le_bytes());
        } else {
            file.extend((entries.len() as u16).to_le_bytes());
        }
        for (tag, kind, count, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            self.word(file, count);
            self.word(file, value);
        }
        let link = file.len();
        self.word(file, 0);
        if !inline {
            (0..tiles).for_each(|_| file.extend(8u32.to_le_bytes()));
            (0..tiles).for_each(|_| file.extend(64u32.to_le_bytes()));
        }
        link
    }

    fn word(self, file: &mut Vec<u8>, value: u64) {
        match self.big {
            true => file.extend(value.to_le_bytes()),
            false => file.extend((value as u32).to_le_bytes()),
        }
    }

    fn set_word(self, file: &mut [u8], at: usize, value: u64) {
        match self.big {
            true => file[at..at + 8].copy_from_slice(&value.to_le_bytes()),
            false => file[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
        }
    }
}
