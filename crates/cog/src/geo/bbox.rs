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

impl BBox {
    /// The box of no points at all, which every point extends.
    pub(crate) const EMPTY: Self =
        Self { xmin: f64::INFINITY, ymin: f64::INFINITY, xmax: f64::NEG_INFINITY, ymax: f64::NEG_INFINITY };

    /// Makes it hold a point as well; one that is no number changes nothing.
    pub(crate) fn extend(&mut self, x: f64, y: f64) {
        // Comparisons, where `f64::min` has the processor look for numbers that are none.
        self.xmin = if x < self.xmin { x } else { self.xmin };
        self.ymin = if y < self.ymin { y } else { self.ymin };
        self.xmax = if x > self.xmax { x } else { self.xmax };
        self.ymax = if y > self.ymax { y } else { self.ymax };
    }

    /// The box, unless it holds no points.
    pub(crate) fn unless_empty(self) -> Option<Self> {
        (self.xmin <= self.xmax && self.ymin <= self.ymax).then_some(self)
    }
}
