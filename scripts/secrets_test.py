"""Checks that errors, settings, statistics, plans and Parquet files contain no secrets.

    python secrets_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB. Every secret contains the same word, which is searched for in all outputs.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import tempfile
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
WORD = "QUOKKA"
KEY = base64.b64encode(WORD.encode()).decode()
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": f"AKIA{WORD}",
    "AWS_SECRET_ACCESS_KEY": f"{WORD}secret",
    "AWS_SESSION_TOKEN": f"{WORD}token",
    "AWS_REGION": "us-east-1",
    "AZURE_STORAGE_ACCOUNT_NAME": "account",
    "AZURE_STORAGE_SAS_TOKEN": f"sv=1&sig={WORD}",
    "RASTERET_MAX_RETRIES": "0",
}
# Locations with a secret; URL and HOST are those of the range server.
LOCATIONS = (
    f"http://user:{WORD}@HOST/STATUS/cog.tif",
    f"http://{WORD}@HOST/STATUS/cog.tif",
    f"URL/STATUS/cog.tif?sv=1&sig={WORD}",
    f"URL/STATUS/cog.tif?X-Amz-Credential={WORD}&X-Amz-Signature={WORD}",
    f"URL/STATUS/cog.tif#{WORD}",
    f"/vsicurl/URL/STATUS/cog.tif?sig={WORD}",
    f"URL/redirect/302/STATUS/cog.tif?token={WORD}",
    f"http://user:{WORD}@127.0.0.1:9/a.tif?sig={WORD}",
    f"http://user:{WORD}@:bad:/a.tif?sig={WORD}",
    f"http//user:{WORD}@HOST/a.tif",
    f"ftp://user:{WORD}@HOST/a.tif?sig={WORD}",
    f"s3://user:{WORD}@bucket/a.tif",
    f"s3://bucket/a.tif?sig={WORD}",
    f"az://container/a.tif?sig={WORD}",
    "s3://bucket/STATUS/cog.tif",
    "az://container/STATUS/cog.tif",
    f"a.tif?sv=1&sig={WORD}",
)
STATUSES = ("status/403", "status/500", "truncated/100", "at/1")
GEOMETRY = "'POINT(500015 4599985)', {geometry_crs: 'native'}"
# Hrefs are in a table, so that plans contain no constants.
QUERIES = (
    "SELECT cog_metadata(href) FROM hrefs",
    "SELECT (try_cog_metadata(href)).error FROM hrefs",
    f"SELECT cog_value(href, NULL, {GEOMETRY}) FROM hrefs",
    "SELECT cog_value(href, NULL, 'POINT(500015 4599985)', {geometry_crs: 'native', on_error: 'null'}) FROM hrefs",
    "SELECT cog_read(href, NULL, NULL) FROM hrefs",
    "SELECT cog_zonal_stats(href, cog_metadata(href), cog_footprint(cog_metadata(href))) FROM hrefs",
    "SELECT cog_metadata('RAW')",
    "FROM cog_info('RAW')",
    "FROM cog_tiles('RAW')",
    "FROM cog_ifds('RAW')",
    "FROM cog_pixels('RAW', NULL)",
    "FROM read_stac('RAW')",
    "FROM stac_search('RAW')",
    "FROM rasteret_enrich('RAW')",
    "FROM rasteret_validate('RAW')",
    "FROM rasteret_refresh('RAW')",
    "FROM rasteret_enrich('RECORDS', bands := ['a'], href_column := 'href', url_rewrite := MAP {'REWRITTEN/': 'RAW?'})",
)


class Search:
    """A connection, with counts of searched texts and errors."""

    def __init__(self, extension: Path) -> None:
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 4})
        self.connection.execute(f"LOAD '{extension}'")
        self.searched = self.errors = 0

    def look(self, what: str, text: str) -> None:
        self.searched += 1
        if WORD.lower() in text.lower() or KEY in text:
            sys.exit(f"a secret is in {what}: {text[:2000]}")

    def run(self, sql: str, href: str, what: str) -> None:
        """Runs a query and searches its rows or its error for secrets. The href itself, as a value of a column, is permitted."""
        try:
            rows = self.connection.execute(sql).fetchall()
        except duckdb.Error as error:
            self.errors += 1
            # DuckDB appends the line of the statement, which contains the href.
            text = str(error).split("\nLINE ")[0]
            self.look(f"the error of {what}", text)
            return
        self.look(f"the rows of {what}", repr([value for row in rows for value in row if value != href]))


def tables(search: Search) -> None:
    """Searches settings and statistics."""
    settings = "SELECT * FROM duckdb_settings() WHERE name LIKE 'rasteret%'"
    for sql in (
        settings,
        "FROM rasteret_stats()",
        "FROM rasteret_functions()",
        "SELECT function_name FROM duckdb_functions()",
    ):
        search.look(sql, repr(search.connection.execute(sql).fetchall()))


def locations(search: Search, url: str, folder: Path) -> None:
    """Runs every function with all forms of a location and all kinds of responses."""
    records = folder / "records.parquet"
    search.connection.execute(f"COPY (SELECT 'REWRITTEN/x.tif' AS href) TO '{records}'")
    host = url.removeprefix("http://")
    for location in LOCATIONS:
        for status in STATUSES if "STATUS" in location else ("",):
            href = location.replace("URL", url).replace("HOST", host).replace("STATUS", status)
            search.connection.execute("CREATE OR REPLACE TABLE hrefs AS SELECT ? AS href", [href])
            for query in QUERIES:
                sql = query.replace("RECORDS", str(records)).replace("RAW", href)
                search.run(sql, href, f"{query} of {location} with {status}")
                if "hrefs" in query:
                    plan = search.connection.execute(f"EXPLAIN {sql}").fetchall()
                    search.look(f"the plan of {query}", repr(plan))


def files(search: Search, url: str, folder: Path) -> None:
    """Searches Parquet files of indexes that were built with secrets, including failed rows."""
    records = folder / "many.parquet"
    paths = ("at/1/cog.tif", "status/403/cog.tif", "missing.tif", "not_a_tiff.tif")
    rows = ", ".join(f"('REWRITTEN/{path}')" for path in paths)
    search.connection.execute(f"COPY (SELECT * FROM (VALUES {rows}) t(href)) TO '{records}'")
    signed = url.replace("://", f"://user:{WORD}@")
    enrich = f"rasteret_enrich('{records}', bands := ['a'], href_column := 'href', url_rewrite := MAP {{'REWRITTEN/': '{signed}/'}})"
    for name, query in (
        ("index", f"FROM {enrich}"),
        ("checked", f"FROM rasteret_validate('{folder}/index.parquet', headers := true, href_column := 'href')"),
        ("fresh", f"FROM rasteret_refresh('{folder}/index.parquet', href_column := 'href')"),
        ("described", f"SELECT * EXCLUDE filename FROM cog_info('{signed}/cog.tif')"),
        ("failed", f"SELECT (try_cog_metadata('{signed}/missing.tif')).error AS error"),
        ("stats", "FROM rasteret_stats()"),
    ):
        path = folder / f"{name}.parquet"
        try:
            search.connection.execute(f"COPY ({query}) TO '{path}' (COMPRESSION uncompressed)")
        except duckdb.Error as error:
            search.look(f"the error of {name}", str(error).split("\nLINE ")[0])
            if name == "index":
                raise
            continue
        search.look(f"{name}.parquet", path.read_bytes().decode("latin-1"))
    plan = search.connection.execute(
        f"EXPLAIN ANALYZE FROM rasteret_refresh('{folder}/index.parquet', href_column := 'href')"
    )
    search.look("an analyzed plan", repr(plan.fetchall()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    has_settings = tuple(map(int, duckdb.__version__.split("."))) >= (1, 5, 2)
    with servers.http_server(DATA) as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {**ENVIRONMENT, "AWS_ENDPOINT_URL": url, "AZURE_STORAGE_ENDPOINT": url}
        search = Search(extension)
        os.environ["AZURE_STORAGE_ACCOUNT_KEY"] = KEY
        with_key = Search(extension)
        for each in (search, with_key):
            for file_system in ("native", "duckdb") if has_settings else ("native",):
                if has_settings:
                    each.connection.execute("SET autoinstall_known_extensions = false")
                    each.connection.execute(f"SET rasteret_file_system = '{file_system}'")
                locations(each, url, Path(folder))
                tables(each)
            if has_settings:
                each.connection.execute("SET rasteret_file_system = 'native'")
            files(each, url, Path(folder))
            tables(each)
    print(
        f"DuckDB {duckdb.__version__}: no secrets in {search.searched + with_key.searched} texts, {search.errors + with_key.errors} of them errors"
    )


if __name__ == "__main__":
    main()
