//! What the DuckDB that loaded the extension offers, by its version.

use crate::vector::host_version;

/// A DuckDB release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host {
    version: [u32; 3],
}

impl Host {
    /// The host that loaded the extension.
    pub(crate) fn current() -> Self {
        Self::parse(&host_version())
    }

    /// `v1.5.6`; a development version such as `v1.6.0-dev12` counts as its release, an unreadable one as the oldest.
    fn parse(text: &str) -> Self {
        let mut parts = text.trim_start_matches('v').split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        Self { version: std::array::from_fn(|_| parts.next().unwrap_or(0)) }
    }

    /// GEOMETRY is a type of the core since 1.5.0.
    pub(crate) fn has_geometry(self) -> bool {
        self.version >= [1, 5, 0]
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
        assert!(versions.is_sorted());
        assert_eq!(Host::parse("v1.5.6-dev3"), Host::parse("v1.5.6"));
        assert!(!Host::parse("nonsense").has_geometry());
        assert!(!versions[0].has_geometry() && versions[1].has_geometry());
        assert!(!versions[1].has_time_ns() && versions[2].has_time_ns());
    }
}
