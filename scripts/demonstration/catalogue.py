"""Writes STAC GeoParquet with one year of scenes per area, using only DuckDB."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb

from .scenes import AREAS, BANDS

MONTHS = 12


def write(path: Path, url: str) -> int:
    """Writes the items, with assets below `url`, and returns their number."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE areas (name VARCHAR, epsg INTEGER)")
    connection.executemany("INSERT INTO areas VALUES (?, ?)", [(area.name, area.epsg) for area in AREAS])
    # The prefix /at/<scene>/ gives each scene its own URL; all scenes of an area share one file.
    assets = ", ".join(
        f"{band}: {{href: '{url}/at/' || id || '/' || name || '_{band}.tif', type: 'image/tiff; application=geotiff'}}"
        for band in BANDS
    )
    query = f"""
        SELECT id, datetime, "proj:epsg", "eo:cloud_cover", {{{assets}}} AS assets
        FROM (
            SELECT
                name, epsg AS "proj:epsg",
                'S2A_' || name || '_' || strftime(datetime, '%Y%m%d') AS id,
                datetime,
                round(hash(name || datetime::VARCHAR)::DOUBLE / {math.ldexp(1, 64)} * 100, 1) AS "eo:cloud_cover"
            FROM areas, (
                SELECT TIMESTAMP '2023-07-05 10:30:00' + to_months(month::INTEGER) AS datetime
                FROM range({MONTHS}) months(month)
            )
        )
        ORDER BY id
    """
    connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    (rows,) = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchall()[0]
    return rows
