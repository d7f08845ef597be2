"""Forks processes that have used the extension: children and parent must return the same results.

    python fork_test.py [--rounds 5] [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. Three forms are tested: multiprocessing with one process per task; long-lived workers that take batches
from a queue, like torch's DataLoader; and a master that loads everything, forks workers that fork again, and replaces dead workers, like
gunicorn with `preload_app`. Meanwhile another thread of the parent reads over HTTP, so that locks are held and connections are open
during the fork. A child that waits for a thread or connection of its parent would never end, which a time limit detects.

`--first-use` tests, each in its own process, forks while another thread loads the CRS tables, which takes milliseconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
FORK = multiprocessing.get_context("fork")
WORKERS, BATCHES, TIME_LIMIT_S = 3, 4, 60

Rows = list[tuple[object, ...]]


class Database:
    """A database with the extension and test queries: headers, pixels and zones, remote and local, scalar, table and prepared."""

    def __init__(self, extension: Path, url: str) -> None:
        config = {"allow_unsigned_extensions": "true", "threads": 2}
        self.connection = duckdb.connect(config=config)
        self.connection.execute(f"LOAD '{extension}'")
        self.queries = [
            f"SELECT m.crs, len(m.tile_offsets) FROM (SELECT cog_metadata('{url}/cog.tif?' || i) AS m FROM range(20) t(i))",
            f"SELECT count(*), sum(value) FROM cog_pixels('{url}/cog.tif', NULL)",
            f"SELECT md5(r.data) FROM (SELECT cog_read('{url}/cog_b.tif', NULL, NULL) AS r)",
            f"SELECT z.sum FROM (SELECT cog_zonal_stats('{DATA}/cog.tif', m, cog_footprint(m)) AS z"
            f" FROM (SELECT cog_metadata('{DATA}/cog.tif') AS m))",
            f"SELECT id, rasteret_error FROM rasteret_enrich('{DATA}/items.parquet', bands := ['B04']) ORDER BY id",
            "EXECUTE tiles",
            "EXECUTE items",
        ]
        prepared = {
            "tiles": f"SELECT count(*), sum(tile_offset) FROM cog_tiles('{url}/cog.tif')",
            "items": f"SELECT count(*) FROM rasteret_enrich('{DATA}/items.parquet', bands := ['B04'])",
        }
        for name, query in prepared.items():
            self.connection.execute(f"PREPARE {name} AS {query}")

    def results(self) -> list[Rows]:
        return [self.connection.execute(query).fetchall() for query in self.queries]


def check(database: Database, expected: list[Rows]) -> None:
    """Checks in a child that two runs return the results of the parent. A signal ends a child that exceeds the time limit."""
    signal.alarm(TIME_LIMIT_S)
    for found in (database.results(), database.results()):
        if found != expected:
            raise SystemExit(f"expected {expected}, found {found}")


def joined(processes: list[multiprocessing.process.BaseProcess], form: str) -> None:
    """Waits for children, and exits if one fails or exceeds the time limit."""
    end = time.monotonic() + TIME_LIMIT_S
    for process in processes:
        process.join(max(0.1, end - time.monotonic()))
        if process.exitcode != 0:
            ended = "no end" if process.exitcode is None else f"status {process.exitcode}"
            for each in processes:
                each.kill()
            sys.exit(f"{form}: a child had {ended}")


def tasks(database: Database, extension: Path, url: str, expected: list[Rows]) -> None:
    """One process per task: half of them use the parent's database, half their own."""

    def own() -> None:
        check(Database(extension, url), expected)

    jobs: list[Callable[[], None]] = [lambda: check(database, expected), own] * 2
    processes = [FORK.Process(target=job) for job in jobs]
    for process in processes:
        process.start()
    joined(processes, "multiprocessing")


def loader(database: Database, expected: list[Rows]) -> None:
    """Long-lived workers that take indexes from their own queues."""

    def work(indexes, results) -> None:
        cursor = database.connection.cursor()
        while (index := indexes.get()) is not None:
            query = database.queries[index % 5]
            results.put((index, cursor.execute(query).fetchall()))

    results = FORK.Queue()
    queues = [FORK.Queue() for _ in range(WORKERS)]
    processes = [FORK.Process(target=work, args=(queue, results)) for queue in queues]
    for process in processes:
        process.start()
    count = WORKERS * BATCHES
    for index in range(count):
        queues[index % WORKERS].put(index)
    try:
        found = dict(results.get(timeout=TIME_LIMIT_S) for _ in range(count))
    except Exception as error:
        for process in processes:
            process.kill()
        sys.exit(f"loader: no result from a worker: {error!r}")
    for queue in queues:
        queue.put(None)
    joined(processes, "loader")
    if found != {index: expected[index % 5] for index in range(count)}:
        sys.exit(f"loader: expected {expected}, found {found}")


