//! A raster as seen from the CRS of a geometry: geometries in, pixel coordinates out.
//!
//! One rule says which pixels a geometry covers, for tiles, windows, zones and values alike: **those whose own place lies in it.** The
//! place of a pixel coordinate is the point of the geometry's CRS that it leads to and that leads back to it; it has one or none.
//! In longitudes and latitudes a place is the same at all turns of 360 degrees, however the geometry or the raster counts them, and
//! the polygons of a geometry wider than one turn cover it once. Edges are straight in the geometry's CRS: one from 179 to -179 goes around
//! the world. What the projection does not reach is in no raster.
//!
//! The rule is followed in one of three ways, the first that holds:
//!
//! ```text
//! 1. the projection is smooth     geometry ── turns ── clip to the box around ── densify + project ── pixels
//!    around the raster                                  the raster                a quarter of a pixel
//! 2. it is smooth over the box    geometry ── densify + project, each vertex checked ── turns ── pixels
//!    around the geometry
//! 3. always                       pixels ── cells ── their places ── clip to each ── back into the cell by its affine
//! ```
//!
//! The third is for polygons; lines are followed forward as on the second, and cut where the projection is torn ([`lines`]).
//!
//! Smooth is what has no jump, fold or hole on a grid of samples ([`smooth`]). Scenes go the first way; fields on a polar or a global
//! raster the second; what meets a pole, the edge of a map or the cut of one, or turns once around the world or more, the third
//! ([`pullback`]). A geometry that turns out torn on the first or the second goes the third.
//!
//! Points have one pixel each ([`points`]), and so have the pixels of another raster ([`pixel_map`]).

mod cache;
mod cells;
mod clip;
mod cut;
mod densify;
mod domain;
mod extent;
mod footprint;
mod lines;
mod mapping;
mod outline;
mod parts;
mod pixel_map;
mod points;
mod polynomial;
mod projector;
mod pullback;
mod raster_crs;
mod smooth;

pub use cache::ProjectorCache;
pub(crate) use extent::Extent;
pub use footprint::Footprint;
pub use pixel_map::PixelMap;
pub use projector::GeometryProjector;
