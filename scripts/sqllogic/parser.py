"""Parses a .test file into records.

The grammar is a subset of that of DuckDB's own runner (`test/sqlite` in its repository). Other lines, and lines that DuckDB's runner would
reject or interpret differently, raise a `TestFileError` with the line number.

    # comment                                   only between records: within SQL it would end the statement
    statement ok | error | maybe                SQL until a blank line or `----`; then a part of the expected error
    query <one letter per column> [sort]        SQL, `----`, the expected rows
    foreach NAME value... / loop NAME a b       until `endloop`; ${NAME} is replaced in the SQL of the body, not in expectations
    require NAME, require-env NAME [VALUE]      skips the rest of the file if it is missing; ${NAME} is replaced in later SQL
    load [PATH], restart, mode skip|unskip, halt

A record of one line must be followed by a blank line or a comment. Conditions on DuckDB versions are written as `require-env
DUCKDB_SINCE_1_5_2 1`; see sqltest.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SORTS = ("nosort", "rowsort", "valuesort")
DIRECTIVES = {
    "require": (1, 2),
    "require-env": (1, 2),
    "load": (0, 1),
    "restart": (0, 0),
    "halt": (0, 0),
    "mode": (1, 1),
}
OUTSIDE_LOOPS = ("load", "require-env")


class TestFileError(Exception):
    """The test file is invalid."""


@dataclass(frozen=True)
class Statement:
    """SQL that must succeed, must fail with a text, or may do either."""

    line: int
    sql: str
    expected: str
    error: str


@dataclass(frozen=True)
class Query:
    """SQL and its expected rows."""

    line: int
    sql: str
    types: str
    sort: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Directive:
    """A record that acts on the run instead of the database."""

    line: int
    keyword: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Loop:
    """A body that runs once per value."""

    line: int
    variable: str
    values: tuple[str, ...]
    body: list[Record] = field(default_factory=list)


Record = Statement | Query | Directive | Loop


class _Lines:
    """An iterator over the lines of the file; `number` is the number of the last line, from 1."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while self.number < len(self._lines):
            self.number += 1
            line = self._lines[self.number - 1]
            if line != line.rstrip() and not line.strip():
                raise TestFileError(f"line {self.number}: a line of blanks does not end a record in DuckDB's runner")
            yield line

    def block(self) -> tuple[list[str], list[str] | None]:
        """Returns the lines of a record: its SQL, and the lines after `----`, if any."""
        sql: list[str] = []
        after: list[str] | None = None
        for line in self:
            if not line:
                break
            if after is None and line == "----":
                after = []
            elif after is None and line.startswith("#"):
                raise TestFileError(f"line {self.number}: a comment within SQL ends it in DuckDB's runner")
            else:
                (sql if after is None else after).append(line)
        return sql, after

    def expect_end(self, keyword: str) -> None:
        """Checks that a record of one line is followed by a blank line, a comment or the end of the file."""
        following = self._lines[self.number] if self.number < len(self._lines) else ""
        if following and not following.startswith("#"):
            raise TestFileError(f"line {self.number}: {keyword}: expected a blank line after it, found {following!r}")


def parse(text: str) -> list[Record]:
    """Parses the records of a file."""
    return _parse_body(_Lines(text), None)


def _parse_body(lines: _Lines, loop: Loop | None) -> list[Record]:
    records: list[Record] = []
    for raw in lines:
        if not raw or raw.startswith("#"):
            continue
        keyword, *arguments = raw.split()
        if keyword not in ("statement", "query"):
            lines.expect_end(keyword)
        if keyword == "endloop" and loop:
            return records
        if keyword in ("foreach", "loop"):
            started = Loop(lines.number, *_loop_values(keyword, arguments, lines.number))
            started.body.extend(_parse_body(lines, started))
            records.append(started)
        elif keyword in OUTSIDE_LOOPS and loop:
            raise TestFileError(f"line {lines.number}: {keyword} cannot be used in a loop")
        else:
            records.append(_parse_record(keyword, arguments, lines))
    if loop:
        raise TestFileError(f"line {loop.line}: loop over {loop.variable} has no endloop")
    return records


def _loop_values(keyword: str, arguments: list[str], line: int) -> tuple[str, tuple[str, ...]]:
    if keyword == "foreach" and len(arguments) >= 2:
        return arguments[0], tuple(arguments[1:])
    if keyword == "loop" and len(arguments) == 3:
        return arguments[0], tuple(map(str, range(int(arguments[1]), int(arguments[2]))))
    raise TestFileError(f"line {line}: expected foreach NAME VALUE... or loop NAME START END")


def _parse_record(keyword: str, arguments: list[str], lines: _Lines) -> Record:
    line = lines.number
    if keyword == "statement":
        return _parse_statement(arguments, lines)
    if keyword == "query":
        return _parse_query(arguments, lines)
    if keyword in DIRECTIVES:
        low, high = DIRECTIVES[keyword]
        if not low <= len(arguments) <= high:
            raise TestFileError(f"line {line}: {keyword}: expected {low} to {high} arguments, found {len(arguments)}")
        return Directive(line, keyword, tuple(arguments))
    raise TestFileError(f"line {line}: unknown record {keyword!r}")


def _parse_statement(arguments: list[str], lines: _Lines) -> Statement:
    line = lines.number
    if len(arguments) != 1 or arguments[0] not in ("ok", "error", "maybe"):
        raise TestFileError(f"line {line}: expected statement ok|error|maybe, found {' '.join(arguments)!r}")
    sql, error = lines.block()
    expected = arguments[0]
    if not sql:
        raise TestFileError(f"line {line}: statement without SQL")
    # Otherwise any error would pass, including a syntax error in the test.
    if (expected == "ok") != (not error):
        raise TestFileError(
            f"line {line}: statement {expected}: an expected error is required for `error` and `maybe`, and not allowed for `ok`"
        )
    return Statement(line, "\n".join(sql), expected, "\n".join(error or ()))


def _parse_query(arguments: list[str], lines: _Lines) -> Query:
    line = lines.number
    sort = arguments[1] if len(arguments) > 1 else "nosort"
    if not 1 <= len(arguments) <= 2 or not re.fullmatch("[TIR]+", arguments[0]) or sort not in SORTS:
        raise TestFileError(
            f"line {line}: expected query <T|I|R per column> [{'|'.join(SORTS)}], found {' '.join(arguments)!r}"
        )
    sql, expected = lines.block()
    if not sql or expected is None:
        raise TestFileError(f"line {line}: query: expected SQL, a line ---- and the rows")
    return Query(line, "\n".join(sql), arguments[0], sort, tuple(expected))
