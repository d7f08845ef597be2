//! Tests the pipeline with fetches that can be counted, delayed and made to fail.

use std::collections::HashMap;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;

use futures::FutureExt;

use super::fetch::Fetch;
use super::plan;
use super::resolve::{self, ResolvedPlan};
use super::*;
use crate::headers::{InFlightHeaders, SharedHeader};
use crate::parquet::ParquetSource;
use crate::{CogFile, Error, OnError, Options, Result, Session};

/// Counts fetches.
#[derive(Default)]
struct Fetches {
    requested: Mutex<HashMap<String, usize>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Fetches {
    fn of(&self, href: &str) -> usize {
        self.requested.lock().unwrap().get(href).copied().unwrap_or(0)
    }

    fn total(&self) -> usize {
        self.requested.lock().unwrap().values().sum()
    }
}

/// Returns the same planar file for every href after a delay, except for hrefs that contain `missing`.
fn fetch(file: CogFile, delay: Duration) -> (Fetch, Arc<Fetches>) {
    let fetches = Arc::new(Fetches::default());
    let counted = Arc::clone(&fetches);
    let in_flight = Arc::new(InFlightHeaders::default());
    let fetch: Fetch = Arc::new(move |href| {
        let (fetches, file, key) = (Arc::clone(&counted), file.clone(), href.to_owned());
        let load = move || {
            let (fetches, file, href) = (Arc::clone(&fetches), file.clone(), key.clone());
            async move {
                *fetches.requested.lock().unwrap().entry(href.clone()).or_default() += 1;
                let running = fetches.running.fetch_add(1, Ordering::SeqCst) + 1;
                fetches.most.fetch_max(running, Ordering::SeqCst);
                tokio::time::sleep(delay).await;
                fetches.running.fetch_sub(1, Ordering::SeqCst);
                if href.contains("missing") {
                    return Err(Error::InvalidArgument { what: format!("{href}: not found") });
                }
                Ok(file)
            }
            .boxed()
        };
        let (entry, is_new) = in_flight.entry(href);
        (SharedHeader::InFlight { entry, load: Arc::new(load) }, is_new)
    });
    (fetch, fetches)
}

struct Setup {
    session: Session,
    inner: Arc<ResolvedPlan>,
    file: CogFile,
}

/// Records with a number and an href each.
fn setup(hrefs: &[Option<String>], options: EnrichOptions) -> Result<Setup> {
    let session = Session::new(Options::default());
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(hrefs.len())));
    let hrefs: ArrayRef = Arc::new(StringArray::from_iter(hrefs.iter()));
    let batch = RecordBatch::try_from_iter([("id", ids), ("href", hrefs)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/data/planar.tif");
    let (inner, file) = session.block_on(async {
        let store = Arc::new(InMemory::new());
        store.put(&"a.parquet".into(), PutPayload::from(bytes)).await.unwrap();
        session.serve_bucket("b", store);
        let source = ParquetSource::open(&session, vec!["s3://b/a.parquet".to_owned()]).await.unwrap();
        let file = session.header(fixture.to_str().unwrap()).await.unwrap();
        (resolve::resolve(source, options).await, file)
    })?;
    Ok(Setup { session, inner: Arc::new(inner?), file })
}

/// Two bands of the file in an href column.
fn two_bands() -> EnrichOptions {
    EnrichOptions {
        href_column: Some("href".to_owned()),
        band_index: vec![("one".to_owned(), 0), ("two".to_owned(), 1)],
        normalize: false,
        ..EnrichOptions::default()
    }
}

const ALL: [Column; 4] = [Column::Source(0), Column::Metadata(0), Column::Metadata(1), Column::Error];

impl Setup {
    fn start(&self, projection: &[Column], fetch: &Fetch) -> EnrichStream {
        let (inner, fetch) = (Arc::clone(&self.inner), Arc::clone(fetch));
        self.session.block_on(async { plan::start(&self.session, inner, projection, fetch) }).unwrap().unwrap()
    }
}

fn ids(batch: &EnrichedBatch) -> Vec<i64> {
    batch.source.column(0).as_primitive::<Int64Type>().values().to_vec()
}

fn drain(stream: &EnrichStream) -> Result<Vec<EnrichedBatch>> {
    let mut batches = Vec::new();
    while let Some(batch) = stream.next()? {
        assert_eq!(batch.index, batches.len() as u64);
        batches.push(batch);
    }
    Ok(batches)
}

fn hrefs(count: usize, distinct: usize) -> Vec<Option<String>> {
    (0..count).map(|row| Some(format!("https://h/{}.tif", row % distinct))).collect()
}

#[test]
fn one_fetch_serves_bands_rows_and_batches() {
    let setup = setup(&hrefs(1_000, 7), two_bands()).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::from_millis(50));
    let batches = drain(&setup.start(&ALL, &fetch)).unwrap();
    assert_eq!(batches.iter().flat_map(ids).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    assert!(batches.iter().all(|batch| batch.source.num_rows() == 100));
    for batch in &batches {
        let bands: Vec<_> = batch.metadata.iter().map(|files| files[0].as_ref().unwrap().header.band_index).collect();
        assert_eq!(bands, [Some(0), Some(1)]);
        assert!(batch.errors.iter().all(Option::is_none));
        assert!(Arc::ptr_eq(
            &batch.metadata[0][0].as_ref().unwrap().header,
            &batch.metadata[0][7].as_ref().unwrap().header
        ));
    }
    // All ten batches are in the window at once, so that each href is fetched once, although this fetch has no cache.
    assert_eq!(fetches.total(), 7);
}

#[test]
fn a_waiting_reader_is_not_woken_by_every_header() {
    let setup = setup(&hrefs(50, 50), two_bands()).unwrap();
    let (file, requested) = (setup.file.clone(), Arc::new(AtomicUsize::new(0)));
    // Headers arrive one by one, every few milliseconds.
    let fetch: Fetch = Arc::new(move |_| {
        let (file, after) = (file.clone(), requested.fetch_add(2, Ordering::SeqCst) as u64);
        let load = move || {
            let file = file.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                Ok(file)
            }
            .boxed()
        };
        (SharedHeader::alone(load), true)
    });
    let stream = setup.start(&ALL, &fetch);
    let mut polls = 0;
    let mut next = pin!(stream.next_batch());
    let counted = std::future::poll_fn(|context| {
        polls += 1;
        next.as_mut().poll(context)
    });
    let batch = setup.session.block_on(counted).unwrap().unwrap().unwrap();
    assert_eq!(ids(&batch).len(), 50);
    // Wake-ups for the batch, for its headers, and in between.
    assert!(polls <= 4, "{polls} polls for 50 headers");
}

