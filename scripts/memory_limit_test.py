"""Runs every function with increasing values of DuckDB's `memory_limit`, until it is sufficient: each run must return the correct result or
DuckDB's "Out of Memory Error", without a crash of the host.

    python memory_limit_test.py [--extension build/release/rasteret.duckdb_extension] [--cli DUCKDB] [--only FUNCTION...]

Runs in an environment with DuckDB, or on a CLI. Functions of DuckDB's C API may throw an exception when an allocation fails, and an exception
that unwinds into Rust aborts the process. Each function therefore runs in its own process. A function without a query is a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqllogic.sessions import CliSession, PythonSession, Session, SqlError

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
CLASS = "Out of Memory Error: "
# Limits in kB are doubled until two of them were sufficient.
LOWEST_KB, STEP, HIGHEST_KB = 64, 2.0, 2_000_000
BAND = "{geometry_crs: 'native', band_index: 0}"
SQUARE = "POLYGON((500000 4599360, 500640 4599360, 500640 4600000, 500000 4600000, 500000 4599360))"

# One file has 6,400 tiles, with 100 kB of metadata per row, the other 64 x 64 pixels.
TABLES = """
CREATE TABLE long AS SELECT 'test/data/long_tables.tif' || left('', i::INT) AS href FROM range(200) t(i);
CREATE TABLE files AS SELECT 'test/data/cog.tif' || left('', i::INT) AS href FROM range(2000) t(i);
CREATE TABLE headers AS SELECT cog_metadata('test/data/long_tables.tif') AS m;
CREATE TABLE small AS SELECT cog_metadata('test/data/cog.tif') AS m;
"""

# Function -> queries, with large results where possible.
QUERIES = {
    "cog_metadata": (
        "SELECT count(m), sum(len(m.tile_offsets)), max(m.crs) FROM (SELECT cog_metadata(href) AS m FROM long)",
        "SELECT count(*), sum(len(tile_offsets)) FROM cog_metadata('test/data/long*.tif')",
    ),
    "try_cog_metadata": (
        "SELECT count(t.metadata), sum(len(t.metadata.tile_offsets)) FROM (SELECT try_cog_metadata(href) AS t FROM long)",
        "SELECT count(t.error), sum(length(t.error)) FROM (SELECT try_cog_metadata(href || 'x') AS t FROM files)",
    ),
    "cog_cache_header": ("SELECT count(c) FROM (SELECT cog_cache_header(href, m) AS c FROM headers, long)",),
    "cog_ifds": (
        "SELECT count(*), sum(len(tags)) FROM cog_ifds('test/data/cog.tif')",
        "SELECT count(*), sum(length(tags::VARCHAR)) FROM cog_ifds('test/data/long_tables.tif')",
    ),
    "cog_info": ("SELECT count(*), sum(len(tags::VARCHAR)), max(crs) FROM cog_info('test/data/*cog*.tif')",),
    "cog_tiles": ("SELECT count(*), sum(tile_offset) FROM cog_tiles('test/data/long_tables.tif')",),
    "cog_tiles_for_geometry": (
        "SELECT count(t), sum(len(t)) FROM (SELECT cog_tiles_for_geometry(m, cog_footprint(m)) AS t FROM headers, range(200))",
        f"SELECT count(*), sum(tile_offset) FROM cog_tiles_for_geometry('test/data/cog.tif', '{SQUARE}', geometry_crs := 'native')",
    ),
    "cog_byte_ranges": (
        "SELECT count(r), sum(len(r)) FROM (SELECT cog_byte_ranges([{tile_offset: 100000 * n + i, tile_byte_count: 1}"
        " for n in range(2000)]) AS r FROM range(200) t(i))",
    ),
    "cog_bounds": ("SELECT count(b), sum(b.xmin) FROM (SELECT cog_bounds(m) AS b FROM small, range(4000))",),
    "cog_footprint": (
        "SELECT count(f), sum(length(f::VARCHAR)) FROM (SELECT cog_footprint(m) AS f FROM small, range(4000))",
    ),
    "cog_read": (
        "SELECT count(r), sum(octet_length(r.data)), sum(octet_length(r.mask)) FROM (SELECT cog_read(href, NULL, NULL) AS r FROM files)",
        f"SELECT count(r), max(md5(r.data)), min(md5(r.data)) FROM (SELECT cog_read(href, m, '{SQUARE}', {BAND}) AS r FROM small, files)",
        "SELECT count(r), max(md5(r.data)), min(md5(r.data)) FROM (SELECT cog_read(href, NULL, NULL,"
        " {grid: {crs: 'EPSG:3857', resolution: 3}, resampling: 'cubic'}) AS r FROM (FROM files LIMIT 100))",
    ),
    "cog_chip": (
        "SELECT count(c), sum(len(c.data)), sum(list_sum(c.data)) FROM (SELECT cog_chip([href, 'test/data/classes.tif'],"
        " 'POINT(500320 4599680)', {geometry_crs: 'native', size: 128, fill: 0, resampling: 'nearest'}) AS c FROM (FROM files LIMIT 500))",
        "SELECT sum(len(cog_chip('test/data/cog.tif', 'POINT(500320 4599680)', {geometry_crs: 'native', size: 2000}).data))",
    ),
    "cog_mosaic": (
        "SELECT count(m), max(md5(m.data)), min(md5(m.mask)) FROM (SELECT cog_mosaic([href, 'test/data/cog_b.tif'],"
        " {method: 'median'}) AS m FROM (FROM files LIMIT 500))",
        "SELECT md5(m.data) FROM (SELECT cog_mosaic(list(href), {method: 'stddev', grid: {crs: 'EPSG:3857', resolution: 5}}) AS m FROM (FROM files LIMIT 100))",
    ),
    "cog_preview": (
        "SELECT count(p), max(md5(p)), min(md5(p)) FROM (SELECT cog_preview(href, m, {colormap: 'viridis'}) AS p FROM small, files)",
        "SELECT count(p), max(octet_length(p)) FROM (SELECT cog_preview('test/data/palette.tif', NULL, {size: i::INT % 32 + 1}) AS p"
        " FROM range(500) t(i))",
    ),
    "cog_map_tile": (
        "SELECT count(t), max(md5(t)) FROM (SELECT cog_map_tile(href, m, 13, 4164, 3054, {size: 512}) AS t FROM small, (FROM files LIMIT 200))",
        "SELECT count(t), max(md5(t)) FROM (SELECT cog_map_tile([href, 'test/data/cog_b.tif'], 13, 4164, 3054, {size: 512, range: [0, 5000],"
        " method: 'median'}) AS t FROM (FROM files LIMIT 100))",
    ),
    "cog_pixels": (
        "SELECT count(*), sum(value), sum(x) FROM cog_pixels('test/data/cog.tif', NULL)",
        "SELECT count(*), sum(len(values)) FROM cog_pixels('test/data/planar.tif', NULL, bands := [0, 1, 2, 3])",
        "SELECT count(*), sum(value) FROM cog_pixels('test/data/cog.tif', NULL, grid := {crs: 'native', resolution: 0.5})",
        f"SELECT sum(len(p)), max(p[1].values[1]) FROM (SELECT cog_pixels([href, 'test/data/classes.tif'], '{SQUARE}',"
        " {geometry_crs: 'native'}) AS p FROM (FROM files LIMIT 100))",
    ),
    "cog_value": (
        f"SELECT count(v), sum(v) FROM (SELECT cog_value(href, NULL, 'POINT(500015 4599985)', {BAND}) AS v FROM files)",
    ),
    "cog_values": (
        "SELECT count(v), sum(list_sum(v)) FROM (SELECT cog_values('test/data/planar.tif', NULL, 'POINT(500015 4599985)',"
        " {geometry_crs: 'native', bands: [i % 4 FOR i IN range(400)]}) AS v FROM files)",
    ),
    "cog_zonal_quantiles": (
        "SELECT count(q), sum(list_sum(q)) FROM (SELECT cog_zonal_quantiles(href, NULL,"
        f" '{SQUARE}', [i / 1000 FOR i IN range(1000)], {{geometry_crs: 'native'}}) AS q FROM files)",
    ),
    "cog_zonal_classes": (
        "SELECT count(c), sum(len(c)), sum(c[1].count) FROM (SELECT cog_zonal_classes(href, NULL,"
        f" '{SQUARE}', {{geometry_crs: 'native'}}) AS c FROM (FROM files LIMIT 1000))",
    ),
    "cog_zonal_stats": (
        "SELECT count(z), sum(z.sum), sum(z.count) FROM (SELECT cog_zonal_stats(href, NULL,"
        f" '{SQUARE}', {{geometry_crs: 'native'}}) AS z FROM files)",
    ),
    "read_stac": (
        "SELECT count(*), max(id), sum(length(assets::VARCHAR)) FROM read_stac('test/data/stac/item.json')",
        "SELECT count(*), max(id) FROM read_stac(['test/data/stac/item.json' for i in range(300)])",
    ),
    "stac_search": (
        "SELECT count(*), max(id), sum(length(assets::VARCHAR)) FROM stac_search('test/data/stac/catalog/catalog.json')",
    ),
    "rasteret_enrich": (
        "SELECT count(*), sum(len(B04_metadata.tile_offsets)), max(rasteret_error)"
        " FROM rasteret_enrich('test/data/items.parquet', bands := ['B04', 'B08'])",
    ),
    "rasteret_enrich_sql": (
        "SELECT sum(length(rasteret_enrich_sql(repeat('FROM ''test/data/items.parquet'' ', i::INT), ['B04']))) FROM range(300) t(i)",
        "SELECT count(*), max(id) FROM query(rasteret_enrich_sql('FROM ''test/data/items.parquet''', ['B04']))",
    ),
    "rasteret_normalize": (
        "SELECT count(n), max(n.year), max(n.crs) FROM (SELECT rasteret_normalize(r, [m]) AS n"
        " FROM small, (SELECT DATE '2024-02-01' AS datetime, i FROM range(4000) t(i)) AS r)",
    ),
    "rasteret_python_metadata": (
        "SELECT count(p), sum(len(p.tile_offsets)) FROM (SELECT rasteret_python_metadata(m) AS p FROM headers, range(200))",
    ),
    "rasteret_validate": ("SELECT count(*), max(message) FROM rasteret_validate('test/data/index_broken.parquet')",),
    "rasteret_refresh": ("SELECT count(*), max(status) FROM rasteret_refresh('test/data/index_broken.parquet')",),
    "major_tom_cell": (
        "SELECT count(c), max(c) FROM (SELECT major_tom_cell(i / 1000, i / 1000, 10) AS c FROM range(20000) t(i))",
    ),
    "rasteret_split": (
        "SELECT count(s), max(s) FROM (SELECT rasteret_split(repeat('x', 100) || i) AS s FROM range(20000) t(i))",
    ),
    "rasteret_functions": ("SELECT sum(len(description) + len(parameters)) FROM rasteret_functions(), range(200)",),
    "rasteret_stats": (
        "SELECT count(DISTINCT origin), bool_and(requests + bytes >= 0) FROM rasteret_stats(), range(2000)",
    ),
    "rasteret_version": ("SELECT max(rasteret_version()) FROM range(20000)",),
}


def limits() -> Iterator[int]:
    """Yields increasing limits in kB."""
    limit = float(LOWEST_KB)
    while limit < HIGHEST_KB:
        yield int(limit)
        limit *= STEP


def opened(args: argparse.Namespace) -> Session:
    """Opens a session of the host and loads the extension."""
    session: Session = CliSession(args.cli) if args.cli else PythonSession()
    session.execute(f"LOAD '{args.extension}'")
    return session


def functions(args: argparse.Namespace) -> set[str]:
    """Returns the names of the functions registered by the extension."""
    session = opened(args)
    rows = session.query(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_name ~ '^(try_)?(cog_|rasteret_)|stac|tom_'"
    )
    session.close()
    return {str(name) for (name,) in rows}


def check(args: argparse.Namespace, query: str) -> str:
    """Runs a query with every limit, and returns a report. Exits if a result or an error is not as expected."""
    session = opened(args)
    session.execute(TABLES)
    expected = session.query(query)
    refused, enough = 0, 0
    for limit in limits():
        session.reopen(None)
        # Without spilling, a query that exceeds the limit fails.
        session.execute(f"SET temp_directory = ''; LOAD '{args.extension}'")
        session.execute(TABLES)
        try:
            session.execute(f"SET memory_limit = '{limit}KB'")
            found = session.query(query)
        except SqlError as error:
            if not str(error).startswith(CLASS):
                sys.exit(f"{limit} kB: expected {CLASS!r}, found {error}\n  {query}")
            refused, enough = refused + 1, 0
        else:
            if found != expected:
                sys.exit(f"{limit} kB: expected {expected}, found {found}\n  {query}")
            enough += 1
        if enough == 2:
            break
        # The host must work as before after failed queries.
        session.execute("RESET memory_limit")
        session.execute("SELECT 1")
    else:
        sys.exit(f"{HIGHEST_KB} kB are not sufficient\n  {query}")
    session.close()
    return f"{refused} out of memory errors, {limit} kB are sufficient"


def run(args: argparse.Namespace, function: str) -> str | None:
    """Runs a function in its own process; returns the failure, if any."""
    command = [sys.executable, __file__, "--extension", str(args.extension), "--worker", function]
    if args.cli:
        command += ["--cli", args.cli]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    print(f"{function:26}{done.stdout.strip()}", flush=True)
    if done.returncode == 0:
        return None
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
    return f"{function}: ended with {ended}\n{done.stderr.strip()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    parser.add_argument("--cli", help="run on this DuckDB CLI instead of the duckdb module")
    parser.add_argument("--only", nargs="+", default=sorted(QUERIES), choices=sorted(QUERIES), metavar="FUNCTION")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.extension = args.extension.resolve()
    if not args.extension.is_file():
        sys.exit(f"memory_limit_test: no such file: {args.extension}")
    os.chdir(ROOT)
    if args.worker:
        print("; ".join(check(args, query) for query in QUERIES[args.worker]))
        return
    if missing := functions(args) - set(QUERIES):
        sys.exit(f"no query for {', '.join(sorted(missing))}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [text for text in pool.map(lambda function: run(args, function), args.only) if text]
    print(
        "\n".join(wrong)
        if wrong
        else f"{len(args.only)} functions returned the expected result or an out of memory error"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
