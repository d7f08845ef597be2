"""How many HTTP requests constants, `unnest` and EXPLAIN cost: a constant call that fails costs the requests of one call, and EXPLAIN of a
call that is not constant costs none.

    python request_counts_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. DuckDB evaluates constants while it plans, and one that fails again and again: up to a
hundred times for `unnest` of a STRUCT. Requests are counted by the range server of the tests, each query under a URL of its own; retries are
off, so that a request is an attempt.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import servers
from sqllogic.sessions import PythonSession, SqlError

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
POINT = "'POINT(500015 4599985)', {geometry_crs: 'native'}"
AREA = "cog_footprint(cog_metadata('URL'))"

# Constant calls whose header is not there or cannot be read.
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
# The same, that answer: each is evaluated once more where the first answer is not the value.
ANSWERED = ("SELECT try_cog_metadata('URL').error IS NOT NULL", "SELECT unnest(try_cog_metadata('URL'))")
TABLES = (
    "FROM read_stac('URL')",
    "FROM stac_search('URL')",
    "FROM rasteret_enrich('URL')",
    "FROM rasteret_validate('URL')",
    "FROM rasteret_refresh('URL')",
)
# Constant calls whose header is read and whose pixels are not.
PIXELS = (
    f"SELECT cog_value('URL', NULL, {POINT})",
    f"SELECT cog_value('URL', cog_metadata('URL'), {POINT})",
    "SELECT unnest(cog_read('URL', NULL, NULL))",
    f"SELECT unnest(cog_zonal_stats('URL', NULL, {AREA}))",
    f"SELECT cog_zonal_stats('URL', cog_metadata('URL'), {AREA}).mean + cog_value('URL', NULL, {POINT})",
    "FROM cog_pixels('URL', NULL)",
)
# Calls that are not constant: planned, and not evaluated.
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
# Paths of a header that fails, by why.
BROKEN = {
    "missing": "missing.tif",
    "forbidden": "status/403/cog.tif",
    "busy": "status/503/cog.tif",
    "no TIFF": "not_a_tiff.tif",
    "cut off": "truncated/100/cog.tif",
}
# Paths of pixels that cannot be read, by why.
BROKEN_PIXELS = {"forbidden": "behind/403/cog.tif", "busy": "behind/503/cog.tif", "undecodable": "broken_tile.tif"}


@dataclass
class Counter:
    """A host, the server and what went wrong so far."""

    session: PythonSession
    url: str
    queries: int = 0
    wrong: int = 0

    def count(self, sql: str, path: str) -> tuple[int, str | None]:
        """The requests of a query on a file of its own, and its error."""
        self.queries += 1
        url = f"{self.url}/at/{self.queries}/{path}"
        servers.reset(self.url)
        error = None
        try:
            self.session.execute(f"CREATE OR REPLACE TEMP TABLE files AS SELECT '{url}' AS href FROM range(3)")
            self.session.execute(sql.replace("URL", url))
        except SqlError as failure:
            error = str(failure).splitlines()[0]
        return servers.stats(self.url)["requests"], error

    def expect(self, sql: str, path: str, requests: range, fails: bool | None) -> None:
        """Reports a query whose requests or whose outcome are others."""
        found, error = self.count(sql, path)
        if found not in requests or (fails is not None and fails != (error is not None)):
            self.wrong += 1
            outcome = f"failing: {error}" if error else "answered"
            print(
                f"expected {requests.start} to {requests.stop - 1} requests, found {found}, {outcome}\n  {path}: {sql}"
            )


def run(counter: Counter) -> None:
    """All queries."""
    for path in BROKEN.values():
        for sql in HEADERS:
            counter.expect(sql, path, range(1, 2), fails=True)
        for sql in ANSWERED:
            counter.expect(sql, path, range(1, 2), fails=False)
        for sql in TABLES:
            counter.expect(sql, path, range(1, 2), fails=True)
        # A constant is evaluated where the plan is made; its failure is no failure of EXPLAIN.
        for sql in HEADERS:
            counter.expect(f"EXPLAIN {sql}", path, range(2), fails=None)
    for path in BROKEN_PIXELS.values():
        for sql in PIXELS:
            # The header, and the tiles in at most two spans.
            counter.expect(sql, path, range(2, 4), fails=True)
            counter.expect(f"EXPLAIN {sql}", path, range(4), fails=None)
    for sql in ROWS:
        counter.expect(f"EXPLAIN {sql}", "cog.tif", range(1), fails=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    args = parser.parse_args()
    extension = args.extension.resolve()
    # Read when the extension is loaded.
    os.environ["RASTERET_MAX_RETRIES"] = "0"
    os.chdir(ROOT)
    with servers.http_server(ROOT / "test" / "data") as url:
        session = PythonSession()
        session.execute(f"LOAD '{extension}'")
        counter = Counter(session, url)
        run(counter)
        session.close()
    print(f"{counter.queries} queries, {counter.wrong} with other requests or another outcome than expected")
    sys.exit(bool(counter.wrong))


if __name__ == "__main__":
    main()
