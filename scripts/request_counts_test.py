"""Counts the HTTP requests of constants, `unnest` and EXPLAIN: a failing constant call makes the requests of one call, and EXPLAIN of a
call that is not constant makes none.

    python request_counts_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. DuckDB evaluates constants while planning, and repeats a failing one up to a hundred times for `unnest`
of a STRUCT. The range server counts the requests, with a separate URL for each query. Retries are disabled.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import servers
from sqllogic.sessions import PythonSession, SqlError

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
POINT = "'POINT(500015 4599985)', {geometry_crs: 'native'}"
AREA = "cog_footprint(cog_metadata('URL'))"

# Constant calls with a header that is missing or cannot be read.
HEADERS = (
    "SELECT cog_metadata('URL')",
    "SELECT cog_metadata(['URL', 'URL'])",
    "SELECT unnest(cog_metadata('URL'))",
    "SELECT unnest(cog_metadata('URL').tile_offsets)",
    "SELECT unnest([cog_metadata('URL'), cog_metadata('URL')], recursive := true)",
    "SELECT cog_bounds(cog_metadata('URL'))",
    "SELECT cog_footprint(cog_metadata('URL')), cog_bounds(cog_metadata('URL'))",
    "SELECT i FROM range(3) t(i) WHERE i < cog_metadata('URL').image_width ORDER BY cog_metadata('URL').image_height",
    f"SELECT cog_value('URL', NULL, {POINT})",
    f"SELECT cog_value('URL', cog_metadata('URL'), {POINT})",
    "SELECT unnest(cog_read('URL', NULL, NULL))",
    f"SELECT unnest(cog_zonal_stats('URL', NULL, {AREA}))",
    "SELECT unnest(cog_byte_ranges(cog_tiles_for_geometry(cog_metadata('URL'), 'POINT(1 2)')), recursive := true)",
    "FROM cog_metadata('URL')",
    "FROM cog_ifds('URL')",
    "FROM cog_info('URL')",
    "FROM cog_tiles('URL')",
    "FROM cog_pixels('URL', NULL)",
    "FROM cog_tiles_for_geometry('URL', 'POINT(1 2)')",
)
# Constant calls that return an error value or NULL: DuckDB may evaluate these once more.
SUCCESSFUL = ("SELECT try_cog_metadata('URL').error IS NOT NULL", "SELECT unnest(try_cog_metadata('URL'))")
TABLES = (
    "FROM read_stac('URL')",
    "FROM stac_search('URL')",
    "FROM rasteret_enrich('URL')",
    "FROM rasteret_validate('URL')",
    "FROM rasteret_refresh('URL')",
)
# Constant calls with a readable header and unreadable pixels.
PIXELS = (
    f"SELECT cog_value('URL', NULL, {POINT})",
    f"SELECT cog_value('URL', cog_metadata('URL'), {POINT})",
    "SELECT unnest(cog_read('URL', NULL, NULL))",
    f"SELECT unnest(cog_zonal_stats('URL', NULL, {AREA}))",
    f"SELECT cog_zonal_stats('URL', cog_metadata('URL'), {AREA}).mean + cog_value('URL', NULL, {POINT})",
    "FROM cog_pixels('URL', NULL)",
)
BOX = "{xmin: 500000, ymin: 4599360, xmax: 500640, ymax: 4600000}, {geometry_crs: 'native', OPTION}"
MASK = "mask: {href: 'URL', drop: [1]}"
# Constant calls with a readable raster DATA and a second, unreadable one.
BESIDE = (
    f"SELECT cog_read('DATA', NULL, NULL, {{{MASK}}})",
    f"SELECT unnest(cog_read('DATA', NULL, {BOX.replace('OPTION', MASK)}))",
    f"SELECT cog_value('DATA', NULL, {POINT[:-1]}, {MASK}}})",
    f"SELECT unnest(cog_values('DATA', NULL, {POINT[:-1]}, {MASK}}}))",
    f"SELECT unnest(cog_zonal_stats('DATA', NULL, {BOX.replace('OPTION', MASK)}))",
    f"SELECT cog_zonal_stats('DATA', cog_metadata('DATA'), {BOX.replace('OPTION', MASK)}).mean",
    "SELECT unnest(cog_zonal_stats('DATA', NULL, " + BOX.replace("OPTION", "weights: {href: 'URL'}") + "))",
    f"SELECT unnest(cog_zonal_quantiles('DATA', NULL, {BOX.replace(', {', ', [0.5], {').replace('OPTION', MASK)}))",
    f"SELECT unnest(cog_zonal_classes('DATA', NULL, {BOX.replace('OPTION', MASK)}))",
    f"SELECT unnest(cog_value([{{href: 'DATA', {MASK}}}], {POINT}))",
    "SELECT unnest(cog_value(['DATA', 'URL'], " + POINT + "))",
    "SELECT unnest(cog_pixels(['DATA', 'URL'], " + BOX.replace(", OPTION", "") + "))",
    f"SELECT unnest(cog_pixels(['DATA'], {BOX.replace('OPTION', MASK)}), recursive := true)",
    "SELECT unnest(cog_chip(['DATA', 'URL'], " + POINT + "))",
    f"SELECT unnest(cog_chip('DATA', {POINT[:-1]}, {MASK}}}))",
    "SELECT unnest(cog_mosaic(['DATA', 'URL']))",
    f"SELECT unnest(cog_mosaic('DATA', {BOX.replace('OPTION', MASK)}))",
    "FROM cog_pixels({a: 'DATA', b: 'URL'}, NULL)",
    f"FROM cog_pixels('DATA', NULL, {MASK.replace(':', ' :=', 1)})",
)
# Calls that are not constant, which EXPLAIN plans without evaluating them.
ROWS = (
    "SELECT cog_metadata(href) FROM files",
    "SELECT unnest(cog_metadata(href)) FROM files",
    "SELECT unnest(try_cog_metadata(href)) FROM files WHERE cog_metadata(href).image_width > 3",
    f"SELECT cog_value(href, NULL, {POINT}) FROM files",
    "SELECT unnest(cog_read(href, NULL, NULL)) FROM files",
    "SELECT unnest(cog_zonal_stats(href, NULL, cog_footprint(cog_metadata(href)))) FROM files",
    "SELECT cog_metadata('URL' || i) FROM range(3) t(i)",
    "FROM cog_metadata('URL')",
    "FROM cog_tiles('URL')",
    "FROM cog_ifds('URL')",
    "FROM cog_info('URL')",
)
# Reason -> path of an unreadable header.
BROKEN = {
    "missing": "missing.tif",
    "forbidden": "status/403/cog.tif",
    "busy": "status/503/cog.tif",
    "no TIFF": "not_a_tiff.tif",
    "cut off": "truncated/100/cog.tif",
}
# Reason -> path of a file with unreadable pixels.
BROKEN_PIXELS = {"forbidden": "behind/403/cog.tif", "busy": "behind/503/cog.tif", "undecodable": "broken_tile.tif"}


# Queries that use the same tiles repeatedly, in random order: each byte of pixels must be requested once, although no decoded tile is
# cached and few tiles are in memory at a time. POINTS has 400 points, PAIRS each of them with each of five files.
TILES_ONCE = {
    "rows": "SELECT sum(cog_value(href, NULL, point, {geometry_crs: 'native'})) FROM PAIRS",
    "zones": "SELECT sum(cog_zonal_stats(href, NULL, box, {geometry_crs: 'native'}).sum) FROM PAIRS",
    "lists": "SELECT sum(list_sum(v)) FROM (SELECT cog_value(list(href), any_value(point), {geometry_crs: 'native'}) AS v FROM PAIRS GROUP BY i)",
    "lists of zones": "SELECT sum(list_sum([z.sum FOR z IN s])) FROM (SELECT cog_zonal_stats(list(href), any_value(box), "
    "{geometry_crs: 'native'}) AS s FROM PAIRS GROUP BY i)",
    "classes": "SELECT sum(len(cog_zonal_classes(href, NULL, box, {geometry_crs: 'native'}))) FROM PAIRS",
    "pixels": "SELECT sum(len(p)) FROM (SELECT cog_pixels(list(href), any_value(box), {geometry_crs: 'native'}) AS p FROM PAIRS GROUP BY i)",
    "chips": "SELECT sum(list_sum(c.data)) FROM (SELECT cog_chip(list(href), any_value(point), {geometry_crs: 'native', size: 3, fill: 0}) AS c"
    " FROM PAIRS GROUP BY i)",
    "table": "SELECT sum(a + b + c) FROM cog_pixels({a: '0.tif', b: '1.tif', c: '2.tif'}, NULL)",
}
POINTS, FILES = 400, 5
# No cache for decoded tiles, and a memory limit of 32 tiles of 512 bytes.
NOTHING_KEPT = {"RASTERET_TILE_CACHE_BYTES": "0", "RASTERET_READ_BUDGET_BYTES": "16384"}


@dataclass
class Counter:
    """A session and the server, with counts of queries and faults."""

    session: PythonSession
    url: str
    queries: int = 0
    wrong: int = 0

    def count(self, sql: str, path: str) -> tuple[int, str | None]:
        """Runs a query on a new URL; returns the number of requests and the error."""
        self.queries += 1
        url = f"{self.url}/at/{self.queries}/{path}"
        data = f"{self.url}/at/{self.queries}-data/cog.tif"
        servers.reset(self.url)
        error = None
        try:
            self.session.execute(f"CREATE OR REPLACE TEMP TABLE files AS SELECT '{url}' AS href FROM range(3)")
            self.session.execute(sql.replace("URL", url).replace("DATA", data))
        except SqlError as failure:
            error = str(failure).splitlines()[0]
        return servers.stats(self.url)["requests"], error

    def expect(self, sql: str, path: str, requests: range, fails: bool | None) -> None:
        """Checks the requests and outcome of a query."""
        found, error = self.count(sql, path)
        if found not in requests or (fails is not None and fails != (error is not None)):
            self.wrong += 1
            outcome = f"failing: {error}" if error else "successful"
            print(
                f"expected {requests.start} to {requests.stop - 1} requests, found {found}, {outcome}\n  {path}: {sql}"
            )


def run(counter: Counter) -> None:
    """Runs all queries."""
    for path in BROKEN.values():
        for sql in HEADERS:
            counter.expect(sql, path, range(1, 2), fails=True)
        for sql in SUCCESSFUL:
            counter.expect(sql, path, range(1, 2), fails=False)
        for sql in TABLES:
            counter.expect(sql, path, range(1, 2), fails=True)
        # A constant is evaluated during planning; EXPLAIN succeeds even if it fails.
        for sql in HEADERS:
            counter.expect(f"EXPLAIN {sql}", path, range(2), fails=None)
    for path in BROKEN_PIXELS.values():
        for sql in PIXELS:
            # One request for the header, at most two for the tiles.
            counter.expect(sql, path, range(2, 4), fails=True)
            counter.expect(f"EXPLAIN {sql}", path, range(4), fails=None)
    for path in BROKEN.values():
        for sql in BESIDE:
            # One request for each header.
            counter.expect(sql, path, range(1, 3), fails=True)
            counter.expect(f"EXPLAIN {sql}", path, range(3), fails=None)
    for path in BROKEN_PIXELS.values():
        for sql in BESIDE:
            # For each file, one request for the header and at most two for the tiles.
            counter.expect(sql, path, range(2, 7), fails=True)
            counter.expect(f"EXPLAIN {sql}", path, range(7), fails=None)
    for sql in ROWS:
        counter.expect(f"EXPLAIN {sql}", "cog.tif", range(1), fails=False)


def tiles_once(counter: Counter) -> None:
    """Checks that a query requests no byte of pixels twice."""
    for name, sql in TILES_ONCE.items():
        counter.queries += 1
        base = f"{counter.url}/at/{counter.queries}"
        files = [f"{base}-{file}/cog.tif" for file in range(FILES)]
        for file, url in enumerate(files):
            sql = sql.replace(f"'{file}.tif'", f"'{url}'")
        x, y = "500000 + hash(i) % 640", "4599360 + hash(i + 1) % 640"
        counter.session.execute(
            f"CREATE OR REPLACE TEMP TABLE PAIRS AS SELECT i, 'POINT(' || {x} || ' ' || {y} || ')' AS point, "
            f"{{xmin: {x} - 15.0, ymin: {y} - 15.0, xmax: {x} + 15.0, ymax: {y} + 15.0}} AS box, href "
            f"FROM range({POINTS}) t(i), (SELECT unnest({files}) AS href) ORDER BY hash(i || href)"
        )
        servers.reset(counter.url)
        ((found,),) = counter.session.execute(sql)
        twice = overlaps(servers.log(counter.url))
        if found is None or float(found) <= 0 or twice:
            counter.wrong += 1
            print(f"{name}: expected one request per tile and a sum, found {found}, repeated: {twice[:3]}\n  {sql}")


def overlaps(log: list[list[object]]) -> list[tuple[str, int, int]]:
    """Returns requests that overlap an earlier request, by path. The first request of each file, for the header, is excluded."""
    seen: dict[str, list[tuple[int, int]]] = {}
    found = []
    for _, path, start, length in log:
        requests = seen.setdefault(path, [])
        if any(start < end and begin < start + length for begin, end in requests[1:]):
            found.append((path, start, length))
        requests.append((start, start + length))
    assert seen and all(len(requests) > 1 for requests in seen.values()), "no pixels were requested"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    parser.add_argument("--tiles-once", action="store_true", help="only queries that use tiles repeatedly")
    args = parser.parse_args()
    extension = args.extension.resolve()
    status = 0
    if not args.tiles_once:
        command = [sys.executable, __file__, "--tiles-once", "--extension", str(extension)]
        status = subprocess.run(command, env=os.environ | NOTHING_KEPT).returncode
    # Must be set before the extension is loaded.
    os.environ["RASTERET_MAX_RETRIES"] = "0"
    os.chdir(ROOT)
    with servers.http_server(ROOT / "test" / "data") as url:
        session = PythonSession()
        session.execute(f"LOAD '{extension}'")
        counter = Counter(session, url)
        tiles_once(counter) if args.tiles_once else run(counter)
        session.close()
    print(f"{counter.queries} queries, {counter.wrong} with unexpected requests or results")
    sys.exit(status or bool(counter.wrong))


if __name__ == "__main__":
    main()
