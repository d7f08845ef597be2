"""Compares `cog_read` on a random grid with rasterio's WarpedVRT and, for area-based methods, with shapely.

A WarpedVRT with a tolerance of 0 fails, and the option of `rasterio.warp.reproject` has no effect in rasterio 1.4, so that positions of
GDAL have an error of up to an eighth of a pixel.

Results of nearest must be identical, except within `TIE` of the edge of a pixel. Bilinear and cubic must agree within a thousandth of the
range of values, and within 1 for integers. GDAL chooses kernels per chunk, so the whole grid is warped as one chunk. Average, mode, min
and max are compared with intersections of quadrilaterals and pixels, because GDAL uses axis-aligned boxes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject

from .session import Session, literal

# Distance from the edge of a source pixel, in pixels, within which the values of both sides are accepted.
TIE = 2e-6
# Maximum distance in metres between the CRS engine and PROJ; 0.5 mm in EPSG:3035.
ENGINE = {"EPSG:3035": 1e-3}
# Tolerance of kernels, relative to the range of values; plus 1 for integers.
KERNEL = 1e-3
# Values are compared if the error of GDAL's approximated positions is at most this.
EXACT = 1e-4
# Tolerance of sums of areas.
AREA = 1e-6
METHODS = ("nearest", "bilinear", "cubic", "average", "mode", "min", "max")
# Smaller areas may be lost to rounding.
SLIVER = 1e-5
# CRS -> longitude and latitude of a point in its domain, and the size of a pixel of about ten metres.
CRSS = {
    "EPSG:32631": (3.0, 45.0, 10.0),
    "EPSG:32632": (9.0, 45.0, 10.0),
    "EPSG:32601": (-177.0, 20.0, 10.0),
    "EPSG:32660": (177.0, 20.0, 10.0),
    "EPSG:3857": (5.0, 45.0, 14.0),
    "EPSG:3035": (10.0, 50.0, 10.0),
    "EPSG:4326": (5.0, 45.0, 1e-4),
    "EPSG:3413": (-45.0, 80.0, 10.0),
    "EPSG:3031": (0.0, -75.0, 10.0),
}


@dataclass(frozen=True)
class Grid:
    crs: str
    transform: Affine
    width: int
    height: int

    @property
    def sql(self) -> str:
        numbers = list(self.transform)[:6]
        return f"{{crs: '{self.crs}', transform: {numbers}, width: {self.width}, height: {self.height}}}"


@dataclass(frozen=True)
class Source:
    grid: Grid
    data: np.ndarray
    nodata: float | None
    path: Path

    @property
    def valid(self) -> np.ndarray:
        return np.ones(self.data.shape, bool) if self.nodata is None else self.data != self.nodata


def random_grid(
    rng: random.Random, crs: str, centre: tuple[float, float], size: float, pixels: tuple[int, int]
) -> Grid:
    """Returns a grid around a location in the CRS."""
    width, height = rng.randint(*pixels), rng.randint(*pixels)
    angle = rng.uniform(0, 360) if rng.random() < 0.25 else 0.0
    scale = Affine.scale(size, -size * rng.choice([1.0, 1.0, rng.uniform(0.5, 2.0)]))
    turned = Affine.translation(*centre) * Affine.rotation(angle) * scale
    return Grid(crs, turned * Affine.translation(-width / 2, -height / 2), width, height)


def random_source(rng: random.Random, crs: str, place: tuple[float, float], path: Path) -> Source:
    size = CRSS[crs][2] * math.exp(rng.uniform(-1, 1.5))
    grid = random_grid(rng, crs, place, size, (8, 90))
    numbers = np.random.default_rng(rng.getrandbits(32))
    dtype = rng.choice(["uint8", "int16", "uint16", "float32", "float64"])
    shape = (grid.height, grid.width)
    data = numbers.integers(0, 200, shape) if np.dtype(dtype).kind != "f" else numbers.normal(50, 30, shape)
    if rng.random() < 0.3:
        data = data // 40
    data = data.astype(dtype)
    nodata = None
    if rng.random() < 0.4:
        nodata = 255.0 if dtype == "uint8" else -9999.0 if dtype in ("int16", "float32", "float64") else 65535.0
        data[numbers.random(shape) < rng.choice([0.02, 0.3])] = nodata
    return Source(grid, data, nodata, path)


def write_source(source: Source, overviews: bool = False) -> None:
    grid = source.grid
    options = {"tiled": True, "blockxsize": 32, "blockysize": 32, "nodata": source.nodata, "count": 1}
    shape = {"width": grid.width, "height": grid.height, "dtype": source.data.dtype}
    with rasterio.open(source.path, "w", "GTiff", crs=grid.crs, transform=grid.transform, **shape, **options) as file:
        file.write(source.data, 1)
    if overviews:
        with rasterio.open(source.path, "r+") as file:
            file.build_overviews([2], Resampling.average)


def position_error(source: Grid, target: Grid) -> float:
    """Returns the maximum distance between the CRS engine and PROJ, in source pixels."""
    if source.crs == target.crs:
        return TIE
    metres = 111_000 if source.crs == "EPSG:4326" else 1
    size = min(abs(source.transform.a + 1j * source.transform.d), abs(source.transform.b + 1j * source.transform.e))
    return TIE + max(ENGINE.get(crs, 0) for crs in (source.crs, target.crs)) / (size * metres)


def places(source: Grid, target: Grid, cols: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transforms target to source pixel coordinates with PROJ."""
    x, y = target.transform * (cols, rows)
    if source.crs != target.crs:
        x, y = pyproj.Transformer.from_crs(target.crs, source.crs, always_xy=True).transform(x, y)
    return ~source.transform * (x, y)


