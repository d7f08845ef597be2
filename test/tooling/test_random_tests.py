"""Tests the oracles of scripts/random_tests with cases that can be computed by hand.

Runs in the environment `random` (`scripts/check random`); skipped if its packages are missing.
"""

from __future__ import annotations

import math
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

try:
    import numpy as np
    import shapely
    from affine import Affine
    from random_tests import tags
    from random_tests.exact import densify, exact
    from random_tests.grids import Grid
    from random_tests.oracle import Oracle, dilate
    from random_tests.pixels import overlap, weighted
    from random_tests.points import pixels_of
except ModuleNotFoundError as missing:
    raise unittest.SkipTest(f"needs the environment `random`: {missing}") from missing

GLOBE = Grid("EPSG:4326", Affine(10, 0, -180, 0, -10, 90), 36, 18)
ARCTIC = Grid("EPSG:3413", Affine(50_000, 0, -1_000_000, 0, -50_000, 1_000_000), 40, 40)
METRES_PER_DEGREE_AT_POLE = 111_700


class Coverage(unittest.TestCase):
    def known(self, grid: Grid, crs: str, polygon: shapely.Geometry, tolerance: float) -> tuple[float, float]:
        oracle = Oracle(grid, crs)
        bounds = oracle.bounds(*oracle.cells(polygon), tolerance)
        return float(bounds.least.sum()), float(bounds.most.sum())

    def test_whole_pixels(self) -> None:
        oracle = Oracle(GLOBE, "OGC:CRS84")
        bounds = oracle.bounds(*oracle.cells(shapely.box(-170, 50, -150, 60)), 0)
        # Rows count from 90 downwards: 60 to 50 is row 3; columns 1 and 2. All cells except those along the edges are certain.
        self.assertEqual(np.argwhere(bounds.least > 0).tolist(), [[3, 1], [3, 2]])
        self.assertTrue((bounds.least[3, 1:3] > 0.5).all())
        self.assertTrue((bounds.most[3, 1:3] == 1).all())
        self.assertTrue((bounds.most[3, 3:] < 0.2).all())

    def test_turns(self) -> None:
        here = self.known(GLOBE, "OGC:CRS84", shapely.box(165, -35, 195, 35), 0)
        there = self.known(GLOBE, "OGC:CRS84", shapely.box(-195, -35, -165, 35), 0)
        self.assertEqual(here, there)
        self.assertTrue(here[0] <= 3 * 7 <= here[1] and here[1] - here[0] < 8)

    def test_cap_around_a_pole(self) -> None:
        # 1.5 degrees around the pole, from -180 to 180: a disk in the polar grid.
        least, most = self.known(ARCTIC, "OGC:CRS84", shapely.box(-180, 85, 180, 90), 0.01)
        area = math.pi * (5 * METRES_PER_DEGREE_AT_POLE * 0.97) ** 2 / 50_000**2
        self.assertTrue(least <= area <= most, (least, area, most))
        self.assertLess(most - least, 0.25 * area)

    def test_beyond_the_edge_of_a_map(self) -> None:
        # The corners of an Equal Earth map are outside of its domain.
        grid = Grid("EPSG:8857", Affine(1_000_000, 0, -17_000_000, 0, -1_000_000, 8_000_000), 34, 16)
        oracle = Oracle(grid, "OGC:CRS84")
        bounds = oracle.bounds(*oracle.cells(shapely.box(-180, -90, 180, 90)), 0)
        self.assertEqual(bounds.most[0, 0], 0)
        self.assertEqual(bounds.least[8, 17], 1)

    def test_tolerance_widens(self) -> None:
        tight = self.known(ARCTIC, "EPSG:3413", shapely.box(-400_000, -400_000, 400_000, 400_000), 0)
        wide = self.known(ARCTIC, "EPSG:3413", shapely.box(-400_000, -400_000, 400_000, 400_000), 0.25)
        self.assertTrue(wide[0] < tight[0] <= 256 <= tight[1] < wide[1])

    def test_dilate(self) -> None:
        cells = np.zeros((7, 7), bool)
        cells[3, 3] = True
        self.assertEqual(dilate(cells, 1).sum(), 5)
        self.assertEqual(dilate(cells, 1.5).sum(), 9)
        self.assertEqual(dilate(cells, 2).sum(), 13)
        self.assertEqual(dilate(cells, 0).sum(), 1)

    def test_exact(self) -> None:
        oracle = Oracle(GLOBE, "OGC:CRS84")
        box = shapely.box(175, 0, 192.5, 10)
        found = exact(oracle, box, *oracle.cells(box))
        assert found is not None
        self.assertAlmostEqual(found.coverage[8, 35], 0.5)
        self.assertEqual(found.coverage[8, 0], 1)
        self.assertAlmostEqual(found.coverage[8, 1], 0.25)
        self.assertAlmostEqual(found.coverage.sum(), 1.75)

    def test_exact_is_none_around_a_pole(self) -> None:
        oracle = Oracle(ARCTIC, "OGC:CRS84")
        cap = shapely.box(-180, 85, 180, 90)
        fine = densify(oracle, cap)
        self.assertTrue(fine is None or exact(oracle, fine, *oracle.cells(fine)) is None)


