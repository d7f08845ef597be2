//! What the DuckDB that loaded the extension offers, by its version.

use rasteret_io::source::NullFolders;

use crate::vector::host_version;

/// A DuckDB release, or a development version on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    version: [u32; 3],
    is_released: bool,
}

impl Host {
    /// The host that loaded the extension.
    pub(crate) fn current() -> Self {
        Self::parse(&host_version())
    }

    /// `v1.5.6`, or a development version such as `v1.6.0-dev12`; an unreadable one counts as the oldest.
    pub(crate) fn parse(text: &str) -> Self {
        let (numbers, is_released) = match text.trim_start_matches('v').split_once('-') {
            Some((numbers, _)) => (numbers, false),
            None => (text.trim_start_matches('v'), true),
        };
        let mut numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0));
        Self { version: std::array::from_fn(|_| numbers.next().unwrap_or(0)), is_released }
    }

    /// GEOMETRY is a type of the core since 1.5.0.
    pub(crate) fn has_geometry(self) -> bool {
        self.version >= [1, 5, 0]
    }

    /// The releases whose API struct has `duckdb_geometry_type_get_crs` in the slot where the binding has it, by their own
    /// `duckdb_extension.h`. Slots move between releases: another release is added once its header was looked at.
    pub(crate) fn has_geometry_crs(self) -> bool {
        self.is_released && [[1, 5, 5], [1, 5, 6], [2, 0, 0]].contains(&self.version)
    }

    /// Which Hive folders `read_parquet` takes for NULL.
    pub(crate) fn null_folders(self) -> NullFolders {
        match self.version {
            version if version >= [2, 0, 0] => NullFolders::DefaultAndTypedWord,
            version if version >= [1, 5, 0] => NullFolders::WordAndDefault,
            _ => NullFolders::Word,
        }
    }

    /// TIME_NS is what `read_parquet` gives since 1.5.6.
    pub(crate) fn has_time_ns(self) -> bool {
        self.version >= [1, 5, 6]
    }

    /// Since 2.0, `read_parquet` gives TIMESTAMPTZ_NS, and columns of the type `"NULL"`.
    pub(crate) fn is_two(self) -> bool {
        self.version >= [2, 0, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn versions_compare_by_number() {
        let versions = ["v1.4.5", "v1.5.0", "v1.5.6", "v1.10.0", "v2.0.0"].map(Host::parse);
        assert!(versions.is_sorted_by_key(|host| host.version));
        assert!(Host::parse("v1.5.6-dev3").has_time_ns());
        assert!(Host::parse("v1.5.6").has_geometry_crs() && !Host::parse("v1.5.6-dev3").has_geometry_crs());
        assert!(!Host::parse("v1.5.7").has_geometry_crs() && !Host::parse("v1.4.5").has_geometry_crs());
        assert!(!Host::parse("nonsense").has_geometry());
        assert!(!versions[0].has_geometry() && versions[1].has_geometry());
        assert!(!versions[1].has_time_ns() && versions[2].has_time_ns());
    }
}
