"""Measures figures for docs/scaling.md: requests per second of CPU time, memory per worker, and the effect of the order of work.

Each workload runs in worker processes with one thread each. CPU time is that of the workers only, so it depends little on other load of
the machine; elapsed time does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import servers

from .contenders import EXTENSION
from .rasters import make

WORK = servers.ROOT / "build" / "bench"
FILE = "tiles484.tif"
# A field of 100 m in the CRS of the file, 10 m per pixel.
FIELD = "{xmin: 500100 + 1000 * (i % 100), ymin: 4599800 - 1000 * (i // 100), xmax: 500200 + 1000 * (i % 100), ymax: 4599900 - 1000 * (i // 100)}"


def connect(extension: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute("SET threads = 1")
    connection.execute(f"LOAD '{extension}'")
    return connection


def child(args: argparse.Namespace) -> None:
    """Runs one worker's share of a workload, and prints its cost."""
    connection = connect(args.extension)
    share = f"i % {args.workers} = {args.child}"
    href = f"'{args.server}/as/{FILE}/' || i || '.tif'"
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    if args.workload == "index":
        records = f"SELECT i AS id, TIMESTAMP ''2024-01-01'' AS datetime, {{B04: {{href: {href}}}}} AS assets FROM range({args.count}) t(i) WHERE {share}"
        records = records.replace("''2024-01-01''", "'2024-01-01'")
        connection.execute(f"CREATE TABLE records AS {records}")
        connection.execute(
            f"""
            COPY (FROM query(rasteret_enrich_sql('FROM records', ['B04'])))
            TO '{args.output}/{args.child}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)
            """
        )
    else:
        order = {"zones": "", "by-scene": "ORDER BY scene, i", "by-field": "ORDER BY i, scene"}[args.workload]
        scenes = 1 if args.workload == "zones" else 12
        href = href if args.workload == "zones" else f"'{args.server}/at/' || scene || '/{FILE}'"
        # The header is read from an index, as in the queries of the documentation.
        connection.execute(f"CREATE TABLE index AS SELECT cog_metadata('{WORK}/{FILE}') AS metadata")
        connection.execute("UPDATE index SET metadata = struct_update(metadata, etag := NULL, last_modified := NULL)")
        (found,) = connection.execute(
            f"""
            SELECT count(s.mean) FROM (
                SELECT cog_zonal_stats(href, metadata, field, {{geometry_crs: 'native'}}) AS s
                FROM (SELECT {href} AS href, {FIELD} AS field FROM range({args.count}) t(i), range({scenes}) u(scene) WHERE {share} {order}), index
            )
            """
        ).fetchone()
        assert found == len(range(args.child, args.count, args.workers)) * scenes, found
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps({"seconds": time.monotonic() - started, "processor": processor, "peak_mb": after.ru_maxrss / 1024})
    )


def run(
    args: argparse.Namespace, server: str, workload: str, count: int, workers: int, settings: dict[str, str]
) -> dict[str, float]:
    """Runs a workload, divided among concurrent workers."""
    with tempfile.TemporaryDirectory(prefix="rasteret-scale-") as output:
        servers.reset(server)
        command = [sys.executable, "-m", "benchmarks", "scale", "--extension", str(args.extension), "--server", server]
        command += ["--workload", workload, "--count", str(count), "--workers", str(workers), "--output", output]
        running = [
            subprocess.Popen(
                [*command, "--child", str(worker)], stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}
            )
            for worker in range(workers)
        ]
        results = [json.loads(process.communicate()[0]) for process in running]
    stats = servers.stats(server)
    return {
        "seconds": max(result["seconds"] for result in results),
        "processor": sum(result["processor"] for result in results),
        "peak_mb": max(result["peak_mb"] for result in results),
        "requests": stats["requests"],
        "mb": stats["bytes"] / 1e6,
        "in_flight": stats["peak_in_flight"],
    }


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measures and prints all figures."""
    if args.child is not None:
        child(args)
        return []
    make(WORK)
    results = []
    runs = [
        ("index", args.count, 1, {"RASTERET_MAX_CONCURRENT": "300"}),
        ("index", args.count, 4, {"RASTERET_MAX_CONCURRENT": "75"}),
        ("zones", args.count // 5, 1, {"RASTERET_MAX_CONCURRENT": "300"}),
        ("zones", args.count // 5, 4, {"RASTERET_MAX_CONCURRENT": "75"}),
        ("by-scene", 500, 1, {"RASTERET_TILE_CACHE_BYTES": "16777216"}),
        ("by-field", 500, 1, {"RASTERET_TILE_CACHE_BYTES": "16777216"}),
    ]
    with servers.http_server(WORK, args.latency) as server:
        for workload, count, workers, settings in runs:
            found = run(args, server, workload, count, workers, settings)
            print(
                f"{workload:9} {workers} workers, {settings}: {found['requests']:.0f} requests, {found['mb']:.0f} MB, at most"
                f" {found['in_flight']:.0f} in flight, {found['seconds']:.1f} s, {found['processor']:.2f} s of CPU time:"
                f" {found['requests'] / found['processor']:.0f} requests/s per core; at most {found['peak_mb']:.0f} MB each",
                flush=True,
            )
            results.append({"workload": workload, "workers": workers, **found})
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--count", type=int, default=20_000, help="number of URLs to index, five times the number to read"
    )
    parser.add_argument("--latency", type=float, default=50, metavar="MS")
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    parser.add_argument("--json", type=Path)
    for hidden in ("--server", "--workload", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for number in ("--workers", "--child"):
        parser.add_argument(number, type=int, help=argparse.SUPPRESS)
