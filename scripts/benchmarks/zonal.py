"""Computes statistics of polygons with each reader, on one and two threads.

fields    10,000 hexagons 60 pixels across over one Sentinel-2 band, from disk
countries 50 outlines of 5,000 vertices, some 2,000 pixels across, over the same band
dense     200 hexagons inside 16 tiles
series    500 hexagons inside 16 tiles of each of 12 dates and 2 bands, over HTTP at 20 ms; this extension uses the query of
          docs/planning.md, "Many files at once"
masked    one year of cloud-free NDVI: 12 dates of B04, B08 and SCL at 20 m, 300 fields, over HTTP at 20 ms, as an aggregate with GROUP BY
masked-pixels  the same, as the mean of the NDVI of pixels
quantiles five quantiles of 10,000 hexagons over one Sentinel-2 band, from disk
classes   the classes of 10,000 hexagons and the share of each, from disk
vectors   the 64 bands of two rasters, planar and chunky, at 2,000 points, from disk
bands     all pixels of a raster of 1024 x 1024 pixels and 64 bands, as rows
lists     2,000 plots of 6 x 6 pixels on 24 scenes over HTTP at 20 ms: LISTs of hrefs, LISTs of STRUCTs with metadata, and rows of pairs
lists-100000  the same with 100,000 plots, without metadata in LISTs

Each reader runs in its own process with empty caches. Readers that use coverage fractions are compared with the default of this
extension, those that use pixel centres with `method: 'center'`. `limit` is the time of this extension for only the tiles, as in
`scripts/bench read`; the goal for `series` is this time plus one round trip.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import servers

from . import journeys, scenes
from .contenders import EXTENSION, peak_megabytes
from .read import CORNER, RASTERIO, SIDE, TIME_LIMIT_S, WORK

OURS = "rasteret-duckdb"
DATES, BANDS, LATENCY_MS = 12, 2, 20.0
WORKLOADS = {
    "fields": [scenes.SCENE],
    "countries": [scenes.SCENE],
    "dense": [scenes.SCENE],
    "series": [f"{date}-{band}/{scenes.SCENE}" for date in range(DATES) for band in range(BANDS)],
}
NAMES = [*WORKLOADS, *journeys.JOURNEYS]
STATISTICS = ("count", "mean", "min", "max", "stddev")

# Seconds, and rows of STATISTICS ordered by file and polygon.
Answer = tuple[float, object]


def rings(workload: str) -> object:
    """Returns the corners of the polygons, in the scene's CRS."""
    import numpy as np

    match workload:
        case "fields":
            return scenes.hexagons(10_000, (0, 0), scenes.SIZE)
        case "dense":
            return scenes.hexagons(200, CORNER, SIDE)
        case "series":
            return scenes.hexagons(500, CORNER, SIDE)
    generator = np.random.default_rng(5)
    angles = np.linspace(0, 2 * np.pi, 5001)
    outlines = []
    for _ in range(50):
        waves = sum(
            generator.uniform(-0.3, 0.3) / k * np.sin(k * angles + generator.uniform(0, 6)) for k in range(2, 40)
        )
        radius = generator.uniform(700, 1300) * np.clip(1 + waves, 0.2, None)
        ring = generator.uniform(1500, scenes.SIZE - 1500, 2) + radius[:, None] * np.column_stack(
            [np.cos(angles), np.sin(angles)]
        )
        ring[-1] = ring[0]
        outlines.append(ring)
    return np.array(outlines) * [scenes.PIXEL, -scenes.PIXEL] + [scenes.LEFT, scenes.TOP]


def rasteret_duckdb(workload: str, hrefs: list[str], threads: int, method: str = "coverage") -> Answer:
    """This extension, on a join of an index and the polygons."""
    import duckdb
    import numpy as np
    import shapely

    os.environ["RASTERET_THREADS"] = str(threads)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute(
        "CREATE TABLE scene AS SELECT i, href, cog_metadata(href) AS m "
        "FROM (SELECT unnest(range(len($1))) AS i, unnest($1) AS href)",
        [hrefs],
    )
    wkb = list(shapely.to_wkb(shapely.polygons(rings(workload))))
    connection.execute("CREATE TABLE plots AS SELECT unnest(range(len($1))) AS j, unnest($1) AS g", [wkb])
    stats = f"cog_zonal_stats(href, m, g, {{geometry_crs: 'native', method: '{method}'}})"
    joined = "pairs JOIN plots USING (j) JOIN scene USING (i)" if workload == "series" else "plots, scene"
    pairs = "WITH pairs AS MATERIALIZED (SELECT i, j FROM plots, scene ORDER BY j)" if workload == "series" else ""
    started = time.perf_counter()
    connection.execute(f"CREATE TEMP TABLE answer AS {pairs} SELECT i, j, {stats} AS z FROM {joined}")
    seconds = time.perf_counter() - started
    columns = connection.execute(
        f"SELECT {', '.join(f'z.{name}' for name in STATISTICS)} FROM answer ORDER BY i, j"
    ).fetchnumpy()
    return seconds, np.column_stack([columns[name] for name in STATISTICS])


