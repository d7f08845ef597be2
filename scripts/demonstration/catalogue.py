"""Writes STAC GeoParquet with one year of scenes per area, and the table of fields."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from rasterio.warp import transform

from . import scenes

ASSET = 'STRUCT(href VARCHAR, type VARCHAR, "raster:bands" STRUCT(scale DOUBLE, "offset" DOUBLE)[])'
CORNERS = 24


def write_items(path: Path, url: str) -> int:
    """Writes the items, with assets below `url`, and returns their number."""
    connection = duckdb.connect()
    assets = ", ".join(f"{band} {ASSET}" for band in scenes.BANDS)
    connection.execute(
        f'CREATE TABLE items (id VARCHAR, datetime TIMESTAMP, "proj:epsg" INTEGER, "eo:cloud_cover" DOUBLE, assets STRUCT({assets}))'
    )
    rows = [item(area, month, url) for area in scenes.AREAS for month in scenes.MONTHS]
    connection.executemany("INSERT INTO items VALUES ($1, make_timestamp(2024, $2, 15, 10, 30, 0.0), $3, $4, $5)", rows)
    connection.execute(f"COPY (FROM items ORDER BY id) TO '{path}' (FORMAT parquet)")
    return len(rows)


def item(area: scenes.Area, month: int, url: str) -> list:
    """Returns the values of an item. The prefix /at/ID/ of the server gives each scene its own URLs, also where scenes share files."""
    name = f"S2A_{area.name}_2024{month:02d}15"
    reflectance = [{"scale": scenes.SCALE, "offset": scenes.OFFSET}]
    assets = {
        band: {
            "href": f"{url}/at/{name}/{area.file(month, band)}",
            "type": "image/tiff; application=geotiff",
            "raster:bands": None if band == "SCL" else reflectance,
        }
        for band in scenes.BANDS
    }
    return [name, month, area.epsg, round(100 * float(scenes.clouds(area, area.month(month)).mean()), 1), assets]


def outlines() -> dict[str, list[tuple[float, float]]]:
    """Returns the outline of each field, in the CRS of its scenes."""
    (area,) = (area for area in scenes.AREAS if area.has_fields)
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    rings = {}
    for name, (col, row, radius, _) in scenes.FIELDS.items():
        x = area.west + (col + 0.5 + radius * np.cos(angles)) * scenes.RESOLUTION
        y = area.north - (row + 0.5 - radius * np.sin(angles)) * scenes.RESOLUTION
        corners = list(zip(x.tolist(), y.tolist(), strict=True))
        rings[name] = [*corners, corners[0]]
    return rings


def write_fields(path: Path) -> None:
    """Writes the outlines as WKT and their bounding boxes, in longitude and latitude."""
    (area,) = (area for area in scenes.AREAS if area.has_fields)
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE fields (field VARCHAR, plot VARCHAR, xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)"
    )
    for name, ring in outlines().items():
        x, y = transform(f"EPSG:{area.epsg}", "OGC:CRS84", *zip(*ring, strict=True))
        plot = "POLYGON ((" + ", ".join(f"{lon!r} {lat!r}" for lon, lat in zip(x, y, strict=True)) + "))"
        connection.execute(
            "INSERT INTO fields VALUES ($1, $2, $3, $4, $5, $6)", [name, plot, min(x), min(y), max(x), max(y)]
        )
    connection.execute(f"COPY fields TO '{path}' (FORMAT parquet)")
