"""Generates geometries over small images, and the pixels that GDAL and exactextract select: `scripts/make-coverage-cases`.

Writes crates/cog/tests/coverage_cases.tsv, one case per line, tab-separated:

    center | all_touched | fraction    by rasterio.features.rasterize, the same with all_touched, and exactextract
    up | down                          direction of y in world coordinates: `up` is opposite to the rows, as in most rasters
    width, height                      of the image, in pixels
    WKT                                in pixel coordinates, y downwards
    pixels                             `row:start-end` for burnt pixels, `row:col=weight` for weighted pixels, separated by blanks

Geometries are random, from a fixed seed. Vertices have arbitrary coordinates, or multiples of 1/2, 1/4 or 1/8 pixel, so that many edges
run through corners, along sides and through centres of pixels. Many geometries extend beyond the image.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, mapping
from shapely.geometry.base import BaseGeometry

CASES = Path(__file__).resolve().parent.parent / "crates" / "cog" / "tests" / "coverage_cases.tsv"
SEED = 20240607
# A reflection or the identity, so that coordinates remain exact.
WORLDS = {"up": Affine(1, 0, 0, 0, -1, 0), "down": Affine(1, 0, 0, 0, 1, 0)}


def snapped(rng: random.Random) -> float:
    """Returns a random spacing of vertices, 0 for arbitrary coordinates."""
    return rng.choice([0, 0, 0, 1, 0.5, 0.25, 0.125])


def vertex(x: float, y: float, grid: float) -> tuple[float, float]:
    return (round(x / grid) * grid, round(y / grid) * grid) if grid else (x, y)


def star(rng: random.Random, width: int, height: int) -> Polygon:
    """Returns a star-shaped polygon, sometimes with a hole."""
    grid = snapped(rng)
    x, y = rng.uniform(-2, width + 2), rng.uniform(-2, height + 2)
    size = math.exp(rng.uniform(math.log(0.05), math.log(30)))
    angles = sorted(rng.uniform(0, math.tau) for _ in range(rng.randint(3, 12)))
    if rng.random() < 0.5:
        angles.reverse()
    spokes = [(angle, size * rng.uniform(0.3, 1)) for angle in angles]
    ring = [vertex(x + length * math.cos(angle), y + length * math.sin(angle), grid) for angle, length in spokes]
    holes = []
    if rng.random() < 0.3:
        part = rng.uniform(0.2, 0.8)
        holes = [[vertex(x + part * (px - x), y + part * (py - y), grid) for px, py in ring]]
    return Polygon(ring, holes)


def sliver(rng: random.Random, width: int, height: int) -> Polygon:
    """Returns a long, thin triangle."""
    grid = snapped(rng)
    a, b = ((rng.uniform(-3, width + 3), rng.uniform(-3, height + 3)) for _ in "ab")
    c = (b[0] + rng.uniform(-0.2, 0.2), b[1] + rng.uniform(-0.2, 0.2))
    return Polygon([vertex(*a, grid), vertex(*b, grid), c])


def box(rng: random.Random, width: int, height: int) -> Polygon:
    grid = rng.choice([1, 0.5, 0.25, 0])
    xs = sorted(rng.uniform(-2, width + 2) for _ in "ab")
    ys = sorted(rng.uniform(-2, height + 2) for _ in "ab")
    corners = [(xs[0], ys[0]), (xs[1], ys[0]), (xs[1], ys[1]), (xs[0], ys[1])]
    if rng.random() < 0.5:
        corners.reverse()
    return Polygon([vertex(x, y, grid) for x, y in corners])


def line(rng: random.Random, width: int, height: int) -> LineString:
    grid = snapped(rng)
    count = rng.randint(2, 5)
    return LineString([vertex(rng.uniform(-3, width + 3), rng.uniform(-3, height + 3), grid) for _ in range(count)])


def point(rng: random.Random, width: int, height: int) -> Point:
    return Point(vertex(rng.uniform(-1, width + 1), rng.uniform(-1, height + 1), snapped(rng)))


def geometry(rng: random.Random, width: int, height: int) -> BaseGeometry:
    kind = rng.random()
    make = star if kind < 0.55 else box if kind < 0.65 else sliver if kind < 0.75 else line if kind < 0.92 else point
    if rng.random() < 0.85:
        return make(rng, width, height)
    parts = [make(rng, width, height) for _ in range(rng.randint(2, 3))]
    return {Polygon: MultiPolygon, LineString: MultiLineString, Point: MultiPoint}[type(parts[0])](parts)


def is_usable(shape: BaseGeometry) -> bool:
    """Whether the geometry is valid for the geometry reader, which accepts overlapping parts of a multipolygon."""
    parts = shape.geoms if hasattr(shape, "geoms") else [shape]
    return all(part.is_valid and not part.is_empty for part in parts)


def in_world(shape: BaseGeometry, world: str) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: xy * (1, WORLDS[world].e))


def burnt(shape: BaseGeometry, width: int, height: int, world: str, all_touched: bool) -> str:
    """Returns the pixels burnt by GDAL, as runs."""
    image = rasterio.features.rasterize(
        [(mapping(in_world(shape, world)), 1)],
        (height, width),
        transform=WORLDS[world],
        all_touched=all_touched,
        dtype="uint8",
    )
    runs = []
    for row in range(height):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], image[row], [0]])))
        runs += [f"{row}:{start}-{end}" for start, end in zip(edges[::2], edges[1::2])]
    return " ".join(runs)


def is_weighable(shape: BaseGeometry, width: int, height: int) -> bool:
    """Whether exactextract 0.3.0 supports the geometry. It has no points, returns nothing for lines along an axis, crashes on polygons
    that only touch the raster, and crashes or returns wrong pixels for some rings with repeated vertices."""
    if not shapely.equals_exact(shape, shapely.remove_repeated_points(shape)):
        return False
    parts = shape.geoms if hasattr(shape, "geoms") else [shape]
    image = shapely.box(0, 0, width, height)
    return all(isinstance(part, Polygon) and part.intersection(image).area > 0 for part in parts)


def weighed(shape: BaseGeometry, width: int, height: int) -> str:
    """Returns the weights of exactextract, which are float32."""
    raster = NumPyRasterSource(np.zeros((height, width)), xmin=0, ymin=-height, xmax=width, ymax=0)
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(in_world(shape, "up"))}
    found = exact_extract(raster, feature, ["cell_id", "coverage"])[0]["properties"]
    pixels = sorted(zip(found["cell_id"], found["coverage"]))
    return " ".join(f"{cell // width}:{cell % width}={weight:.8g}" for cell, weight in pixels)


def cases(count: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    while count:
        width, height = rng.randint(1, 24), rng.randint(1, 16)
        shape = geometry(rng, width, height)
        if not is_usable(shape):
            continue
        method = rng.choice(["center", "all_touched", "fraction"])
        world = "up" if method == "fraction" or rng.random() < 0.8 else "down"
        if method == "fraction":
            if not is_weighable(shape, width, height):
                continue
            pixels = weighed(shape, width, height)
        else:
            pixels = burnt(shape, width, height, world, method == "all_touched")
        count -= 1
        yield "\t".join([method, world, str(width), str(height), shapely.to_wkt(shape, rounding_precision=-1), pixels])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=CASES)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    text = "".join(f"{case}\n" for case in cases(args.count, args.seed))
    if not args.check:
        args.out.write_text(text)
        return 0
    if args.out.read_text() != text:
        print(f"{args.out} is out of date: run scripts/make-coverage-cases", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