def rasteret_center(workload: str, hrefs: list[str], threads: int) -> Answer:
    """This extension, by pixel centres."""
    return rasteret_duckdb(workload, hrefs, threads, "center")


def limit(workload: str, hrefs: list[str], threads: int) -> Answer:
    """This extension, reading only the tiles, with one polygon around all of them."""
    import duckdb

    os.environ["RASTERET_THREADS"] = str(threads)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute(
        "CREATE TABLE scene AS SELECT href, cog_metadata(href) AS m FROM (SELECT unnest($1) AS href)", [hrefs]
    )
    left, top = scenes.LEFT + CORNER[0] * scenes.PIXEL, scenes.TOP - CORNER[1] * scenes.PIXEL
    right, bottom = left + SIDE * scenes.PIXEL, top - SIDE * scenes.PIXEL
    if workload in ("fields", "countries"):
        left, top, right, bottom = scenes.LEFT, scenes.TOP, scenes.LEFT + 109800, scenes.TOP - 109800
    box = f"POLYGON(({left} {bottom}, {right} {bottom}, {right} {top}, {left} {top}, {left} {bottom}))"
    started = time.perf_counter()
    connection.execute(
        "CREATE TEMP TABLE answer AS SELECT cog_zonal_stats(href, m, $1, {geometry_crs: 'native'}) AS z FROM scene",
        [box],
    )
    return time.perf_counter() - started, None


def source_of(href: str) -> str:
    return f"/vsicurl/{href}" if href.startswith("http") else href


def side_by_side(work: Callable[[str], object], hrefs: list[str], threads: int) -> list[object]:
    """Processes files in threads, with GDAL's settings."""
    import rasterio

    def one(href: str) -> object:
        with rasterio.Env(**RASTERIO):
            return work(source_of(href))

    if threads == 1 or len(hrefs) == 1:
        return [one(href) for href in hrefs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, hrefs))


def exactextract(workload: str, hrefs: list[str], threads: int) -> Answer:
    """exactextract on a file. It has no threads of its own."""
    import geopandas
    import numpy as np
    import rasterio
    import shapely
    from exactextract import exact_extract

    frame = geopandas.GeoDataFrame(geometry=list(shapely.polygons(rings(workload))), crs=scenes.EPSG)
    names = ["count", "mean", "min", "max", "stdev"]

    def one(path: str) -> object:
        with rasterio.open(path) as source:
            return exact_extract(source, frame, names, output="pandas")[names].to_numpy("float64")

    started = time.perf_counter()
    tables = side_by_side(one, hrefs, threads)
    return time.perf_counter() - started, np.concatenate(tables)


def exactextract_array(workload: str, hrefs: list[str], threads: int) -> Answer:
    """exactextract on an array that rasterio has read completely."""
    import geopandas
    import numpy as np
    import rasterio
    import shapely
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    frame = geopandas.GeoDataFrame(geometry=list(shapely.polygons(rings(workload))), crs=scenes.EPSG)
    names = ["count", "mean", "min", "max", "stdev"]

    def one(path: str) -> object:
        with rasterio.open(path, num_threads=threads) as source:
            left, bottom, right, top = source.bounds
            raster = NumPyRasterSource(source.read(1), left, bottom, right, top, srs_wkt=source.crs.to_wkt())
        return exact_extract(raster, frame, names, output="pandas")[names].to_numpy("float64")

    started = time.perf_counter()
    tables = [one(source_of(href)) for href in hrefs]
    return time.perf_counter() - started, np.concatenate(tables)


def rasterstats(workload: str, hrefs: list[str], threads: int) -> Answer:
    """rasterstats, which uses pixel centres."""
    import numpy as np
    import shapely
    from rasterstats import zonal_stats

    polygons = list(shapely.polygons(rings(workload)))

    def one(path: str) -> object:
        found = zonal_stats(polygons, path, stats=["count", "mean", "min", "max", "std"], nodata=-1)
        return np.array([[row[name] for name in ("count", "mean", "min", "max", "std")] for row in found], "float64")

    started = time.perf_counter()
    tables = side_by_side(one, hrefs, threads)
    return time.perf_counter() - started, np.concatenate(tables)


