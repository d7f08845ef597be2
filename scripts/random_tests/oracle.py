"""Coverage of pixels by a polygon in another CRS, computed by inverse projection of the pixels.

A lattice of points in every pixel is transformed to the CRS of the polygon with pyproj, and tested for containment. Nothing is clipped,
cut or shifted, so that poles, seams and folds need no special treatment. A lattice point only counts if it is transformed back to
itself, because projections return other or meaningless coordinates beyond the edges of a map.

Lattice cells within the tolerance of an edge are uncertain: the coverage is between the share of cells that are certainly inside and
of cells that are not certainly outside. Edges are traced by transforming points on them forward; where that fails, an edge is detected
between cells of which only one is inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from .grids import Grid
from .projections import GEOGRAPHIC, in_degrees, transform, turned_difference

# Lattice points per pixel and axis.
SAMPLES = 12
# Margin in pixels around the image, because the error of edges there may extend into the image.
MARGIN = 1
# Maximum distance in pixels between a point and its round trip.
RETURN_TOLERANCE = 0.01
# Spacing of points along an edge, in lattice cells.
SPACING = 0.4
# Limits of a scene, in degrees.
SCENE_LATITUDE, SCENE_WIDTH = 75, 20
MAX_TRACED = 400_000
# Multiples of 360 degrees between any two longitudes of the tests.
TURNS = range(-4, 5)


@dataclass(frozen=True)
class Bounds:
    """Lower and upper bounds of the coverage of each pixel, as arrays of (height, width)."""

    least: np.ndarray
    most: np.ndarray


class Oracle:
    """A grid and the CRS of geometries."""

    def __init__(self, grid: Grid, geometry_crs: str) -> None:
        self.grid = grid
        self.geometry_crs = geometry_crs

    @cached_property
    def lattice(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of the lattice points, including the margin, as arrays of (rows, columns)."""

        def axis(pixels: int) -> np.ndarray:
            count = (pixels + 2 * MARGIN) * SAMPLES
            return (np.arange(count) + 0.5) / SAMPLES - MARGIN

        cols, rows = np.meshgrid(axis(self.grid.width), axis(self.grid.height))
        return cols, rows

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates of the lattice points in the CRS of the geometry, and whether they are valid."""
        cols, rows = self.lattice
        x, y = transform(self.grid.crs, self.geometry_crs, *self.grid.world(cols, rows))
        return x, y, self.returns(x, y, cols, rows)

    @cached_property
    def is_scene(self) -> bool:
        """Whether the image and its surroundings are far from poles, seams and the edges of maps."""
        if not self.places[2].all():
            return False
        cols, rows = (each[:: SAMPLES // 2, :: SAMPLES // 2] for each in self.lattice)
        longitudes, latitudes = transform(self.grid.crs, GEOGRAPHIC, *self.grid.world(cols, rows))
        return bool(np.abs(latitudes).max() < SCENE_LATITUDE and np.ptp(longitudes) < SCENE_WIDTH)

    def returns(self, x: np.ndarray, y: np.ndarray, cols: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether coordinates in the CRS of the geometry are transformed to the given pixels."""
        back_x, back_y = transform(self.geometry_crs, self.grid.crs, x, y)
        world_x, world_y = self.grid.world(cols, rows)
        with np.errstate(invalid="ignore"):
            if self.grid.in_degrees:
                back_x = world_x + turned_difference(back_x, world_x)
            back_col, back_row = self.grid.pixel(back_x, back_y)
            return np.hypot(back_col - cols, back_row - rows) < RETURN_TOLERANCE

    def inside(self, polygon: BaseGeometry) -> np.ndarray:
        """Returns which lattice points are inside of the polygon, at any multiple of 360 degrees."""
        x, y, reached = self.places
        found = np.zeros(x.shape, bool)
        shapely.prepare(polygon)
        west, _, east, _ = polygon.bounds
        for turn in TURNS if in_degrees(self.geometry_crs) else [0]:
            at = x + 360 * turn
            near = reached & (at >= west) & (at <= east)
            if near.any():
                found[near] |= shapely.contains_xy(polygon, at[near], y[near])
        return found

    def trace(self, ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns pixel coordinates along a ring, with a spacing that visits every lattice cell of the ring near the image."""
        start, end = ring[:-1], ring[1:]
        at = np.repeat(np.arange(len(start)), 17) + np.tile(np.linspace(0, 1, 17), len(start))
        for _ in range(6):
            cols, rows = self._forward(start, end, at)
            pieces = self._pieces(cols, rows)
            if (pieces == 1).all() or pieces.sum() > MAX_TRACED:
                break
            first = np.repeat(np.arange(len(pieces)), pieces)
            step = np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
            between = at[first] + (at[first + 1] - at[first]) * step / pieces[first]
            at = np.append(between, at[-1])
        return self._forward(start, end, at)

    def _forward(self, start: np.ndarray, end: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pixel coordinates of positions along a ring, in units of edges."""
        edge = np.minimum(at.astype(int), len(start) - 1)
        points = start[edge] + (end[edge] - start[edge]) * (at - edge)[:, None]
        x, y = transform(self.geometry_crs, self.grid.crs, points[:, 0], points[:, 1])
        with np.errstate(invalid="ignore"):
            if self.grid.in_degrees:
                middle, _ = self.grid.world(np.array(self.grid.width / 2), np.array(self.grid.height / 2))
                x = middle + turned_difference(x, middle)
            return self.grid.pixel(x, y)

    def _pieces(self, cols: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Returns the number of pieces of each step of a trace: steps that may intersect the image and exceed the spacing are divided."""
        with np.errstate(invalid="ignore"):
            length = np.hypot(np.diff(cols), np.diff(rows))

            def meets(values: np.ndarray, size: int) -> np.ndarray:
                low, high = np.minimum(values[:-1], values[1:]), np.maximum(values[:-1], values[1:])
                return (high > -2 * MARGIN) & (low < size + 2 * MARGIN)

            near = np.ones(len(length), bool) if self.grid.in_degrees else meets(cols, self.grid.width)
            near &= meets(rows, self.grid.height)
            pieces = np.ceil(length * SAMPLES / SPACING)
        pieces = np.where(np.isfinite(pieces), pieces, np.where(np.isfinite(cols[1:]) | np.isfinite(cols[:-1]), 32, 1))
        return np.where(near | ~np.isfinite(length), np.clip(pieces, 1, 64), 1).astype(int)

    def edges(self, polygon: BaseGeometry, inside: np.ndarray) -> np.ndarray:
        """Returns the lattice cells that edges cross, or that differ from a neighbour."""
        marked = np.zeros(inside.shape, bool)
        across, down = inside[:, 1:] != inside[:, :-1], inside[1:] != inside[:-1]
        for low, high, differs in ((np.s_[:, 1:], np.s_[:, :-1], across), (np.s_[1:], np.s_[:-1], down)):
            marked[low] |= differs
            marked[high] |= differs
        turn = self.grid.pixels_per_turn
        for part in getattr(polygon, "geoms", [polygon]):
            for ring in (part.exterior, *part.interiors):
                cols, rows = self.trace(shapely.get_coordinates(ring))
                for turns in TURNS if self.grid.in_degrees else [0]:
                    with np.errstate(invalid="ignore"):
                        col = np.floor((cols + turns * turn[0] + MARGIN) * SAMPLES)
                        row = np.floor((rows + turns * turn[1] + MARGIN) * SAMPLES)
                        met = (col >= 0) & (col < marked.shape[1]) & (row >= 0) & (row < marked.shape[0])
                    marked[row[met].astype(int), col[met].astype(int)] = True
        return marked

    def cells(self, polygon: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
        """Returns the lattice points inside, and the cells that edges cross."""
        inside = self.inside(polygon)
        return inside, self.edges(polygon, inside)

    def bounds(self, inside: np.ndarray, edges: np.ndarray, tolerance: float) -> Bounds:
        """Returns bounds of the coverage for edges with an error of up to `tolerance` pixels."""
        uncertain = self.uncertain(edges, tolerance)
        return Bounds(self.per_pixel(inside & ~uncertain), self.per_pixel(inside | uncertain))

    def centres(self, inside: np.ndarray, edges: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pixels whose centre is certainly inside, and those whose centre is certainly outside."""
        certain = ~self.uncertain(edges, tolerance)
        # With an even number of samples, four cells meet in the centre.
        middle = [SAMPLES // 2 - 1, SAMPLES // 2]

        def all_four(cells: np.ndarray) -> np.ndarray:
            return self._blocks(cells)[:, middle][:, :, :, middle].all(axis=(1, 3))

        return all_four(inside & certain), all_four(~inside & certain)

    @staticmethod
    def uncertain(edges: np.ndarray, tolerance: float) -> np.ndarray:
        # One more cell for the part of an edge between its points.
        return dilate(edges, tolerance * SAMPLES + 1)

    def per_pixel(self, cells: np.ndarray) -> np.ndarray:
        return self._blocks(cells).mean(axis=(1, 3))

    def _blocks(self, cells: np.ndarray) -> np.ndarray:
        """Returns the cells of the image as (row, sample, column, sample)."""
        frame = MARGIN * SAMPLES
        height, width = self.grid.height, self.grid.width
        return cells[frame:-frame, frame:-frame].reshape(height, SAMPLES, width, SAMPLES)


def dilate(cells: np.ndarray, radius: float) -> np.ndarray:
    """Returns the cells whose centre is within a radius of that of a marked cell."""
    reach = int(radius)
    grown = np.zeros(cells.shape, bool)
    padded = np.pad(cells, reach)
    height, width = cells.shape
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            if down * down + across * across <= radius * radius:
                grown |= padded[reach + down : reach + down + height, reach + across : reach + across + width]
    return grown
