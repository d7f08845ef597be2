"""Coverage of a grid's pixels by a polygon in another CRS, computed from the pixels' side.

Points of a lattice in every pixel are transformed to the polygon's CRS by pyproj and looked for in the polygon. Nothing is clipped,
cut or turned on the way, so that poles, seams and folds need no rule: a place on Earth is in the polygon or it is not. A lattice
point counts only if it comes back to itself, since beyond the edges of maps projections give other places or nonsense.

Cells of the lattice that the polygon's edges run through are uncertain, and so are those nearer to them than the tolerance: coverage
lies between the cells that are certainly inside and those that are not certainly outside. The edges are followed by transforming
points on them forward; where that fails, edges are still seen between cells of which one is inside and the other is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from .grids import Grid
from .projections import GEOGRAPHIC, in_degrees, transform, turned_difference

# Lattice points along a pixel's side.
SAMPLES = 12
# Pixels around the image that are looked at as well, because edges there may be followed into the image.
MARGIN = 1
# How far, in pixels, a point may come back from where it started.
RETURN_TOLERANCE = 0.01
# Of lattice cells: the spacing of points that follow an edge.
SPACING = 0.4
# Degrees: what lies within is a scene.
SCENE_LATITUDE, SCENE_WIDTH = 75, 20
MAX_TRACED = 400_000
# As many turns of 360 degrees as lie between any two longitudes that occur.
TURNS = range(-4, 5)


@dataclass(frozen=True)
class Bounds:
    """The least and the most that each pixel may be covered, as arrays of (height, width)."""

    least: np.ndarray
    most: np.ndarray


class Oracle:
    """A grid as seen from the CRS of geometries."""

    def __init__(self, grid: Grid, geometry_crs: str) -> None:
        self.grid = grid
        self.geometry_crs = geometry_crs

    @cached_property
    def lattice(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of the lattice points, each (rows, columns), the margin included."""

        def axis(pixels: int) -> np.ndarray:
            count = (pixels + 2 * MARGIN) * SAMPLES
            return (np.arange(count) + 0.5) / SAMPLES - MARGIN

        cols, rows = np.meshgrid(axis(self.grid.width), axis(self.grid.height))
        return cols, rows

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lattice points in the geometry's CRS, and whether each has a place there."""
        cols, rows = self.lattice
        x, y = transform(self.grid.crs, self.geometry_crs, *self.grid.world(cols, rows))
        return x, y, self.returns(x, y, cols, rows)

    @cached_property
    def is_scene(self) -> bool:
        """Whether the image and what is around it are far from poles, seams and the edges of maps."""
        if not self.places[2].all():
            return False
        cols, rows = (each[:: SAMPLES // 2, :: SAMPLES // 2] for each in self.lattice)
        longitudes, latitudes = transform(self.grid.crs, GEOGRAPHIC, *self.grid.world(cols, rows))
        return bool(np.abs(latitudes).max() < SCENE_LATITUDE and np.ptp(longitudes) < SCENE_WIDTH)

    def returns(self, x: np.ndarray, y: np.ndarray, cols: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether places of the geometry's CRS lead to these pixel coordinates."""
        back_x, back_y = transform(self.geometry_crs, self.grid.crs, x, y)
        world_x, world_y = self.grid.world(cols, rows)
        with np.errstate(invalid="ignore"):
            if self.grid.in_degrees:
                back_x = world_x + turned_difference(back_x, world_x)
            back_col, back_row = self.grid.pixel(back_x, back_y)
            return np.hypot(back_col - cols, back_row - rows) < RETURN_TOLERANCE

    def inside(self, polygon: BaseGeometry) -> np.ndarray:
        """Which lattice points are in the polygon, at any turn."""
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
        """Pixel coordinates along a ring, close enough to meet every lattice cell near the image that it runs through."""
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
        """Pixels of positions along a ring, counted in edges."""
        edge = np.minimum(at.astype(int), len(start) - 1)
        points = start[edge] + (end[edge] - start[edge]) * (at - edge)[:, None]
        x, y = transform(self.geometry_crs, self.grid.crs, points[:, 0], points[:, 1])
        with np.errstate(invalid="ignore"):
            if self.grid.in_degrees:
                middle, _ = self.grid.world(np.array(self.grid.width / 2), np.array(self.grid.height / 2))
                x = middle + turned_difference(x, middle)
            return self.grid.pixel(x, y)

    def _pieces(self, cols: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The number of pieces for each step of a trace: steps that may intersect the image and exceed the spacing are divided."""
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
        """Lattice cells that edges run through, or that differ from a neighbour."""
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
        """Lattice points inside, and cells that edges run through."""
        inside = self.inside(polygon)
        return inside, self.edges(polygon, inside)

    def bounds(self, inside: np.ndarray, edges: np.ndarray, tolerance: float) -> Bounds:
        """Each pixel's coverage, where edges may be off by so many pixels."""
        uncertain = self.uncertain(edges, tolerance)
        return Bounds(self.per_pixel(inside & ~uncertain), self.per_pixel(inside | uncertain))

    def centres(self, inside: np.ndarray, edges: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Pixels whose centre is certainly inside, and those whose centre is certainly outside."""
        certain = ~self.uncertain(edges, tolerance)
        # With an even number of samples, the four cells that meet in the centre.
        middle = [SAMPLES // 2 - 1, SAMPLES // 2]

        def all_four(cells: np.ndarray) -> np.ndarray:
            return self._blocks(cells)[:, middle][:, :, :, middle].all(axis=(1, 3))

        return all_four(inside & certain), all_four(~inside & certain)

    @staticmethod
    def uncertain(edges: np.ndarray, tolerance: float) -> np.ndarray:
        # One cell for what lies between the points that follow an edge.
        return dilate(edges, tolerance * SAMPLES + 1)

    def per_pixel(self, cells: np.ndarray) -> np.ndarray:
        return self._blocks(cells).mean(axis=(1, 3))

    def _blocks(self, cells: np.ndarray) -> np.ndarray:
        """Cells of the image as (row, sample, column, sample)."""
        frame = MARGIN * SAMPLES
        height, width = self.grid.height, self.grid.width
        return cells[frame:-frame, frame:-frame].reshape(height, SAMPLES, width, SAMPLES)


def dilate(cells: np.ndarray, radius: float) -> np.ndarray:
    """Cells within a radius of a marked one, by their centres."""
    reach = int(radius)
    grown = np.zeros(cells.shape, bool)
    padded = np.pad(cells, reach)
    height, width = cells.shape
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            if down * down + across * across <= radius * radius:
                grown |= padded[reach + down : reach + down + height, reach + across : reach + across + width]
    return grown
