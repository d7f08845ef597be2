"""Compares random chips of `cog_chip` with boundless windows of rasterio, and for rasters on other grids as in `warps`."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from .session import Session, literal
from .warps import CRSS, METHODS, Grid, Source, compare_area, compare_kernel, is_near, random_source, write_source


def run(session: Session, seed: str) -> None:
    rng = random.Random(seed)
    crs = rng.choice(list(CRSS))
    lon, lat, _ = CRSS[crs]
    lon, lat = lon + rng.uniform(-1, 1), lat + rng.uniform(-1, 1)
    sources = [chip_source(rng, session, seed, number, crs, (lon, lat)) for number in range(rng.randint(1, 4))]
    for source in sources:
        write_source(source, overviews=rng.random() < 0.3)
    method = rng.choice(METHODS)
    session.cases += 1
    sql, size = chip_sql(rng, sources, method)
    about = (
        "\n".join(f"  {source.grid} {source.data.dtype} nodata {source.nodata}" for source in sources) + f"\n  {sql}"
    )
    try:
        chip = session.rows(sql)[0][0]
    except Exception as error:
        session.fail("chip.error", error, about)
        return
    found = np.asarray(chip["data"], "f4").reshape(chip["shape"])
    grid = Grid(chip["crs"], Affine(*chip["transform"]), found.shape[2], found.shape[1])
    valid = np.isfinite(found).mean()
    session.compare("chip.valid", math.isclose(chip["valid"], valid), lambda: f"{about}\n  {chip['valid']} and {valid}")
    if size is not None:
        session.compare("chip.size", found.shape[1:] == size, lambda: f"{about}\n  {found.shape}, expected {size}")
    compare_boundless(session, sources[0], grid, found[0], about)
    for source, band in zip(sources[1:], found[1:]):
        if source.grid.crs == grid.crs and is_shifted(source.grid, grid):
            compare_boundless(session, source, grid, band, about)
            continue
        mask = np.isfinite(band)
        values = np.where(mask, band, 0).astype(source.data.dtype)
        compare = compare_kernel if method in METHODS[:3] else compare_area
        of_source = f"{about}\n  {source.grid}"
        for name, same, where in compare(source, grid, method, values, mask):
            session.compare(f"chip.{method}.{name}", same, lambda of=of_source, where=where: f"{of}\n  {where()}")
    for source in sources:
        source.path.unlink()


def chip_source(
    rng: random.Random, session: Session, seed: str, number: int, crs: str, place: tuple[float, float]
) -> Source:
    """Returns a raster near a location, of a type that FLOAT represents exactly."""
    others = [name for name in CRSS if is_near(name, *place)]
    crs = crs if number == 0 or rng.random() < 0.5 or not others else rng.choice(others)
    centre = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*place)
    path = Path(session.folder / f"{seed.replace('/', '-')}-{number}.tif")
    source = random_source(rng, crs, centre, path)
    if source.data.dtype == np.float64:
        source = replace(source, data=source.data.astype("f4").astype("f8"))
    return source


def chip_sql(rng: random.Random, sources: list[Source], method: str) -> tuple[str, tuple[int, int] | None]:
    """Returns SQL for a chip around a point or a box, in the CRS of the first raster or in degrees, and its size, if given."""
    first = sources[0].grid
    col, row = rng.uniform(-8, first.width + 8), rng.uniform(-8, first.height + 8)
    if rng.random() < 0.3:
        col, row = float(round(col)), float(round(row))
    x, y = first.transform * (col, row)
    hrefs = ", ".join(literal(source.path) for source in sources)
    options, size = [f"resampling: '{method}', level: 0"], None
    if rng.random() < 0.7:
        size = rng.randint(1, 60), rng.randint(1, 60)
        options.append(f"size: [{size[0]}, {size[1]}]")
        geometry = f"'POINT({x!r} {y!r})'"
        if rng.random() < 0.3:
            size = size[0], size[0]
            options[1] = f"size: {size[0]}"
    else:
        x2, y2 = first.transform * (col + rng.uniform(0.1, 40), row + rng.uniform(0.1, 40))
        geometry = f"{[min(x, x2), min(y, y2), max(x, x2), max(y, y2)]}"
    if rng.random() < 0.3 and size is not None:
        lon, lat = pyproj.Transformer.from_crs(first.crs, "OGC:CRS84", always_xy=True).transform(x, y)
        geometry = f"'POINT({lon!r} {lat!r})'"
    else:
        options.append("geometry_crs: 'native'")
    return f"SELECT cog_chip([{hrefs}], {geometry}, {{{', '.join(options)}}})", size


def is_shifted(grid: Grid, other: Grid) -> bool:
    """Whether the grids have the same pixel lattice."""
    a, b, c, d, e, f = (~grid.transform * other.transform)[:6]
    return np.allclose([a, b, d, e], [1, 0, 0, 1], atol=1e-9) and max(abs(c - round(c)), abs(f - round(f))) < 1e-7


def compare_boundless(session: Session, source: Source, grid: Grid, found: np.ndarray, about: str) -> None:
    """Checks for the pixels of the raster, with NaN outside of it and for nodata."""
    _, _, col, _, _, row = (~source.grid.transform * grid.transform)[:6]
    session.compare(
        "chip.lattice",
        is_shifted(source.grid, grid),
        lambda: f"{about}\n  {grid} is not aligned with the pixels of the raster",
    )
    cols, rows = np.meshgrid(np.arange(grid.width) + round(col), np.arange(grid.height) + round(row))
    inside = (cols >= 0) & (rows >= 0) & (cols < source.grid.width) & (rows < source.grid.height)
    expected = np.full(inside.shape, np.nan, "f4")
    own = np.where(source.valid, source.data, np.nan).astype("f4")
    expected[inside] = own[rows[inside], cols[inside]]
    if source.grid.transform.b == 0:
        # rasterio returns empty boundless windows for rotated rasters.
        with rasterio.open(source.path) as file:
            window = Window(round(col), round(row), grid.width, grid.height)
            boundless = file.read(1, window=window, boundless=True, fill_value=0).astype("f4")
        compared = np.isfinite(expected)
        same = np.array_equal(boundless[compared], expected[compared])
        session.compare("chip.oracle", same, lambda: f"{about}\n  {boundless.tolist()}\n  {expected.tolist()}")
    same = np.array_equal(found, expected, equal_nan=True)
    session.compare("chip.exact", same, lambda: f"{about}\n  expected {expected.tolist()}\n  found {found.tolist()}")
