"""One random pixel table: `cog_pixels` of several rasters on one grid, as a table function or as a scalar one.

Values are those of `cog_read` with the same grid, method and geometry, and those of rasterio's WarpedVRT as in `warps`. Weights are the
areas of intersections by shapely. Without a grid, the rows are the pixels of the first raster, whose values are its own, as are those of
rasters with coarser pixels that are aligned with them.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import shapely
from rasterio.transform import Affine

from .chips import chip_source
from .session import Session, literal
from .warps import CRSS, METHODS, Grid, Source, compare_area, compare_kernel, random_grid, write_source

# Of weights.
WEIGHT = 1e-6
# Of blended floating-point values, relative to the range of values.
BLOCKS = 1e-7


def run(session: Session, seed: str) -> None:
    rng = random.Random(seed)
    crs = rng.choice(list(CRSS))
    lon, lat, _ = CRSS[crs]
    place = lon + rng.uniform(-1, 1), lat + rng.uniform(-1, 1)
    sources = [chip_source(rng, session, seed, number, crs, place) for number in range(rng.randint(1, 3))]
    if rng.random() < 0.4:
        sources.append(coarser(rng, sources[0], session.folder / f"{seed.replace('/', '-')}-coarse.tif"))
    for source in sources:
        write_source(source)
    method = rng.choice([*METHODS, None]) if len(sources) > 1 else rng.choice(METHODS)
    grid, grid_sql = named_grid(rng, sources[0], place) if rng.random() < 0.6 or len(sources) == 1 else (None, None)
    corners = None if rng.random() < 0.3 else triangle(rng, grid or sources[0].grid)
    session.cases += 1
    weights = rng.choice(["coverage", "center"])
    sql = table_sql(rng, sources, method, grid_sql, corners, (grid or sources[0].grid).crs, weights)
    about = (
        "\n".join(f"  {source.grid} {source.data.dtype} nodata {source.nodata}" for source in sources) + f"\n  {sql}"
    )
    try:
        rows = session.connection.execute(sql).fetchnumpy()
        compare_table(session, sources, method, (grid, grid_sql), (corners, weights), rows, about)
    except Exception as error:
        session.fail("table.error", error, about)
        return
    for source in sources:
        source.path.unlink()


def coarser(rng: random.Random, source: Source, path: Path) -> Source:
    """Classes whose pixels are aligned with those of a raster."""
    step = rng.choice([2, 3])
    transform = source.grid.transform * Affine.translation(rng.randint(-6, 6), rng.randint(-6, 6)) * Affine.scale(step)
    width, height = (math.ceil(size / step) + rng.randint(-2, 4) for size in (source.grid.width, source.grid.height))
    grid = Grid(source.grid.crs, transform, max(width, 1), max(height, 1))
    numbers = np.random.default_rng(rng.getrandbits(32)).integers(0, 12, (grid.height, grid.width), "uint8")
    return Source(grid, numbers, 0.0, path)


def named_grid(rng: random.Random, source: Source, place: tuple[float, float]) -> tuple[Grid, str]:
    """A grid near a place."""
    crs = rng.choice([source.grid.crs, "EPSG:4326", "EPSG:3857" if abs(place[1]) < 75 else source.grid.crs])
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*place)
    scale = CRSS[crs][2] / CRSS[source.grid.crs][2] * math.exp(rng.uniform(-0.7, 1.5))
    size = abs(source.grid.transform.a + 1j * source.grid.transform.d) * scale
    grid = random_grid(rng, crs, (x, y), size, (3, 60))
    return grid, grid.sql


def triangle(rng: random.Random, grid: Grid) -> list[tuple[float, float]]:
    """Corners in the coordinates of a grid."""
    return [
        grid.transform * (rng.uniform(-0.2, 1.2) * grid.width, rng.uniform(-0.2, 1.2) * grid.height) for _ in range(3)
    ]


def table_sql(
    rng: random.Random,
    sources: list[Source],
    method: str | None,
    grid: str | None,
    corners: list[tuple[float, float]] | None,
    crs: str,
    weights: str,
) -> str:
    """A query with the columns col, row, x, y, coverage, v0, v1, …"""
    names = [f"v{number}" for number in range(len(sources))]
    options = {"method": f"'{weights}'", "level": "0", "geometry_crs": f"'{crs}'"}
    if grid is not None:
        options["grid"] = grid
    if method is not None:
        options["resampling"] = f"'{method}'"
    wkt = corners and "POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in [*corners, corners[0]]) + "))"
    if wkt is not None and rng.random() < 0.4:
        hrefs = ", ".join(literal(source.path) for source in sources)
        values = ", ".join(f"values[{at + 1}] AS {name}" for at, name in enumerate(names))
        given = ", ".join(f"{name}: {value}" for name, value in options.items())
        pixels = f"SELECT unnest(cog_pixels([{hrefs}], '{wkt}', {{{given}}}), recursive := true)"
        return f"SELECT col, row, x, y, coverage, {values} FROM ({pixels})"
    given = ", ".join(f"{name} := {value}" for name, value in options.items())
    named = ", ".join(f"{name}: {literal(source.path)}" for name, source in zip(names, sources))
    geometry = "NULL" if wkt is None else f"'{wkt}'"
    return f"SELECT col, row, x, y, coverage, {', '.join(names)} FROM cog_pixels({{{named}}}, {geometry}, {given})"


def compare_table(
    session: Session,
    sources: list[Source],
    method: str | None,
    grid: tuple[Grid | None, str | None],
    zone: tuple[list[tuple[float, float]] | None, str],
    rows: dict[str, np.ndarray],
    about: str,
) -> None:
    target = grid[0] or sources[0].grid
    corners, weights = zone
    shape = target.height, target.width
    cols, lines = np.ma.filled(rows["col"], -1).astype(int), np.ma.filled(rows["row"], -1).astype(int)
    coverage = np.zeros(shape)
    is_inside = (cols >= 0) & (lines >= 0) & (cols < target.width) & (lines < target.height)
    if not session.compare("table.inside", is_inside.all(), lambda: f"{about}\n  a pixel outside of the grid"):
        return
    coverage[lines, cols] = rows["coverage"]
    session.compare(
        "table.once",
        (coverage > 0).sum() == len(cols),
        lambda: f"{about}\n  {len(cols)} rows, {(coverage > 0).sum()} pixels",
    )
    x, y = target.transform * (cols + 0.5, lines + 0.5)
    size = abs(target.transform.a + 1j * target.transform.d)
    same = np.allclose(x, rows["x"], rtol=0, atol=1e-6 * size) and np.allclose(y, rows["y"], rtol=0, atol=1e-6 * size)
    session.compare("table.places", same, lambda: f"{about}\n  centres differ")
    compare_weights(session, target, corners, weights, coverage, about)
    for number, source in enumerate(sources):
        column = rows[f"v{number}"]
        mask = np.zeros(shape, bool)
        mask[lines, cols] = ~np.ma.getmaskarray(column)
        values = np.zeros(shape, source.data.dtype)
        values[lines, cols] = np.ma.filled(column, 0)
        compare_values(
            session, (source, number), method, grid[1], (target, corners), (values, mask, coverage > 0), about
        )


def compare_weights(
    session: Session,
    target: Grid,
    corners: list[tuple[float, float]] | None,
    weights: str,
    coverage: np.ndarray,
    about: str,
) -> None:
    """Against the areas of intersections."""
    expected = np.ones(coverage.shape)
    allowed = WEIGHT
    if corners is not None:
        polygon = shapely.Polygon([~target.transform * corner for corner in corners])
        col, row = (numbers.ravel() for numbers in np.meshgrid(np.arange(target.width), np.arange(target.height)))
        if weights == "coverage":
            areas = shapely.area(shapely.intersection(polygon, shapely.box(col, row, col + 1, row + 1)))
        else:
            areas = shapely.contains_xy(polygon, col + 0.5, row + 0.5).astype(float)
            near = shapely.dwithin(shapely.points(col + 0.5, row + 0.5), polygon.exterior, 1e-6)
            coverage = np.where(near.reshape(coverage.shape), areas.reshape(coverage.shape), coverage)
        expected = areas.reshape(coverage.shape)
    different = np.abs(coverage - expected) > allowed
    session.compare(
        "table.coverage",
        not different.any(),
        lambda: f"{about}\n  {np.argwhere(different)[0]}: {coverage[different][0]}, expected {expected[different][0]}",
    )


def compare_values(
    session: Session,
    numbered: tuple[Source, int],
    method: str | None,
    grid_sql: str | None,
    place: tuple[Grid, list[tuple[float, float]] | None],
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
    about: str,
) -> None:
    (source, number), (target, corners), (values, mask, covered) = numbered, place, found
    about = f"{about}\n  raster {number}: {source.grid}"
    has_own = grid_sql is None and (number == 0 or (method is None and source.path.name.endswith("-coarse.tif")))
    used = "nearest" if has_own else method or "bilinear"
    where = "NULL"
    if corners is not None:
        where = "'POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in [*corners, corners[0]]) + "))'"
    options = f"grid: {target.sql}, resampling: '{used}', level: 0, all_touched: true, geometry_crs: '{target.crs}'"
    window = session.rows(f"SELECT cog_read({literal(source.path)}, NULL, {where}, {{{options}}})")[0][0]
    if window is None:
        session.compare("table.empty", not covered.any(), lambda: f"{about}\n  rows outside of the grid")
        return
    left, top, width, height = (window[name] for name in ("col_off", "row_off", "width", "height"))
    part = np.s_[top : top + height, left : left + width]
    outside = covered.copy()
    outside[part] = False
    session.compare("table.window", not outside.any(), lambda: f"{about}\n  pixels outside of the window")
    values, mask, covered = values[part], mask[part], covered[part]
    expected = np.frombuffer(window["data"], window["dtype"]).reshape(height, width)
    expected_mask = np.frombuffer(window["mask"], "uint8").reshape(height, width) != 0
    both = covered & mask & expected_mask
    # Blocks begin elsewhere, so that positions differ by rounding: a mean of integers that ends in one half is rounded up or down.
    blends = used in ("bilinear", "cubic", "average")
    allowed = (1 if values.dtype.kind != "f" else BLOCKS * max(np.ptp(source.data), 1)) if blends else 0
    same = np.array_equal(mask[covered], expected_mask[covered])
    same = same and (np.abs(values[both].astype("f8") - expected[both].astype("f8")) <= allowed).all()
    session.compare("table.cog_read", same, lambda: f"{about}\n  other values than cog_read")
    # The pixels without rows are those of cog_read, which are compared with the same.
    values, mask = np.where(covered, values, expected), np.where(covered, mask, expected_mask)
    if not covered.all():
        return
    of_window = replace(target, transform=target.transform * Affine.translation(left, top), width=width, height=height)
    compare = compare_kernel if used in METHODS[:3] else compare_area
    for name, is_same, describe in compare(source, of_window, used, values, mask):
        session.compare(f"table.{used}.{name}", is_same, lambda describe=describe: f"{about}\n  {describe()}")
