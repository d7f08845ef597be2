#!/usr/bin/env python3
"""Runs cases from the test suites of other libraries: `scripts/peer_cases.py --extension E --corpus DIR`.

DIR/peer_cases.jsonl contains operations with a file, arguments and expected results. Each operation is mapped to a query, or listed
in `does_not_apply` with a reason. The last line is `N passed, N failed, N do not apply`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

Case = dict[str, object]
# Pairs of the found and the expected value.
Check = Callable[["Reader", Case], list[tuple[object, object]]]


@dataclass
class Reader:
    """A connection and the file of a case."""

    connection: duckdb.DuckDBPyConnection
    path: str

    def one(self, sql: str, *arguments: object) -> object:
        """Returns a single value; `$1` is the file."""
        return self.connection.execute(sql, [self.path, *arguments]).fetchone()[0]

    def bands(self) -> list[np.ndarray]:
        """Returns the samples of every band."""
        return [self.band(index) for index in range(self.one("SELECT cog_metadata($1).samples_per_pixel"))]

    def band(self, index: int) -> np.ndarray:
        read = self.one("SELECT cog_read($1, NULL, NULL, {band_index: $2, masked: false})", index)
        return np.frombuffer(read["data"], read["dtype"]).reshape(read["height"], read["width"])


def sum_of_samples(reader: Reader, case: Case) -> list[tuple[object, object]]:
    pixels = np.stack(reader.bands(), axis=-1)
    if "PACKED" in str(case["note"]):
        bits = reader.one("SELECT cog_metadata($1).bits_per_sample[1]")
        unpacked = pixels.reshape(len(pixels), -1, 1) >> np.arange(bits - 1, -1, -1) & 1
        packed = np.packbits(unpacked.reshape(len(pixels), -1).astype("uint8"), axis=1)
        # The other library inverts WhiteIsZero; samples here are as stored.
        is_inverted = reader.one("SELECT cog_metadata($1).photometric") == 0
        total = int((~packed if is_inverted else packed).sum(dtype="int64"))
    elif pixels.dtype == np.float32:
        # The other library accumulates in single precision.
        total = float(np.add.accumulate(pixels.ravel(), dtype="float32")[-1])
        return [(total, float(np.float32(case["expected"])))]
    else:
        total = pixels.sum(dtype="float64" if pixels.dtype.kind == "f" else "int64").item()
    return [(total, case["expected"])]


def sums_of_tiles(reader: Reader, case: Case) -> list[tuple[object, object]]:
    metadata = reader.one("SELECT cog_metadata($1)")
    width, height = metadata["tile_width"], metadata["tile_height"]
    image = sum(band.astype("int64") for band in reader.bands())
    rows, cols = range(0, image.shape[0], height), range(0, image.shape[1], width)
    found = [int(image[row : row + height, col : col + width].sum()) for row in rows for col in cols]
    return [(found, case["expected"])]


def tags(reader: Reader, case: Case) -> list[tuple[object, object]]:
    metadata, expected = reader.one("SELECT cog_metadata($1)"), case["expected"]
    found = {
        "width": metadata["image_width"], "height": metadata["image_height"], "StripOffsets": metadata["tile_offsets"][0],
        "RowsPerStrip": metadata["tile_height"], "StripByteCounts": metadata["tile_byte_counts"][0],
        "count": metadata["samples_per_pixel"], "epsg": int((metadata["crs"] or "EPSG:0").split(":")[1]),
        "ModelPixelScale": metadata["pixel_scale"], "samples_per_pixel": metadata["samples_per_pixel"],
        "bits": metadata["bits_per_sample"][0],
    }  # fmt: skip
    return [(found[name], value) for name, value in expected.items()]


def zonal(reader: Reader, case: Case) -> list[tuple[object, object]]:
    operation, metadata = str(case["op"]), "cog_metadata($1)"
    if "overridden" in operation:
        nodata = operation.split("overridden to ")[1].split(":")[0]
        metadata = f"struct_update(cog_metadata($1), nodata := {nodata}::DOUBLE)"
    method = "all_touched" if "all_touched" in operation else "center"
    options = f"{{geometry_crs: 'native', method: '{method}'}}"
    found = reader.one(f"SELECT cog_zonal_stats($1, {metadata}, $2, {options})", case["args"]["wkt"])
    expected = case["expected"]
    if "count_gt" in expected:
        return [(found["count"] > expected["count_gt"], True)]
    return [(found[name], value) for name, value in expected.items()]


def statistics(reader: Reader, case: Case) -> list[tuple[object, object]]:
    box = reader.one(
        "SELECT format('POLYGON(({0} {1}, {2} {1}, {2} {3}, {0} {3}, {0} {1}))', b.xmin, b.ymin, b.xmax, b.ymax) "
        "FROM (SELECT cog_bounds(cog_metadata($1)) AS b)"
    )
    options = "{geometry_crs: 'native', band_index: $3}"
    found = reader.one(f"SELECT cog_zonal_stats($1, NULL, $2, {options})", box, case["args"]["band"] - 1)
    names = {"std": "stddev", "stdev": "stddev"}
    return [(found[names.get(name, name)], value) for name, value in case["expected"].items()]


def value_at_point(reader: Reader, case: Case) -> list[tuple[object, object]]:
    arguments, expected = case["args"], case["expected"]
    crs, metadata = "native", "cog_metadata($1)"
    if "lon" in arguments:
        crs, point = "OGC:CRS84", f"POINT({arguments['lon']!r} {arguments['lat']!r})"
    elif "col" in arguments:
        point = reader.one(
            "SELECT format('POINT({} {})', t[1] * $2 + t[2] * $3 + t[3], t[4] * $2 + t[5] * $3 + t[6]) "
            "FROM (SELECT coalesce(cog_metadata($1).transform, [1.0, 0, 0, 0, 1, 0]) AS t)",
            arguments["col"] + 0.5,
            arguments["row"] + 0.5,
        )
    else:
        point = arguments.get("wkt") or f"POINT({arguments['x']!r} {arguments['y']!r})"
    if "nodata" in arguments:
        # The value is nodata, which is masked here.
        metadata, expected = f"struct_update(cog_metadata($1), nodata := {arguments['nodata']}::DOUBLE)", [None]
    if isinstance(expected, dict):
        expected = expected["value"]
    if expected is None:
        expected = [None] * reader.one("SELECT cog_metadata($1).samples_per_pixel")
    expected = expected if isinstance(expected, list) else [expected]
    value = f"SELECT cog_value($1, {metadata}, $2, {{geometry_crs: '{crs}', band_index: $3}})"
    return [(reader.one(value, point, band), want) for band, want in enumerate(expected)]


def strips(reader: Reader, case: Case) -> list[tuple[object, object]]:
    metadata, expected = reader.one("SELECT cog_metadata($1, 0)"), case["expected"]
    rows = metadata["image_height"] - (len(metadata["tile_offsets"]) - 1) * metadata["tile_height"]
    found = (len(metadata["tile_offsets"]), [metadata["tile_height"], metadata["tile_width"]], rows)
    return [(found, (expected["n_blocks_per_band"], expected["block"], expected["last_block_rows"]))]


def pixel_of_world(reader: Reader, case: Case) -> list[tuple[object, object]]:
    point = f"POINT({case['args']['x']!r} {case['args']['y']!r})"
    read = reader.one("SELECT cog_read($1, NULL, $2, {geometry_crs: 'native', all_touched: true})", point)
    return [(read["row_off"], case["expected"]["row"]), (read["col_off"], case["expected"]["col"])]


# Prefix of an operation -> function that runs it.
OPERATIONS: dict[str, Check] = {
    "sum of all decoded samples": sum_of_samples,
    "sum of each tile": sums_of_tiles,
    "tags": tags,
    "shape, crs": tags,
    "zonal, ": zonal,
    "whole-band statistics": statistics,
    "band 1 statistics": statistics,
    "nearest pixel value": value_at_point,
    "categorical value": value_at_point,
    "point sample": value_at_point,
    "point outside": value_at_point,
    "nearest value at": value_at_point,
    "value at lon/lat": value_at_point,
    "band 1 value at": value_at_point,
    "240 strips": strips,
    "world -> (row, col)": pixel_of_world,
}


def does_not_apply(case: Case) -> str | None:
    """Returns the reason why a case does not apply, if any."""
    if "do not use" in str(case["note"]):
        return str(case["note"])
    return None


def is_close(found: object, expected: object, tolerance: float) -> bool:
    if found is None or expected is None or isinstance(found, (list, tuple, bool)):
        return found == expected
    return math.isclose(float(found), float(expected), rel_tol=0, abs_tol=tolerance)


def run(connection: duckdb.DuckDBPyConnection, corpus: Path, case: Case) -> list[str]:
    """Returns the differences from the expected result."""
    check = next((check for start, check in OPERATIONS.items() if str(case["op"]).startswith(start)), None)
    if check is None:
        return [f"no query for {case['op']!r}"]
    try:
        pairs = check(Reader(connection, str(corpus / str(case["file"]))), case)
    except duckdb.Error as error:
        return [str(error).splitlines()[0]]
    tolerance = float(case["tolerance"] or 0)
    return [f"found {found}, expected {want}" for found, want in pairs if not is_close(found, want, tolerance)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    args = parser.parse_args()
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{args.extension.resolve()}'")
    passed = failed = left = 0
    for case in map(json.loads, (args.corpus / "peer_cases.jsonl").read_text().splitlines()):
        name = f"{case['peer']} {case['ref']} {case['file']}"
        if reason := does_not_apply(case):
            left += 1
            print(f"does not apply: {name}: {reason}")
        elif faults := run(connection, args.corpus, case):
            failed += 1
            print(f"FAIL {name} ({case['op']}): {'; '.join(faults)}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed, {left} do not apply")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
