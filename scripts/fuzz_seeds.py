"""Writes the seeds of the fuzz targets to test/fuzz/TARGET: `scripts/make-fuzz-seeds`.

Seeds are small and valid: tiles encoded by GDAL with every codec and predictor, geometries in every encoding. Existing seeds are not
compared, because the output of GDAL differs between versions. Files named `crash-*` are inputs of fixed crashes, and are kept.
"""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.io import MemoryFile

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
SEEDS = ROOT / "test" / "fuzz"
# Documents with distinct structure; the others are similar or long.
LARGEST = 5_000
SIDE = 16
# Positions in CODES of crates/fuzz-targets/src/codecs.rs.
CODES = {"uncompressed": 0, "lzw": 4, "packbits": 7, "deflate": 6, "jpeg": 5, "zstd": 12, "webp": 13}
PLANAR, FILL_ORDER, BIG_ENDIAN, TABLES, SUBSAMPLED, T4 = 1, 2, 4, 8, 16, 32

TEXTS = (
    "POLYGON((500000 4599360, 500640 4599360, 500640 4600000, 500000 4600000, 500000 4599360))",
    "SRID=4326;MULTIPOINT((1 2),(3 4))",
    "GEOMETRYCOLLECTION(POINT Z (1 2 3),LINESTRING(1 2, 3 4))",
    "MULTIPOLYGON(((2.9 41.5, 3.1 41.5, 3.1 41.6, 2.9 41.5)),((0 0,9 0,9 9,0 9,0 0),(1 1,2 1,2 2,1 1)))",
    '{"type":"MultiPolygon","coordinates":[[[[0,0],[9,0],[9,9],[0,0]]]]}',
    '{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"EPSG:4326"}}}',
    '{"type":"Feature","geometry":{"type":"LineString","coordinates":[[0,0],[1e308,-1e308]]},"properties":null}',
    "POINT EMPTY",
    "0101000000000000000000F03F0000000000000040",
)
CRSS = (
    "EPSG:32631",
    "OGC:CRS84",
    "ESRI:54009",
    "+proj=sinu +R=6371007.181 +units=m",
    "+proj=utm +zone=31 +south +ellps=GRS80 +towgs84=1,2,3",
    "+proj=omerc +lat_0=4 +lonc=115 +alpha=53 +k=0.99984 +gamma=53.13 +ellps=evrstSS",
    "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80",
    'GEOGCRS["x",DATUM["y",ELLIPSOID["z",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],UNIT["degree",0.0174532925199433]]',
    'PROJCS["a",GEOGCS["b",DATUM["c",SPHEROID["d",6378137,298.25]],PRIMEM["e",0],UNIT["f",0.0174]],PROJECTION["Mercator_1SP"],UNIT["m",1]]',
    '{"type":"GeographicCRS","name":"x","id":{"authority":"EPSG","code":4326}}',
)
XML = (
    '<GDALMetadata><Item name="SCALE" sample="0" role="scale">0.1</Item><Item name="OFFSET" sample="0" role="offset">-5</Item></GDALMetadata>',
    '<?xml version="1.0"?><GDALMetadata><!-- a --><Item name="x &amp; y" domain="d"><![CDATA[z]]></Item><Item/></GDALMetadata>',
    '<GDALMetadata><Item name="NODATA_VALUES">1 2 3</Item><Item sample="7" role="description">B04</Item>',
)
HREFS = (
    "s3://bucket/key/a b.tif?versionId=x",
    "https://bucket.s3.eu-central-1.amazonaws.com/k%20ey.tif?X-Amz-Signature=abc",
    "https://account.blob.core.windows.net/container/a.tif?sv=1&sig=x%2By",
    "/vsicurl/https://user:pw@host:8080/a/../b.tif#part",
    "/vsis3/bucket/../key",
    "file:///data/a%20b.tif",
    "gs://b/%2e%2e/x",
    "az://container/key",
    "data/./a.tif",
    'Location: //other.example/x?y=1\nContent-Range: bytes 0-99/1000\nETag: W/"x"\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT',
    'Content-Type: application/xml\n<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>m</Message></Error>',
    "Location: http://u:p@[::1]:9/x\nContent-Range: bytes 7-7/*\nx-ms-error-code: BlobNotFound\nContent-Length: 1",
)

