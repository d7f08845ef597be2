"""Runs the demo: prints each SQL statement, followed by its result, requests and duration."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import duckdb
import servers

from . import catalogue, scenes

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
WORK = ROOT / "build" / "demo"
LATENCY_MS = 20
TABLE_WIDTH = 140


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


class Walk:
    """A DuckDB connection whose statements are printed and whose requests are counted."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})

    def run(self, sql: str) -> None:
        """Runs a statement; prints it with its rows, requests and duration."""
        print("\n" + "\n".join(f"  {line}" for line in sql.strip().splitlines()) + "\n", flush=True)
        servers.reset(self._url)
        started = time.monotonic()
        result = self._connection.sql(sql)
        rows = result is not None
        if rows:
            result.show(max_width=TABLE_WIDTH, max_rows=40)
        self._report(time.monotonic() - started)

    def write(self, path: Path, sql: str) -> None:
        """Runs a query of one BLOB, prints it, and writes the result to a file."""
        print("\n" + "\n".join(f"  {line}" for line in sql.strip().splitlines()) + "\n", flush=True)
        servers.reset(self._url)
        started = time.monotonic()
        ((blob,),) = self._connection.sql(sql).fetchall()
        path.write_bytes(blob)
        print(f"  {len(blob) / 1000:.0f} kB in {path.relative_to(ROOT)}")
        self._report(time.monotonic() - started)

    def _report(self, seconds: float) -> None:
        count = servers.stats(self._url)
        requests = "no request" if not count["requests"] else (
            f"{count['requests']} requests to {count['urls']} URLs, {count['bytes'] / 1e6:.1f} MB, "
            f"up to {count['peak_in_flight']} at a time"
        )  # fmt: skip
        print(f"  -> {seconds:.2f} s, {requests}", flush=True)


def main() -> int:
    # Printed statements contain paths relative to this folder, so that they can be copied.
    os.chdir(ROOT)
    collection, items = WORK / "collection", WORK / "items.parquet"
    shutil.rmtree(collection, ignore_errors=True)
    files = scenes.make(WORK / "scenes")
    size = sum(file.stat().st_size for file in files)
    heading(f"1. {len(files)} real COGs, {size / 1e6:.0f} MB, served over HTTP with a latency of {LATENCY_MS} ms")
    with servers.http_server(WORK / "scenes", LATENCY_MS) as url:
        rows = catalogue.write(items, url)
        print(
            f"   {items.relative_to(ROOT)} lists {rows} scenes of {len(scenes.BANDS)} bands: {rows * len(scenes.BANDS)} URLs below {url}"
        )
        walk = Walk(url)

        heading("2. Build the index: read each header with one request, and store it in Parquet")
        walk.run(f"LOAD '{EXTENSION.relative_to(ROOT)}'")
        walk.run(
            f"""
COPY (
    FROM rasteret_enrich('{items.relative_to(ROOT)}', bands := ['B04', 'B08'])
) TO '{collection.relative_to(ROOT)}' (FORMAT parquet, PARTITION_BY (year, month))"""
        )

        heading("3. Query the index: no COG is opened")
        walk.run(
            f"""
CREATE VIEW scenes AS
FROM read_parquet('{collection.relative_to(ROOT)}/**/*.parquet', hive_partitioning := true)"""
        )
        walk.run(
            """
SELECT id, datetime, "eo:cloud_cover" AS cloud, crs, year, month, rasteret_error
FROM scenes
ORDER BY datetime, id
LIMIT 6"""
        )
        heading("4. Metadata of one band of one scene")
        walk.run(
            """
UNPIVOT (
    SELECT left(COLUMNS(*)::VARCHAR, 90)
    FROM (SELECT unnest(B04_metadata) FROM scenes ORDER BY id LIMIT 1)
) ON COLUMNS(*) INTO NAME field VALUE value"""
        )
        heading("5. Tiles per area: bytes to fetch for a complete read")
        walk.run(
            """
SELECT
    split_part(id, '_', 2) AS area,
    count(*) AS scenes,
    any_value(B04_metadata.image_width) AS width,
    any_value(len(B04_metadata.tile_offsets)) AS tiles_per_scene,
    any_value(len(B04_metadata.overviews)) AS overviews,
    round(sum(list_sum(B04_metadata.tile_byte_counts) + list_sum(B08_metadata.tile_byte_counts)) / 1e6, 1) AS megabytes
FROM scenes
GROUP BY ALL
ORDER BY area"""
        )
        heading("6. Statistics per field and date: only tiles that intersect the fields are requested")
        walk.run(
            """
CREATE TABLE fields AS
FROM (VALUES ('meadow', 410000, 4590000, 300), ('orchard', 404000, 4594500, 500), ('vineyard', 408500, 4592000, 400)) AS t(field, x, y, radius)
SELECT field, {xmin: x - radius, ymin: y - radius, xmax: x + radius, ymax: y + radius} AS box"""
        )
        walk.run(
            """
SELECT field, count(*) AS dates, round(avg((nir.mean - red.mean) / (nir.mean + red.mean)), 3) AS ndvi, round(any_value(red.count)) AS pixels
FROM (
    SELECT field,
        cog_zonal_stats(assets.B04.href, B04_metadata, box, {geometry_crs: 'EPSG:32631'}) AS red,
        cog_zonal_stats(assets.B08.href, B08_metadata, box, {geometry_crs: 'EPSG:32631'}) AS nir
    FROM fields, scenes
    WHERE id LIKE 'S2A_31TDF_%'
)
GROUP BY field
ORDER BY field"""
        )
        heading("7. A preview: one request reads the overview with sufficient resolution")
        picture = WORK / "preview.png"
        walk.write(
            picture,
            """
SELECT cog_preview(assets.B08.href, B08_metadata, {size: 512, range: [300, 4000], colormap: 'viridis'})
FROM scenes
WHERE id = 'S2A_31TDF_20230705'""",
        )
    print(f"\nWritten: the collection to {collection.relative_to(ROOT)}, the preview to {picture.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
