"""Compares the extension's own file access with DuckDB's file system: requests, bytes and seconds.

    python file_system.py FILE [--extension build/release/rasteret.duckdb_extension] [--files 100] [--latency-ms 20]

Runs in the environment file-system. FILE is a COG, which is read from disk and, with many URLs, from the range server of the tests.
Requests and bytes are counted by the server for URLs, and by rasteret_stats() for local files. Seconds are medians of five runs, each in
a new database.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import duckdb
import servers

RUNS = 5
HEADERS = "SELECT count(cog_metadata(f)) FROM (SELECT 'FILE' || i AS f FROM range(COUNT) t(i))"
ZONE = """
SELECT sum(cog_zonal_stats(f, m, {'xmin': b.xmin + 500, 'ymin': b.ymin + 500, 'xmax': b.xmin + 900, 'ymax': b.ymin + 900},
                           {geometry_crs: 'native'}).sum)
FROM (SELECT f, m, cog_bounds(m) AS b FROM (SELECT f, cog_metadata(f) AS m FROM (SELECT 'FILE' || i AS f FROM range(COUNT) t(i))))
"""
WHOLE = "SELECT octet_length(cog_read(f, NULL, NULL).data) FROM (VALUES ('FILE0')) t(f)"
CASES = (("headers of the files", HEADERS), ("one small zone of each file", ZONE), ("all pixels of one file", WHOLE))


def connect(extension: Path, file_system: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    package = importlib.util.find_spec("duckdb_extension_httpfs")
    assert package and package.origin
    (found,) = Path(package.origin).parent.rglob("httpfs.duckdb_extension")
    connection.execute(f"LOAD '{found}'")
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"SET rasteret_file_system = '{file_system}'")
    return connection


def local_counts(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    row = connection.execute("SELECT requests, bytes FROM rasteret_stats() WHERE origin = 'file://'").fetchone()
    return row or (0, 0)


def measure(extension: Path, file_system: str, sql: str, url: str | None) -> str:
    seconds = []
    for _ in range(RUNS):
        connection = connect(extension, file_system)
        before = local_counts(connection)
        if url:
            servers.reset(url)
        started = time.perf_counter()
        connection.execute(sql).fetchall()
        seconds.append(time.perf_counter() - started)
        if url:
            counts = servers.stats(url)
            made, read = counts["requests"], counts["bytes"]
        else:
            after = local_counts(connection)
            made, read = after[0] - before[0], after[1] - before[1]
        connection.close()
    return f"{made:,} | {read / 1e6:,.1f} MB | {statistics.median(seconds):.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--extension", type=Path, default=servers.ROOT / "build" / "release" / "rasteret.duckdb_extension"
    )
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--latency-ms", type=float, default=20)
    args = parser.parse_args()
    file, extension = args.file.resolve(), args.extension.resolve()
    print("| | file system | requests | bytes | seconds |\n|---|---|---|---|---|")
    with servers.http_server(file.parent, args.latency_ms) as url:
        links = [file.with_name(f"link{number}") for number in range(args.files)]
        try:
            for link in links:
                link.unlink(missing_ok=True)
                link.symlink_to(file)
            for place, base, server in (
                ("disk", f"{file.parent}/link", None),
                ("server", f"{url}/as/{file.name}/", url),
            ):
                for name, sql in CASES:
                    for file_system in ("native", "duckdb"):
                        query = sql.replace("FILE", base).replace("COUNT", str(args.files))
                        print(
                            f"| {place}, {name} | {file_system} | {measure(extension, file_system, query, server)} |",
                            flush=True,
                        )
        finally:
            for link in links:
                link.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
