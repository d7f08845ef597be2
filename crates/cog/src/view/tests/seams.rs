//! Poles, cuts of maps, rasters beyond 180 degrees. Expected counts are of points in a grid of 16 x 16 in each pixel whose place, by
//! pyproj (PROJ 9.5), lies in the geometry.

use geo_types::Coord;

use super::{Raster, parsed};
use crate::coverage::{Coverage, Method};
use crate::crs::Transforms;
use crate::geo::GeoTransform;
use crate::view::View;
use crate::{ParsedGeometry, TileSpan, Tiling};

/// NSIDC's grids of 25 km.
const NORTH: Raster = Raster("EPSG:3413", 304, 448, -3_850_000.0, 5_850_000.0, 25_000.0);
const SOUTH: Raster = Raster("EPSG:3031", 316, 332, -3_950_000.0, 4_350_000.0, 25_000.0);
/// All of EASE-Grid 2.0.
const GLOBE: Raster = Raster("EPSG:6933", 694, 292, -17_367_530.0, 7_314_540.0, 50_000.0);
/// The pole is a kilometre above, on the left side, in the upper right corner.
const NEAR: Raster = Raster("EPSG:3413", 1800, 1800, -956_250.0, 1_801_000.0 - 1_802_000.0, 1000.0);
const SIDE: Raster = Raster("EPSG:3413", 36, 36, -1_800_000.0, 900_000.0, 50_000.0);
const CORNER: Raster = Raster("EPSG:3413", 36, 36, -1_800_000.0, 1_800_000.0, 50_000.0);
/// Longitudes from 190 to 290, from 0 to 360, and from -182.5 to 182.5.
const EAST: Raster = Raster("EPSG:4326", 100, 60, 190.0, 60.0, 1.0);
const GREENWICH: Raster = Raster("EPSG:4326", 72, 36, 0.0, 90.0, 5.0);
const WIDE: Raster = Raster("EPSG:4326", 73, 36, -182.5, 90.0, 5.0);
/// All of a hemisphere's map and more, and an oval in its box.
const LAEA: Raster = Raster("EPSG:6931", 36, 36, -9_000_000.0, 9_000_000.0, 500_000.0);
const OVAL: Raster = Raster("EPSG:8857", 80, 40, -18_000_000.0, 9_000_000.0, 450_000.0);
