//! Measures rows per second and peak memory of enrichment with a store in memory: the cost of the pipeline, with latency but
//! without a network.
//!
//! ```text
//! enrich make items.parquet 1000000                 writes records of two bands with distinct hrefs
//! enrich run items.parquet cog.tif [MILLISECONDS]   cog.tif is returned for every href, after this delay
//! ```

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rasteret_io::Session;
use rasteret_io::enrich::{Column, EnrichOptions, EnrichPlan};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

const USAGE: &str = "usage: enrich make ITEMS ROWS, or enrich run ITEMS COG [MILLISECONDS]";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["make", items, rows] => make(items, rows.parse()?),
        ["run", items, cog] => run(items, cog, 0),
        ["run", items, cog, milliseconds] => run(items, cog, milliseconds.parse()?),
        _ => Err(USAGE.into()),
    }
}

/// Rows per row group, as written by Python Rasteret.
const ROW_GROUP: usize = 50_000;

fn make(path: &str, rows: usize) -> Outcome {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(ROW_GROUP)).build();
    let first = records(0, 0)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, first.schema(), Some(properties))?;
    for start in (0..rows).step_by(ROW_GROUP) {
        writer.write(&records(start, ROW_GROUP.min(rows - start))?)?;
    }
    writer.close()?;
    Ok(())
}

fn records(start: usize, rows: usize) -> std::result::Result<RecordBatch, Box<dyn std::error::Error>> {
    let numbers = start..start + rows;
    let texts = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(numbers.clone().map(text)))
    };
    let asset = |band: &str| -> (Arc<Field>, ArrayRef) {
        let href = texts(&|row| format!("s3://scenes/{}/{row:08}/{band}.tif", row % 97));
        let media_type = texts(&|_| "image/tiff; application=geotiff; profile=cloud-optimized".to_owned());
        let title = texts(&|row| format!("{band} of scene {row}"));
        let fields = [("href", href), ("type", media_type), ("title", title)];
        let fields = fields.map(|(name, array)| (Arc::new(Field::new(name, DataType::Utf8, true)), array));
        let asset: ArrayRef = Arc::new(StructArray::from(fields.to_vec()));
        (Arc::new(Field::new(band, asset.data_type().clone(), true)), asset)
    };
    let geometry = BinaryArray::from_iter_values(numbers.clone().map(|row| {
        let mut wkb = vec![1, 1, 0, 0, 0];
        wkb.extend((row as f64).to_le_bytes());
        wkb.extend(1f64.to_le_bytes());
        wkb
    }));
    let times = numbers.clone().map(|row| i64::try_from(row).unwrap_or(0) * 60_000_000);
    let columns: [(&str, ArrayRef); 4] = [
        ("id", texts(&|row| format!("scene-{row:08}"))),
        ("datetime", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("geometry", Arc::new(geometry)),
        ("assets", Arc::new(StructArray::from(vec![asset("B04"), asset("B08")]))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn run(items: &str, cog: &str, milliseconds: u64) -> Outcome {
    let session = Session::from_env()?;
    let only = Path::from("cog.tif");
    let files = InMemory::new();
    session.block_on(files.put(&only, PutPayload::from(std::fs::read(cog)?)))??;
    let store =
        Arc::new(Same { files, only, delay: Duration::from_millis(milliseconds), requests: AtomicUsize::new(0) });
    session.serve_bucket("scenes", Arc::<Same>::clone(&store));
    let started = Instant::now();
    let plan = EnrichPlan::new(&session, &[items], EnrichOptions::default())?;
    let bound = started.elapsed();
    let columns: Vec<Column> = plan.columns().into_iter().map(|(_, column)| column).collect();
    let stream = plan.start(&columns)?;
    let (mut rows, mut headers, mut first) = (0, 0, None);
    while let Some(batch) = stream.next()? {
        first.get_or_insert_with(|| started.elapsed());
        rows += batch.source.num_rows();
        headers += batch.metadata.iter().flatten().flatten().count();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{rows} rows, {headers} headers, {} requests in {seconds:.2} s: {:.0} rows/s, {:.0} headers/s; bound after {:.0} ms, \
         first batch after {:.0} ms; {}",
        store.requests.load(Ordering::Relaxed),
        rows as f64 / seconds,
        headers as f64 / seconds,
        bound.as_secs_f64() * 1e3,
        first.unwrap_or_default().as_secs_f64() * 1e3,
        peak_memory(),
    );
    Ok(())
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "peak memory unknown".to_owned(), |peak| format!("peak memory {}", peak.trim()))
}

/// One object under every key.
#[derive(Debug)]
struct Same {
    files: InMemory,
    only: Path,
    delay: Duration,
    requests: AtomicUsize,
}

impl fmt::Display for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one object under every key")
    }
}

#[async_trait]
impl ObjectStore for Same {
    async fn get_opts(&self, _location: &Path, options: GetOptions) -> Result<GetResult> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.files.get_opts(&self.only, options).await
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.files.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}
