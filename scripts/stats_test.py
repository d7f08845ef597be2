"""Compares `rasteret_stats()` with the counters of the range server: requests, bytes, retries, errors, cache hits, and a fork.

    python stats_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
COUNTS = ("requests", "bytes", "retries", "errors", "headers_from_cache", "tiles_from_cache", "in_flight")


def connect(extension: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 4})
    connection.execute(f"LOAD '{extension}'")
    return connection


def counts(connection: duckdb.DuckDBPyConnection, origin: str) -> dict[str, int]:
    """Returns the counts of an origin; zeros if it has no row."""
    query = f"SELECT {', '.join(COUNTS)} FROM rasteret_stats() WHERE origin = ?"
    row = connection.execute(query, [origin]).fetchone()
    return dict(zip(COUNTS, row or [0] * len(COUNTS), strict=True))


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: expected {expected}, found {found}")


def changes(connection: duckdb.DuckDBPyConnection, origin: str, sql: str, fails: bool = False) -> dict[str, int]:
    """Returns the counts added by a query."""
    before = counts(connection, origin)
    try:
        connection.execute(sql).fetchall()
        expect(f"{sql} fails", False, fails)
    except duckdb.Error:
        expect(f"{sql} fails", True, fails)
    after = counts(connection, origin)
    return {name: after[name] - before[name] for name in COUNTS}


def against_server(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """Requests and bytes of headers, tiles, repeated reads, redirects and failures equal those counted by the server."""
    file = f"{url}/at/tiles/cog.tif"
    read = f"SELECT cog_zonal_stats('{file}', m, cog_footprint(m)) FROM (SELECT cog_metadata('{file}') AS m)"
    tiles = f"SELECT len(cog_metadata('{file}').tile_offsets)"
    cases = [
        (f"SELECT cog_metadata('{url}/at/' || i || '/cog.tif') FROM range(50) t(i)", {"headers_from_cache": 0}),
        (
            f"SELECT cog_metadata('{url}/at/' || i || '/cog.tif') FROM range(50) t(i)",
            {"headers_from_cache": 50, "requests": 0},
        ),
        (read, {"tiles_from_cache": 0}),
        (read, {"tiles_from_cache": connection.execute(tiles).fetchone()[0], "requests": 0, "bytes": 0}),
        (
            f"SELECT cog_metadata(href) FROM (VALUES ('{url}/flaky/2/503/cog.tif')) t(href)",
            {"retries": 2, "errors": 0, "requests": 3},
        ),
        (
            f"SELECT cog_metadata(href) FROM (VALUES ('{url}/redirect/302/cog.tif')) t(href)",
            {"retries": 0, "requests": 2},
        ),
        (f"SELECT cog_info.width FROM cog_info('{url}/at/info/cog.tif')", {"errors": 0}),
    ]
    for sql, expected in cases:
        servers.reset(url)
        found = changes(connection, url, sql)
        server = servers.stats(url)
        expect(f"{sql}: requests", found["requests"], server["requests"])
        expect(f"{sql}: bytes", found["bytes"], server["bytes"])
        expect(sql, {name: found[name] for name in expected}, expected)
        expect(f"{sql}: in flight", found["in_flight"], 0)
    servers.reset(url)
    missing = f"SELECT cog_metadata(href) FROM (VALUES ('{url}/at/2/missing.tif')) t(href)"
    found = changes(connection, url, missing, fails=True)
    expect("a missing file", (found["requests"], found["errors"], found["retries"]), (1, 1, 0))


def in_flight(connection: duckdb.DuckDBPyConnection, extension: Path, url: str) -> None:
    """Requests in flight are visible to another database of the process."""
    query = f"SELECT count(cog_metadata('{url}/slow/1000/at/' || i || '/cog.tif')) FROM range(10) t(i)"
    other = connect(extension)
    thread = threading.Thread(target=lambda: other.execute(query).fetchall())
    thread.start()
    most, end = 0, time.monotonic() + 10
    while most < 10 and thread.is_alive() and time.monotonic() < end:
        most = max(most, counts(connection, url)["in_flight"])
    thread.join()
    expect("requests in flight", most, 10)
    expect("requests in flight afterwards", counts(connection, url)["in_flight"], 0)
    other.close()


def secrets(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """Origins contain no users, passwords and signatures."""
    user = url.replace("://", "://user:SECRET@")
    before = counts(connection, url)["requests"]
    connection.execute(f"SELECT cog_metadata('{user}/cog.tif?sig=SECRET')").fetchall()
    expect("requests with a user", counts(connection, url)["requests"], before + 1)
    origins = connection.execute("SELECT origin FROM rasteret_stats()").fetchall()
    expect("origins with a secret", [origin for origin in origins if "SECRET" in origin[0]], [])


def local(connection: duckdb.DuckDBPyConnection) -> None:
    """All local files have one origin."""
    path = DATA / "cog_b.tif"
    sql = f"SELECT cog_metadata(href) FROM (VALUES ('{path}')) t(href)"
    expect("reads", changes(connection, "file://", sql)["requests"], 1)
    expect("headers from cache", changes(connection, "file://", sql)["headers_from_cache"], 1)


def child(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    expect("counts of a child", counts(connection, url)["requests"], 0)
    found = changes(connection, url, f"SELECT cog_metadata('{url}/at/child/cog.tif')")
    expect("requests of a child", found["requests"], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    connection = connect(extension)
    with servers.http_server(DATA) as url:
        against_server(connection, url)
        in_flight(connection, extension, url)
        secrets(connection, url)
        local(connection)
        before = counts(connection, url)
        process = multiprocessing.get_context("fork").Process(target=child, args=(connection, url))
        process.start()
        process.join(60)
        expect("status of a child", process.exitcode, 0)
        expect("counts after a fork", counts(connection, url), before)
    print(f"DuckDB {duckdb.__version__}: counts equal those of the server")


if __name__ == "__main__":
    main()
