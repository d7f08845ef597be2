"""Exact coverage of polygons that have a continuous image in pixels, without poles, folds and edges of a map.

Edges are densified until their images are straight, vertices are transformed forward, and shapely intersects the image with every
pixel. If the lattice of the oracle disagrees, the image is not continuous, and only the bounds of the oracle are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from .oracle import TURNS, Oracle, dilate
from .projections import in_degrees, transform, turned_difference
from .shapes import MAX_PIECES, edge_points

# Maximum distance in pixels between a densified edge and its curve, far below the compared tolerance.
STRAIGHT = 1e-3
# Error in pixels of the piecewise approximation of projections on polar and global rasters, part of the documented tolerance of a quarter
# of a pixel. Scenes are not approximated.
APPROXIMATION = 0.06
# Maximum difference in metres between two implementations of a projection, as in crates/cog/tests/crs_oracle.rs.
PROJECTION_ERROR_M = 0.01
METRES_PER_DEGREE = 111_000.0
ROUNDING = 1e-7


@dataclass(frozen=True)
class Exact:
    """Coverage of each pixel, its tolerance, and the image of the polygon in pixels."""

    coverage: np.ndarray
    tolerance: np.ndarray
    image: BaseGeometry


def same_crs(oracle: Oracle) -> bool:
    """Whether geometry and grid have the same coordinates, except for multiples of 360 degrees."""
    return oracle.geometry_crs == oracle.grid.crs or in_degrees(oracle.geometry_crs) and oracle.grid.in_degrees


def densify(oracle: Oracle, polygon: BaseGeometry) -> BaseGeometry | None:
    """Returns the polygon with edges that are straight in pixels; None if that needs too many vertices."""
    if same_crs(oracle):
        return polygon
    pieces = 16
    bend = _bend(oracle, edge_points(polygon, pieces))
    if not np.isfinite(bend):
        return None
    while bend > STRAIGHT and pieces < MAX_PIECES:
        pieces = min(MAX_PIECES, int(pieces * max(1.5, np.sqrt(bend / STRAIGHT))))
        bend = _bend(oracle, edge_points(polygon, pieces))
    return edge_points(polygon, pieces) if bend <= STRAIGHT else None


def _bend(oracle: Oracle, polygon: BaseGeometry) -> float:
    """Returns the largest distance between the image of an edge's midpoint and the midpoint of its image, in pixels."""
    worst = 0.0
    for part in getattr(polygon, "geoms", [polygon]):
        for ring in (part.exterior, *part.interiors):
            points = shapely.get_coordinates(ring)
            pixels = _pixels(oracle, points)
            middles = _pixels(oracle, (points[1:] + points[:-1]) / 2)
            with np.errstate(invalid="ignore"):
                off = middles - (pixels[1:] + pixels[:-1]) / 2
                off -= (
                    np.round(off / oracle.grid.pixels_per_turn[0]) * [oracle.grid.pixels_per_turn[0], 0]
                    if oracle.grid.in_degrees
                    else 0
                )
                worst = max(worst, float(np.hypot(*off.T).max()))
    return worst if np.isfinite(worst) else np.inf


def _pixels(oracle: Oracle, points: np.ndarray) -> np.ndarray:
    x, y = transform(oracle.geometry_crs, oracle.grid.crs, points[:, 0], points[:, 1])
    with np.errstate(invalid="ignore"):
        return np.stack(oracle.grid.pixel(x, y), axis=1)


def exact(oracle: Oracle, polygon: BaseGeometry, inside: np.ndarray, edges: np.ndarray) -> Exact | None:
    """Returns the coverage of a densified polygon, given the cells of the oracle; None if its image is not continuous."""
    image = _image(oracle, polygon)
    if image is None or not _agrees(oracle, image, inside, edges):
        return None
    grid = oracle.grid
    col, row = np.meshgrid(np.arange(grid.width), np.arange(grid.height))
    pixels = shapely.box(col, row, col + 1, row + 1)
    # The error of an edge may affect pixels next to those that it crosses.
    error = _error(oracle)
    around = shapely.box(col - error, row - error, col + 1 + error, row + 1 + error)
    shapely.prepare(image)
    coverage = np.zeros(pixels.shape)
    whole = shapely.contains_properly(image, around)
    partly = shapely.intersects(image, around) & ~whole
    coverage[whole] = 1
    coverage[partly] = shapely.area(shapely.intersection(image, pixels[partly]))
    length = np.zeros(pixels.shape)
    length[partly] = shapely.length(shapely.intersection(image.boundary, around[partly]))
    return Exact(coverage, length * error + ROUNDING, image)


def _error(oracle: Oracle) -> float:
    """Returns the maximum error of an edge, in pixels."""
    if same_crs(oracle):
        return ROUNDING
    a, b, _, d, e, _ = oracle.grid.transform[:6]
    pixel = min(np.hypot(a, d), np.hypot(b, e)) * (METRES_PER_DEGREE if oracle.grid.in_degrees else 1)
    return 2 * STRAIGHT + (0 if oracle.is_scene else APPROXIMATION) + PROJECTION_ERROR_M / pixel


def _image(oracle: Oracle, polygon: BaseGeometry) -> BaseGeometry | None:
    """Returns the polygon in pixels, at all multiples of 360 degrees."""
    parts = []
    for part in getattr(polygon, "geoms", [polygon]):
        rings = []
        for ring in (part.exterior, *part.interiors):
            pixels = _pixels(oracle, shapely.get_coordinates(ring))
            if not np.isfinite(pixels).all() or np.abs(pixels).max() > 1e6:
                return None
            if oracle.grid.in_degrees and not same_crs(oracle):
                pixels = _continuous(oracle, pixels)
            if np.hypot(*(pixels[0] - pixels[-1])) > 1e-6:
                return None
            rings.append(pixels)
        parts.append(Polygon(rings[0], rings[1:]))
    image = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    if not image.is_valid:
        return None
    if not oracle.grid.in_degrees:
        return image
    turn_x, turn_y = oracle.grid.pixels_per_turn
    frame = shapely.box(0, 0, oracle.grid.width, oracle.grid.height)
    turned = [shapely.affinity.translate(image, turn_x * turn, turn_y * turn) for turn in TURNS]
    turned = [each for each in turned if each.intersection(frame).area > 0]
    if len(turned) > 1:
        # Parts may be inside of the image at different multiples of 360 degrees.
        turned = [part for each in turned for part in getattr(each, "geoms", [each]) if part.envelope.intersects(frame)]
    return shapely.union_all(turned)


def _continuous(oracle: Oracle, pixels: np.ndarray) -> np.ndarray:
    """Shifts each vertex by multiples of 360 degrees to be nearest to the previous one."""
    turn = oracle.grid.pixels_per_turn
    degrees = pixels[:, 0] / turn[0] * 360
    steps = turned_difference(degrees[1:], degrees[:-1])
    degrees = degrees[0] + np.concatenate([[0], np.cumsum(steps)])
    return np.stack([degrees * turn[0] / 360, pixels[:, 1]], axis=1)


def _agrees(oracle: Oracle, image: BaseGeometry, inside: np.ndarray, edges: np.ndarray) -> bool:
    cols, rows = oracle.lattice
    shapely.prepare(image)
    certain = ~dilate(edges, 1.5)
    return bool((shapely.contains_xy(image, cols[certain], rows[certain]) == inside[certain]).all())
