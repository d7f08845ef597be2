//! Named colormaps of 256 colours.

use crate::{Error, Result};

/// The tables of all maps, one after the other; `scripts/make-colormaps` generates the file.
const TABLES: &[u8; NAMES.len() * TABLE_BYTES] = include_bytes!("colormaps.bin");

/// Bytes of a table: red, green and blue of 256 colours.
const TABLE_BYTES: usize = 3 * 256;

/// The names, in the order of the tables.
const NAMES: [&str; 5] = ["viridis", "magma", "greys", "terrain", "ndvi"];

/// Characters of a name that are compared and shown: more than any map has.
const MAX_NAME: usize = 40;

/// The suffix of a reversed map, as in matplotlib.
const REVERSED: &str = "_r";

/// A map from the values 0 to 255 to colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colormap {
    table: usize,
    is_reversed: bool,
}

impl Colormap {
    /// The map of a name, in upper or lower case; with the suffix `_r`, its colours in reverse order.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn named(name: &str) -> Result<Self> {
        let name: String = name.trim().chars().take(MAX_NAME).collect();
        let lower = name.to_ascii_lowercase();
        let (base, is_reversed) = match lower.strip_suffix(REVERSED) {
            Some(base) => (base, true),
            None => (lower.as_str(), false),
        };
        let table = NAMES.iter().position(|known| *known == base);
        table.map(|table| Self { table, is_reversed }).ok_or_else(|| Error::InvalidArgument {
            what: format!(
                "colormap: expected one of {}, or one of these with the suffix {REVERSED}, found '{name}'",
                NAMES.join(", ")
            ),
        })
    }

    /// Red, green and blue of a value.
    #[must_use]
    pub fn color(self, value: u8) -> [u8; 3] {
        let value = if self.is_reversed { u8::MAX - value } else { value };
        let start = self.table * TABLE_BYTES + 3 * usize::from(value);
        match TABLES.get(start..start + 3) {
            Some(&[red, green, blue]) => [red, green, blue],
            _ => [0; 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Colormap;

    #[test]
    fn colours_equal_matplotlib() {
        let of = |name: &str, value| Colormap::named(name).unwrap().color(value);
        assert_eq!(
            (of("viridis", 0), of("viridis", 128), of("viridis", 255)),
            ([68, 1, 84], [32, 144, 140], [253, 231, 36])
        );
        assert_eq!((of("Magma", 0), of("magma", 255)), ([0, 0, 3], [251, 252, 191]));
        assert_eq!((of("greys", 0), of("greys", 255)), ([255, 255, 255], [0, 0, 0]));
        assert_eq!((of("greys_r", 0), of("viridis_R", 1)), (of("greys", 255), of("viridis", 254)));
        assert_eq!((of("terrain", 255), of("ndvi", 0)), ([255, 255, 255], [12, 44, 92]));
        assert!(
            Colormap::named("jet")
                .unwrap_err()
                .to_string()
                .contains("expected one of viridis, magma, greys, terrain, ndvi")
        );
        let long = Colormap::named(&"x".repeat(1 << 20)).unwrap_err().to_string();
        assert!(long.ends_with(&format!("found '{}'", "x".repeat(40))), "{}", long.len());
    }
}
