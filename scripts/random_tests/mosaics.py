"""Compares random mosaics of `cog_mosaic` with numpy on reads of WarpedVRTs, and with `rasterio.merge` for rasters on one lattice."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyproj
from rasterio.enums import Resampling
from rasterio.merge import merge
from rasterio.transform import Affine

from .session import Session, literal
from .warps import (
    KERNEL,
    Grid,
    Source,
    away_from_invalid,
    first,
    places,
    position_error,
    random_grid,
    warped_at_once,
    warped_exactly,
    write_source,
)

PICKS = ("first", "last", "min", "max")
METHODS = (*PICKS, "mean", "median", "count", "stddev")
ZONES = ("EPSG:32631", "EPSG:32632")
# Relative error of single precision.
SINGLE = 3e-7


@dataclass(frozen=True)
class Scene:
    """A raster, its mask on the same or coarser pixels, and the raster without masked pixels."""

    source: Source
    classes: Source | None
    masked: Source

    @property
    def sql(self) -> str:
        if self.classes is None:
            return f"{{href: {literal(self.source.path)}, mask: NULL}}"
        return f"{{href: {literal(self.source.path)}, mask: {{href: {literal(self.classes.path)}, drop: [1, 3]}}}}"


def run(session: Session, seed: str) -> None:
    rng = random.Random(seed)
    (run_merge if rng.random() < 0.3 else run_warped)(session, rng, session.folder / seed.replace("/", "-"))
    for path in session.folder.glob(f"{seed.replace('/', '-')}*"):
        path.unlink()


def numbers_of(rng: random.Random, shape: tuple[int, int], dtype: str) -> np.ndarray:
    numbers = np.random.default_rng(rng.getrandbits(32))
    data = numbers.integers(0, 200, shape) if np.dtype(dtype).kind != "f" else numbers.normal(50, 30, shape)
    if np.dtype(dtype).itemsize == 4 and dtype != "float32":
        data = data * 10_000_019
    data = data.astype(dtype)
    data[numbers.random(shape) < rng.choice([0.0, 0.01, 0.4])] = nodata_of(dtype)
    return data


def nodata_of(dtype: str) -> float:
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind != "f" else -9999.0


def run_merge(session: Session, rng: random.Random, path: Path) -> None:
    """Merges rasters on one lattice over their union."""
    dtype = rng.choice(["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
    lattice = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)
    sources = []
    for number in range(rng.randint(1, 6)):
        width, height = rng.randint(4, 80), rng.randint(4, 80)
        transform = lattice * Affine.translation(rng.randint(-60, 60), rng.randint(-60, 60))
        data = numbers_of(rng, (height, width), dtype)
        grid = Grid(ZONES[0], transform, width, height)
        sources.append(Source(grid, data, nodata_of(dtype), Path(f"{path}-{number}.tif")))
        write_source(sources[-1])
    method = rng.choice(PICKS)
    hrefs = ", ".join(literal(source.path) for source in sources)
    sql = f"SELECT cog_mosaic([{hrefs}], NULL, {{method: '{method}', level: 0}})"
    session.cases += 1
    window = read(session, f"merge.{method}", sql)
    if window is None:
        return
    found, mask, _ = window
    expected, transform = merge([str(source.path) for source in sources], method=method)
    given = Affine(*session.rows(f"SELECT m.transform FROM ({sql} AS m)")[0][0])
    session.compare(f"merge.{method}.grid", given == transform, lambda: f"  {sql}\n  {given}, expected {transform}")
    same = found.shape == expected[0].shape and np.array_equal(found, expected[0])
    session.compare(
        f"merge.{method}.values", same, lambda: f"  {sql}\n  {found.tolist()}, expected {expected[0].tolist()}"
    )
    same = same and np.array_equal(mask, expected[0] != nodata_of(dtype))
    session.compare(f"merge.{method}.valid", same, lambda: f"  {sql}\n  {mask.tolist()}")


def run_warped(session: Session, rng: random.Random, path: Path) -> None:
    """Merges rasters in one or two UTM zones on a grid in one of them."""
    dtype = rng.choice(["uint8", "int16", "uint16", "int32", "float32", "float64"])
    zones = rng.choice([ZONES[:1], ZONES, ZONES])
    lon, lat = 6.0 + rng.uniform(-0.3, 0.3), 45.0 + rng.uniform(-0.3, 0.3)
    scenes = [
        random_scene(rng, rng.choice(zones), (lon, lat), dtype, f"{path}-{number}")
        for number in range(rng.randint(1, 7))
    ]
    resampling = rng.choice(["nearest", "bilinear"])
    ratio = math.exp(rng.uniform(-1, 1.5))
    size = ratio * min(abs(scene.source.grid.transform.a + 1j * scene.source.grid.transform.d) for scene in scenes)
    crs = rng.choice(ZONES)
    centre = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    target = random_grid(rng, crs, centre, size, (2, 90))
    method = rng.choice(METHODS)
    session.cases += 1
    sql = (
        f"SELECT cog_mosaic([{', '.join(scene.sql for scene in scenes)}], NULL,"
        f" {{method: '{method}', resampling: '{resampling}', level: 0, grid: {target.sql}}})"
    )
    window = read(session, f"mosaic.{method}", sql)
    if window is None:
        return
    found, mask, dtype_found = window
    values, near, exact = expected_values(scenes, target, resampling)
    count = np.isfinite(values).sum(0)
    expected = combined(values, method)
    wrong = (mask != (count > 0)) & ~near if method != "count" else ~mask
    session.compare(f"mosaic.{method}.valid", not wrong.any(), lambda: f"  {sql}\n  {first(wrong, count, found, mask)}")
    wide = np.dtype(dtype).itemsize >= 4 and dtype != "float32"
    expected_dtype = dtype if method in PICKS else "float64" if wide else "float32"
    session.compare(f"mosaic.{method}.dtype", dtype_found == expected_dtype, lambda: f"  {sql}\n  {dtype_found}")
    span = max(
        (float(np.ptp(data)) for data in (scene.masked.data[scene.masked.valid] for scene in scenes) if data.size),
        default=0.0,
    )
    allowed = np.abs(expected) * SINGLE + 1e-12 if method not in PICKS else np.zeros(found.shape)
    if method == "stddev":
        # Large values with a small deviation.
        allowed = allowed + SINGLE * span
    if resampling == "bilinear" and method != "count":
        allowed = allowed + KERNEL * span + (1 if np.dtype(dtype).kind != "f" else 0)
    compared = ~near & (count > 0) & exact if method != "count" else ~near
    different = compared & ~(np.abs(found.astype("f8") - expected) <= allowed)
    session.compare(
        f"mosaic.{method}.values", not different.any(), lambda: f"  {sql}\n  {first(different, expected, found, mask)}"
    )


def random_scene(rng: random.Random, crs: str, place: tuple[float, float], dtype: str, path: str) -> Scene:
    centre = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*place)
    centre = (centre[0] + rng.uniform(-300, 300), centre[1] + rng.uniform(-300, 300))
    grid = random_grid(rng, crs, centre, rng.choice([10.0, 10.0, 20.0, rng.uniform(5, 30)]), (8, 90))
    source = Source(grid, numbers_of(rng, (grid.height, grid.width), dtype), nodata_of(dtype), Path(f"{path}.tif"))
    write_source(source)
    if rng.random() < 0.5:
        return Scene(source, None, source)
    step = rng.choice([1, 2])
    shape = math.ceil(grid.height / step), math.ceil(grid.width / step)
    numbers = np.random.default_rng(rng.getrandbits(32)).integers(0, 5, shape).astype("uint8")
    coarse = Grid(crs, grid.transform * Affine.scale(step), shape[1], shape[0])
    classes = Source(coarse, numbers, None, Path(f"{path}-classes.tif"))
    write_source(classes)
    data = source.data.copy()
    of_pixels = np.kron(numbers, np.ones((step, step), "uint8"))[: grid.height, : grid.width]
    data[np.isin(of_pixels, [1, 3])] = source.nodata
    masked = replace(source, data=data, path=Path(f"{path}-masked.tif"))
    write_source(masked)
    return Scene(source, classes, masked)


def read(session: Session, name: str, sql: str) -> tuple[np.ndarray, np.ndarray, str] | None:
    try:
        window = session.rows(sql)[0][0]
    except Exception as error:
        session.fail(f"{name}.error", error, f"  {sql}")
        return None
    found = np.frombuffer(window["data"], window["dtype"]).reshape(window["height"], window["width"])
    return found, np.frombuffer(window["mask"], "uint8").reshape(found.shape) != 0, window["dtype"]


def expected_values(scenes: list[Scene], target: Grid, resampling: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the values of all scenes as doubles, NaN if invalid; masks of pixels decided by rounding, and of pixels whose kernels
    contain no invalid pixels."""
    kind = Resampling[resampling]
    cols, rows = np.meshgrid(np.arange(target.width) + 0.5, np.arange(target.height) + 0.5)
    near = np.zeros(cols.shape, bool)
    exact = np.ones(cols.shape, bool)
    values = []
    for scene in scenes:
        source = scene.masked
        warped = warped_exactly(source, target, kind, source.nodata)
        x, y = places(source.grid, target, cols, rows)
        if resampling == "bilinear":
            # Validity is computed with exact positions, values with the kernel of the whole grid.
            at_once, has_exact_place = warped_at_once(source, target, kind, source.nodata, x, y)
            is_valid = warped != source.nodata
            exact &= ~is_valid | (
                has_exact_place & (at_once != source.nodata) & away_from_invalid(source, target, x, y, "bilinear")
            )
            warped = np.where(is_valid & (at_once != source.nodata), at_once, warped)
        values.append(np.where(warped != source.nodata, warped.astype("f8"), np.nan))
        tie = position_error(source.grid, target)
        near |= (np.abs(x - np.rint(x)) < tie) | (np.abs(y - np.rint(y)) < tie)
    return np.stack(values), near, exact


def combined(values: np.ndarray, method: str) -> np.ndarray:
    """Computes the mosaic with numpy; NaN where there are no values."""
    count = np.isfinite(values).sum(0)
    if method == "count":
        return count.astype("f8")
    if method in ("first", "last"):
        ordered = values if method == "first" else values[::-1]
        at = np.isfinite(ordered).argmax(0)
        return np.take_along_axis(ordered, at[None], 0)[0]
    reduce = {"min": np.nanmin, "max": np.nanmax, "mean": np.nanmean, "median": np.nanmedian, "stddev": np.nanstd}
    return reduce[method](values, axis=0)
