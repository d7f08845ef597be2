"""Compares Parquet layouts of an index of 100,000 records: file size, and the cost of a selective query.

The records are synthetic: scenes of 10980 by 10980 pixels in tiles of 1024 with four overviews, at 2,000 locations in Europe and 50
dates each, with random tile sizes. The query selects the headers of one band in a box of two degrees in one season. Bytes read are those
that DuckDB reads from files, as counted by the kernel, on a new connection each time; seconds are medians.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import servers

WORK = servers.ROOT / "build" / "bench"
SIDE, TILE = 10_980, 1_024
LEVELS = [SIDE // 2**level for level in range(5)]
DATES = 50
QUERY = """
SELECT id, B04_metadata FROM read_parquet('{files}', hive_partitioning := true)
WHERE bbox.xmin < 12 AND bbox.xmax > 10 AND bbox.ymin < 48 AND bbox.ymax > 46
    AND datetime >= TIMESTAMP '2024-06-01' AND datetime < TIMESTAMP '2024-09-01'
"""
BY_LOCATION = "ORDER BY floor(bbox.ymin), bbox.xmin, datetime"
# Name, options of COPY, and order of records: by date, as in catalogs, or by location.
LAYOUTS = [
    ("snappy, by date", "COMPRESSION snappy", ""),
    ("zstd, by date", "COMPRESSION zstd", ""),
    ("zstd, by date, groups of 2,048", "COMPRESSION zstd, ROW_GROUP_SIZE 2048", ""),
    ("zstd, by location", "COMPRESSION zstd", BY_LOCATION),
    ("zstd, by location, groups of 10,240", "COMPRESSION zstd, ROW_GROUP_SIZE 10240", BY_LOCATION),
    ("zstd, by location, groups of 2,048", "COMPRESSION zstd, ROW_GROUP_SIZE 2048", BY_LOCATION),
    (
        "zstd level 9, by location, groups of 2,048",
        "COMPRESSION zstd, COMPRESSION_LEVEL 9, ROW_GROUP_SIZE 2048",
        BY_LOCATION,
    ),
    ("zstd, folders of year and month, by location", "COMPRESSION zstd, PARTITION_BY (year, month)", BY_LOCATION),
    (
        "zstd, folders of year and month, by location, groups of 2,048",
        "COMPRESSION zstd, ROW_GROUP_SIZE 2048, PARTITION_BY (year, month)",
        BY_LOCATION,
    ),
]


def tables(rng: np.random.Generator, rows: int, side: int, start: np.ndarray) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Returns the tile tables of a level of every record, and the end offset of each level."""
    tiles = (-(-side // TILE)) ** 2
    counts = rng.integers(100_000, 1_500_000, (rows, tiles), dtype=np.int32)
    ends = start[:, None] + np.cumsum(counts.astype(np.int64) + 8, axis=1)
    offsets = np.concatenate([start[:, None], ends[:, :-1]], axis=1)
    lists = np.arange(0, rows * tiles + 1, tiles, dtype=np.int32)
    made = {
        "tile_offsets": pa.ListArray.from_arrays(lists, offsets.ravel()),
        "tile_byte_counts": pa.ListArray.from_arrays(lists, counts.ravel()),
    }
    return made, ends[:, -1]


def level(rows: int, side: int, made: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Returns the fields of a level."""

    def same(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), rows)

    return {
        "image_width": same(side, pa.int32()),
        "image_height": same(side, pa.int32()),
        "tile_width": same(TILE, pa.int32()),
        "tile_height": same(TILE, pa.int32()),
        "dtype": same("uint16", pa.string()),
        **made,
        "compression": same("deflate", pa.string()),
        "predictor": same(2, pa.int32()),
        "samples_per_pixel": same(1, pa.int32()),
    }


def write_records(path: Path, rows: int) -> None:
    """Writes the index, ordered by date."""
    rng = np.random.default_rng(1)
    places = rows // DATES
    lon, lat = rng.uniform(-10, 30, places), rng.uniform(36, 60, places)
    order = np.tile(np.arange(places), DATES)
    days = np.repeat(np.arange(DATES) * 14, places)
    west, south = lon[order], lat[order]
    ends = np.full(rows, 20_000, dtype=np.int64)
    levels = []
    for side in LEVELS:
        made, ends = tables(rng, rows, side, ends)
        levels.append(pa.StructArray.from_arrays(**_named(level(rows, side, made))))
    image = dict(zip((field.name for field in levels[0].type), levels[0].flatten()))
    overviews = pa.concat_arrays(levels[1:]).take(pa.array(np.arange(rows * 4).reshape(4, rows).T.ravel()))
    image["overviews"] = pa.ListArray.from_arrays(np.arange(0, rows * 4 + 1, 4, dtype=np.int32), overviews)
    transform = np.stack(
        [np.full(rows, 10.0), np.zeros(rows), west * 1e5, np.zeros(rows), np.full(rows, -10.0), south * 1e5], axis=1
    )
    image["transform"] = pa.ListArray.from_arrays(np.arange(0, rows * 6 + 1, 6, dtype=np.int32), transform.ravel())
    image["etag"] = pa.array([f'"{number:032x}"' for number in rng.integers(0, 2**63, rows)])
    box = {"xmin": west, "ymin": south, "xmax": west + 1.4, "ymax": south + 1.0}
    moments = np.datetime64("2023-01-05T10:30", "us") + days.astype("timedelta64[D]")
    table = pa.table(
        {
            "id": [f"S2_{place:05}_{day:04}" for place, day in zip(order, days)],
            "datetime": pa.array(moments),
            "bbox": pa.StructArray.from_arrays([pa.array(side) for side in box.values()], list(box)),
            "B04_metadata": pa.StructArray.from_arrays(**_named(image)),
        }
    )
    pq.write_table(table, path, compression="none")


def _named(fields: dict[str, pa.Array]) -> dict[str, list]:
    return {"arrays": list(fields.values()), "names": list(fields)}


def bytes_read() -> int:
    """Returns the bytes that this process has read from files and pipes."""
    return int(Path("/proc/self/io").read_text().split()[1])


def measure(files: str, repeat: int) -> tuple[int, float, float]:
    """Returns rows, median seconds and bytes of the query."""
    seconds, touched, rows = [], 0, 0
    for _ in range(repeat):
        with duckdb.connect() as connection:
            before, started = bytes_read(), time.perf_counter()
            rows = len(connection.execute(QUERY.format(files=files)).to_arrow_table())
            seconds.append(time.perf_counter() - started)
            touched = bytes_read() - before
    return rows, statistics.median(seconds), touched


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Prints a Markdown table with one line per layout."""
    work = WORK / "layout"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    source = work / "records.parquet"
    write_records(source, args.records)
    results: list[dict[str, object]] = []
    print(
        f"DuckDB {duckdb.__version__}, {args.records:,} records, {len(LEVELS)} levels of {SIDE} pixels in tiles of {TILE}\n"
    )
    print("| layout | size, MB | write, s | query, ms | MB read |")
    print("|---|---|---|---|---|")
    for number, (name, options, order) in enumerate(LAYOUTS):
        target = work / f"layout{number}"
        partitioned = "PARTITION_BY" in options
        path = target if partitioned else target.with_suffix(".parquet")
        started = time.perf_counter()
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT *, year(datetime) AS year, month(datetime) AS month FROM '{source}' {order}) TO '{path}' (FORMAT parquet, {options})"
            )
        written = time.perf_counter() - started
        size = sum(
            file.stat().st_size for file in work.rglob(f"layout{number}*/**/*.parquet" if partitioned else path.name)
        )
        rows, seconds, touched = measure(f"{path}/**/*.parquet" if partitioned else str(path), args.repeat)
        print(f"| {name} | {size / 1e6:.0f} | {written:.1f} | {seconds * 1000:.0f} | {touched / 1e6:.2f} |", flush=True)
        results.append(
            {
                "layout": name,
                "bytes": size,
                "write_seconds": written,
                "query_seconds": seconds,
                "touched": touched,
                "rows": rows,
            }
        )
    if len({result["rows"] for result in results}) != 1:
        raise SystemExit("bench: the query returns different rows for the layouts")
    print(f"\n{results[0]['rows']} of {args.records:,} records match the query")
    shutil.rmtree(work)
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the benchmark."""
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
