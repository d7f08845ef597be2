#!/usr/bin/env python3
"""Runs worker k of n, which indexes its share of the records or computes statistics of fields in its share of an index.

    worker.py index --items items.parquet --bands B04 B08 --output index            --worker 0 --workers 4
    worker.py zones --index index --band B04 --fields fields.parquet --output zones --worker 0 --workers 4

Records are divided into pieces by a hash of their id, and piece p belongs to worker p modulo n. Each piece is one Parquet file, which is
written atomically. A worker skips existing pieces with the same records, so that it can be killed and restarted, also with another number
of workers. In a SLURM or AWS Batch array job, k and n come from the environment.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import duckdb

# Concurrent requests of all workers of a machine: the default of one process.
CONCURRENT_REQUESTS = 300
# Age after which a temporary file is considered to be left over from a killed worker.
STALE_SECONDS = 24 * 3600
NAME = re.compile(r"piece-\d{5}\.parquet")


def array_job() -> tuple[int, int] | None:
    """Returns the index of this process in its array job and the size of the job."""
    for index, size, first, step in (
        ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "", ""),
    ):
        if index in os.environ and size in os.environ:
            offset = int(os.environ[index]) - int(os.environ.get(first, 0))
            return offset // int(os.environ.get(step, 1)), int(os.environ[size])
    return None


def connect(extension: str, share: int) -> duckdb.DuckDBPyConnection:
    """Opens DuckDB with the extension, limited to this worker's share of the machine."""
    os.environ.setdefault("RASTERET_MAX_CONCURRENT", str(max(1, CONCURRENT_REQUESTS // share)))
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    # DuckDB's default respects cgroups and SLURM's allocation.
    (threads,) = connection.execute("SELECT current_setting('threads')").fetchone()
    connection.execute(f"SET threads = {max(1, threads // share)}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"LOAD '{extension}'")
    return connection


class Pieces:
    """A folder of pieces, each with a digest of its inputs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".piece-*.tmp"):
            if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                leftover.unlink(missing_ok=True)

    def path(self, piece: int) -> Path:
        return self._folder / f"piece-{piece:05}.parquet"

    def digest(self, piece: int) -> str | None:
        """Returns the digest of a piece; None if it does not exist."""
        if not self.path(piece).is_file():
            return None
        sql = "SELECT decode(value) FROM parquet_kv_metadata($1) WHERE decode(key) = 'digest'"
        found = self._connection.execute(sql, [str(self.path(piece))]).fetchone()
        return found[0] if found else None

    def all(self) -> list[int]:
        """Returns the numbers of existing pieces."""
        return sorted(int(path.name[6:11]) for path in self._folder.iterdir() if NAME.fullmatch(path.name))

    def keep(self, wanted: set[int], args: argparse.Namespace) -> None:
        """Removes pieces of this worker without remaining records."""
        for piece in self.all():
            if piece % args.workers == args.worker and piece not in wanted:
                self.path(piece).unlink()
                print(f"piece {piece}: removed", flush=True)

    def write(self, piece: int, digest: str, sql: str) -> None:
        """Writes a piece to a temporary file and renames it."""
        partial = self._folder / f".{self.path(piece).name}.{os.uname().nodename}-{os.getpid()}.tmp"
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048, KV_METADATA {{digest: '{digest}'}}"
        try:
            self._connection.execute(f"COPY ({sql}) TO '{partial}' ({options})")
        except duckdb.Error:
            partial.unlink(missing_ok=True)
            raise
        # Synchronised before the file is renamed, so that a power failure cannot leave an empty piece.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(self.path(piece))


def index(args: argparse.Namespace, connection: duckdb.DuckDBPyConnection) -> int:
    """Indexes the records of this worker's pieces."""
    pieces = Pieces(connection, args.output)
    piece_of = f"(md5_number_lower(id::VARCHAR) % {args.pieces})"
    # The digest contains the records of a piece, the bands and the number of pieces.
    digests = connection.execute(
        f"""
        SELECT {piece_of}::INTEGER, count(*) || '-' || sum(md5_number_lower(to_json({{id: id, assets: assets}})::VARCHAR))
        FROM read_parquet('{args.items}') GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    bands = ", ".join(f"'{band}'" for band in args.bands)
    if (largest := max(pieces.all(), default=0)) >= args.pieces:
        sys.exit(f"{args.output} has a piece {largest}: it was created with more than {args.pieces} pieces")
    pieces.keep({piece for piece, _ in digests}, args)
    done = 0
    for piece, content in digests:
        digest = f"{content}-{args.pieces}-{'-'.join(args.bands)}"
        if piece % args.workers != args.worker:
            continue
        if pieces.digest(piece) == digest and not (args.retry_errors and errors(connection, pieces.path(piece))):
            continue
        source = f"FROM read_parquet('{args.items}') WHERE {piece_of} = {piece}".replace("'", "''")
        pieces.write(piece, digest, f"FROM query(rasteret_enrich_sql('{source}', [{bands}])) ORDER BY id")
        failed = errors(connection, pieces.path(piece))
        print(f"piece {piece}: {content.split('-')[0]} records, {failed} with an error", flush=True)
        done += 1
    return done


def errors(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Returns the number of records of a piece with an unreadable file."""
    return connection.execute("SELECT count(rasteret_error) FROM read_parquet($1)", [str(path)]).fetchone()[0]


def zones(args: argparse.Namespace, connection: duckdb.DuckDBPyConnection) -> int:
    """Computes statistics of every field in every scene of this worker's pieces of the index."""
    pieces = Pieces(connection, args.output)
    connection.execute(
        f"""
        CREATE TABLE fields AS
        SELECT field, geometry, rasteret_normalize({{geometry: geometry}}).bbox AS box FROM read_parquet('{args.fields}')
        """
    )
    (boxless,) = connection.execute("SELECT count(*) FROM fields WHERE box IS NULL").fetchone()
    if boxless:
        sys.exit(f"{args.fields}: expected GEOMETRY or WKB in column geometry, found {boxless} fields without a box")
    (fields,) = connection.execute(
        "SELECT count(*) || '-' || sum(md5_number_lower(field || '|' || geometry::VARCHAR)) FROM fields"
    ).fetchone()
    indexed = Pieces(connection, args.index)
    pieces.keep(set(indexed.all()), args)
    done = failed = 0
    for piece in indexed.all():
        if piece % args.workers != args.worker:
            continue
        path = indexed.path(piece)
        href, metadata = f"assets.{args.band}.href", f"{args.band}_metadata"
        (content,) = connection.execute(
            f"""
            SELECT coalesce(sum(md5_number_lower(concat_ws('|', id, {href}, {metadata}.etag, {metadata}.file_size,
                {metadata}.last_modified))), 0)
            FROM read_parquet('{path}')
            """
        ).fetchone()
        digest = f"{content}-{fields}-{args.band}"
        if pieces.digest(piece) == digest:
            continue
        # Ordered by scene, so that the tiles of a scene are fetched and decoded once.
        sql = f"""
            SELECT id, datetime, field, statistics.count AS pixels, statistics.mean AS mean
            FROM (
                SELECT id, datetime, field, cog_zonal_stats({href}, {metadata}, fields.geometry) AS statistics
                FROM read_parquet('{path}') AS scene JOIN fields
                    ON box.xmax >= scene.bbox.xmin AND box.xmin <= scene.bbox.xmax
                    AND box.ymax >= scene.bbox.ymin AND box.ymin <= scene.bbox.ymax
                WHERE {metadata} IS NOT NULL
            )
            WHERE statistics.count > 0
            ORDER BY id, field
            """
        try:
            pieces.write(piece, digest, sql)
        except duckdb.Error as error:
            # The other pieces do not depend on it; the next run tries it again.
            print(f"piece {piece}: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        print(f"piece {piece}: done", flush=True)
        done += 1
    if failed:
        sys.exit(f"{failed} pieces failed, {done} pieces written")
    return done


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    indexing = commands.add_parser("index", help="add headers to records")
    indexing.add_argument("--items", required=True, help="Parquet of records: a path, a glob or a URL")
    indexing.add_argument("--bands", nargs="+", required=True)
    indexing.add_argument(
        "--pieces", type=int, default=256, help="number of pieces, several for each worker; it may only grow"
    )
    indexing.add_argument("--retry-errors", action="store_true", help="repeat pieces with unreadable files")
    statistics = commands.add_parser("zones", help="statistics of fields in an index")
    statistics.add_argument("--index", type=Path, required=True, help="folder written by `index`")
    statistics.add_argument("--fields", required=True, help="Parquet with columns field and geometry")
    statistics.add_argument("--band", required=True)
    for command in (indexing, statistics):
        command.add_argument("--output", type=Path, required=True, help="folder shared by all workers")
        command.add_argument("--worker", type=int, help="number of this worker, from 0")
        command.add_argument("--workers", type=int)
        command.add_argument("--per-machine", type=int, default=1, help="workers per machine")
        command.add_argument("--extension", default=os.environ.get("RASTERET_EXTENSION", "rasteret"))
    args = parser.parse_args()
    if args.worker is None or args.workers is None:
        job = array_job()
        if job is None:
            parser.error("expected --worker and --workers, or an array job of SLURM or AWS Batch")
        args.worker, args.workers = job
    if not 0 <= args.worker < args.workers:
        parser.error(f"expected --worker from 0 to {args.workers - 1}, found {args.worker}")
    return args


def main() -> int:
    args = arguments()
    connection = connect(args.extension, args.per_machine)
    done = {"index": index, "zones": zones}[args.command](args, connection)
    print(f"worker {args.worker} of {args.workers}: {done} pieces written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
