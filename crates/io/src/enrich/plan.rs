//! What an enrichment will give, known before the first header is fetched.

use std::sync::Arc;

use arrow_schema::SchemaRef;

use super::{EnrichOptions, EnrichStream};
use crate::source::ParquetSource;
use crate::{Result, Session};

/// A column of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// A column of the source, by its index in [`EnrichPlan::source_schema`].
    Source(usize),
    /// `{band}_metadata`, by the band's index in [`EnrichPlan::bands`].
    Metadata(usize),
    /// A column that the source lacks.
    Normalized(Normalized),
    /// `rasteret_error`.
    Error,
}

/// Columns that are computed where the source has none of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalized {
    /// `"proj:epsg"` INTEGER.
    Epsg,
    /// `crs` VARCHAR.
    Crs,
    /// `bbox` STRUCT(xmin, ymin, xmax, ymax DOUBLE).
    Bbox,
    /// `year` INTEGER.
    Year,
    /// `month` INTEGER.
    Month,
}

/// An enrichment whose arguments were checked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EnrichPlan {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: ParquetSource,
    bands: Vec<String>,
}

impl EnrichPlan {
    /// Checks the arguments and resolves bands and columns: reads the first file's footer and, where it needs to see
    /// assets, the first 10,000 of them. Blocks the calling thread.
    ///
    /// `source` are paths, globs or URLs of Parquet files; see [`Session::files`].
    pub fn new(session: &Session, source: &[&str], options: EnrichOptions) -> Result<Self> {
        let _ = options;
        let files = session.files(source)?;
        let source = session.block_on(ParquetSource::open(session, files))?;
        Ok(Self { inner: Arc::new(Inner { source, bands: Vec::new() }) })
    }

    /// The source's columns.
    pub fn source_schema(&self) -> &SchemaRef {
        self.inner.source.schema()
    }

    /// The bands, in the order of their metadata columns.
    pub fn bands(&self) -> &[String] {
        &self.inner.bands
    }

    /// All columns of the output, in order, with their names.
    pub fn columns(&self) -> Vec<(String, Column)> {
        Vec::new()
    }

    /// Starts reading and fetching for these columns. Blocks the calling thread for the first file's preparation only.
    pub fn start(&self, projection: &[Column]) -> Result<EnrichStream> {
        let _ = projection;
        EnrichStream::start()
    }
}