class Points(unittest.TestCase):
    def test_turns_and_sides(self) -> None:
        oracle = Oracle(GLOBE, "OGC:CRS84")
        self.assertEqual(pixels_of(oracle, 185.0, 45.0 + 1), {(0, 4)})
        self.assertEqual(pixels_of(oracle, -175.0, 46.0), {(0, 4)})
        self.assertIsNone(pixels_of(oracle, -170.0, 46.0))

    def test_wider_than_the_world(self) -> None:
        wide = Oracle(Grid("EPSG:4326", Affine(10, 0, -180, 0, -10, 90), 40, 18), "OGC:CRS84")
        self.assertEqual(pixels_of(wide, -175.0, 46.0), {(0, 4), (36, 4)})

    def test_outside(self) -> None:
        self.assertEqual(pixels_of(Oracle(ARCTIC, "OGC:CRS84"), 10.0, -40.0), set())


class Statistics(unittest.TestCase):
    def test_overlap(self) -> None:
        np.testing.assert_allclose(overlap(-3, 1.25, 3), [1, 0.25, 0])
        np.testing.assert_allclose(overlap(1.5, 1.75, 3), [0, 0.25, 0])

    def test_weighted(self) -> None:
        found, _ = weighted(np.array([1.0, 3.0]), np.array([0.5, 1.5]))
        self.assertEqual(found, {"count": 2, "sum": 5, "mean": 2.5, "min": 1, "max": 3, "variance": 0.75})
        self.assertEqual(weighted(np.array([]), np.array([]))[0]["mean"], None)


class Tags(unittest.TestCase):
    def test_replaces_and_adds(self) -> None:
        for order, mark in (("<", b"II"), (">", b"MM")):
            width = struct.pack(f"{order}HHIHH", 256, 3, 1, 7, 0)
            data = (
                mark
                + struct.pack(f"{order}HI", 42, 8)
                + struct.pack(f"{order}H", 1)
                + width
                + struct.pack(f"{order}I", 99)
            )
            changed = tags.with_texts(data, {tags.GDAL_NODATA: b"-1", tags.GDAL_METADATA: b"<longer/>"})
            (at,) = struct.unpack_from(f"{order}I", changed, 4)
            count, *_ = struct.unpack_from(f"{order}H", changed, at)
            entries = [changed[at + 2 + 12 * index :][:12] for index in range(count)]
            self.assertEqual(entries[0], width)
            self.assertEqual(entries[2], struct.pack(f"{order}HHI", 42113, 2, 3) + b"-1\0\0")
            (place,) = struct.unpack_from(f"{order}I", entries[1], 8)
            self.assertEqual(changed[place : place + 10], b"<longer/>\0")
            self.assertEqual(changed[at + 2 + 12 * count :], struct.pack(f"{order}I", 99))


if __name__ == "__main__":
    unittest.main()
