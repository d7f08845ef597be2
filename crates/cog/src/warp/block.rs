//! Blocks of the target.

use crate::grid::Window;

/// Side of the blocks in which a target is resampled.
pub(super) const BLOCK: u32 = 256;

/// A block of the target and the parts of the source that it needs.
#[derive(Debug)]
pub struct WarpBlock {
    /// Position in the target grid.
    pub window: Window,
    /// Windows of the source. Usually one; two on both sides of the antimeridian; none outside.
    pub sources: Vec<Window>,
}
