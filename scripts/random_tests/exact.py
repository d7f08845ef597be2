"""Exact coverage where a polygon has a plain image in pixels: no pole, no fold, no edge of a map.

Edges are cut so short that their images are straight, and each vertex is transformed forward; shapely intersects the image with every
pixel. The lattice of the oracle has to agree with it, or the polygon has no plain image and only the oracle's bounds apply.
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

# Pixels that a cut edge may be from its curve; much less than what is compared.
STRAIGHT = 1e-3
# Pixels that a projection may be off on polar and global rasters, where it is approximated piece by piece: a part of the quarter that
# the reference promises, of which edges that are straight already use nothing. Scenes have none.
APPROXIMATION = 0.06
# Metres by which two implementations of one projection differ, as in crates/cog/tests/crs_oracle.rs.
PROJECTION_ERROR_M = 0.01
METRES_PER_DEGREE = 111_000.0
ROUNDING = 1e-7


@dataclass(frozen=True)
class Exact:
    """Coverage of each pixel, how far it may be off, and the image's box in pixels."""

    coverage: np.ndarray
    tolerance: np.ndarray
    image: BaseGeometry


def same_crs(oracle: Oracle) -> bool:
    """Whether coordinates of the geometry are those of the grid, but for turns."""
    return oracle.geometry_crs == oracle.grid.crs or in_degrees(oracle.geometry_crs) and oracle.grid.in_degrees


def densify(oracle: Oracle, polygon: BaseGeometry) -> BaseGeometry | None:
    """The polygon with edges so short that they are straight in pixels; None where that takes too many."""
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
    """How far the middles of edges are from the middles of their images, in pixels."""
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
    """The coverage of a densified polygon, of which the oracle found these cells; None without a plain image."""
    image = _image(oracle, polygon)
    if image is None or not _agrees(oracle, image, inside, edges):
        return None
    grid = oracle.grid
    col, row = np.meshgrid(np.arange(grid.width), np.arange(grid.height))
    pixels = shapely.box(col, row, col + 1, row + 1)
    # An edge that is off reaches into pixels beside those that it crosses.
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
    """How far an edge may be off, in pixels."""
    if same_crs(oracle):
        return ROUNDING
    a, b, _, d, e, _ = oracle.grid.transform[:6]
    pixel = min(np.hypot(a, d), np.hypot(b, e)) * (METRES_PER_DEGREE if oracle.grid.in_degrees else 1)
    return 2 * STRAIGHT + (0 if oracle.is_scene else APPROXIMATION) + PROJECTION_ERROR_M / pixel


def _image(oracle: Oracle, polygon: BaseGeometry) -> BaseGeometry | None:
    """The polygon in pixels, at all turns."""
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
        # Parts are in the image at different turns: of each turn, those count that are there.
        turned = [part for each in turned for part in getattr(each, "geoms", [each]) if part.envelope.intersects(frame)]
    return shapely.union_all(turned)


def _continuous(oracle: Oracle, pixels: np.ndarray) -> np.ndarray:
    """Vertices each at the turn nearest to the one before."""
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
