"""Compares `COPY … (FORMAT cog)` with GDAL's COG driver: seconds and bytes of one file, from the pixels of an uncompressed GeoTIFF.

Both write tiles of 512 x 512 pixels with predictor 2, GDAL's default levels (6 of deflate, 9 of zstd) and overviews by average, on the same number
of threads, each run in a process of its own. The contenders take turns; medians are compared. Both files are read back: the pixels are those
of the source, and overviews are compared with each other.

- `noise`: structures of all sizes and noise of a few steps, without nodata.
- `scene`: like a band of Sentinel-2: fields with a texture, water, and a corner without data (nodata 0).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import servers

from .contenders import EXTENSION

WORK = servers.ROOT / "build" / "bench" / "write"
CONTENDERS = ("gdal", "rasteret")
RASTERS = {"noise": None, "scene": 0}
BLOCK = 512


def octaves(generator: object, size: int, least: int) -> object:
    """Smooth structures from the whole width down to `least` pixels, each half as large as the one before."""
    import numpy as np

    field, cells, weight = np.zeros((size, size), np.float32), 4, 1.0
    while size // cells >= least:
        coarse = generator.standard_normal((cells + 1, cells + 1)).astype(np.float32)
        at = np.linspace(0, cells, size, endpoint=False, dtype=np.float32)
        low = at.astype(int)
        share = at - low
        rows = coarse[low] * (1 - share)[:, None] + coarse[low + 1] * share[:, None]
        field += weight * (rows[:, low] * (1 - share) + rows[:, low + 1] * share)
        cells, weight = 2 * cells, weight / 2
    return field


def make(name: str, size: int) -> Path:
    """The source, uncompressed."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    path = WORK / f"{name}-{size}.tif"
    if path.is_file():
        return path
    WORK.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(name))
    field = octaves(generator, size, 16)
    if name == "noise":
        pixels = 2000 + 500 * field + generator.integers(-8, 9, (size, size))
    else:
        side = 48
        fields = generator.uniform(400, 3200, (size // side + 1, size // side + 1)).astype(np.float32)
        pixels = np.kron(fields, np.ones((side, side), np.float32))[:size, :size] + 120 * field
        pixels += generator.normal(0, 25, (size, size))
        water = field < -1
        pixels[water] = 180 + generator.normal(0, 6, int(water.sum()))
        rows, columns = np.ogrid[:size, :size]
        pixels = np.where(rows + 2 * columns < size // 2, 0, np.maximum(pixels, 1))
    profile = {
        "width": size,
        "height": size,
        "count": 1,
        "dtype": "uint16",
        "nodata": RASTERS[name],
        "crs": "EPSG:32631",
    }
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    partial = path.with_suffix(".partial")
    with rasterio.open(
        partial, "w", driver="GTiff", transform=from_origin(300000, 4600000, 10, 10), **profile
    ) as target:
        target.write(np.clip(pixels, 0, 65535).astype("uint16"), 1)
    partial.replace(path)
    return path


def gdal(args: argparse.Namespace) -> None:
    """GDAL's driver, by rasterio."""
    import rasterio
    from rasterio.shutil import copy

    options = {"compress": args.compression, "predictor": "YES", "blocksize": BLOCK, "overview_resampling": "average"}
    with rasterio.Env(GDAL_NUM_THREADS=str(args.threads)):
        copy(args.source, args.target, driver="COG", num_threads=args.threads, **options)


def rasteret(args: argparse.Namespace) -> None:
    """The extension."""
    import duckdb

    os.environ["RASTERET_THREADS"] = str(args.threads)
    database = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": args.threads})
    database.execute(f"LOAD '{args.extension.resolve()}'")
    options = f"FORMAT cog, COMPRESSION {args.compression}, PREDICTOR standard, BLOCKSIZE {BLOCK}, OVERVIEWS average"
    database.execute(f"COPY (SELECT cog_read('{args.source}')) TO '{args.target}' ({options})")


def child(args: argparse.Namespace) -> None:
    """One run, without the imports."""
    (args.compression,) = args.compression
    import duckdb  # noqa: F401
    import rasterio  # noqa: F401

    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    {"gdal": gdal, "rasteret": rasteret}[args.child](args)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "processor": processor, "peak_mb": after.ru_maxrss / 1024}))


