"""Contenders for means of many small plots on 24 scenes, with different forms of the sources; see docs/planning.md.

Scenes have 484 tiles; all plots are inside of 16 tiles.
"""

from __future__ import annotations

from collections.abc import Callable

from . import scenes
from .common import NATIVE, Answer, add_polygons, connect, timed
from .read import CORNER, SIDE

SCENES, FEW, MANY = 24, 2_000, 100_000
# Vertices per outline; plots are six pixels across.
ACROSS = 6
Work = Callable[[list[str], int], Answer]


def files() -> list[str]:
    """Returns the paths of the files on the server."""
    return [f"{scene}/{scenes.SCENE}" for scene in range(SCENES)]


def answer(hrefs: list[str], threads: int, plots: int, query: str, is_cached: bool = False) -> Answer:
    """Runs a query on the tables `plots` (j, g) and `collection` (i, href, m); it must return the columns j and total."""
    connection = connect(threads)
    connection.execute(
        "CREATE TABLE collection AS SELECT i, href, cog_metadata(href) AS m FROM "
        f"(SELECT unnest(range({len(hrefs)})) AS i, unnest($1) AS href)",
        [hrefs],
    )
    add_polygons(connection, scenes.hexagons(plots, CORNER, SIDE, ACROSS))
    if is_cached:
        connection.execute("SELECT count(*) FROM (SELECT cog_cache_header(href, m) AS c FROM collection) WHERE c")
        assert connection.fetchone() == (len(hrefs),)
    taken, _ = timed(lambda: connection.execute(f"CREATE TEMP TABLE answer AS {query}"))
    return taken, connection.execute("SELECT total FROM answer ORDER BY j").fetchnumpy()["total"]


def of_lists(source: str) -> str:
    """Returns a query with one row per plot, with a LIST of all scenes."""
    statistics = f"cog_zonal_stats(list({source} ORDER BY i), any_value(g), {NATIVE})"
    return (
        f"SELECT j, list_sum(list_transform(z, lambda s: s.mean)) AS total FROM "
        f"(SELECT j, {statistics} AS z FROM plots, collection GROUP BY j)"
    )


def hrefs_of(plots: int) -> Work:
    """LISTs of hrefs, with headers in the header cache."""
    return lambda hrefs, threads: answer(hrefs, threads, plots, of_lists("href"), is_cached=True)


def structs_of(plots: int) -> Work:
    """LISTs of STRUCTs with the metadata."""
    return lambda hrefs, threads: answer(hrefs, threads, plots, of_lists("{href: href, metadata: m}"))


def pairs_of(plots: int) -> Work:
    """One row per plot and scene."""
    statistics = f"cog_zonal_stats(href, m, g, {NATIVE}).mean"
    query = f"SELECT j, sum(mean ORDER BY i) AS total FROM (SELECT j, i, {statistics} AS mean FROM plots, collection) GROUP BY j"
    return lambda hrefs, threads: answer(hrefs, threads, plots, query)
