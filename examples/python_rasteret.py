#!/usr/bin/env python3
"""An index made by this extension, read by Python Rasteret: the pixels are those that rasterio reads.

    python python_rasteret.py [--extension build/release/rasteret.duckdb_extension]

Needs Python 3.12 and `pip install duckdb rasteret==0.4.1 rasterio`. Makes four COGs and an items table in a temporary folder,
indexes them with `rasteret_enrich`, writes the index as Parquet partitioned by year and month, opens that with
`rasteret.load`, and compares windows value for value. `rasteret_python_metadata` gives `compression` as the code that
Python Rasteret reads.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import rasteret
import rasterio
import shapely
from rasterio.mask import mask
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

EPSG = 32631
WEST, NORTH, RESOLUTION, SIZE = 500_000, 4_600_000, 10, 1024
BANDS = ("B04", "B08")
SCENES = {"winter": datetime.datetime(2024, 1, 9), "summer": datetime.datetime(2024, 7, 12)}


def write_cog(path: Path, seed: int) -> None:
    """A COG of random numbers, with some nodata."""
    pixels = np.random.default_rng(seed).integers(0, 4_000, (SIZE, SIZE)).astype("uint16")
    profile = {
        "driver": "COG", "width": SIZE, "height": SIZE, "count": 1, "dtype": "uint16", "crs": f"EPSG:{EPSG}",
        "transform": from_origin(WEST, NORTH, RESOLUTION, RESOLUTION), "nodata": 0,
        "compress": "deflate", "predictor": 2, "blocksize": 256,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)


def write_items(path: Path, cogs: dict[tuple[str, str], Path]) -> None:
    """A table of STAC-like items."""
    west, south, east, north = transform_bounds(
        f"EPSG:{EPSG}", "EPSG:4326", WEST, NORTH - SIZE * RESOLUTION, WEST + SIZE * RESOLUTION, NORTH
    )
    footprint = shapely.to_wkb(shapely.box(west, south, east, north))
    pq.write_table(
        pa.table(
            {
                "id": list(SCENES),
                "datetime": pa.array(list(SCENES.values()), pa.timestamp("us")),
                "geometry": pa.array([footprint] * len(SCENES), pa.binary()),
                "assets": [{band: {"href": str(cogs[scene, band])} for band in BANDS} for scene in SCENES],
            }
        ),
        path,
    )


def write_index(extension: Path, items: Path, collection: Path) -> None:
    """The index, in the form that Python Rasteret reads."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    metadata = ", ".join(f"rasteret_python_metadata({band}_metadata) AS {band}_metadata" for band in BANDS)
    connection.execute(
        f"""
        COPY (
            SELECT * EXCLUDE (rasteret_error) REPLACE ({metadata})
            FROM rasteret_enrich('{items}', bands := {list(BANDS)}, on_error := 'fail')
        ) TO '{collection}' (FORMAT parquet, PARTITION_BY (year, month))
        """
    )


def windows() -> list[shapely.Polygon]:
    """Boxes of 64 by 64 pixels: inside a tile, over four of them, at the edges of the image."""
    corners = [(10, 10), (230, 230), (SIZE - 64, SIZE - 64), (0, 500), (511, 0)]
    return [
        shapely.box(
            WEST + col * RESOLUTION,
            NORTH - (row + 64) * RESOLUTION,
            WEST + (col + 64) * RESOLUTION,
            NORTH - row * RESOLUTION,
        )
        for col, row in corners
    ]


def differences(collection: rasteret.Collection, cogs: dict[tuple[str, str], Path]) -> tuple[int, list[str]]:
    """How many windows were compared, and which differ from what rasterio reads."""
    compared, different = 0, []
    for (scene, band), cog in cogs.items():
        found = collection.where(ds.field("id") == scene).get_gdf(windows(), [band], geometry_crs=EPSG)
        with rasterio.open(cog) as dataset:
            for window, pixels in zip(windows(), found.sort_values("geometry_id")["data"], strict=True):
                expected, _ = mask(dataset, [window], crop=True, indexes=1)
                compared += 1
                if pixels.dtype != expected.dtype or not np.array_equal(pixels, expected):
                    different.append(f"{scene} {band} {window.bounds}")
    return compared, different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=Path("build/release/rasteret.duckdb_extension"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        cogs = {(scene, band): work / f"{scene}_{band}.tif" for scene in SCENES for band in BANDS}
        for seed, cog in enumerate(cogs.values()):
            write_cog(cog, seed)
        write_items(work / "items.parquet", cogs)
        write_index(args.extension.resolve(), work / "items.parquet", work / "collection")
        collection = rasteret.load(work / "collection")
        compared, different = differences(collection, cogs)
    print(
        f"Python Rasteret {rasteret.version()} read {compared} windows, {compared - len(different)} as rasterio reads them"
    )
    for window in different:
        print(f"differs: {window}")
    return 1 if different or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
