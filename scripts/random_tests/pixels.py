"""Compares `cog_read`, `cog_value` and `cog_zonal_stats` of a random TIFF with rasterio.

A pixel is valid if it is not nodata, and if neither the mask IFD nor the alpha band is 0. GDAL's mask band is based on only one of the
three, so that nodata is read from a copy of the file without mask and alpha.
"""

from __future__ import annotations

import math
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from .layouts import Layout, random_layout, random_pixels, write
from .session import Session, literal
from .texts import INTEGER_TEXT

POINTS = 6
# Decoders of the same JPEG may differ by one level (ITU-T T.83).
JPEG_LEVELS = 1
# Error of sums in another order, relative to the sum of absolute values.
ROUNDING = 1e-9
# Squares of larger values overflow.
LARGEST_SQUARED = 1e150


@dataclass(frozen=True)
class Expected:
    """The pixels of a level read by rasterio: arrays of (band, row, column)."""

    data: np.ndarray
    not_nodata: np.ndarray
    valid: np.ndarray
    scales: tuple[float, ...]
    offsets: tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """A file; describes differences."""

    session: Session
    path: Path
    layout: Layout

    @property
    def about(self) -> str:
        """The layout as one line."""
        return " ".join(repr(self.layout).split())

    def compare(self, name: str, same: bool, sql: str, expected: object, found: object) -> None:
        self.session.compare(name, same, lambda: f"  {self.about}\n  {sql}\n  expected {expected}\n  found    {found}")

    def value(self, name: str, sql: str) -> Any:
        """Returns the single value of a query; None after an error, which is counted."""
        try:
            return self.session.rows(sql)[0][0]
        except Exception as error:
            self.session.fail(f"{name}.error", error, f"  {self.about}\n  {sql}")
            return None


def run(session: Session, seed: str) -> None:
    """Writes the file and its copy without mask and alpha, and compares all results."""
    rng = random.Random(seed)
    layout = random_layout(rng)
    pixels = random_pixels(rng, layout)
    mask = np.random.default_rng(rng.getrandbits(32)).random(pixels.shape[1:]) < 0.7 if layout.mask else None
    path, twin = session.folder / f"{seed.replace('/', '-')}.tif", session.folder / "twin.tif"
    write(path, layout, pixels, mask)
    write(twin, layout.plain(), pixels, None)
    session.cases += 1
    case = Case(session, path, layout)
    differences = session.differences.total()
    for level in (0, 1) if layout.overview and min(layout.width, layout.height) > 1 else (0,):
        expected = read(path, twin, layout, level)
        if layout.is_fax:
            # libtiff loses a run that ends with the last bit of a tile, so the written pixels are expected.
            expected = replace(expected, data=pixels)
        check_metadata(case, expected)
        for band in {0, layout.count - 1}:
            check_read(case, expected, band, level)
            check_scaled(case, expected, band, level)
            if level == 0:
                check_window(case, expected, band, rng)
                check_values(case, expected, band, rng)
                check_zone(case, expected, band, rng)
    if session.differences.total() > differences and session.keep is not None:
        shutil.copy(path, session.keep)
    path.unlink()


def read(path: Path, twin: Path, layout: Layout, level: int) -> Expected:
    """Reads a level with rasterio."""
    options = {"overview_level": level - 1} if level else {}
    with (
        rasterio.Env(GDAL_PAM_ENABLED=False),
        rasterio.open(path) as whole,
        rasterio.open(path, **options) as source,
        rasterio.open(twin, **options) as plain,
    ):
        data = source.read()
        not_nodata = plain.read_masks() != 0
        valid = not_nodata.copy()
        if layout.mask:
            valid &= source.read_masks() != 0
        if ColorInterp.alpha in source.colorinterp:
            # GDAL reads the second of any number of bands as alpha if the first is grey.
            alpha = source.colorinterp.index(ColorInterp.alpha)
            others = np.arange(layout.count) != alpha
            valid[others] &= data[alpha] != 0
        # GDAL stores scales at the full resolution; they apply to all levels.
        return Expected(data, not_nodata, valid, whole.scales, whole.offsets)


def check_metadata(case: Case, expected: Expected) -> None:
    """Compares scale, offset and numeric nodata."""
    sql = f"SELECT cog_metadata({literal(case.path)})"
    found = case.value("cog_metadata", sql)
    if found is None:
        return
    for name, numbers, none in (("scale", expected.scales, 1.0), ("offset", expected.offsets, 0.0)):
        given = found[name] or [none] * len(numbers)
        case.compare(f"cog_metadata.{name}", np.array_equal(given, numbers, equal_nan=True), sql, numbers, found[name])
    if case.layout.nodata is not None and INTEGER_TEXT.fullmatch(case.layout.nodata) and case.layout.dtype != "float32":
        nodata = int(case.layout.nodata)
        if case.layout.dtype == "uint64":
            # GDAL uses strtoull, which reads negative numbers modulo 2^64.
            nodata %= 1 << 64
        nodata = float(nodata)
        case.compare("cog_metadata.nodata", found["nodata"] == nodata, sql, nodata, found["nodata"])


