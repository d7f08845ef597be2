"""Tests examples/workers with the range server, in an environment with DuckDB: `python workers_test.py --extension FILE`.

Four workers index 400 records and compute statistics; one of them is killed and restarted. The result must equal that of one process,
and no piece may be written twice. Then records change, a file fails temporarily, and the number of workers changes.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "examples" / "workers" / "worker.py"
RECORDS = 400
PIECES = 16
FIELDS = {
    "north": [(3.0005, 41.549), (3.0020, 41.549), (3.0020, 41.550), (3.0005, 41.550), (3.0005, 41.549)],
    "centre": [(3.0030, 41.547), (3.0050, 41.547), (3.0045, 41.549), (3.0030, 41.548), (3.0030, 41.547)],
    "elsewhere": [(9.0, 41.0), (9.1, 41.0), (9.1, 41.1), (9.0, 41.0)],
}


def expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        sys.exit(f"workers_test: {what}: expected {expected}, found {found}")
    print(f"{what}: {found}")


def write_items(path: Path, http: str, records: int, files: str = "cog.tif") -> None:
    """Writes records of two dates and places, one file each."""
    duckdb.execute(
        f"""
        COPY (
            SELECT 'scene-' || i AS id, TIMESTAMP '2024-01-01' + to_days(i::INTEGER) AS datetime, {{'B04': {{'href': '{http}/at/' || i || '/{files}'}}}} AS assets
            FROM range({records}) t(i)
        ) TO '{path}' (FORMAT parquet)
        """
    )


def write_fields(path: Path) -> None:
    """Writes the fields as WKB, which all DuckDB releases read."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE fields (field VARCHAR, geometry BLOB)")
        for field, ring in FIELDS.items():
            wkb = struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<2d", *point) for point in ring)
            connection.execute("INSERT INTO fields VALUES ($1, $2)", [field, wkb])
        connection.execute(f"COPY fields TO '{path}' (FORMAT parquet)")


