"""Tests the DuckLake example of docs/scaling.md, in the environment `ducklake`: `python ducklake_test.py --extension FILE`.

The catalog must contain the rows of `rasteret_enrich`, including the metadata STRUCTs, and return the same statistics.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb
import duckdb_extension_ducklake

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scaling.md"
DATA = ROOT / "test" / "data"
SQUARE = "POLYGON ((3.001 41.547, 3.003 41.547, 3.003 41.549, 3.001 41.549, 3.001 41.547))"


def expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        sys.exit(f"ducklake_test: {what}: expected {expected}, found {found}")
    print(f"{what}: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    extension = parser.parse_args().extension.resolve()
    (block,) = re.findall(r'^```sql title="DuckLake"\n(.*?)^```$', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    package = Path(duckdb_extension_ducklake.__file__).parent
    (ducklake,) = package.glob(f"extensions/v{duckdb.__version__}/ducklake.duckdb_extension")
    with tempfile.TemporaryDirectory(prefix="rasteret-ducklake-") as folder:
        # Files in the page are relative to the working directory, hrefs of the records to the repository.
        (Path(folder) / "test").mkdir()
        shutil.copytree(DATA, Path(folder) / "test" / "data")
        shutil.copy(DATA / "items.parquet", folder)
        os.chdir(folder)
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        connection.execute(f"LOAD '{extension}'; LOAD '{ducklake}'")
        connection.execute(block)
        same = """
            SELECT count(*) FROM lake.collection AS a JOIN rasteret_enrich('items.parquet', bands := ['B04']) AS b USING (id)
            WHERE a.B04_metadata = b.B04_metadata AND a.assets = b.assets AND a.year = b.year
            """
        expect("records equal to those of rasteret_enrich", [(4,)], connection.execute(same).fetchall())
        expect(
            "records",
            [(4, 4)],
            connection.execute("SELECT count(*), count(DISTINCT id) FROM lake.collection").fetchall(),
        )
        mean = f"SELECT DISTINCT round(cog_zonal_stats(assets.B04.href, B04_metadata, '{SQUARE}').mean, 1) FROM lake.collection"
        expect("mean of an area, from the catalog", [(2587.8,)], connection.execute(mean).fetchall())


if __name__ == "__main__":
    main()
