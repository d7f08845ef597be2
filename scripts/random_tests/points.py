"""Compares `cog_value` at points inside and outside of a grid, in any CRS, with pyproj.

The expected pixel is that of pyproj's coordinates, at any multiple of 360 degrees, if the point is transformed back to itself. Points
too close to a side of a pixel are left out, because projections may differ; on a seam, where two pixels contain the point, both are right.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from .oracle import TURNS, Oracle
from .projections import GEOGRAPHIC, at_pole, in_degrees, is_on_map, transform, turned_difference
from .session import Session, literal

NEAR, FAR = 40, 15
# Points within this distance in pixels of a side are left out; projections differ by less in the smallest pixels.
SIDE = 0.01
# Maximum distance between a point and its round trip, in metres, and relative to large coordinates, which are less accurate near the
# opposite pole of a stereographic projection and at high latitudes of Mercator. Points affected by folding differ by far more.
RETURN_M = 0.05
RETURN_SHARE = 1e-7
DEGREES_PER_METRE = 1e-5


def check(session: Session, path: Path, oracle: Oracle, rng: random.Random) -> None:
    """Runs one query with many points; if it fails, one query per point."""
    places = _near(oracle, rng) + _far(oracle, rng)
    points = [(x, y, accepted) for x, y in places if (accepted := pixels_of(oracle, x, y)) is not None]
    points += _seams(oracle, rng)
    session.cases += 1
    options = f"{{geometry_crs: {literal(oracle.geometry_crs)}}}"
    texts = [f"POINT ({x!r} {y!r})" for x, y, _ in points] + ["POINT EMPTY"]
    accepted = [pixels for _, _, pixels in points] + [set()]
    sql = f"SELECT cog_value({literal(path)}, NULL, point, {options})"
    try:
        listed = ", ".join(map(literal, texts))
        rows = session.rows(
            f"{sql} FROM (SELECT unnest([{listed}]) AS point, unnest(range({len(texts)})) AS number) ORDER BY number"
        )
        found: list[object] = [row[0] for row in rows]
    except Exception:
        found = [_alone(session, sql, text) for text in texts]
    values = oracle.grid.values
    for text, pixels, value in zip(texts, accepted, found):
        expected = {float(values[row, col]) for col, row in pixels} or {None}
        session.compare(
            _kind(text, pixels),
            value in expected,
            lambda text=text, expected=expected, value=value: (
                f"  {oracle.grid.recipe(path)}\n  {sql.replace('point', literal(text), 1)}\n  expected {expected}, found {value!r}"
            ),
        )


def _kind(text: str, pixels: set[tuple[int, int]]) -> str:
    if text == "POINT EMPTY":
        return "cog_value.empty"
    return "cog_value.inside" if pixels else "cog_value.outside"


def _alone(session: Session, sql: str, text: str) -> object:
    try:
        return session.rows(sql.replace("point", literal(text), 1))[0][0]
    except Exception as error:
        return str(error).splitlines()[0]


def _near(oracle: Oracle, rng: random.Random) -> list[tuple[float, float]]:
    """Returns points in and around the image, at any multiple of 360 degrees."""
    grid = oracle.grid
    cols = np.array([rng.uniform(-0.3, 1.3) * grid.width for _ in range(NEAR)])
    rows = np.array([rng.uniform(-0.3, 1.3) * grid.height for _ in range(NEAR)])
    x, y = transform(grid.crs, oracle.geometry_crs, *grid.world(cols, rows))
    if in_degrees(oracle.geometry_crs):
        x = x + np.array([rng.choice([0, 0, 360, -360]) for _ in range(NEAR)])
        x = np.where(np.abs(x) > 540, turned_difference(x, np.array(0.0)), x)
    return list(zip(x.tolist(), y.tolist()))


def _far(oracle: Oracle, rng: random.Random) -> list[tuple[float, float]]:
    """Returns points anywhere on Earth."""
    longitudes = np.array([rng.uniform(-180, 180) for _ in range(FAR)])
    latitudes = np.array([rng.uniform(-90, 90) for _ in range(FAR)])
    x, y = transform(GEOGRAPHIC, oracle.geometry_crs, longitudes, latitudes)
    return list(zip(x.tolist(), y.tolist()))


def pixels_of(oracle: Oracle, x: float, y: float) -> set[tuple[int, int]] | None:
    """Returns the pixels that contain a point; None if that is uncertain."""
    if not np.isfinite(x) or not np.isfinite(y) or not is_on_map(oracle.geometry_crs, np.array([x]), np.array([y]))[0]:
        return None
    if at_pole(oracle.geometry_crs, np.array([x]), np.array([y]))[0]:
        return None
    grid = oracle.grid
    world = transform(oracle.geometry_crs, grid.crs, np.array([x]), np.array([y]))
    if not _comes_back(oracle, x, y, world):
        return set()
    col, row = (float(each[0]) for each in grid.pixel(*world))
    found = set()
    for turn in TURNS if grid.in_degrees else [0]:
        at = (col + turn * grid.pixels_per_turn[0], row + turn * grid.pixels_per_turn[1])
        if not (-1 < at[0] < grid.width + 1 and -1 < at[1] < grid.height + 1):
            continue
        if any(abs(each - round(each)) < SIDE for each in at):
            return None
        if 0 <= at[0] < grid.width and 0 <= at[1] < grid.height:
            found.add((int(at[0]), int(at[1])))
    return found


def _comes_back(oracle: Oracle, x: float, y: float, world: tuple[np.ndarray, np.ndarray]) -> bool:
    back_x, back_y = transform(oracle.grid.crs, oracle.geometry_crs, *world)
    with np.errstate(invalid="ignore"):
        if not in_degrees(oracle.geometry_crs):
            return bool(np.hypot(back_x - x, back_y - y)[0] < RETURN_M + RETURN_SHARE * np.hypot(x, y))
        across = turned_difference(back_x, np.array([x])) * np.cos(np.radians(y))
        return bool(np.hypot(across, back_y - y)[0] < RETURN_M * DEGREES_PER_METRE)


def _seams(oracle: Oracle, rng: random.Random) -> list[tuple[float, float, set[tuple[int, int]]]]:
    """Returns points on the seam of a raster that spans 360 degrees, where the pixels on both sides contain them."""
    grid = oracle.grid
    if not (grid.in_degrees and in_degrees(oracle.geometry_crs)) or grid.transform.b != 0:
        return []
    if grid.width * abs(grid.transform.a) < 360:
        return []
    found = []
    for edge in (grid.transform.c, grid.transform.c + grid.width * grid.transform.a):
        row = rng.randrange(grid.height)
        y = grid.transform.f + (row + 0.5) * grid.transform.e
        if abs(y) > 90:
            continue
        for turn in (-1, 0, 1):
            x = edge + 360 * turn
            col = round((edge - grid.transform.c) / grid.transform.a)
            turned = [col + steps * grid.pixels_per_turn[0] for steps in TURNS]
            # On a side between pixels, or inside of a pixel if the width of the raster is not a multiple of 360 degrees.
            sides = {int(np.floor(at + step)) for at in turned for step in (-1e-6, 1e-6)}
            if abs(x) <= 540:
                found.append((x, y, {(at, row) for at in sides if 0 <= at < grid.width}))
    return found
