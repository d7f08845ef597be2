"""Random georeferenced grids, and the files that hold them.

Pixel (col, row) of a grid of some width holds `row * width + col + 1`, so that a value names its pixel.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from affine import Affine

from .projections import transformer

TILE = 16
NORTH_POLAR = ["EPSG:3413", "EPSG:3995", "EPSG:6931", "EPSG:32661", "EPSG:3575"]
SOUTH_POLAR = ["EPSG:3031", "EPSG:3976", "EPSG:6932", "EPSG:32761"]
# (CRS, west, south, east, north): where scenes of it lie.
REGIONAL = [
    ("EPSG:3035", -8, 37, 28, 66),
    ("EPSG:3034", -8, 37, 28, 66),
    ("EPSG:2154", -4, 42, 8, 50),
    ("EPSG:3577", 116, -40, 150, -12),
    ("EPSG:2193", 167, -46, 178, -35),
    ("EPSG:3857", -178, -80, 178, 80),
    ("EPSG:6933", -178, -80, 178, 80),
    ("EPSG:8857", -170, -70, 170, 70),
]
# MODIS's, on a sphere; its corners are not on Earth.
MODIS = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs +type=crs"
# (CRS, half width, half height) of maps of the whole world, in metres. None is equirectangular: PROJ changed that formula with 9.8.
WORLD_MAPS = [
    ("EPSG:6933", 17_367_530.445161372, 7_314_540.830638599),
    ("EPSG:3857", 20_037_508.342789244, 20_037_508.342789244),
    ("EPSG:3395", 20_037_508.342789244, 19_994_875.0),
    ("EPSG:8857", 17_243_959.0622, 8_392_927.5985),
    (MODIS, 20_015_109.354, 10_007_554.677),
]


@dataclass(frozen=True)
class Grid:
    """A north-up or rotated image in a CRS."""

    crs: str
    transform: Affine
    width: int
    height: int

    @cached_property
    def in_degrees(self) -> bool:
        return pyproj.CRS(self.crs).is_geographic

    @cached_property
    def values(self) -> np.ndarray:
        return np.arange(1, self.width * self.height + 1, dtype="uint16").reshape(self.height, self.width)

    @cached_property
    def pixels_per_turn(self) -> np.ndarray:
        """360 degrees of longitude as a vector of (columns, rows)."""
        a, b, _, d, e, _ = self.transform[:6]
        return np.array([e, -d]) * 360 / (a * e - b * d)

    def world(self, cols: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b, c, d, e, f = self.transform[:6]
        return a * cols + b * rows + c, d * cols + e * rows + f

    def pixel(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of `world`; one division per axis without rotation, which keeps whole numbers whole."""
        a, b, c, d, e, f = self.transform[:6]
        if b == 0 and d == 0:
            return (x - c) / a, (y - f) / e
        determinant = a * e - b * d
        return ((x - c) * e - (y - f) * b) / determinant, ((y - f) * a - (x - c) * d) / determinant

    @property
    def profile(self) -> str:
        """Arguments of rasterio.open that make the file."""
        numbers = ", ".join(map(repr, self.transform[:6]))
        return (
            f"driver='GTiff', width={self.width}, height={self.height}, count=1, dtype='uint16', crs={self.crs!r},"
            f" transform=Affine({numbers}), tiled=True, blockxsize={TILE}, blockysize={TILE}"
        )

    def write(self, path: Path) -> None:
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=self.width,
            height=self.height,
            count=1,
            dtype="uint16",
            crs=self.crs,
            transform=self.transform,
            tiled=True,
            blockxsize=TILE,
            blockysize=TILE,
        ) as target:
            target.write(self.values, 1)

    def recipe(self, path: Path) -> str:
        """Python that makes the file again."""
        return (
            f"with rasterio.open({str(path)!r}, 'w', {self.profile}) as target:"
            f" target.write(np.arange(1, {self.width * self.height + 1}, dtype='uint16').reshape(1, {self.height}, {self.width}))"
        )


def size(rng: random.Random) -> tuple[int, int]:
    return rng.randint(3, 40), rng.randint(3, 40)


def north_up(x: float, y: float, dx: float, dy: float) -> Affine:
    """A transform with (x, y) at the upper left corner."""
    return Affine(dx, 0, x, 0, -dy, y)


