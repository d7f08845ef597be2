#!/usr/bin/env python3
"""Compares chips of examples/training with rasterio, in forked and spawned workers and in shards.

    scripts/training_test.py                                            300 chips of 64 pixels, local files
    scripts/training_test.py --samples 10000 --size 256 --latency 20    over HTTP; prints chips per second

Runs in `build/venvs/training`. Worker processes read `ChipDataset` like those of a torch DataLoader; if torch is installed, a
DataLoader is tested as well.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import rasterio
import servers
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "training"))
import chips  # noqa: E402

WORKERS = 2
TIME_LIMIT_S = 600
BANDS = {"B04": (10, "uint16"), "B08": (10, "uint16"), "SCL": (20, "uint8")}
# Sentinel-2 tiles in neighbouring zones.
SCENES = {"31TDF": (32631, 399_960, 4_600_020), "32TKL": (32632, 199_980, 4_600_020)}
SIDE_M = 20_480


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--latency", type=float, help="reads over HTTP with this latency in milliseconds")
    args = parser.parse_args()
    extension = str(args.extension.resolve())
    with tempfile.TemporaryDirectory(prefix="rasteret-training-") as name:
        folder = Path(name)
        make_scenes(folder)
        with contextlib.ExitStack() as stack:
            root = str(folder)
            if args.latency is not None:
                root = stack.enter_context(servers.http_server(folder, args.latency))
            samples = make_samples(folder, root, args.samples, extension)
            check(folder, samples, extension, args.size, args.samples)


def check(folder: Path, samples: Path, extension: str, size: int, count: int) -> None:
    expected = {split: names(samples, split) for split in ("train", "val", "test")}
    assert sum(map(len, expected.values())) == count, expected
    dataset = chips.ChipDataset(str(samples), "train", extension, size=size, seed=7)
    alone = dict(dataset.read())
    assert sorted(alone) == sorted(expected["train"])
    compare(folder, samples, alone, size)
    # The parent has used the extension, whose threads do not exist in forked children.
    for method in ("fork", "spawn"):
        started = time.monotonic()
        found = in_workers(dataset, method)
        seconds = time.monotonic() - started
        assert found.keys() == alone.keys()
        for name, pixels in found.items():
            np.testing.assert_array_equal(pixels, alone[name])
        print(
            f"{method}: {len(found)} chips of {size} x {size} from {WORKERS} workers, {len(found) / seconds:.0f} a second"
        )
    check_torch(dataset, alone)
    check_shards(folder, samples, extension, size, expected, alone)


def in_workers(dataset: chips.ChipDataset, method: str) -> dict[str, np.ndarray]:
    """Reads all chips with workers of a start method."""
    context = multiprocessing.get_context(method)
    queue = context.Queue(maxsize=64)
    workers = [context.Process(target=read_into, args=(queue, dataset, worker)) for worker in range(WORKERS)]
    for worker in workers:
        worker.start()
    found, ended = {}, 0
    while ended < WORKERS:
        item = queue.get(timeout=TIME_LIMIT_S)
        if item is None:
            ended += 1
            continue
        assert item[0] not in found, f"{item[0]} was returned twice"
        found[item[0]] = item[1]
    for worker in workers:
        worker.join(TIME_LIMIT_S)
        assert worker.exitcode == 0, worker
    return found


def read_into(queue: multiprocessing.Queue, dataset: chips.ChipDataset, worker: int) -> None:
    for item in dataset.read(worker, WORKERS):
        queue.put(item)
    queue.put(None)


def check_torch(dataset: chips.ChipDataset, alone: dict[str, np.ndarray]) -> None:
    try:
        from torch.utils.data import DataLoader
    except ImportError:
        print("torch is not installed: skipping DataLoader")
        return
    wanted = sorted(pixels.tobytes() for pixels in alone.values())
    for method in ("fork", "spawn"):
        loader = DataLoader(dataset, batch_size=16, num_workers=WORKERS, multiprocessing_context=method)
        started, found = time.monotonic(), []
        for images, labels in loader:
            both = np.concatenate([images.numpy(), labels.numpy()[:, None]], axis=1)
            found += [pixels.tobytes() for pixels in both]
        seconds = time.monotonic() - started
        assert sorted(found) == wanted, f"{method}: {len(found)} chips, {len(wanted)} expected"
        print(f"torch DataLoader, {method}: {len(found) / seconds:.0f} chips per second from {WORKERS} workers")


def check_shards(
    folder: Path,
    samples: Path,
    extension: str,
    size: int,
    expected: dict[str, list[str]],
    alone: dict[str, np.ndarray],
) -> None:
    output = folder / "shards"
    command = [sys.executable, str(ROOT / "examples" / "training" / "chips.py"), "--extension", extension, "shards"]
    command += ["--samples", str(samples), "--output", str(output), "--size", str(size)]
    subprocess.run(command, check=True, timeout=TIME_LIMIT_S, stdout=subprocess.DEVNULL)
    files = sorted(output.rglob("*.parquet"))
    # A missing file is written again, the others are kept.
    before = {path: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    subprocess.run(command, check=True, timeout=TIME_LIMIT_S, stdout=subprocess.DEVNULL)
    assert sorted(output.rglob("*.parquet")) == files and not list(output.rglob("*.tmp"))
    assert all(path.stat().st_mtime_ns == before[path] for path in files[1:])
    sql = f"SELECT id, split, data, shape FROM read_parquet('{output}/*/*.parquet', hive_partitioning := true)"
    rows = duckdb.sql(sql).fetchnumpy()
    for split, wanted in expected.items():
        assert sorted(rows["id"][rows["split"] == split]) == sorted(wanted), split
    for name, data, shape in zip(rows["id"], rows["data"], rows["shape"], strict=True):
        if name in alone:
            np.testing.assert_array_equal(np.asarray(data, np.float32).reshape(shape), alone[name])
    print(f"{len(rows['id'])} chips in {len(files)} shards")


def names(samples: Path, split: str) -> list[str]:
    return [name for (name,) in duckdb.execute(f"SELECT id FROM '{samples}' WHERE split = ?", [split]).fetchall()]


def compare(folder: Path, samples: Path, found: dict[str, np.ndarray], size: int) -> None:
    """Compares with rasterio: windows of the 10 m bands, classes resampled to their pixels, NaN for nodata and outside the raster."""
    rows = duckdb.sql(f"SELECT id, scene, centre FROM '{samples}'").fetchall()
    compared = 0
    with contextlib.ExitStack() as stack:
        files = {
            (scene, band): stack.enter_context(rasterio.open(folder / f"{scene}_{band}.tif"))
            for scene in SCENES
            for band in BANDS
        }
        for name, scene, centre in rows:
            if name not in found:
                continue
            grid = files[scene, "B04"]
            longitude, latitude = map(float, centre.removeprefix("POINT(").rstrip(")").split())
            (x,), (y,) = transform(CRS.from_epsg(4326), grid.crs, [longitude], [latitude])
            col, row = ~grid.transform * (x, y)
            corner = grid.transform * (int(np.floor(col)) - size // 2, int(np.floor(row)) - size // 2)
            window = Affine(10, 0, corner[0], 0, -10, corner[1])
            for band, pixels in zip(BANDS, found[name], strict=True):
                with WarpedVRT(
                    files[scene, band], crs=grid.crs, transform=window, width=size, height=size, tolerance=1e-9
                ) as vrt:
                    wanted = vrt.read(1, masked=True).astype("float32").filled(np.nan)
                np.testing.assert_array_equal(pixels, wanted, err_msg=f"{name}, {band}")
            compared += 1
    assert compared == len(found)
    print(f"{compared} chips equal those of rasterio")


def make_scenes(folder: Path) -> None:
    generator = np.random.default_rng(5)
    for scene, (epsg, west, north) in SCENES.items():
        for band, (resolution, dtype) in BANDS.items():
            side = SIDE_M // resolution
            pixels = generator.integers(0, 12 if band == "SCL" else 4000, (side, side), dtype=dtype)
            profile = {
                "driver": "COG",
                "width": side,
                "height": side,
                "count": 1,
                "dtype": dtype,
                "crs": f"EPSG:{epsg}",
                "transform": from_origin(west, north, resolution, resolution),
                "nodata": 0,
                "compress": "deflate",
                "predictor": 2,
                "blocksize": 256,
            }
            with rasterio.open(folder / f"{scene}_{band}.tif", "w", **profile) as target:
                target.write(pixels, 1)


def positions(count: int) -> Iterator[tuple[str, float, float]]:
    """Yields points in the scenes, some of them so close to an edge that the chip extends beyond it."""
    generator = np.random.default_rng(6)
    for at in range(count):
        epsg, west, north = SCENES[list(SCENES)[at % len(SCENES)]]
        x, y = west + generator.uniform(50, SIDE_M - 50), north - generator.uniform(50, SIDE_M - 50)
        (longitude,), (latitude,) = transform(CRS.from_epsg(epsg), CRS.from_epsg(4326), [x], [y])
        yield f"p{at:06}", longitude, latitude


def make_samples(folder: Path, root: str, count: int, extension: str) -> Path:
    """Writes the index of the scenes, the points, and the samples that the example creates from them."""
    connection = chips.connect(extension)
    assets = ", ".join(f"{band}: {{href: '{root}/' || id || '_{band}.tif'}}" for band in BANDS)
    connection.execute(f"""
        COPY (SELECT id, TIMESTAMP '2026-06-01' AS datetime, 10.0 AS "eo:cloud_cover", {{{assets}}} AS assets
              FROM (SELECT unnest({list(SCENES)}) AS id)) TO '{folder}/items.parquet'""")
    bands = list(BANDS)
    connection.execute(
        f"COPY (FROM rasteret_enrich('{folder}/items.parquet', bands := {bands})) TO '{folder}/index.parquet'"
    )
    rows = list(positions(count))
    connection.execute("CREATE TABLE points (id VARCHAR, longitude DOUBLE, latitude DOUBLE)")
    connection.executemany("INSERT INTO points VALUES (?, ?, ?)", rows)
    connection.execute(f"COPY points TO '{folder}/points.parquet'")
    command = [sys.executable, str(ROOT / "examples" / "training" / "chips.py"), "--extension", extension, "samples"]
    for name in ("index", "points"):
        command += [f"--{name}", f"{folder}/{name}.parquet"]
    output = folder / "samples.parquet"
    subprocess.run([*command, "--output", str(output)], check=True, timeout=TIME_LIMIT_S, stdout=subprocess.DEVNULL)
    return output


if __name__ == "__main__":
    main()
