//! Features by DuckDB release: decides at run time, and is the source of the table in `docs/hosts.md`.

use rasteret_io::parquet::NullFolders;

use crate::vector::host_version;

/// Slots that are the same in every host since `v1.2.0`.
const STABLE_SLOTS: usize = 357;

/// Slots that are the same since [`LATE`].
const LATE_SLOTS: usize = 546;

/// The first release whose late slots are in their places.
const LATE: [u32; 3] = [1, 5, 2];

/// A feature that some supported releases lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// GEOMETRY is a type of the core.
    Geometry,
    /// The CRS of a GEOMETRY type.
    GeometryCrs,
    /// Settings of extensions.
    Settings,
    /// The settings that lock files.
    Locks,
    /// `memory_limit` of each query.
    MemoryLimit,
    /// Whether a query was interrupted.
    Interrupts,
    /// DuckDB's file system.
    FileSystem,
    /// TIME_NS columns of Parquet files.
    TimeNs,
    /// TIMESTAMPTZ_NS columns of Parquet files, and columns of the type `"NULL"`.
    TimestampTzNs,
}

/// A feature, the releases that have it, and the behaviour of others.
#[derive(Debug)]
pub struct Availability {
    /// The feature.
    pub feature: Feature,
    /// The first release.
    pub since: [u32; 3],
    /// The feature as users see it, in Markdown.
    pub description: &'static str,
    /// The behaviour of earlier releases, in Markdown.
    pub before: &'static str,
    /// Whether it needs late slots of the C API, which a development version on the way to a release may have elsewhere.
    needs_late_slots: bool,
}

/// All features, by release.
pub const FEATURES: [Availability; 9] = [
    Availability {
        feature: Feature::Geometry,
        since: [1, 5, 0],
        description: "Geometries of the type GEOMETRY as arguments, and as columns of indexes",
        before: "WKB, WKT, GeoJSON and boxes; the GEOMETRY of the spatial extension through `ST_AsWKB`",
        needs_late_slots: false,
    },
    Availability {
        feature: Feature::GeometryCrs,
        since: LATE,
        description: "The CRS of a type such as `GEOMETRY('EPSG:32633')` is that of its values",
        before: "The option `geometry_crs`",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::Settings,
        since: LATE,
        description: "`SET rasteret_…`: [settings](settings.md) of each connection, for the next query and the next EXECUTE",
        before: "`SET` of them is an error of DuckDB (`unrecognized configuration parameter`); environment variables, read by `LOAD`",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::Locks,
        since: LATE,
        description: "`enable_external_access`, `allowed_directories`, `allowed_paths` and `disabled_filesystems` hold for every function",
        before: "`RASTERET_ALLOWED_PREFIXES`, see [security](security.md)",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::MemoryLimit,
        since: LATE,
        description: "`memory_limit` as it is when a query begins",
        before: "`memory_limit` as it was at `LOAD`",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::Interrupts,
        since: LATE,
        description: "Interrupted queries end within a second, where DuckDB is a library on Linux or macOS",
        before: "They end when their requests do, or with `RASTERET_TIMEOUT`",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::FileSystem,
        since: LATE,
        description: "`SET rasteret_file_system = 'duckdb'`: [secrets, proxies and `register_filesystem`](#reading-through-duckdb) of DuckDB",
        before: "The clients of the extension; `RASTERET_FILE_SYSTEM=duckdb` is an error that names the release",
        needs_late_slots: true,
    },
    Availability {
        feature: Feature::TimeNs,
        since: [1, 5, 6],
        description: "Times of nanoseconds in Parquet files are TIME_NS, as in `read_parquet`",
        before: "TIME, as in `read_parquet`",
        needs_late_slots: false,
    },
    Availability {
        feature: Feature::TimestampTzNs,
        since: [2, 0, 0],
        description: "TIMESTAMPTZ_NS, and columns of the type `\"NULL\"`, as in `read_parquet`",
        before: "TIMESTAMP WITH TIME ZONE and INTEGER, as in `read_parquet`",
        needs_late_slots: false,
    },
];

