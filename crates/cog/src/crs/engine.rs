//! Adapter for `terrio-crs`, as a [`PointTransform`].

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use terrio_crs::host::{Host, set_host};
use terrio_crs::{SpatialRef, Transformer};

use super::fork::unforked;

/// A transformation of points from one CRS to another.
pub(super) trait PointTransform: Send + Sync {
    /// Transforms a point; None if undefined.
    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)>;
}

/// Creates the transformation between two CRSs.
pub(super) fn transform(from: &SpatialRef, to: &SpatialRef) -> Result<Box<dyn PointTransform>, String> {
    quiet();
    let transformer = Transformer::new(from, to).map_err(|error| cause(&error))?;
    Ok(Box::new(Engine { transformer, is_complete: AtomicBool::new(false) }))
}

/// A transformation of the engine, which looks up what it needs with the first point.
struct Engine {
    transformer: Transformer,
    /// Whether a point was transformed.
    is_complete: AtomicBool,
}

/// The error message of the engine, without its build instructions.
pub(super) fn cause(error: &terrio_crs::Error) -> String {
    let text = error.to_string();
    text.split(';').next().unwrap_or_default().to_owned()
}

/// Disables the search for grid files on this machine and in the network, so that results depend neither on them nor on the environment.
pub(super) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_host(Host {
            config: |_| None,
            spawn: |work| drop(std::thread::spawn(|| unforked(work))),
            before_lock: || {},
        });
        terrio_crs::set_grid_search_paths(Some(Vec::new()));
        terrio_crs::set_network_enabled(Some(false));
    });
}

impl PointTransform for Engine {
    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        if self.is_complete.load(Ordering::Relaxed) {
            return self.transformer.transform(x, y).ok();
        }
        let transformed = unforked(|| self.transformer.transform(x, y)).ok()?;
        self.is_complete.store(true, Ordering::Relaxed);
        Some(transformed)
    }
}
