"""Checks lines in any CRS: the tiles that they intersect, and their length in pixels, as weighted by `cog_zonal_stats`."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString

from .exact import same_crs
from .grids import TILE
from .oracle import TURNS, Oracle
from .projections import at_pole, in_degrees, is_on_map, transform
from .session import Session, literal

ATTEMPTS = 20
POINTS_PER_EDGE = 3000
# Longer steps are halved up to HALVINGS times: near a pole or for global lines, steps between 3,000 points span several pixels.
SHORT_STEP = 0.25
HALVINGS = 12
# Larger longitudes are documented to be an error.
MAX_LONGITUDE = 540
# The documented tolerance: edges follow the curve within a quarter of a pixel.
CURVE_TOLERANCE = 0.25
ROUNDING = 1e-6
# Longer steps between points of a traced edge cross a seam, and are not part of the image.
LONGEST_STEP = 0.5


def check(session: Session, path: Path, oracle: Oracle, rng: random.Random) -> None:
    """Checks one random line."""
    found = _random_line(oracle, rng)
    if found is None:
        return
    session.cases += 1
    line, cols, rows = found
    tolerance = ROUNDING if same_crs(oracle) else CURVE_TOLERANCE
    grid = oracle.grid
    options = f"{{geometry_crs: {literal(oracle.geometry_crs)}}}"
    shape = literal(line.wkt)
    sql = (
        f"SELECT cog_tiles_for_geometry(m, {shape}, {options}),"
        f" cog_zonal_stats({literal(path)}, m, {shape}, {options}).count FROM (SELECT cog_metadata({literal(path)}) AS m)"
    )
    try:
        tiles, length = session.rows(sql)[0]
    except Exception as error:
        session.fail("lines.error", error, f"  {grid.recipe(path)}\n  {sql}")
        return

    def describe(expected: object, answer: object) -> str:
        return f"  {grid.recipe(path)}\n  {sql}\n  expected {expected}, found {answer}"

    given = {(tile["tile_col"], tile["tile_row"]) for tile in tiles}
    must, may = _tiles(oracle, cols, rows, tolerance), _tiles(oracle, cols, rows, -tolerance)
    session.compare("lines.tiles", must <= given <= may, lambda: describe(f"{must} within {may}", given))
    least, most = (
        length_in_image(oracle, cols, rows, -2 * tolerance),
        length_in_image(oracle, cols, rows, 2 * tolerance),
    )
    # A chord is shorter than its arc, by less than this for a sagitta of a quarter of a pixel.
    shorter = 1 - ROUNDING if same_crs(oracle) else 0.93
    # A step counts completely or not at all; a line leaves the image a few times at most.
    steps = np.hypot(np.diff(cols), np.diff(rows))
    step = 4 * float(steps[steps < LONGEST_STEP].max(initial=0))
    room = (2 * tolerance + step + ROUNDING) * float(np.hypot(grid.transform.a, grid.transform.d))
    right = shorter * least - room <= length <= most * (1 + ROUNDING) + room
    session.compare("lines.length", bool(right), lambda: describe(f"a length within {least} and {most}", length))


def _random_line(oracle: Oracle, rng: random.Random) -> tuple[LineString, np.ndarray, np.ndarray] | None:
    """Returns a line of one or two edges near the image, with points along it in pixels."""
    grid = oracle.grid
    for _ in range(ATTEMPTS):
        count = rng.choice([2, 2, 3])
        cols = np.array([rng.uniform(-0.2, 1.2) * grid.width for _ in range(count)])
        rows = np.array([rng.uniform(-0.2, 1.2) * grid.height for _ in range(count)])
        x, y = transform(grid.crs, oracle.geometry_crs, *grid.world(cols, rows))
        if not np.isfinite(x).all() or not np.isfinite(y).all():
            continue
        points = np.stack([x, y], axis=1)
        if in_degrees(oracle.geometry_crs) and (np.abs(np.diff(x)).max() > 180 or np.abs(x).max() > MAX_LONGITUDE):
            continue
        along = _along(points, POINTS_PER_EDGE)
        if not is_on_map(oracle.geometry_crs, *along.T).all() or at_pole(oracle.geometry_crs, *along.T).any():
            continue
        image = grid.pixel(*transform(oracle.geometry_crs, grid.crs, *along.T))
        if not oracle.returns(*along.T, *image).all():
            continue
        return LineString(points), *_refined(oracle, along, image)
    return None


def _along(points: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` points along each edge of a line."""
    steps = np.linspace(0, 1, count)[:, None]
    return np.concatenate([start + (end - start) * steps for start, end in zip(points[:-1], points[1:])])


def _refined(oracle: Oracle, along: np.ndarray, image: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns pixel coordinates of points along a line, with more points in long steps. Steps that remain long cross a seam."""
    for _ in range(HALVINGS):
        is_long = np.flatnonzero(np.hypot(np.diff(image[0]), np.diff(image[1])) > SHORT_STEP)
        if not len(is_long):
            break
        along = np.insert(along, is_long + 1, (along[is_long] + along[is_long + 1]) / 2, axis=0)
        image = oracle.grid.pixel(*transform(oracle.geometry_crs, oracle.grid.crs, *along.T))
    return image


def _turned(oracle: Oracle, cols: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    turn = oracle.grid.pixels_per_turn
    return [(cols + turns * turn[0], rows + turns * turn[1]) for turns in (TURNS if oracle.grid.in_degrees else [0])]


def _tiles(oracle: Oracle, cols: np.ndarray, rows: np.ndarray, inset: float) -> set[tuple[int, int]]:
    """Returns the tiles that intersect the line, after shrinking each tile by `inset`."""
    grid = oracle.grid
    found = set()
    for col, row in _turned(oracle, cols, rows):
        image = _pieces(col, row)
        shapely.prepare(image)
        for left in range(0, grid.width, TILE):
            for top in range(0, grid.height, TILE):
                right, bottom = min(left + TILE, grid.width), min(top + TILE, grid.height)
                if right - left <= 2 * inset or bottom - top <= 2 * inset:
                    continue
                if image.intersects(shapely.box(left + inset, top + inset, right - inset, bottom - inset)):
                    found.add((left // TILE, top // TILE))
    return found


def _pieces(cols: np.ndarray, rows: np.ndarray) -> shapely.MultiLineString:
    """Returns the line through points, without steps across seams."""
    ends = np.flatnonzero(np.hypot(np.diff(cols), np.diff(rows)) >= LONGEST_STEP) + 1
    points = np.stack([cols, rows], axis=1)
    return shapely.MultiLineString([part for part in np.split(points, ends) if len(part) > 1])


def length_in_image(oracle: Oracle, cols: np.ndarray, rows: np.ndarray, outset: float) -> float:
    """Returns the length of the line in the image, which is expanded by `outset` on all sides."""
    grid = oracle.grid
    total = 0.0
    for col, row in _turned(oracle, cols, rows):
        held = (col > -outset) & (col < grid.width + outset) & (row > -outset) & (row < grid.height + outset)
        across, down = np.diff(col), np.diff(row)
        counted = held[1:] & held[:-1] & (np.hypot(across, down) < LONGEST_STEP)
        a, b, _, d, e, _ = grid.transform[:6]
        total += float(np.hypot(a * across + b * down, d * across + e * down)[counted].sum())
    return total