def run(session: Session, seed: str) -> None:
    rng = random.Random(seed)
    names = list(CRSS)
    crs = rng.choice(names)
    lon, lat, _ = CRSS[crs]
    other = crs if rng.random() < 0.3 else rng.choice([name for name in names if is_near(name, lon, lat)])
    to = {name: pyproj.Transformer.from_crs("OGC:CRS84", name, always_xy=True).transform for name in (crs, other)}
    lon, lat = lon + rng.uniform(-1, 1), lat + rng.uniform(-1, 1)
    path = session.folder / f"{seed.replace('/', '-')}.tif"
    source = random_source(rng, crs, to[crs](lon, lat), path)
    ratio = math.exp(rng.uniform(-1.2, 1.8))
    size = abs(source.grid.transform.a + 1j * source.grid.transform.d) * CRSS[other][2] / CRSS[crs][2] * ratio
    if crs == other and rng.random() < 0.3:
        # Aligned grids, whose edges coincide.
        step = rng.choice([1, 2, 3])
        transform = (
            source.grid.transform * Affine.translation(rng.randint(-5, 5), rng.randint(-5, 5)) * Affine.scale(step)
        )
        target = Grid(other, transform, rng.randint(2, 40), rng.randint(2, 40))
    else:
        extent = max(source.grid.width, source.grid.height) * abs(
            source.grid.transform.a + 1j * source.grid.transform.d
        )
        shift = extent * CRSS[other][2] / CRSS[crs][2] * 0.3
        x, y = to[other](lon, lat)
        centre = (x + rng.uniform(-shift, shift), y + rng.uniform(-shift, shift))
        target = random_grid(rng, other, centre, size, (2, 70))
    method = rng.choice(METHODS)
    write_source(source)
    session.cases += 1
    sql = f"SELECT cog_read({literal(path)}, NULL, NULL, {{grid: {target.sql}, resampling: '{method}', level: 0}})"
    about = f"  {source.grid} {source.data.dtype} nodata {source.nodata}\n  {sql}"
    try:
        window = session.rows(sql)[0][0]
    except Exception as error:
        session.fail(f"grid.{method}.error", error, about)
        return
    found = np.frombuffer(window["data"], window["dtype"]).reshape(target.height, target.width)
    mask = np.frombuffer(window["mask"], "uint8").reshape(found.shape) != 0
    compare = compare_kernel if method in METHODS[:3] else compare_area
    for name, same, where in compare(source, target, method, found, mask):
        session.compare(f"grid.{method}.{name}", same, lambda where=where: f"{about}\n  {where()}")
    path.unlink()


