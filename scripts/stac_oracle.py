#!/usr/bin/env python3
"""Compares read_stac with the STAC oracle of the corpus: items, assets, bands, dates and boxes of every file.

    stac_oracle.py --extension FILE STAC_DIRECTORY

STAC_DIRECTORY contains files/ and oracle.jsonl, created only with json and pyarrow. Targets of relative hrefs, which are not part of
the oracle, are computed from the files. All files are also read in a single call, which unifies their schemas.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import posixpath
import re
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import duckdb

# Names in the oracle that differ from those of STAC 1.1's bands.
BAND_NAMES = {"common_name": "eo:common_name", "scale": "raster:scale", "offset": "raster:offset"}
BAND_NAMES["spatial_resolution"] = "raster:spatial_resolution"
GEOMETRY_TYPES = dict(enumerate(["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"], 1))


class Differs(Exception):
    """A value differs from the oracle."""


def check(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Differs(f"{what}: expected {expected!r}, found {found!r}")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def resolved(href: str, base: str) -> str:
    """Resolves an href relative to its item."""
    if "://" in href or href.startswith("/"):
        return href
    if "://" in base:
        return urllib.parse.urljoin(base, href)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), href))


def instant(text: str) -> datetime.datetime:
    """Returns a date or date-time in UTC, without its zone."""
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed.astimezone(datetime.timezone.utc).replace(tzinfo=None) if parsed.tzinfo else parsed


def box(numbers: list[float] | None) -> dict[str, float] | None:
    if numbers is None:
        return None
    half = len(numbers) // 2
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), [*numbers[:2], *numbers[half : half + 2]]))


def own_links(path: Path) -> list[str | None]:
    """Returns the `self` link of each item of a JSON file."""
    text = path.read_text(encoding="utf-8")
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        parsed = [json.loads(line) for line in text.splitlines() if line.strip()]
    items = parsed if isinstance(parsed, list) else parsed.get("features", [parsed])
    return [
        next((link["href"] for link in item.get("links", []) if link["rel"] == "self" and "://" in link["href"]), None)
        for item in items
    ]


def plain(key: str, keys: set[str]) -> str:
    """Returns the key of an asset. If two keys differ only in letter case, the field of the second one has a numeric suffix."""
    stem = re.sub(r"_\d+$", "", key)
    return stem if stem != key and stem.lower() in keys else key


def check_bands(expected: dict[str, Any], bands: list[dict[str, Any]] | None) -> None:
    check("bands", len(bands or []), expected["n_bands"])
    for number, (want, band) in enumerate(zip(expected["bands"], bands or [])):
        for name, value in want.items():
            have = band.get(BAND_NAMES.get(name, name), band.get(name))
            # The oracle contains either the prefixed or the plain name; read_stac returns the prefixed one.
            if name == "nodata" and isinstance(value, str):
                value, have = str(float(value)), str(have)
            check(f"band {number}, {name}", have, value)


def check_asset(expected: dict[str, Any], asset: dict[str, Any], row: dict[str, Any], base: str) -> None:
    check("href", asset["href"], resolved(expected["href"], base))
    check("type", asset["type"], expected["type"])
    check("roles", asset["roles"], expected["roles"])
    for name in ("proj:code", "proj:transform", "proj:shape", "proj:bbox", "gsd"):
        own = asset.get(name)
        check(name, own if own is not None else row.get(name), expected.get(name))
    codes = [asset.get("proj:epsg"), asset.get("proj:code"), row.get("proj:epsg")]
    code = next((code for code in codes if code is not None), None)
    # The oracle treats assets separately; the code of a record may be derived from all of them.
    if "proj:epsg" in expected or expected["is_tiff"]:
        found = int(code.removeprefix("EPSG:")) if isinstance(code, str) else code
        check("proj:epsg", found, expected.get("proj:epsg"))
    check_bands(expected, asset.get("bands"))


def check_item(expected: dict[str, Any], row: dict[str, Any], base: str) -> int:
    """Compares one item and returns its number of assets."""
    for name in ("id", "collection", "stac_version"):
        check(name, row[name], expected[name])
    for name in ("datetime", "start_datetime", "end_datetime"):
        check(name, row.get(name), instant(expected[name]) if expected[name] else None)
    if expected["bbox"] is not None:
        check("bbox", row["bbox"], box(expected["bbox"]))
    wkb = row["geometry"]
    check("geometry", GEOMETRY_TYPES[wkb[1] if wkb[0] else wkb[4]] if wkb else None, expected["geometry_type"])
    keys = {key.lower() for key in row["assets"] or {}}
    assets = {plain(key, keys): asset for key, asset in (row["assets"] or {}).items() if asset is not None}
    check("assets", sorted(assets), sorted(expected["assets"]))
    for key, asset in assets.items():
        try:
            check_asset(expected["assets"][key], asset, row, base)
        except Differs as difference:
            raise Differs(f"asset {key}: {difference}") from None
    return len(assets)


def rows(connection: duckdb.DuckDBPyConnection, paths: str) -> list[dict[str, Any]]:
    """Returns all columns of all items, with the geometry as WKB."""
    cursor = connection.execute(f"SELECT * REPLACE (ST_AsWKB(geometry)::BLOB AS geometry) FROM read_stac({paths})")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def compare(found: list[dict[str, Any]], expected: dict[str, Any], path: Path) -> str:
    """Compares the items of one file and returns a summary."""
    check("items", len(found), expected["n_items"])
    if expected["kind"] == "parquet":
        check("first and last id", [found[0]["id"], found[-1]["id"]], [expected["first_id"], expected["last_id"]])
        members = {"type", "proj:epsg"}
        if missing := [name for name in expected["columns"] if name not in found[0] and name not in members]:
            raise Differs(f"columns: {', '.join(missing)} are missing")
        return f"{len(found)} items, {len(expected['columns'])} columns"
    assets = 0
    bases = own_links(path) if expected["n_items"] else []
    for row, item, own in zip(found, expected.get("items", []), bases):
        try:
            assets += check_item(item, row, own or str(path))
        except Differs as difference:
            raise Differs(f"item {item['id']}: {difference}") from None
    return f"{len(found)} items, {assets} assets"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, required=True)
    parser.add_argument("directory", type=Path)
    args = parser.parse_args()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD {quoted(os.fspath(args.extension.resolve()))}")
    oracle = [json.loads(line) for line in (args.directory / "oracle.jsonl").read_text().splitlines()]
    passed = failed = 0

    def report(name: str, line: str | None, difference: Exception | None = None) -> None:
        nonlocal passed, failed
        passed, failed = (passed + 1, failed) if difference is None else (passed, failed + 1)
        print(f"{name}: {line}" if difference is None else f"FAILED {name}: {difference}")

    paths = [args.directory / expected["file"] for expected in oracle]
    for path, expected in zip(paths, oracle):
        try:
            report(path.name, compare(rows(connection, quoted(str(path))), expected, path))
        except (Differs, duckdb.Error) as error:
            report(path.name, None, error)
    # A single call must return the same items, in the order of the files.
    try:
        found = iter(rows(connection, "[" + ", ".join(quoted(str(path)) for path in paths) + "]"))
        for path, expected in zip(paths, oracle):
            mine = [next(found) for _ in range(expected["n_items"])]
            try:
                compare(mine, expected, path)
            except Differs as difference:
                raise Differs(f"{path.name}: {difference}") from None
        report("all files in one call", f"{sum(expected['n_items'] for expected in oracle)} items")
    except (Differs, duckdb.Error, StopIteration) as error:
        report("all files in one call", None, error)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
