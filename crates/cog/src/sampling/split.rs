//! Assigns records to training, validation and test splits by a checksum of a key: the same key gets the same split in
//! every table, on every machine, regardless of the other records.
//!
//! Checksum and seed:
//!
//! ```text
//! crc32(key) % 100                < train                 train
//!                                 < train + val           val
//!                                 else                    test
//! with a seed: crc32("<seed>:<key>") % 100, which is zlib.crc32(f"{seed}:{key}".encode()) % 100 in Python
//! ```

use crate::{Error, Result};

/// A split of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Training set.
    Train,
    /// Validation set, for choosing between models.
    Val,
    /// Test set, for the final evaluation.
    Test,
}

impl Split {
    /// `train`, `val` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// Percentages of keys per split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    train: u32,
    val: u32,
    seed: Option<i64>,
}

impl Default for Shares {
    /// 80, 10 and 10 percent without a seed, as in Python Rasteret.
    fn default() -> Self {
        Self { train: 80, val: 10, seed: None }
    }
}

impl Shares {
    /// Creates shares in percent; the remainder is the test set. Another `seed` gives other splits of the same size.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the sum exceeds 100.
    pub fn new(train: u32, val: u32, seed: Option<i64>) -> Result<Self> {
        match train.checked_add(val) {
            Some(..=100) => Ok(Self { train, val, seed }),
            _ => Err(Error::InvalidArgument {
                what: format!("train and val: expected at most 100 percent together, found {train} and {val}"),
            }),
        }
    }

    /// Returns the split of a key.
    #[must_use]
    pub fn split(&self, key: &[u8]) -> Split {
        let mut hasher = crc32fast::Hasher::new();
        if let Some(seed) = self.seed {
            hasher.update(seed.to_string().as_bytes());
            hasher.update(b":");
        }
        hasher.update(key);
        match hasher.finalize() % 100 {
            percent if percent < self.train => Split::Train,
            percent if percent < self.train + self.val => Split::Val,
            _ => Split::Test,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_equal_python_rasteret() {
        // crc32 % 100: 1, 97, 50, 25, 50, 9, 0, 53
        let keys = ["0U_0R", "1D_1L", "543U_17R", "378D_1396R", "453U_625L", "420U_1078L", "870U_35R", "1001U_0R"];
        let splits = keys.map(|key| Shares::default().split(key.as_bytes()).name());
        assert_eq!(splits, ["train", "test", "train", "train", "train", "train", "train", "train"]);
        // The split of each key changes at the percentage of its checksum.
        for (key, percent) in keys.iter().zip([1, 97, 50, 25, 50, 9, 0, 53]) {
            let of = |train| Shares::new(train, 0, None).unwrap().split(key.as_bytes());
            assert_eq!((of(percent), of(percent + 1)), (Split::Test, Split::Train), "{key}");
        }
    }

    #[test]
    fn shares() {
        let of = |train, val| Shares::new(train, val, None).unwrap().split(b"1D_1L");
        assert_eq!(of(90, 10), Split::Val);
        assert_eq!(of(98, 0), Split::Train);
        assert_eq!(of(0, 97), Split::Test);
        for (train, val) in [(101, 0), (60, 41), (u32::MAX, u32::MAX)] {
            assert!(Shares::new(train, val, None).unwrap_err().to_string().contains("at most 100"));
        }
    }

    /// Results of zlib.crc32(b"7:0U_0R") % 100 etc. in Python.
    #[test]
    fn seeds() {
        let percent = |seed, key: &str| {
            (0..100).find(|train| Shares::new(train + 1, 0, Some(seed)).unwrap().split(key.as_bytes()) == Split::Train)
        };
        assert_eq!([percent(7, "0U_0R"), percent(-1, "0U_0R"), percent(7, "1D_1L")], [Some(17), Some(3), Some(17)]);
    }

    /// Keys and seeds of equal length differ by the same bits in their checksums; splits must be independent anyway.
    #[test]
    fn seeds_are_independent() {
        let (one, two) = (Shares::new(80, 10, Some(1)).unwrap(), Shares::new(80, 10, Some(2)).unwrap());
        let keys: Vec<String> = (10_000..99_999).map(|key| key.to_string()).collect();
        let count = |of: &dyn Fn(&[u8]) -> bool| {
            keys.iter().filter(|key| of(key.as_bytes())).count() as f64 / keys.len() as f64
        };
        let test = |shares: &Shares, key: &[u8]| shares.split(key) == Split::Test;
        assert!((count(&|key| test(&one, key)) - 0.1).abs() < 0.005);
        assert!((count(&|key| test(&two, key)) - 0.1).abs() < 0.005);
        let both = count(&|key| test(&one, key) && test(&two, key));
        assert!((both - 0.01).abs() < 0.01, "{both}");
    }
}