def is_near(name: str, lon: float, lat: float) -> bool:
    """Whether a location is in the domain of a CRS."""
    east, north, _ = CRSS[name]
    apart = abs((lon - east + 180) % 360 - 180)
    return name == "EPSG:4326" or (apart < 10 and abs(lat - north) < 15) or (name == "EPSG:3857" and abs(lat) < 80)


def first(wrong: np.ndarray, expected: np.ndarray, found: np.ndarray, mask: np.ndarray) -> str:
    row, col = np.argwhere(wrong)[0]
    return (
        f"expected {expected[row, col]!r} at column {col}, row {row}, found {found[row, col]!r}, valid {mask[row, col]}"
        f" ({wrong.sum()} of {wrong.size})"
    )


def compare_kernel(source: Source, target: Grid, method: str, found: np.ndarray, mask: np.ndarray):
    """Compares with GDAL's warper."""
    kind = {"nearest": Resampling.nearest, "bilinear": Resampling.bilinear, "cubic": Resampling.cubic}[method]

    unset = -1e30 if source.data.dtype.kind == "f" else float(np.iinfo(source.data.dtype).max) - 1
    if source.nodata is not None:
        unset = source.nodata
    expected = warped_exactly(source, target, kind, unset)
    cols, rows = np.meshgrid(np.arange(target.width) + 0.5, np.arange(target.height) + 0.5)
    x, y = places(source.grid, target, cols, rows)
    tie = position_error(source.grid, target)
    near = (np.abs(x - np.rint(x)) < tie) | (np.abs(y - np.rint(y)) < tie)
    expected_valid = expected != unset
    wrong = (mask != expected_valid) & ~near
    yield "valid", not wrong.any(), lambda: first(wrong, expected, found, mask)
    both = mask & expected_valid & ~near
    values = source.data[source.valid].astype("f8")
    span = float(values.max() - values.min()) if len(values) else 0.0
    if method == "nearest":
        different = both & (found != expected)
    else:
        expected, exact = warped_at_once(source, target, kind, unset, x, y)
        both &= (expected != unset) & exact
        allowed = KERNEL * span + (1 if source.data.dtype.kind != "f" else 0)
        different = both & (np.abs(found.astype("f8") - expected.astype("f8")) > allowed)
        if source.nodata is not None:
            different &= away_from_invalid(source, target, x, y, method)
    yield "values", not different.any(), lambda: first(different, expected, found, mask)


def warped_exactly(source: Source, target: Grid, kind: Resampling, unset: float) -> np.ndarray:
    """Warps with exact positions; kernels differ from those of the whole grid."""
    grid = {"crs": target.crs, "transform": target.transform, "width": target.width, "height": target.height}
    options = {"resampling": kind, "tolerance": 1e-9, "src_nodata": source.nodata, "nodata": unset}
    with rasterio.open(source.path) as file, WarpedVRT(file, **grid, **options) as warped:
        return warped.read(1)


