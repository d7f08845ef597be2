"""Generates values at points and windows of geometries with GDAL's warper and rasterio: `scripts/make-pixel-cases`.

Writes crates/cog/src/pixel/tests/cases.tsv, one case per line, tab-separated. Pixel (col, row) of every raster holds
`(37 * col + 101 * row + 13 * col * row) % 97 + 1`, or the nodata value 0 if it is listed as invalid.

    value     bilinear | cubic, width, height, invalid pixels as `col:row`, x and y in pixels, the value or `none`
    window    transform a b c d e f, width, height, WKT in world coordinates, `col_off row_off width height` or `none`
    mask      transform, width, height, nodata or `none`, WKT, all_touched, window, its values row by row, its mask row by row

`value` is the result of rasterio.warp.reproject for one pixel centred on the point, with the resolution of the raster. Rasters of one
row or column are excluded, because GDAL does not interpolate them along the other axis. `window` and `mask` are results of rasterio.mask
with crop=True. Points, transforms and geometries are random, from a fixed seed; a third of the geometries are aligned with pixels.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.features import geometry_window
from rasterio.io import DatasetReader, MemoryFile
from rasterio.mask import mask
from rasterio.warp import Resampling, reproject
from rasterio.windows import WindowError

CASES = Path(__file__).resolve().parent.parent / "crates" / "cog" / "src" / "pixel" / "tests" / "cases.tsv"
SEED = 20241122
TRANSFORMS = [
    Affine(10, 0, 500_000, 0, -10, 4_000_000),
    Affine(1 / 3600, 0, -120.5, 0, -1 / 3600, 45.25),
    Affine(0.1, 0, -180, 0, -0.1, 90),
    Affine(152.8740565703525, 0, -13630599.62775418, 0, -152.8740565703525, 5060000.123),
    Affine(30, 0, 399_960, 0, 30, 4_200_000),
    Affine(8, 6, 500_000, 6, -8, 4_000_000),
    Affine(0, 10, 500_000, -10, 0, 4_000_000),
]


def raster(width: int, height: int, invalid: set[tuple[int, int]]) -> np.ndarray:
    row, col = np.mgrid[0:height, 0:width]
    values = (37 * col + 101 * row + 13 * col * row) % 97 + 1
    for at in invalid:
        values[at[1], at[0]] = 0
    return values


def value(resampling: Resampling, pixels: np.ndarray, x: float, y: float) -> float | None:
    found = np.full((3, 3), -1.0)
    reproject(
        pixels.astype("f8"),
        found,
        src_transform=Affine(10, 0, 500_000, 0, -10, 4_000_000),
        src_crs="EPSG:32631",
        src_nodata=0,
        dst_transform=Affine(10, 0, 500_000 + 10 * (x - 1.5), 0, -10, 4_000_000 - 10 * (y - 1.5)),
        dst_crs="EPSG:32631",
        dst_nodata=-1,
        resampling=resampling,
    )
    return None if found[1, 1] == -1 else float(found[1, 1])


def value_cases(rng: random.Random) -> list[str]:
    lines = []
    for _ in range(300):
        width, height = rng.randint(2, 9), rng.randint(2, 8)
        everywhere = [(col, row) for row in range(height) for col in range(width)]
        invalid = set(rng.sample(everywhere, rng.choice([0, 0, 1, 3]) % len(everywhere)))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        # Coordinates in GDAL have an error of about 1e-9 pixels, which may move a point across a centre or an edge.
        if min(abs(at * 2 - round(at * 2)) for at in (x, y)) < 1e-3:
            continue
        pixels = raster(width, height, invalid)
        for resampling in (Resampling.bilinear, Resampling.cubic):
            found = value(resampling, pixels, x, y)
            listed = " ".join(f"{col}:{row}" for col, row in sorted(invalid))
            fields = [
                resampling.name,
                width,
                height,
                listed,
                repr(x),
                repr(y),
                "none" if found is None else f"{found:.7f}",
            ]
            lines.append("\t".join(map(str, ["value", *fields])))
    return lines


def dataset(transform: Affine, width: int, height: int, nodata: int | None) -> DatasetReader:
    file = MemoryFile()
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "uint8"}
    with file.open(transform=transform, nodata=nodata, **profile) as target:
        target.write(raster(width, height, set()).astype("u1"), 1)
    return file.open()


def geometry(rng: random.Random, transform: Affine, width: int, height: int) -> tuple[dict, str]:
    """Returns a triangle, a box aligned with pixels, a line or a point, inside or outside of the image."""
    left, top = rng.uniform(-3, width + 1), rng.uniform(-3, height + 1)
    right, bottom = left + rng.uniform(0.1, width), top + rng.uniform(0.1, height)
    kind = rng.choice(["Polygon", "Polygon", "box", "box", "LineString", "Point"])
    if kind == "box":
        kind, (left, top, right, bottom) = "Polygon", (int(left), int(top), int(right) + 1, int(bottom) + 1)
        ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    else:
        ring = [(left, top), (right, rng.uniform(top, bottom)), (rng.uniform(left, right), bottom), (left, top)]
    world = [transform @ vertex for vertex in ring]
    spelled = [f"{x!r} {y!r}" for x, y in world]
    if kind == "Polygon":
        return {"type": kind, "coordinates": [world]}, f"POLYGON (({', '.join(spelled)}))"
    if kind == "LineString":
        return {"type": kind, "coordinates": world[:3]}, f"LINESTRING ({', '.join(spelled[:3])})"
    return {"type": kind, "coordinates": world[0]}, f"POINT ({spelled[0]})"


def window_cases(rng: random.Random) -> list[str]:
    lines = []
    for number in range(500):
        transform, width, height = TRANSFORMS[number % len(TRANSFORMS)], rng.randint(1, 12), rng.randint(1, 12)
        nodata = rng.choice([None, 0, 200])
        shape, wkt = geometry(rng, transform, width, height)
        with dataset(transform, width, height, nodata) as source:
            # The transform written by GDAL may differ in the last bit.
            transform = source.transform
            try:
                window = geometry_window(source, [shape])
            except WindowError:
                window = None
            spelled = " ".join(map(repr, transform[:6]))
            place = f"{window.col_off} {window.row_off} {window.width} {window.height}" if window else "none"
            lines.append("\t".join(map(str, ["window", spelled, width, height, wkt, place])))
            if window and number % 2:
                all_touched = rng.choice([False, True])
                filled, _ = mask(source, [shape], crop=True, all_touched=all_touched)
                masked, _ = mask(source, [shape], crop=True, all_touched=all_touched, filled=False)
                values = " ".join(map(str, filled.ravel()))
                valid = "".join("01"[int(not out)] for out in np.ma.getmaskarray(masked).ravel())
                fields = [
                    spelled,
                    width,
                    height,
                    str(nodata).lower(),
                    wkt,
                    str(all_touched).lower(),
                    place,
                    values,
                    valid,
                ]
                lines.append("\t".join(map(str, ["mask", *fields])))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    made = f"# scripts/make-pixel-cases, rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}\n"
    made += "\n".join([*value_cases(rng), *window_cases(rng)]) + "\n"
    if not arguments.check:
        CASES.write_text(made)
    elif CASES.read_text() != made:
        sys.exit(f"{CASES} is out of date: run scripts/make-pixel-cases")


if __name__ == "__main__":
    main()
