#!/usr/bin/env python3
"""Computes one year of cloud-free NDVI per field, as a table and a plot, with the query of README.md.

    python ndvi.py [--extension build/release/rasteret.duckdb_extension] [--plot build/ndvi.png] [--folder build/example]

Needs `pip install duckdb rasterio matplotlib`. Generates twelve scenes with a seasonal cycle, each with the bands red (B04) and near
infrared (B08), and a scene classification (SCL) that marks clouds, and a table of six fields. Indexes the scenes with
`rasteret_enrich`, joins fields and scenes on their bounding boxes, computes one `cog_zonal_stats` per band, and plots the series. Like
Sentinel-2 scenes since 2022, the files store reflectance with a scale and an offset that are only in the STAC Items (`stac_scale`).
The result is verified: every value must equal the NDVI from which the scenes were generated, although clouds cover parts of most
scenes, and values may only be missing for fields covered by clouds.

`--folder` keeps the scenes as data for the other examples: `items.parquet`, the index `collection`, and `fields.parquet` and
`points.parquet` in longitude and latitude.
"""

from __future__ import annotations

import argparse
import datetime
import struct
import sys
import tempfile
from pathlib import Path

import duckdb
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform, transform_bounds

EPSG = 32631
WEST, NORTH, RESOLUTION, SIZE = 500_000, 4_600_000, 10, 768
BANDS = ("B04", "B08", "SCL")
MONTHS = range(1, 13)
# Stored value = (reflectance - OFFSET) / SCALE.
SCALE, OFFSET = 0.0001, -0.1
# Classes of Sentinel-2's scene classification.
VEGETATION, SOIL, CLOUD = 4, 5, 9
CLOUD_REFLECTANCE = 0.45
# The month whose scene is covered by clouds.
CLOUDY_MONTH = 11
# Field -> centre and radius of its hexagon in pixels, and the month of its highest NDVI.
FIELDS = {
    "north": (150, 120, 40, 5), "west": (90, 400, 55, 6), "middle": (384, 384, 70, 7),
    "east": (660, 300, 45, 8), "south": (400, 690, 50, 9), "corner": (680, 690, 60, 6),
}  # fmt: skip
# Distances from the centre of a field, relative to its radius, that are certainly inside and outside of the hexagon.
INSIDE, OUTSIDE = 0.8, 1.1

# The query of README.md.
SERIES = """
SELECT field, datetime::DATE AS date, round((nir.mean - red.mean) / (nir.mean + red.mean), 3) AS ndvi, round(red.count, 1) AS pixels
FROM (
    SELECT field, datetime,
        cog_zonal_stats(assets.B04.href, B04_metadata, plot,
            {scaled: true, mask: {href: assets.SCL.href, metadata: SCL_metadata, keep: [4, 5]}}) AS red,
        cog_zonal_stats(assets.B08.href, B08_metadata, plot,
            {scaled: true, mask: {href: assets.SCL.href, metadata: SCL_metadata, keep: [4, 5]}}) AS nir
    FROM fields JOIN read_parquet('build/collection/**/*.parquet', hive_partitioning := true) AS scene
        ON fields.xmax >= scene.bbox.xmin AND fields.xmin <= scene.bbox.xmax
        AND fields.ymax >= scene.bbox.ymin AND fields.ymin <= scene.bbox.ymax
    WHERE year = 2024 AND B04_metadata IS NOT NULL AND B08_metadata IS NOT NULL AND SCL_metadata IS NOT NULL
)
WHERE red.count > 0
ORDER BY field, date
"""

Series = list[tuple[str, datetime.date, float, float]]


def greenness(month: int, peak: int) -> float:
    """Returns the NDVI of a month, from 0.2 in winter to 0.8 in the peak month."""
    return 0.2 + 0.6 * np.exp(-(((month - peak) / 2.0) ** 2))