LISTINGS = (
    "<?xml version='1.0'?><ListBucketResult><Prefix>dir/</Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>t"
    "</NextContinuationToken><Contents><Key>dir/a.tif</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1"
    "</Size><ETag>&quot;x&quot;</ETag></Contents><CommonPrefixes><Prefix>dir/sub/</Prefix></CommonPrefixes></ListBucketResult>",
    "<ListBucketResult><Contents><Key>d</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents>"
    "<Contents><Key>d\u20ac/x1/y/b.tif</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents>"
    "</ListBucketResult>",
    "<EnumerationResults><Blobs><Blob><Name>dir/a.tif</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT"
    "</Last-Modified><Content-Length>1</Content-Length><Content-Type>image/tiff</Content-Type></Properties></Blob>"
    '<Blob><Name Encoded="true">a%EF%BF%BE</Name></Blob><BlobPrefix><Name>dir/sub/</Name></BlobPrefix></Blobs>'
    "<NextMarker>m</NextMarker></EnumerationResults>",
    "<ListBucketResult><Contents><Key><![CDATA[dir/<a>.tif]]></Key></Contents><Contents><Key>dir//b&#x1;</Key></Contents>",
)
SETTINGS = (
    "RASTERET_MAX_CONCURRENT=64\nRASTERET_TIMEOUT=2.5\nRASTERET_TILE_CACHE_BYTES=256MB\nRASTERET_CHECK_VERSION=size\n",
    "RASTERET_ALLOWED_PREFIXES=/data/,s3://bucket/,https://host/dir\nRASTERET_MEMORY_LIMIT_BYTES=1GiB\n",
    "AWS_ENDPOINT_URL=http://127.0.0.1:9000\nAWS_REGION=eu-central-1\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n"
    "AWS_SESSION_TOKEN=c\nAWS_REQUEST_PAYER=requester\nAWS_VIRTUAL_HOSTED_STYLE_REQUEST=true\n",
    "AZURE_STORAGE_ACCOUNT_NAME=account\nAZURE_STORAGE_ACCOUNT_KEY=a2V5\nAZURE_STORAGE_SAS_TOKEN=sv=1&sig=x\n",
    "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=https;AccountName=account;AccountKey=a2V5;"
    "EndpointSuffix=core.windows.net\n",
    "AWS_ENDPOINT_URL=127.0.0.1\nSTORAGE_EMULATOR_HOST=://x\nAWS_REGION=\u20ac\nRASTERET_THREADS=0\n",
)


def write(target: str, name: str, data: bytes) -> None:
    """Writes a seed of a target."""
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def first_tile(tiff: bytes) -> bytes:
    """Returns the first tile of a classic little-endian TIFF."""
    (at,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, at)
    entries = {}
    for index in range(count):
        tag, kind, number, value = struct.unpack_from("<HHII", tiff, at + 2 + 12 * index)
        entries[tag] = (kind, number, value)

    def number(tag: int) -> int:
        kind, length, value = entries[tag]
        if length == 1:
            return value & 0xFFFF if kind == 3 else value
        return struct.unpack_from("<H" if kind == 3 else "<I", tiff, value)[0]

    return tiff[number(324) : number(324) + number(325)]


def prefix(
    bits: int, kind: int, samples: int, predictor: int = 1, photometric: int = 1, flags: int = 0, second: int = 0
) -> bytes:
    """Returns the prefix of a tile input; see crates/fuzz-targets/src/codecs.rs."""
    return bytes([bits, kind, samples - 1, predictor + 5 * photometric, flags, SIDE, SIDE, second])


