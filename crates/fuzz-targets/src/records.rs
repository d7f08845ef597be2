//! Parquet files: records, and the metadata of an index.

use std::sync::LazyLock;

use rasteret_io::enrich::{Column, EnrichOptions, EnrichPlan};
use rasteret_io::maintenance::{CollectionOptions, Refresh, Validation};
use rasteret_io::parquet::{ParquetSource, Projection, SourceOptions};
use rasteret_io::{Options, Session};

use super::scratch;

/// Hrefs of records must not lead to other files or servers.
static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let mut options = Options::default();
    options.allowed_prefixes = Some(vec![scratch("parquet").to_string_lossy().into_owned()]);
    options.memory_limit_bytes = Some(256 << 20);
    options.threads = Some(1);
    Session::new(options)
});

/// Maximum number of records to read from a file, because a small footer may declare any number.
const RECORDS_MAX: usize = 100_000;

pub(crate) fn records(data: &[u8]) {
    let path = scratch("parquet");
    if std::fs::write(&path, data).is_err() {
        return;
    }
    let href = path.to_string_lossy().into_owned();
    for canonical_geometry in [true, false] {
        read(&href, SourceOptions { canonical_geometry, ..SourceOptions::default() });
    }
    enrich(&href);
    validate(&href);
    refresh(&href);
}

/// All columns, and none.
fn read(href: &str, options: SourceOptions) {
    let opened = SESSION.block_on(ParquetSource::open_with(&SESSION, vec![href.to_owned()], options));
    let Ok(Ok(source)) = opened else { return };
    let all = Projection::columns(0..source.schema().fields().len());
    for projection in [all, Projection::none()] {
        let counted = SESSION.block_on(async {
            let Ok(mut batches) = source.read(&projection, 100) else { return };
            let mut rows = 0;
            while let Some(Ok(records)) = batches.next().await {
                assert_eq!(records.batch.num_columns(), projection.len());
                rows += records.batch.num_rows();
                if rows > RECORDS_MAX {
                    return;
                }
            }
        });
        assert!(counted.is_ok());
    }
}

/// Enriches all records, with the Parquet file itself as an invalid asset.
fn enrich(href: &str) {
    let options = EnrichOptions { href_column: Some("href".to_owned()), ..EnrichOptions::default() };
    for options in [EnrichOptions::default(), options] {
        let Ok(plan) = EnrichPlan::new(&SESSION, &[href], options) else { continue };
        let columns: Vec<Column> = plan.columns().into_iter().map(|(_, column)| column).collect();
        let Ok(stream) = plan.start(&columns) else { continue };
        for _ in 0..RECORDS_MAX / 100 {
            let Ok(Some(_)) = stream.next() else { break };
        }
    }
}

/// Validates types, values and hrefs of an index.
fn validate(href: &str) {
    for headers in [false, true] {
        let Ok(validation) = Validation::new(&SESSION, &[href], CollectionOptions::default(), headers) else {
            return;
        };
        let Ok(stream) = validation.start() else { return };
        for _ in 0..RECORDS_MAX / 100 {
            let Ok(Some(problems)) = stream.next() else { break };
            assert!(!problems.is_empty());
        }
    }
}

fn refresh(href: &str) {
    let Ok(refresh) = Refresh::new(&SESSION, &[href], CollectionOptions::default(), 4) else { return };
    let Ok(stream) = refresh.start() else { return };
    for _ in 0..RECORDS_MAX / 100 {
        let Ok(Some(_)) = stream.next() else { break };
    }
}
