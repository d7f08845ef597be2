//! Batches with their headers, in the source's order.

use arrow_array::{ArrayRef, RecordBatch};

use crate::{CogFile, Error, Result};

/// A running enrichment. Dropping it ends its fetches.
#[derive(Debug)]
pub struct EnrichStream {}

/// Some consecutive records of the source and what was learned of them. Each vector has the projection's columns of its
/// kind, in the projection's order.
#[derive(Debug)]
pub struct EnrichedBatch {
    /// Position in the source's order, counted from 0.
    pub index: u64,
    /// The source's columns; its `num_rows` is the batch's, even without columns.
    pub source: RecordBatch,
    /// For each metadata column, each row's header, narrowed to its band; None where there is none.
    pub metadata: Vec<Vec<Option<CogFile>>>,
    /// For each computed column, its values: Int32, Utf8, or Struct of four Float64.
    pub normalized: Vec<ArrayRef>,
    /// What failed, of each row; empty unless the projection holds [`super::Column::Error`].
    pub errors: Vec<Option<String>>,
}

impl EnrichStream {
    pub(super) fn start() -> Result<Self> {
        Err(Error::InvalidArgument { what: "rasteret_enrich is being built".to_owned() })
    }

    /// The next batch, at most 2,048 rows; None after the last. May be called from several threads at once: each batch is
    /// given to one of them, [`EnrichedBatch::index`] tells the order. Blocks the calling thread.
    pub fn next(&self) -> Result<Option<EnrichedBatch>> {
        Ok(None)
    }
}
