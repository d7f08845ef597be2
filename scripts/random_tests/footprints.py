"""Checks `cog_footprint` of a grid: it is valid, contains exactly the image, and intersects every tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely

from .grids import TILE, Grid
from .oracle import SAMPLES, Oracle, dilate
from .projections import GEOGRAPHIC, turned_difference
from .session import Session, literal

# The documented tolerance of sides is a quarter of a pixel; doubled, because sides are curves in both directions.
TOLERANCE = 0.5

Describe = Callable[[object, object], str]


def check(session: Session, path: Path, grid: Grid) -> None:
    """Checks the footprint and the bounds in longitude and latitude."""
    oracle = Oracle(grid, GEOGRAPHIC)
    if not oracle.places[2].any():
        return
    session.cases += 1
    metadata = f"cog_metadata({literal(path)})"
    sql = f"SELECT ST_AsWKB(cog_footprint({metadata}))"

    def describe(expected: object, found: object) -> str:
        return f"  {grid.recipe(path)}\n  {sql}\n  expected {expected}, found {found}"

    try:
        outline = shapely.from_wkb(bytes(session.rows(sql)[0][0]))
        tiles, box = session.rows(
            f"SELECT cog_tiles_for_geometry(m, cog_footprint(m)), cog_bounds(m, 'OGC:CRS84') FROM (SELECT {metadata} AS m)"
        )[0]
    except Exception as error:
        session.fail("cog_footprint.error", error, describe("an outline", "none"))
        return
    reason = shapely.is_valid_reason(outline)
    is_valid = bool(outline.is_valid and outline.area > 0)
    session.compare("cog_footprint.valid", is_valid, lambda: describe("a valid polygon", f"{reason}: {outline}"))
    west, south, east, north = outline.bounds
    within = west >= -180 and east <= 180 and south >= -90 and north <= 90
    session.compare("cog_footprint.range", within, lambda: describe("within 180 and 90 degrees", outline.bounds))
    _check_bounds(session, oracle, box, describe)
    if not is_valid:
        return
    _check_places(session, oracle, outline, describe)
    found = {(tile["tile_col"], tile["tile_row"]) for tile in tiles}
    rows, cols = np.nonzero(oracle.per_pixel(oracle.places[2]) > 0.5)
    expected = set(zip((cols // TILE).tolist(), (rows // TILE).tolist()))
    session.compare("cog_footprint.tiles", expected <= found, lambda: describe(f"tiles {expected}", found))


def in_image(oracle: Oracle, turns: range) -> np.ndarray:
    """Returns the lattice points inside of the image, at any of the given multiples of 360 degrees."""
    grid = oracle.grid
    cols, rows = oracle.lattice
    found = np.zeros(cols.shape, bool)
    for turn in turns if grid.in_degrees else [0]:
        col, row = cols + turn * grid.pixels_per_turn[0], rows + turn * grid.pixels_per_turn[1]
        found |= (col > 0) & (col < grid.width) & (row > 0) & (row < grid.height)
    return found & oracle.places[2]


def _check_bounds(session: Session, oracle: Oracle, box: dict[str, float], describe: Describe) -> None:
    """Checks that the bounds contain all points of the image, and are not higher than its latitudes."""
    x, y, _ = oracle.places
    held = in_image(oracle, range(1))
    if not held.any():
        return
    x, y = turned_difference(x[held], np.array(0.0)), y[held]
    # For the distance of lattice points from the sides, and the curvature of the sides.
    latitudes = oracle.places[1]
    down, across = np.abs(np.diff(latitudes, axis=0))[held[1:]], np.abs(np.diff(latitudes, axis=1))[held[:, 1:]]
    room = TOLERANCE * max(down.max(initial=0) * SAMPLES, across.max(initial=0) * SAMPLES, 1e-9)
    inside = (y >= box["ymin"] - room) & (y <= box["ymax"] + room)
    east_of, west_of = x >= box["xmin"] - room, x <= box["xmax"] + room
    inside &= east_of & west_of if box["xmin"] <= box["xmax"] else east_of | west_of
    session.compare(
        "cog_bounds.inside",
        bool(inside.all()),
        lambda: describe(f"({x[~inside][0]} {y[~inside][0]}) in the bounds", box),
    )
    ordered = -180 <= box["xmin"] <= 180 and -180 <= box["xmax"] <= 180 and -90 <= box["ymin"] <= box["ymax"] <= 90
    session.compare("cog_bounds.range", ordered, lambda: describe("degrees within 180 and 90", box))


def _check_places(session: Session, oracle: Oracle, outline: shapely.Geometry, describe: Describe) -> None:
    """Points clearly inside of the image must be in the outline; points clearly outside must not, unless they are elsewhere in the image."""
    x, y, reached = oracle.places
    found = oracle.inside(outline)
    held = in_image(oracle, range(-2, 3))
    border = np.zeros(held.shape, bool)
    border[:, 1:] |= held[:, 1:] != held[:, :-1]
    border[1:] |= held[1:] != held[:-1]
    certain = ~dilate(border, TOLERANCE * SAMPLES + 1)
    # An outline around a pole ends at 180 degrees, so points there are on its sides.
    at_end = np.abs(np.abs(x) - 180) < 1e-9
    missing, extra = held & certain & ~found & ~at_end, ~held & certain & reached & found
    for name, wrong in (("inside", missing), ("outside", extra)):
        session.compare(
            f"cog_footprint.{name}",
            not wrong.any(),
            lambda name=name, wrong=wrong: describe(f"({x[wrong][0]} {y[wrong][0]}) {name}", outline),
        )
