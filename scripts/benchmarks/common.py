"""Functions shared by the contenders of `benchmarks.journeys`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import scenes
from .contenders import EXTENSION

NATIVE = "{geometry_crs: 'native'}"


@dataclass(frozen=True)
class Taken:
    """Elapsed seconds, and CPU seconds of all threads."""

    seconds: float
    cpu: float


# Time taken, and an array for the comparison of results; None if they are not compared.
Answer = tuple[Taken, object]


def connect(threads: int) -> object:
    """Opens DuckDB with the extension."""
    import duckdb
    import pyarrow  # noqa: F401  Not while results are timed.

    os.environ["RASTERET_THREADS"] = str(threads)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{EXTENSION}'")
    return connection


def timed(work: Callable[[], object]) -> tuple[Taken, object]:
    """Returns the time of the work and its result."""
    started, cpu = time.perf_counter(), time.process_time()
    found = work()
    return Taken(time.perf_counter() - started, time.process_time() - cpu), found


def add_polygons(connection: object, rings: object) -> None:
    """Creates the table `plots` of numbers and outlines."""
    import shapely

    wkb = list(shapely.to_wkb(shapely.polygons(rings)))
    connection.execute("CREATE TABLE plots AS SELECT unnest(range(len($1))) AS j, unnest($1) AS g", [wkb])


def frame_of(rings: object) -> object:
    """Returns the polygons in the form that exactextract expects."""
    import geopandas
    import shapely

    return geopandas.GeoDataFrame({"j": range(len(rings))}, geometry=list(shapely.polygons(rings)), crs=scenes.EPSG)


def opened(href: str) -> object:
    """Opens a file with rasterio."""
    import rasterio

    return rasterio.open(f"/vsicurl/{href}" if href.startswith("http") else href)


def array_source(values: object, left: float, top: float, **options: object) -> object:
    """Returns an exactextract raster of an array of pixels of the scenes."""
    from exactextract.raster import NumPyRasterSource
    from rasterio.crs import CRS

    height, width = values.shape
    right, bottom = left + width * scenes.PIXEL, top - height * scenes.PIXEL
    wkt = CRS.from_epsg(scenes.EPSG).to_wkt()
    return NumPyRasterSource(values, left, bottom, right, top, srs_wkt=wkt, **options)
