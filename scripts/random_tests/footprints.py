"""`cog_footprint` of a grid: valid, around the image and nothing else, and met by every tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from .grids import TILE, Grid
from .oracle import SAMPLES, Oracle, dilate
from .projections import GEOGRAPHIC
from .session import Session, literal

# The reference: sides are followed to a quarter of a pixel. Half of one, because the sides are curves on both ways.
TOLERANCE = 0.5


def check(session: Session, path: Path, grid: Grid) -> None:
    """The footprint in longitudes and latitudes."""
    session.cases += 1
    metadata = f"cog_metadata({literal(path)})"
    sql = f"SELECT ST_AsWKB(cog_footprint({metadata}))"

    def describe(expected: object, found: object) -> str:
        return f"  {grid.recipe(path)}\n  {sql}\n  expected {expected}, found {found}"

    try:
        outline = shapely.from_wkb(bytes(session.rows(sql)[0][0]))
        tiles = session.rows(f"SELECT cog_tiles_for_geometry(m, cog_footprint(m)) FROM (SELECT {metadata} AS m)")[0][0]
    except Exception as error:
        session.fail("cog_footprint.error", error, describe("an outline", "none"))
        return
    text = shapely.to_wkt(outline)
    session.compare(
        "cog_footprint.valid",
        bool(outline.is_valid and outline.area > 0),
        lambda: describe("a valid polygon", f"{shapely.is_valid_reason(outline)}: {text}"),
    )
    west, south, east, north = outline.bounds
    within = west >= -180 and east <= 180 and south >= -90 and north <= 90
    session.compare(
        "cog_footprint.range", within, lambda: describe("longitudes within 180 and latitudes within 90", outline.bounds)
    )
    if not outline.is_valid:
        return
    _check_places(session, Oracle(grid, GEOGRAPHIC), outline, describe)
    found = {(tile["tile_col"], tile["tile_row"]) for tile in tiles}
    expected = _tiles_on_earth(grid)
    session.compare(
        "cog_footprint.tiles", expected <= found, lambda: describe(f"tiles {sorted(expected)}", sorted(found))
    )


def _tiles_on_earth(grid: Grid) -> set[tuple[int, int]]:
    """Tiles with pixels that have a place on Earth."""
    oracle = Oracle(grid, GEOGRAPHIC)
    _, _, reached = oracle.places
    rows, cols = np.nonzero(oracle.per_pixel(reached) > 0.5)
    return set(zip((cols // TILE).tolist(), (rows // TILE).tolist()))


def _check_places(session: Session, oracle: Oracle, outline: shapely.Geometry, describe) -> None:
    """Places well inside the image are in the outline; places well outside are not, unless the image holds them elsewhere."""
    grid = oracle.grid
    x, y, reached = oracle.places
    cols, rows = oracle.lattice
    shapely.prepare(outline)
    found = oracle.inside(outline)
    in_image = (cols > 0) & (cols < grid.width) & (rows > 0) & (rows < grid.height) & reached
    held = in_image | (_held_elsewhere(oracle) & reached)
    border = held.copy()
    border[:] = False
    border[:, 1:] |= held[:, 1:] != held[:, :-1]
    border[1:] |= held[1:] != held[:-1]
    certain = ~dilate(border, TOLERANCE * SAMPLES + 1)
    missing = held & certain & ~found
    session.compare(
        "cog_footprint.inside",
        not missing.any(),
        lambda: describe(f"({x[missing][0]} {y[missing][0]}) inside", shapely.to_wkt(outline)),
    )
    extra = ~held & certain & reached & found
    session.compare(
        "cog_footprint.outside",
        not extra.any(),
        lambda: describe(f"({x[extra][0]} {y[extra][0]}) outside", shapely.to_wkt(outline)),
    )


def _held_elsewhere(oracle: Oracle) -> np.ndarray:
    """Lattice points outside an image in degrees that are in it after a turn."""
    grid = oracle.grid
    cols, rows = oracle.lattice
    found = np.zeros(cols.shape, bool)
    if not grid.in_degrees:
        return found
    for turn in (-2, -1, 1, 2):
        col, row = cols + turn * grid.pixels_per_turn[0], rows + turn * grid.pixels_per_turn[1]
        found |= (col > 0) & (col < grid.width) & (row > 0) & (row < grid.height)
    return found