def run(args: argparse.Namespace, contender: str, compression: str, source: Path) -> dict[str, float]:
    """One run in a process of its own."""
    target = target_of(source, contender, compression)
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks", "write", "--child", contender, "--compression", compression]
    command += ["--source", str(source), "--target", str(target), "--threads", str(args.threads)]
    command += ["--extension", str(args.extension)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"bytes": target.stat().st_size}


def target_of(source: Path, contender: str, compression: str) -> Path:
    return source.with_name(f"{source.stem}-{contender}-{compression}.tif")


def overview_difference(source: Path, compression: str) -> float:
    """Checks that both files have the pixels of the source; the share of overview pixels that differ by more than rounding."""
    import numpy as np
    import rasterio

    files = [target_of(source, contender, compression) for contender in CONTENDERS]
    with rasterio.open(source) as original:
        expected = original.read(1)
    for path in files:
        with rasterio.open(path) as file:
            assert np.array_equal(file.read(1), expected), f"{path}: other pixels than the source"
            levels = file.overviews(1)
    different = total = 0
    for level in range(len(levels)):
        first, second = (rasterio.open(path, overview_level=level).read(1).astype(int) for path in files)
        assert first.shape == second.shape, f"level {level}: {first.shape} and {second.shape}"
        different, total = different + np.sum(np.abs(first - second) > 1), total + first.size
    return float(different / total)


def compare(args: argparse.Namespace) -> list[dict[str, object]]:
    """Every raster and compression; prints as it goes."""
    if args.child:
        child(args)
        return []
    if not args.extension.is_file():
        sys.exit(f"bench: no such file: {args.extension}")
    results: list[dict[str, object]] = []
    for name in args.raster:
        source = make(name, args.size)
        for compression in args.compression:
            runs: dict[str, list[dict[str, float]]] = {contender: [] for contender in CONTENDERS}
            for turn in range(args.repeat):
                for contender in CONTENDERS if turn % 2 else CONTENDERS[::-1]:
                    runs[contender].append(run(args, contender, compression, source))
            different = overview_difference(source, compression)
            median = {
                contender: {key: statistics.median(one[key] for one in of) for key in of[0]}
                for contender, of in runs.items()
            }
            for contender, found in median.items():
                seconds = [one["seconds"] for one in runs[contender]]
                print(
                    f"{name:6} {compression:8} {contender:9} {found['seconds']:6.2f} s ({min(seconds):.2f}-{max(seconds):.2f}), "
                    f"{found['processor']:6.2f} s of processor time, {found['bytes'] / 1e6:7.2f} MB, peak {found['peak_mb']:5.0f} MB"
                )
            ours, theirs = median["rasteret"], median["gdal"]
            print(
                f"{name:6} {compression:8} {ours['seconds'] / theirs['seconds']:.2f} times the seconds of GDAL, "
                f"{ours['processor'] / theirs['processor']:.2f} times its processor time, {ours['bytes'] / theirs['bytes']:.4f} times its "
                f"bytes; pixels equal, {100 * different:.3f} % of the pixels of overviews differ by more than 1",
                flush=True,
            )
            results += [
                {"raster": name, "compression": compression, "contender": key, "runs": of} for key, of in runs.items()
            ]
            for contender in CONTENDERS:
                target_of(source, contender, compression).unlink()
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--raster", nargs="+", choices=RASTERS, default=list(RASTERS))
    parser.add_argument("--compression", nargs="+", default=["deflate", "zstd"])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    parser.add_argument("--json", type=Path)
    for hidden in ("--source", "--target"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
