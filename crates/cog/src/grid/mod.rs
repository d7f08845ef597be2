//! Pixels and tiles of a level, as integers.
//!
//! | type | is |
//! |---|---|
//! | [`Tiling`] | an image and the size of its tiles |
//! | [`TileSpan`] | adjacent tiles in a row of tiles |
//! | [`TileLayout`], [`TileGrid`] | positions of tiles in the image, in the world and in the file |
//! | [`Window`] | a rectangle of pixels |
//! | [`Run`] | adjacent pixels in a row, with the same weight |
//! | [`MappedPixels`] | for each pixel of a window, the pixel of another raster |
//! | [`Coverage`] | the runs that a geometry covers |

mod coverage;
mod layout;
mod mapped_pixels;
mod run;
mod tile_grid;
mod tiling;
mod window;

pub use coverage::Coverage;
pub(crate) use coverage::{Runs, Spans};
pub use layout::{LevelShape, OPEN_END, Tile, TileAddress, TileLayout};
pub use mapped_pixels::MappedPixels;
pub(crate) use mapped_pixels::{MappedCols, MappedRun};
pub use run::Run;
pub use tile_grid::TileGrid;
pub use tiling::{TileSpan, Tiling};
pub use window::Window;