def master(database: Database, expected: list[Rows]) -> None:
    """A preloaded master with workers by os.fork, which fork again; one is killed during a query and replaced."""

    def spawn(dies: bool) -> int:
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            check(database, expected)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            grandchild = os.fork()
            if not grandchild:
                check(database, expected)
                os._exit(0)
            status = os.waitpid(grandchild, 0)[1]
        finally:
            # Workers end without running destructors of inherited objects.
            os._exit(1 if status else 0)

    alive = {spawn(dies=index == 0): index == 0 for index in range(WORKERS)}
    end = time.monotonic() + TIME_LIMIT_S
    while alive:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            died = alive.pop(child)
            if died and status == signal.SIGKILL:
                alive[spawn(dies=False)] = False
            elif status:
                sys.exit(f"master: a worker ended with status {status}")
        elif time.monotonic() > end:
            for child in alive:
                os.kill(child, signal.SIGKILL)
            sys.exit("master: a worker did not end")
        else:
            time.sleep(0.01)


def closing(database: Database) -> None:
    """A child that only closes its inherited database. Skipped for DuckDB 2.0.0, which itself does not survive this."""
    plain = FORK.Process(target=duckdb.connect(config={"threads": 2}).close)
    plain.start()
    plain.join(TIME_LIMIT_S)
    if plain.exitcode == 0:
        process = FORK.Process(target=database.connection.close)
        process.start()
        joined([process], "closing")


# Seconds between the start of the thread and the fork: before, while and after the tables are loaded.
FIRST_USES = (0.0, 0.0, 0.0005, 0.001, 0.001, 0.002, 0.004, 0.008)


def first_use(extension: Path, delay: float) -> None:
    """Forks `delay` seconds after another thread begins the first use of a CRS; the child uses the CRS as well."""
    footprints = "SELECT count(cog_footprint(m, 'EPSG:3035')) FROM t"

    def opened() -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 1})
        connection.execute(f"LOAD '{extension}'")
        connection.execute(f"CREATE TABLE t AS SELECT cog_metadata('{DATA}/cog.tif') AS m")
        return connection

    own, childs = opened(), opened()
    started = threading.Event()

    def use() -> None:
        started.set()
        own.execute(footprints).fetchall()

    thread = threading.Thread(target=use)
    thread.start()
    started.wait()
    time.sleep(delay)
    child = os.fork()
    if not child:
        signal.alarm(TIME_LIMIT_S)
        os._exit(0 if childs.execute(footprints).fetchall() == [(1,)] else 1)
    status = os.waitpid(child, 0)[1]
    thread.join()
    if status:
        sys.exit(f"first use of a CRS: a child forked after {delay} s ended with status {status}")


def first_uses(extension: Path) -> None:
    """Runs each first use in a new process."""
    for delay in FIRST_USES:
        command = [sys.executable, __file__, "--extension", str(extension), "--first-use", str(delay)]
        if subprocess.run(command).returncode:
            sys.exit(1)


@contextmanager
def busy(extension: Path, url: str) -> Iterator[None]:
    """Runs a thread that reads continuously from its own database."""
    done = threading.Event()

    def read() -> None:
        database = Database(extension, url)
        while not done.is_set():
            database.connection.execute(database.queries[0].replace("?", f"?{time.monotonic()}-")).fetchall()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument(
        "--first-use", type=float, metavar="SECONDS", help="only fork this long after the first use of a CRS"
    )
    args = parser.parse_args()
    extension = args.extension.resolve()
    if args.first_use is not None:
        first_use(extension, args.first_use)
        return
    first_uses(extension)
    with servers.http_server(DATA) as url:
        database = Database(extension, url)
        expected = database.results()
        with busy(extension, url):
            for _ in range(args.rounds):
                tasks(database, extension, url, expected)
                loader(database, expected)
                master(database, expected)
                closing(database)
                if (found := database.results()) != expected:
                    sys.exit(f"the parent: expected {expected}, found {found}")
    print(f"DuckDB {duckdb.__version__}: {args.rounds} rounds, all children and the parent returned equal results")


if __name__ == "__main__":
    main()
