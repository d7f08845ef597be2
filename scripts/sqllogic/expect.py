"""Compares rows and errors with the expected ones.

Values are compared as printed by DuckDB, with two exceptions of the dialect: a boolean may be written as 1 or true, and a
number in a column of type R may be written in any form of the same double (1.0, 1, 1e0). NULL is written as `NULL`, the empty
string as `(empty)`; `<REGEX>:` and `<!REGEX>:` precede a pattern that must or must not match the whole value.
"""

from __future__ import annotations

import math
import re

from .parser import Query

Row = tuple[str | None, ...]
BOOLEANS = {"true": "1", "false": "0"}
# Printed doubles round-trip, but their last digits may differ between platforms.
RELATIVE_TOLERANCE = 1e-13


class Mismatch(Exception):
    """The result differs from the expectation of the file."""


def matches_pattern(expected: str, found: str) -> bool | None:
    """Whether a `<REGEX>:` expectation matches; None if `expected` is not a pattern."""
    for prefix, wanted in (("<REGEX>:", True), ("<!REGEX>:", False)):
        if expected.startswith(prefix):
            return bool(re.fullmatch(expected.removeprefix(prefix), found, re.DOTALL)) == wanted
    return None


def check_error(expected: str, found: str) -> None:
    """Checks that the found text contains the expected one, or matches its pattern."""
    met = matches_pattern(expected, found)
    if met is None:
        met = expected in found
    if not met:
        raise Mismatch(f"unexpected error\n  expected: {expected}\n  found:    {found}")


def check_rows(query: Query, found: list[Row]) -> None:
    """Checks the rows, in order or sorted as the query specifies."""
    width = len(query.types)
    for row in found:
        if len(row) != width:
            raise Mismatch(f"expected {width} columns, found {len(row)}: {_show(row)}")
    shown = [tuple(map(_text, row)) for row in found]
    wanted = _expected_rows(query)
    if query.sort == "rowsort":
        shown, wanted = sorted(shown), sorted(wanted)
    elif query.sort == "valuesort":
        shown, wanted = (sorted((value,) for row in rows for value in row) for rows in (shown, wanted))
    types = query.types if query.sort != "valuesort" else "T"
    for index, (want, have) in enumerate(zip(wanted, shown)):
        if not all(map(_same_value, types, want, have)):
            raise Mismatch(
                f"row {index + 1} differs\n  expected: {_show(want)}\n  found:    {_show(have)}{_all(shown)}"
            )
    if len(shown) != len(wanted):
        raise Mismatch(f"expected {len(wanted)} rows, found {len(shown)}{_all(shown)}")


def _expected_rows(query: Query) -> list[tuple[str, ...]]:
    """Parses rows: one row per line with tab-separated values or, if no line has a tab, one value per line."""
    width, lines = len(query.types), query.expected
    if width > 1 and lines and not any("\t" in line for line in lines):
        if len(lines) % width:
            raise Mismatch(f"the {len(lines)} expected values do not fill rows of {width} columns")
        return [lines[start : start + width] for start in range(0, len(lines), width)]
    rows = [tuple(line.split("\t")) for line in lines]
    for row in rows:
        if len(row) != width:
            raise Mismatch(f"an expected row has {len(row)} values for {width} columns: {_show(row)}")
    return rows


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    return value.replace("\0", "\\0") or "(empty)"


def _same_value(column_type: str, expected: str, found: str) -> bool:
    if expected == found:
        return True
    met = matches_pattern(expected, found)
    if met is not None:
        return met
    if BOOLEANS.get(expected) == found or BOOLEANS.get(found) == expected:
        return True
    if column_type == "R":
        try:
            return math.isclose(float(expected), float(found), rel_tol=RELATIVE_TOLERANCE)
        except ValueError:
            return False
    return False


def _show(row: tuple[str | None, ...]) -> str:
    return "\t".join("NULL" if value is None else value for value in row)


def _all(rows: list[tuple[str, ...]], limit: int = 20) -> str:
    """Returns the found rows in the format of the test file."""
    more = f"\n  ... {len(rows) - limit} more" if len(rows) > limit else ""
    return "\n  all rows found:\n" + "\n".join(map(_show, rows[:limit])) + more
