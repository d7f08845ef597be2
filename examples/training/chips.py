#!/usr/bin/env python3
"""Reads chips for training: samples from an index, a dataset for torch, and Parquet shards.

    chips.py samples --index index.parquet --points points.parquet --output samples.parquet
    chips.py shards  --samples samples.parquet --output shards

`samples.parquet` has one row per chip: its id, scene, split, batch, centre and sources (the last one is the label), with the metadata of their headers, so that workers
only read pixels. `ChipDataset` reads the chips of a split in a torch DataLoader; `shards` writes them to Parquet files, for training from
a local disk.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np

try:
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError:
    # Samples and shards do not need torch.
    IterableDataset, get_worker_info = object, lambda: None

# One chip per point, from the scene with the fewest clouds at this point. The last source is the label: classes of 20 m, resampled to
# the pixels of the first source. Points in the same 10 km cell are in the same split.
SAMPLES = """
COPY (
    WITH pairs AS (
        SELECT p.id, s.id AS scene, p.longitude, p.latitude,
            [{{href: s.assets.B04.href, metadata: s.B04_metadata, resampling: 'bilinear'}},
             {{href: s.assets.B08.href, metadata: s.B08_metadata, resampling: 'bilinear'}},
             {{href: s.assets.SCL.href, metadata: s.SCL_metadata, resampling: 'nearest'}}] AS sources
        FROM '{points}' AS p JOIN '{index}' AS s ON p.longitude BETWEEN s.bbox.xmin AND s.bbox.xmax AND p.latitude BETWEEN s.bbox.ymin AND s.bbox.ymax
        QUALIFY row_number() OVER (PARTITION BY p.id ORDER BY s."eo:cloud_cover", s.id) = 1
    )
    SELECT id, major_tom_cell(latitude, longitude, 10) AS cell, rasteret_split(cell) AS split, scene,
        format('POINT({{}} {{}})', longitude, latitude) AS centre, sources,
        -- The chips of a batch are of the same scene and near each other, so that their tiles are read once.
        (row_number() OVER (PARTITION BY split ORDER BY scene, round(latitude, 1) DESC, longitude) - 1) // {batch} AS batch
    FROM pairs
    ORDER BY split, batch
) TO '{output}' (FORMAT parquet, ROW_GROUP_SIZE 2048)
"""

CHIPS = """
SELECT id, scene, unnest(cog_chip(sources, centre, {{size: {size}}}))
FROM '{samples}'
WHERE split = $split AND batch = $batch
"""


def connect(extension: str) -> duckdb.DuckDBPyConnection:
    """Opens a database with the extension and one thread; parallelism comes from the workers."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 1})
    connection.execute(f"LOAD '{extension}'")
    return connection


def quoted(text: str | Path) -> str:
    return str(text).replace("'", "''")


def batches(samples: str, split: str, connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Returns the batches of a split."""
    sql = f"SELECT DISTINCT batch FROM '{quoted(samples)}' WHERE split = $split ORDER BY batch"
    return [number for (number,) in connection.execute(sql, {"split": split}).fetchall()]


def chips(table: object) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the id and the pixels of each row of an Arrow table. The arrays are views of its buffers."""
    for rows in table.to_batches():
        data, shapes = rows.column("data"), rows.column("shape")
        values = data.values.to_numpy(zero_copy_only=True)
        offsets = data.offsets.to_numpy()
        for at, name in enumerate(rows.column("id").to_pylist()):
            yield name, values[offsets[at] : offsets[at + 1]].reshape(shapes[at].as_py())


class ChipDataset(IterableDataset):
    """Yields image and label of each sample of a split, as arrays of shape (bands, height, width) and (height, width).

    Batches are divided among the workers of a DataLoader, and shuffled if a seed is given. Each worker opens its own connection
    when it starts, so that both fork and spawn are supported.
    """

    def __init__(self, samples: str, split: str, extension: str, size: int = 256, seed: int | None = None) -> None:
        self.samples, self.split, self.extension = samples, split, extension
        self.size, self.seed = size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Selects the order of an epoch. Must be called before the DataLoader starts its workers."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        for _, pixels in self.read(worker, workers):
            # Arrow buffers are read-only; torch expects writable arrays.
            pixels = pixels.copy()
            yield pixels[:-1], pixels[-1]

    def read(self, worker: int = 0, workers: int = 1) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the id and all bands of the samples of one worker."""
        # All workers together use the default of one process.
        os.environ.setdefault("RASTERET_MAX_CONCURRENT", str(max(1, 300 // workers)))
        connection = connect(self.extension)
        order = batches(self.samples, self.split, connection)
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        sql = CHIPS.format(samples=quoted(self.samples), size=self.size)
        for number in order[worker::workers]:
            found = connection.execute(sql, {"split": self.split, "batch": number})
            yield from chips(found.to_arrow_table())


def write_samples(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    names = {name: quoted(getattr(args, name)) for name in ("index", "points", "output")}
    connection.execute(SAMPLES.format(**names, batch=args.batch))
    sql = f"SELECT split, count(*), count(DISTINCT cell) FROM '{names['output']}' GROUP BY ALL ORDER BY ALL"
    for split, count, cells in connection.execute(sql).fetchall():
        print(f"{split}: {count} samples in {cells} cells")


def write_shards(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    """Writes one file per batch and split, atomically; existing files are kept."""
    written = 0
    for (split,) in connection.execute(f"SELECT DISTINCT split FROM '{quoted(args.samples)}' ORDER BY 1").fetchall():
        folder = args.output / f"split={split}"
        folder.mkdir(parents=True, exist_ok=True)
        sql = CHIPS.format(samples=quoted(args.samples), size=args.size)
        for number in batches(args.samples, split, connection):
            target = folder / f"shard-{number:05}.parquet"
            if target.exists():
                continue
            unfinished = target.with_suffix(".tmp")
            connection.execute(
                f"COPY ({sql}) TO '{quoted(unfinished)}' (FORMAT parquet, COMPRESSION zstd)",
                {"split": split, "batch": number},
            )
            unfinished.rename(target)
            written += 1
    print(f"{written} shards written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", default="build/release/rasteret.duckdb_extension")
    commands = parser.add_subparsers(dest="command", required=True)
    samples = commands.add_parser("samples")
    samples.add_argument("--index", required=True)
    samples.add_argument("--points", required=True, help="Parquet with id, longitude and latitude")
    samples.add_argument("--output", required=True)
    samples.add_argument("--batch", type=int, default=64, help="chips per query")
    shards = commands.add_parser("shards")
    shards.add_argument("--samples", required=True)
    shards.add_argument("--output", type=Path, required=True)
    shards.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    connection = connect(args.extension)
    connection.execute(f"SET threads = {os.cpu_count() or 1}")
    {"samples": write_samples, "shards": write_shards}[args.command](connection, args)


if __name__ == "__main__":
    main()
