"""Generates TIFF files of random layouts with GDAL: types, depths, codecs, predictors, tiles, byte orders, nodata, masks, scales."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from . import tags
from .texts import metadata_text, nodata_text

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float32", "float64"]
BYTE_CODECS = ["NONE", "LZW", "DEFLATE", "ZSTD", "PACKBITS", "LZMA"]
LERC = ["LERC", "LERC_DEFLATE", "LERC_ZSTD"]
PREDICTED = ["LZW", "DEFLATE", "ZSTD"]
# Type -> bit depths (NBITS) other than the size of the type.
DEPTHS = {
    "uint8": [1, 2, 3, 4, 5, 6, 7],
    "uint16": [9, 10, 11, 12, 13, 14, 15],
    "uint32": [17, 20, 24, 27, 31],
    "float32": [16],
}


@dataclass(frozen=True)
class Layout:
    """All properties of a file except for its pixels."""

    dtype: str
    width: int
    height: int
    count: int
    transform: Affine | None
    options: dict[str, object]
    nodata: bytes | None
    metadata: bytes | None
    alpha: bool
    mask: bool
    overview: bool

    @property
    def bits(self) -> int | None:
        bits = self.options.get("NBITS")
        return None if bits is None else int(str(bits))

    @property
    def is_lossy(self) -> bool:
        return self.options["COMPRESS"] == "JPEG"

    @property
    def is_fax(self) -> bool:
        return str(self.options["COMPRESS"]).startswith("CCITT")

    def plain(self) -> Layout:
        """Returns the layout without mask and alpha, so that GDAL's mask band depends only on nodata."""
        options = {key: value for key, value in self.options.items() if key != "ALPHA"}
        return replace(self, options={**options, "ALPHA": "UNSPECIFIED"}, alpha=False, mask=False)


def random_layout(rng: random.Random) -> Layout:
    width, height, count = rng.randint(1, 70), rng.randint(1, 70), rng.choice([1, 1, 1, 2, 3, 4])
    dtype = rng.choice(INTEGERS + FLOATS * 2)
    options: dict[str, object] = {"INTERLEAVE": rng.choice(["PIXEL", "BAND"]), "COMPRESS": rng.choice(BYTE_CODECS)}
    if dtype in DEPTHS and rng.random() < 0.3:
        options["NBITS"] = rng.choice(DEPTHS[dtype])
    if options["COMPRESS"] in PREDICTED and "NBITS" not in options and rng.random() < 0.6:
        options["PREDICTOR"] = rng.choice([2, 3] if dtype in FLOATS else [2])
    if "NBITS" not in options and dtype not in ("uint64", "int64") and rng.random() < 0.15:
        options |= {"COMPRESS": rng.choice(LERC), "MAX_Z_ERROR": 0}
        options.pop("PREDICTOR", None)
    special = rng.random()
    if special < 0.05:
        dtype, count = "uint8", rng.choice([3, 4])
        options = {"INTERLEAVE": "PIXEL", "COMPRESS": "WEBP", "WEBP_LOSSLESS": "YES"}
    elif special < 0.1:
        dtype, count = "uint8", 1
        options = {"INTERLEAVE": "PIXEL", "COMPRESS": "JPEG", "JPEG_QUALITY": 90}
    elif special < 0.14:
        dtype, count = "uint8", 1
        options = {"INTERLEAVE": "PIXEL", "COMPRESS": rng.choice(["CCITTRLE", "CCITTFAX3", "CCITTFAX4"]), "NBITS": 1}
    if rng.random() < 0.6:
        options |= {"TILED": "YES", "BLOCKXSIZE": 16 * rng.randint(1, 4), "BLOCKYSIZE": 16 * rng.randint(1, 4)}
    else:
        # The height of JPEG strips must be a multiple of 8.
        options["BLOCKYSIZE"] = 8 * rng.randint(1, 4) if options["COMPRESS"] == "JPEG" else rng.randint(1, height)
    options["ENDIANNESS"] = rng.choice(["LITTLE", "BIG"])
    options["BIGTIFF"] = rng.choice(["YES", "NO", "NO"])
    if rng.random() < 0.3:
        options["SPARSE_OK"] = "TRUE"
    alpha = count in (2, 4) and options["COMPRESS"] != "JPEG" and rng.random() < 0.4
    options["ALPHA"] = rng.choice(["YES", "NON-PREMULTIPLIED", "PREMULTIPLIED"]) if alpha else "UNSPECIFIED"
    if options["COMPRESS"] == "WEBP" and count == 4:
        alpha, options["ALPHA"] = True, "YES"
    elif options["COMPRESS"] not in ("WEBP", "CCITTRLE", "CCITTFAX3", "CCITTFAX4"):
        options["PHOTOMETRIC"] = (
            rng.choice(["MINISBLACK", "MINISBLACK", "MINISWHITE"]) if count < 3 else rng.choice(["MINISBLACK", "RGB"])
        )
        if options["PHOTOMETRIC"] == "RGB" and options["INTERLEAVE"] == "PIXEL" and options["COMPRESS"] == "JPEG":
            options["PHOTOMETRIC"] = "MINISBLACK"
    # If values are not compared with GDAL, nodata cannot be either.
    plain = options["COMPRESS"] == "JPEG" or str(options["COMPRESS"]).startswith("CCITT")
    nodata = nodata_text(rng, dtype) if not plain and rng.random() < 0.6 else None
    # With some nodata values, GDAL writes no overview of the mask, and computes one when reading.
    mask = rng.random() < 0.25
    overview = rng.random() < 0.15 and not plain and not (mask and nodata)
    return Layout(
        dtype=dtype,
        width=width,
        height=height,
        count=count,
        transform=rng.choice([None, Affine(10, 0, 500_000, 0, -10, 4_000_000), Affine(0.5, 0, -20, 0, 0.5, 7)]),
        options=options,
        nodata=nodata,
        metadata=metadata_text(rng, count, dtype) if not plain and rng.random() < 0.3 else None,
        alpha=alpha,
        mask=mask,
        overview=overview,
    )