#[test]
fn fetches_run_across_batches_up_to_the_limit() {
    let options = EnrichOptions { max_concurrent: 50, batch_size: 10, ..two_bands() };
    let setup = setup(&hrefs(500, 500), options).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::from_millis(20));
    let batches = drain(&setup.start(&ALL, &fetch)).unwrap();
    assert_eq!((batches.len(), fetches.total()), (50, 500));
    // Five times the rows of a batch: batches are fetched concurrently.
    assert_eq!(fetches.most.load(Ordering::SeqCst), 50);
}

#[test]
fn prefetching_is_bounded() {
    const ROWS: usize = 60_000;
    let options = EnrichOptions { batch_size: 1_000, ..two_bands() };
    let setup = setup(&hrefs(ROWS, ROWS), options).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::ZERO);
    let stream = setup.start(&ALL, &fetch);
    assert!(stream.next().unwrap().is_some());
    // Without a reader, fetching must stop long before the end.
    let mut before = usize::MAX;
    while before != fetches.total() {
        before = fetches.total();
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(stream.window.rows() <= 16 * 2_048, "{}", stream.window.rows());
    assert!((10_000..=16 * 2_048 + 1_000).contains(&before), "{before}");
    let rest: usize = drain_rest(&stream);
    assert_eq!(rest, ROWS - 1_000);
    assert_eq!(stream.window.rows(), 0);
}

fn drain_rest(stream: &EnrichStream) -> usize {
    std::iter::from_fn(|| stream.next().unwrap()).map(|batch| batch.source.num_rows()).sum()
}

