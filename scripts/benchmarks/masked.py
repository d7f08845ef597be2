"""Contenders for one year of cloud-free NDVI per field and date: from the means of the bands, and as the mean of the NDVI of pixels.

The files of B04, B08 and SCL at 20 m follow one another, each ordered by date.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import scenes
from .common import NATIVE, Answer, add_polygons, array_source, connect, frame_of, opened, timed
from .read import CORNER, RASTERIO, SIDE

DATES, FIELDS = 12, 300
CLEAR = (4, 5, 6)
INVALID = 0


def files() -> list[str]:
    """Returns the paths of the files on the server."""
    red = [scenes.DATES[date % 10] for date in range(DATES)]
    nir = [scenes.DATES[(date + 5) % 10] for date in range(DATES)]
    names = zip(("B04", "B08", "SCL"), (red, nir, [scenes.DATE_CLASSES] * DATES), strict=True)
    return [f"{asset}-{date}/{file}" for asset, files in names for date, file in enumerate(files)]


def fields() -> object:
    """Returns outlines inside of 16 tiles of each date."""
    return scenes.hexagons(FIELDS, CORNER, SIDE)


def by_asset(hrefs: list[str]) -> list[list[str]]:
    return [hrefs[DATES * asset : DATES * (asset + 1)] for asset in range(3)]


def tables(hrefs: list[str], threads: int) -> object:
    """Returns a connection with the fields and an index with one row per date."""
    connection = connect(threads)
    indexed = ", ".join(f"{asset}, cog_metadata({asset}) AS {asset}_metadata" for asset in ("red", "nir", "scl"))
    connection.execute(
        f"CREATE TABLE collection AS SELECT date, {indexed} FROM "
        f"(SELECT unnest(range({DATES})) AS date, unnest($1) AS red, unnest($2) AS nir, unnest($3) AS scl)",
        by_asset(hrefs),
    )
    add_polygons(connection, fields())
    return connection


def finished(connection: object, query: str) -> Answer:
    """Runs a query with the columns j, date, ndvi; returns an array of (date, field)."""
    import numpy as np

    taken, _ = timed(lambda: connection.execute(f"CREATE TEMP TABLE answer AS {query}"))
    ndvi = connection.execute("SELECT ndvi FROM answer ORDER BY date, j").fetchnumpy()["ndvi"]
    return taken, np.ma.filled(np.ma.asarray(ndvi, "float64"), np.nan).reshape(DATES, -1)


def of_means(hrefs: list[str], threads: int, has_metadata: bool = False) -> Answer:
    """One aggregate per field: a LIST of the sources of both bands, with headers in the header cache."""
    connection = tables(hrefs, threads)
    cached = " AND ".join(f"cog_cache_header({asset}, {asset}_metadata)" for asset in ("red", "nir", "scl"))
    (found,) = connection.execute(f"SELECT count(*) FROM collection WHERE {cached}").fetchone()
    assert found == DATES

    def metadata(asset: str) -> str:
        return f", metadata: {asset}_metadata" if has_metadata else ""

    def sources(band: str) -> str:
        mask = f"{{href: scl{metadata('scl')}, keep: {list(CLEAR)}}}"
        return f"list({{href: {band}{metadata(band)}, mask: {mask}}} ORDER BY date)"

    zones = f"cog_zonal_stats({sources('red')} || {sources('nir')}, any_value(g), {NATIVE})"
    series = f"SELECT j, {zones} AS z FROM plots, collection GROUP BY j"
    ratio = "(z[date + 13].mean - z[date + 1].mean) / (z[date + 13].mean + z[date + 1].mean)"
    return finished(connection, f"SELECT j, date, {ratio} AS ndvi FROM ({series}), range({DATES}) t(date)")


def of_means_with_metadata(hrefs: list[str], threads: int) -> Answer:
    """Like `of_means`, with the headers in the sources."""
    return of_means(hrefs, threads, has_metadata=True)


def of_pixels(hrefs: list[str], threads: int) -> Answer:
    """Pixels as rows by `unnest`, and aggregates of DuckDB."""
    mask = f"{{href: scl, metadata: scl_metadata, keep: {list(CLEAR)}}}"
    pixels = (
        "cog_pixels([{href: red, metadata: red_metadata}, {href: nir, metadata: nir_metadata}], g, "
        f"{{geometry_crs: 'native', mask: {mask}}})"
    )
    rows = f"SELECT j, date, unnest({pixels}, recursive := true) FROM plots, collection"
    ndvi = "(values[2] - values[1]) / (values[2] + values[1])"
    mean = f"sum({ndvi} * coverage) / sum(coverage) FILTER (values[1] IS NOT NULL AND values[2] IS NOT NULL)"
    return finished(tables(hrefs, threads), f"SELECT j, date, {mean} AS ndvi FROM ({rows}) GROUP BY j, date")


def limit(hrefs: list[str], threads: int) -> Answer:
    """Reads only the distinct tiles: one polygon around all fields, for all files at once."""
    connection = tables(hrefs, threads)
    left, top = scenes.LEFT + CORNER[0] * scenes.PIXEL, scenes.TOP - CORNER[1] * scenes.PIXEL
    right, bottom = left + SIDE * scenes.PIXEL, top - SIDE * scenes.PIXEL
    sources = " || ".join(f"list({{href: {asset}, metadata: {asset}_metadata}})" for asset in ("red", "nir", "scl"))
    box = f"{{xmin: {left}, ymin: {bottom}, xmax: {right}, ymax: {top}}}"
    query = f"SELECT cog_zonal_stats({sources}, {box}, {NATIVE}) FROM collection"
    return timed(lambda: connection.execute(f"CREATE TEMP TABLE answer AS {query}"))[0], None


def of_dates(hrefs: list[str], threads: int, work: Callable[[list[str]], object]) -> Answer:
    """Processes dates in threads, with GDAL's settings."""
    import numpy as np
    import rasterio

    def one(date: list[str]) -> object:
        with rasterio.Env(**RASTERIO):
            return work(date)

    dates = list(zip(*by_asset(hrefs), strict=True))

    def run() -> list[object]:
        if threads == 1:
            return [one(date) for date in dates]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, dates))

    taken, rows = timed(run)
    return taken, np.array(rows, "float64")


