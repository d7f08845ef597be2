"""Runs examples/dbt with the range server, in the environment `dbt`: `python dbt_test.py --extension FILE`.

The first run indexes six records, the second run two more, and the third run, with `refresh: true`, a file that was replaced.
The server counts the requests: one for the header and those for the planned pixels of each new or changed file, and one conditional
request per file for the refresh. dbt's own tests must pass each time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "examples" / "dbt"
DATA = ROOT / "test" / "data"


class Run:
    """The project in a scratch folder."""

    def __init__(self, extension: Path, work: Path) -> None:
        self.work = work
        self.project = shutil.copytree(PROJECT, work / "project")
        self.environment = {
            **os.environ,
            "RASTERET_EXTENSION": str(extension),
            "RASTERET_ITEMS": str(work / "items.parquet"),
            "RASTERET_PUBLISHED": str(work / "published.parquet"),
            "RASTERET_DATABASE": str(work / "example.duckdb"),
            "DO_NOT_TRACK": "1",
        }

    def items(self, hrefs: list[str]) -> None:
        """Writes the records, one a file."""
        with duckdb.connect() as connection:
            connection.execute(
                """
                COPY (
                    SELECT 'scene-' || i AS id, TIMESTAMP '2024-01-01' + to_days(10 * i::INTEGER) AS datetime, 32631 AS "proj:epsg",
                        {'xmin': 3.0::DOUBLE, 'ymin': 41.54::DOUBLE, 'xmax': 3.01::DOUBLE, 'ymax': 41.55::DOUBLE} AS bbox,
                        {'B04': {'href': href}} AS assets
                    FROM (SELECT unnest($hrefs) AS href, generate_subscripts($hrefs, 1) - 1 AS i)
                ) TO '"""
                + self.environment["RASTERET_ITEMS"]
                + "' (FORMAT parquet)",
                {"hrefs": hrefs},
            )

    def build(self, *words: str) -> None:
        """`dbt build`; its output is shown when it fails."""
        dbt = Path(sys.executable).parent / "dbt"
        command = [str(dbt), "build", "--profiles-dir", ".", *words]
        done = subprocess.run(
            command, cwd=self.project, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode != 0:
            sys.exit(f"dbt_test: {' '.join(words) or 'dbt build'} failed\n{done.stdout}")
        print(next(line for line in reversed(done.stdout.splitlines()) if "PASS=" in line))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        config = {"allow_unsigned_extensions": "true"}
        with duckdb.connect(self.environment["RASTERET_DATABASE"], read_only=True, config=config) as connection:
            connection.execute(f"LOAD '{self.environment['RASTERET_EXTENSION']}'")
            return connection.execute(sql).fetchall()


def expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        sys.exit(f"dbt_test: {what}: expected {expected}, found {found}")
    print(f"{what}: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rasteret-dbt-") as directory:
        run = Run(args.extension.resolve(), Path(directory))
        files = shutil.copytree(DATA, run.work / "files")
        with servers.http_server(files) as http:
            hrefs = [f"{http}/at/{scene}/cog.tif" for scene in range(8)]
            run.items(hrefs[:6])
            run.build()
            [(reads,)] = run.query("SELECT max(requests) FROM plan_cost")
            expect("requests of the first run, six records", 6 + 6 * reads, servers.stats(http)["requests"])
            expect("records", [(6,)], run.query("SELECT count(*) FROM collection"))
            servers.reset(http)
            run.items(hrefs)
            run.build()
            expect("requests of the second run, two records more", 2 + 2 * reads, servers.stats(http)["requests"])
            expect("records", [(8, 8)], run.query("SELECT count(*), count(DISTINCT id) FROM collection"))
            cost = run.query("SELECT count(*), bool_and(requests > 0 AND bytes > 0), max(fields) FROM plan_cost")
            expect("files planned, all with a cost, fields of each", [(8, True, 2)], cost)
            means = "SELECT count(*), count(DISTINCT (id, field)), count(DISTINCT mean) FROM field_statistics"
            expect("statistics, of distinct fields and files, values", [(16, 16, 2)], run.query(means))
        # The server maps a file once: another one serves what was replaced.
        port = int(http.rpartition(":")[2])
        shutil.copy(DATA / "bigtiff.tif", files / "cog.tif")
        with servers.http_server(files, port=port) as http:
            run.build("--vars", "refresh: true")
            [(reads,)] = run.query("SELECT max(requests) FROM plan_cost")
            requests = servers.stats(http)["requests"]
            expect("requests of the refresh, eight files asked for and read", 16 + 8 * reads, requests)
            expect("records", [(8, 8)], run.query("SELECT count(*), count(DISTINCT id) FROM collection"))
            changed = run.query("SELECT count(DISTINCT B04_metadata.etag), min(B04_metadata.file_size) FROM collection")
            expect("versions, size", [(1, (DATA / "bigtiff.tif").stat().st_size)], changed)


if __name__ == "__main__":
    main()
