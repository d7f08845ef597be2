"""Opens and closes databases concurrently, each with its own threads: the host must not crash, and all databases return the same results.

    python threads_test.py [--rounds 25] [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. Only this test detects invalid state of ended threads (allocator, thread-locals, sessions): an
allocator that passed all other tests crashed in one of the first rounds.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
COG = ROOT / "test" / "data" / "cog.tif"
BESIDE, THREADS = 4, 4
QUERIES = f"""
SELECT count(header.image_width) FROM (SELECT cog_metadata(href) AS header FROM file, range(2000));
SELECT md5(pixels.data), md5(pixels.mask) FROM (SELECT cog_read(href, header, NULL) AS pixels FROM file);
SELECT sum(value), count(*) FROM cog_pixels('{COG}', NULL);
SELECT sum(statistics.sum) FROM (SELECT cog_zonal_stats(href, header, cog_footprint(header)) AS statistics FROM file, range(200))
"""


def run_queries(extension: Path) -> list[object]:
    """Opens a database, runs the queries and closes it."""
    config = {"allow_unsigned_extensions": "true", "threads": THREADS}
    with duckdb.connect(config=config) as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute("CREATE TABLE file AS SELECT ? AS href, cog_metadata(?) AS header", [str(COG), str(COG)])
        return [connection.execute(query).fetchall() for query in QUERIES.split(";")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    expected = run_queries(extension)
    for _ in range(args.rounds):
        # The threads end with the round, like those of the databases.
        with ThreadPoolExecutor(BESIDE) as pool:
            for found in pool.map(run_queries, [extension] * BESIDE):
                if found != expected:
                    sys.exit(f"expected {expected}, found {found}")
    print(
        f"DuckDB {duckdb.__version__}: {args.rounds * BESIDE} databases, each with {THREADS} threads, returned equal results"
    )


if __name__ == "__main__":
    main()