#[test]
fn dropping_the_stream_ends_its_fetches() {
    let options = EnrichOptions { max_concurrent: 10, ..two_bands() };
    let setup = setup(&hrefs(5_000, 5_000), options).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::from_millis(20));
    let stream = setup.start(&ALL, &fetch);
    assert!(stream.next().unwrap().is_some());
    drop((stream, fetch));
    // The closure and its futures are dropped, so no other fetch can start.
    let start = Instant::now();
    while Arc::strong_count(&fetches) > 1 {
        assert!(start.elapsed() < Duration::from_secs(5), "{} fetches are left", Arc::strong_count(&fetches) - 1);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!((100..500).contains(&fetches.total()), "{}", fetches.total());
}

#[test]
fn threads_share_a_stream() {
    let options = EnrichOptions { batch_size: 10, ..two_bands() };
    let setup = setup(&hrefs(1_000, 1_000), options).unwrap();
    let (fetch, _) = fetch(setup.file.clone(), Duration::from_millis(1));
    let stream = setup.start(&ALL, &fetch);
    let mut seen: Vec<(u64, i64)> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    std::iter::from_fn(|| stream.next().unwrap())
                        .map(|batch| (batch.index, ids(&batch)[0]))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    seen.sort_unstable();
    assert_eq!(seen, (0..100).map(|batch| (batch, batch as i64 * 10)).collect::<Vec<_>>());
}

#[test]
fn errors_contain_band_and_cause() {
    let hrefs = [Some("https://h/a.tif".to_owned()), None, Some("https://h/missing.tif".to_owned())];
    let options = EnrichOptions { band_index: vec![("one".to_owned(), 0), ("far".to_owned(), 99)], ..two_bands() };
    let setup = setup(&hrefs, options).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::ZERO);
    let batch = drain(&setup.start(&ALL, &fetch)).unwrap().remove(0);
    let errors: Vec<_> = batch.errors.iter().map(|error| error.as_deref().unwrap()).collect();
    assert!(errors[0].starts_with("far: https://h/a.tif: ") && errors[0].contains("99"), "{}", errors[0]);
    assert_eq!(errors[1], "one: no href; far: no href");
    assert_eq!(errors[2], "one: https://h/missing.tif: not found; far: https://h/missing.tif: not found");
    let present: Vec<Vec<bool>> =
        batch.metadata.iter().map(|files| files.iter().map(Option::is_some).collect()).collect();
    assert_eq!(present, [[true, false, false], [false, false, false]]);
    assert_eq!(fetches.of("https://h/missing.tif"), 1);
}

#[test]
fn failures_are_not_retried() {
    let hrefs: Vec<_> =
        (0..300).map(|row| Some(if row == 0 { "s3://b/a".to_owned() } else { "s3://b/missing".to_owned() })).collect();
    let options = EnrichOptions { batch_size: 1, max_concurrent: 1, ..two_bands() };
    let setup = setup(&hrefs, options).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::ZERO);
    let stream = setup.start(&ALL, &fetch);
    assert_eq!(drain(&stream).unwrap().len(), 300);
    assert_eq!(fetches.of("s3://b/missing"), 1);
}

#[test]
fn errors_of_on_error_fail_contain_the_record() {
    let hrefs: Vec<_> =
        (0..250).map(|row| Some(format!("https://h/{}.tif", if row == 170 { "missing" } else { "a" }))).collect();
    let options = EnrichOptions { on_error: OnError::Fail, ..two_bands() };
    let setup = setup(&hrefs, options).unwrap();
    let (fetch, _) = fetch(setup.file.clone(), Duration::ZERO);
    // The query fails for any projection.
    let stream = setup.start(&[Column::Source(0)], &fetch);
    assert_eq!(stream.next().unwrap().unwrap().source.num_rows(), 100);
    let error = stream.next().unwrap_err().to_string();
    assert_eq!(error, "record 170, one: https://h/missing.tif: not found");
}

