"""Tests examples/map: the server, and a screenshot of the page in Chromium.

    python map_test.py [--extension build/release/rasteret.duckdb_extension] [--screenshot build/map.png]

Runs in the environment `pictures`, with npm; without Chromium, only the server is tested. The scenes are two rasters with known colours,
which the screenshot must contain, with the footprints. The server responds with status 200 to tiles, 204 to tiles outside of the scene
and 400 to tiles that do not exist.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import rasterio
from PIL import Image
from playwright.sync_api import sync_playwright
from rasterio.transform import Affine

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "map"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1000, 700)
TIMEOUT_S = 120
# First and last colour of magma, and colour of the footprints.
LOW, HIGH, FOOTPRINT = (0, 0, 3), (251, 252, 191), (209, 73, 91)
SERVER_ERROR = "expected a number from 0 to"


def make_index(extension: Path, folder: Path) -> Path:
    """Writes an index of two adjacent scenes, each with one half of low and one of high values."""
    assets = []
    for number, west in enumerate((500000, 510000)):
        data = np.full((1, 1000, 1000), 100, "uint16")
        data[:, :, 500:] = 4000
        path = folder / f"scene{number}.tif"
        grid = {
            "width": 1000,
            "height": 1000,
            "count": 1,
            "dtype": "uint16",
            "crs": "EPSG:32631",
            "compress": "deflate",
        }
        with rasterio.open(path, "w", driver="COG", transform=Affine(10, 0, west, 0, -10, 4600000), **grid) as raster:
            raster.write(data)
        assets.append(f"('scene {number}', {{B04: {{href: '{path}', type: 'image/tiff; application=geotiff'}}}})")
    items, index = folder / "items.parquet", folder / "index.parquet"
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{extension}'")
    database.execute(f"COPY (FROM (VALUES {', '.join(assets)}) AS items(id, assets)) TO '{items}'")
    database.execute(f"COPY (FROM rasteret_enrich('{items}', bands := ['B04'])) TO '{index}'")
    return index


@contextlib.contextmanager
def serving(extension: Path, index: Path) -> Iterator[str]:
    """Starts the server of the example and yields its address."""
    options = ["--band", "B04", "--range", "100", "4000", "--colormap", "magma", "--port", "0"]
    environment = {**os.environ, "RASTERET_EXTENSION": str(extension)}
    command = [sys.executable, str(EXAMPLE / "server.py"), str(index), *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def status(url: str) -> tuple[int, bytes]:
    """Returns the status and body of a response."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def check_server(url: str) -> None:
    """Checks tiles, files and errors."""
    found, png = status(f"{url}/tiles/14/8330/6110.png")
    assert (found, png[:4]) == (200, b"\x89PNG"), (found, png[:100])
    assert status(f"{url}/tiles/14/0/0.png") == (204, b"")
    # Both scenes, side by side: of each the low and the high values.
    found, png = status(f"{url}/tiles/9/260/190.png")
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(int)
    rows, columns = np.nonzero(picture[..., 3])
    middle = picture[(rows.min() + rows.max()) // 2, columns.min() : columns.max() + 1, :3]
    is_low = [
        bool(np.abs(pixel - LOW).max() <= 8) for pixel in middle[[2, len(middle) // 2 - 3, len(middle) // 2 + 3, -3]]
    ]
    assert found == 200 and is_low == [True, False, True, False], (found, is_low, middle)
    for wrong in ("3/8/0", "-1/0/0", "31/0/0"):
        found, text = status(f"{url}/tiles/{wrong}.png")
        assert found == 400 and SERVER_ERROR.encode() in text, (wrong, found, text)
    for wrong in ("3/x/0", "3/0", "100000/0/0", f"{10**30}/0/0"):
        assert status(f"{url}/tiles/{wrong}.png")[0] == 400, wrong
    assert status(f"{url}/../server.py")[0] == 404
    assert status(f"{url}/maplibre-gl.css")[0] == 200


def take(browser: str, url: str, picture: Path) -> None:
    """Takes a screenshot of the page after the map has been drawn."""
    options = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=options)
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.on("pageerror", lambda error: print(f"page: {error}", file=sys.stderr))
        page.goto(url)
        page.wait_for_function("document.title === 'ready'", timeout=TIMEOUT_S * 1000)
        page.screenshot(path=picture)
        chromium.close()


def check_screenshot(picture: Path) -> None:
    """Checks that the screenshot contains both halves of the scenes and the footprints."""
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    for name, color, least in (
        ("low values", LOW, 0.05),
        ("high values", HIGH, 0.05),
        ("footprints", FOOTPRINT, 0.0005),
    ):
        share = np.mean(np.abs(pixels - color).max(axis=2) <= 8)
        assert share >= least, (
            f"{name}: {100 * share:.2f} % of the screenshot have the colour {color}, expected {100 * least} %"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--screenshot", type=Path, default=ROOT / "build" / "map.png")
    args = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    install = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", str(EXAMPLE)]
    subprocess.run(install, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        index = make_index(args.extension, Path(folder))
        with serving(args.extension, index) as url:
            check_server(url)
            if browser is None:
                print("the server passed; skipping the screenshot, because Chromium is not installed")
                return 0
            take(browser, url, args.screenshot)
    check_screenshot(args.screenshot)
    print(f"{args.screenshot.relative_to(ROOT)} shows the scenes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
