"""Contenders that read the headers of N distinct URLs.

`python -m benchmarks.contenders NAME --server URL --file F --count N --tag T` prints one line of JSON: seconds, the process's
peak memory in MB, and the server's counters. Preparation (imports, the table of URLs) is not timed.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import servers

EXTENSION = servers.ROOT / "build" / "release" / "rasteret.duckdb_extension"
CONCURRENCY = 300
FIRST_BYTES = 32 * 1024
RASTERIO_THREADS = 32

Work = Callable[[], int]


def urls(server: str, file: str, count: int, tag: str) -> list[str]:
    """Returns distinct URLs of one file."""
    return [f"{server}/at/{tag}-{index:06d}/{file}" for index in range(count)]


def rasteret_duckdb(server: str, hrefs: list[str]) -> Work:
    """This extension: a table with a metadata column."""
    import duckdb

    directory = tempfile.mkdtemp(prefix="rasteret-bench-")
    items = f"{directory}/items.parquet"
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute(
        f"COPY (SELECT 'r' || i AS id, TIMESTAMP '2024-01-01' AS datetime, {{B04: {{href: href}}}} AS assets "
        f"FROM (SELECT unnest(range({len(hrefs)})) AS i, unnest($1) AS href)) TO '{items}' (FORMAT parquet)",
        [hrefs],
    )

    def work() -> int:
        # A table in memory, as in Python Rasteret: no contender writes a file.
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE collection AS FROM rasteret_enrich('{items}', bands := ['B04'])"
        )
        (found,) = connection.execute(
            "SELECT count(*) FROM collection WHERE B04_metadata.image_width > 0 AND rasteret_error IS NULL"
        ).fetchone()
        return found

    return work


def python_rasteret(server: str, hrefs: list[str]) -> Work:
    """Python Rasteret with default settings, except for a store that accepts plain HTTP."""
    import logging

    import pyarrow as pa
    import rasteret
    import shapely
    from obstore.store import HTTPStore
    from rasteret.cloud import ObstoreBackend
    from rasteret.fetch.cog import _OBSTORE_CLIENT_OPTIONS, _OBSTORE_RETRY_CONFIG

    logging.getLogger("rasteret").setLevel(logging.ERROR)
    store = HTTPStore.from_url(
        f"{server}/",
        client_options={**_OBSTORE_CLIENT_OPTIONS, "allow_http": "true"},
        retry_config=_OBSTORE_RETRY_CONFIG,
    )
    backend = ObstoreBackend(store, url_prefix=f"{server}/")
    count = len(hrefs)
    footprint = shapely.to_wkb(shapely.box(3.0, 40.5, 3.1, 40.6))
    table = pa.table(
        {
            "id": [f"r{index}" for index in range(count)],
            "datetime": pa.array([datetime.datetime(2024, 1, 1)] * count, pa.timestamp("us")),
            "geometry": pa.array([footprint] * count, pa.binary()),
            "assets": pa.array([{"B04": {"href": href, "band_index": 0}} for href in hrefs]),
        }
    )

    def work() -> int:
        collection = rasteret.build_from_table(table, enrich_cog=True, backend=backend, max_concurrent=CONCURRENCY)
        return collection.dataset.count_rows()

    return work


def obstore_get(server: str, hrefs: list[str]) -> Work:
    """One GET of the first 32 KiB per URL, without processing: the lower limit of a reader in Python."""
    import obstore
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(f"{server}/", client_options={"allow_http": "true"})
    paths = [href.removeprefix(f"{server}/") for href in hrefs]

    async def get_all() -> int:
        limit = asyncio.Semaphore(CONCURRENCY)

        async def get(path: str) -> int:
            async with limit:
                return len(await obstore.get_range_async(store, path, start=0, length=FIRST_BYTES))

        return sum(size > 0 for size in await asyncio.gather(*map(get, paths)))

    return lambda: asyncio.run(get_all())


def rasterio_open(server: str, hrefs: list[str]) -> Work:
    """rasterio.open through /vsicurl in 32 threads, with the recommended settings."""
    import rasterio

    settings = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
        "VSI_CACHE": True,
    }

    def size(href: str) -> int:
        with rasterio.Env(**settings), rasterio.open(f"/vsicurl/{href}") as dataset:
            return dataset.width

    def work() -> int:
        with ThreadPoolExecutor(RASTERIO_THREADS) as pool:
            return sum(width > 0 for width in pool.map(size, hrefs))

    return work


CONTENDERS: dict[str, Callable[[str, list[str]], Work]] = {
    "rasteret-duckdb": rasteret_duckdb,
    "python-rasteret": python_rasteret,
    "obstore-get": obstore_get,
    "rasterio": rasterio_open,
}


def peak_megabytes() -> float:
    """Returns the peak resident size of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    # On Linux, ru_maxrss starts with the size of the parent process.
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--server", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--tag", required=True)
    args = parser.parse_args()
    work = CONTENDERS[args.contender](args.server, urls(args.server, args.file, args.count, args.tag))
    before = peak_megabytes()
    servers.reset(args.server)
    started = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - started
    if found != args.count:
        sys.exit(f"{args.contender}: expected {args.count} headers, found {found}")
    measured = {"seconds": seconds, "peak_mb": peak_megabytes(), "idle_mb": before, **servers.stats(args.server)}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