#[test]
fn the_query_fails_if_all_files_fail() {
    let failing = |hrefs: &[Option<String>]| {
        let setup = setup(hrefs, two_bands()).unwrap();
        let (fetch, _) = fetch(setup.file.clone(), Duration::ZERO);
        drain(&setup.start(&ALL, &fetch)).map(|batches| batches.len())
    };
    let missing = |row: usize| Some(format!("https://h/missing/{row}.tif"));
    let error = failing(&(0..150).map(missing).collect::<Vec<_>>()).unwrap_err().to_string();
    assert_eq!(
        error,
        "all 300 assets failed: record 0, one: https://h/missing/0.tif: not found; record 0, two: \
         https://h/missing/0.tif: not found; record 1, one: https://h/missing/1.tif: not found"
    );
    // One readable file is sufficient, and records without hrefs are not failures.
    let mut one = (0..150).map(missing).collect::<Vec<_>>();
    one[149] = Some("https://h/a.tif".to_owned());
    assert_eq!(failing(&one).unwrap(), 2);
    assert_eq!(failing(&[None, None]).unwrap(), 1);
    assert_eq!(failing(&[]).unwrap(), 0);
}

#[test]
fn only_projected_headers_are_fetched() {
    let setup = setup(&hrefs(10, 10), two_bands()).unwrap();
    let (fetch, fetches) = fetch(setup.file.clone(), Duration::ZERO);
    let batch = drain(&setup.start(&[Column::Source(0)], &fetch)).unwrap().remove(0);
    assert_eq!((batch.source.num_columns(), batch.metadata.len(), fetches.total()), (1, 0, 0));
    let batch = drain(&setup.start(&[], &fetch)).unwrap().remove(0);
    assert_eq!((batch.source.num_columns(), batch.source.num_rows(), fetches.total()), (0, 10, 0));
    let batch = drain(&setup.start(&[Column::Metadata(1)], &fetch)).unwrap().remove(0);
    assert_eq!((batch.metadata.len(), fetches.total()), (1, 10));
    assert_eq!(batch.metadata[0][3].as_ref().unwrap().header.band_index, Some(1));
}

#[test]
fn invalid_arguments() {
    let wrong = |options: EnrichOptions| setup(&hrefs(3, 3), options).map(|_| ()).unwrap_err().to_string();
    let base = two_bands;
    assert_eq!(
        wrong(EnrichOptions { href_column: Some("url".to_owned()), ..base() }),
        "href_column: no column 'url'; columns: id, href"
    );
    assert_eq!(
        wrong(EnrichOptions { href_column: Some("id".to_owned()), ..base() }),
        "href_column 'id': expected VARCHAR, found Int64"
    );
    assert_eq!(
        wrong(EnrichOptions { href_column: None, ..base() }),
        "assets_column: no column 'assets'; columns: id, href"
    );
    assert_eq!(
        wrong(EnrichOptions { bands: Some(vec!["one".to_owned()]), ..base() }),
        "band_index: no band 'two'; bands: one"
    );
    assert_eq!(
        wrong(EnrichOptions { band_index: Vec::new(), ..base() }),
        "bands: expected names of bands, or keys in band_index, with href_column"
    );
    assert_eq!(
        wrong(EnrichOptions { bands: Some(vec!["one".to_owned(), "two".to_owned(), "three".to_owned()]), ..base() }),
        "band_index: expected a position for every band with href_column, found none for 'three'"
    );
    assert_eq!(
        wrong(EnrichOptions { bands: Some(Vec::new()), ..base() }),
        "bands: expected at least one band, found an empty list (NULL means every GeoTIFF)"
    );
    assert_eq!(
        wrong(EnrichOptions { bands: Some(vec!["a".to_owned(), "A".to_owned()]), band_index: Vec::new(), ..base() }),
        "bands: 'A' is given twice (names are case-insensitive)"
    );
    assert_eq!(wrong(EnrichOptions { max_concurrent: 0, ..base() }), "max_concurrent: expected at least 1, found 0");
    assert_eq!(wrong(EnrichOptions { batch_size: 0, ..base() }), "batch_size: expected at least 1, found 0");
    assert_eq!("stop".parse::<OnError>().unwrap_err().to_string(), "on_error: expected 'null' or 'fail', found 'stop'");
}
