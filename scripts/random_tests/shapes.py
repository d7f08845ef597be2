"""Generates random polygons near a grid, in any CRS, within the domain of the CRS."""

from __future__ import annotations

import math
import random

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from .grids import NORTH_POLAR, SOUTH_POLAR, WORLD_MAPS, Grid
from .projections import GEOGRAPHIC, in_degrees, is_on_map, transform, turned_difference

ATTEMPTS = 60
# Number of points per edge that must be in the domain.
CHECKED = 24
# Maximum number of vertices per edge of densified rings.
MAX_PIECES = 400


def geometry_crs(rng: random.Random, grid: Grid) -> str:
    """Returns a CRS for geometries on this grid."""
    longitude, latitude = transform(
        grid.crs, GEOGRAPHIC, *grid.world(np.array(grid.width / 2), np.array(grid.height / 2))
    )
    if not np.isfinite(longitude):
        return GEOGRAPHIC
    lon, lat = float(turned_difference(longitude, np.array(0.0))), float(latitude)
    zone = (32600 if lat > 0 else 32700) + min(int((lon + 180) // 6) + 1, 60)
    choices = (
        [GEOGRAPHIC] * 4
        + [grid.crs] * 2
        + ["EPSG:4326", "EPSG:3857", "EPSG:3857", "EPSG:6933", "EPSG:8857", "EPSG:3832"]
    )
    if abs(lat) < 84:
        choices.append(f"EPSG:{zone}")
    choices += [NORTH_POLAR[rng.randrange(4)]] * 2 if lat > 0 else [SOUTH_POLAR[rng.randrange(4)]] * 2
    choices.append(f"+proj=laea +lat_0={round(lat)} +lon_0={round(lon)} +datum=WGS84 +units=m +type=crs")
    return rng.choice(choices)


def star(rng: random.Random, x: float, y: float, radius: float) -> Polygon:
    count = rng.randint(3, 9)
    turn = rng.uniform(0, math.tau)
    angles = [turn + math.tau * (index + 0.6 * rng.random()) / count for index in range(count)]
    spokes = [(angle, radius * rng.uniform(0.4, 1)) for angle in angles]
    return Polygon([(x + length * math.cos(angle), y + length * math.sin(angle)) for angle, length in spokes])


def around(rng: random.Random, x: float, y: float, radius: float) -> BaseGeometry:
    """Returns a box, a star, a star with a hole, or two separate stars."""
    kind = rng.random()
    if kind < 0.35:
        return box(
            x - radius * rng.random(), y - radius * rng.random(), x + radius * rng.random(), y + radius * rng.random()
        )
    outer = star(rng, x, y, radius)
    if kind < 0.7:
        return outer
    if kind < 0.85:
        return outer.difference(star(rng, x, y, radius * 0.3))
    second = star(rng, x + 2.1 * radius, y, radius)
    return MultiPolygon([outer, second])


def large(rng: random.Random, crs: str) -> BaseGeometry | None:
    """Returns caps, bands and whole maps, which extend along poles and seams."""
    if in_degrees(crs):
        west, south = rng.choice([-180.0, 0.0, rng.uniform(-180, 180)]), rng.uniform(-85, 80)
        width = rng.choice([360.0, 380.0, rng.uniform(5, 180)])
        bands = [(south, 90.0), (-90.0, south), (-90.0, 90.0), (south, rng.uniform(south + 1, 90))]
        bottom, top = rng.choice(bands)
        return box(west, bottom, west + width, top)
    for name, half_width, half_height in WORLD_MAPS:
        if name == crs:
            # Slightly inside of the seam, because pyproj may return the other side for points on it.
            x, y = half_width * (1 - 1e-9), half_height * rng.uniform(0.3, 0.85)
            return rng.choice([box(-x, -y, x, y), box(-x, -y, x, 0), box(-x, -y, rng.uniform(-0.9, 0.9) * x, y)])
    if crs in NORTH_POLAR + SOUTH_POLAR:
        x, y = transform(GEOGRAPHIC, crs, np.array(0.0), np.array(90.0 if crs in NORTH_POLAR else -90.0))
        radius = math.exp(rng.uniform(math.log(1e4), math.log(4e6)))
        return around(rng, float(x) + rng.choice([0, 0.3]) * radius, float(y), radius)
    return None


def local(rng: random.Random, grid: Grid, crs: str) -> BaseGeometry | None:
    """Returns a shape of a few pixels, in or near the image."""
    col, row = rng.uniform(-0.15, 1.15) * grid.width, rng.uniform(-0.15, 1.15) * grid.height
    x, y = transform(grid.crs, crs, *grid.world(np.array([col, col + 0.5, col]), np.array([row, row, row + 0.5])))
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        return None
    across = turned_difference(x, x[0]) if in_degrees(crs) else x - x[0]
    pixel = 2 * max(np.hypot(across, y - y[0]))
    if in_degrees(crs):
        pixel = min(pixel, 2 * max(abs(y - y[0])) * 3 + 1e-9)
    radius = pixel * rng.choice([rng.uniform(0.3, 2), rng.uniform(2, 8), rng.uniform(4, 40)])
    shape = around(rng, float(x[0]), float(y[0]), radius)
    if not in_degrees(crs):
        return shape
    clipped = shape.intersection(box(-540, -90, 540, 90))
    if rng.random() < 0.5:
        return cut_at_antimeridian(clipped)
    return shapely.affinity.translate(clipped, rng.choice([0, 0, 0, 360, -360]), 0)


def cut_at_antimeridian(shape: BaseGeometry) -> BaseGeometry:
    """Cuts a shape at the antimeridian, as RFC 7946 recommends, with longitudes from -180 to 180."""
    parts = [
        shapely.affinity.translate(shape.intersection(box(360 * turn - 180, -90, 360 * turn + 180, 90)), -360 * turn, 0)
        for turn in (-1, 0, 1)
    ]
    polygons = [part for each in parts for part in getattr(each, "geoms", [each]) if part.area > 0]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def edge_points(shape: BaseGeometry, pieces: int) -> BaseGeometry:
    """Divides every edge of a shape into `pieces` pieces."""

    def cut(ring: np.ndarray) -> np.ndarray:
        start, end = ring[:-1], ring[1:]
        steps = np.arange(pieces)[None, :, None] / pieces
        points = (start[:, None] + (end - start)[:, None] * steps).reshape(-1, 2)
        return np.concatenate([points, ring[-1:]])

    def polygon(part: Polygon) -> Polygon:
        rings = [cut(shapely.get_coordinates(ring)) for ring in (part.exterior, *part.interiors)]
        return Polygon(rings[0], rings[1:])

    parts = [polygon(part) for part in getattr(shape, "geoms", [shape])]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def overlaps_itself(shape: BaseGeometry, crs: str) -> bool:
    """Whether a shape is wider than 360 degrees, so that parts of it coincide."""
    west, _, east, _ = shape.bounds
    return in_degrees(crs) and east - west > 360


def is_usable(shape: BaseGeometry | None, crs: str) -> bool:
    """Whether a polygon is valid and its edges are in the domain of its CRS."""
    if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
        return False
    if not shape.is_valid or shape.area == 0:
        return False
    west, _, east, _ = shape.bounds
    if in_degrees(crs) and (west < -540 or east > 540):
        return False
    x, y = shapely.get_coordinates(edge_points(shape, CHECKED)).T
    return bool(is_on_map(crs, x, y).all())


def random_shape(rng: random.Random, grid: Grid, crs: str) -> BaseGeometry | None:
    """Returns a usable shape, or None if none was found."""
    for _ in range(ATTEMPTS):
        shape = large(rng, crs) if rng.random() < 0.2 else local(rng, grid, crs)
        if is_usable(shape, crs):
            return shape
    return None
