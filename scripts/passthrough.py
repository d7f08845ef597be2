#!/usr/bin/env python3
"""Compares rasteret_enrich with read_parquet: all columns of the source must keep their name, position, type and values.

    passthrough.py --extension FILE PARQUET...

The assets of the files are on the web; here all origins are rewritten to a local server that returns the same COG for every
request, so that no network access is needed. A GEOMETRY is compared as WKB with the contents of the file, because
a type of the C API cannot have a CRS, and read_parquet rejects some GeoParquet metadata. The server responds with 404 to the first of
several TIFFs, to include an error.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import duckdb
import servers

DATA = servers.ROOT / "test" / "data"
HREF = re.compile(r"(?:https?|s3)://[^/'\"]+/[^'\", }]*")
ORIGIN = re.compile(r"\w+://[^/]+/")


class Differs(Exception):
    """A column differs from the source, or a row has neither headers nor an error."""


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def described(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str]]:
    """Returns the names and types of the columns."""
    return [(name, data_type) for name, data_type, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()]


def rows(
    connection: duckdb.DuckDBPyConnection, source: str, columns: list[tuple[str, str]]
) -> list[tuple[str | None, ...]]:
    """Returns the columns as text."""
    return connection.execute(f"SELECT {', '.join(as_text(*column) for column in columns)} FROM {source}").fetchall()


def as_text(name: str, data_type: str) -> str:
    """Returns the expression that converts a column to text."""
    identifier = '"' + name.replace('"', '""') + '"'
    return f"ST_AsWKB({identifier})::BLOB::VARCHAR" if data_type == "GEOMETRY" else f"{identifier}::VARCHAR"


def rewrites(connection: duckdb.DuckDBPyConnection, file: Path, server: str) -> str:
    """Returns a MAP that rewrites every origin of the assets to the server's COG, and the first of several TIFFs to a missing file."""
    texts = connection.execute(f"SELECT assets::VARCHAR FROM read_parquet({quoted(file)})").fetchall()
    hrefs = [href for (text,) in texts if text for href in HREF.findall(text)]
    targets = {ORIGIN.match(href)[0]: f"{server}/as/cog.tif/" for href in hrefs}
    if len(tiffs := list(dict.fromkeys(href for href in hrefs if href.lower().endswith((".tif", ".tiff"))))) > 1:
        targets[tiffs[0]] = f"{server}/status/404/"
    return "MAP {" + ", ".join(f"'{prefix}': '{target}'" for prefix, target in targets.items()) + "}"


def compare(connection: duckdb.DuckDBPyConnection, file: Path, server: str) -> str:
    """Compares one file and returns a summary."""
    source = f"read_parquet({quoted(file)})"
    enriched = (
        f"rasteret_enrich({quoted(file)}, url_rewrite := {rewrites(connection, file, server)}, on_error := 'null')"
    )
    expected, found = described(connection, source), described(connection, enriched)
    kept, added = found[: len(expected)], found[len(expected) :]
    for (name, want), (has_name, have) in zip(expected, kept):
        if name != has_name or have != want and (have, want) != ("GEOMETRY", "BLOB"):
            raise Differs(f"expected column {name} {want}, found {has_name} {have}")
    before, after = rows(connection, source, expected), rows(connection, enriched, kept)
    if len(before) != len(after):
        raise Differs(f"expected {len(before)} rows, found {len(after)}")
    for number, (want, have) in enumerate(zip(before, after)):
        for (name, _), left, right in zip(expected, want, have):
            if left != right:
                raise Differs(f"row {number}, column {name}: expected {left!r}, found {right!r}")
    bands = [column for column in added if column[0].endswith("_metadata")]
    if not bands:
        raise Differs("expected at least one band's metadata")
    read = sum(value is not None for row in rows(connection, enriched, bands) for value in row)
    errors = sum(error is not None for (error,) in rows(connection, enriched, [("rasteret_error", "VARCHAR")]))
    if not read:
        raise Differs("expected at least one header")
    return f"{len(before)} rows, {len(expected)} columns equal to those of read_parquet; {len(bands)} bands, {read} headers, {errors} rows with errors"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD {quoted(args.extension.resolve())}")
    connection.execute("SET enable_geoparquet_conversion = false")
    failed = 0
    with servers.http_server(DATA) as server:
        for file in args.files:
            try:
                print(f"{file.name}: {compare(connection, file, server)}")
            except (Differs, duckdb.Error) as error:
                failed += 1
                print(f"FAILED {file.name}: {error}")
    print(f"{len(args.files) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
