"""Runs the demo: prints each SQL statement, followed by its result, requests and duration."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

import duckdb
import servers

from . import catalogue, peer, scenes

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
# Printed statements contain paths relative to the root of the repository, so that they can be copied.
WORK = Path("build") / "demo"
ARCHIVE, COLLECTION, PICTURE = WORK / "archive", WORK / "collection", WORK / "preview.png"
LATENCY_MS = 20
TABLE_WIDTH = 140
# NDVI may differ from the generated one by the noise and rounding of the scenes.
TOLERANCE = 0.005

COLLECT = f"""
COPY (
    FROM rasteret_enrich('{WORK}/items.parquet', bands := ['B04', 'B08', 'SCL'], stac_scale := true)
) TO '{COLLECTION}' (FORMAT parquet, PARTITION_BY (year, month))"""

VIEW = f"""
CREATE VIEW scenes AS
FROM read_parquet('{COLLECTION}/**/*.parquet', hive_partitioning := true)"""

FIRST_SCENES = """
SELECT id, "eo:cloud_cover" AS cloud, crs, B04_metadata.image_width AS width, len(B04_metadata.tile_offsets) AS tiles, rasteret_error
FROM scenes
ORDER BY datetime, id
LIMIT 4"""

FIELDS = f"CREATE TABLE fields AS FROM '{WORK}/fields.parquet'"

PLAN = """
SELECT count(*) AS files, sum(len(ranges)) AS requests, round(sum(list_sum([r.range_length FOR r IN ranges])) / 1e6, 2) AS megabytes,
    round(sum(file_size) / 1e6, 2) AS megabytes_of_whole_files
FROM (
    SELECT any_value(metadata.file_size) AS file_size, cog_byte_ranges(flatten(list(cog_tiles_for_geometry(metadata, plot)))) AS ranges
    FROM (SELECT id, bbox, unnest(['B04', 'B08', 'SCL']) AS band, unnest([B04_metadata, B08_metadata, SCL_metadata]) AS metadata FROM scenes) AS file
    JOIN fields ON fields.xmax >= file.bbox.xmin AND fields.xmin <= file.bbox.xmax
        AND fields.ymax >= file.bbox.ymin AND fields.ymin <= file.bbox.ymax
    GROUP BY id, band
)"""

NDVI = """
CREATE TABLE series AS
SELECT field, month, round((nir.mean - red.mean) / (nir.mean + red.mean), 3) AS ndvi, round(red.count, 1) AS pixels
FROM (
    -- with a list of sources, one call reads all scenes of a field, and the files of all fields are requested together
    SELECT field, unnest(list(month ORDER BY month)) AS month,
        unnest(cog_zonal_stats(list({href: assets.B04.href, metadata: B04_metadata, mask: clear} ORDER BY month), any_value(plot), {scaled: true})) AS red,
        unnest(cog_zonal_stats(list({href: assets.B08.href, metadata: B08_metadata, mask: clear} ORDER BY month), any_value(plot), {scaled: true})) AS nir
    FROM fields JOIN (SELECT *, {href: assets.SCL.href, metadata: SCL_metadata, keep: [4, 5]} AS clear FROM scenes) AS scene
        ON fields.xmax >= scene.bbox.xmin AND fields.xmin <= scene.bbox.xmax
        AND fields.ymax >= scene.bbox.ymin AND fields.ymin <= scene.bbox.ymax
    GROUP BY field
)
WHERE red.count > 0"""

TABLE = """
SELECT * FROM (PIVOT series ON month IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) USING any_value(ndvi) GROUP BY field)
ORDER BY field"""

PREVIEW = """
SELECT cog_preview(assets.B08.href, B08_metadata, {size: 512, scaled: true, range: [0.15, 0.35], colormap: 'viridis',
    mask: {href: assets.SCL.href, metadata: SCL_metadata, keep: [4, 5]}})
FROM scenes
WHERE id = 'S2A_31TDF_20240615'"""


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


class Walk:
    """A DuckDB connection whose statements are printed and whose requests are counted."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})

    def run(self, sql: str) -> str:
        """Runs a statement; prints it with its rows, and returns its requests and duration."""
        self._begin(sql)
        started = time.monotonic()
        result = self.connection.sql(sql)
        if result is not None:
            result.show(max_width=TABLE_WIDTH, max_rows=40)
        return self.report(time.monotonic() - started)

    def write(self, path: Path, sql: str) -> None:
        """Runs a query of one BLOB, prints it, and writes the result to a file."""
        self._begin(sql)
        started = time.monotonic()
        ((blob,),) = self.connection.sql(sql).fetchall()
        path.write_bytes(blob)
        print(f"  {len(blob) / 1000:.0f} kB in {path}")
        self.report(time.monotonic() - started)

    def report(self, seconds: float) -> str:
        """Prints the duration of a step, and its requests since the server's counters were reset."""
        count = servers.stats(self._url)
        requests = "no request" if not count["requests"] else (
            f"{count['requests']} requests to {count['urls']} URLs, {count['bytes'] / 1e6:.2f} MB, "
            f"up to {count['peak_in_flight']} at a time"
        )  # fmt: skip
        print(f"  -> {seconds:.2f} s, {requests}", flush=True)
        return f"{seconds:.2f} s, {requests}"

    def _begin(self, sql: str) -> None:
        print("\n" + "\n".join(f"  {line}" for line in sql.strip().splitlines()) + "\n", flush=True)
        servers.reset(self._url)


