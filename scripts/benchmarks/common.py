"""Steps that the contenders of `benchmarks.journeys` share."""

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
    """Seconds by the clock, and of the processor in all threads."""

    seconds: float
    cpu: float


# (what was taken, an array by which answers are compared; None: not compared)
Answer = tuple[Taken, object]


def connect(threads: int) -> object:
    """DuckDB with the extension."""
    import duckdb

    os.environ["RASTERET_THREADS"] = str(threads)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{EXTENSION}'")
    return connection


def timed(work: Callable[[], object]) -> tuple[Taken, object]:
    """What the work took, and its result."""
    started, cpu = time.perf_counter(), time.process_time()
    found = work()
    return Taken(time.perf_counter() - started, time.process_time() - cpu), found


def add_polygons(connection: object, rings: object) -> None:
    """The table `plots` of numbers and outlines."""
    import shapely

    wkb = list(shapely.to_wkb(shapely.polygons(rings)))
    connection.execute("CREATE TABLE plots AS SELECT unnest(range(len($1))) AS j, unnest($1) AS g", [wkb])


def frame_of(rings: object) -> object:
    """The polygons as exactextract takes them."""
    import geopandas
    import shapely

    return geopandas.GeoDataFrame({"j": range(len(rings))}, geometry=list(shapely.polygons(rings)), crs=scenes.EPSG)


def opened(href: str) -> object:
    """A file as rasterio opens it."""
    import rasterio

    return rasterio.open(f"/vsicurl/{href}" if href.startswith("http") else href)


def array_source(values: object, left: float, top: float, **options: object) -> object:
    """exactextract's raster of an array of the scenes' pixels."""
    from exactextract.raster import NumPyRasterSource
    from rasterio.crs import CRS

    height, width = values.shape
    right, bottom = left + width * scenes.PIXEL, top - height * scenes.PIXEL
    wkt = CRS.from_epsg(scenes.EPSG).to_wkt()
    return NumPyRasterSource(values, left, bottom, right, top, srs_wkt=wkt, **options)