class Workers:
    """The example in a temporary folder."""

    def __init__(self, extension: Path, work: Path) -> None:
        self.work, self.extension = work, extension
        self.items, self.fields = work / "items.parquet", work / "fields.parquet"

    def start(self, command: str, worker: int, workers: int, *words: str) -> subprocess.Popen:
        given = {
            "index": ["--items", str(self.items), "--bands", "B04", "--pieces", str(PIECES), "--output", str(self.work / "index")],
            "zones": ["--index", str(self.work / "index"), "--band", "B04", "--fields", str(self.fields), "--output", str(self.work / "zones")],
        }[command]  # fmt: skip
        share = [
            "--worker",
            str(worker),
            "--workers",
            str(workers),
            "--per-machine",
            str(workers),
            "--extension",
            str(self.extension),
        ]
        return subprocess.Popen(
            [sys.executable, str(WORKER), command, *given, *share, *words], stdout=subprocess.PIPE, text=True
        )

    def run(self, command: str, workers: int, *words: str) -> int:
        """Runs all workers concurrently; returns the number of pieces written."""
        running = [self.start(command, worker, workers, *words) for worker in range(workers)]
        outputs = [process.communicate()[0] for process in running]
        if failed := [process.returncode for process in running if process.returncode != 0]:
            sys.exit(f"workers_test: {command}: workers ended with {failed}")
        return sum(output.count(" records, ") + output.count(": done") for output in outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{args.extension.resolve()}'")
    with (
        tempfile.TemporaryDirectory(prefix="rasteret-workers-") as directory,
        servers.http_server(ROOT / "test" / "data", latency_ms=20) as http,
    ):
        run = Workers(args.extension.resolve(), Path(directory))
        write_items(run.items, http, RECORDS)
        write_fields(run.fields)
        index_is_complete(run, connection, http)
        zones_are_those_of_one_process(run, connection)
        changes_are_followed(run, connection, http)
        damaged_pixels_fail_their_piece(run, Path(directory))
        text_is_rejected(run)


def damaged_pixels_fail_their_piece(run: Workers, folder: Path) -> None:
    """A file that ends before its pixels fails its piece only."""
    whole = (ROOT / "test" / "data" / "cog.tif").read_bytes()
    hrefs = [folder / f"local-{scene}.tif" for scene in range(8)]
    for href in hrefs:
        href.write_bytes(whole)
    hrefs[0].write_bytes(whole[: len(whole) // 4])
    damaged = Workers(run.extension, folder / "damaged")
    damaged.work.mkdir()
    damaged.fields = run.fields
    records = ", ".join(f"('scene-{scene}', '{href}')" for scene, href in enumerate(hrefs))
    items = f"SELECT id, TIMESTAMP '2024-05-15' AS datetime, {{B04: {{href: href}}}} AS assets FROM (VALUES {records}) AS t(id, href)"
    duckdb.execute(f"COPY ({items}) TO '{damaged.items}'")
    pieces = damaged.run("index", 1)
    process = damaged.start("zones", 0, 1)
    output = process.communicate()[0]
    expect("exit status, pieces without one", (1, pieces - 1), (process.returncode, output.count(": done")))
    left = [path.name for path in (damaged.work / "zones").iterdir() if path.suffix == ".tmp"]
    expect("temporary files of the failed piece", [], left)


def text_is_rejected(run: Workers) -> None:
    """Outlines that are text have no box, and would match no scene."""
    duckdb.execute(
        f"COPY (SELECT 'north' AS field, 'POLYGON ((3 41, 4 41, 4 42, 3 41))' AS geometry) TO '{run.fields}'"
    )
    expect("exit status with outlines that are text", 1, run.start("zones", 0, 1).wait())


def index_is_complete(run: Workers, connection: duckdb.DuckDBPyConnection, http: str) -> None:
    """Runs four workers, kills one after its first piece, and runs all of them again."""
    index = run.work / "index"
    running = [run.start("index", worker, 4) for worker in range(4)]
    killed = running[1]
    assert killed.stdout
    first = killed.stdout.readline()
    killed.kill()
    for process in running:
        process.communicate()
    expect("a worker was killed after a piece", (True, -9), (first.startswith("piece "), killed.returncode))
    there = len(list(index.glob("piece-*.parquet")))
    before = servers.stats(http)["requests"]
    expect("pieces are missing", True, there < PIECES)
    expect("pieces written by the second run", PIECES - there, run.run("index", 4))
    rows = f"FROM read_parquet('{index}/*.parquet')"
    sql = f"SELECT count(*), count(DISTINCT id), count(B04_metadata), count(rasteret_error) {rows}"
    expect("records, ids, headers, errors", (RECORDS, RECORDS, RECORDS, 0), connection.execute(sql).fetchone())
    again = servers.stats(http)["requests"] - before
    expect("the second run makes fewer requests than there are records", True, 0 < again < RECORDS)
    sql = f"""
        SELECT count(*) FROM (SELECT id, B04_metadata {rows}) a
        JOIN rasteret_enrich('{run.items}', bands := ['B04']) b USING (id) WHERE a.B04_metadata = b.B04_metadata
        """
    expect("headers equal to those of one process", (RECORDS,), connection.execute(sql).fetchone())
    requests = servers.stats(http)["requests"]
    expect("pieces written by the third run", 0, run.run("index", 3))
    expect("requests of the third run", 0, servers.stats(http)["requests"] - requests)


def zones_are_those_of_one_process(run: Workers, connection: duckdb.DuckDBPyConnection) -> None:
    """Compares statistics with those of one query."""
    expect("pieces of statistics", PIECES, run.run("zones", 4))
    one = f"""
        SELECT id, field, statistics.count, statistics.mean FROM (
            SELECT id, field, cog_zonal_stats(assets.B04.href, B04_metadata, geometry) AS statistics
            FROM read_parquet('{run.work}/index/*.parquet'), read_parquet('{run.fields}') WHERE field <> 'elsewhere')
        ORDER BY id, field
        """
    expected = connection.execute(one).fetchall()
    found = connection.execute(
        f"SELECT id, field, pixels, mean FROM read_parquet('{run.work}/zones/*.parquet') ORDER BY id, field"
    ).fetchall()
    expect("statistics", (2 * RECORDS, True), (len(found), found == expected))
    expect("pieces written by the second run of statistics", 0, run.run("zones", 2))


def changes_are_followed(run: Workers, connection: duckdb.DuckDBPyConnection, http: str) -> None:
    """Adds and removes records, and retries failed files on request."""
    index = run.work / "index"
    count = f"SELECT count(*), count(rasteret_error) FROM read_parquet('{index}/*.parquet')"
    write_items(run.items, http, RECORDS + 1)
    expect("pieces changed by an additional record", 1, run.run("index", 3))
    expect("pieces of statistics changed by an additional record", 1, run.run("zones", 3))
    expect("records, errors", (RECORDS + 1, 0), connection.execute(count).fetchone())
    write_items(run.items, http, 4, "missing.tif")
    run.run("index", 3)
    expect("records, errors", (4, 4), connection.execute(count).fetchone())
    expect("pieces without records are removed", True, len(list(index.glob("piece-*.parquet"))) <= 4)
    expect(
        "pieces with errors, retried", len(list(index.glob("piece-*.parquet"))), run.run("index", 3, "--retry-errors")
    )
    run.run("zones", 3)
    left = connection.execute(f"SELECT count(*) FROM read_parquet('{run.work}/zones/*.parquet')").fetchone()
    expect("statistics without headers", (0,), left)


if __name__ == "__main__":
    main()
