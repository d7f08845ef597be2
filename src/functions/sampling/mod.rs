//! Functions that partition records: grid cells and splits.

mod major_tom_cell;
mod rasteret_split;

pub(super) use major_tom_cell::MajorTomCellFunction;
pub(super) use rasteret_split::RasteretSplit;
