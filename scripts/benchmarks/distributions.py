"""Contenders for quantiles and classes of 10,000 hexagons, 60 pixels across, in one scene on disk."""

from __future__ import annotations

from . import scenes
from .common import Answer, Taken, add_polygons, array_source, connect, frame_of, opened, timed

PLOTS = 10_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CLASSES = 12


def plots() -> object:
    return scenes.hexagons(PLOTS, (0, 0), scenes.SIZE)


def tables(hrefs: list[str], threads: int) -> object:
    """Returns a connection with the plots and an index of the scene."""
    connection = connect(threads)
    connection.execute(
        "CREATE TABLE scene AS SELECT href, cog_metadata(href) AS m FROM (SELECT unnest($1) AS href)", [hrefs]
    )
    add_polygons(connection, plots())
    return connection


def quantiles(hrefs: list[str], threads: int) -> Answer:
    """One LIST per plot."""
    import numpy as np

    connection = tables(hrefs, threads)
    call = f"cog_zonal_quantiles(href, m, g, {list(QUANTILES)}, {{geometry_crs: 'native'}})"
    taken, _ = timed(lambda: connection.execute(f"CREATE TEMP TABLE answer AS SELECT j, {call} AS q FROM plots, scene"))
    rows = connection.execute("SELECT q FROM answer ORDER BY j").fetchall()
    return taken, np.array([row[0] for row in rows], "float64")


def classes(hrefs: list[str], threads: int) -> Answer:
    """One LIST of classes per plot."""
    import numpy as np

    connection = tables(hrefs, threads)
    call = "cog_zonal_classes(href, m, g, {geometry_crs: 'native'})"
    taken, _ = timed(lambda: connection.execute(f"CREATE TEMP TABLE answer AS SELECT j, {call} AS c FROM plots, scene"))
    shares = np.zeros((PLOTS, CLASSES))
    for plot, value, fraction in connection.execute(
        "SELECT j, c.value::INTEGER, c.fraction FROM (SELECT j, unnest(c) AS c FROM answer)"
    ).fetchall():
        shares[plot, value] = fraction
    return taken, shares


def exact(hrefs: list[str], operations: list[str], is_array: bool) -> tuple[Taken, object]:
    """Runs exactextract on the file, or on an array that rasterio has read completely."""
    from exactextract import exact_extract

    frame = frame_of(plots())

    def work() -> object:
        with opened(hrefs[0]) as source:
            # Quantiles of integers would be truncated.
            raster = array_source(source.read(1).astype("float32"), scenes.LEFT, scenes.TOP) if is_array else source
            return exact_extract(raster, frame, operations, output="pandas")

    return timed(work)


def exact_quantiles(hrefs: list[str], threads: int, is_array: bool = False) -> Answer:
    """exactextract on the file."""
    taken, table = exact(hrefs, [f"quantile(q={quantile})" for quantile in QUANTILES], is_array)
    return taken, table[[f"quantile_{round(quantile * 100)}" for quantile in QUANTILES]].to_numpy("float64")


def exact_quantiles_array(hrefs: list[str], threads: int) -> Answer:
    """exactextract on an array."""
    return exact_quantiles(hrefs, threads, is_array=True)


def exact_classes(hrefs: list[str], threads: int, is_array: bool = False) -> Answer:
    """exactextract on the file."""
    import numpy as np

    taken, table = exact(hrefs, ["unique", "frac"], is_array)
    shares = np.zeros((PLOTS, CLASSES))
    for plot, (values, fractions) in enumerate(zip(table["unique"], table["frac"], strict=True)):
        shares[plot, np.asarray(values, int)] = fractions
    return taken, shares


def exact_classes_array(hrefs: list[str], threads: int) -> Answer:
    """exactextract on an array."""
    return exact_classes(hrefs, threads, is_array=True)
