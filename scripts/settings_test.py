"""Tests settings with many threads: two databases of one process with different values, connections with different values, and EXECUTE.

    python settings_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. Before DuckDB 1.5.2, SET returns an error that names the setting, and environment variables apply.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
COG = DATA / "cog.tif"
THREADS, ROUNDS = 8, 30
READ = f"SELECT octet_length(cog_read(f, NULL, NULL).data) FROM (VALUES ('{COG}')) t(f)"
ROWS = f"SELECT count(value) FROM cog_pixels('{COG}', NULL)"
TOO_LARGE = "size of a decoded tile in bytes"


def connect(extension: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": THREADS})
    connection.execute(f"LOAD '{extension}'")
    return connection


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def outcome(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    """Returns the single value of a query, or the text of its error."""
    try:
        row = connection.execute(sql).fetchone()
    except duckdb.Error as error:
        return str(error)
    return row[0] if row else None


def check(connection: duckdb.DuckDBPyConnection, tile_bytes: int, names: tuple[str, str]) -> None:
    """Checks queries and prepared statements with a limit."""
    connection.execute(f"SET rasteret_max_tile_bytes = {tile_bytes}")
    for sql, answer in ((READ, 8192), (ROWS, 4095), (f"EXECUTE {names[0]}", 8192), (f"EXECUTE {names[1]}", 4095)):
        found = outcome(connection, sql)
        is_expected = found == answer if tile_bytes >= 1000 else isinstance(found, str) and TOO_LARGE in found
        if not is_expected:
            raise AssertionError(f"{sql} with {tile_bytes} bytes per tile: found {found!r}")


def many(extension: Path) -> None:
    """Eight threads use two databases, each with its own connection and a value that changes between queries."""
    databases = [connect(extension), connect(extension)]
    failed: list[str] = []

    def work(number: int) -> None:
        try:
            connection = databases[number % 2].cursor()
            names = (f"scalar_{number}", f"rows_{number}")
            for name, sql in zip(names, (READ, ROWS), strict=True):
                connection.execute(f"PREPARE {name} AS {sql}")
            for round_ in range(ROUNDS):
                check(connection, (500, 1000 + number)[(round_ + number // 2) % 2], names)
        except Exception as error:
            failed.append(f"thread {number}: {error!r}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect("threads", failed, [])


def globally(extension: Path) -> None:
    """SET GLOBAL applies to all connections of its database only; SET and RESET apply to their connection."""
    one, other = connect(extension), connect(extension)
    one.execute("SET GLOBAL rasteret_max_tile_bytes = 500")
    second = one.cursor()
    expect("another connection", TOO_LARGE in str(outcome(second, READ)), True)
    expect("another database", outcome(other, READ), 8192)
    one.execute("SET SESSION rasteret_max_tile_bytes = 2000")
    expect("value set by a connection", outcome(one, READ), 8192)
    expect("another connection after SET GLOBAL", TOO_LARGE in str(outcome(second, READ)), True)
    one.execute("RESET GLOBAL rasteret_max_tile_bytes")
    expect("after RESET", outcome(second, READ), 8192)


def timeouts(extension: Path) -> None:
    """Two databases use different timeouts concurrently: one returns an error for a slow server, the other its result."""
    with servers.http_server(DATA) as url:
        found: dict[str, object] = {}

        def work(seconds: str) -> None:
            connection = connect(extension)
            connection.execute(f"SET rasteret_timeout = {seconds}")
            sql = f"SELECT cog_metadata(f).image_width FROM (VALUES ('{url}/slow/1500/at/{seconds}/cog.tif')) t(f)"
            found[seconds] = outcome(connection, sql)

        threads = [threading.Thread(target=work, args=(seconds,)) for seconds in ("0.3", "20")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect("the database with the longer timeout", found["20"], 64)
        expect(f"the other: {found['0.3']}", "within 0.3 s" in str(found["0.3"]), True)


def before_settings(extension: Path) -> None:
    """DuckDB 1.4: SET fails with the name of the setting. Variables apply; one that needs settings fails with the required release."""
    connection = connect(extension)
    found = str(outcome(connection, "SET rasteret_max_tile_bytes = 500"))
    expect(found, 'unrecognized configuration parameter "rasteret_max_tile_bytes"' in found, True)
    os.environ["RASTERET_MAX_TILE_BYTES"] = "500"
    expect("the variable", TOO_LARGE in str(outcome(connect(extension), READ)), True)
    del os.environ["RASTERET_MAX_TILE_BYTES"]
    os.environ["RASTERET_FILE_SYSTEM"] = "duckdb"
    found = str(outcome(connect(extension), READ))
    expected = "environment variable RASTERET_FILE_SYSTEM: 'duckdb' needs DuckDB 1.5.2 or later, found v1.4.5"
    expect(found, expected in found, True)
    os.environ["RASTERET_FILE_SYSTEM"] = "native"
    expect("the native client", outcome(connect(extension), READ), 8192)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    if tuple(map(int, duckdb.__version__.split("."))) < (1, 5, 2):
        before_settings(extension)
    else:
        for test in (many, globally, timeouts):
            test(extension)
    print(f"DuckDB {duckdb.__version__}: settings apply to their connections")


if __name__ == "__main__":
    main()
