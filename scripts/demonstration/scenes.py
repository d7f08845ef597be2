"""Writes COGs with GDAL's COG driver, with the layout of public archives: red, near infrared and scene classification of Sentinel-2, over small areas.

Like Sentinel-2 scenes since 2022, the bands of 10 m store reflectance with a scale and an offset. One area has six fields and a file per
month and band; the other areas have one file per band. NDVI is that of `greenness` in the fields.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

RESOLUTION = 10.0
BANDS = ("B04", "B08", "SCL")
# Stored value = (reflectance - OFFSET) / SCALE.
SCALE, OFFSET = 0.0001, -0.1
# Classes of the scene classification.
VEGETATION, CLOUD = 4, 9
CLOUD_REFLECTANCE = 0.45
MONTHS = range(1, 13)
# The month of the only files of areas without fields.
SUMMER = 7
# The month whose scene is covered by clouds.
CLOUDY_MONTH = 11
# Field -> centre and radius in pixels, and the month of its highest NDVI.
FIELDS = {
    "barley": (310, 330, 26, 5), "maize": (420, 300, 34, 8), "meadow": (365, 420, 22, 6),
    "orchard": (300, 450, 30, 7), "vineyard": (455, 440, 36, 7), "wheat": (400, 365, 24, 6),
}  # fmt: skip
# Background around a field that has the same NDVI, in pixels.
MARGIN = 3


@dataclass(frozen=True)
class Area:
    """Part of a Sentinel-2 tile: its name, UTM zone, corner, and size in pixels of 10 m."""

    name: str
    epsg: int
    west: float
    north: float
    size: int
    has_fields: bool = False

    def month(self, month: int) -> int:
        """Returns the month whose files are those of a month."""
        return month if self.has_fields else SUMMER

    def file(self, month: int, band: str) -> str:
        return f"{self.name}_{self.month(month):02d}_{band}.tif"


AREAS = (
    Area("31TDF", 32631, 399_960, 4_600_020, 1024, has_fields=True),
    Area("31TCJ", 32631, 300_000, 4_900_020, 1536),
    Area("32TQM", 32632, 699_960, 4_900_020, 2048),
    Area("33UUP", 32633, 300_000, 5_400_000, 1024),
    Area("43PGQ", 32643, 699_960, 1_500_000, 1536),
    Area("18TWL", 32618, 499_980, 4_500_000, 2048),
    Area("56HLH", 32756, 300_000, 6_300_040, 1024),
    Area("21LYG", 32721, 699_960, 8_800_000, 1536),
    Area("36MZE", 32736, 799_980, 9_900_040, 2048),
    Area("54SUE", 32654, 399_960, 3_900_000, 1024),
    Area("10SEG", 32610, 499_980, 4_200_000, 1536),
    Area("34HBH", 32734, 199_980, 6_200_020, 2048),
)


def greenness(month: int, peak: int) -> float:
    """Returns the NDVI of a month, from 0.2 in winter to 0.8 in the peak month."""
    return 0.2 + 0.6 * float(np.exp(-(((month - peak) / 2.0) ** 2)))


@cache
def clouds(area: Area, month: int) -> np.ndarray:
    """Returns the mask of cloudy pixels of 20 m: three discs that differ by area and month, or all pixels."""
    size = area.size // 2
    if area.has_fields and month == CLOUDY_MONTH:
        return np.full((size, size), True)
    generator = np.random.default_rng((area.epsg, area.size, month))
    found = np.full((size, size), False)
    for _ in range(3):
        row, col, radius = generator.integers(size), generator.integers(size), generator.integers(size // 12, size // 4)
        found |= distances(size, col, row) <= radius
    return found


def distances(size: int, col: float, row: float) -> np.ndarray:
    """Returns the distances of all pixels from a position, in pixels."""
    rows, cols = np.ogrid[:size, :size]
    return np.hypot(cols - col, rows - row)


def make(directory: Path) -> list[Path]:
    """Writes missing COGs and returns the paths of all COGs."""
    directory.mkdir(parents=True, exist_ok=True)
    scenes = [(area, month) for area in AREAS for month in (MONTHS if area.has_fields else [SUMMER])]
    files = {scene: {band: directory / scene[0].file(scene[1], band) for band in BANDS} for scene in scenes}
    missing = [scene for scene in scenes if not all(path.exists() for path in files[scene].values())]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda scene: _write(*scene, files[scene]), missing))
    return [path for paths in files.values() for path in paths.values()]


def _write(area: Area, month: int, paths: dict[str, Path]) -> None:
    for band, array in _pixels(area, month).items():
        resolution = RESOLUTION * area.size / len(array)
        partial = paths[band].with_suffix(".partial")
        profile = {
            "driver": "COG",
            "width": len(array),
            "height": len(array),
            "count": 1,
            "dtype": array.dtype,
            "crs": f"EPSG:{area.epsg}",
            "transform": from_origin(area.west, area.north, resolution, resolution),
            "nodata": 0,
            "compress": "deflate",
            "predictor": 2,
            "blocksize": 256,
        }
        with rasterio.open(partial, "w", **profile) as target:
            target.write(array, 1)
        partial.replace(paths[band])


def _pixels(area: Area, month: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng((area.epsg, area.size, month))
    ndvi = np.kron(generator.uniform(0.05, 0.25, (area.size // 64, area.size // 64)), np.ones((64, 64)))
    for col, row, radius, peak in FIELDS.values() if area.has_fields else ():
        ndvi[distances(area.size, col, row) <= radius + MARGIN] = greenness(month, peak)
    cloudy = clouds(area, month)
    brightness = generator.normal(0.2, 0.004, (area.size, area.size))
    pixels = {}
    for band, reflectance in {"B04": brightness * (1 - ndvi), "B08": brightness * (1 + ndvi)}.items():
        covered = np.where(np.kron(cloudy, np.full((2, 2), True)), CLOUD_REFLECTANCE, reflectance)
        pixels[band] = np.rint((covered - OFFSET) / SCALE).astype("uint16")
    return {**pixels, "SCL": np.where(cloudy, CLOUD, VEGETATION).astype("uint8")}
