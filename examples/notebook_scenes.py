"""The scenes and fields of notebook.ipynb: those of ndvi.py, with a scene classification that marks clouds."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ndvi
import numpy as np
import rasterio
import rasterio.warp

# Classes of Sentinel-2's scene classification.
VEGETATION, SOIL, CLOUD = 4, 5, 9
CLOUD_REFLECTANCE = 0.45


def write_collection(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Writes the scenes, `items.parquet` and `fields.parquet`."""
    rows = []
    for month in ndvi.MONTHS:
        paths = ndvi.write_scene(folder, month)
        clouds = cloudy(month)
        cover(paths.values(), clouds)
        paths["SCL"] = write_classes(folder / f"{month:02d}_SCL.tif", paths["B04"], clouds)
        scaling = [{"scale": ndvi.SCALE, "offset": ndvi.OFFSET}]
        assets = {
            band: {"href": str(path), "raster:bands": None if band == "SCL" else scaling}
            for band, path in paths.items()
        }
        rows.append([f"scene {month:02d}", month, round(100 * float(clouds.mean()), 1), assets])
    asset = 'STRUCT(href VARCHAR, "raster:bands" STRUCT(scale DOUBLE, "offset" DOUBLE)[])'
    database.execute(
        'CREATE TEMP TABLE items (id VARCHAR, datetime TIMESTAMP, "eo:cloud_cover" DOUBLE, '
        f"assets STRUCT(B04 {asset}, B08 {asset}, SCL {asset}))"
    )
    database.executemany("INSERT INTO items VALUES ($1, make_timestamp(2024, $2, 15, 10, 30, 0.0), $3, $4)", rows)
    database.execute(f"COPY items TO '{folder}/items.parquet'; DROP TABLE items")
    write_fields(database, folder)


def cloudy(month: int) -> np.ndarray:
    """The pixels under clouds: three discs, at other places each month; all of them in one month."""
    if month == ndvi.CLOUDY_MONTH:
        return np.full((ndvi.SIZE, ndvi.SIZE), True)
    generator = np.random.default_rng(1000 + month)
    rows, cols = np.mgrid[: ndvi.SIZE, : ndvi.SIZE]
    discs = [
        (cols - generator.integers(ndvi.SIZE)) ** 2 + (rows - generator.integers(ndvi.SIZE)) ** 2
        <= generator.integers(60, 200) ** 2
        for _ in range(3)
    ]
    return np.any(discs, axis=0)


def cover(paths, clouds: np.ndarray) -> None:
    """Makes pixels as bright as clouds."""
    for path in paths:
        with rasterio.open(path) as source:
            pixels, profile = source.read(), source.profile
        pixels[:, clouds] = (CLOUD_REFLECTANCE - ndvi.OFFSET) / ndvi.SCALE
        with rasterio.open(path, "w", **{**profile, "driver": "COG", "blocksize": 256}) as target:
            target.write(pixels)


def write_classes(path: Path, like: Path, clouds: np.ndarray) -> Path:
    """The scene classification on the grid of a band."""
    classes = np.where(clouds, CLOUD, VEGETATION).astype("uint8")
    classes[: ndvi.SIZE // 2][~clouds[: ndvi.SIZE // 2]] = SOIL
    with rasterio.open(like) as source:
        grid = {"crs": source.crs, "transform": source.transform, "width": ndvi.SIZE, "height": ndvi.SIZE}
    with rasterio.open(path, "w", driver="COG", count=1, dtype="uint8", nodata=0, compress="deflate", **grid) as target:
        target.write(classes, 1)
    return path


def write_fields(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The outlines of the fields in the CRS of the scenes, and their boxes in longitude and latitude."""
    database.execute(
        "CREATE TEMP TABLE fields (field VARCHAR, outline VARCHAR, box STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE))"
    )
    for name, (col, row, radius, _) in ndvi.FIELDS.items():
        corners = ndvi.hexagon(col, row, radius)
        outline = f"SRID={ndvi.EPSG};POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in corners) + "))"
        xs, ys = zip(*corners, strict=True)
        bounds = rasterio.warp.transform_bounds(f"EPSG:{ndvi.EPSG}", "OGC:CRS84", min(xs), min(ys), max(xs), max(ys))
        box = dict(zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True))
        database.execute("INSERT INTO fields VALUES ($1, $2, $3)", [name, outline, box])
    database.execute(f"COPY fields TO '{folder}/fields.parquet'; DROP TABLE fields")