def rasterio_mask(workload: str, hrefs: list[str], threads: int) -> Answer:
    """rasterio.mask and numpy."""
    import numpy as np
    import rasterio
    import shapely
    from rasterio.mask import raster_geometry_mask

    polygons = list(shapely.polygons(rings(workload)))

    def one(path: str) -> object:
        rows = []
        with rasterio.open(path, num_threads=1) as source:
            for polygon in polygons:
                outside, _, window = raster_geometry_mask(source, [polygon], crop=True)
                values = source.read(1, window=window)[~outside]
                rows.append((values.size, values.mean(), values.min(), values.max(), values.std()))
        return np.array(rows, "float64")

    started = time.perf_counter()
    tables = side_by_side(one, hrefs, threads)
    return time.perf_counter() - started, np.concatenate(tables)


CONTENDERS: dict[str, Callable[[str, list[str], int], Answer]] = {
    OURS: rasteret_duckdb,
    "rasteret-center": rasteret_center,
    "limit": limit,
    "exactextract": exactextract,
    "exactextract-array": exactextract_array,
    "rasterio": rasterio_mask,
    "rasterstats": rasterstats,
}
# Method -> contenders whose results must agree. exactextract stores coverage in single precision.
RULES = {
    "coverage": ((OURS, "exactextract", "exactextract-array"), 2e-6),
    "centres": (("rasteret-center", "rasterio", "rasterstats"), 1e-9),
}


def takes_part(contender: str, workload: str, threads: int) -> bool:
    """Whether a contender runs a workload. Contenders without threads run single files on one thread only."""
    if contender in ("exactextract", "rasterstats", "rasterio") and threads > 1:
        return workload == "series"
    # Reading whole images over HTTP is not compared; rasterstats would take minutes.
    return not (contender in ("exactextract-array", "rasterstats") and workload == "series")


def measure(contender: str, workload: str, hrefs: list[str], threads: int, rows: Path) -> dict[str, object]:
    """Runs a contender in a separate process, which writes its rows to a file."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zonal", "--run", contender, "--workload", workload]
    command += ["--threads", str(threads), "--rows", str(rows), *hrefs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        sys.exit(f"bench: {contender} failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", type=Path, help="also write all runs to this file")


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Runs the comparison and prints its results. Exits if results differ."""
    scenes.make(WORK, [scenes.SCENE])
    results: list[dict[str, object]] = []
    with servers.http_server(WORK) as server:
        urllib.request.urlopen(f"{server}/__latency?ms={LATENCY_MS}", timeout=10).close()
        for workload in args.workload:
            for threads in args.threads:
                if workload in journeys.JOURNEYS:
                    results += journeys.compare(workload, server, threads, args.repeat)
                    continue
                names = [name for name in args.contender if takes_part(name, workload, threads)]
                runs: dict[str, list[dict[str, object]]] = {name: [] for name in names}
                for turn in range(args.repeat):
                    for name in names:
                        over_http = workload == "series"
                        base = f"{server}/at/{name}-{threads}-{turn}-" if over_http else f"{WORK}/"
                        hrefs = [f"{base}{file}" for file in WORKLOADS[workload]]
                        runs[name].append(measure(name, workload, hrefs, threads, WORK / f"zonal-{name}.npy"))
                show(workload, threads, runs)
                results += [
                    {"contender": name, "workload": workload, "threads": threads, "runs": measured}
                    for name, measured in runs.items()
                ]
    return results


def show(workload: str, threads: int, runs: dict[str, list[dict[str, object]]]) -> None:
    """Prints one line per reader, and compares the results of each method."""
    import numpy as np

    medians = {name: statistics.median(float(run["seconds"]) for run in measured) for name, measured in runs.items()}
    for name, seconds in medians.items():
        peak = max(float(run["peak_mb"]) for run in runs[name])
        ours = medians.get("rasteret-center" if name in RULES["centres"][0] else OURS, seconds)
        print(
            f"{workload:10} {threads} thread(s)  {name:18} {seconds:8.4f} s {peak:6.0f} MB {seconds / ours:7.2f} times as long",
            flush=True,
        )
    for rule, (names, tolerance) in RULES.items():
        answers = {name: np.load(WORK / f"zonal-{name}.npy") for name in names if name in runs}
        for name, rows in answers.items():
            first = next(iter(answers.values()))
            # stddev may be small relative to the values, so its tolerance is relative to their size.
            if not np.allclose(rows, first, rtol=tolerance, atol=tolerance * np.abs(first[:, 3]).max()):
                sys.exit(f"bench: {workload}: by {rule}, the result of {name} differs from {next(iter(answers))}")


def main() -> None:
    """Runs one contender; prints a line of JSON and writes its rows to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", choices=CONTENDERS, required=True)
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("hrefs", nargs="+")
    args = parser.parse_args()
    seconds, rows = CONTENDERS[args.run](args.workload, args.hrefs, args.threads)
    peak_mb = peak_megabytes()
    if rows is not None:
        import numpy as np

        np.save(args.rows, rows)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
