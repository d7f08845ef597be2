//! The columns of an enrichment, resolved before the first header is fetched.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;

use super::columns::Column;
use super::fetch::{self, Fetch};
use super::layout::Layout;
use super::resolve::{ERROR, ResolvedPlan, metadata_name, resolve};
use super::{EnrichOptions, EnrichStream};
use crate::headers::{Headers, SharedHeader};
use crate::parquet::{ParquetSource, SourceOptions};
use crate::{Location, Result};

/// An enrichment with validated arguments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EnrichPlan {
    headers: Headers,
    inner: Arc<ResolvedPlan>,
}

impl EnrichPlan {
    /// Checks the arguments and resolves bands and columns: reads the first file's footer and, where it needs to see
    /// assets, the first 10,000 of them. Blocks the calling thread.
    ///
    /// `source` are paths, globs or URLs of Parquet files; see [`Stores::files`](crate::Stores::files).
    pub fn new(headers: &Headers, source: &[&str], options: EnrichOptions) -> Result<Self> {
        let files = headers.files(source)?;
        let inner = headers.block_on(async {
            let how = SourceOptions { canonical_geometry: options.geometry, hive: options.hive };
            resolve(ParquetSource::open_with(headers, files, how).await?, options).await
        })??;
        Ok(Self { headers: headers.clone(), inner: Arc::new(inner) })
    }

    /// Whether the query may show how far it is.
    pub fn shows_progress(&self) -> bool {
        self.headers.shows_progress()
    }

    /// The source's columns.
    pub fn source_schema(&self) -> &SchemaRef {
        self.inner.source.schema()
    }

    /// The bands, in the order of their metadata columns.
    pub fn bands(&self) -> &[String] {
        &self.inner.names
    }

    /// All columns of the output, in order, with their names.
    pub fn columns(&self) -> Vec<(String, Column)> {
        let source = self.source_schema().fields().iter().enumerate();
        let source = source.map(|(index, field)| (field.name().clone(), Column::Source(index)));
        let bands = self.inner.names.iter().enumerate();
        let bands = bands.map(|(index, band)| (metadata_name(band), Column::Metadata(index)));
        let missing = self.inner.normalizer.missing().iter().filter(|_| self.inner.normalize);
        let missing = missing.map(|column| (column.name().to_owned(), Column::Normalized(*column)));
        source.chain(bands).chain(missing).chain([(ERROR.to_owned(), Column::Error)]).collect()
    }

    /// Starts reading and fetching for these columns, which are some of [`Self::columns`].
    pub fn start(&self, projection: &[Column]) -> Result<EnrichStream> {
        let headers = self.headers.clone();
        let locations = Locations::default();
        let fetch: Fetch = Arc::new(move |href| match locations.parse(&headers, href) {
            Ok(location) => headers.shared_header(&location),
            Err(error) => (SharedHeader::ready(Err(error)), false),
        });
        self.headers.block_on(async { start(&self.headers, Arc::clone(&self.inner), projection, fetch) })?
    }
}

/// Must be called in the runtime.
pub(super) fn start(
    headers: &Headers,
    inner: Arc<ResolvedPlan>,
    projection: &[Column],
    fetch: Fetch,
) -> Result<EnrichStream> {
    let (rows, max_concurrent) = (inner.rows, inner.max_concurrent);
    let (layout, wanted) = Layout::new(inner, projection)?;
    let layout = Arc::new(layout);
    let batches = layout.inner.source.read(&wanted, rows)?;
    let fetching = fetch::start(batches, Arc::clone(&layout), fetch, max_concurrent);
    Ok(EnrichStream::new(headers.clone(), layout, fetching))
}

/// Number of cached hrefs: the number of rows in the window.
const LOCATIONS_KEPT: usize = 32_768;

/// The locations of recent hrefs: consecutive batches often have the same files, whose URLs are parsed once.
#[derive(Default)]
struct Locations(Mutex<HashMap<String, Location>>);

impl Locations {
    fn parse(&self, headers: &Headers, href: &str) -> Result<Location> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(location) = known.get(href) {
            return Ok(location.clone());
        }
        let location = headers.locate(href)?;
        if known.len() >= LOCATIONS_KEPT {
            known.clear();
        }
        known.insert(href.to_owned(), location.clone());
        Ok(location)
    }
}