def clear_bands(date: list[str], window: tuple[int, int, int, int]) -> tuple[object, object]:
    """Reads red and near infrared of a window; pixels of other than clear classes are invalid."""
    import numpy as np
    from rasterio.windows import Window

    col, row, width, height = window
    bands = []
    for href in date[:2]:
        with opened(href) as source:
            bands.append(source.read(1, window=Window(col, row, width, height)))
    with opened(date[2]) as source:
        half = Window(col // 2, row // 2, (col + width + 1) // 2 - col // 2, (row + height + 1) // 2 - row // 2)
        scl = source.read(1, window=half).repeat(2, 0).repeat(2, 1)[row % 2 :, col % 2 :][:height, :width]
    clear = np.isin(scl, CLEAR)
    return tuple(np.where(clear, band, INVALID) for band in bands)


def field_windows(hrefs: list[str], threads: int) -> Answer:
    """rasterio reads the window of each field, and exactextract computes its mean: only required pixels are read."""
    import geopandas
    import numpy as np
    from exactextract import exact_extract

    rings = fields()
    windows, frames = [], []
    for ring in rings:
        pixels = (ring - [scenes.LEFT, scenes.TOP]) / [scenes.PIXEL, -scenes.PIXEL]
        low, high = np.floor(pixels.min(0)).astype(int), np.ceil(pixels.max(0)).astype(int)
        windows.append((*low.tolist(), *(high - low).tolist()))
        frames.append(frame_of(ring[None]))
    assert isinstance(frames[0], geopandas.GeoDataFrame)

    def one(date: list[str]) -> list[float]:
        found = []
        for window, frame in zip(windows, frames, strict=True):
            left, top = scenes.LEFT + window[0] * scenes.PIXEL, scenes.TOP - window[1] * scenes.PIXEL
            red, nir = (
                exact_extract(array_source(band, left, top, nodata=INVALID), frame, ["mean"], output="pandas")["mean"][
                    0
                ]
                for band in clear_bands(date, window)
            )
            found.append((nir - red) / (nir + red))
        return found

    return of_dates(hrefs, threads, one)


def whole_window(hrefs: list[str], threads: int, is_of_pixels: bool = False) -> Answer:
    """rasterio reads the bounding box of all fields once per date, and exactextract computes all means: one read per file."""
    import numpy as np
    from exactextract import exact_extract

    frame = frame_of(fields())
    left, top = scenes.LEFT + CORNER[0] * scenes.PIXEL, scenes.TOP - CORNER[1] * scenes.PIXEL

    def means(values: object, nodata: float) -> object:
        return exact_extract(array_source(values, left, top, nodata=nodata), frame, ["mean"], output="pandas")[
            "mean"
        ].to_numpy("float64")

    def one(date: list[str]) -> object:
        red, nir = clear_bands(date, (*CORNER, SIDE, SIDE))
        if is_of_pixels:
            red, nir = red.astype("float64"), nir.astype("float64")
            with np.errstate(invalid="ignore"):
                return means((nir - red) / (nir + red), np.nan)
        red, nir = means(red, INVALID), means(nir, INVALID)
        return (nir - red) / (nir + red)

    return of_dates(hrefs, threads, one)


def whole_window_pixels(hrefs: list[str], threads: int) -> Answer:
    """Like `whole_window`, with the NDVI of each pixel."""
    return whole_window(hrefs, threads, is_of_pixels=True)
