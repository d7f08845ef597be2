"""Compares all operations on zones of a random raster, with a mask and weights on other grids, with exactextract 0.3.

Values of the mask and weights at pixel centres are computed by GDAL's warper (nearest, no approximation) in the same CRS, and with pyproj
between CRSs. exactextract then runs on an array of doubles with NaN for invalid pixels, so that quantiles of integers are not truncated.
It stores coverage in single precision: only sums are compared for zones with a pixel of minimal coverage.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from rasterio.warp import Resampling, reproject

from .session import Session, literal

ZONES, POINTS = 25, 12
CRS, LEFT, TOP, PIXEL = "EPSG:32631", 500_000.0, 4_600_000.0, 10.0
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Rounding of exactextract's coverage may change a quantile, which is therefore compared with quantiles slightly below and above.
NEAR = 1e-5
# Error of coverage in single precision, relative to sums.
SINGLE = 1e-5
# exactextract may omit pixels with less coverage.
HARDLY = 1e-5
KINDS = ("same", "half", "twice", "odd", "rotated", "degrees", "next zone")


@dataclass(frozen=True)
class Other:
    """A mask or weights: a file, its SQL, and its values at the pixels of the raster, NaN if it has none."""

    about: str
    sql: str
    values: np.ndarray


@dataclass(frozen=True)
class Raster:
    """The raster of a case."""

    path: Path
    pixels: np.ndarray
    nodata: float | None

    @property
    def transform(self) -> Affine:
        return Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP)

    @property
    def values(self) -> np.ndarray:
        values = self.pixels.astype("float64")
        return values if self.nodata is None else np.where(values == self.nodata, np.nan, values)


def run(session: Session, seed: str) -> None:
    """Writes the files of a case and compares all of its zones."""
    rng, numbers = random.Random(seed), np.random.default_rng(random.Random(f"{seed}/numbers").getrandbits(64))
    name = seed.replace("/", "-").replace(" ", "-")
    raster = random_raster(session.folder / f"{name}.tif", rng, numbers)
    mask = random_mask(session.folder / f"{name}-mask.tif", raster, rng, numbers) if rng.random() < 0.75 else None
    weights = (
        random_weights(session.folder / f"{name}-weights.tif", raster, rng, numbers) if rng.random() < 0.6 else None
    )
    kept = np.ones(raster.pixels.shape, bool) if mask is None else mask.values == 1
    values = np.where(kept, raster.values, np.nan)
    zones = random_zones(raster, rng, numbers)
    about = f"{raster.pixels.dtype} {raster.pixels.shape[::-1]} nodata {raster.nodata}, mask {mask and mask.about}, weights {weights and weights.about}"
    options = {"geometry_crs": "'native'"}
    if mask is not None:
        options["mask"] = mask.sql
    case = Case(session, about, raster, values, kept, options, weights)
    session.cases += len(zones)
    case.check_zones(zones)
    case.check_pixels(zones[0], rng)
    for path in session.folder.glob(f"{name}*.tif"):
        path.unlink()


def write(
    path: Path, pixels: np.ndarray, crs: str, transform: Affine, rng: random.Random, nodata: float | None
) -> None:
    height, width = pixels.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": pixels.dtype, "crs": crs, "transform": transform,
        "nodata": nodata, "tiled": True, "blockxsize": 16 * rng.randint(1, 4), "blockysize": 16 * rng.randint(1, 4),
        "compress": rng.choice(["deflate", "lzw", "zstd"]),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)


def random_raster(path: Path, rng: random.Random, numbers: np.random.Generator) -> Raster:
    """Returns a raster with few or many values of any type, including NaN for floats."""
    shape = (rng.randint(3, 90), rng.randint(3, 90))
    dtype = np.dtype(rng.choice(["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]))
    few = rng.random() < 0.5
    pixels = numbers.integers(0, 6 if few else 120, shape).astype(dtype)
    if dtype.kind == "f":
        if not few:
            pixels = (numbers.standard_normal(shape) * 100).astype(dtype)
        if rng.random() < 0.5:
            pixels[numbers.random(shape) < 0.1] = np.nan
    elif dtype.kind == "i" and not few:
        pixels = (pixels - 60).astype(dtype)
    nodata = float(pixels[0, 0]) if rng.random() < 0.6 and not math.isnan(pixels[0, 0]) else None
    raster = Raster(path, pixels, nodata)
    write(path, pixels, CRS, raster.transform, rng, nodata)
    return raster


def random_grid(kind: str, raster: Raster, rng: random.Random) -> tuple[str, Affine, tuple[int, int]]:
    """Returns CRS, transform and shape of a grid that covers most of the raster."""
    height, width = raster.pixels.shape
    left, top = LEFT + PIXEL * rng.randint(-4, 4), TOP + PIXEL * rng.randint(-4, 4)
    match kind:
        case "same":
            return CRS, raster.transform, (height, width)
        case "half":
            return CRS, Affine(2 * PIXEL, 0, LEFT, 0, -2 * PIXEL, TOP), ((height + 1) // 2, (width + 1) // 2)
        case "twice":
            return CRS, Affine(PIXEL / 2, 0, left, 0, -PIXEL / 2, top), (2 * height, 2 * width)
        case "odd":
            return CRS, Affine(17.3, 0, left + 3.7, 0, -23.9, top - 4.1), (height // 2 + 1, width // 2 + 2)
        case "rotated":
            turned = (
                Affine.translation(left + 100.3, top + 200.7)
                * Affine.rotation(-rng.uniform(5, 80))
                * Affine.scale(12, -9)
            )
            return CRS, turned, (height + 20, width + 20)
        case "degrees":
            west, north = rng.uniform(2.985, 3.0001), rng.uniform(41.5501, 41.556)
            return (
                "EPSG:4326",
                Affine(0.00021, 0, west, 0, -0.00017, north),
                (rng.randint(10, 90), rng.randint(10, 120)),
            )
    x, y = pyproj.Transformer.from_crs(CRS, "EPSG:32632", always_xy=True).transform(LEFT, TOP)
    return "EPSG:32632", Affine(13.0, 0, x - 60.2, 0, -11.0, y + 70.9), (height + 10, width + 10)


def at_centres(pixels: np.ndarray, nodata: float | None, crs: str, transform: Affine, raster: Raster) -> np.ndarray:
    """Returns the values of another raster at the pixel centres; NaN outside and for nodata."""
    shape = raster.pixels.shape
    values = pixels.astype("float64")
    if nodata is not None:
        values[values == nodata] = np.nan
    if crs == CRS:
        found = np.full(shape, np.nan)
        reproject(
            values, found, src_transform=transform, src_crs=crs, dst_transform=raster.transform, dst_crs=CRS, src_nodata=np.nan,
            dst_nodata=np.nan, resampling=Resampling.nearest, tolerance=0, num_threads=1,
        )  # fmt: skip
        return found
    cols, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    x, y = raster.transform * (cols, rows)
    x, y = pyproj.Transformer.from_crs(CRS, crs, always_xy=True).transform(x, y)
    col, row = ~transform * (x, y)
    inside = (col >= 0) & (row >= 0) & (col < pixels.shape[1]) & (row < pixels.shape[0])
    found = np.full(shape, np.nan)
    found[inside] = values[row[inside].astype(int), col[inside].astype(int)]
    return found


def random_mask(path: Path, raster: Raster, rng: random.Random, numbers: np.random.Generator) -> Other:
    """Returns a mask of classes with a rule; its values are 1 for kept pixels."""
    kind = rng.choice(KINDS)
    crs, transform, shape = random_grid(kind, raster, rng)
    pixels = numbers.integers(0, 12, shape).astype(rng.choice(["uint8", "int16", "uint16", "float32"]))
    if rng.random() < 0.3:
        pixels = np.repeat(np.repeat(pixels, 3, 0), 3, 1)[: shape[0], : shape[1]]
    nodata = float(rng.randint(0, 11)) if rng.random() < 0.5 else None
    write(path, pixels, crs, transform, rng, nodata)
    found = at_centres(pixels, nodata, crs, transform, raster)
    rule = rng.choice(["keep", "drop", "bits"])
    listed = sorted(rng.sample(range(4 if rule == "bits" else 12), rng.randint(1, 3)))
    known = np.nan_to_num(found, nan=0).astype(int)
    counts = {
        "keep": np.isin(known, listed),
        "drop": ~np.isin(known, listed),
        "bits": (known & sum(1 << bit for bit in listed)) == 0,
    }[rule]
    about = f"{kind} {pixels.dtype} nodata {nodata} {rule} {listed}"
    sql = f"{{href: {literal(path)}, {rule}: {listed}}}"
    return Other(about, sql, np.where(counts & ~np.isnan(found), 1.0, np.nan))


def random_weights(path: Path, raster: Raster, rng: random.Random, numbers: np.random.Generator) -> Other:
    """Returns weights as integers or floats, with nodata or NaN."""
    kind = rng.choice(KINDS)
    crs, transform, shape = random_grid(kind, raster, rng)
    whole = rng.random() < 0.5
    pixels = numbers.integers(0, 5, shape).astype("uint8") if whole else numbers.random(shape).astype("float32")
    nodata = 3.0 if whole and rng.random() < 0.3 else None
    if not whole and rng.random() < 0.2:
        pixels[numbers.random(shape) < 0.02] = np.nan
    write(path, pixels, crs, transform, rng, nodata)
    found = at_centres(pixels, nodata, crs, transform, raster)
    return Other(f"{kind} {pixels.dtype} nodata {nodata}", f"{{href: {literal(path)}}}", found)


def random_zones(raster: Raster, rng: random.Random, numbers: np.random.Generator) -> list[shapely.Polygon]:
    """Returns stars of any size, inside and across the sides of the raster."""
    height, width = raster.pixels.shape
    zones: list[shapely.Polygon] = []
    while len(zones) < ZONES:
        centre = np.array([LEFT, TOP]) + [
            rng.uniform(-0.1, 1.1) * width * PIXEL,
            -rng.uniform(-0.1, 1.1) * height * PIXEL,
        ]
        angles = np.sort(numbers.uniform(0, 2 * np.pi, rng.randint(3, 9)))
        radii = rng.uniform(1, PIXEL * max(width, height) / 2) * numbers.uniform(0.4, 1, len(angles))
        zone = shapely.Polygon(centre + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]))
        if zone.is_valid and zone.area > 1:
            zones.append(zone)
    return zones


@dataclass(frozen=True)
class Case:
    """A raster with its mask and weights; describes differences."""

    session: Session
    about: str
    raster: Raster
    values: np.ndarray
    # Whether the mask keeps a pixel.
    kept: np.ndarray
    options: dict[str, str]
    weights: Other | None

    def call(self, function: str, geometry: str, *further: str, **options: str) -> str:
        """Returns a call of a function with the parameters `href, metadata, geometry`."""
        given = ", ".join(f"{name}: {value}" for name, value in {**self.options, **options}.items())
        return f"{function}({literal(self.raster.path)}, NULL, {', '.join([geometry, *further])}, {{{given}}})"

    def compare(self, check: str, same: bool, zone: object, expected: object, found: object) -> None:
        describe = f"  {self.about}\n  {zone}\n  expected {expected}\n  found    {found}"
        self.session.compare(f"zones.{check}", same, lambda: describe)

    def rows(self, check: str, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self.session.rows(sql)
        except Exception as error:
            self.session.fail(f"zones.{check}.error", error, f"  {self.about}\n  {sql}")
            return []

    def exact(
        self, values: np.ndarray, zones: list[shapely.Polygon], operations: list[str], **options: Any
    ) -> list[dict[str, Any]]:
        features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(zone)} for zone in zones]
        return [row["properties"] for row in exact_extract(self.source(values), features, operations, **options)]

    def source(self, values: np.ndarray) -> NumPyRasterSource:
        height, width = values.shape
        return NumPyRasterSource(values, LEFT, TOP - PIXEL * height, LEFT + PIXEL * width, TOP, nodata=np.nan)

    def check_zones(self, zones: list[shapely.Polygon]) -> None:
        """Compares every statistic of every zone."""
        quantiles = [each for quantile in QUANTILES for each in (quantile - NEAR, quantile, quantile + NEAR)]
        weights = {} if self.weights is None else {"weights": self.weights.sql}
        calls = (
            self.call("cog_zonal_stats", "g", **weights),
            self.call("cog_zonal_quantiles", "g", str(quantiles)),
            self.call("cog_zonal_classes", "g"),
            self.call("cog_pixels", "g").replace(
                f"{literal(self.raster.path)}, NULL", f"[{literal(self.raster.path)}]"
            ),
        )
        texts = ", ".join(
            f"({at}, {literal(shapely.to_wkt(zone, rounding_precision=-1))})" for at, zone in enumerate(zones)
        )
        rows = self.rows("query", f"SELECT {', '.join(calls)} FROM (VALUES {texts}) t(i, g) ORDER BY i")
        plain = self.exact(self.values, zones, ["count", "sum", "mean", "min", "max", "stdev", "variance", "unique", "frac"]
                           + [f"quantile(q={quantile})" for quantile in QUANTILES])  # fmt: skip
        weighted = [{}] * len(zones)
        if self.weights is not None:
            names = ["weighted_sum", "weighted_mean", "weighted_stdev", "weighted_variance"]
            weighted = self.exact(self.values, zones, names, weights=self.source(self.weights.values))
        for zone, row, of_zone, of_weights in zip(zones, rows, plain, weighted, strict=bool(rows)):
            statistics, found_quantiles, classes, pixels = row
            self.check_table(zone, statistics, pixels)
            numbers = [
                pixel for pixel in pixels if pixel["values"][0] is not None and not math.isnan(pixel["values"][0])
            ]
            covered = [pixel["coverage"] for pixel in numbers]
            hardly = any(coverage < HARDLY for coverage in covered)
            self.check_statistics(zone, of_zone, statistics, hardly)
            if not hardly and covered:
                self.check_quantiles(zone, of_zone, found_quantiles)
                self.check_classes(zone, of_zone, classes)
            self.check_weighted(zone, of_weights, statistics, bool(covered) and not hardly)

    def close(self, expected: float | None, found: float | None, size: float) -> bool:
        """Whether numbers are equal in single precision, relative to sums of the given size."""
        expected = None if expected is None or math.isnan(expected) else expected
        if expected is None or found is None:
            return expected is None and found is None
        return abs(expected - found) <= SINGLE * max(size, abs(expected))

    @property
    def span(self) -> float:
        return float(np.nanmax(np.abs(self.values), initial=1.0)) if np.isfinite(self.values).any() else 1.0

    def check_statistics(
        self, zone: shapely.Polygon, expected: dict[str, Any], found: dict[str, Any], hardly: bool
    ) -> None:
        pairs = {"count": 1.0, "sum": self.span * max(1.0, found["count"])}
        if not hardly:
            pairs |= {"mean": self.span, "min": 0.0, "max": 0.0, "stdev": 30 * self.span, "variance": 30 * self.span**2}
        for name, size in pairs.items():
            own = {"stdev": "stddev"}.get(name, name)
            wanted = None if name != "count" and expected["count"] == 0 else expected[name]
            if name == "sum" and hardly and found[own] is None:
                continue
            if name == "sum" and hardly and wanted is None:
                wanted = 0.0
            self.compare(name, self.close(wanted, found[own], size), zone.wkt, wanted, found[own])

    def check_quantiles(self, zone: shapely.Polygon, expected: dict[str, Any], found: list[float]) -> None:
        for at, quantile in enumerate(QUANTILES):
            wanted, (low, _, high) = expected[f"quantile_{round(quantile * 100)}"], found[3 * at : 3 * at + 3]
            same = (
                wanted is not None and low is not None and low - 1e-9 * self.span <= wanted <= high + 1e-9 * self.span
            )
            self.compare("quantiles", same, f"{quantile} of {zone.wkt}", wanted, found[3 * at + 1])

    def check_classes(self, zone: shapely.Polygon, expected: dict[str, Any], found: list[dict[str, float]]) -> None:
        shares = dict(zip(np.asarray(expected["unique"]).tolist(), np.asarray(expected["frac"]).tolist(), strict=True))
        own = {each["value"]: each["fraction"] for each in found}
        same = shares.keys() == own.keys() and all(abs(shares[value] - own[value]) <= SINGLE for value in shares)
        same = same and [each["value"] for each in found] == sorted(own)
        self.compare("classes", same, zone.wkt, sorted(shares.items()), found)

    def check_weighted(
        self, zone: shapely.Polygon, expected: dict[str, Any], found: dict[str, Any], is_covered: bool
    ) -> None:
        for name in ("sum", "mean", "stdev", "variance"):
            own = found[f"weighted_{'stddev' if name == 'stdev' else name}"]
            if not expected or not is_covered:
                self.compare("weighted", bool(expected) or own is None, zone.wkt, None, own)
                continue
            size = {"sum": self.span * 5 * found["count"], "mean": self.span}.get(
                name, 30 * self.span ** (1 + (name == "variance"))
            )
            wanted = expected[f"weighted_{name}"]
            self.compare("weighted", self.close(wanted, own, size), f"{name} of {zone.wkt}", wanted, own)

    def check_table(self, zone: shapely.Polygon, statistics: dict[str, Any], pixels: list[dict[str, Any]]) -> None:
        """Checks that the pixels of the zone have the values of the array and add up to the statistics."""
        valid = [(pixel["values"][0], pixel["coverage"]) for pixel in pixels if pixel["values"][0] is not None]
        expected = [self.values[pixel["row"], pixel["col"]] for pixel in pixels]
        found = [pixel["values"][0] for pixel in pixels]
        same = all(
            np.isnan(wanted) if value is None or math.isnan(value) else wanted == value
            for wanted, value in zip(expected, found, strict=True)
        )
        self.compare("pixels", same, zone.wkt, expected[:9], found[:9])
        numbers = [(value, coverage) for value, coverage in valid if not math.isnan(value)]
        total = math.fsum(coverage for _, coverage in numbers)
        self.compare(
            "pixels.count",
            abs(total - statistics["count"]) <= 1e-9 * max(1.0, total),
            zone.wkt,
            total,
            statistics["count"],
        )

    def check_pixels(self, zone: shapely.Polygon, rng: random.Random) -> None:
        """Compares the whole image, as a window and as rows, and values at points."""
        ((window,),) = self.rows("read", f"SELECT {self.call('cog_read', 'NULL')}") or ((None,),)
        if window is not None:
            valid = np.frombuffer(window["mask"], "uint8").reshape(self.values.shape) == 255
            # In a window, NaN is a valid value unless it is nodata.
            expected = ~np.isnan(self.values) | self.kept_nan()
            self.compare("read", bool((valid == expected).all()), "whole image", int(expected.sum()), int(valid.sum()))
        mask = f", mask := {self.options['mask']}" if "mask" in self.options else ""
        numbers = "count(value) FILTER (NOT isnan(value)), sum(value) FILTER (NOT isnan(value))"
        for row in self.rows("table", f"SELECT {numbers} FROM cog_pixels({literal(self.raster.path)}, NULL{mask})"):
            known = self.values[~np.isnan(self.values)]
            same = row[0] == known.size and abs((row[1] or 0) - known.sum()) <= 1e-9 * self.span * max(1, known.size)
            self.compare("table", same, "whole image", (known.size, known.sum()), row)
        height, width = self.values.shape
        for _ in range(POINTS):
            col, row = rng.uniform(0, width), rng.uniform(0, height)
            point = literal(f"POINT({LEFT + PIXEL * col!r} {TOP - PIXEL * row!r})")
            for value, values in self.rows(
                "value", f"SELECT {self.call('cog_value', point)}, {self.call('cog_values', point)}"
            ):
                wanted = self.values[int(row), int(col)]
                same = np.isnan(wanted) if value is None or math.isnan(value) else wanted == value
                self.compare("value", bool(same), point, wanted, value)
                both = (
                    value is None
                    if values[0] is None
                    else value == values[0] or math.isnan(value) and math.isnan(values[0])
                )
                self.compare("values", both, point, value, values)

    def kept_nan(self) -> np.ndarray:
        """Returns the pixels that are NaN in the file and kept by the mask."""
        if self.raster.pixels.dtype.kind != "f":
            return np.zeros(self.values.shape, bool)
        return np.isnan(self.raster.pixels.astype("float64")) & self.kept
