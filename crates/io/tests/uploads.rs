//! COGs that are written to object stores: in parts, complete or not at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use rasteret_cog::tiff::{Compression, DataType};
use rasteret_cog::write::CogOptions;
use rasteret_io::write::{CogDescription, CogWriter, PixelWindow};
use rasteret_io::{AccessPolicy, AllowedFiles, Session};
use support::{Scratch, session};

/// Columns and rows: 16 MiB of pixels, and 5 MiB of overviews.
const SIDE: u32 = 4096;

/// The step of an upload that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Nothing,
    Begin,
    Part(usize),
    Complete,
}

/// A store that notes the steps of uploads, and fails at one of them.
#[derive(Debug)]
struct Store {
    inner: InMemory,
    fails: Fails,
    log: Arc<Mutex<Vec<String>>>,
    /// Interrupts the query with the second part, which does not end.
    interrupt: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    fails: Fails,
    log: Arc<Mutex<Vec<String>>>,
    interrupt: Option<Arc<AtomicBool>>,
    parts: usize,
}

fn refused() -> object_store::Error {
    object_store::Error::Generic { store: "test", source: "refused".into() }
}

impl Store {
    fn new(fails: Fails, interrupt: Option<Arc<AtomicBool>>) -> Arc<Self> {
        Arc::new(Self { inner: InMemory::new(), fails, log: Arc::default(), interrupt })
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Store {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.log.lock().unwrap().push(format!("begin {at}"));
        if self.fails == Fails::Begin {
            return Err(refused());
        }
        let inner = self.inner.put_multipart_opts(at, options).await?;
        let (fails, log, interrupt) = (self.fails, Arc::clone(&self.log), self.interrupt.clone());
        Ok(Box::new(Upload { inner, fails, log, interrupt, parts: 0 }))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.log.lock().unwrap().push(format!("part {} of {}", self.parts, data.content_length()));
        let (number, part) = (self.parts, self.inner.put_part(data));
        self.parts += 1;
        if self.fails == Fails::Part(number) {
            return Box::pin(async { Err(refused()) });
        }
        match self.interrupt.clone().filter(|_| number == 1) {
            None => part,
            Some(interrupt) => Box::pin(async move {
                interrupt.store(true, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(600)).await;
                part.await
            }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.log.lock().unwrap().push("complete".to_owned());
        if self.fails == Fails::Complete {
            return Err(refused());
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.log.lock().unwrap().push("abort".to_owned());
        self.inner.abort().await
    }
}

/// A pixel by its place.
fn pixel(number: usize) -> u8 {
    (number.wrapping_mul(2_654_435_761) >> 16).to_le_bytes()[0]
}

fn writer(session: &Session, href: &str, folder: &std::path::Path) -> rasteret_io::Result<CogWriter> {
    let options = CogOptions { compression: Compression::None, ..CogOptions::default() };
    session.write_cog(href, options, CogDescription::default(), Some(folder))
}

/// Writes a raster to `s3://bucket/dir/a.tif`.
fn write(session: &Session, folder: &std::path::Path) -> rasteret_io::Result<u64> {
    let pixels = (SIDE * SIDE) as usize;
    let data: Vec<u8> = (0..pixels).map(pixel).collect();
    let window = PixelWindow {
        width: SIDE,
        height: SIDE,
        col_off: 0,
        row_off: 0,
        bands: 1,
        dtype: DataType::Uint8,
        transform: None,
        crs: None,
        nodata: None,
        data: &data,
        mask: &vec![255; pixels],
    };
    let mut writer = writer(session, "s3://bucket/dir/a.tif", folder)?;
    writer.push(&window)?;
    Ok(writer.finish()?.bytes)
}

/// The object, if it is there.
fn object(store: &Store) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let got = store.inner.get(&Path::from("dir/a.tif")).await.ok()?;
        Some(got.bytes().await.unwrap().to_vec())
    })
}

#[test]
fn an_object_is_the_same_file_in_parts() {
    let scratch = Scratch::new("upload");
    let folder = scratch.path("");
    let (session, store) = (session(&[]), Store::new(Fails::Nothing, None));
    session.serve_bucket("bucket", store.clone());
    // The folder may not exist yet: the one above it has the files.
    let length = write(&session, &scratch.path("none/yet")).unwrap();
    let found = object(&store).unwrap();
    assert_eq!(found.len() as u64, length);
    let parts = length.div_ceil(8 << 20);
    let last = length - (parts - 1) * (8 << 20);
    assert_eq!(parts, 3);
    let expected =
        ["begin dir/a.tif", "part 0 of 8388608", "part 1 of 8388608", &format!("part 2 of {last}"), "complete"];
    assert_eq!(store.log(), expected);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "files left over");
    // The same bytes as of a local file.
    let path = scratch.path("a.tif");
    let mut local = writer(&session, path.to_str().unwrap(), &folder).unwrap();
    let pixels: Vec<u8> = (0..256).map(pixel).collect();
    let window = PixelWindow {
        width: 16,
        height: 16,
        col_off: 0,
        row_off: 0,
        bands: 1,
        dtype: DataType::Uint8,
        transform: None,
        crs: None,
        nodata: None,
        data: &pixels,
        mask: &[255; 256],
    };
    local.push(&window).unwrap();
    local.finish().unwrap();
    let width = || session.headers(&["s3://bucket/dir/a.tif"])[0].as_ref().unwrap().header.image.image_width;
    assert_eq!(width(), SIDE);
    let mut remote = writer(&session, "s3://bucket/dir/a.tif", &folder).unwrap();
    remote.push(&window).unwrap();
    remote.finish().unwrap();
    assert_eq!(width(), 16, "the cached header is that of the file before");
    assert_eq!(object(&store).unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn a_failed_upload_is_aborted_and_leaves_the_object_as_it_was() {
    let scratch = Scratch::new("upload-fails");
    for fails in [Fails::Begin, Fails::Part(0), Fails::Part(2), Fails::Complete] {
        let (session, store) = (session(&[]), Store::new(fails, None));
        session.serve_bucket("bucket", store.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.inner.put(&Path::from("dir/a.tif"), "before".into())).unwrap();
        let error = write(&session, &scratch.path("")).unwrap_err().to_string();
        assert_eq!(error, "s3://bucket/dir/a.tif: no usable response from test", "{fails:?}");
        assert_eq!(object(&store).unwrap(), b"before", "{fails:?}");
        let log = store.log();
        assert_eq!(log.iter().any(|step| step == "abort"), fails != Fails::Begin, "{fails:?}: {log:?}");
        assert_eq!(log.iter().any(|step| step == "complete"), fails == Fails::Complete, "{fails:?}: {log:?}");
        assert_eq!(std::fs::read_dir(scratch.path("")).map_or(0, Iterator::count), 0, "files left over");
    }
}

#[test]
fn an_interrupted_upload_is_aborted() {
    let scratch = Scratch::new("upload-interrupted");
    let interrupt = Arc::new(AtomicBool::new(false));
    let store = Store::new(Fails::Nothing, Some(Arc::clone(&interrupt)));
    let session = session(&[]).interruptible(Some(Arc::new(move || interrupt.load(Ordering::SeqCst))));
    session.serve_bucket("bucket", store.clone());
    let start = std::time::Instant::now();
    let error = write(&session, &scratch.path("")).unwrap_err();
    assert!(matches!(error, rasteret_io::Error::Interrupted), "{error}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(store.log().last().unwrap(), "abort");
    assert_eq!(object(&store), None);
}

#[test]
fn targets_must_be_allowed_and_have_a_folder_for_temporary_files() {
    let scratch = Scratch::new("upload-access");
    let folder = scratch.path("");
    let (session, store) = (session(&[]), Store::new(Fails::Nothing, None));
    session.serve_bucket("bucket", store.clone());
    let allowed = AllowedFiles { directories: vec!["s3://other/".to_owned()], paths: Vec::new() };
    let locked = session.for_query(&AccessPolicy { allowed: Some(allowed), disabled: Vec::new() });
    let error = writer(&locked, "s3://bucket/dir/a.tif", &folder).unwrap_err().to_string();
    assert!(error.contains("file system operations are disabled by configuration"), "{error}");
    let error = session.write_cog("s3://bucket/a.tif", CogOptions::default(), CogDescription::default(), None);
    assert!(error.unwrap_err().to_string().contains("expected a temp_directory"));
    let error = writer(&session, "https://example.org/a.tif", &folder).unwrap_err().to_string();
    assert!(error.contains("expected a local path or an object such as s3://bucket/file.tif"), "{error}");
    assert_eq!(store.log(), Vec::<String>::new());
}
