"""Generates the inputs of pixel benchmarks: rasters that compress like satellite images, plots and points.

Scenes have Sentinel-2's 10 m grid (10980 pixels in tiles of 512) or a quarter of it. They are deterministic, and only written once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

SIZE, TILE, PIXEL = 10980, 512, 10.0
LEFT, TOP, EPSG = 500_000.0, 4_600_000.0, 32631
SCENE = "scene.tif"
# Dates of one grid, smaller than the scene to save disk space.
DATES, DATE_SIZE = [f"date{index}.tif" for index in range(10)], 5120
# Classes from 0 to 11, as in a scene classification: at 20 m for the dates, and at 10 m for the scene.
DATE_CLASSES, SCENE_CLASSES = "classes20.tif", "classes10.tif"
# 64 bands of bytes, planar and chunky.
EMBEDDINGS = ("bands-planar.tif", "bands-chunky.tif")
EMBEDDING_SIZE, EMBEDDING_BANDS = 1024, 64
# Codec -> options of GDAL's driver: 4096 pixels in tiles of 512.
CODECS: dict[str, dict[str, object]] = {
    "none": {},
    "packbits": {"compress": "packbits"},
    "lzw": {"compress": "lzw", "predictor": 2},
    "deflate": {"compress": "deflate", "predictor": 2},
    "zstd": {"compress": "zstd", "predictor": 2},
    "lzma": {"compress": "lzma"},
    "lerc": {"compress": "lerc", "max_z_error": 0},
    "lerc_deflate": {"compress": "lerc_deflate", "max_z_error": 0},
    "lerc_zstd": {"compress": "lerc_zstd", "max_z_error": 0},
    "jpeg": {"compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": 85},
    "webp": {"compress": "webp", "webp_level": 85},
    "webp_lossless": {"compress": "webp", "webp_lossless": True},
}
CODEC_SIZE = 4096
# Image codecs, for three bands of bytes.
PICTURES = ("jpeg", "webp", "webp_lossless")
LOSSY = ("jpeg", "webp")


def field(size: int, seed: int) -> np.ndarray:
    """Returns reflectances: large-scale and small-scale variation and noise, without 0."""
    generator = np.random.default_rng(seed)

    def smooth(step: int, height: float) -> np.ndarray:
        knots = generator.uniform(0, height, (size // step + 2, size // step + 2)).astype("float32")
        at, between = np.divmod(np.arange(size, dtype="float32") / step, 1)
        at = at.astype(int)
        rows = knots[at] * (1 - between[:, None]) + knots[at + 1] * between[:, None]
        return rows[:, at] * (1 - between) + rows[:, at + 1] * between

    values = 400 + smooth(300, 2000) + smooth(40, 600)
    return (values + generator.normal(0, 12, (size, size)).astype("float32")).astype("uint16")


def classes(size: int) -> np.ndarray:
    """Returns classes in patches of tens of pixels, with single pixels of other classes."""
    generator = np.random.default_rng(11)
    patches = generator.integers(3, 10, (size // 24 + 1, size // 24 + 1), dtype="uint8")
    image = patches.repeat(24, 0).repeat(24, 1)[:size, :size]
    grains = generator.random((size, size), dtype="float32") < 0.03
    image[grains] = generator.integers(0, 12, int(grains.sum()), dtype="uint8")
    return image


def embedding() -> np.ndarray:
    """Returns bands that are linear combinations of a few fields, like learned embeddings."""
    generator = np.random.default_rng(13)
    fields = np.stack([field(EMBEDDING_SIZE, 100 + seed) for seed in range(8)]).astype("float32")
    fields -= fields.mean((1, 2), keepdims=True)
    mixed = np.tensordot(generator.normal(size=(EMBEDDING_BANDS, 8)).astype("float32"), fields, 1)
    return np.clip(mixed / np.abs(mixed).max() * 127, -127, 127).astype("int8")


def make(directory: Path, names: list[str]) -> None:
    """Writes missing files of `names`: the scene, dates, classes, embeddings, or `codec-NAME.tif`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (directory / name).exists():
            continue
        if name == SCENE:
            _write(directory / name, field(SIZE, 0)[None], {"compress": "deflate", "predictor": 2})
        elif name in (DATE_CLASSES, SCENE_CLASSES):
            size, pixel = (DATE_SIZE // 2, 2 * PIXEL) if name == DATE_CLASSES else (SIZE, PIXEL)
            _write(directory / name, classes(size)[None], {"compress": "deflate"}, pixel)
        elif name in EMBEDDINGS:
            interleave = "band" if name == EMBEDDINGS[0] else "pixel"
            _write(directory / name, embedding(), {"compress": "deflate", "interleave": interleave, "nodata": -128})
        elif name in DATES:
            _write(
                directory / name, field(DATE_SIZE, 1 + DATES.index(name))[None], {"compress": "deflate", "predictor": 2}
            )
        else:
            codec = name.removeprefix("codec-").removesuffix(".tif")
            image = field(CODEC_SIZE, 0)[None]
            if codec in PICTURES:
                image = np.concatenate([image >> shift for shift in (4, 5, 6)]).astype("uint8")
            _write(directory / name, image, CODECS[codec])


def codec_file(codec: str) -> str:
    return f"codec-{codec}.tif"


def _write(path: Path, image: np.ndarray, options: dict[str, object], pixel: float = PIXEL) -> None:
    partial = path.with_suffix(".partial")
    bands, height, width = image.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": image.dtype, "tiled": True,
        "crs": f"EPSG:{EPSG}", "transform": from_origin(LEFT, TOP, pixel, pixel), "blockxsize": TILE, "blockysize": TILE,
        "interleave": "pixel", "num_threads": "all_cpus", **options,
    }  # fmt: skip
    with rasterio.open(partial, "w", **profile) as target:
        target.write(image)
    partial.replace(path)


def hexagons(count: int, corner: tuple[int, int], side: int, across: float = 60) -> np.ndarray:
    """Returns the corners, of shape (count, 7, 2), of hexagons inside a square of pixels, in the scene's CRS."""
    generator = np.random.default_rng(3)
    radius = across / 2
    centres = np.array(corner) + generator.uniform(radius, side - radius, (count, 1, 2))
    angles = np.arange(7) * np.pi / 3 + 0.2
    corners = centres + radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    corners[:, 6] = corners[:, 0]
    return corners * [PIXEL, -PIXEL] + [LEFT, TOP]


def points(count: int, size: int, seed: int = 7) -> np.ndarray:
    """Returns random positions, of shape (count, 2), within `size` pixels, in the scene's CRS."""
    return np.random.default_rng(seed).uniform(0, size, (count, 2)) * [PIXEL, -PIXEL] + [LEFT, TOP]
