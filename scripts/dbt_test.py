"""Tests examples/dbt with the range server, in the environment `dbt`: `python dbt_test.py --extension FILE`.

The first run indexes six records, the second run two more, and the third run, with `refresh: true`, a file that was replaced.
In between, an outline changes and a field is removed. The server counts the requests: one for the header and those for the planned
pixels of each new or changed file, and one conditional request per file for the refresh. dbt's own tests must pass each time.

The target `remote` reads the published index over HTTP, if DuckDB's httpfs is installed. A build whose fields intersect no scene must fail.
"""

from __future__ import annotations

import argparse
import importlib.util
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
    """The dbt project in a temporary folder."""

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
        """Writes one record per file."""
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

    def dbt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `dbt build` with additional arguments."""
        dbt = Path(sys.executable).parent / "dbt"
        command = [str(dbt), "build", "--profiles-dir", ".", *words]
        return subprocess.run(
            command, cwd=self.project, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def build(self, *words: str) -> None:
        """Runs `dbt build`, and exits with its output if it fails."""
        done = self.dbt(*words)
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


def fields_elsewhere(run: Run) -> None:
    """Checks that fields outside all scenes fail the build, with exactly the test for this case."""
    seed = run.project / "seeds" / "fields.csv"
    kept = seed.read_text()
    seed.write_text('field,geometry\nfar,"POLYGON ((9 41, 9.1 41, 9.1 41.1, 9 41))"\n')
    done = run.dbt("--full-refresh")
    failed = [
        line.split("Failure in test ")[1].split()[0] for line in done.stdout.splitlines() if "Failure in test " in line
    ]
    expect("failed tests if no field intersects a scene", (1, ["fields_meet_scenes"]), (done.returncode, failed))
    seed.write_text(kept)


def changed_outline(run: Run) -> None:
    """Changes the outline of a field and removes the other one: the statistics must be those of the changed outline."""
    seed = run.project / "seeds" / "fields.csv"
    kept = seed.read_text()
    outline = "POLYGON ((3.0005 41.549, 3.0010 41.549, 3.0010 41.550, 3.0005 41.550, 3.0005 41.549))"
    seed.write_text(f'field,geometry\nnorth,"{outline}"\n')
    run.build()
    sql = f"SELECT cog_zonal_stats('{(DATA / 'cog.tif').as_posix()}', NULL, '{outline}').mean"
    [(mean,)] = run.query(sql)
    rows = run.query("SELECT field, count(*), min(mean), max(mean) FROM field_statistics GROUP BY field")
    expect("statistics after an outline has changed and a field was removed", [("north", 8, mean, mean)], rows)
    seed.write_text(kept)
    run.build()


def remote_index(run: Run, http: str) -> None:
    """Reads the published index over HTTP, with a project that has no index of its own."""
    found = importlib.util.find_spec("duckdb_extension_httpfs")
    if found is None or found.origin is None:
        print("httpfs is not installed: skipping the target `remote`")
        return
    (httpfs,) = Path(found.origin).parent.glob(f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension")
    database = run.work / "remote.duckdb"
    run.environment |= {
        "RASTERET_HTTPFS": str(httpfs),
        "RASTERET_INDEX": f"{http}/published.parquet",
        "RASTERET_DATABASE": str(database),
        "RASTERET_ITEMS": "there-are-none.parquet",
    }
    servers.reset(http)
    run.build("--target", "remote")
    # Queries of the view read the index; the rasters are only read for pixels.
    pixels = [entry for entry in servers.log(http) if entry[1].startswith("/at/")]
    expect("requests for headers", 0, len([entry for entry in pixels if entry[2] == 0]))
    expect("requests for pixels", True, len(pixels) > 0)
    count = "SELECT count(*), count(DISTINCT (id, field)) FROM field_statistics"
    expect("statistics from a remote index", [(16, 16)], run.query(count))


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
            expect("requests of the second run, two more records", 2 + 2 * reads, servers.stats(http)["requests"])
            expect("records", [(8, 8)], run.query("SELECT count(*), count(DISTINCT id) FROM collection"))
            cost = run.query("SELECT count(*), bool_and(requests > 0 AND bytes > 0), max(fields) FROM plan_cost")
            expect("planned files, whether each has a cost, fields per file", [(8, True, 2)], cost)
            means = "SELECT count(*), count(DISTINCT (id, field)), count(DISTINCT mean) FROM field_statistics"
            expect("statistics, distinct pairs of field and file, distinct values", [(16, 16, 2)], run.query(means))
            months = "SELECT count(*), sum(scenes), count(DISTINCT mean) FROM field_months"
            expect("fields and months, scenes, distinct values", [(6, 16, 2)], run.query(months))
            changed_outline(run)
        # The server maps each file once, so a new server is needed to serve the replaced file.
        port = int(http.rpartition(":")[2])
        shutil.copy(DATA / "bigtiff.tif", files / "cog.tif")
        with servers.http_server(files, port=port) as http:
            run.build("--vars", "refresh: true")
            [(reads,)] = run.query("SELECT max(requests) FROM plan_cost")
            requests = servers.stats(http)["requests"]
            expect(
                "requests of the refresh, eight conditional requests and the pixels of eight files",
                16 + 8 * reads,
                requests,
            )
            expect("records", [(8, 8)], run.query("SELECT count(*), count(DISTINCT id) FROM collection"))
            changed = run.query("SELECT count(DISTINCT B04_metadata.etag), min(B04_metadata.file_size) FROM collection")
            expect("versions, size", [(1, (DATA / "bigtiff.tif").stat().st_size)], changed)
            fields_elsewhere(run)
            run.build("--full-refresh")
            shutil.copy(run.environment["RASTERET_PUBLISHED"], files / "published.parquet")
            remote_index(run, http)


if __name__ == "__main__":
    main()
