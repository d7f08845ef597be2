#!/usr/bin/env python3
"""Computes a year of NDVI per field, as a table and as a plot.

    python ndvi.py [--extension build/release/rasteret.duckdb_extension] [--plot ndvi.png]

Needs `pip install duckdb rasterio matplotlib`. Generates twelve scenes of two bands with a seasonal cycle and a table of six fields,
indexes the scenes with `rasteret_enrich`, joins fields and scenes on their bounding boxes, computes one `cog_zonal_stats` per band, and
plots the series. Like Sentinel-2 scenes since 2022, the files store reflectance with a scale and an offset that are only in the STAC
Items (`stac_scale`). One scene is cloudy and excluded. The result is verified: the peak of each field must be in the month that was
used to generate it, and all values must match.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from rasterio.transform import from_origin

EPSG = 32631
WEST, NORTH, RESOLUTION, SIZE = 500_000, 4_600_000, 10, 768
BANDS = ("B04", "B08")
MONTHS = range(1, 13)
# Stored value = (reflectance - OFFSET) / SCALE.
SCALE, OFFSET = 0.0001, -0.1
CLOUDY_MONTH = 11
# Field -> its hexagon's centre in pixels, its radius, and the month in which it is greenest.
FIELDS = {
    "north": (150, 120, 40, 5), "west": (90, 400, 55, 6), "middle": (384, 384, 70, 7),
    "east": (660, 300, 45, 8), "south": (400, 690, 50, 9), "corner": (680, 690, 60, 6),
}  # fmt: skip

SERIES = """
    SELECT field, month, (nir.mean - red.mean) / (nir.mean + red.mean) AS ndvi, red.count AS pixels
    FROM (
        SELECT field, month,
            cog_zonal_stats(assets.B04.href, B04_metadata, plot, {geometry_crs: 'EPSG:32631', scaled: true}) AS red,
            cog_zonal_stats(assets.B08.href, B08_metadata, plot, {geometry_crs: 'EPSG:32631', scaled: true}) AS nir
        FROM fields JOIN scenes
            ON east >= bounds.xmin AND west <= bounds.xmax AND north >= bounds.ymin AND south <= bounds.ymax
        WHERE B04_metadata IS NOT NULL AND B08_metadata IS NOT NULL AND "eo:cloud_cover" < 20
    )
    ORDER BY field, month
