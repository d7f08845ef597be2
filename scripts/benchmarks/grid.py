"""Reads rasters on common grids with each reader: chips, a composite of many scenes, and windows in another CRS.

chips     192 chips of 256 x 256 pixels with B02, B03, B04, B08 at 10 m and SCL at 20 m, from 12 scenes over HTTP at 20 ms; some reach
          beyond the sides of their scene. `tiles` is `cog_read` of the same windows of each source, without a grid
median    the median of 2048 x 2048 pixels of 12 scenes of a quarter without clouds (SCL at 20 m), over HTTP at 20 ms
nearest   4096 x 4096 pixels of UTM resampled to web mercator, from disk. `gdal` is GDAL's warper with positions within an eighth of a
          pixel, as by default, `gdal-exact` with exact positions, with which results are compared
bilinear  the same

Each reader runs in its own process and reads everything for the first time; the readers take turns. The headers of all files are known
to this extension, as with an index; other readers open each file once. Queries read a table: DuckDB evaluates a call whose arguments are
constant once more for each field that is taken out of its result.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import servers

from . import journeys, scenes
from .common import Answer, connect, opened, timed
from .journeys import LATENCY_MS, SINGLE, Goal, Journey
from .read import CORNER, OURS, RASTERIO, SIDE, WORK

SCENES, CHIPS, CHIP = 12, 16, 256
BANDS = ("B02", "B03", "B04", "B08")
CLEAR = (4, 5, 6)
MERCATOR = "EPSG:3857"
# Share of pixels whose centre is within a millionth of a pixel of an edge, so that rounding decides.
TIES = 1e-5


def chip_files() -> list[str]:
    """Paths below the server: the bands of a scene and its classes, scene by scene."""
    bands = [[scenes.DATES[(scene + 3 * band) % 10] for band in range(len(BANDS))] for scene in range(SCENES)]
    return [
        f"{asset}-{scene}/{file}"
        for scene, files in enumerate(bands)
        for asset, file in zip((*BANDS, "SCL"), (*files, scenes.DATE_CLASSES))
    ]


def median_files() -> list[str]:
    """Red, then the classes, by scene."""
    red = [f"B04-{scene}/{scenes.DATES[scene % 10]}" for scene in range(SCENES)]
    return red + [f"SCL-{scene}/{scenes.DATE_CLASSES}" for scene in range(SCENES)]


def places() -> object:
    """The first column and row of each chip, by scene; even ones, which are those of pixels of 20 m."""
    import numpy as np

    return 2 * np.random.default_rng(17).integers(-CHIP // 4, (scenes.DATE_SIZE - CHIP // 2) // 2, (SCENES, CHIPS, 2))


def of_scenes(hrefs: list[str]) -> list[list[str]]:
    return [hrefs[at : at + len(BANDS) + 1] for at in range(0, len(hrefs), len(BANDS) + 1)]


def cached(connection: object, hrefs: list[str]) -> None:
    """Puts the headers of all files into the header cache, as an index does."""
    rows = connection.execute(
        "SELECT count(*) FROM (SELECT unnest($1) AS href) WHERE cog_cache_header(href, cog_metadata(href))", [hrefs]
    ).fetchall()
    assert rows == [(len(hrefs),)]


def wanted(hrefs: list[str], threads: int) -> object:
    """A connection with the table of chips: their number, the files of their scene, and their first pixel."""
    connection = connect(threads)
    cached(connection, hrefs)
    firsts = places()
    connection.execute(
        f"CREATE TABLE chips AS SELECT i, files[i // {CHIPS} + 1] AS f, cols[i + 1] AS col, rows[i + 1] AS row "
        f"FROM (SELECT $1 AS files, $2 AS cols, $3 AS rows), range({SCENES * CHIPS}) t(i)",
        [of_scenes(hrefs), firsts[..., 0].ravel().tolist(), firsts[..., 1].ravel().tolist()],
    )
    return connection


def chips(hrefs: list[str], threads: int) -> Answer:
    """One query for all chips."""
    import numpy as np

    connection = wanted(hrefs, threads)
    x = f"{scenes.LEFT} + (col + {CHIP // 2}) * {scenes.PIXEL} + {scenes.PIXEL / 2}"
    y = f"{scenes.TOP} - (row + {CHIP // 2}) * {scenes.PIXEL} - {scenes.PIXEL / 2}"
    sources = [f"{{href: f[{at}]}}" for at in range(1, len(BANDS) + 1)] + [f"{{href: f[{len(BANDS) + 1}]}}"]
    query = (
        f"SELECT i, cog_chip([{', '.join(sources)}], 'POINT(' || ({x}) || ' ' || ({y}) || ')', "
        f"{{geometry_crs: 'native', size: {CHIP}, fill: 0, resampling: 'nearest'}}).data AS data FROM chips"
    )
    taken, table = timed(lambda: connection.execute(query).to_arrow_table())
    data = table["data"].combine_chunks()
    # DuckDB preserves the order of a table.
    assert np.asarray(table["i"]).tolist() == list(range(SCENES * CHIPS))
    return taken, np.asarray(data.values).reshape(len(data), len(BANDS) + 1, CHIP, CHIP)


def tiles(hrefs: list[str], threads: int) -> Answer:
    """The same windows of each source, without a grid: what decoding alone takes."""
    connection = wanted(hrefs, threads)
    left, top = f"{scenes.LEFT} + col * {scenes.PIXEL}", f"{scenes.TOP} - row * {scenes.PIXEL}"
    side = CHIP * scenes.PIXEL
    box = f"{{xmin: {left}, ymin: {top} - {side}, xmax: {left} + {side}, ymax: {top}}}"
    reads = ", ".join(f"cog_read(f[{at}], NULL, {box}, {{geometry_crs: 'native'}})" for at in range(1, len(BANDS) + 2))
    return timed(lambda: connection.execute(f"SELECT {reads} FROM chips").to_arrow_table())[0], None


def rasterio_chips(hrefs: list[str], threads: int) -> Answer:
    """Boundless windows of the bands, and of a WarpedVRT of the classes at 10 m; scenes in threads."""
    import numpy as np
    import rasterio
    from rasterio.vrt import WarpedVRT
    from rasterio.windows import Window

    def one(scene: int, files: list[str]) -> object:
        found = np.zeros((CHIPS, len(BANDS) + 1, CHIP, CHIP), "float32")
        windows = [Window(col, row, CHIP, CHIP) for col, row in places()[scene].tolist()]
        with rasterio.Env(**RASTERIO):
            for band, href in enumerate(files[:-1]):
                with opened(href) as source:
                    grid = {"transform": source.transform, "width": source.width, "height": source.height}
                    for chip, window in enumerate(windows):
                        found[chip, band] = source.read(1, window=window, boundless=True, fill_value=0)
            with opened(files[-1]) as source, WarpedVRT(source, **grid) as warped:
                for chip, window in enumerate(windows):
                    found[chip, -1] = clipped(warped, window)
        return found

    def run() -> object:
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(one, range(SCENES), of_scenes(hrefs))))

    return timed(run)


def clipped(warped: object, window: object) -> object:
    """A window of a WarpedVRT, which has no boundless ones, with 0 beyond its sides."""
    import numpy as np
    from rasterio.windows import Window, intersection

    out = np.zeros((window.height, window.width), "float32")
    inside = intersection(window, Window(0, 0, warped.width, warped.height))
    col, row = inside.col_off - window.col_off, inside.row_off - window.row_off
    out[row : row + inside.height, col : col + inside.width] = warped.read(1, window=inside)
    return out


def box() -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the composite."""
    left, top = scenes.LEFT + CORNER[0] * scenes.PIXEL, scenes.TOP - CORNER[1] * scenes.PIXEL
    return left, top - SIDE * scenes.PIXEL, left + SIDE * scenes.PIXEL, top


