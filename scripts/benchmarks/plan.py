"""Finds the tiles that contain the pixels of N hexagons: this extension, numpy + pyproj + shapely, and DuckDB's spatial extension.

The hexagons are in longitude and latitude, 60 pixels across, at random locations of a Sentinel-2 grid in UTM (10980 pixels, tiles of 512).
Each contender runs on one thread in its own process, starting from WKB in its own kind of table. The timed part ends with the number of
tiles; the tiles are then compared for each hexagon. CPU time is measured, so that other load does not count. This extension is
also timed on grids with more tiles, together with the same query without geometries, which is the cost of DuckDB's join of the
hexagons and the raster: it copies the metadata of the raster for every vector.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import servers
import venvs

EXTENSION = servers.ROOT / "build" / "release" / "rasteret.duckdb_extension"
WORK = servers.ROOT / "build" / "bench"
TIME_LIMIT_S = 3600

SIZE, TILE, PIXEL = 10980, 512, 10.0
LEFT, TOP, EPSG = 500_000.0, 4_600_000.0, 32631
# Number of tiles over the same area -> sizes of the image and of a tile, to measure the cost of larger rasters.
GRIDS = {484: (10980, 512), 6_400: (20480, 256), 1_000_000: (256_000, 256)}
OURS = "rasteret-duckdb"


@dataclass(frozen=True)
class Answer:
    """The result of a contender and its CPU seconds."""

    found: int
    seconds: float
    tiles: list[list[int]]
    # CPU seconds of the same query without geometries.
    join_seconds: float | None = None


def seconds() -> float:
    """Returns the CPU seconds of this process."""
    return time.process_time()


def hexagons(count: int, tiles: int) -> Path:
    """Returns a Parquet file with `i` and `geometry`: WKB in longitude and latitude, 60 pixels across."""
    path = WORK / f"hexagons-{count}-{tiles}.parquet"
    if path.exists():
        return path
    import numpy as np
    import pyarrow.parquet
    import pyproj
    import shapely

    generator = np.random.default_rng(0)
    size, _ = GRIDS[tiles]
    pixel = SIZE * PIXEL / size
    centres = generator.uniform(0, size, (count, 1, 2))
    angles = np.arange(7) * np.pi / 3
    corners = centres + 30 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    corners[:, 6] = corners[:, 0]
    to_degrees = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    x, y = to_degrees.transform(LEFT + corners[..., 0] * pixel, TOP - corners[..., 1] * pixel)
    rings = np.stack([x, y], axis=-1)
    rings[:, 6] = rings[:, 0]
    wkb = pyarrow.array(shapely.to_wkb(shapely.polygons(rings)), pyarrow.binary())
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({"i": np.arange(count), "geometry": wkb}), path)
    return path


def metadata(tiles: int) -> str:
    """Returns the metadata STRUCT of a raster over the area, as SQL."""
    size, tile = GRIDS[tiles]
    pixel = SIZE * PIXEL / size
    return (
        f"{{image_width: {size}, image_height: {size}, tile_width: {tile}, tile_height: {tile}, dtype: 'uint16', "
        f"transform: [{pixel!r}, 0.0, {LEFT}, 0.0, -{pixel!r}, {TOP}], predictor: 2, compression: 'deflate', "
        f"tile_offsets: list_transform(range({tiles}), lambda k: 1000 + 500 * k), "
        f"tile_byte_counts: list_transform(range({tiles}), lambda k: 400::INTEGER), crs: 'EPSG:{EPSG}'}}"
    )


def duckdb_connection() -> object:
    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 1})
    connection.execute(f"LOAD '{EXTENSION}'")
    return connection


def rasteret_duckdb(path: Path, tiles: int) -> Answer:
    """This extension, on a join of one raster and its hexagons."""
    connection = duckdb_connection()
    connection.execute(f"CREATE TABLE raster AS SELECT {metadata(tiles)} AS m")
    connection.execute(f"CREATE TABLE hexagons AS FROM '{path}'")
    plan = "cog_tiles_for_geometry(m, geometry)"
    connection.execute(f"SELECT {plan} FROM raster, (FROM hexagons LIMIT 1)").fetchall()  # loads the CRS tables
    started = seconds()
    (found,) = connection.execute(f"SELECT sum(len({plan})) FROM hexagons, raster").fetchone()
    planned = seconds()
    connection.execute(
        "SELECT count(cog_tiles_for_geometry(m, nullif(geometry, geometry))) FROM hexagons, raster"
    ).fetchone()
    joined = seconds()
    lists = connection.execute(f"SELECT [t.tile_index for t in {plan}] FROM hexagons, raster ORDER BY i").fetchall()
    return Answer(found, planned - started, [row[0] for row in lists], joined - planned)


def duckdb_spatial(path: Path, tiles: int) -> Answer:
    """Every tile as a polygon, joined with the transformed hexagons."""
    import duckdb_extension_spatial

    connection = duckdb_connection()
    extension = next(Path(duckdb_extension_spatial.__path__[0]).rglob("spatial.duckdb_extension"))
    connection.execute(f"LOAD '{extension}'")
    size, tile = GRIDS[tiles]
    across, pixel = -(-size // tile), SIZE * PIXEL / size
    connection.execute(f"CREATE TABLE hexagons AS SELECT i, ST_GeomFromWKB(geometry) AS geometry FROM '{path}'")
    connection.execute(
        f"CREATE TABLE tiles AS SELECT r * {across} + c AS tile_index, ST_MakeEnvelope({LEFT} + c * {tile * pixel}, "
        f"{TOP} - least((r + 1) * {tile}, {size}) * {pixel}, {LEFT} + least((c + 1) * {tile}, {size}) * {pixel}, "
        f"{TOP} - r * {tile * pixel}) AS box FROM range({across}) rows(r), range({across}) columns(c)"
    )
    join = (
        f"(SELECT i, ST_Transform(geometry, 'EPSG:4326', 'EPSG:{EPSG}', always_xy := true) AS geometry FROM hexagons) h "
        "JOIN tiles ON ST_Intersects(h.geometry, box)"
    )
    inside = "ST_Area(ST_Intersection(h.geometry, box)) > 0"
    started = seconds()
    (found,) = connection.execute(f"SELECT count(*) FROM {join} WHERE {inside}").fetchone()
    ended = seconds()
    rows = connection.execute(
        f"SELECT i, list(tile_index ORDER BY tile_index) FROM {join} WHERE {inside} GROUP BY i ORDER BY i"
    )
    return Answer(found, ended - started, [row[1] for row in rows.fetchall()])


def python(path: Path, tiles: int) -> Answer:
    """numpy, pyproj and shapely on whole arrays; only hexagons whose bounding box intersects several tiles are compared with them."""
    import numpy as np
    import pyarrow.parquet
    import pyproj
    import shapely

    wkb = pyarrow.parquet.read_table(path)["geometry"].to_numpy(zero_copy_only=False)
    size, tile = GRIDS[tiles]
    across, pixel = -(-size // tile), SIZE * PIXEL / size
    to_utm = pyproj.Transformer.from_crs(4326, EPSG, always_xy=True)
    to_utm.transform(3.0, 41.0)

    started = seconds()
    shapes = shapely.from_wkb(wkb)
    coordinates = shapely.get_coordinates(shapes)
    x, y = to_utm.transform(coordinates[:, 0], coordinates[:, 1])
    pixels = shapely.set_coordinates(shapes, np.column_stack([(x - LEFT) / pixel, (TOP - y) / pixel]))
    bounds = shapely.bounds(pixels)
    first = np.maximum(np.floor(bounds[:, :2] / tile), 0).astype(int)
    last = np.minimum(np.ceil(bounds[:, 2:] / tile) - 1, across - 1).astype(int)
    last = np.where(bounds[:, 2:] > size, across - 1, last)
    spans = np.maximum(last - first + 1, 0)
    counts = spans[:, 0] * spans[:, 1]
    shape = np.repeat(np.arange(len(shapes)), counts)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    col = first[shape, 0] + nth % np.maximum(spans[shape, 0], 1)
    row = first[shape, 1] + nth // np.maximum(spans[shape, 0], 1)
    kept = np.ones(len(shape), bool)
    several = np.flatnonzero(
        (counts[shape] > 1) | (bounds[shape, 2:].max(axis=1) > size) | (bounds[shape, :2].min(axis=1) < 0)
    )
    ends = np.minimum((col[several] + 1) * tile, size), np.minimum((row[several] + 1) * tile, size)
    boxes = shapely.box(col[several] * tile, row[several] * tile, *ends)
    # If the interiors intersect, the shared area is positive; this takes a third of the time of computing the intersection.
    kept[several] = shapely.relate_pattern(pixels[shape[several]], boxes, "T********")
    index, shape = (row * across + col)[kept], shape[kept]
    found = len(index)
    ended = seconds()
    edges = np.searchsorted(shape, np.arange(len(shapes) + 1))
    return Answer(found, ended - started, [index[a:b].tolist() for a, b in zip(edges[:-1], edges[1:])])


CONTENDERS: dict[str, Callable[[Path, int], Answer]] = {
    OURS: rasteret_duckdb,
    "python": python,
    "duckdb-spatial": duckdb_spatial,
}
# PyPI has the spatial extension for one host only.
ENVIRONMENTS = {"duckdb-spatial": "host-1.5.5"}


def measure(contender: str, path: Path, tiles: int) -> dict[str, object]:
    """Runs a contender in a separate process."""
    interpreter = sys.executable
    if name := ENVIRONMENTS.get(contender):
        interpreter = str(venvs.ensure([name])[name])
    command = [interpreter, "-m", "benchmarks.plan", "--run", contender, "--hexagons", str(path), "--tiles", str(tiles)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        sys.exit(f"bench: {contender} failed")
    return json.loads(done.stdout.splitlines()[-1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", type=Path, help="also write all runs to this file")


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Runs the comparison and prints its results. Exits if results differ."""
    path = hexagons(args.rows, 484)
    results: list[dict[str, object]] = []
    medians: dict[str, float] = {}
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in args.contender}
    for _ in range(args.repeat):
        for name in args.contender:
            runs[name].append(measure(name, path, 484))
    for name, measured in runs.items():
        medians[name] = statistics.median(float(run["seconds"]) for run in measured)
        last = measured[-1]
        print(
            f"484 tiles  {name:15} {medians[name]:8.3f} s  {medians[name] / args.rows * 1e6:8.2f} us a row  {last['found']} tiles  {last['peak_mb']:.0f} MB",
            flush=True,
        )
        results += [{"contender": name, "tiles": 484, **run} for run in measured]
    for name in medians:
        if name != OURS and OURS in medians:
            print(f"{OURS} is {medians[name] / medians[OURS]:.1f} times {name}", flush=True)
    if len({run["digest"] for measured in runs.values() for run in measured}) > 1:
        sys.exit("bench: the contenders found different tiles")
    print("all contenders found the same tiles", flush=True)
    for tiles in GRIDS if OURS in runs else []:
        larger = hexagons(args.rows, tiles)
        measured = [measure(OURS, larger, tiles) for _ in range(args.repeat)]
        total, join = (statistics.median(float(run[key]) for run in measured) for key in ("seconds", "join_seconds"))
        print(
            f"{tiles} tiles  {OURS:15} {total:8.3f} s  {total / args.rows * 1e6:8.2f} us per row, of which DuckDB's join "
            f"{join / args.rows * 1e6:.2f}",
            flush=True,
        )
        results.append({"contender": OURS, "tiles": tiles, "seconds": total, "join_seconds": join})
    return results


def main() -> None:
    """Runs one contender and prints a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", choices=CONTENDERS, required=True)
    parser.add_argument("--hexagons", type=Path, required=True)
    parser.add_argument("--tiles", type=int, choices=GRIDS, required=True)
    args = parser.parse_args()
    answer = CONTENDERS[args.run](args.hexagons, args.tiles)
    digest = hashlib.sha256(json.dumps(answer.tiles).encode()).hexdigest()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = {"found": int(answer.found), "seconds": answer.seconds, "join_seconds": answer.join_seconds}
    print(json.dumps({**measured, "digest": digest, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
