//! Axis-aligned bounding boxes in world coordinates.

/// An axis-aligned bounding box. x is easting or longitude, regardless of the axis order of the CRS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    /// Minimum x.
    pub xmin: f64,
    /// Minimum y.
    pub ymin: f64,
    /// Maximum x.
    pub xmax: f64,
    /// Maximum y.
    pub ymax: f64,
}

impl BBox {
    /// An empty box, the identity for [`extend`](Self::extend).
    pub(crate) const EMPTY: Self =
        Self { xmin: f64::INFINITY, ymin: f64::INFINITY, xmax: f64::NEG_INFINITY, ymax: f64::NEG_INFINITY };

    /// Extends the box to contain a point. NaN is ignored.
    pub(crate) fn extend(&mut self, x: f64, y: f64) {
        // Faster than `f64::min`, which handles NaN.
        self.xmin = if x < self.xmin { x } else { self.xmin };
        self.ymin = if y < self.ymin { y } else { self.ymin };
        self.xmax = if x > self.xmax { x } else { self.xmax };
        self.ymax = if y > self.ymax { y } else { self.ymax };
    }

    /// The box; None if it is empty.
    pub(crate) fn unless_empty(self) -> Option<Self> {
        (self.xmin <= self.xmax && self.ymin <= self.ymax).then_some(self)
    }
}