"""


def greenness(month: int, peak: int) -> float:
    """From 0.2 in winter to 0.8 at the peak."""
    return 0.2 + 0.6 * np.exp(-(((month - peak) / 2.0) ** 2))


def write_scene(directory: Path, month: int) -> dict[str, Path]:
    """The two bands of a month, from the NDVI that each pixel is to have, with noise."""
    generator = np.random.default_rng(month)
    ndvi = np.full((SIZE, SIZE), 0.1)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    for col, row, radius, peak in FIELDS.values():
        ndvi[(cols - col) ** 2 + (rows - row) ** 2 <= (radius + 4) ** 2] = greenness(month, peak)
    if month == CLOUDY_MONTH:
        ndvi[:] = 0
    brightness = generator.normal(0.2, 0.006, (SIZE, SIZE))
    reflectance = {"B04": brightness * (1 - ndvi), "B08": brightness * (1 + ndvi)}
    bands = {band: (pixels - OFFSET) / SCALE for band, pixels in reflectance.items()}
    paths = {}
    for band, pixels in bands.items():
        paths[band] = directory / f"{month:02d}_{band}.tif"
        profile = {
            "driver": "COG", "width": SIZE, "height": SIZE, "count": 1, "dtype": "uint16", "crs": f"EPSG:{EPSG}",
            "transform": from_origin(WEST, NORTH, RESOLUTION, RESOLUTION), "nodata": 0,
            "compress": "deflate", "predictor": 2, "blocksize": 256,
        }  # fmt: skip
        with rasterio.open(paths[band], "w", **profile) as target:
            target.write(np.clip(pixels, 1, 65535).astype("uint16"), 1)
    return paths


def hexagon(col: float, row: float, radius: float) -> list[tuple[float, float]]:
    """Corners in the scenes' CRS."""
    angles = np.arange(7) * np.pi / 3
    x = WEST + (col + radius * np.cos(angles)) * RESOLUTION
    y = NORTH - (row + radius * np.sin(angles)) * RESOLUTION
    x[6], y[6] = x[0], y[0]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def prepare(connection: duckdb.DuckDBPyConnection, work: Path) -> None:
    """Tables `fields` and `scenes`, the latter an index."""
    asset = 'STRUCT(href VARCHAR, "raster:bands" STRUCT(scale DOUBLE, "offset" DOUBLE)[])'
    connection.execute(
        'CREATE TABLE items (id VARCHAR, datetime TIMESTAMP, "eo:cloud_cover" DOUBLE, '
        f"assets STRUCT(B04 {asset}, B08 {asset}))"
    )
    for month in MONTHS:
        paths = write_scene(work, month)
        raster_bands = [{"scale": SCALE, "offset": OFFSET}]
        assets = {band: {"href": str(path), "raster:bands": raster_bands} for band, path in paths.items()}
        cloud_cover = 95.0 if month == CLOUDY_MONTH else 5.0
        connection.execute(
            "INSERT INTO items VALUES ($1, make_timestamp(2024, $2, 15, 10, 30, 0.0), $3, $4)",
            [f"s{month}", month, cloud_cover, assets],
        )
    connection.execute(f"COPY items TO '{work}/items.parquet' (FORMAT parquet)")
    connection.execute(
        f"CREATE TABLE scenes AS SELECT *, cog_bounds(B04_metadata) AS bounds "
        f"FROM rasteret_enrich('{work}/items.parquet', bands := {list(BANDS)}, on_error := 'fail', stac_scale := true)"
    )
    connection.execute(
        "CREATE TABLE fields (field VARCHAR, plot VARCHAR, west DOUBLE, south DOUBLE, east DOUBLE, north DOUBLE)"
    )
    for name, (col, row, radius, _) in FIELDS.items():
        corners = hexagon(col, row, radius)
        wkt = "POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in corners) + "))"
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        connection.execute(
            "INSERT INTO fields VALUES ($1, $2, $3, $4, $5, $6)", [name, wkt, min(xs), min(ys), max(xs), max(ys)]
        )


def draw(series: list[tuple[str, int, float, float]], path: Path) -> None:
    """One line per field."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name in FIELDS:
        points = [(month, ndvi) for field, month, ndvi, _ in series if field == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel="month of 2024", ylabel="NDVI, mean by coverage", xticks=list(MONTHS), ylim=(0, 1))
    axes.legend(title="field")
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=Path("build/release/rasteret.duckdb_extension"))
    parser.add_argument("--plot", type=Path, default=Path("ndvi.png"))
    args = parser.parse_args()
    # Plots are only written to files.
    matplotlib.use("Agg")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{args.extension.resolve()}'")
    with tempfile.TemporaryDirectory() as directory:
        prepare(connection, Path(directory))
        series = connection.execute(SERIES).fetchall()
    draw(series, args.plot)
    faults = []
    for name, (_, _, _, peak) in FIELDS.items():
        months = {month: ndvi for field, month, ndvi, _ in series if field == name}
        clear = [month for month in MONTHS if month != CLOUDY_MONTH]
        wrong = [month for month in clear if abs(months.get(month, np.nan) - greenness(month, peak)) > 0.005]
        if wrong or sorted(months) != clear or max(months, key=months.get) != peak:
            faults.append(f"{name}: expected the season that was drawn, found {months}")
    print("\n".join(faults) or f"{len(series)} values of {len(FIELDS)} fields, each as drawn; plot in {args.plot}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
