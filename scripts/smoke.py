#!/usr/bin/env python3
"""Loads an extension into the DuckDB of this interpreter and compares a few results: `smoke.py FILE`.

For environments with DuckDB only: release builds on every platform, DuckDB's extension CI, unpacked archives. FILE may also be an archive of
`package.py dist`. The test files are in test/data.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
NAME = "rasteret.duckdb_extension"
SQUARE = "POLYGON ((3.001 41.547, 3.003 41.547, 3.003 41.549, 3.001 41.549, 3.001 41.547))"
# Expected values: tiles by shapely 2.2.0, zones by exactextract 0.3.0, the value by rasterio 1.4.4, others from the headers of the files.
CASES = [
    ("SELECT m.image_width, m.dtype, m.crs, len(m.tile_offsets) FROM (SELECT cog_metadata('{data}/cog.tif') AS m)", [(64, "uint16", "EPSG:32631", 16)]),
    ("SELECT count(*) FROM read_stac('{data}/stac/item.json')", [(1,)]),
    ("SELECT len(cog_tiles_for_geometry(cog_metadata('{data}/cog.tif'), '{square}'))", [(6,)]),
    ("SELECT round(s.mean, 1), round(s.count, 2) FROM (SELECT cog_zonal_stats('{data}/cog.tif', NULL, '{square}') AS s)", [(2587.8, 370.37)]),
    ("SELECT cog_value('{data}/cog.tif', NULL, 'POINT(3.002 41.55)')", [(1168.0,)]),
]  # fmt: skip


def check(extension: Path) -> int:
    """Returns the number of failed cases."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension.as_posix()}'")
    loaded = connection.execute("SELECT rasteret_version()").fetchone()
    print(f"{extension.name} {loaded[0]} in DuckDB {duckdb.__version__}")
    wrong = 0
    for sql, expected in CASES:
        found = connection.execute(sql.format(data=DATA.as_posix(), square=SQUARE)).fetchall()
        if found != expected:
            wrong += 1
            print(f"expected {expected}, found {found}: {sql}", file=sys.stderr)
    print(f"{len(CASES) - wrong} passed, {wrong} failed")
    return wrong


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    file = Path(sys.argv[1]).resolve()
    if file.suffix != ".zip":
        return int(check(file) > 0)
    # The process keeps the library open, and Windows does not delete open files.
    with tempfile.TemporaryDirectory(prefix="rasteret-smoke-", ignore_cleanup_errors=True) as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extract(NAME, folder)
        return int(check(Path(folder, NAME)) > 0)


if __name__ == "__main__":
    sys.exit(main())
