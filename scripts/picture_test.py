"""Compares PNGs of `cog_preview` and `cog_map_tile`, decoded by Pillow, with rio-tiler and with pixels of `cog_read`.

    python picture_test.py [--extension build/release/rasteret.duckdb_extension] [--cases 60] [--seed 1]

Runs in the environment `pictures`.

- Random cases render rasters of a random type, nodata or mask, grid and CRS with random options. All samples must equal the pixels of
  `cog_read` on the same grid, stretched by rio-tiler's `linear_rescale` and coloured by rio-tiler's colormaps.
- Previews of the size of an overview must equal rio-tiler's arrays, for all methods. Other sizes and map tiles are compared on smooth
  rasters, where the choice of the overview and of its pixels changes few values by more than `TOLERANCES`.
- Tiles of lists of overlapping smooth rasters, with nodata and in two zones, are compared with those of rio-tiler's `mosaic_reader`, for all
  methods that both have.

The last line is `N cases, N faults`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import rasterio
from PIL import Image
from rasterio.shutil import copy as copy_raster
from rasterio.transform import Affine
from rio_tiler.colormap import cmap
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader
from rio_tiler.mosaic.methods import defaults
from rio_tiler.utils import linear_rescale

ROOT = Path(__file__).resolve().parent.parent
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
CRSS = [
    ("EPSG:32631", Affine(10, 0, 500000, 0, -10, 4600000)),
    ("EPSG:32631", Affine(8, 6, 500000, 6, -8, 4600000)),
    ("EPSG:3857", Affine(30, 0, 300000, 0, -30, 5000000)),
    ("EPSG:4326", Affine(0.001, 0, 3.5, 0, -0.001, 45.25)),
    ("EPSG:3035", Affine(25, 0, 4000000, 0, -25, 3000000)),
]
# Colormaps with the same name in rio-tiler.
COLORMAPS = ["viridis", "magma", "greys", "terrain", "viridis_r"]
# Largest difference of 8-bit values in 99 % of pixels. GDAL warps to a virtual raster, and then reads it at the size of the picture.
TOLERANCES = {"nearest": 2, "bilinear": 1, "cubic": 1}
# Methods of mosaics and their classes in rio-tiler.
MOSAICS = {
    "first": defaults.FirstMethod,
    "max": defaults.HighestMethod,
    "min": defaults.LowestMethod,
    "mean": defaults.MeanMethod,
    "median": defaults.MedianMethod,
}
# Largest share of pixels, all of them at edges, that are valid in one picture only.
EDGES = 0.005

Picture = np.ndarray


def decode(png: bytes) -> tuple[Picture, Picture]:
    """Returns the colours (bands first) and opacity of a PNG."""
    image = Image.open(io.BytesIO(png))
    image.load()
    array = np.asarray(image)
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape[2] % 2:
        return np.moveaxis(array, 2, 0), np.full(array.shape[:2], 255, np.uint8)
    return np.moveaxis(array[:, :, :-1], 2, 0), array[:, :, -1]


class Test:
    """A database, with counts of cases and faults."""

    def __init__(self, extension: Path, folder: Path) -> None:
        self.database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        self.database.execute(f"LOAD '{extension}'")
        self.folder = folder
        self.cases = self.faults = 0

    def value(self, sql: str, *parameters: object) -> object:
        row = self.database.execute(f"SELECT {sql}", list(parameters)).fetchone()
        assert row is not None
        return row[0]

    def check(self, name: str, fault: str | None) -> None:
        self.cases += 1
        if fault:
            self.faults += 1
            print(f"{name}: {fault}", flush=True)

    def compare(self, name: str, found: object, colors: Picture, valid: Picture, allowed: float = 0) -> None:
        """Compares a PNG with 8-bit colours; `allowed` is the largest difference in 99 % of pixels, 0 if all must be equal."""
        if found is None:
            self.check(name, "found NULL, expected a picture" if valid.any() else None)
            return
        assert isinstance(found, bytes)
        drawn, alpha = decode(found)
        if drawn.shape != colors.shape:
            self.check(name, f"found shape {drawn.shape}, expected {colors.shape}")
            return
        both = (alpha == 255) & valid
        difference = np.abs(drawn.astype(int) - colors.astype(int)).max(axis=0)[both]
        edges = np.mean((alpha == 255) != valid)
        if allowed == 0:
            fault = f"{np.sum(difference > 0)} of {difference.size} pixels differ, by up to {difference.max(initial=0)}"
            self.check(name, fault if difference.any() or edges > 0 else None)
            return
        large = np.mean(difference > allowed) if difference.size else 0
        fault = f"{100 * large:.2f} % of pixels differ by more than {allowed}, {100 * edges:.2f} % in validity"
        self.check(name, fault if large > 0.01 or edges > EDGES else None)


def write(path: Path, data: np.ndarray, crs: str, transform: Affine, **profile: object) -> Path:
    """Writes a COG with overviews."""
    mask = profile.pop("mask", None)
    overviews = profile.pop("overviews", "average")
    shape = {"count": data.shape[0], "height": data.shape[1], "width": data.shape[2], "dtype": data.dtype}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", crs=crs, transform=transform, **shape, **profile) as raster:
            raster.write(data)
            if mask is not None:
                raster.write_mask(mask)
        with memory.open() as raster:
            copy_raster(raster, path, driver="COG", blocksize=128, overview_resampling=overviews)
    return path


def stretched(data: np.ndarray, low: float, high: float) -> np.ndarray:
    """Stretches values to 8 bits with rio-tiler."""
    with np.errstate(invalid="ignore"):
        return linear_rescale(np.nan_to_num(data, nan=low), (low, high)).astype("uint8")


def random_cases(test: Test, count: int, generator: np.random.Generator) -> None:
    """Compares pictures of random rasters with pixels of `cog_read` on the same grid."""
    for number in range(count):
        dtype = np.dtype(str(generator.choice(DTYPES)))
        bands, (height, width) = int(generator.choice([1, 3, 4])), generator.integers(1, 300, 2)
        low, high = (0, 100) if dtype.kind == "i" and dtype.itemsize == 1 else (0, 250)
        data = generator.uniform(low, high, (bands, height, width)).astype(dtype)
        crs, transform = CRSS[number % len(CRSS)]
        profile: dict[str, object] = {"photometric": "MINISBLACK"}
        kind = str(generator.choice(["plain", "nodata", "mask"]))
        if kind == "nodata":
            profile["nodata"] = float(data.flat[0])
        elif kind == "mask":
            profile["mask"] = (generator.random((height, width)) < 0.8).astype("uint8") * 255
        if dtype.kind == "f" and generator.random() < 0.5:
            data[0, : height // 3] = np.nan
        path = write(test.folder / f"case{number}.tif", data, crs, transform, **profile)
        chosen = [int(band) for band in generator.permutation(bands)[: 3 if bands > 1 else 1]]
        size = int(generator.integers(1, 400))
        method = str(generator.choice(["nearest", "bilinear", "average"]))
        check_random(
            test, f"case {number} ({dtype}, {kind}, {method}, size {size})", path, chosen, size, method, generator
        )


def preview_grid(path: Path, size: int) -> tuple[Affine, int, int]:
    """Returns the documented grid of a preview."""
    with rasterio.open(path) as raster:
        width, height, transform = raster.width, raster.height, raster.transform
    if max(width, height) <= size:
        return transform, width, height
    long, short = max(width, height), min(width, height)
    other = max(1, -(-size * short // long))
    to = (other, size) if height > width else (size, other)
    return transform * Affine.scale(width / to[0], height / to[1]), *to


def check_random(
    test: Test, name: str, path: Path, bands: list[int], size: int, method: str, generator: np.random.Generator
) -> None:
    """Checks one random raster."""
    transform, width, height = preview_grid(path, size)
    with rasterio.open(path) as raster:
        grid = {"crs": str(raster.crs), "transform": list(transform)[:6], "width": width, "height": height}
    read = test.value("cog_read(?, NULL, NULL, {bands: ?, grid: ?, resampling: ?})", str(path), bands, grid, method)
    assert isinstance(read, dict)
    data = np.frombuffer(read["data"], read["dtype"]).reshape(len(bands), height, width)
    valid = np.frombuffer(read["mask"], "uint8").reshape(height, width) == 255
    if data.dtype.kind == "f":
        valid = valid & ~np.isnan(data).any(axis=0)
    options = {"bands": bands, "size": size, "resampling": method}
    mode = str(generator.choice(["range", "ranges", "percentiles", "colormap"]))
    own = [(10.0 * at, 100.0 + 50 * at) for at in range(len(bands))]
    ranges = [(5.0, 180.0)] * len(bands)
    if mode == "ranges":
        ranges, options["range"] = own, [float(end) for pair in own for end in pair]
    elif mode == "percentiles":
        options["percentiles"] = [5, 90]
        samples = [band[mask] for band, mask in zip(data, band_masks(test, path, bands, grid, method))]
        samples = [values[np.isfinite(values)].astype(float) for values in samples]
        ranges = [tuple(np.percentile(values, [5, 90])) if values.size else (0.0, 1.0) for values in samples]
    else:
        options["range"] = [5.0, 180.0]
    colors = np.stack([constant(band, *ends) for band, ends in zip(data, ranges)])
    if mode == "colormap" and len(bands) == 1:
        options["colormap"] = str(generator.choice(COLORMAPS))
        table = cmap.get(str(options["colormap"]))
        colors = np.moveaxis(np.array([table[value][:3] for value in range(256)], "uint8")[colors[0]], 2, 0)
    found = test.value("cog_preview(?, NULL, ?)", str(path), options)
    test.compare(f"{name} {mode}", found, colors, valid)


def constant(band: np.ndarray, low: float, high: float) -> np.ndarray:
    """Stretches a band with an empty range; values above it are white."""
    if low < high:
        return stretched(band, low, high)
    return ((band > low) * 255).astype("uint8")


def band_masks(test: Test, path: Path, bands: list[int], grid: dict[str, object], method: str) -> Iterator[np.ndarray]:
    """Yields the valid pixels of each band."""
    for band in bands:
        read = test.value(
            "cog_read(?, NULL, NULL, {band_index: ?, grid: ?, resampling: ?})", str(path), band, grid, method
        )
        assert isinstance(read, dict)
        yield np.frombuffer(read["mask"], "uint8").reshape(read["height"], read["width"]) == 255


def smooth_rasters(test: Test) -> Iterator[tuple[str, Path]]:
    """Yields rasters whose values change by about one per pixel."""
    rows, columns = np.mgrid[0:1024, 0:1024]
    wave = 4000 + 300 * np.sin(columns / 300) + 300 * np.cos(rows / 300)
    bands = np.stack([wave, wave + 100 * np.sin(rows / 120), wave - columns / 2]).astype("uint16")
    hole = bands.copy()
    hole[:, 300:500, 200:600] = 0
    mask = np.full((1024, 1024), 255, "uint8")
    mask[600:, :400] = 0
    for at, (crs, transform) in enumerate(CRSS):
        plain = {"photometric": "MINISBLACK"}
        yield crs, write(test.folder / f"smooth{at}.tif", bands, crs, transform, **plain)
        if at in (0, 3):
            yield f"{crs} nodata", write(test.folder / f"hole{at}.tif", hole, crs, transform, nodata=0, **plain)
            yield f"{crs} mask", write(test.folder / f"masked{at}.tif", bands, crs, transform, mask=mask, **plain)


def compare_rio_tiler(test: Test) -> None:
    """Compares previews and tiles of smooth rasters with rio-tiler."""
    for name, path in smooth_rasters(test):
        with Reader(str(path)) as reader:
            for size in (256, 512, 1024, 300, 700):
                for method in TOLERANCES:
                    preview(test, name, reader, path, size, method)
            west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
            for zoom in range(reader.minzoom - 1, reader.maxzoom + 2):
                for method in TOLERANCES:
                    tile(
                        test, name, reader, path, reader.tms.tile((west + east) / 2, (south + north) / 2, zoom), method
                    )


def preview(test: Test, name: str, reader: Reader, path: Path, size: int, method: str) -> None:
    """One preview."""
    image = reader.preview(max_size=size, indexes=(1, 2, 3), resampling_method=method)
    image.rescale(((3000, 5000),))
    options = {"bands": [0, 1, 2], "size": size, "range": [3000, 5000], "resampling": method}
    found = test.value("cog_preview(?, NULL, ?)", str(path), options)
    valid = image.mask == 255
    exact = size in (256, 512, 1024)
    test.compare(f"{name} preview {size} {method}", found, image.data, valid, 0 if exact else TOLERANCES[method])


def tile(test: Test, name: str, reader: Reader, path: Path, at: object, method: str) -> None:
    """Compares one map tile."""
    x, y, zoom = at.x, at.y, at.z
    options = {"bands": [0, 1, 2], "range": [3000, 5000], "resampling": method}
    found = test.value("cog_map_tile(?, NULL, ?, ?, ?, ?)", str(path), zoom, x, y, options)
    try:
        image = reader.tile(x, y, zoom, indexes=(1, 2, 3), resampling_method=method, reproject_method=method)
    except TileOutsideBounds:
        test.check(f"{name} tile {zoom}/{x}/{y}", None if found is None else "found a picture, expected NULL")
        return
    image.rescale(((3000, 5000),))
    test.compare(f"{name} tile {zoom}/{x}/{y} {method}", found, image.data, image.mask == 255, TOLERANCES[method])


def compare_mosaics(test: Test) -> None:
    """Tiles of lists of rasters, against rio-tiler's `mosaic_reader`."""
    rows, columns = np.mgrid[0:512, 0:512]
    paths = []
    # Four scenes that overlap by a quarter, the last one in the next zone; scene 1 has a hole.
    places = [("EPSG:32631", 700000), ("EPSG:32631", 703840), ("EPSG:32631", 707680), ("EPSG:32632", 215000)]
    for number, (crs, west) in enumerate(places):
        wave = 3400 + 200 * number + 300 * np.sin((columns + west / 10) / 300) + 300 * np.cos(rows / 300)
        bands = np.stack([wave, wave + 100 * np.sin(rows / 120), wave - columns / 2]).astype("uint16")
        if number == 1:
            bands[:, 100:300, 50:250] = 0
        transform = Affine(10, 0, west, 0, -10, 4600000)
        name = test.folder / f"mosaic{number}.tif"
        paths.append(str(write(name, bands, crs, transform, nodata=0, photometric="MINISBLACK")))
    with Reader(paths[1]) as reader:
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
        middle = reader.tms.tile, (west + east) / 2, (south + north) / 2
    for zoom in range(8, 15):
        at = middle[0](*middle[1:], zoom)
        for shift in (0, 1) if zoom > 11 else (0,):
            for number, (method, pixel_selection) in enumerate(MOSAICS.items()):
                order = paths if number % 2 else paths[::-1]
                resampling = ("bilinear", "nearest", "cubic")[(zoom + number) % 3]
                mosaic(test, order, (at.x + shift, at.y, at.z), method, pixel_selection, resampling)


def mosaic(
    test: Test, paths: list[str], at: tuple[int, int, int], method: str, selection: type, resampling: str
) -> None:
    """One tile of a list."""
    x, y, zoom = at

    def read(path: str) -> ImageData:
        with Reader(path) as reader:
            return reader.tile(x, y, zoom, indexes=(1, 2, 3), resampling_method=resampling, reproject_method=resampling)

    options = {"bands": [0, 1, 2], "range": [3000, 5000], "resampling": resampling, "method": method}
    found = test.value("cog_map_tile(?, ?, ?, ?, ?)", paths, zoom, x, y, options)
    image, _ = mosaic_reader(paths, read, pixel_selection=selection, threads=0)
    image.rescale(((3000, 5000),))
    name = f"mosaic tile {zoom}/{x}/{y} {method} {resampling}"
    test.compare(name, found, image.data, image.mask == 255, TOLERANCES[resampling])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        test = Test(args.extension, Path(folder))
        random_cases(test, args.cases, np.random.default_rng(args.seed))
        compare_rio_tiler(test)
        compare_mosaics(test)
    print(f"{test.cases} cases, {test.faults} faults")
    return 1 if test.faults else 0


if __name__ == "__main__":
    sys.exit(main())
