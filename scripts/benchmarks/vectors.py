"""Contenders for rasters of 64 bands on disk: all bands at 2,000 points, and all pixels."""

from __future__ import annotations

from . import scenes
from .common import NATIVE, Answer, connect, opened, timed

POINTS = 2000
BANDS = list(range(scenes.EMBEDDING_BANDS))


def points() -> object:
    return scenes.points(POINTS, scenes.EMBEDDING_SIZE)


def table(hrefs: list[str], threads: int) -> object:
    """Returns a connection with an index of the files."""
    connection = connect(threads)
    connection.execute(
        "CREATE TABLE scene AS SELECT i, href, cog_metadata(href) AS m FROM "
        "(SELECT unnest(range(len($1))) AS i, unnest($1) AS href)",
        [hrefs],
    )
    return connection


def values(hrefs: list[str], threads: int) -> Answer:
    """One LIST per point."""
    import numpy as np

    connection = table(hrefs, threads)
    positions = points()
    data = {"x": positions[:, 0], "y": positions[:, 1], "j": np.arange(POINTS)}  # noqa: F841
    connection.execute("CREATE TABLE points AS SELECT j, x, y FROM data")
    call = f"cog_values(href, m, 'POINT(' || x || ' ' || y || ')', {NATIVE})"
    query = f"CREATE TEMP TABLE answer AS SELECT i, j, {call} AS v FROM points, scene"
    taken, _ = timed(lambda: connection.execute(query))
    rows = connection.execute("SELECT v FROM answer ORDER BY i, j").fetchall()
    return taken, np.array([row[0] for row in rows], "float64")


def sampled(hrefs: list[str], threads: int) -> Answer:
    """rasterio.sample, with all blocks in GDAL's cache."""
    import numpy as np

    def one(href: str) -> object:
        with opened(href) as source:
            return np.array(list(source.sample(points())), "float64")

    taken, rows = timed(lambda: [one(href) for href in hrefs])
    return taken, np.concatenate(rows)


def pixel_rows(hrefs: list[str], threads: int) -> Answer:
    """One row per pixel; all values are computed and discarded. The sums of bands are not timed."""
    import numpy as np

    connection = connect(threads)
    source = f"FROM cog_pixels('{hrefs[0]}', NULL, bands := {BANDS})"
    taken, _ = timed(lambda: connection.execute(f"SELECT count(values) {source}").fetchall())
    sums = ", ".join(f"sum(values[{band + 1}])" for band in BANDS)
    return taken, np.array(connection.execute(f"SELECT {sums} {source}").fetchone(), "float64")


def window(hrefs: list[str], threads: int) -> Answer:
    """`cog_read` of the bands."""
    import numpy as np

    connection = table(hrefs, threads)
    read = f"SELECT cog_read(href, m, NULL, {{bands: {BANDS}}}) AS r FROM scene"
    taken, _ = timed(lambda: connection.execute(f"SELECT octet_length(r.data) FROM ({read})").fetchall())
    (data,) = connection.execute(f"SELECT r.data FROM ({read})").fetchone()
    return taken, np.frombuffer(data, "int8").reshape(len(BANDS), -1).sum(1, dtype="int64").astype("float64")


def rasterio_read(hrefs: list[str], threads: int) -> Answer:
    """rasterio reads into an array."""
    import rasterio

    def read() -> object:
        with rasterio.open(hrefs[0], num_threads=threads) as source:
            return source.read()

    taken, image = timed(read)
    return taken, image.reshape(len(BANDS), -1).sum(1, dtype="int64").astype("float64")