def random_pixels(rng: random.Random, layout: Layout) -> np.ndarray:
    """Returns values over the range of the type, as noise, ramps and blocks, including values close to nodata."""
    shape = (layout.count, layout.height, layout.width)
    numbers = np.random.default_rng(rng.getrandbits(32))
    dtype = np.dtype(layout.dtype)
    if dtype.kind == "f":
        pixels = (
            numbers.normal(0, 100, shape)
            if layout.bits == 16
            else numbers.normal(0, 10.0 ** rng.choice([0, 2, 6]), shape)
        )
    else:
        low, high = _range(layout)
        if rng.random() < 0.6:
            low, high = max(low, -200), min(high, 200)
        pixels = numbers.integers(low, high, shape, dtype=dtype, endpoint=True)
    if rng.random() < 0.5:
        pixels = np.repeat(np.repeat(pixels, 5, 1), 5, 2)[:, : layout.height, : layout.width]
    if rng.random() < 0.3:
        pixels[:, layout.height // 2 :] = 0
    pixels = pixels.astype(dtype)
    for value in _decisive(layout):
        pixels[numbers.random(shape) < 0.06] = value
    return pixels


def _range(layout: Layout) -> tuple[int, int]:
    info = np.iinfo(layout.dtype)
    return (0, 2**layout.bits - 1) if layout.bits else (int(info.min), int(info.max))


def _decisive(layout: Layout) -> list[np.generic]:
    """Returns the nodata value in the type, its neighbours, and the limits of the type."""
    dtype = np.dtype(layout.dtype)
    if dtype.kind == "f":
        found = (
            [np.nan, np.inf, -np.inf, 0.0]
            if layout.bits == 16
            else [np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min, 0.0]
        )
    else:
        found = list(_range(layout))
    try:
        text = (layout.nodata or b"").decode().strip()
        nodata = int(text) if dtype.kind != "f" and text.lstrip("+-").isdigit() else float(text)
    except (ValueError, UnicodeDecodeError):
        return [dtype.type(value) for value in found]
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            exact = dtype.type(nodata)
            found += [
                exact,
                np.nextafter(exact, dtype.type(np.inf)),
                np.nextafter(exact, dtype.type(-np.inf)),
                exact * dtype.type(1 + 1e-6),
            ]
        if layout.bits == 16:
            found = [value for value in found if not np.isfinite(value) or abs(value) < 60_000]
        return [dtype.type(value) for value in found]
    if math.isfinite(nodata):
        low, high = _range(layout)
        found += [value for value in (int(nodata) + step for step in (-1, 0, 1)) if low <= value <= high]
    return [dtype.type(value) for value in found]


def write(path: Path, layout: Layout, pixels: np.ndarray, mask: np.ndarray | None) -> None:
    """Writes a file, and then sets nodata and metadata as texts."""
    path.unlink(missing_ok=True)
    georeferencing = {} if layout.transform is None else {"transform": layout.transform, "crs": "EPSG:32631"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_PAM_ENABLED=False),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=layout.width,
            height=layout.height,
            count=layout.count,
            dtype=layout.dtype,
            **georeferencing,
            **layout.options,
        ) as target,
    ):
        target.write(pixels)
        if layout.mask and mask is not None:
            target.write_mask(mask)
    texts = {tags.GDAL_NODATA: layout.nodata, tags.GDAL_METADATA: layout.metadata}
    tags.replace_texts(path, {tag: text for tag, text in texts.items() if text is not None})
    # Set last, so that overviews are written with the same nodata.
    if layout.overview:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
            target.build_overviews([2])
