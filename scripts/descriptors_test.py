"""Builds an index of 3,000 URLs on several servers with few file descriptors, while the extension and DuckDB also read local files.

    python descriptors_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB, on systems with descriptor limits. Each limit is tested in its own process: 1024 and 256 are the defaults
of Linux and macOS, 128 and 64 are the remainder in a busy host. In another run, a thread holds all free descriptors for one second.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
LIMITS = (1024, 256, 128, 64)
URLS, SERVERS, FILES, TIME_LIMIT_S = 3000, 4, 40, 120

CHILD = """
import resource, sys, threading, time
import duckdb
extension, folder, limit, taken = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "taken"
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
connection = duckdb.connect(f"{folder}/{limit}-{taken}.duckdb", config={"allow_unsigned_extensions": "true"})
connection.execute("SET enable_progress_bar = false")
connection.execute(f"LOAD '{extension}'")

def take():
    held = []
    while time.monotonic() < end:
        try:
            held.append(open("/dev/null"))
        except OSError:
            time.sleep(0.01)

if taken:
    end = time.monotonic() + 1.0
    thread = threading.Thread(target=take)
    connection.execute(f"SELECT cog_metadata('{sys.argv[5]}')")
    thread.start()
    time.sleep(0.1)
    print(connection.execute(f"SELECT count(cog_metadata('{sys.argv[5]}?' || i)) FROM range(200) t(i)").fetchone()[0])
    print(connection.execute(f"SELECT cog_metadata('{sys.argv[6]}').image_width").fetchone()[0])
    thread.join()
else:
    enriched = f"rasteret_enrich('{folder}/index.parquet', bands := ['B04'])"
    connection.execute(f"CREATE TABLE enriched AS FROM {enriched}")
    print(*connection.execute("SELECT count(*), count(B04_metadata), count(rasteret_error) FROM enriched").fetchone())
    joined = f"FROM read_parquet('{folder}/part-*.parquet') p JOIN {enriched} e ON e.id = p.id"
    print(*connection.execute(f"SELECT count(*), count(B04_metadata) {joined}").fetchone())
    print(connection.execute(f"SELECT count(*) FROM cog_metadata('{folder}/*.tif')").fetchone()[0])
"""


def index(folder: Path, urls: list[str]) -> None:
    """Writes an index of URLs on all servers, Parquet files to join with it, and local rasters."""
    import duckdb

    connection = duckdb.connect()
    hosts = "[" + ", ".join(f"'{url}'" for url in urls) + "]"
    assets = f"{{'B04': {{'href': {hosts}[1 + i % {len(urls)}] || '/at/k' || i || '/cog.tif', 'type': 'image/tiff'}}}} AS assets"
    connection.execute(
        f"COPY (SELECT i AS id, {assets}, TIMESTAMP '2024-01-01' AS datetime FROM range({URLS}) t(i)) TO '{folder}/index.parquet'"
    )
    for part in range(FILES):
        connection.execute(f"COPY (SELECT {part} AS id) TO '{folder}/part-{part}.parquet'")
        (folder / f"{part}.tif").write_bytes((DATA / "cog.tif").read_bytes())


def run(arguments: list[str]) -> str:
    """Returns the output of the child process. Exits if it fails or exceeds the time limit."""
    command = [sys.executable, "-c", CHILD, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    return done.stdout if done.returncode == 0 else f"status {done.returncode}: {done.stderr[-1500:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    extension = str(parser.parse_args().extension.resolve())
    if sys.platform == "win32":
        print("skipped: Windows has no limit of file descriptors")
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rasteret-descriptors-"))
        urls = [stack.enter_context(servers.http_server(DATA, latency_ms=20)) for _ in range(SERVERS)]
        index(Path(folder), urls)
        for limit in LIMITS:
            expected = f"{URLS} {URLS} 0\n{FILES} {FILES}\n{FILES}\n"
            if (found := run([extension, folder, str(limit), "free"])) != expected:
                sys.exit(f"{limit} descriptors: expected {expected!r}, found {found}")
        found = run([extension, folder, "128", "taken", f"{urls[0]}/cog.tif", f"{DATA}/cog.tif"])
        if found != "200\n64\n":
            sys.exit(f"no free descriptors for one second: expected 200 headers and the width 64, found {found}")
    print(f"{URLS} URLs indexed with {', '.join(map(str, LIMITS))} file descriptors")


if __name__ == "__main__":
    main()
