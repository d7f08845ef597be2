"""Files that COPY (FORMAT cog) writes, read back by rasterio, tifffile and the extension, and checked by rio-cogeo.

    python write_test.py [--extension build/release/rasteret.duckdb_extension] [--cases 60] [--seed 1]

Runs in the environment `write`. Each case makes a raster of a random size, type, number of bands, nodata, mask, grid and CRS, and has
it copied whole or as windows in a random order, with random options. Pixels, masks, georeferencing and descriptions of the
result are those of the source; overviews are those that numpy makes of the level before. The last line is `N cases, N faults`.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import rasterio
import tifffile
from rasterio.transform import Affine
from rio_cogeo.cogeo import cog_validate

ROOT = Path(__file__).resolve().parent.parent
DTYPES = [
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
COMPRESSIONS = ["none", "lzw", "deflate", "zstd", "lzma"]
# Those without a code are user-defined GeoKeys.
CRSS = [
    "EPSG:32631",
    "EPSG:3857",
    "EPSG:4326",
    "EPSG:3035",
    None,
    "+proj=tmerc +lat_0=0 +lon_0=10.5 +k=0.9998 +x_0=500000 +y_0=0 +datum=WGS84 +units=m",
    "+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +datum=NAD83 +units=us-ft",
    "+proj=laea +lat_0=50 +lon_0=9.5 +x_0=1000 +y_0=-2000 +datum=WGS84",
    "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +datum=NAD83",
    "+proj=lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-96.5 +x_0=0.5 +y_0=0 +datum=WGS84",
    "+proj=stere +lat_0=90 +lat_ts=71.5 +lon_0=-44 +datum=WGS84",
    "+proj=sinu +lon_0=12 +datum=WGS84",
    "+proj=aeqd +lat_0=48 +lon_0=11 +datum=WGS84",
    "+proj=eqc +lat_ts=30 +lon_0=5 +datum=WGS84",
]
TRANSFORMS = [
    Affine(10, 0, 500000, 0, -10, 4600000),
    Affine(0.001, 0, 3.5, 0, -0.001, 45.25),
    Affine(3, 1, 1000, -1, -3, 2000),
    Affine(2, 0, 0, 0, 2, 0),
]


@dataclass
class Case:
    """A raster and the options that it is copied with."""

    data: np.ndarray
    mask: np.ndarray
    nodata: float | None
    crs: str | None
    transform: Affine
    options: dict[str, object]
    windows: bool

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """The pixels of the file, and which of them are valid."""
        data = self.data.copy()
        nodata = self.options.get("NODATA", self.nodata)
        if nodata is not None and self.nodata is None:
            data[:, self.mask == 0] = nodata
        return data, self.mask


def random_case(generator: np.random.Generator) -> Case:
    """A case; small rasters, so that hundreds run in a minute."""
    dtype = np.dtype(str(generator.choice(DTYPES)))
    # Of images a few pixels wide and many high, the validator takes overviews for copies.
    low, high = (1, 17) if generator.random() < 0.2 else (17, 150)
    bands, (height, width) = int(generator.integers(1, 5)), generator.integers(low, high, 2)
    smooth = np.add.outer(np.arange(height), np.arange(width)) // 3 % 100
    data = np.stack([smooth + generator.integers(0, 7, (height, width)) for _ in range(bands)])
    if dtype.kind == "f":
        data = data + generator.random(data.shape)
    if dtype.kind == "c":
        data = data + 1j * generator.random(data.shape)
    data = data.astype(dtype)
    kind = generator.choice(["all", "nodata", "mask"])
    mask = np.full((height, width), 255, np.uint8)
    nodata = None
    if kind == "nodata" and dtype.kind != "c":
        nodata = float(generator.choice([0, 50, 120]))
        data[:, generator.random((height, width)) < 0.2] = nodata
    if kind == "mask":
        mask[generator.random((height, width)) < 0.3] = 0
    compression = str(generator.choice(COMPRESSIONS))
    options: dict[str, object] = {"COMPRESSION": compression, "BLOCKSIZE": int(generator.choice([16, 32, 64]))}
    options["OVERVIEWS"] = str(generator.choice(["average", "nearest", "mode", "none"]))
    if generator.random() < 0.3:
        options["PREDICTOR"] = "none"
    if generator.random() < 0.3:
        options["BIGTIFF"] = "yes"
    if generator.random() < 0.3:
        options["BAND_NAMES"] = [f"band <{band}> & co" for band in range(bands)]
    if generator.random() < 0.3:
        options |= {"SCALE": [0.5] * bands, "OFFSET": -1.5}
    if kind == "mask" and dtype.kind not in "c" and generator.random() < 0.5:
        options["NODATA"] = 121
    if compression in ("deflate", "zstd", "lzma") and generator.random() < 0.3:
        options["LEVEL"] = int(generator.integers(1, 5))
    crs = generator.choice(np.array(CRSS, dtype=object))
    return Case(
        data,
        mask,
        nodata,
        crs,
        TRANSFORMS[generator.integers(len(TRANSFORMS))],
        options,
        bool(generator.random() < 0.5),
    )


def write_source(case: Case, path: Path) -> None:
    """The raster as a file that cog_read reads."""
    bands, height, width = case.data.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": case.data.dtype}
    profile |= {"crs": case.crs, "transform": case.transform, "nodata": case.nodata}
    # Without colours, or GDAL takes the fourth band of bytes for alpha.
    profile |= {"tiled": True, "blockxsize": 64, "blockysize": 64, "photometric": "MINISBLACK", "alpha": "NO"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as file:
        file.write(case.data)
        if (case.mask == 0).any():
            file.write_mask(case.mask)


def sql(value: object) -> str:
    """A value of an option."""
    return f"{value!r}" if not isinstance(value, str) else "'" + value.replace("'", "''") + "'"


def copy(
    connection: duckdb.DuckDBPyConnection, case: Case, source: Path, target: Path, generator: np.random.Generator
) -> None:
    """Copies the raster: whole, or as windows that cover it, some of them twice, in any order."""
    bands, height, width = case.data.shape
    options = ", ".join(f"{name} {sql(value)}" for name, value in case.options.items())
    read = f"cog_read('{source}', NULL, box, {{bands: {list(range(bands))}, geometry_crs: 'native'}})"
    whole = f"cog_read('{source}', NULL, {{bands: {list(range(bands))}}})"
    query = f"SELECT {whole}"
    # A window around a geometry has invalid pixels where it is rotated: boxes are those of the grid only without rotation.
    if case.windows and case.transform.b == 0:
        xs, ys = (sorted({0, size, *generator.integers(0, size, 2).tolist()}) for size in (width, height))
        boxes = []
        for left, right in itertools.pairwise(xs):
            for top, bottom in itertools.pairwise(ys):
                (x0, y0), (x1, y1) = (case.transform * corner for corner in ((left, top), (right, bottom)))
                boxes.append([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)])
        boxes += [boxes[index] for index in generator.integers(0, len(boxes), 2)]
        order = generator.permutation(len(boxes))
        values = ", ".join(f"({number}, {boxes[index]!r}::DOUBLE[4])" for number, index in enumerate(order))
        query = f"SELECT {read} FROM (SELECT box FROM (VALUES {values}) AS boxes(number, box) ORDER BY number)"
    connection.execute(f"COPY ({query}) TO '{target}' (FORMAT cog, {options})")


def faults(connection: duckdb.DuckDBPyConnection, case: Case, source: Path, target: Path) -> list[str]:
    """What is wrong with a file."""
    found = []
    with rasterio.open(source) as file:
        crs = file.crs or None
    expected, mask = case.expected()
    nodata = case.options.get("NODATA", case.nodata)
    with rasterio.open(target) as file:
        if not np.array_equal(file.read(), expected, equal_nan=expected.dtype.kind == "f"):
            found.append("pixels of rasterio")
        if nodata is None and not np.array_equal(file.dataset_mask(), mask):
            found.append("mask of rasterio")
        if file.nodata != nodata:
            found.append(f"nodata {file.nodata}")
        if not file.transform.almost_equals(case.transform, 1e-9) or (file.crs or None) != crs:
            found.append(f"grid {file.transform} {file.crs}")
        if (file.compression.name if file.compression else "none") != case.options["COMPRESSION"]:
            found.append(f"compression {file.compression}")
        names = case.options.get("BAND_NAMES")
        if names and list(file.descriptions) != names:
            found.append(f"names {file.descriptions}")
        if "SCALE" in case.options and (set(file.scales), set(file.offsets)) != ({0.5}, {-1.5}):
            found.append(f"scale {file.scales} {file.offsets}")
        levels = len(file.overviews(1))
    valid, errors, notes = cog_validate(target, quiet=True, strict=True)
    # rio-cogeo wants overviews of whatever is larger than 512 pixels, which no case is.
    if not valid:
        found.append(f"rio-cogeo: {errors} {notes}")
    with tifffile.TiffFile(target) as file:
        pixels = file.pages[0].asarray()
        pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        if not np.array_equal(pixels, expected, equal_nan=expected.dtype.kind == "f"):
            found.append("pixels of tifffile")
        if file.is_bigtiff != ("BIGTIFF" in case.options):
            found.append("BigTIFF")
    bands = expected.shape[0]
    row = connection.execute(
        "SELECT r.data, r.mask FROM (SELECT cog_read(?, NULL, {bands: " + str(list(range(bands))) + "}) AS r)",
        [str(target)],
    )
    data, own_mask = row.fetchone()
    if data != np.ascontiguousarray(expected).tobytes():
        found.append("pixels of cog_read")
    if nodata is None and own_mask != mask.tobytes():
        found.append("mask of cog_read")
    size, want = max(expected.shape[1:]), 0
    while case.options["OVERVIEWS"] != "none" and size > case.options["BLOCKSIZE"]:
        size, want = -(-size // 2), want + 1
    if levels != want:
        found.append(f"expected {want} overviews, found {levels}")
    if want:
        found += overview_faults(case, target, expected, mask if nodata is None else None, nodata)
    return found


def shares(source: int, target: int) -> np.ndarray:
    """The share of each source pixel (columns) in each target pixel (rows)."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    return np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0, None)


