//! Exact selection of the tiles that a geometry intersects.
//!
//! [`Tiling::cover`](crate::Tiling::cover) works in pixel coordinates; [`TilePlan`] projects geometries of any CRS
//! first.

mod cover;
mod plan;
mod walk;

pub use plan::TilePlan;
