//! A cache of the colour tables of palette images.

use std::sync::Arc;

use rasteret_cog::Color;

use crate::ObjectVersion;
use crate::runtime::byte_cache::ByteCache;

/// A version of a file.
pub(super) type Key = (String, ObjectVersion);

/// The colours of values.
pub(super) type ColorTable = Arc<Vec<Color>>;

/// Colour tables of a session.
pub(super) type ColorTables = ByteCache<Key, ColorTable>;

/// Bytes of the tables that are kept: two thousand of 256 colours.
const MAX_BYTES: u64 = 4 << 20;

/// A table of 256 colours.
const USUAL_BYTES: u64 = 2048;

/// An empty cache.
pub(super) fn color_tables() -> ColorTables {
    ByteCache::new(MAX_BYTES, USUAL_BYTES, |key, table| {
        (size_of::<Key>() + key.0.len() + size_of_val(table.as_slice())) as u64
    })
}