def build_index(walk: Walk, extension: str) -> str:
    heading(
        "2. Build the index: read each header with one request, and store it in Parquet. Scale and offset are those of the items"
    )
    walk.run(f"LOAD '{extension}'")
    cost = walk.run(COLLECT)
    walk.run(VIEW)
    walk.run(FIRST_SCENES)
    return cost


def compute_ndvi(walk: Walk) -> str:
    heading("3. Plan: requests and bytes for six fields in twelve scenes, from the index; no file is opened")
    walk.run(FIELDS)
    walk.run(PLAN)
    heading(
        "4. NDVI per field and month without clouds: the classification of 20 m masks the bands of 10 m; NULL is a field under clouds"
    )
    cost = walk.run(NDVI)
    walk.run(TABLE)
    return cost


def run_rasterio(walk: Walk, url: str) -> tuple[str, dict[tuple[str, int], float]]:
    heading("6. The same fields and scenes with rasterio, one thread per scene")
    hrefs = walk.connection.execute(
        "SELECT month, assets.B04.href, assets.B08.href, assets.SCL.href FROM scenes WHERE id LIKE 'S2A_31TDF_%' ORDER BY month"
    ).fetchall()
    servers.reset(url)
    started = time.monotonic()
    found = peer.ndvi(hrefs, catalogue.outlines())
    return walk.report(time.monotonic() - started), found


def faults(series: list[tuple[str, int, float]], other: dict[tuple[str, int], float]) -> list[str]:
    """Returns values that differ from the generated NDVI or from rasterio, and fields with a value in one of both only."""
    found = {(field, month): ndvi for field, month, ndvi in series}
    texts = [f"{field}, month {month}: in one result only" for field, month in sorted(found.keys() ^ other.keys())]
    for (field, month), ndvi in found.items():
        expected = scenes.greenness(month, scenes.FIELDS[field][3])
        for name, value in {"generated": expected, "rasterio": other.get((field, month), ndvi)}.items():
            if not abs(ndvi - value) <= TOLERANCE:
                texts.append(f"{field}, month {month}: NDVI {ndvi}, {name} {value:.3f}")
    return texts or ([] if found else ["no NDVI"])


def close(index: str, ours: str, theirs: str, values: int, url: str) -> None:
    heading(f"{values} values of NDVI, which agree with rasterio and with the generated NDVI to {TOLERANCE}")
    print(
        f"  index, once for all queries   {index}\n  NDVI from the index           {ours}\n  rasterio                      {theirs}"
    )
    size = sum(file.stat().st_size for file in WORK.rglob("*") if file.is_file())
    port = url.rpartition(":")[2]
    print(
        f"\nWritten: the index {COLLECTION}, the picture {PICTURE}. {WORK} takes {size / 1e6:.0f} MB; `make clean` removes it with "
        f"all of build/, which has several GB after `make test`.\nThe URLs of the index are those of the server, which has stopped. To query it further, start it again:\n"
        f"  python3 test/server.py --root {ARCHIVE} --port {port} --latency-ms {LATENCY_MS}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    extension = os.path.relpath(parser.parse_args().extension.resolve(), ROOT)
    os.chdir(ROOT)
    shutil.rmtree(COLLECTION, ignore_errors=True)
    files = scenes.make(ARCHIVE)
    size = sum(file.stat().st_size for file in files)
    heading(
        f"1. {len(files)} COGs of generated scenes, {size / 1e6:.0f} MB, served over HTTP with a latency of {LATENCY_MS} ms"
    )
    with servers.http_server(ARCHIVE, LATENCY_MS) as url:
        rows = catalogue.write_items(WORK / "items.parquet", url)
        catalogue.write_fields(WORK / "fields.parquet")
        print(f"   {WORK}/items.parquet lists {rows} scenes of 3 bands: {rows * 3} URLs below {url}")
        walk = Walk(url)
        index = build_index(walk, extension)
        ours = compute_ndvi(walk)
        heading("5. A picture: the overview with sufficient resolution; clouds are transparent")
        walk.write(PICTURE, PREVIEW)
        theirs, other = run_rasterio(walk, url)
        series = walk.connection.execute("SELECT field, month, ndvi FROM series ORDER BY ALL").fetchall()
    if found := faults(series, other):
        print("\n".join(found))
        return 1
    close(index, ours, theirs, len(series), url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
