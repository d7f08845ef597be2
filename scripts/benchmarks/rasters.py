"""Generates COGs with typical numbers of tiles. The cost of reading a header depends on the number of tiles, not on the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

# Name -> sizes of the image and of a tile: 16 tiles, and 484 tiles as in Sentinel-2.
SHAPES = {"tiles16.tif": (1024, 256), "tiles484.tif": (10980, 512)}


def make(directory: Path) -> None:
    """Writes missing files."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, (size, block) in SHAPES.items():
        if not (directory / name).exists():
            _write(directory / name, size, block)


def _write(path: Path, size: int, block: int) -> None:
    partial = path.with_suffix(".partial")
    profile = {
        "driver": "COG", "width": size, "height": size, "count": 1, "dtype": "uint16", "crs": "EPSG:32631",
        "transform": from_origin(500_000, 4_600_000, 10, 10), "nodata": 0, "compress": "deflate", "predictor": 2,
        "blocksize": block, "level": 1,
    }  # fmt: skip
    generator = np.random.default_rng(0)
    with rasterio.open(partial, "w", **profile) as target:
        target.write(generator.integers(1, 17, (size, size), "uint16"), 1)
    partial.replace(path)
