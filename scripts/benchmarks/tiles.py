"""Compares map tiles of `cog_map_tile` with those of rio-tiler: tiles per second in one process, one tile after the other.

    python -m benchmarks.tiles [--extension build/release/rasteret.duckdb_extension] [--tiles 200] [--scenes 10] [--latency-ms 20] [--repeat 3]

Runs in the environment `pictures`, with PYTHONPATH=scripts. The tiles are those of random places and zooms of scenes with three bands, under
one URL for each scene. Both make a PNG. The index of the extension has the headers; rio-tiler opens a file for each tile, with the settings of
GDAL that its documentation recommends. `all` draws all tiles in one query, as a server does for concurrent requests. The contenders take turns in
processes of their own; medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import servers

WORK = servers.ROOT / "build" / "bench" / "tiles"
CONTENDERS = ("rio-tiler", "cog_map_tile", "all")
SIZE, FILE = 8192, "scene.tif"
GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
    "GDAL_CACHEMAX": 200,
    "CPL_VSIL_CURL_CACHE_SIZE": 200000000,
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": 5000000,
}

Tile = tuple[str, int, int, int]


def make_scene() -> None:
    """A scene of three bands, like the true colour image of Sentinel-2."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    path = WORK / FILE
    if path.is_file():
        return
    WORK.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(1)
    coarse = generator.integers(300, 4000, (3, SIZE // 64, SIZE // 64))
    pixels = np.kron(coarse, np.ones((1, 64, 64))).astype("uint16") + generator.integers(
        0, 60, (3, SIZE, SIZE), "uint16"
    )
    profile = {"width": SIZE, "height": SIZE, "count": 3, "dtype": "uint16", "nodata": 0, "crs": "EPSG:32631"}
    options = {
        "compress": "deflate",
        "predictor": 2,
        "blocksize": 512,
        "transform": from_origin(500000, 4600000, 10, 10),
    }
    partial = path.with_suffix(".partial")
    with rasterio.open(partial, "w", driver="COG", **profile, **options) as target:
        target.write(pixels)
    partial.replace(path)


def tiles_of(server: str, count: int, scenes: int) -> list[Tile]:
    """Random tiles of random scenes, from the whole scene to its full resolution."""
    import random

    import morecantile

    web_mercator = morecantile.tms.get("WebMercatorQuad")
    chance = random.Random(7)
    tiles = []
    for _ in range(count):
        at = web_mercator.tile(chance.uniform(3.02, 3.9), chance.uniform(40.85, 41.5), chance.randint(8, 14))
        tiles.append((f"{server}/at/scene{chance.randrange(scenes)}/{FILE}", at.z, at.x, at.y))
    return tiles


def rio_tiler(tiles: list[Tile]) -> list[bytes]:
    """PNGs of rio-tiler."""
    import rasterio
    from rio_tiler.io import Reader

    pictures = []
    with rasterio.Env(**GDAL):
        for href, zoom, x, y in tiles:
            with Reader(href) as reader:
                image = reader.tile(
                    x, y, zoom, indexes=(1, 2, 3), resampling_method="bilinear", reproject_method="bilinear"
                )
            image.rescale(((0, 4000),))
            pictures.append(image.render(img_format="PNG"))
    return pictures


def rasteret(extension: Path, tiles: list[Tile], together: bool) -> tuple[float, list[bytes]]:
    """Seconds and PNGs of the extension, with an index that is made before."""
    import duckdb

    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{extension}'")
    database.execute("CREATE TABLE tiles (number INTEGER, href VARCHAR, z INTEGER, x INTEGER, y INTEGER)")
    database.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?, ?)", [(at, *tile) for at, tile in enumerate(tiles)])
    database.execute(
        "CREATE TABLE scenes AS SELECT href, cog_metadata(href) AS metadata FROM (SELECT DISTINCT href FROM tiles)"
    )
    options = "{bands: [0, 1, 2], range: [0, 4000]}"
    started = time.perf_counter()
    if together:
        sql = f"SELECT cog_map_tile(href, metadata, z, x, y, {options}) FROM tiles JOIN scenes USING (href) ORDER BY number"
        pictures = [row[0] for row in database.execute(sql).fetchall()]
    else:
        sql = f"SELECT cog_map_tile(href, metadata, $2, $3, $4, {options}) FROM scenes WHERE href = $1"
        pictures = [database.execute(sql, tile).fetchone()[0] for tile in tiles]
    return time.perf_counter() - started, pictures


def measure(args: argparse.Namespace) -> dict[str, float]:
    """A run of one contender."""
    tiles = tiles_of(args.server, args.tiles, args.scenes)
    if args.contender == "rio-tiler":
        started = time.perf_counter()
        pictures = rio_tiler(tiles)
        seconds = time.perf_counter() - started
    else:
        seconds, pictures = rasteret(args.extension, tiles, args.contender == "all")
    assert all(picture[1:4] == b"PNG" for picture in pictures)
    return {"seconds": seconds, "bytes": sum(map(len, pictures))}


def compare(args: argparse.Namespace) -> None:
    """All runs."""
    make_scene()
    with servers.http_server(WORK, args.latency_ms) as server:
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        words = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in ("extension", "tiles", "scenes")]
        for _ in range(args.repeat):
            for name in CONTENDERS:
                servers.reset(server)
                command = [sys.executable, "-m", "benchmarks.tiles", "--server", server, "--contender", name, *words]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
                runs[name].append({**json.loads(done.stdout), **servers.stats(server)})
    rates = {name: args.tiles / statistics.median(run["seconds"] for run in found) for name, found in runs.items()}
    for name, found in runs.items():
        each = f"{found[-1]['bytes'] / args.tiles / 1000:.0f} kB" if "bytes" in found[-1] else ""
        requests = found[-1]["requests"] / args.tiles
        ratio = f"{rates[name] / rates['rio-tiler']:.1f} times rio-tiler"
        print(f"{name:14}{rates[name]:8.1f} tiles/s  {requests:5.2f} requests and {each} a tile  {ratio}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = servers.ROOT / "build" / "release" / "rasteret.duckdb_extension"
    parser.add_argument("--extension", type=Path, default=release)
    parser.add_argument("--tiles", type=int, default=200)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contender:
        print(json.dumps(measure(args)))
    else:
        compare(args)


if __name__ == "__main__":
    main()
