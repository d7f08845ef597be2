//! Geometry arguments: parsed from WKB, WKT, GeoJSON and boxes, and validated.
//!
//! ```text
//! WKB, EWKB, ISO WKB, hex ─┐                         ┌ points    each
//! WKT, EWKT               ─┼─ Collector ─ validity ──┤ lines     of at least two vertices
//! GeoJSON                 ─┘                 boxes ──┘ polygons  of closed, simple rings, holes inside
//! ```
//!
//! Collections are flattened, because a collection covers the pixels that its parts cover. Parts may overlap. Z and M
//! are ignored, and empty parts are dropped.
//!
//! Curves, NaN and infinite coordinates, unclosed rings, and rings that cross themselves or one another are errors,
//! because the area would be ambiguous. Errors name the part, the ring and the vertex, counted from 0.
//!
//! Untrusted input: any bytes yield a geometry or an error; nesting, vertices and allocations are bounded.

mod collector;
mod corners;
mod flat;
mod geojson;
mod hex;
mod read;
mod validity;

pub use corners::Corners;
pub use flat::Geometry;
pub(crate) use flat::{bbox, invalid, rings};
pub use read::{EncodedGeometry, ParsedGeometry};
pub(crate) use validity::are_valid;
