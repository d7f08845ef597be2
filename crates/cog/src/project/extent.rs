//! Where a geometry lies, known to within an error.

use crate::geo::BBox;

/// What is known of where a geometry lies, in pixels: on each side no further than `outer`, and at least as far as `inner`. Where
/// little is known, sides of `inner` may have changed places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    /// A box around the geometry.
    pub(crate) outer: BBox,
    /// A box that the geometry reaches all sides of, or beyond.
    pub(crate) inner: BBox,
}