def same_pixels(layout: Layout, found: np.ndarray, expected: np.ndarray) -> bool:
    if layout.is_lossy:
        return bool((np.abs(found.astype(int) - expected.astype(int)) <= JPEG_LEVELS).all())
    return np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")


def arrays(layout: Layout, window: dict[str, Any], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels and the mask of a window."""
    shape = (window["height"], window["width"])
    return np.frombuffer(window["data"], dtype).reshape(shape), np.frombuffer(window["mask"], "uint8").reshape(shape)


def first_difference(same: np.ndarray, expected: np.ndarray, found: np.ndarray) -> tuple[str, str]:
    row, col = np.argwhere(~same)[0] if (~same).any() else (0, 0)
    return f"{expected[row, col]!r} at column {col}, row {row} ({(~same).sum()} such)", repr(found[row, col])


def equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (a == b) | ((a != a) & (b != b))


def check_read(case: Case, expected: Expected, band: int, level: int) -> None:
    """Compares the whole image, with and without mask and alpha."""
    dtype = "float16" if case.layout.dtype == "float32" and case.layout.bits == 16 else case.layout.dtype
    for masked, valid in ((True, expected.valid[band]), (False, expected.not_nodata[band])):
        sql = f"SELECT cog_read({literal(case.path)}, NULL, NULL, {{band_index: {band}, level: {level}, masked: {masked}}})"
        window = case.value("cog_read", sql)
        if window is None:
            return
        case.compare("cog_read.dtype", window["dtype"] == dtype, sql, dtype, window["dtype"])
        place = (window["width"], window["height"], window["col_off"], window["row_off"])
        whole = (*expected.data.shape[:0:-1], 0, 0)
        case.compare("cog_read.size", place == whole, sql, whole, place)
        if window["dtype"] != dtype or place != whole:
            return
        data, mask = arrays(case.layout, window, dtype)
        data, stored = data.astype(case.layout.dtype), expected.data[band]
        case.compare(
            "cog_read.data",
            same_pixels(case.layout, data, stored),
            sql,
            *first_difference(equal(data, stored), stored, data),
        )
        right = mask == np.where(valid, 255, 0)
        case.compare("cog_read.mask", bool(right.all()), sql, *_mask_difference(right, stored, mask))


def _mask_difference(right: np.ndarray, stored: np.ndarray, mask: np.ndarray) -> tuple[str, str]:
    row, col = np.argwhere(~right)[0] if (~right).any() else (0, 0)
    return (
        f"{255 - mask[row, col]} for {stored[row, col]!r} at column {col}, row {row} ({(~right).sum()} such)",
        f"{mask[row, col]}",
    )


def check_scaled(case: Case, expected: Expected, band: int, level: int) -> None:
    """Compares value * scale + offset, NaN for nodata."""
    sql = f"SELECT cog_read({literal(case.path)}, NULL, NULL, {{band_index: {band}, level: {level}, scaled: true}})"
    window = case.value("cog_read", sql)
    if window is None or case.layout.is_lossy:
        return
    case.compare("cog_read.scaled_dtype", window["dtype"] == "float64", sql, "float64", window["dtype"])
    data, _ = arrays(case.layout, window, window["dtype"])
    with np.errstate(all="ignore"):
        scaled = expected.data[band].astype("f8") * expected.scales[band] + expected.offsets[band]
        scaled = np.where(expected.not_nodata[band], scaled, np.nan)
        # With or without fused multiply-add: relative to the terms.
        close = np.abs(data - scaled) <= 1e-15 * (np.abs(scaled) + abs(expected.offsets[band]))
    looked_at = expected.valid[band] | ~expected.not_nodata[band]
    same = equal(data, scaled) | close | ~looked_at
    case.compare("cog_read.scaled", bool(same.all()), sql, *first_difference(same, scaled, data))


def georeferenced(case: Case, cols: np.ndarray, rows: np.ndarray) -> list[str]:
    """Converts pixel coordinates to coordinate pairs of WKT in the CRS of the raster."""
    transform = case.layout.transform
    x, y = (cols, rows) if transform is None else (transform.c + transform.a * cols, transform.f + transform.e * rows)
    return [f"{float(a)!r} {float(b)!r}" for a, b in zip(x, y)]


def rectangle(case: Case, left: float, top: float, right: float, bottom: float) -> str:
    ring = georeferenced(case, np.array([left, right, right, left, left]), np.array([top, top, bottom, bottom, top]))
    return f"POLYGON (({', '.join(ring)}))"


def check_window(case: Case, expected: Expected, band: int, rng: random.Random) -> None:
    """Compares a window of whole pixels, across tiles."""
    height, width = expected.data.shape[1:]
    left, top = rng.randrange(width), rng.randrange(height)
    right, bottom = rng.randint(left + 1, width), rng.randint(top + 1, height)
    shape = literal(rectangle(case, left, top, right, bottom))
    sql = f"SELECT cog_read({literal(case.path)}, NULL, {shape}, {{geometry_crs: 'native', band_index: {band}}})"
    window = case.value("cog_read", sql)
    if window is None:
        return
    place = (window["col_off"], window["row_off"], window["width"], window["height"])
    asked = (left, top, right - left, bottom - top)
    case.compare("cog_read.window", place == asked, sql, asked, place)
    if place != asked:
        return
    data, mask = arrays(case.layout, window, window["dtype"])
    part = np.s_[band, top:bottom, left:right]
    stored, valid = expected.data[part], expected.valid[part]
    same = same_pixels(case.layout, data.astype(case.layout.dtype), stored)
    case.compare("cog_read.window_data", same, sql, *first_difference(equal(data, stored), stored, data))
    right_mask = mask == np.where(valid, 255, 0)
    case.compare("cog_read.window_mask", bool(right_mask.all()), sql, *_mask_difference(right_mask, stored, mask))


def check_values(case: Case, expected: Expected, band: int, rng: random.Random) -> None:
    """Compares values at pixel centres."""
    height, width = expected.data.shape[1:]
    places = [(rng.randrange(width), rng.randrange(height)) for _ in range(POINTS)]
    centres = georeferenced(case, *(np.array(places).T + 0.5))
    points = ", ".join(literal(f"POINT ({centre})") for centre in centres)
    options = f"{{geometry_crs: 'native', band_index: {band}}}"
    sql = (
        f"SELECT list(cog_value({literal(case.path)}, NULL, point, {options}) ORDER BY number)"
        f" FROM (SELECT unnest([{points}]) AS point, unnest(range({POINTS})) AS number)"
    )
    answers = case.value("cog_value", sql)
    for (col, row), found in zip(places, answers or []):
        stored = float(expected.data[band, row, col]) if expected.valid[band, row, col] else None
        if found is None or stored is None:
            same = found is stored
        elif case.layout.is_lossy:
            same = abs(found - stored) <= JPEG_LEVELS
        else:
            same = found == stored or (found != found and stored != stored)
        case.compare("cog_value", same, sql, f"{stored} at column {col}, row {row}", found)


def overlap(low: float, high: float, count: int) -> np.ndarray:
    """Returns the share of each of `count` pixels that is between two coordinates."""
    edges = np.clip(np.arange(count + 1), low, high)
    return np.diff(edges)


def check_zone(case: Case, expected: Expected, band: int, rng: random.Random) -> None:
    """Compares statistics of a rectangle with partial pixels at its sides."""
    if case.layout.is_lossy:
        return
    height, width = expected.data.shape[1:]
    left, top = rng.uniform(-1, width), rng.uniform(-1, height)
    right, bottom = left + rng.uniform(0.1, width), top + rng.uniform(0.1, height)
    shape = literal(rectangle(case, left, top, right, bottom))
    sql = f"SELECT cog_zonal_stats({literal(case.path)}, NULL, {shape}, {{geometry_crs: 'native', band_index: {band}}})"
    found = case.value("cog_zonal_stats", sql)
    if found is None:
        return
    weights = np.outer(overlap(top, bottom, height), overlap(left, right, width))
    values = expected.data[band].astype("f8")
    counted = (weights > 0) & expected.valid[band] & ~np.isnan(values)
    statistics, tolerances = weighted(values[counted], weights[counted])
    # Products below the smallest normal number are rounded to multiples of this.
    rounding = math.ulp(0.0) * np.count_nonzero(counted)
    for name, number in statistics.items():
        given = found[name]
        same = (
            given is number
            if given is None or number is None
            else given == number or abs(given - number) <= tolerances[name] + rounding
        )
        case.compare(f"cog_zonal_stats.{name}", same, sql, f"{name} {number!r}", found)


def weighted(values: np.ndarray, weights: np.ndarray) -> tuple[dict[str, float | None], dict[str, float]]:
    """Returns weighted statistics and their tolerances, without statistics affected by infinities or overflow."""
    count = float(weights.sum())
    if not len(values):
        return {"count": 0.0, "sum": None, "mean": None, "min": None, "max": None, "variance": None}, {"count": 0.0}
    size = float(np.abs(values).max())
    statistics: dict[str, float | None] = {"count": count, "min": float(values.min()), "max": float(values.max())}
    tolerances = {"count": ROUNDING * max(count, 1), "min": 0.0, "max": 0.0}
    if size < LARGEST_SQUARED:
        mean = float((weights * values).sum() / count)
        statistics |= {
            "sum": mean * count,
            "mean": mean,
            "variance": float((weights * (values - mean) ** 2).sum() / count),
        }
        tolerances |= {"sum": ROUNDING * size * max(count, 1), "mean": ROUNDING * size, "variance": ROUNDING * size**2}
    return statistics, tolerances
