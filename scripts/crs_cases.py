"""Generates combinations of GeoKeys, and the CRS that GDAL reads from each: `scripts/make-crs-cases`.

Writes crates/cog/tests/crs_cases.tsv, one case per line, tab-separated:

    keys    `key=value`, separated by blanks: a SHORT, a DOUBLE (with a decimal point), a list (with commas), or ASCII text as JSON
    CRS     `EPSG:n` if GDAL's CRS equals the definition of its code; `CRS n m` if it differs, with its code and that of its
            geographic CRS, or `-`; `none` if GDAL reads no CRS, or one that is local, geocentric, vertical or unsupported by PROJ
    points  `lon lat x y`, separated by `;`, for CRSs other than `EPSG:n`: longitude and latitude in degrees from Greenwich, on the
            datum of a projected CRS, otherwise on WGS 84, and their coordinates in GDAL's CRS according to pyproj

GeoTIFFs are written by scripts/fixtures/tiff.py. The last group contains the keys that GDAL writes for CRSs of the EPSG and Esri
registries, which are sampled at random, from a fixed seed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import math
import os
import random
import re
import struct
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Deprecated codes are not replaced, as in the decoder. Must be set before GDAL is used.
os.environ["OSR_USE_NON_DEPRECATED"] = "NO"
os.environ["PROJ_NETWORK"] = "OFF"
warnings.simplefilter("ignore")

import pyproj
import rasterio
from fixtures.tiff import ASCII, DOUBLE, LONG, SHORT, Ifd, encode
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from rasterio.errors import CRSError
from rasterio.io import MemoryFile

CASES = Path(__file__).resolve().parent.parent / "crates" / "cog" / "tests" / "crs_cases.tsv"
SEED = 20241129

Value = int | float | tuple[float, ...] | str
Keys = dict[int, Value]
Case = tuple[Keys, tuple[float, float]]

FRANCE, GERMANY, BRITAIN, CALIFORNIA = (3.4, 46.7), (9.6, 50.3), (-2.3, 53.1), (-118.4, 34.2)
ONTARIO, BELGIUM, CZECHIA, NETHERLANDS = (-80.7, 44.1), (4.4, 50.6), (15.3, 49.6), (5.7, 52.3)


def tiff(keys: Keys) -> bytes:
    directory, doubles, text = [1, 1, 0, len(keys)], [], ""
    for key, value in sorted(keys.items()):
        if isinstance(value, int):
            directory += [key, 0, 1, value]
        elif isinstance(value, str):
            directory += [key, 34737, len(value) + 1, len(text)]
            text += value + "|"
        else:
            values = value if isinstance(value, tuple) else (value,)
            directory += [key, 34736, len(values), len(doubles)]
            doubles += values
    tags = {256: (LONG, [1]), 257: (LONG, [1]), 258: (SHORT, [8]), 259: (SHORT, [1]), 262: (SHORT, [1])}
    tags |= {277: (SHORT, [1]), 278: (LONG, [1]), 34735: (SHORT, directory)}
    tags |= {33550: (DOUBLE, [1.0, 1.0, 0.0]), 33922: (DOUBLE, [0.0] * 6)}
    if doubles:
        tags[34736] = (DOUBLE, doubles)
    if text:
        tags[34737] = (ASCII, text + "\0")
    return encode([Ifd(tags, [b"\7"], is_tiled=False)])


def keys_of(file: bytes) -> Keys:
    """Returns the GeoKeys of a classic little-endian TIFF."""
    (at,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, at)
    tags = {}
    for number in range(count):
        tag, kind, length = struct.unpack_from("<HHI", file, at + 2 + 12 * number)
        form, size = {3: ("H", 2), 12: ("d", 8), 2: ("s", 1)}.get(kind, ("", 0))
        place = at + 10 + 12 * number
        if tag in (34735, 34736, 34737):
            start = place if size * length <= 4 else struct.unpack_from("<I", file, place)[0]
            tags[tag] = struct.unpack_from(f"<{length}{form}", file, start)
    # GDAL writes some CRSs to an auxiliary file only.
    directory, keys = tags.get(34735, (1, 1, 0, 0)), {}
    for index in range(4, 4 * directory[3] + 4, 4):
        key, location, length, value = directory[index : index + 4]
        if location == 34736:
            found = tags[34736][value : value + length]
            keys[key] = found[0] if length == 1 else found
        elif location == 34737:
            keys[key] = tags[34737][0][value : value + length - 1].decode("latin-1")
        else:
            keys[key] = value
    return keys


def spelled(keys: Keys) -> str:
    def spell(value: Value) -> str:
        if isinstance(value, str):
            return json.dumps(value).replace(" ", "\\u0020")
        if isinstance(value, tuple):
            return ",".join(map(repr, value))
        return repr(value)

    return " ".join(f"{key}={spell(value)}" for key, value in sorted(keys.items()))


def gdal(keys: Keys) -> str | None:
    """Returns the WKT of the CRS that GDAL reads."""
    with contextlib.suppress(CRSError), MemoryFile(tiff(keys)) as file, file.open() as source:
        return source.crs.to_wkt() if source.crs else None
    return None


def code_of(crs: pyproj.CRS) -> str | None:
    """Returns the EPSG code declared by a CRS."""
    identity = crs.to_json_dict().get("id", {})
    return str(identity["code"]) if identity.get("authority") == "EPSG" else None


def is_registered(crs: pyproj.CRS, code: str) -> bool:
    """Whether the CRS equals the definition of the code. GDAL rounds the flattening of ellipsoids, so that PROJ considers them different."""
    registered = pyproj.CRS.from_epsg(int(code))
    if crs.equals(registered, ignore_axis_order=True):
        return True

    def rounded(crs: pyproj.CRS) -> str:
        return re.sub(r"(\d+\.\d{9})\d+(?=[,\]])", r"\1", crs.to_wkt())

    return crs.is_projected and rounded(crs) == rounded(registered)


def base_of(crs: pyproj.CRS) -> tuple[pyproj.CRS, float, float]:
    """Returns the geographic CRS of a CRS, with its prime meridian and unit in degrees."""
    base, meridian = crs.geodetic_crs, crs.geodetic_crs.prime_meridian
    longitude = math.degrees(meridian.longitude * meridian.unit_conversion_factor)
    return base, longitude, math.degrees(base.axis_info[0].unit_conversion_factor)


@functools.cache
def expected(wkt: str | None, centre: tuple[float, float]) -> tuple[str, str]:
    """Returns the columns `CRS` and `points`."""
    if not wkt or wkt.startswith(("LOCAL_CS", "ENGCRS", "GEOCCS", "VERT_CS", "VERTCRS")):
        return "none", ""
    found = []
    try:
        crs = pyproj.CRS(wkt)
        code = code_of(crs)
        if code and is_registered(crs, code):
            return f"EPSG:{code}", ""
        source, longitude, degrees = base_of(crs) if crs.is_projected else (pyproj.CRS("OGC:CRS84"), 0, 1)
        transformer = pyproj.Transformer.from_crs(source, crs, always_xy=True)
        for east, north in ((0, 0), (0.43, 0.26), (-0.61, -0.35)):
            lon, lat = round(centre[0] + east, 2), round(centre[1] + north, 2)
            x, y = transformer.transform((lon - longitude) / degrees, lat / degrees)
            if math.isfinite(x) and math.isfinite(y):
                found.append(f"{lon:g} {lat:g} {x:.12g} {y:.12g}")
    except pyproj.exceptions.ProjError:
        pass
    if not found:
        return "none", ""
    datum = code_of(crs.geodetic_crs) if crs.is_projected else None
    return f"CRS {code or '-'} {datum or '-'}", ";".join(found)


def models() -> Iterator[Case]:
    """Model types and codes of all kinds, including codes under the wrong key."""
    geographic = [None, 0, 32767, 4326, 4269, 4314, 4807, 4979, 4978, 9999, 32631, 31467]
    projected = [None, 0, 32767, 32631, 31467, 2154, 4326, 4314, 7415, 5773, 1999, 54009]
    for model, gcs, pcs in itertools.product([None, 1, 2, 3, 32767], geographic, projected):
        keys = {1024: model, 2048: gcs, 3072: pcs}
        yield {key: value for key, value in keys.items() if value is not None} or {1025: 1}, GERMANY
    for model, gcs, pcs in itertools.product([0, 4], [None, 4326], [None, 32767, 32631]):
        keys = {1024: model, 2048: gcs, 3072: pcs}
        yield {key: value for key, value in keys.items() if value is not None}, GERMANY


LINEAR: list[Keys] = [
    {},
    {3076: 9001},
    {3076: 9002},
    {3076: 9003},
    {3076: 9036},
    {3076: 9999},
    {3076: 32767},
    {3076: 32767, 3077: 0.5},
    {3077: 0.5},
    {2052: 9002},
    {2052: 9002, 3076: 32767, 3077: 2.0},
]


def linear_units() -> Iterator[Case]:
    """Linear units that override the unit of a code, for the code alone and with its components."""
    codes = {
        32631: (4326, FRANCE),
        2154: (4171, FRANCE),
        31467: (4314, GERMANY),
        2225: (4269, CALIFORNIA),
        26917: (4269, ONTARIO),
        27700: (4277, BRITAIN),
        3035: (4258, GERMANY),
        28992: (4289, NETHERLANDS),
        31300: (4313, BELGIUM),
        3857: (4326, FRANCE),
        3785: (4055, FRANCE),
        5514: (4156, CZECHIA),
        6933: (4326, FRANCE),
        3974: (4326, (20.0, -75.0)),
        3413: (4326, (-45.3, 72.4)),
        2193: (4167, (172.7, -41.2)),
        29702: (4297, (47.2, -18.7)),
        2053: (4148, (29.3, -26.1)),
        7415: (4289, NETHERLANDS),
        8700: (4269, (-110.1, 32.2)),
    }
    for (pcs, (gcs, centre)), unit in itertools.product(codes.items(), LINEAR):
        yield {1024: 1, 3072: pcs} | unit, centre
        if unit in LINEAR[:8:2]:
            yield {1024: 1, 2048: gcs, 3072: pcs} | unit, centre


def projections() -> Iterator[Case]:
    """Projections by code."""
    centres = {
        16031: FRANCE,
        16131: (3.2, -5.1),
        16233: GERMANY,
        16363: GERMANY,
        10405: CALIFORNIA,
        15305: CALIFORNIA,
        18085: FRANCE,
        19914: NETHERLANDS,
        19916: BRITAIN,
        19961: BELGIUM,
        19902: BELGIUM,
        19952: CZECHIA,
        19986: GERMANY,
        16061: (10.4, 84.2),
        19992: (-45.3, 72.4),
        3856: FRANCE,
        19884: (50.3, 42.7),
        19869: (10.2, 20.3),
        19941: (-54.3, -12.4),
        19956: (115.2, 4.7),
        5101: (10.2, 59.9),
        17529: (29.3, -26.1),
        19975: (-61.3, 10.4),
        12345: FRANCE,
        0: FRANCE,
        32767: FRANCE,
    }
    for code, centre in centres.items():
        for gcs, unit in itertools.product([4326, 4269], LINEAR[:9:2]):
            yield {1024: 1, 2048: gcs, 3074: code} | unit, centre
        yield {1024: 1, 2048: 4326, 3072: 32767, 3074: code, 3075: 32767}, centre
        yield {1024: 1, 2048: 4326, 3072: 0, 3074: code}, centre
        yield {1024: 1, 3072: 32631, 3074: code}, FRANCE
        yield {1024: 1, 2048: 4326, 2054: 9105, 3074: code}, centre
        yield {1024: 2, 2048: 4326, 3074: code}, centre
        yield {2048: 4326, 3074: code}, centre
        yield {1024: 1, 3074: code, 3076: 9002}, centre


def methods() -> Iterator[Case]:
    """Projections by method, with parameters under each of their keys, and with angular and linear units."""
    lon, lat = 9.0, 48.0
    origins = [(3080, 3081), (3084, 3085), (3088, 3089)]
    # Method 17, equirectangular, is excluded: PROJ 9.8, which the decoder follows, uses another ellipsoidal formula than PROJ 9.5.
    for method in [*range(0, 17), *range(18, 30), 99, 9815, 32767]:
        base = {1024: 1, 2048: 4326, 3072: 32767, 3075: method}
        oblique = {3094: 30.0, 3096: 30.0} if method in (3, 4, 9815) else {}
        for (east, north), offset in zip(origins, [(3082, 3083), (3086, 3087), (3090, 3091)]):
            yield base | oblique | {east: lon, north: lat, offset[0]: 500000.0, offset[1]: -1000.0}, GERMANY
        parallels = {3078: 46.0, 3079: 52.0}
        yield base | parallels | oblique | {3080: lon, 3081: lat, 3092: 0.9996, 3076: 9002, 3082: 1640000.0}, GERMANY
        yield base | parallels | {3084: lon, 3085: lat, 3093: 0.9996, 3076: 32767, 3077: 0.5, 3086: 7.0}, GERMANY
        yield base | oblique | {2054: 9105, 3080: 10.0, 3081: 53.0, 3078: 50.0, 3079: 57.0}, GERMANY
        yield base | {2054: 9104, 3088: 32400.0, 3089: 172800.0}, GERMANY
        yield base | {3080: lon, 3088: 10.0, 3084: 11.0, 3081: lat, 3085: 49.0}, GERMANY
        yield base | {3095: lon, 3080: 3.0, 3081: 90.0, 3092: 0.994}, GERMANY
        yield base, GERMANY
    for extra in [
        {3081: 10.0},
        {3078: 10.0},
        {3078: 10.0, 3092: 0.9},
        {3078: 10.0, 3081: 20.0},
        {3081: 10.0, 3092: 0.9},
        {3092: 0.9},
    ]:
        yield {1024: 1, 2048: 4326, 3075: 7, 3080: lon} | extra, GERMANY
    for extra in [
        {3081: 70.0},
        {3081: -71.0},
        {3081: 0.0},
        {3081: 70.0, 3092: 0.994},
        {3081: 90.0},
        {3081: -90.0, 3092: 0.994},
        {3081: 90.0, 3080: 20.0},
    ]:
        south = -1 if extra[3081] < 0 else 1
        yield {1024: 1, 2048: 4326, 3075: 15, 3095: -45.0, 3082: 10.0} | extra, (10.0, 72.0 * south)
    # A code with the keys of its own projection, and with those of another one.
    utm = {3075: 1, 3080: 3.0, 3081: 0.0, 3092: 0.9996, 3082: 500000.0, 3083: 0.0}
    for extra in [
        {},
        {3080: 9.0},
        {3092: 1.0},
        {3076: 9001},
        {3076: 9003},
        {3076: 9003, 3082: 1640416.666667},
        {3074: 16032},
    ]:
        yield {1024: 1, 2048: 4326, 3072: 32631} | utm | extra, FRANCE
        yield {1024: 1, 3072: 32631} | utm | extra, FRANCE
    for scale in (0.0, -1.0):
        yield {1024: 1, 2048: 4326, 3075: 1, 3092: scale}, FRANCE


ANGULAR: list[Keys] = [
    {},
    {2054: 9101},
    {2054: 9102},
    {2054: 9103},
    {2054: 9104},
    {2054: 9105},
    {2054: 9106},
    {2054: 9108},
    {2054: 9110},
    {2054: 9122},
    {2054: 32767},
    {2054: 32767, 2055: 0.01},
    {2055: 0.01},
]
PARTS: list[Keys] = [
    {2050: 32767},
    {2050: 6326},
    {2050: 6314},
    {2050: 6267},
    {2050: 9999},
    {2056: 7030},
    {2056: 7004},
    {2056: 32767},
    {2056: 32767, 2057: 6370000.0, 2058: 6370000.0},
    {2057: 6378388.0, 2059: 297.0},
    {2057: 6378388.0, 2058: 6356911.946},
    {2057: 6371007.181},
    {2057: 6371007.181, 2059: 0.0},
    {2059: 300.0},
    {2058: 6370000.0},
    {2050: 32767, 2056: 7004},
    {2050: 6314, 2056: 7030},
    {2050: 32767, 2056: 32767, 2057: 6377397.155, 2059: 299.1528128},
    {2051: 8901},
    {2051: 8903},
    {2051: 8909},
    {2051: 8914},
    {2051: 9999},
    {2051: 32767},
    {2051: 32767, 2061: 2.5},
    {2061: 2.5},
    {2051: 8903, 2061: 2.5},
    {2061: 2.3, 2054: 9110},
    {2062: (582.0, 105.0, 414.0)},
    {2062: (582.0, 105.0, 414.0, 1.04, 0.35, -3.08, 8.3)},
    {2056: 7004, 2062: (582.0, 105.0, 414.0, 1.04, 0.35, -3.08, 8.3)},
    {2052: 9002, 2057: 20925646.0, 2059: 298.25},
]


def geographic() -> Iterator[Case]:
    """Keys of the geographic CRS, alone and as the base of a projected CRS."""
    kinds: list[Keys] = [{1024: 2}, {1024: 1, 3075: 1, 3080: 9.0, 3082: 500000.0}]
    codes = {None: GERMANY, 32767: GERMANY, 4326: GERMANY, 4269: ONTARIO, 4314: GERMANY, 4807: FRANCE}
    for kind, (code, centre) in itertools.product(kinds, codes.items()):
        base = kind if code is None else kind | {2048: code}
        for extra in [*ANGULAR, *(PARTS if code is not None else PARTS[:12])]:
            yield base | extra, centre
        if code == 4314:
            for extra in PARTS:
                yield {1024: 1, 3072: 31467} | extra, centre


PE_STRING = (
    'ESRI PE String = PROJCS["a",GEOGCS["b",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",9.0],'
    'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


def citations() -> Iterator[Case]:
    """Citations that contain more than a name."""
    for keys in [
        {1024: 32767, 3073: PE_STRING},
        {3073: PE_STRING},
        {1024: 32767, 3072: 32767, 3073: PE_STRING},
        {1024: 32767, 1026: PE_STRING},
        {1024: 32767, 2049: PE_STRING},
        {1024: 32767, 3073: "x " + PE_STRING},
        {1024: 1, 3073: PE_STRING},
        {1024: 1, 3072: 32767, 3073: PE_STRING},
        {1024: 1, 3072: 32632, 3073: PE_STRING},
        {1024: 2, 2048: 4326, 3073: PE_STRING},
    ]:
        yield keys, GERMANY
    for name in [
        "WGS 84",
        "NAD27",
        "GCS Name = NAD27",
        "GCS Name = GCS_North_American_1927|Datum = D_North_American_1927|Ellipsoid = Clarke_1866|Primem = Greenwich|",
        "GCS Name = A|Datum = B|Ellipsoid = C|Primem = D|",
        "GCS Name = A|Primem = Paris|",
        "GCS Name = A|AUnits = Degree|",
        "GCS Name = A|AUnits = Grad|",
    ]:
        for extra in [
            {},
            {2057: 6378206.4, 2059: 294.978698214},
            {2057: 6378206.4, 2058: 6356583.8, 2055: 0.0157079632679489, 2061: 2.5},
        ]:
            yield {1024: 2, 2048: 32767, 2049: name} | extra, ONTARIO
            yield {1024: 1, 2048: 32767, 2049: name, 3074: 16017} | extra, ONTARIO
    for key, unit in itertools.product([1026, 3073], ["meters", "Feet", "international_feet", "km", "yards"]):
        for extra in [{}, {3072: 32767}, {3076: 9001}, {3076: 9002}, {3075: 1, 3080: 3.0, 3082: 500000.0}]:
            yield {1024: 1, 2048: 4326, 3074: 16031, key: f"LUnits = {unit}"} | extra, FRANCE
    for extra in [{3077: 0.7}, {3076: 32767, 3077: 0.7}]:
        yield {1024: 1, 2048: 4326, 3074: 16031, 3073: "LUnits = other"} | extra, FRANCE
    yield {1024: 1, 1026: "a", 2048: 4326, 3073: "LUnits = feet", 3074: 16031}, FRANCE
    yield {1024: 1, 3072: 32631, 3073: "LUnits = feet"}, FRANCE
    yield {1024: 1, 1026: "LUnits = feet", 3072: 32631}, FRANCE
    yield {1024: 1, 1026: "LUnits = feet", 2048: 4326, 3072: 32631}, FRANCE
    for name in ["UTM Zone 31N", "WGS 84 / UTM zone 31N", "PCS Name = UTM Zone 31N", "WGS_1984_UTM_Zone_31N"]:
        for key, extra in itertools.product([1026, 3073], [{}, {2048: 4326}, {2048: 4326, 3072: 32767, 3074: 16031}]):
            yield {1024: 1, key: name} | extra, FRANCE


def verticals() -> Iterator[Case]:
    """Vertical keys."""
    for horizontal, vertical in itertools.product(
        [{1024: 1, 3072: 32631}, {1024: 2, 2048: 4326}, {1024: 2, 2048: 4314}, {1024: 1, 2048: 4326, 3074: 16031}, {}],
        [{4096: 5773}, {4096: 5703}, {4096: 32767, 4098: 5171, 4099: 9002}, {4099: 9002}, {4097: "h"}],
    ):
        yield horizontal | vertical, FRANCE


def written() -> Iterator[Case]:
    """Keys that GDAL writes for CRSs of the EPSG and Esri registries."""
    rng = random.Random(SEED)
    kinds = [PJType.PROJECTED_CRS, PJType.GEOGRAPHIC_2D_CRS, PJType.GEOGRAPHIC_3D_CRS, PJType.COMPOUND_CRS]
    for authority, kind, number in [
        ("EPSG", kinds[0], 70),
        ("EPSG", kinds[1], 15),
        ("EPSG", kinds[2], 5),
        ("EPSG", kinds[3], 10),
        ("ESRI", kinds[0], 70),
        ("ESRI", kinds[1], 10),
    ]:
        known = sorted(query_crs_info(authority, kind, allow_deprecated=False), key=lambda info: int(info.code))
        for info in rng.sample(known, number):
            area = info.area_of_use
            if not area or area.west > area.east:
                continue
            with MemoryFile() as file:
                profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
                try:
                    with file.open(
                        crs=f"{authority}:{info.code}", transform=rasterio.Affine(1, 0, 0, 0, -1, 0), **profile
                    ):
                        pass
                except CRSError:
                    continue
                keys = keys_of(file.read())
            # Method 17: see `methods`. GDAL reads back a compound CRS with a height as another kind of CRS.
            if not keys or keys.get(3075) == 17 or keys.get(4096):
                continue
            centre = (round((area.west + area.east) / 2, 1), round((area.south + area.north) / 2, 1))
            yield keys, centre


def line(case: Case) -> str:
    keys, centre = case
    return "\t".join([spelled(keys), *expected(gdal(keys), centre)])


def cases() -> list[str]:
    groups = itertools.chain(
        models(), linear_units(), projections(), methods(), geographic(), citations(), verticals(), written()
    )
    distinct = {spelled(keys): (keys, centre) for keys, centre in groups}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(line, distinct.values(), chunksize=25))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    arguments = parser.parse_args()
    pyproj.network.set_network_enabled(False)
    made = f"# scripts/make-crs-cases, rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}, pyproj {pyproj.__version__}\n"
    made += "\n".join(cases()) + "\n"
    if not arguments.check:
        CASES.write_text(made)
    elif CASES.read_text() != made:
        sys.exit(f"{CASES} is out of date: run scripts/make-crs-cases")


if __name__ == "__main__":
    main()
