"""Builds an index and computes statistics of fields on Spark, with DuckDB and the extension in every executor.

    spark-submit index_and_zones.py --extension /path/to/rasteret.duckdb_extension --items items.parquet --fields fields.parquet \\
        --bands B04 --band B04 --index /shared/index --zones /shared/zones --partitions 64

First, `mapInArrow` over the records: each task writes the index of its partition as one Parquet file, under a temporary name, and renames it
at the end. Then, `mapInArrow` over these files: tasks return statistics as rows, which Spark writes. Spark repeats a task that was lost with
its executor; it writes the same file, so that the result does not depend on failures.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import SparkFiles, TaskContext
from pyspark.sql import DataFrame, SparkSession

Batches = Iterator[pa.RecordBatch]
INDEXED = "path string, records long, errors long"
STATISTICS = "id string, field string, pixels double, mean double"


def connect(requests: int):  # noqa: ANN201 - duckdb is only imported in executors
    """Opens DuckDB with the extension, which Spark has copied to this node."""
    import duckdb

    os.environ["RASTERET_MAX_CONCURRENT"] = str(requests)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    # Spark runs one task per core.
    connection.execute("SET threads = 1")
    connection.execute(f"LOAD '{SparkFiles.get('rasteret.duckdb_extension')}'")
    return connection


def index_of(bands: list[str], folder: str, requests: int) -> Callable[[Batches], Batches]:
    """Returns the function that indexes a partition of records and yields a row about its file."""

    def index(batches: Batches) -> Batches:
        found = list(batches)
        records = sum(batch.num_rows for batch in found)
        if records == 0:
            return
        task = TaskContext.get()
        path = Path(folder, f"part-{task.partitionId():05}.parquet")
        partial = path.with_name(f".{path.name}.{task.taskAttemptId()}.tmp")
        connection = connect(requests)
        connection.register("records", pa.Table.from_batches(found))
        names = ", ".join(f"'{band}'" for band in bands)
        connection.execute(
            f"""
            COPY (FROM query(rasteret_enrich_sql('FROM records', [{names}])) ORDER BY id)
            TO '{partial}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)
            """
        )
        (errors,) = connection.execute(f"SELECT count(rasteret_error) FROM read_parquet('{partial}')").fetchone()
        partial.replace(path)
        yield pa.RecordBatch.from_pydict({"path": [str(path)], "records": [records], "errors": [errors]})

    return index


def zones_of(band: str, fields: str, requests: int) -> Callable[[Batches], Batches]:
    """Returns the function that computes statistics of all fields in the scenes of index files."""

    def zones(batches: Batches) -> Batches:
        connection = connect(requests)
        connection.execute(
            f"""
            CREATE TABLE fields AS
            SELECT field, geometry, rasteret_normalize({{geometry: geometry}}).bbox AS box FROM read_parquet('{fields}')
            """
        )
        (boxless,) = connection.execute("SELECT count(*) FROM fields WHERE box IS NULL").fetchone()
        if boxless:
            raise ValueError(
                f"{fields}: expected GEOMETRY or WKB in column geometry, found {boxless} fields without a box"
            )
        for batch in batches:
            for path in batch.column("path").to_pylist():
                # Ordered by scene, so that the tiles of a scene are fetched and decoded once.
                yield from connection.execute(
                    f"""
                    SELECT id, field, statistics.count AS pixels, statistics.mean AS mean
                    FROM (
                        SELECT id, field, cog_zonal_stats(assets.{band}.href, {band}_metadata, fields.geometry) AS statistics
                        FROM read_parquet('{path}') AS scene JOIN fields
                            ON box.xmax >= scene.bbox.xmin AND box.xmin <= scene.bbox.xmax
                            AND box.ymax >= scene.bbox.ymin AND box.ymin <= scene.bbox.ymax
                        WHERE {band}_metadata IS NOT NULL
                    )
                    WHERE statistics.count > 0
                    """
                ).to_arrow_reader()

    return zones


def build_index(spark: SparkSession, args: argparse.Namespace) -> list[str]:
    """Indexes the records and returns the files. Partitions are the same in every run."""
    Path(args.index).mkdir(parents=True, exist_ok=True)
    records = spark.read.parquet(args.items).repartition(args.partitions, "id")
    rows = records.mapInArrow(index_of(args.bands, args.index, args.requests), INDEXED).collect()
    paths = sorted(row.path for row in rows)
    # Files of an earlier run with other records or more partitions.
    for old in Path(args.index).glob("part-*.parquet"):
        if str(old) not in paths:
            old.unlink()
    print(
        f"index: {sum(row.records for row in rows)} records, {sum(row.errors for row in rows)} with an error, {len(paths)} files"
    )
    return paths


def statistics(spark: SparkSession, args: argparse.Namespace, paths: list[str]) -> DataFrame:
    """Computes statistics of the fields, with one task for each file of the index."""
    files = spark.sparkContext.parallelize([(path,) for path in paths], len(paths)).toDF("path string")
    return files.mapInArrow(zones_of(args.band, args.fields, args.requests), STATISTICS)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", required=True)
    parser.add_argument("--items", required=True, help="Parquet of records with id, datetime and assets")
    parser.add_argument(
        "--fields", required=True, help="Parquet with columns field and geometry, readable by all executors"
    )
    parser.add_argument("--bands", nargs="+", required=True, help="bands to index")
    parser.add_argument("--band", required=True, help="band to compute statistics of")
    parser.add_argument("--index", required=True, help="folder shared by all executors")
    parser.add_argument("--zones", required=True, help="folder to which Spark writes the statistics")
    parser.add_argument("--partitions", type=int, default=64, help="number of partitions, several for each core")
    parser.add_argument(
        "--requests", type=int, default=75, help="concurrent requests per task: 300 divided by the cores of a machine"
    )
    return parser.parse_args(words)


def main() -> None:
    args = arguments()
    spark = SparkSession.builder.appName("rasteret").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.addFile(args.extension)
    started = time.monotonic()
    paths = build_index(spark, args)
    indexed = time.monotonic()
    statistics(spark, args, paths).write.mode("overwrite").parquet(args.zones)
    print(f"seconds: index {indexed - started:.2f}, statistics {time.monotonic() - indexed:.2f}")
    spark.stop()


if __name__ == "__main__":
    main()
