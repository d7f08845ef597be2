"""Reads the pixels of whole images, windows and points with each reader, on one and two threads, from disk and over HTTP at 20 ms.

Each reader runs in its own process with empty caches; the results are then compared. Only codecs (`image-...`) are measured by the median
of five reads, each of which opens the file again: the first read of 4096 x 4096 pixels spends a third of its time on page faults. This
extension uses an index; the time of other readers includes opening the files. `limit` is the time of this extension for only the distinct
tiles: the box of the 16 tiles, or the whole image. Peak memory is that of the process after reading, including the pixels.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import servers

from . import scenes
from .contenders import EXTENSION, peak_megabytes

WORK = servers.ROOT / "build" / "bench"
OURS = "rasteret-duckdb"
TIME_LIMIT_S = 1800
RASTERIO = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif", "VSI_CACHE": True,
            "GDAL_CACHEMAX": 512, "GDAL_INGESTED_BYTES_AT_OPEN": 32768}  # fmt: skip
# A square of 4 x 4 tiles, starting at the fifth row and column.
CORNER, SIDE = (2048, 2048), 2048

# Workload -> files to read.
WORKLOADS: dict[str, list[str]] = {
    **{f"image-{codec}": [scenes.codec_file(codec)] for codec in scenes.CODECS},
    "image": [scenes.SCENE],
    "windows": [scenes.SCENE],
    "spread": [scenes.SCENE],
    "points": [scenes.SCENE],
    "sorted": scenes.DATES,
}

# Number of reads of an image, to measure its codec.
TIMES = 5


@dataclass(frozen=True)
class Watch:
    """The cost of reading: seconds, and the peak memory of the process."""

    seconds: float
    peak_mb: float


# The cost of reading, and the arrays read, in the same order for all readers.
Answer = tuple[Watch, list[object]]


def watched(read: Callable[[], object], times: int = 1) -> tuple[Watch, object]:
    """Returns the median cost of several reads, and the result of the last one."""
    seconds, found = [], None
    for _ in range(times):
        found = None  # keeps one result at a time in memory
        started = time.perf_counter()
        found = read()
        seconds.append(time.perf_counter() - started)
    return Watch(statistics.median(seconds), peak_megabytes()), found


def times(workload: str) -> int:
    return TIMES if workload.startswith("image-") else 1


def shapes(workload: str) -> object:
    """Returns the corners of the hexagons."""
    return scenes.hexagons(200, CORNER, SIDE) if workload == "windows" else scenes.hexagons(200, (0, 0), scenes.SIZE)


def targets(workload: str) -> list[tuple[int, object]]:
    """Returns the positions of points by file."""
    if workload == "points":
        return [(0, scenes.points(1000, scenes.SIZE))]
    return [(file, scenes.points(1000, scenes.DATE_SIZE, file)) for file in range(len(scenes.DATES))]


def rasteret_duckdb(workload: str, hrefs: list[str], threads: int, limit: bool = False) -> Answer:
    """This extension, with an index in a table."""
    import duckdb
    import numpy as np

    os.environ["RASTERET_THREADS"] = str(threads)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute(
        "CREATE TABLE scene AS SELECT i, href, cog_metadata(href) AS m "
        "FROM (SELECT unnest(range(len($1))) AS i, unnest($1) AS href)",
        [hrefs],
    )
    native = "geometry_crs: 'native'"
    if workload.startswith("image") or limit and workload != "windows":
        # Reading pixels into DuckDB's memory is timed; their conversion to Python, for the comparison, is not.
        read = "(SELECT cog_read(href, m, NULL) AS r FROM scene)"
        image = connection.execute
        watch, _ = watched(lambda: image(f"SELECT octet_length(r.data) FROM {read}").fetchall(), times(workload))
        rows = connection.execute(f"SELECT r.data, r.height, r.width, r.dtype FROM {read}").fetchall()
        return watch, [np.frombuffer(data, dtype).reshape(h, w) for data, h, w, dtype in rows]
    if workload in ("windows", "spread"):
        x, y = (scenes.LEFT + CORNER[0] * scenes.PIXEL, scenes.TOP - CORNER[1] * scenes.PIXEL)
        side = SIDE * scenes.PIXEL
        box = np.array([[[x, y], [x + side, y], [x + side, y - side], [x, y - side], [x, y]]])
        wkt = [
            "POLYGON((" + ", ".join(f"{x!r} {y!r}" for x, y in ring.tolist()) + "))"
            for ring in (box if limit else shapes(workload))
        ]
        connection.execute("CREATE TABLE plots AS SELECT unnest(range(len($1))) AS j, unnest($1) AS g", [wkt])
        query = f"CREATE TEMP TABLE answer AS SELECT j, cog_read(href, m, g, {{{native}}}) AS r FROM plots, scene"
        watch, _ = watched(lambda: connection.execute(query))
        rows = connection.execute("SELECT r.data, r.height, r.width, r.dtype FROM answer ORDER BY j").fetchall()
        return watch, [np.frombuffer(data, dtype).reshape(h, w) for data, h, w, dtype in rows]
    connection.execute("CREATE TABLE points (i INTEGER, j INTEGER, x DOUBLE, y DOUBLE)")
    for file, positions in targets(workload):
        data = {"x": positions[:, 0], "y": positions[:, 1], "j": np.arange(len(positions))}  # noqa: F841
        connection.execute(f"INSERT INTO points SELECT {file}, j, x, y FROM data")
    value = f"cog_value(href, m, 'POINT(' || x || ' ' || y || ')', {{{native}}})"
    query = f"CREATE TEMP TABLE answer AS SELECT i, j, {value} AS v FROM points JOIN scene USING (i)"
    watch, _ = watched(lambda: connection.execute(query))
    values = connection.execute("SELECT v FROM answer ORDER BY i, j").fetchnumpy()["v"]
    return watch, [np.asarray(values, "float64")]


def limit(workload: str, hrefs: list[str], threads: int) -> Answer:
    """This extension, reading only the distinct tiles."""
    watch, _ = rasteret_duckdb(workload, hrefs, threads, limit=True)
    return watch, []


def rasterio_reads(workload: str, hrefs: list[str], threads: int) -> Answer:
    """rasterio with recommended settings: threads of GDAL for images, otherwise one dataset per thread."""
    import numpy as np
    import rasterio
    import shapely
    from rasterio.mask import mask

    paths = [f"/vsicurl/{href}" if href.startswith("http") else href for href in hrefs]
    local = threading.local()

    def dataset(path: str) -> object:
        known = local.__dict__.setdefault("datasets", {})
        if path not in known:
            known[path] = rasterio.open(path, num_threads=1)
        return known[path]

    def side_by_side(work: Callable[[object], object], items: list[object]) -> list[object]:
        def one(item: object) -> object:
            with rasterio.Env(**RASTERIO):
                return work(item)

        if threads == 1:
            return [one(item) for item in items]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, items))

    if workload.startswith("image"):

        def image() -> object:
            with rasterio.Env(**RASTERIO), rasterio.open(paths[0], num_threads=threads) as source:
                return source.read(1)

        watch, read = watched(image, times(workload))
        return watch, [read]
    if workload in ("windows", "spread"):
        polygons = list(shapely.polygons(shapes(workload)))

        def window(polygon: object) -> object:
            return mask(dataset(paths[0]), [polygon], crop=True, indexes=1, nodata=0)[0]

        return watched(lambda: side_by_side(window, polygons))
    # Sorted by rows of tiles, which is best for GDAL's block cache.
    jobs = []
    for file, positions in targets(workload):
        for part in np.array_split(np.lexsort(positions.T), threads):
            jobs.append((file, part, positions[part]))

    def sampled(job: tuple[int, object, object]) -> list[float]:
        return [value[0] for value in dataset(paths[job[0]]).sample(job[2])]

    watch, read = watched(lambda: side_by_side(sampled, jobs))
    values = [np.empty(len(positions)) for _, positions in targets(workload)]
    for (file, part, _), found in zip(jobs, read, strict=True):
        values[file][part] = found
    return watch, [np.concatenate(values)]


def python_rasteret(workload: str, hrefs: list[str], threads: int) -> Answer:
    """Python Rasteret over HTTP, the only source that it supports. Its index is built before; it sets its own number of threads."""
    import datetime
    import logging

    import pyarrow as pa
    import rasteret
    import shapely
    from obstore.store import HTTPStore
    from rasteret.cloud import ObstoreBackend
    from rasteret.fetch.cog import _OBSTORE_CLIENT_OPTIONS, _OBSTORE_RETRY_CONFIG

    logging.getLogger("rasteret").setLevel(logging.ERROR)
    server = "/".join(hrefs[0].split("/")[:3])
    store = HTTPStore.from_url(
        f"{server}/",
        client_options={**_OBSTORE_CLIENT_OPTIONS, "allow_http": "true"},
        retry_config=_OBSTORE_RETRY_CONFIG,
    )
    backend = ObstoreBackend(store, url_prefix=f"{server}/")
    footprint = shapely.to_wkb(shapely.box(2.9, 40.0, 4.5, 41.7))
    table = pa.table(
        {
            "id": [f"r{index}" for index in range(len(hrefs))],
            "datetime": pa.array(
                [datetime.datetime(2024, 1, 1 + index) for index in range(len(hrefs))], pa.timestamp("us")
            ),
            "geometry": pa.array([footprint] * len(hrefs), pa.binary()),
            "assets": pa.array([{"B04": {"href": href, "band_index": 0}} for href in hrefs]),
        }
    )
    collection = rasteret.build_from_table(table, enrich_cog=True, backend=backend)
    if workload in ("windows", "spread"):
        polygons = list(shapely.polygons(shapes(workload)))
        watch, frame = watched(lambda: collection.get_gdf(polygons, ["B04"], geometry_crs=scenes.EPSG, backend=backend))
        return watch, list(frame.sort_values("geometry_id")["data"])
    (_, positions) = targets(workload)[0]
    points = pa.table({"x": positions[:, 0], "y": positions[:, 1]})
    columns = {"x_column": "x", "y_column": "y", "geometry_crs": scenes.EPSG}
    watch, found = watched(lambda: collection.sample_points(points, ["B04"], backend=backend, **columns))
    return watch, [found.sort_by("point_index")["value"].to_numpy().astype("float64")]


def async_geotiff(workload: str, hrefs: list[str], threads: int) -> Answer:
    """async-geotiff on obstore. It sets its own number of decoding threads."""
    import numpy as np
    from async_geotiff import GeoTIFF
    from obstore.store import HTTPStore, LocalStore

    if hrefs[0].startswith("http"):
        server, path = "/".join(hrefs[0].split("/")[:3]), "/".join(hrefs[0].split("/")[3:])
        store = HTTPStore.from_url(f"{server}/", client_options={"allow_http": "true"})
    else:
        store, path = LocalStore(), hrefs[0].lstrip("/")

    async def read() -> object:
        source = await GeoTIFF.open(path, store=store)
        return (await source.read()).data

    watch, data = watched(lambda: asyncio.run(read()), times(workload))
    return watch, [np.asarray(data)[0]]


CONTENDERS: dict[str, Callable[[str, list[str], int], Answer]] = {
    OURS: rasteret_duckdb,
    "limit": limit,
    "rasterio": rasterio_reads,
    "python-rasteret": python_rasteret,
    "async-geotiff": async_geotiff,
}


def takes_part(contender: str, workload: str, over_http: bool, threads: int) -> bool:
    """Python Rasteret reads windows and points over HTTP, async-geotiff reads images; the threads of both are fixed."""
    match contender:
        case "python-rasteret":
            return over_http and workload in ("windows", "spread", "points") and threads == max_threads()
        case "async-geotiff":
            return workload.startswith("image") and threads == max_threads()
        case "limit":
            return workload in ("windows", "points")
    return True


def max_threads() -> int:
    return os.cpu_count() or 1


def measure(contender: str, workload: str, hrefs: list[str], threads: int) -> dict[str, object]:
    """Runs a contender in a separate process; values are None if it fails."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.read", "--run", contender, "--workload", workload]
    done = subprocess.run(
        [*command, "--threads", str(threads), *hrefs],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no answer"}
    return json.loads(done.stdout.splitlines()[-1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--latency", type=float, nargs="+", default=[-1, 20], metavar="MS", help="-1: from disk")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", type=Path, help="also write all runs to this file")


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Runs the comparison and prints its results. Exits if results differ, except for lossy codecs."""
    scenes.make(WORK, [name for workload in args.workload for name in WORKLOADS[workload]])
    results: list[dict[str, object]] = []
    with servers.http_server(WORK) as server:
        for workload in args.workload:
            for latency in args.latency:
                over_http = latency >= 0
                if over_http and workload.startswith("image-"):
                    continue  # codecs are only measured from disk
                if over_http:
                    urllib.request.urlopen(f"{server}/__latency?ms={latency}", timeout=10).close()
                for threads in args.threads:
                    names = [name for name in args.contender if takes_part(name, workload, over_http, threads)]
                    runs: dict[str, list[dict[str, object]]] = {name: [] for name in names}
                    for turn in range(args.repeat):
                        for name in names:
                            base = f"{server}/at/{name}-{threads}-{turn}" if over_http else str(WORK)
                            hrefs = [f"{base}/{file}" for file in WORKLOADS[workload]]
                            if over_http:
                                servers.reset(server)
                            run = measure(name, workload, hrefs, threads)
                            runs[name].append(run | (servers.stats(server) if over_http else {}))
                    where = f"{latency:.0f} ms" if over_http else "disk"
                    results += show(workload, where, threads, runs)
    return results


def show(workload: str, where: str, threads: int, runs: dict[str, list[dict[str, object]]]) -> list[dict[str, object]]:
    """Prints one line per reader."""
    medians: dict[str, float] = {}
    for name, measured in runs.items():
        if fault := next((run["failed"] for run in measured if "failed" in run), None):
            print(f"{workload:20} {where:>6} {threads} thread(s)  {name:16} failed: {fault}", flush=True)
            continue
        medians[name] = statistics.median(float(run["seconds"]) for run in measured)
        peak = max(float(run["peak_mb"]) for run in measured)
        requests = (
            f"{measured[-1]['requests']:5.0f} requests {measured[-1]['bytes'] / 1e6:7.1f} MB"
            if "requests" in measured[-1]
            else ""
        )
        ratio = f"{medians[name] / medians[OURS]:6.2f} times as long" if OURS in medians else ""
        print(
            f"{workload:20} {where:>6} {threads} thread(s)  {name:16} {medians[name]:8.4f} s {peak:6.0f} MB {requests} {ratio}",
            flush=True,
        )
    digests = {run["digest"] for measured in runs.values() for run in measured if run.get("digest")}
    lossy = any(codec == workload.removeprefix("image-") for codec in scenes.LOSSY)
    if len(digests) > 1 and not lossy:
        sys.exit(f"bench: {workload}: the readers read different values")
    return [
        {"contender": name, "workload": workload, "where": where, "threads": threads, "runs": measured}
        for name, measured in runs.items()
    ]


def main() -> None:
    """Runs one contender and prints a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", choices=CONTENDERS, required=True)
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("hrefs", nargs="+")
    args = parser.parse_args()
    watch, arrays = CONTENDERS[args.run](args.workload, args.hrefs, args.threads)
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode() + array.tobytes())
    print(json.dumps({**asdict(watch), "digest": digest.hexdigest() if arrays else None}))


if __name__ == "__main__":
    main()