def distances(col: float, row: float) -> np.ndarray:
    """Returns the distances of all pixels from a position, in pixels."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    return np.hypot(cols - col, rows - row)


def cloudy(month: int) -> np.ndarray:
    """Returns the mask of cloudy pixels: three discs that move each month, or all pixels in one month."""
    if month == CLOUDY_MONTH:
        return np.full((SIZE, SIZE), True)
    generator = np.random.default_rng(1000 + month)
    discs = [
        distances(generator.integers(SIZE), generator.integers(SIZE)) <= generator.integers(60, 200) for _ in range(3)
    ]
    return np.any(discs, axis=0)


def write_scene(directory: Path, month: int) -> dict[str, Path]:
    """Writes the assets of a month, with noise and clouds; the NDVI of fields is that of `greenness`."""
    generator = np.random.default_rng(month)
    ndvi = np.full((SIZE, SIZE), 0.1)
    for col, row, radius, peak in FIELDS.values():
        ndvi[distances(col, row) <= radius + 4] = greenness(month, peak)
    clouds = cloudy(month)
    brightness = generator.normal(0.2, 0.006, (SIZE, SIZE))
    pixels = {}
    for band, reflectance in {"B04": brightness * (1 - ndvi), "B08": brightness * (1 + ndvi)}.items():
        stored = (np.where(clouds, CLOUD_REFLECTANCE, reflectance) - OFFSET) / SCALE
        pixels[band] = np.clip(stored, 1, 65535).astype("uint16")
    pixels["SCL"] = np.full((SIZE, SIZE), VEGETATION, "uint8")
    pixels["SCL"][: SIZE // 2] = SOIL
    pixels["SCL"][clouds] = CLOUD
    paths = {}
    for band, array in pixels.items():
        paths[band] = directory / f"{month:02d}_{band}.tif"
        profile = {
            "driver": "COG", "width": SIZE, "height": SIZE, "count": 1, "dtype": array.dtype, "crs": f"EPSG:{EPSG}",
            "transform": from_origin(WEST, NORTH, RESOLUTION, RESOLUTION), "nodata": 0,
            "compress": "deflate", "predictor": 2, "blocksize": 256,
        }  # fmt: skip
        with rasterio.open(paths[band], "w", **profile) as target:
            target.write(array, 1)
    return paths


def asset(band: str, path: Path) -> dict[str, object]:
    """Returns the STAC asset of a file; only reflectance bands have a scale and an offset."""
    return {"href": str(path), "raster:bands": None if band == "SCL" else [{"scale": SCALE, "offset": OFFSET}]}


def write_items(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Writes the scenes and their records, `items.parquet`."""
    asset_type = 'STRUCT(href VARCHAR, "raster:bands" STRUCT(scale DOUBLE, "offset" DOUBLE)[])'
    columns = ", ".join(f"{band} {asset_type}" for band in BANDS)
    connection.execute(
        f'CREATE TEMP TABLE items (id VARCHAR, datetime TIMESTAMP, "eo:cloud_cover" DOUBLE, assets STRUCT({columns}))'
    )
    for month in MONTHS:
        assets = {band: asset(band, path) for band, path in write_scene(folder, month).items()}
        connection.execute(
            "INSERT INTO items VALUES ($1, make_timestamp(2024, $2, 15, 10, 30, 0.0), $3, $4)",
            [f"scene {month:02d}", month, round(100 * float(cloudy(month).mean()), 1), assets],
        )
    connection.execute(f"COPY items TO '{folder}/items.parquet' (FORMAT parquet); DROP TABLE items")


def hexagon(col: float, row: float, radius: float) -> list[tuple[float, float]]:
    """Returns the corners in the CRS of the scenes."""
    angles = np.arange(7) * np.pi / 3
    x = WEST + (col + radius * np.cos(angles)) * RESOLUTION
    y = NORTH - (row + radius * np.sin(angles)) * RESOLUTION
    x[6], y[6] = x[0], y[0]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def fields() -> list[tuple[str, str, float, float, float, float]]:
    """Returns names, outlines as EWKT in the CRS of the scenes, and bounding boxes in longitude and latitude."""
    rows = []
    for name, (col, row, radius, _) in FIELDS.items():
        corners = hexagon(col, row, radius)
        outline = f"SRID={EPSG};POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in corners) + "))"
        xs, ys = zip(*corners, strict=True)
        box = transform_bounds(f"EPSG:{EPSG}", "OGC:CRS84", min(xs), min(ys), max(xs), max(ys))
        rows.append((name, outline, *box))
    return rows


