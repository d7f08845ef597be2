"""Compares results for polygons and points on a random grid, in several CRSs, with the oracle."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from . import footprints, lines, points
from .exact import Exact, densify, exact, same_crs
from .grids import TILE, random_grid
from .oracle import Bounds, Oracle
from .session import Session, literal
from .shapes import geometry_crs, overlaps_itself, random_shape

CRSS_PER_GRID = 2
SHAPES_PER_CRS = 3
# The documented tolerance: edges follow the curve within a quarter of a pixel.
CURVE_TOLERANCE = 0.25
# Coverage is a sum of areas in floating point.
ROUNDING = 1e-6
# Smaller areas in a tile are ignored: the sign of an area is exact in the plan, but not in a sum of coverages.
NO_AREA = 1e-9
# More rows than the extension processes before it approximates a projection by polynomials, and vertices of shapes for which this is fast.
MANY_ROWS = 80
FEW_VERTICES = 100


@dataclass(frozen=True)
class Query:
    """A polygon on a file, and properties of the expected result."""

    path: Path
    oracle: Oracle
    polygon: BaseGeometry
    bounds: Bounds
    exact: Exact | None
    # Pixels whose centre is certainly inside or certainly outside; others are uncertain.
    centre_in: np.ndarray
    centre_out: np.ndarray

    @property
    def wkt(self) -> str:
        return shapely.to_wkt(self.polygon, rounding_precision=-1)

    @property
    def options(self) -> str:
        return f"{{geometry_crs: {literal(self.oracle.geometry_crs)}}}"

    def sql(self, function: str) -> str:
        return f"SELECT {function}({literal(self.path)}, NULL, {literal(self.wkt)}, {self.options})"

    def describe(self, sql: str, expected: object, found: object) -> str:
        return f"  {self.oracle.grid.recipe(self.path)}\n  {sql}\n  expected {expected}, found {found}"


def run(session: Session, seed: str) -> None:
    """Runs all cases of one random grid."""
    rng = random.Random(seed)
    grid = random_grid(rng)
    path = session.folder / f"{seed.replace('/', '-')}.tif"
    grid.write(path)
    footprints.check(session, path, grid)
    for _ in range(CRSS_PER_GRID):
        oracle = Oracle(grid, geometry_crs(rng, grid))
        if not oracle.places[2].any():
            check_unreached(session, path, oracle)
            continue
        points.check(session, path, oracle, rng)
        lines.check(session, path, oracle, rng)
        for _ in range(SHAPES_PER_CRS):
            shape = random_shape(rng, grid, oracle.geometry_crs)
            if shape is None:
                continue
            if overlaps_itself(shape, oracle.geometry_crs):
                # The union of its copies at multiples of 360 degrees is only as accurate as a curve.
                check(session, query_of(path, oracle, shape, is_fine=False))
            elif rng.random() < 0.5 and (fine := densify(oracle, shape)) is not None:
                check(session, query_of(path, oracle, fine, is_fine=True))
            else:
                check(session, query_of(path, oracle, shape, is_fine=same_crs(oracle)))
    path.unlink()


def check_unreached(session: Session, path: Path, oracle: Oracle) -> None:
    """Checks the error for a raster outside of the domain of its CRS."""
    session.cases += 1
    sql = f"SELECT cog_value({literal(path)}, NULL, 'POINT (0 0)', {{geometry_crs: {literal(oracle.geometry_crs)}}})"
    try:
        found = str(session.rows(sql))
    except Exception as error:
        found = str(error)
    says_so = "the raster lies outside the domain of its CRS" in found
    session.compare(
        "unreached", says_so, lambda: f"  {oracle.grid.recipe(path)}\n  {sql}\n  expected an error, found {found}"
    )


def query_of(path: Path, oracle: Oracle, polygon: BaseGeometry, is_fine: bool) -> Query:
    """Returns the query for a polygon; `is_fine` if its edges are straight in pixels."""
    inside, edges = oracle.cells(polygon)
    tolerance = 0.01 if is_fine else CURVE_TOLERANCE
    bounds = oracle.bounds(inside, edges, tolerance)
    centre_in, centre_out = oracle.centres(inside, edges, tolerance)
    known = exact(oracle, polygon, inside, edges) if is_fine else None
    return Query(path, oracle, polygon, bounds, known, centre_in, centre_out)


def check(session: Session, query: Query) -> None:
    """Compares all functions."""
    session.cases += 1
    coverage = check_pixels(session, query)
    if coverage is not None:
        check_zone(session, query, coverage)
        check_tiles(session, query, coverage)
    check_window(session, query)


def check_pixels(session: Session, query: Query) -> np.ndarray | None:
    """Checks positions, values and coverage of cog_pixels; returns the coverage."""
    grid = query.oracle.grid
    sql = f"FROM cog_pixels({literal(query.path)}, {literal(query.wkt)}, geometry_crs := {literal(query.oracle.geometry_crs)})"
    try:
        found = session.connection.execute(f"SELECT col, row, x, y, value, coverage {sql}").fetchnumpy()
    except Exception as error:
        session.fail(
            "cog_pixels.error",
            error,
            f"  {grid.recipe(query.path)}\n  {sql}\n  expected about {query.bounds.most.sum():.1f} pixels",
        )
        return None
    col, row, coverage = (np.asarray(found[name]) for name in ("col", "row", "coverage"))
    dense = np.zeros((grid.height, grid.width))
    dense[row, col] = coverage
    describe = query.describe
    once = len(set(zip(col.tolist(), row.tolist()))) == len(col)
    session.compare("cog_pixels.once", once, lambda: describe(sql, "each pixel once", f"{len(col)} rows"))
    most = float(coverage.max(initial=0))
    session.compare("cog_pixels.at_most_one", most <= 1 + 1e-9, lambda: describe(sql, "coverage at most 1", most))
    x, y = grid.world(col + 0.5, row + 0.5)
    near = np.isclose(found["x"], x, rtol=1e-12, atol=1e-9) & np.isclose(found["y"], y, rtol=1e-12, atol=1e-9)
    session.compare("cog_pixels.centre", bool(near.all()), lambda: describe(sql, (x, y), (found["x"], found["y"])))
    same = np.array_equal(np.asarray(found["value"]), grid.values[row, col])
    session.compare("cog_pixels.value", same, lambda: describe(sql, grid.values[row, col], found["value"]))
    within(
        session, query, "cog_pixels.coverage", sql, dense, query.bounds.least - ROUNDING, query.bounds.most + ROUNDING
    )
    if query.exact:
        known = query.exact
        within(
            session,
            query,
            "cog_pixels.exact",
            sql,
            dense,
            known.coverage - known.tolerance,
            known.coverage + known.tolerance,
        )
    return dense


def within(
    session: Session, query: Query, name: str, sql: str, found: np.ndarray, least: np.ndarray, most: np.ndarray
) -> None:
    """Compares arrays with bounds; describes the worst pixel and the sums."""
    beyond = np.maximum(least - found, found - most)

    def describe() -> str:
        row, col = np.unravel_index(beyond.argmax(), beyond.shape)
        expected = f"pixel ({col} {row}) within {least[row, col]:.6f} and {most[row, col]:.6f}, sum within {least.sum():.4f} and {most.sum():.4f}"
        return query.describe(
            f"SELECT col, row, coverage {sql}",
            expected,
            f"{found[row, col]:.6f}, sum {found.sum():.4f}, {(beyond > 0).sum()} pixels beyond",
        )

    session.compare(name, bool((beyond <= 0).all()), describe)


def check_zone(session: Session, query: Query, coverage: np.ndarray) -> None:
    """Checks that cog_zonal_stats returns the statistics of the values, weighted by the coverage."""
    sql = query.sql("cog_zonal_stats")
    try:
        found = session.rows(sql)[0][0]
    except Exception as error:
        session.fail("cog_zonal_stats.error", error, query.describe(sql, coverage.sum(), "an error"))
        return
    values, weights = query.oracle.grid.values.astype("f8"), coverage
    count = weights.sum()
    covered = values[weights > 0]
    expected = {"count": count, "sum": (weights * values).sum()}
    if len(covered):
        mean = expected["sum"] / count
        expected |= {"mean": mean, "min": covered.min(), "max": covered.max()}
        expected["variance"] = (weights * (values - mean) ** 2).sum() / count
    for name, number in expected.items():
        given = found[name]
        # Allows for cancellation in the variance of large values, relative to their square.
        tolerance = 1e-9 * max(1.0, abs(number)) if name != "variance" else 1e-9 * max(1.0, values.max() ** 2)
        same = number == 0 and given is None or given is not None and abs(given - number) <= tolerance
        session.compare(
            f"cog_zonal_stats.{name}",
            same,
            lambda name=name, number=number: query.describe(sql, f"{name} {number!r}", found),
        )


def check_tiles(session: Session, query: Query, coverage: np.ndarray) -> None:
    """Checks that cog_tiles_for_geometry returns the tiles of the covered pixels."""
    sql = f"SELECT cog_tiles_for_geometry(cog_metadata({literal(query.path)}), {literal(query.wkt)}, {query.options})"
    try:
        tiles = session.rows(sql)[0][0]
    except Exception as error:
        session.fail("cog_tiles_for_geometry.error", error, query.describe(sql, "tiles", "an error"))
        return
    check_rows(session, query, tiles)
    found = {(tile["tile_col"], tile["tile_row"]) for tile in tiles}
    rows, cols = np.nonzero(coverage > NO_AREA)
    must = set(zip((cols // TILE).tolist(), (rows // TILE).tolist()))
    rows, cols = np.nonzero(query.bounds.most > 0)
    may = set(zip((cols // TILE).tolist(), (rows // TILE).tolist()))
    same = must <= found <= may
    session.compare(
        "cog_tiles_for_geometry",
        same,
        lambda: query.describe(sql, f"at least {sorted(must)}, at most {sorted(may)}", sorted(found)),
    )


def check_rows(session: Session, query: Query, tiles: list[dict[str, int]]) -> None:
    """Checks many rows of one raster: the polynomials that replace the projection after some rows must not change the result."""
    if shapely.get_num_coordinates(query.polygon) > FEW_VERTICES:
        return
    # Trailing blanks, so that the geometry is not constant.
    shape = f"{literal(query.wkt)} || repeat(' ', row % 3)"
    sql = (
        f"SELECT DISTINCT cog_tiles_for_geometry(m, {shape}, {query.options})"
        f" FROM (SELECT cog_metadata({literal(query.path)}) AS m), range({MANY_ROWS}) AS rows(row)"
    )
    try:
        found = session.rows(sql)
    except Exception as error:
        session.fail("cog_tiles_for_geometry.rows_error", error, query.describe(sql, tiles, "an error"))
        return
    same = found == [(tiles,)]
    session.compare("cog_tiles_for_geometry.rows", same, lambda: query.describe(sql, tiles, found))


def check_window(session: Session, query: Query) -> None:
    """Checks that cog_read returns a window around all covered pixels, and masks pixels by their centres."""
    sql = query.sql("cog_read")
    try:
        found = session.rows(sql)[0][0]
    except Exception as error:
        session.fail("cog_read.error", error, query.describe(sql, f"{query.centre_in.sum()} pixels", "an error"))
        return
    grid = query.oracle.grid
    if found is None:
        session.compare(
            "cog_read.null",
            not (query.bounds.least > 0).any(),
            lambda: query.describe(sql, f"{query.bounds.least.sum():.2f} pixels at least", found),
        )
        return
    place = (found["col_off"], found["row_off"], found["width"], found["height"])
    rows, cols = np.nonzero(query.bounds.least > 0)
    if len(rows):
        left, top, right, bottom = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
        around = place[0] <= left and place[1] <= top and place[0] + place[2] >= right and place[1] + place[3] >= bottom
        session.compare(
            "cog_read.window",
            bool(around),
            lambda: query.describe(sql, f"columns {left} to {right} and rows {top} to {bottom}", place),
        )
    if query.exact and (window := exact_window(query)):
        session.compare("cog_read.exact_window", place == window, lambda: query.describe(sql, window, place))
    part = np.s_[place[1] : place[1] + place[3], place[0] : place[0] + place[2]]
    data = np.frombuffer(found["data"], "uint16").reshape(place[3], place[2])
    mask = np.frombuffer(found["mask"], "uint8").reshape(place[3], place[2])
    values = grid.values[part]
    inside, outside = query.centre_in[part], query.centre_out[part]
    same = (data[inside] == values[inside]).all() and (mask[inside] == 255).all()
    session.compare(
        "cog_read.inside",
        bool(same),
        lambda: query.describe(sql, f"values at {np.argwhere(inside).tolist()}", data.tolist()),
    )
    same = (data[outside] == 0).all() and (mask[outside] == 0).all()
    session.compare(
        "cog_read.outside",
        bool(same),
        lambda: query.describe(sql, f"0 at {np.argwhere(outside).tolist()}", data.tolist()),
    )


def exact_window(query: Query) -> tuple[int, int, int, int] | None:
    """Returns rasterio's window of the image's bounding box; None if rounding decides, because a side is close to a whole pixel.

    Also None if a polygon in another CRS extends beyond the raster, because distant parts have no image.
    """
    grid, box = query.oracle.grid, np.array(query.exact.image.bounds)
    if not same_crs(query.oracle) and not query.exact.image.within(shapely.box(0, 0, grid.width, grid.height)):
        return None
    # If a projection is approximated, sides within this distance of a whole pixel are not compared.
    off = 0.01 if query.oracle.is_scene or same_crs(query.oracle) else CURVE_TOLERANCE
    if (np.abs(box - np.round(box)) < off).any():
        return None
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(grid.width, int(np.ceil(box[2]))), min(grid.height, int(np.ceil(box[3])))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