def overview_faults(
    case: Case, target: Path, full: np.ndarray, mask: np.ndarray | None, nodata: float | None
) -> list[str]:
    """Compares the first overview with the full resolution."""
    with rasterio.open(target, overview_level=0) as file:
        found = file.read()
    resampling = case.options["OVERVIEWS"]
    (height, width), (rows, columns) = full.shape[1:], found.shape[1:]
    if resampling == "nearest" or full.dtype.kind == "c":
        at = [
            ((2 * np.arange(target) + 1) * source // (2 * target))
            for source, target in ((height, rows), (width, columns))
        ]
        return (
            []
            if np.array_equal(found, full[:, at[0]][:, :, at[1]], equal_nan=full.dtype.kind == "f")
            else ["overview by nearest"]
        )
    if resampling != "average":
        return []
    vertical, horizontal = shares(height, rows), shares(width, columns)
    for band in range(full.shape[0]):
        values = full[band].astype(np.float64)
        valid = np.ones_like(values) if mask is None else (mask != 0).astype(float)
        if nodata is not None:
            valid = valid * (full[band] != nodata)
        weights = vertical @ valid @ horizontal.T
        with np.errstate(invalid="ignore", divide="ignore"):
            means = vertical @ (values * valid) @ horizontal.T / weights
        some = weights > 1e-9
        # Integers are rounded; a mean that is nodata becomes its neighbour.
        tolerance = 1e-4 if full.dtype.kind == "f" else (1.51 if nodata is not None else 0.51)
        if np.abs(found[band][some] - means[some]).max(initial=0) > tolerance:
            return ["overview by average"]
    return []


def main() -> int:
    """Runs the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    # tifffile reports a nodata that a type cannot hold, which the sources may have.
    logging.disable()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{arguments.extension.resolve()}'")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.tif", Path(folder) / "target.tif"
        for number in range(arguments.cases):
            generator = np.random.default_rng([arguments.seed, number])
            case = random_case(generator)
            write_source(case, source)
            try:
                copy(connection, case, source, target, generator)
                found = faults(connection, case, source, target)
            except (duckdb.Error, rasterio.errors.RasterioError) as error:
                found = [str(error)[:300]]
            if sorted(path.name for path in Path(folder).iterdir()) != ["source.tif", "target.tif"]:
                found.append("files left over")
            if found:
                wrong += 1
                shape, dtype = case.data.shape, case.data.dtype
                print(
                    f"case {number}: {shape} {dtype} nodata {case.nodata} {case.crs} {case.options} windows {case.windows}: {found}"
                )
    print(f"{arguments.cases} cases, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
