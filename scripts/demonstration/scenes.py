"""Writes COGs with GDAL's COG driver, with the layout of public archives: 10 m bands of Sentinel-2 over small areas.

The pixels are smooth noise that compresses about as well as real scenes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

RESOLUTION = 10.0
BANDS = ("B04", "B08")


@dataclass(frozen=True)
class Area:
    """Part of a Sentinel-2 tile: its name, UTM zone, corner and size."""

    name: str
    epsg: int
    west: float
    north: float
    size: int

    def file(self, band: str) -> str:
        return f"{self.name}_{band}.tif"


AREAS = (
    Area("31TDF", 32631, 399_960, 4_600_020, 1024),
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


def make(directory: Path) -> list[Path]:
    """Writes missing COGs and returns the paths of all COGs."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = [(directory / area.file(band), area, seed) for seed, area in enumerate(AREAS) for band in BANDS]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda task: _write(*task), [task for task in wanted if not task[0].exists()]))
    return [path for path, _, _ in wanted]


def _write(path: Path, area: Area, seed: int) -> None:
    partial = path.with_suffix(".partial")
    profile = {
        "driver": "COG",
        "width": area.size,
        "height": area.size,
        "count": 1,
        "dtype": "uint16",
        "crs": f"EPSG:{area.epsg}",
        "transform": from_origin(area.west, area.north, RESOLUTION, RESOLUTION),
        "nodata": 0,
        "compress": "deflate",
        "predictor": 2,
        "blocksize": 512,
    }
    with rasterio.open(partial, "w", **profile) as target:
        target.write(_reflectance(area.size, seed), 1)
    partial.replace(path)


def _reflectance(size: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(300, 4_000, (size // 64, size // 64))
    smooth = np.kron(coarse, np.ones((64, 64)))
    return (smooth + generator.integers(0, 60, (size, size))).astype("uint16")
