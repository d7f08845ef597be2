#!/usr/bin/env python3
"""Exchanges indexes with Python Rasteret: one is created by this extension, the other by Python Rasteret and extended by this extension.
Python Rasteret must read the same pixels as rasterio with both.

    python python_rasteret.py [--extension build/release/rasteret.duckdb_extension]

Needs Python 3.12 and `pip install duckdb rasteret==0.4.1 rasterio`. Generates four COGs and an items table in a temporary folder,
indexes them with `rasteret_enrich`, writes the index as Parquet partitioned by year and month, opens it with
`rasteret.load`, and compares the values of windows. `rasteret_python_metadata` converts `compression` to the code that
Python Rasteret expects. In the other direction, `rasteret.build_from_table` indexes one scene, and SQL adds the other.
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
    """Writes a COG of random numbers, with some nodata."""
    pixels = np.random.default_rng(seed).integers(0, 4_000, (SIZE, SIZE)).astype("uint16")
    profile = {
        "driver": "COG", "width": SIZE, "height": SIZE, "count": 1, "dtype": "uint16", "crs": f"EPSG:{EPSG}",
        "transform": from_origin(WEST, NORTH, RESOLUTION, RESOLUTION), "nodata": 0,
        "compress": "deflate", "predictor": 2, "blocksize": 256,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)


def write_items(path: Path, cogs: dict[tuple[str, str], Path]) -> None:
    """Writes a table of STAC-like items."""
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
    """Writes the index in the form that Python Rasteret reads."""
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


def extend_index(extension: Path, items: Path, theirs: Path, collection: Path) -> tuple[list[str], list[str]]:
    """Adds missing scenes to an index of Python Rasteret; returns the ids of its own scenes and its validation problems."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    index = f"{theirs}/**/*.parquet"
    metadata = ", ".join(f"rasteret_python_metadata({band}_metadata) AS {band}_metadata" for band in BANDS)
    connection.execute(f"CREATE TABLE theirs AS FROM read_parquet('{index}', hive_partitioning := true)")
    # Columns that only its index has are NULL in new rows; columns that only this extension returns are left out.
    ours = f"SELECT * EXCLUDE (rasteret_error) REPLACE ({metadata}) FROM rasteret_enrich('{items}', bands := {list(BANDS)})"
    known = [name for (name,) in connection.execute("SELECT column_name FROM (DESCRIBE theirs)").fetchall()]
    shared = [
        name for (name,) in connection.execute(f"SELECT column_name FROM (DESCRIBE {ours})").fetchall() if name in known
    ]
    columns = ", ".join(f'"{name}"' for name in shared)
    connection.execute(
        f"""
        COPY (
            FROM theirs
            UNION ALL BY NAME
            SELECT {columns} FROM ({ours}) WHERE id NOT IN (SELECT id FROM theirs)
        ) TO '{collection}' (FORMAT parquet, PARTITION_BY (year, month))
        """
    )
    had = [name for (name,) in connection.execute("SELECT id FROM theirs").fetchall()]
    problems = connection.execute(f"FROM rasteret_validate('{index}', headers := true)").fetchall()
    return had, [" ".join(map(str, problem)) for problem in problems]


def windows() -> list[shapely.Polygon]:
    """Returns boxes of 64 by 64 pixels: inside a tile, across four tiles, and at the edges of the image."""
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
    """Compares windows with rasterio; returns the number of windows and the differing ones."""
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
        ours = differences(rasteret.load(work / "collection"), cogs)
        rasteret.build_from_table(
            pq.read_table(work / "items.parquet").slice(0, 1),
            workspace_dir=work / "theirs",
            enrich_cog=True,
            band_codes=list(BANDS),
        )
        had, problems = extend_index(
            args.extension.resolve(), work / "items.parquet", work / "theirs", work / "extended"
        )
        extended = differences(rasteret.load(work / "extended"), cogs)
    wrong = len(had) != 1 or problems
    for name, (compared, different) in (("an index of this extension", ours), ("its own, extended index", extended)):
        print(
            f"Python Rasteret {rasteret.version()} read {compared} windows with {name}, {compared - len(different)} equal to rasterio"
        )
        for window in different:
            print(f"differs: {window}")
        wrong = wrong or different or not compared
    for problem in problems:
        print(f"problem in the index of Python Rasteret: {problem}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
