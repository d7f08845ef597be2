//! Bounds of a geometry with an error bar.

use crate::geo::BBox;

/// Bounds of a geometry in pixels, known to within an error: the geometry lies inside `outer` and touches or crosses
/// all sides of `inner`. If the error is large, `inner` may be inverted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    /// Contains the geometry.
    pub(crate) outer: BBox,
    /// The geometry extends at least to all sides.
    pub(crate) inner: BBox,
}