impl Feature {
    /// The first release that has it, such as `1.5.2`.
    pub(super) fn since_text(self) -> String {
        let [major, minor, patch] = availability(self).map_or(LATE, |availability| availability.since);
        format!("{major}.{minor}.{patch}")
    }
}

fn availability(feature: Feature) -> Option<&'static Availability> {
    FEATURES.iter().find(|availability| availability.feature == feature)
}

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

    /// Whether the host has a feature.
    pub(crate) fn has(self, feature: Feature) -> bool {
        availability(feature).is_some_and(|availability| {
            self.version >= availability.since && (!availability.needs_late_slots || self.has_late_slots())
        })
    }

    /// GEOMETRY is a type of the core.
    pub(crate) fn has_geometry(self) -> bool {
        self.has(Feature::Geometry)
    }

    /// Since [`LATE`], the slots after the stable ones have fixed positions, also in 2.0. Development versions before these releases may
    /// have others.
    pub(crate) fn has_late_slots(self) -> bool {
        self.version > [2, 0, 0] || (self.is_released && self.version >= LATE)
    }

    /// Slots of the API struct that may be used.
    pub(crate) fn slots(self) -> usize {
        if self.has_late_slots() { LATE_SLOTS } else { STABLE_SLOTS }
    }

    /// GEOMETRY types have a CRS.
    pub(crate) fn has_geometry_crs(self) -> bool {
        self.has(Feature::GeometryCrs)
    }

    /// Names of Hive folders that `read_parquet` reads as NULL.
    pub(crate) fn null_folders(self) -> NullFolders {
        match self.version {
            version if version >= [2, 0, 0] => NullFolders::DefaultAndTypedWord,
            version if version >= [1, 5, 0] => NullFolders::WordAndDefault,
            _ => NullFolders::Word,
        }
    }

    /// `read_parquet` returns TIME_NS.
    pub(crate) fn has_time_ns(self) -> bool {
        self.has(Feature::TimeNs)
    }

    /// `read_parquet` returns TIMESTAMPTZ_NS, and columns of the type `"NULL"`.
    pub(crate) fn is_two(self) -> bool {
        self.has(Feature::TimestampTzNs)
    }
}

#[cfg(test)]
mod tests {
    use super::{FEATURES, Feature, Host};

    #[test]
    fn versions_compare_by_number() {
        let versions = ["v1.4.5", "v1.5.0", "v1.5.6", "v1.10.0", "v2.0.0"].map(Host::parse);
        assert!(versions.is_sorted_by_key(|host| host.version));
        assert!(Host::parse("v1.5.6-dev3").has_time_ns());
        for (version, has_late_slots) in [
            ("v1.4.5", false),
            ("v1.5.1", false),
            ("v1.5.2", true),
            ("v1.5.6", true),
            ("v1.5.6-dev3", false),
            ("v1.5.7", true),
            ("v2.0.0-dev3", false),
            ("v2.0.0", true),
            ("v2.0.1-dev3", true),
        ] {
            assert_eq!(Host::parse(version).has_late_slots(), has_late_slots, "{version}");
        }
        assert_eq!((Host::parse("v1.4.5").slots(), Host::parse("v2.0.0").slots()), (357, 546));
        assert!(FEATURES.iter().all(|each| !Host::parse("nonsense").has(each.feature)));
        assert!(FEATURES.iter().all(|each| Host::parse("v2.0.1").has(each.feature)));
        assert!(FEATURES.is_sorted_by_key(|each| each.since));
        assert_eq!(Feature::FileSystem.since_text(), "1.5.2");
        assert!(!Host::parse("v1.5.1").has(Feature::Settings) && Host::parse("v1.5.2").has(Feature::Settings));
        assert!(!versions[0].has_geometry() && versions[1].has_geometry());
        assert!(!versions[1].has_time_ns() && versions[2].has_time_ns());
    }
}
