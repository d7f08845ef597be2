"""Tests failing COPY (FORMAT cog): a full disk, an unwritable path, a killed process. No partial files may remain.

    python write_faults_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in the environment `write`. A limit on the size of files simulates a full disk: one limit is below the size of the pixels, the other one is
only exceeded by the complete file. Processes are killed after random times. After each failure, the target must be unchanged, and the next
query of the process must work; a killed process may leave its temporary file.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import rasterio
from rasterio.transform import Affine

ROOT = Path(__file__).resolve().parent.parent
SIZE = 2048
OLD = b"the file before"
KILLS = 8
# Program of a child process that runs one statement.
CHILD = """
import sys
import duckdb
database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
database.execute(f"LOAD '{sys.argv[1]}'")
print("ready", flush=True)
database.execute(sys.argv[2])
"""


def connect(extension: Path) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{extension}'")
    return database


def copy(source: Path, target: Path, options: str = "COMPRESSION none") -> str:
    return f"COPY (SELECT cog_read('{source}')) TO '{target}' (FORMAT cog, {options})"


def make_source(path: Path) -> None:
    """Writes a raster of noise, which does not compress."""
    data = np.random.default_rng(1).integers(0, 60000, (1, SIZE, SIZE), "uint16")
    grid = {"crs": "EPSG:32631", "transform": Affine(10, 0, 500000, 0, -10, 4600000)}
    with rasterio.open(
        path, "w", driver="GTiff", width=SIZE, height=SIZE, count=1, dtype="uint16", tiled=True, **grid
    ) as raster:
        raster.write(data)


def is_whole(target: Path, source: Path) -> bool:
    with rasterio.open(target) as written, rasterio.open(source) as original:
        return bool(np.array_equal(written.read(), original.read()))


def check_full_disk(extension: Path, folder: Path, source: Path) -> None:
    """Limits the size of files of this process, and checks the errors of writes."""
    database, target = connect(extension), folder / "limited.tif"
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (1 << 16, SIZE * SIZE * 2 + (1 << 16)):
        for before in (None, OLD):
            target.unlink(missing_ok=True)
            if before:
                target.write_bytes(before)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                database.execute(copy(source, target))
                raise AssertionError(f"expected an error with files of at most {limit} bytes")
            except duckdb.Error as error:
                assert "limited.tif" in str(error), error
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert (target.read_bytes() if target.exists() else None) == before
            assert [path.name for path in folder.glob(".limited*")] == []
            assert database.execute("SELECT 42").fetchone() == (42,)
    database.execute(copy(source, target))
    assert is_whole(target, source)


def check_unwritable(extension: Path, folder: Path, source: Path) -> None:
    """Writes to a path of a folder, below a file, with a name that is too long, and on a read-only file system."""
    database = connect(extension)
    (folder / "folder.tif").mkdir()
    targets = [folder / "folder.tif", source / "x.tif", folder / ("x" * 300 + ".tif"), Path("/proc/rasteret.tif")]
    for target in targets:
        try:
            database.execute(copy(source, target))
            raise AssertionError(f"{target}: expected an error")
        except duckdb.Error:
            pass
        assert database.execute("SELECT 42").fetchone() == (42,)
    assert (folder / "folder.tif").is_dir() and list((folder / "folder.tif").iterdir()) == []
    assert list(folder.glob(".*tmp")) == []


def check_killed(extension: Path, folder: Path, source: Path) -> int:
    """Kills processes while they write; returns how many had not finished."""
    chance, unfinished, started = random.Random(1), 0, time.monotonic()
    connect(extension).execute(copy(source, folder / "timed.tif", "COMPRESSION deflate, LEVEL 9"))
    whole = time.monotonic() - started
    for number in range(KILLS):
        target = folder / f"killed{number}.tif"
        if number % 2:
            target.write_bytes(OLD)
        sql = copy(source, target, "COMPRESSION deflate, LEVEL 9")
        command = [sys.executable, "-c", CHILD, str(extension), sql]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.1 * whole))
            process.kill()
        if target.exists() and target.read_bytes() != OLD:
            assert is_whole(target, source), f"{target} exists but is incomplete"
        else:
            unfinished += 1
            assert target.exists() == bool(number % 2)
        database = connect(extension)
        database.execute(copy(source, target))
        assert is_whole(target, source)
    return unfinished


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    extension = args.extension.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), Path(name) / "source.tif"
        make_source(source)
        check_unwritable(extension, folder, source)
        unfinished = check_killed(extension, folder, source)
        if not unfinished:
            print("all processes finished before they were killed", file=sys.stderr)
            return 1
        # Last, because the limit applies to the whole process.
        check_full_disk(extension, folder, source)
    print(f"full disks, unwritable paths and {unfinished} of {KILLS} killed processes: no partial file")
    return 0


if __name__ == "__main__":
    sys.exit(main())
