//! Projection of geometries from their CRS to the pixels of a raster.
//!
//! Tiles, windows, zones and values all use the same rule: **a polygon covers the pixel coordinates whose location is in
//! it,** a line those whose location is on it, and a point is in the one pixel that contains it ([`points`]). The location of a pixel coordinate is the point of the geometry's CRS that it maps to and that maps
//! back to it; there is one or none. Longitudes that differ by 360 degrees are the same location, whichever range the
//! geometry or the raster uses, and polygons wider than one turn cover a location once. Edges are straight in the
//! geometry's CRS: one from 179 to -179 goes around the world. Parts outside the domain of the projection are in no
//! raster.
//!
//! The rule is implemented by three methods; the first applicable one is used:
//!
//! ```text
//! 1. the projection is smooth     geometry ── turns ── clip to the box around ── densify + project ── pixels
//!    around the raster                                  the raster                a quarter of a pixel
//! 2. it is smooth over the box    geometry ── densify + project, each vertex checked ── turns ── pixels
//!    around the geometry
//! 3. always                       cells of the raster ── clip to the location of each ── affine of the cell ── pixels
//! ```
//!
//! The third is for polygons. Lines are projected forward as in the second, and cut at discontinuities ([`lines`]).
//!
//! A mapping is smooth if it has no jump, fold or hole on a grid of samples ([`smooth`]). The first method
//! applies to scenes, the second to fields on polar or global rasters, and the third to geometries that touch a pole, the
//! edge or a cut of a map, or that span 360 degrees or more ([`pullback`]). A geometry that crosses a discontinuity in the
//! first or second method is projected by the third.
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
pub use projector::{GeometryProjector, check_degrees};
