"""Databases that are opened and closed beside one another, each with threads of its own: the host survives, and each answers alike.

    python threads_test.py [--rounds 25] [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. What a thread leaves behind when it ends (allocator, thread-locals, sessions) shows here and nowhere
else: an allocator that passed every other test died in one of the first rounds.
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
QUESTIONS = f"""
SELECT count(header.image_width) FROM (SELECT cog_metadata(href) AS header FROM file, range(2000));
SELECT md5(pixels.data), md5(pixels.mask) FROM (SELECT cog_read(href, header, NULL) AS pixels FROM file);
SELECT sum(value), count(*) FROM cog_pixels('{COG}', NULL);
SELECT sum(statistics.sum) FROM (SELECT cog_zonal_stats(href, header, cog_footprint(header)) AS statistics FROM file, range(200))
"""


def ask(extension: Path) -> list[object]:
    """A database's whole life."""
    config = {"allow_unsigned_extensions": "true", "threads": THREADS}
    with duckdb.connect(config=config) as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute("CREATE TABLE file AS SELECT ? AS href, cog_metadata(?) AS header", [str(COG), str(COG)])
        return [connection.execute(question).fetchall() for question in QUESTIONS.split(";")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    expected = ask(extension)
    for _ in range(args.rounds):
        # Threads that end with the round, as those of the databases do.
        with ThreadPoolExecutor(BESIDE) as pool:
            for found in pool.map(ask, [extension] * BESIDE):
                if found != expected:
                    sys.exit(f"expected {expected}, found {found}")
    print(f"DuckDB {duckdb.__version__}: {args.rounds * BESIDE} databases, each with {THREADS} threads, answered alike")


if __name__ == "__main__":
    main()