def scene(rng: random.Random) -> Grid:
    """A small image of a projected CRS within its area of use, now and then rotated or south-up."""
    width, height = size(rng)
    if rng.random() < 0.5:
        longitude, latitude = rng.uniform(-177, 177), rng.uniform(-79, 83)
        crs = f"EPSG:{(32600 if latitude > 0 else 32700) + int((longitude + 180) // 6) + 1}"
    else:
        crs, west, south, east, north = rng.choice(REGIONAL)
        longitude, latitude = rng.uniform(west, east), rng.uniform(south, north)
    x, y = transformer("OGC:CRS84", crs).transform(longitude, latitude)
    pixel = rng.choice([30.0, 100.0, 500.0, 2000.0])
    kind = rng.random()
    if kind < 0.7:
        transform = north_up(x, y, pixel, pixel)
    elif kind < 0.8:
        transform = Affine(pixel, 0, x, 0, pixel, y)
    else:
        transform = Affine.translation(x, y) @ Affine.rotation(rng.uniform(-180, 180)) @ Affine.scale(pixel, -pixel)
    return Grid(crs, transform, width, height)


def polar(rng: random.Random) -> Grid:
    """A polar image: the pole inside, on a side, in a corner, just outside, or far away."""
    width, height = size(rng)
    crs = rng.choice(NORTH_POLAR + SOUTH_POLAR)
    latitude = 90 if crs in NORTH_POLAR else -90
    x, y = transformer("OGC:CRS84", crs).transform(0, latitude)
    # The largest reach into the other hemisphere, and beyond what is on Earth.
    pixel = rng.choice([1000.0, 12_500.0, 25_000.0, 50_000.0, 50_000.0, 250_000.0, 600_000.0])
    inside = rng.uniform(0, width), rng.uniform(0, height)
    col, row = rng.choice(
        [
            inside,
            (float(rng.randint(0, width)), float(rng.randint(0, height))),
            (0.0, inside[1]),
            (inside[0], float(height)),
            (float(width), 0.0),
            (-1000 / pixel, inside[1]),
            (inside[0], height + 1000 / pixel),
            (rng.uniform(-2, 3) * width, rng.uniform(-2, 3) * height),
        ]
    )
    return Grid(crs, north_up(x - col * pixel, y + row * pixel, pixel, pixel), width, height)


def longitudes(rng: random.Random) -> Grid:
    """An image in degrees: global in several conventions, across a seam, beyond 180, wider than the world, at a pole."""
    step = rng.choice([10.0, 12.0, 15.0, 20.0])
    around, tall = round(360 / step), round(180 / step)
    kind = rng.choice(["180", "360", "centred", "beyond", "wide", "seam", "pole", "small", "south-up", "shifted"])
    if kind in ("180", "360", "south-up"):
        west = 0.0 if kind == "360" else -180.0
        if kind == "south-up":
            return Grid("EPSG:4326", Affine(step, 0, west, 0, step, -90), around, tall)
        return Grid("EPSG:4326", north_up(west, 90, step, step), around, tall)
    if kind == "centred":
        west = rng.choice([-180.0, 0.0]) - step / 2
        return Grid("EPSG:4326", north_up(west, 90 + step / 2, step, step), around, tall + 1)
    if kind == "wide":
        extra = rng.randint(1, 6)
        return Grid(
            "EPSG:4326", north_up(rng.choice([-180.0, -190.0, 0.0, -200.0]), 90, step, step), around + extra, tall
        )
    if kind == "shifted":
        return Grid("EPSG:4326", north_up(rng.uniform(-180, 180), 90, step, step), around, tall)
    width, height = size(rng)
    fine = rng.choice([0.01, 0.1, 1.0])
    if kind == "beyond":
        return Grid(
            "EPSG:4326", north_up(rng.choice([181.0, 190.0, 200.0]), rng.uniform(0, 70), fine, fine), width, height
        )
    if kind == "seam":
        west = rng.choice([180.0, -180.0, 0.0, 360.0]) - rng.uniform(0, 1) * width * fine
        return Grid("EPSG:4326", north_up(west, rng.uniform(0, 70), fine, fine), width, height)
    if kind == "pole":
        north = 90.0 if rng.random() < 0.5 else height * fine - 90
        return Grid("EPSG:4326", north_up(rng.uniform(-180, 140), north, fine, fine), width, height)
    return Grid("EPSG:4326", north_up(rng.uniform(-180, 140), rng.uniform(-40, 80), fine, fine), width, height)


def world_map(rng: random.Random) -> Grid:
    """A projected map of the whole world; corners of some are not on Earth."""
    crs, half_width, half_height = rng.choice(WORLD_MAPS)
    width = rng.randint(16, 48)
    pixel = 2 * half_width / width
    height = math.ceil(2 * half_height / pixel)
    return Grid(crs, north_up(-half_width, half_height, pixel, pixel), width, height)


def random_grid(rng: random.Random) -> Grid:
    return rng.choice([scene, polar, polar, longitudes, longitudes, world_map])(rng)
