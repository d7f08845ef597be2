//! Axis-parallel boxes in world coordinates.

/// An axis-parallel box; x is easting or longitude, whatever the CRS's official axis order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    /// Smallest x.
    pub xmin: f64,
    /// Smallest y.
    pub ymin: f64,
    /// Largest x.
    pub xmax: f64,
    /// Largest y.
    pub ymax: f64,
}
