//! Adapter for `terrio-crs`, as a [`PointTransform`].

use std::sync::Once;

use terrio_crs::{SpatialRef, Transformer};

/// A transformation of points from one CRS to another.
pub(super) trait PointTransform: Send + Sync {
    /// Transforms a point; None if undefined.
    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)>;
}

/// Creates the transformation between two CRSs.
pub(super) fn transform(from: &SpatialRef, to: &SpatialRef) -> Result<Box<dyn PointTransform>, String> {
    quiet();
    let transformer = Transformer::new(from, to).map_err(|error| cause(&error))?;
    Ok(Box::new(transformer))
}

/// The error message of the engine, without its build instructions.
pub(super) fn cause(error: &terrio_crs::Error) -> String {
    let text = error.to_string();
    text.split(';').next().unwrap_or_default().to_owned()
}

/// Disables the search for grid files on this machine and in the network, so that results do not depend on either.
pub(super) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        terrio_crs::set_grid_search_paths(Some(Vec::new()));
        terrio_crs::set_network_enabled(Some(false));
    });
}

impl PointTransform for Transformer {
    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        self.transform(x, y).ok()
    }
}
