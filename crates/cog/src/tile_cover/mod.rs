//! The tiles that a geometry meets, exactly.
//!
//! [`Tiling::cover`](crate::Tiling::cover) works in pixel coordinates; [`TilePlan`] takes geometries of any CRS to them first.

mod cover;
mod plan;
mod walk;

pub use plan::TilePlan;