def write_fields(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Writes the outlines as WKB and the centres of the fields, in longitude and latitude."""
    connection.execute("CREATE TEMP TABLE outlines (field VARCHAR, geometry BLOB, longitude DOUBLE, latitude DOUBLE)")
    for name, (col, row, radius, _) in FIELDS.items():
        ring = list(zip(*transform(f"EPSG:{EPSG}", "OGC:CRS84", *zip(*hexagon(col, row, radius))), strict=True))
        outline = struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<dd", *point) for point in ring)
        centre = np.mean(ring[:-1], axis=0).tolist()
        connection.execute("INSERT INTO outlines VALUES ($1, $2, $3, $4)", [name, outline, *centre])
    connection.execute(f"COPY (SELECT field, geometry FROM outlines) TO '{folder}/fields.parquet' (FORMAT parquet)")
    connection.execute(
        f"COPY (SELECT field AS id, longitude, latitude FROM outlines) TO '{folder}/points.parquet' (FORMAT parquet)"
    )


def compute(connection: duckdb.DuckDBPyConnection, folder: Path) -> Series:
    """Indexes the scenes and runs the query."""
    write_items(connection, folder)
    connection.execute(
        f"""
        COPY (FROM rasteret_enrich('{folder}/items.parquet', bands := {list(BANDS)}, stac_scale := true, on_error := 'fail'))
        TO '{folder}/collection' (FORMAT parquet, PARTITION_BY (year, month), OVERWRITE)
        """
    )
    connection.execute(
        "CREATE TABLE fields (field VARCHAR, plot VARCHAR, xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)"
    )
    connection.executemany("INSERT INTO fields VALUES ($1, $2, $3, $4, $5, $6)", fields())
    return connection.execute(SERIES.replace("'build/collection/", f"'{folder}/collection/")).fetchall()


def verify(series: Series) -> list[str]:
    """Returns values that differ from the generated NDVI, missing dates, and dates on which a field is covered by clouds."""
    found = {(field, date.month): (ndvi, pixels) for field, date, ndvi, pixels in series}
    faults = []
    for name, (col, row, radius, peak) in FIELDS.items():
        away = distances(col, row) / radius
        for month in MONTHS:
            clear = ~cloudy(month)
            ndvi, pixels = found.get((name, month), (None, 0.0))
            if ndvi is None and np.any(clear & (away < INSIDE)):
                faults.append(f"{name}, month {month}: expected a value, found none")
            if ndvi is not None and abs(ndvi - greenness(month, peak)) > 0.005:
                faults.append(f"{name}, month {month}: expected {greenness(month, peak):.3f}, found {ndvi}")
            if pixels > np.count_nonzero(clear & (away < OUTSIDE)):
                faults.append(f"{name}, month {month}: {pixels} pixels, some of which are covered by clouds")
    return faults


def draw(series: Series, path: Path) -> None:
    """Plots one line per field."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name in FIELDS:
        points = [(date, ndvi) for field, date, ndvi, _ in series if field == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(ylabel="NDVI of clear pixels", ylim=(0, 1))
    axes.legend(title="field", ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=Path("build/release/rasteret.duckdb_extension"))
    parser.add_argument("--plot", type=Path, default=Path("build/ndvi.png"))
    parser.add_argument("--folder", type=Path, help="folder for the scenes and tables, by default a temporary one")
    args = parser.parse_args()
    # Plots are only written to files.
    matplotlib.use("Agg")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{args.extension.resolve()}'")
    with tempfile.TemporaryDirectory() as directory:
        folder = (args.folder or Path(directory)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        series = compute(connection, folder)
        write_fields(connection, folder)
    draw(series, args.plot)
    print("field\tdate\tndvi\tpixels")
    for row in series:
        print(*row, sep="\t")
    faults = verify(series)
    print(
        "\n".join(faults)
        or f"{len(series)} values of {len(FIELDS)} fields match the generated NDVI; plot in {args.plot}"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
