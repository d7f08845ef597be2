//! The members of an asset, from columns or JSON.

use arrow_array::StructArray;
use serde_json::Value;

use crate::parquet::to_json;

/// The members of an asset in a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Members<'a> {
    None,
    Row(&'a StructArray, usize),
    Json(&'a Value),
}

impl Members<'_> {
    /// A member as JSON.
    pub(crate) fn get(self, name: &str) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Row(asset, row) => to_json(asset.column_by_name(name)?, row).ok()?,
            Self::Json(asset) => asset.get(name).cloned(),
        }
    }
}
