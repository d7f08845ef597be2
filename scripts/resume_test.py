"""Builds an index in pieces, kills the build half-way and resumes it: no records may be lost or duplicated.

    python resume_test.py [--records 2000] [--piece 200] [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. The build runs in its own process, which is killed (SIGKILL) after half of the requests; a second process
continues. Only headers of the interrupted piece may be fetched again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
TIME_LIMIT_S = 1800

# As in docs/maintenance.md: each INSERT is a transaction, and the anti-join continues after the last one.
STEP = """
INSERT INTO collection BY NAME
FROM query(rasteret_enrich_sql(
    'FROM ''{items}'' WHERE id NOT IN (SELECT id FROM collection) ORDER BY id LIMIT {piece}', ['B04']))
"""


def connect(database: Path, extension: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(database), config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


def build(database: Path, items: Path, piece: int, extension: Path) -> None:
    """Inserts pieces until all records are inserted."""
    with connect(database, extension) as connection:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS collection AS FROM query(rasteret_enrich_sql('FROM ''{items}'' LIMIT 0', ['B04']))"
        )
        while connection.execute(STEP.format(items=items, piece=piece)).fetchone() != (0,):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--piece", type=int, default=200)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--build", nargs=2, type=Path, metavar=("DATABASE", "ITEMS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    extension = args.extension.resolve()
    if args.build:
        build(*args.build, args.piece, extension)
        return
    with (
        tempfile.TemporaryDirectory(prefix="rasteret-resume-") as directory,
        servers.http_server(ROOT / "test" / "data") as http,
    ):
        database, items = Path(directory, "index.duckdb"), Path(directory, "items.parquet")
        duckdb.execute(
            f"""
            COPY (
                SELECT i AS id, TIMESTAMP '2024-01-01' AS datetime, {{'B04': {{'href': '{http}/as/cog.tif/' || i || '.tif'}}}} AS assets
                FROM range({args.records}) t(i)
            ) TO '{items}' (FORMAT parquet)
            """
        )
        command = [sys.executable, __file__, "--build", str(database), str(items)]
        command += ["--piece", str(args.piece), "--extension", str(extension)]
        started = time.monotonic()
        builder = subprocess.Popen(command)
        while servers.stats(http)["requests"] < args.records / 2:
            if builder.poll() is not None or time.monotonic() - started > TIME_LIMIT_S:
                sys.exit("resume_test: the build ended before it was killed")
            time.sleep(0.01)
        builder.kill()
        builder.wait()
        with connect(database, extension) as connection:
            before = connection.execute("SELECT count(*) FROM collection").fetchone()[0]
        subprocess.run(command, check=True, timeout=TIME_LIMIT_S)
        seconds = time.monotonic() - started
        stats = servers.stats(http)
        with connect(database, extension) as connection:
            found = connection.execute(
                "SELECT count(*), count(DISTINCT id), count(B04_metadata), count(rasteret_error) FROM collection"
            ).fetchone()
    print(
        f"{args.records} records: killed with {before} of them in the index, then resumed; rows, ids, headers, errors: {found};"
        f" {stats['requests']} requests, {stats['urls']} URLs, at most {stats['max_requests_per_url']} each; {seconds:.1f} s"
    )
    if not 0 < before < args.records:
        sys.exit("resume_test: the build was killed before the first or after the last piece")
    if found != (args.records, args.records, args.records, 0):
        sys.exit(f"resume_test: expected {args.records} rows, ids and headers, and no error")
    # Only headers of the interrupted piece may be read twice.
    if stats["requests"] > args.records + args.piece:
        sys.exit(f"resume_test: expected at most {args.records + args.piece} requests")


if __name__ == "__main__":
    main()