def tile(dtype: str, count: int, **options: object) -> bytes:
    """Returns a tile encoded by GDAL."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    values = (rows * 13 + columns * 3 + (rows * columns) % 7) % (2 if options.get("nbits") == 1 else 251)
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": count, "dtype": dtype}
    tiled = {"tiled": True, "blockxsize": SIDE, "blockysize": SIDE}
    with MemoryFile() as memory:
        with memory.open(**profile, **tiled, **options) as raster:
            raster.write(np.stack([values.astype(dtype)] * count))
        return first_tile(memory.read())


def codecs() -> None:
    """Tiles in every codec."""
    plain = {"lzw": "LZW", "deflate": "DEFLATE", "zstd": "ZSTD", "lzma": "LZMA"}
    for target, name in plain.items():
        write(target, "bytes", prefix(8, 1, 1) + tile("uint8", 1, compress=name))
        write(
            target,
            "rgb-differences",
            prefix(8, 1, 3, 2) + tile("uint8", 3, compress=name, predictor=2, interleave="pixel"),
        )
        write(target, "words-differences", prefix(16, 1, 1, 2) + tile("uint16", 1, compress=name, predictor=2))
        write(target, "floats", prefix(32, 3, 1, 3) + tile("float32", 1, compress=name, predictor=3))
        write(target, "doubles", prefix(64, 3, 1, 3) + tile("float64", 1, compress=name, predictor=3))
    write("packbits", "bytes", prefix(8, 1, 1) + tile("uint8", 1, compress="PACKBITS"))
    write("packbits", "words", prefix(16, 2, 2) + tile("int16", 2, compress="PACKBITS", interleave="pixel"))
    write("uncompressed", "bytes", prefix(8, 1, 1) + tile("uint8", 1))
    write("uncompressed", "bits", prefix(1, 1, 1) + tile("uint8", 1, nbits=1))
    write("uncompressed", "words-turned", prefix(12, 1, 1, flags=FILL_ORDER | BIG_ENDIAN) + bytes(range(256)) * 2)
    write("uncompressed", "halves", prefix(16, 3, 1, flags=BIG_ENDIAN) + bytes(range(256)) * 2)
    for second, name in enumerate(("LERC", "LERC_DEFLATE", "LERC_ZSTD")):
        for dtype, bits, kind in (("uint8", 8, 1), ("int16", 16, 2), ("float32", 32, 3), ("float64", 64, 3)):
            write(
                "lerc", f"{name.lower()}-{dtype}", prefix(bits, kind, 1, second=second) + tile(dtype, 1, compress=name)
            )
        lossy = tile("float32", 1, compress=name, max_z_error=0.5)
        write("lerc", f"{name.lower()}-lossy", prefix(32, 3, 1, second=second) + lossy)
    grey = tile("uint8", 1, compress="JPEG", jpegtablesmode=0)
    write("jpeg", "grey", prefix(8, 1, 1) + grey)
    # JPEGTables are truncated to the length that the prefix can represent.
    write("jpeg", "tables", prefix(8, 1, 1, flags=TABLES, second=200) + grey[:200] + grey)
    color = tile("uint8", 3, compress="JPEG", photometric="YCBCR", interleave="pixel", jpegtablesmode=0)
    write("jpeg", "ycbcr", prefix(8, 1, 3, photometric=6, flags=SUBSAMPLED, second=2 | 2 << 3) + color)
    write("webp", "lossy", prefix(8, 1, 3) + tile("uint8", 3, compress="WEBP", interleave="pixel"))
    write(
        "webp", "lossless", prefix(8, 1, 4) + tile("uint8", 4, compress="WEBP", interleave="pixel", webp_lossless=True)
    )
    for name, flags in (("CCITTRLE", 0), ("CCITTFAX3", T4), ("CCITTFAX4", 0)):
        write("ccitt", name.lower(), prefix(1, 1, 1, flags=flags, second=1) + tile("uint8", 1, compress=name, nbits=1))
    with MemoryFile(ext=".jp2") as memory:
        profile = {"driver": "JP2OpenJPEG", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8"}
        with memory.open(**profile, codec="J2K", quality=100, reversible=True) as raster:
            raster.write(np.arange(SIDE * SIDE, dtype="uint8").reshape(1, SIDE, SIDE))
        write("jpeg2000", "grey", prefix(8, 1, 1) + memory.read())
    tests = (ROOT / "crates/cog/src/codec/jxl/tests.rs").read_text()
    for name, digits in re.findall(r'const (\w+): &str = "\\\n([^"]*)";', tests):
        data = bytes.fromhex(re.sub(r"[\s\\]", "", digits))
        kinds = {"GREY_16": (16, 1, 1), "FLOATS": (32, 3, 1), "HALF": (16, 3, 1), "TWELVE": (12, 1, 1)}
        write(
            "jxl",
            name.lower(),
            prefix(*kinds.get(name, (8, 1, {"RGB": 3, "FIVE": 5, "GREY_ALPHA": 2}.get(name, 1)))) + data,
        )
    for target, code in CODES.items():
        first = sorted((SEEDS / target).glob("[!c]*"))[0]
        write("codec", target, bytes([code]) + first.read_bytes())


def headers() -> None:
    """Values of tags; seeds of whole headers are test/data itself."""
    directory = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 1026, 34737, 6, 0, 3072, 0, 1, 32631)
    keys = struct.pack("<20H", *directory)
    write("geokeys", "code", bytes([4]) + keys + b"WGS 84|")
    user = (
        1,
        1,
        0,
        6,
        1024,
        0,
        1,
        1,
        2048,
        0,
        1,
        4326,
        3072,
        0,
        1,
        32767,
        3074,
        0,
        1,
        32767,
        3075,
        0,
        1,
        1,
        3081,
        34736,
        1,
        0,
    )
    numbers = struct.pack("<8d", 3.0, 0.9996, 500000.0, 0.0, 10.0, -10.0, 500000.0, 4600000.0)
    write("geokeys", "projection", bytes([3 | 3 << 3]) + struct.pack("<28H", *user) + numbers)
    for index, xml in enumerate(XML):
        write("gdal_metadata", str(index), xml.encode())
    for index, text in enumerate(
        ("-9999", "nan", "1e400", "0x10", " 255\0x", "-3.4028234663852886e+38", "18446744073709551615")
    ):
        write("nodata", str(index), text.encode())


def texts() -> None:
    """Geometries, CRSs, hrefs and STAC."""
    for index, text in enumerate(TEXTS):
        write("geometry_text", str(index), text.encode())
        write("coverage", f"text-{index}", text.encode())
        if text[0] not in "{0":
            shape = shapely.from_wkt(text.rpartition(";")[2])
            for flavor in ("iso", "extended"):
                for order in (0, 1):
                    data = shapely.to_wkb(shape, byte_order=order, flavor=flavor, include_srid=flavor == "extended")
                    write("wkb", f"{index}-{flavor}-{order}", data)
            write("coverage", f"wkb-{index}", shapely.to_wkb(shape))
    for index, name in enumerate(CRSS):
        write("crs", str(index), name.encode())
    for index, href in enumerate(HREFS):
        write("href", str(index), href.encode())
    for path in [*sorted((DATA / "stac").glob("*json")), *sorted((DATA / "stac" / "globe").glob("h*.json"))]:
        if path.stat().st_size <= LARGEST:
            write("stac", path.name, path.read_bytes())
    write("stac", "collection", b'{"type":"FeatureCollection","features":[],"links":[{"rel":"next","href":"./x"}]}')


def level(
    width: int, height: int, tile: int, *, samples: int = 1, kind: int = 0, codec: int = 0, planar: int = 1
) -> bytes:
    """Returns a level in the format of crates/fuzz-targets/src/index.rs: sizes below 200, types and codecs by position."""
    sizes = bytes([width, height, tile, tile])
    encoding = bytes([samples, kind, codec, 1, planar, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    # One entry per tile, starting at byte 1, and no extra entries.
    return sizes + encoding + bytes([10]) + struct.pack("<HBH", 1, 64, tile * tile) + bytes([0, 1])


def metadata() -> None:
    """Metadata of an index, a request, and the bytes of the file."""
    place = bytes([1, 5, 7, 6, 8, 0])
    pixels = bytes(range(256)) * 16
    simple = bytes([0, 0, 0, 0, 0]) + place + bytes([0, 0, 1, 0, 1, 2, 0, 0, 0, 0])
    window = bytes([0, 0, 0, 3, 5, 0, 1, 0, 20, 30, 0, 0, 0])
    masked = bytes([0, 2, 9, 10, 2, 0, 0, 1, 0, 1, 1, 40, 40, 1, 1, 1])
    write("metadata", "window", level(64, 64, 16) + simple + window + pixels)
    write("metadata", "words-masked", level(64, 48, 16, kind=1) + simple + masked + pixels)
    write("metadata", "planar", level(40, 40, 16, samples=3, planar=2) + simple + window + pixels)
    overviews = bytes([0, 1]) + level(32, 32, 16) + bytes([1]) + level(64, 64, 16)
    rest = bytes([0, 1, 1, 2]) + place + bytes([0, 0, 1, 1, 0, 0, 0, 1, 1, 4, 1, 1, 5])
    write("metadata", "overview-masks-extra", level(64, 64, 16, samples=2) + overviews + rest + masked + pixels)
    write("metadata", "deflate", level(64, 64, 16, codec=6) + simple + window + pixels)


def grids() -> None:
    """Two grids, a level of the first, tiles and windows."""
    utm, degrees = bytes([64, 64, 1, 5, 7, 6, 8, 0, 1, 0]), bytes([64, 64, 1, 4, 103, 3, 141, 0, 1, 1])
    rest = bytes([5, 7, 6, 8, 0, 16, 16]) + bytes([0, 0, 20, 20, 9, 3, 31, 31, 60, 60, 8, 8])
    write("pixel_map", "same", utm + utm + rest)
    write("pixel_map", "degrees", utm + degrees + rest)
    write("pixel_map", "rotated", utm + bytes([64, 64, 1, 5, 7, 6, 8, 1, 102, 98, 1, 0]) + rest)
    write("pixel_map", "none", bytes([64, 64, 0, 0]) * 2 + rest)


def warps() -> None:
    """Headers, grids and windows; profiles and options of files."""
    place = bytes([1, 5, 7, 6, 8, 0])
    header = level(64, 64, 16) + bytes([0, 0, 0, 0, 0]) + place + bytes([0, 0, 1, 0, 0, 0, 0, 0])
    floats = level(64, 48, 16, kind=9) + bytes([0, 0, 0, 0, 0]) + place + bytes([0, 0, 1, 0, 1, 4, 0, 0, 0])
    grids = {
        "affine": bytes([0, 0, 0, 5, 7, 6, 8, 0, 1, 40, 40]),
        "rotated": bytes([0, 0, 0, 5, 7, 6, 8, 1, 102, 98, 1, 40, 40]),
        "degrees": bytes([0, 1, 0, 4, 103, 3, 141, 0, 1, 40, 40]),
        "aligned": bytes([0, 0, 1, 7, 101, 7, 8, 5]),
        "around": bytes([0, 3, 2, 5]),
        "at": bytes([0, 0, 3, 110, 112, 30, 20]),
    }
    for name, grid in grids.items():
        for method in range(7):
            rest = bytes([method, method + 1, 1, 0, 2, 3, 30, 20]) + bytes(range(256))
            write("warp", f"{name}-{method}", (floats if method % 2 else header) + grid + rest)
    for kind in range(14):
        place = bytes([1, 5, 7, 6, 8, 0, 1, 0])
        profile = bytes([kind, 40, 33]) + place + bytes([0, kind % 2, 0, 0, 1 + kind % 4])
        options = bytes([kind % 5, 0, 0, 1 + kind % 3, 1, kind % 3, kind % 3])
        write("cog_writer", str(kind), profile + options + bytes(range(256)) * 8)


def documents() -> None:
    """Listings, settings, and Parquet files."""
    for index, page in enumerate(LISTINGS):
        write("listing", str(index), page.encode())
    for index, text in enumerate(SETTINGS):
        write("settings", str(index), text.encode())
    for path in sorted(DATA.glob("*.parquet")):
        if path.stat().st_size <= 2 * LARGEST:
            write("records", path.stem, path.read_bytes())


def main() -> None:
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    headers()
    codecs()
    texts()
    metadata()
    grids()
    warps()
    documents()
    files = [path for path in SEEDS.rglob("*") if path.is_file()]
    print(f"{len(files)} seeds, {sum(path.stat().st_size for path in files):,} bytes")


if __name__ == "__main__":
    main()