def median(hrefs: list[str], threads: int) -> Answer:
    """One mosaic, masked by the classes."""
    import numpy as np

    connection = connect(threads)
    cached(connection, hrefs)
    red, classes = hrefs[:SCENES], hrefs[SCENES:]
    sources = ", ".join(
        f"{{href: '{band}', mask: {{href: '{scl}', keep: {list(CLEAR)}}}}}" for band, scl in zip(red, classes)
    )
    left, bottom, right, top = box()
    where = f"{{xmin: {left}, ymin: {bottom}, xmax: {right}, ymax: {top}}}"
    connection.execute(f"CREATE TABLE boxes AS SELECT {where} AS box")
    query = f"SELECT cog_mosaic([{sources}], box, {{geometry_crs: 'native', method: 'median'}}).data AS data FROM boxes"
    taken, table = timed(lambda: connection.execute(query).to_arrow_table())
    return taken, np.frombuffer(table["data"][0].as_buffer(), "float32").reshape(SIDE, SIDE)


def rasterio_median(hrefs: list[str], threads: int) -> Answer:
    """Windows of all scenes in threads, and numpy's median."""
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    def one(files: tuple[str, str]) -> object:
        with rasterio.Env(**RASTERIO):
            with opened(files[0]) as source:
                values = source.read(1, window=Window(*CORNER, SIDE, SIDE)).astype("float32")
            with opened(files[1]) as source:
                half = Window(CORNER[0] // 2, CORNER[1] // 2, SIDE // 2, SIDE // 2)
                classes = source.read(1, window=half).repeat(2, 0).repeat(2, 1)
        values[~np.isin(classes, CLEAR)] = np.nan
        return values

    def run() -> object:
        with ThreadPoolExecutor(threads) as pool:
            return np.nanmedian(np.stack(list(pool.map(one, zip(hrefs[:SCENES], hrefs[SCENES:])))), 0)

    return timed(run)


def odc_median(hrefs: list[str], threads: int) -> Answer:
    """odc-stac, dask's threads, and xarray's median."""
    import datetime

    import dask
    import numpy as np
    import odc.stac
    import pystac
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox

    def item(scene: int) -> object:
        when = datetime.datetime(2024, 4, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(7 * scene)
        side = scenes.DATE_SIZE
        fields = {"proj:code": f"EPSG:{scenes.EPSG}"}
        item = pystac.Item(f"scene{scene}", footprint.json, list(footprint.boundingbox), when, fields)
        for name, href, step in (("B04", hrefs[scene], 1), ("SCL", hrefs[SCENES + scene], 2)):
            pixel = step * scenes.PIXEL
            transform = [pixel, 0, scenes.LEFT, 0, -pixel, scenes.TOP]
            fields = {"proj:shape": [side // step, side // step], "proj:transform": transform}
            item.add_asset(
                name, pystac.Asset(href, media_type=pystac.MediaType.COG, roles=["data"], extra_fields=fields)
            )
        return item

    corner, length = (scenes.LEFT, scenes.TOP), scenes.DATE_SIZE * scenes.PIXEL
    extent = BoundingBox(corner[0], corner[1] - length, corner[0] + length, corner[1], f"EPSG:{scenes.EPSG}")
    footprint = extent.polygon.to_crs("EPSG:4326")
    left, _, _, top = box()
    transform = Affine(scenes.PIXEL, 0, left, 0, -scenes.PIXEL, top)
    geobox = GeoBox((SIDE, SIDE), transform, f"EPSG:{scenes.EPSG}")
    odc.stac.configure_rio(cloud_defaults=True, **RASTERIO)
    items = [item(scene) for scene in range(SCENES)]

    def run() -> object:
        with dask.config.set(scheduler="threads", num_workers=threads):
            loaded = odc.stac.load(
                items, ["B04", "SCL"], geobox=geobox, chunks={"x": 512, "y": 512}, resampling="nearest", groupby="id"
            )
            clear = loaded.B04.astype("float32").where(loaded.SCL.isin(CLEAR)).chunk(time=-1)
            return clear.median("time", skipna=True).compute().to_numpy()

    taken, found = timed(run)
    assert found.dtype == np.float32
    return taken, found


def mercator(path: str) -> tuple[object, int, int]:
    """Transform, width and height of the raster's grid in web mercator."""
    import rasterio
    from rasterio.warp import calculate_default_transform

    with rasterio.open(path) as source:
        return calculate_default_transform(source.crs, MERCATOR, source.width, source.height, *source.bounds)


def resampled(method: str) -> object:
    def run(hrefs: list[str], threads: int) -> Answer:
        import numpy as np

        connection = connect(threads)
        cached(connection, hrefs)
        transform, width, height = mercator(hrefs[0])
        grid = f"{{crs: '{MERCATOR}', transform: {list(transform)[:6]}, width: {width}, height: {height}}}"
        connection.execute("CREATE TABLE files AS SELECT $1 AS href", [hrefs[0]])
        query = f"SELECT cog_read(href, NULL, NULL, {{grid: {grid}, resampling: '{method}'}}).data AS data FROM files"
        taken, table = timed(lambda: connection.execute(query).to_arrow_table())
        return taken, np.frombuffer(table["data"][0].as_buffer(), "uint16").reshape(height, width)

    return run


def reprojected(method: str) -> object:
    """GDAL's warper as it is called by default."""

    def run(hrefs: list[str], threads: int) -> Answer:
        import numpy as np
        import rasterio
        from rasterio.enums import Resampling
        from rasterio.warp import reproject

        transform, width, height = mercator(hrefs[0])

        def work() -> object:
            out = np.zeros((height, width), "uint16")
            with rasterio.open(hrefs[0], num_threads=threads) as source:
                grid = {"dst_transform": transform, "dst_crs": MERCATOR, "num_threads": threads}
                reproject(rasterio.band(source, 1), out, resampling=Resampling[method], **grid)
            return out

        return timed(work)

    return run


def reprojected_exactly(method: str) -> object:
    def run(hrefs: list[str], threads: int) -> Answer:
        import rasterio
        from rasterio.enums import Resampling
        from rasterio.vrt import WarpedVRT

        transform, width, height = mercator(hrefs[0])
        options = {"crs": MERCATOR, "transform": transform, "width": width, "height": height, "tolerance": 1e-9}

        def work() -> object:
            with (
                rasterio.Env(GDAL_NUM_THREADS=threads),
                rasterio.open(hrefs[0]) as source,
                WarpedVRT(source, resampling=Resampling[method], **options) as warped,
            ):
                return warped.read(1)

        return timed(work)

    return run


def resampling(method: str, difference: float) -> Journey:
    """Whose values may differ by so much from those of GDAL with exact positions."""
    contenders = {OURS: resampled(method), "gdal": reprojected(method), "gdal-exact": reprojected_exactly(method)}
    file = scenes.codec_file("deflate")
    return Journey(
        [file], contenders, [Goal("gdal", 1.0)], 0, {"gdal-exact": difference}, unchecked=("gdal",), exceptions=TIES
    )


JOURNEYS = {
    "chips": Journey(
        chip_files(),
        {OURS: chips, "tiles": tiles, "rasterio": rasterio_chips},
        [Goal("rasterio", 1 / 8), Goal("tiles", 1.2)],
        0,
        is_remote=True,
        peak_below="rasterio",
        unchecked=("tiles",),
    ),
    "median": Journey(
        median_files(),
        {OURS: median, "odc-stac": odc_median, "rasterio+numpy": rasterio_median},
        [Goal("odc-stac", 1 / 4), Goal("rasterio+numpy", 1 / 4)],
        SINGLE,
        is_remote=True,
        peak_below="odc-stac",
        environments={"odc-stac": "odc-stac"},
    ),
    "nearest": resampling("nearest", 0),
    # Halves are rounded.
    "bilinear": resampling("bilinear", 1),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--workload", nargs="+", choices=JOURNEYS, default=list(JOURNEYS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write all runs to this file")


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """The whole comparison; prints as it goes. Answers that differ end it."""
    results: list[dict[str, object]] = []
    with servers.http_server(WORK, LATENCY_MS) as server:
        for name in args.workload:
            for threads in args.threads:
                results += journeys.compare(name, server, threads, args.repeat, "benchmarks.grid", JOURNEYS)
    return results


if __name__ == "__main__":
    journeys.main(JOURNEYS)
