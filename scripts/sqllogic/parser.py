"""A .test file -> records.

The grammar is a part of that of DuckDB's own runner (`test/sqlite` there). A line outside of it is a `TestFileError` that names the
line, also where DuckDB's runner rejects it or interprets it differently.

    # comment                                   between records only: within SQL it would end the statement
    statement ok | error | maybe                SQL until a blank line or `----`; after it the expected error, in part
    query <one letter per column> [sort]        SQL, `----`, the expected rows
    foreach NAME value... / loop NAME a b       until `endloop`; SQL of the body sees ${NAME}, expectations do not
    require NAME, require-env NAME [VALUE]      without it the rest of the file is skipped; SQL after it sees ${NAME}
    load [PATH], restart, mode skip|unskip, halt

Records of one line stand before a blank line or a comment. There are no conditions on versions: a file says `require-env
DUCKDB_SINCE_1_5_2 1`, see sqltest.py.
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
    """The test file itself is wrong."""


@dataclass(frozen=True)
class Statement:
    """SQL that is to succeed, to fail with a text, or either."""

    line: int
    sql: str
    expected: str
    error: str


@dataclass(frozen=True)
class Query:
    """SQL and its rows."""

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
    """A body that runs once a value."""

    line: int
    variable: str
    values: tuple[str, ...]
    body: list[Record] = field(default_factory=list)


Record = Statement | Query | Directive | Loop


class _Lines:
    """The file's lines, consumed from the front; `number` is the one last taken, from 1."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while self.number < len(self._lines):
            self.number += 1
            line = self._lines[self.number - 1]
            if line != line.rstrip() and not line.strip():
                raise TestFileError(f"line {self.number}: a line of blanks ends no record in DuckDB's runner")
            yield line

    def block(self) -> tuple[list[str], list[str] | None]:
        """The lines of a record: SQL, and what follows `----` if there is one."""
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
        """A record of one line ends with a blank line, a comment or the file."""
        following = self._lines[self.number] if self.number < len(self._lines) else ""
        if following and not following.startswith("#"):
            raise TestFileError(f"line {self.number}: {keyword}: expected a blank line after it, found {following!r}")


def parse(text: str) -> list[Record]:
    """The records of a file."""
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
    # Any error at all would pass otherwise, a syntax error in the test first.
    if (expected == "ok") != (not error):
        raise TestFileError(
            f"line {line}: statement {expected}: the expected error goes with `error` and `maybe`, and only there"
        )
    return Statement(line, "\n".join(sql), expected, "\n".join(error or ()))


def _parse_query(arguments: list[str], lines: _Lines) -> Query:
    line = lines.number
    sort = arguments[1] if len(arguments) > 1 else "nosort"
    if not 1 <= len(arguments) <= 2 or not re.fullmatch("[TIR]+", arguments[0]) or sort not in SORTS:
        raise TestFileError(
            f"line {line}: expected query <T|I|R a column> [{'|'.join(SORTS)}], found {' '.join(arguments)!r}"
        )
    sql, expected = lines.block()
    if not sql or expected is None:
        raise TestFileError(f"line {line}: query: expected SQL, a line ---- and the rows")
    return Query(line, "\n".join(sql), arguments[0], sort, tuple(expected))