def warped_at_once(
    source: Source, target: Grid, kind: Resampling, unset: float, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Warps the whole grid at once; also returns where positions are exact, which is determined with a raster of coordinates."""
    grids = {"src_transform": source.grid.transform, "src_crs": source.grid.crs, "dst_transform": target.transform}
    options = {"dst_crs": target.crs, "resampling": kind, "num_threads": 1, "init_dest_nodata": False}

    def warped(data: np.ndarray, nodata: float | None, unset: float) -> np.ndarray:
        out = np.full(x.shape, unset, data.dtype)
        reproject(data, out, src_nodata=nodata, dst_nodata=nodata, **grids, **options)
        return out

    ramps = np.meshgrid(np.arange(source.grid.width) + 0.5, np.arange(source.grid.height) + 0.5)
    errors = [np.abs(warped(ramp.astype("f8"), None, -1e30) - place) for ramp, place in zip(ramps, (x, y))]
    # Ramps end at the sides of the image. Without projection, positions are exact.
    exact = (np.maximum(*errors) < EXACT) | (source.grid.crs == target.crs)
    return warped(source.data, source.nodata, unset), exact


def away_from_invalid(source: Source, target: Grid, x: np.ndarray, y: np.ndarray, method: str) -> np.ndarray:
    """Returns the pixels whose kernel contains no invalid pixel."""
    step = max(np.abs(np.diff(x, axis=1)).max(initial=1), np.abs(np.diff(y, axis=0)).max(initial=1), 1)
    reach = math.ceil((2 if method == "cubic" else 1) * step * 1.5) + 2
    invalid = np.pad(~source.valid, reach)
    counts = np.pad(invalid.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    size = 2 * reach + 1
    around = counts[size:, size:] - counts[:-size, size:] - counts[size:, :-size] + counts[:-size, :-size]
    col = np.clip(np.floor(x), 0, source.grid.width - 1).astype(int)
    row = np.clip(np.floor(y), 0, source.grid.height - 1).astype(int)
    return around[row, col] == 0


def compare_area(source: Source, target: Grid, method: str, found: np.ndarray, mask: np.ndarray):
    """Compares with intersections of polygons."""
    cols, rows = np.meshgrid(np.arange(target.width + 1.0), np.arange(target.height + 1.0))
    x, y = places(source.grid, target, cols, rows)
    worst_valid = worst = None
    step = max(1, target.width * target.height // 60)
    for at in range(0, target.width * target.height, step):
        row, col = divmod(at, target.width)
        corners = [(x[r, c], y[r, c]) for r, c in ((row, col), (row, col + 1), (row + 1, col + 1), (row + 1, col))]
        values, shares = shares_of(source, corners)
        total = shares.sum()
        if total < SLIVER:
            if total == 0 and mask[row, col]:
                worst_valid = f"column {col}, row {row}: expected invalid, found {found[row, col]}"
            continue
        if not mask[row, col]:
            worst_valid = f"column {col}, row {row}: expected valid, found invalid"
            continue
        value = float(found[row, col])
        span = float(values.max() - values.min())
        right = True
        if method == "average":
            expected = float((values * shares).sum() / total)
            moved = position_error(source.grid, target) * shapely.LinearRing(corners).length / total * span
            right = abs(value - expected) <= AREA * (span + abs(expected)) + moved + (
                0.51 if found.dtype.kind != "f" else 0
            )
        elif method == "mode":
            sums = {number: shares[values == number].sum() for number in np.unique(values)}
            best = max(sums.values())
            expected = min(number for number, share in sums.items() if share >= best - SLIVER)
            right = sums.get(value, 0) >= best - SLIVER
        else:
            pick = np.min if method == "min" else np.max
            expected = float(pick(values[shares > SLIVER])) if (shares > SLIVER).any() else float(pick(values))
            # Slivers may be included or not.
            right = value == expected or value == float(pick(values))
        if not right:
            worst = f"column {col}, row {row}: expected {expected!r}, found {value!r}, corners {corners}"
    yield "valid", worst_valid is None, lambda: worst_valid
    yield "values", worst is None, lambda: worst


def shares_of(source: Source, corners: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns values and areas of the valid pixels in a quadrilateral."""
    polygon = shapely.Polygon(corners)
    left, top, right, bottom = polygon.bounds
    cols = np.arange(max(math.floor(left), 0), min(math.ceil(right), source.grid.width))
    rows = np.arange(max(math.floor(top), 0), min(math.ceil(bottom), source.grid.height))
    if not len(cols) or not len(rows):
        return np.array([]), np.array([])
    col, row = (numbers.ravel() for numbers in np.meshgrid(cols, rows))
    shares = shapely.area(shapely.intersection(polygon, shapely.box(col, row, col + 1, row + 1)))
    kept = source.valid[row, col] & (shares > 0)
    return source.data[row, col][kept].astype("f8"), shares[kept]
