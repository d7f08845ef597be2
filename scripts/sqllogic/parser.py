"""A .test file -> records.

Owns the grammar; knows nothing of DuckDB. A line that the dialect does not have is a `TestFileError` naming it.

    # comment                                   ignored between records
    statement ok | error | maybe                SQL until a blank line or `----`; after it the expected error, in part
    query <one letter a column> [sort]          SQL, `----`, the expected rows
    foreach NAME value... / loop NAME a b       until `endloop`; the body sees ${NAME}
    skipif | onlyif CONDITION                   holds for the record that follows; see `Condition`
    require NAME, require-env NAME [VALUE]      without it the rest of the file is skipped
    load [PATH], restart, mode skip|unskip, halt
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


class TestFileError(Exception):
    """The test file itself is wrong."""


@dataclass(frozen=True)
class Condition:
    """`duckdb>=1.5.0` (the host's version) or `client=cli`: our addition to the dialect, which has no host conditions."""

    wanted: bool
    subject: str
    operator: str
    value: str

    PATTERN = re.compile(r"(duckdb)(<=|>=|<|>|=)(\d+(?:\.\d+)*)|(client)(=)(python|cli)")

    @classmethod
    def parse(cls, keyword: str, text: str, line: int) -> Condition:
        match = cls.PATTERN.fullmatch(text)
        if not match:
            raise TestFileError(
                f"line {line}: {keyword}: expected duckdb<op>version or client=python|cli, found {text!r}"
            )
        subject, operator, value = (group for group in match.groups() if group is not None)
        return cls(keyword == "onlyif", subject, operator, value)

    def holds(self, version: str, client: str) -> bool:
        """Whether the record runs on that host."""
        if self.subject == "client":
            met = client == self.value
        else:
            host, asked = _numbers(version), _numbers(self.value)
            met = {
                "<": host < asked,
                "<=": host <= asked,
                "=": host == asked,
                ">=": host >= asked,
                ">": host > asked,
            }[self.operator]
        return met == self.wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")) + (0,) * (3 - version.count(".") - 1)


@dataclass(frozen=True)
class Statement:
    """SQL that is to succeed, to fail with a text, or either."""

    line: int
    sql: str
    expected: str
    error: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Query:
    """SQL and its rows."""

    line: int
    sql: str
    types: str
    sort: str
    expected: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Directive:
    """A record that acts on the run instead of the database."""

    line: int
    keyword: str
    arguments: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


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
            yield self._lines[self.number - 1]

    def block(self) -> tuple[list[str], list[str] | None]:
        """The lines of a record: SQL, and what follows `----` if there is one."""
        sql: list[str] = []
        after: list[str] | None = None
        for line in self:
            if not line.strip():
                break
            if after is None and line.strip() == "----":
                after = []
            else:
                (sql if after is None else after).append(line)
        return sql, after


def parse(text: str) -> list[Record]:
    """The records of a file."""
    return _parse_body(_Lines(text), None)


def _parse_body(lines: _Lines, loop: Loop | None) -> list[Record]:
    records: list[Record] = []
    conditions: list[Condition] = []
    for raw in lines:
        words = raw.split()
        if not words or words[0].startswith("#"):
            continue
        keyword, arguments, line = words[0], words[1:], lines.number
        if keyword in ("skipif", "onlyif"):
            conditions.append(Condition.parse(keyword, "".join(arguments), line))
            continue
        if keyword == "endloop" and loop:
            return records
        if keyword in ("foreach", "loop"):
            if conditions:
                raise TestFileError(
                    f"line {line}: a condition before {keyword}: expected it before a record of the body"
                )
            started = Loop(line, *_loop_values(keyword, arguments, line))
            started.body.extend(_parse_body(lines, started))
            records.append(started)
            continue
        records.append(_parse_record(keyword, arguments, lines, tuple(conditions)))
        conditions.clear()
    if loop:
        raise TestFileError(f"line {loop.line}: loop over {loop.variable} has no endloop")
    if conditions:
        raise TestFileError("the file ends with a condition that has no record")
    return records


def _loop_values(keyword: str, arguments: list[str], line: int) -> tuple[str, tuple[str, ...]]:
    if keyword == "foreach" and len(arguments) >= 2:
        return arguments[0], tuple(arguments[1:])
    if keyword == "loop" and len(arguments) == 3:
        return arguments[0], tuple(map(str, range(int(arguments[1]), int(arguments[2]))))
    raise TestFileError(f"line {line}: expected foreach NAME VALUE... or loop NAME START END")


def _parse_record(keyword: str, arguments: list[str], lines: _Lines, conditions: tuple[Condition, ...]) -> Record:
    line = lines.number
    if keyword == "statement":
        return _parse_statement(arguments, lines, conditions)
    if keyword == "query":
        return _parse_query(arguments, lines, conditions)
    if keyword in DIRECTIVES:
        low, high = DIRECTIVES[keyword]
        if not low <= len(arguments) <= high:
            raise TestFileError(f"line {line}: {keyword}: expected {low} to {high} arguments, found {len(arguments)}")
        return Directive(line, keyword, tuple(arguments), conditions)
    raise TestFileError(f"line {line}: unknown record {keyword!r}")


def _parse_statement(arguments: list[str], lines: _Lines, conditions: tuple[Condition, ...]) -> Statement:
    line = lines.number
    if len(arguments) != 1 or arguments[0] not in ("ok", "error", "maybe"):
        raise TestFileError(f"line {line}: expected statement ok|error|maybe, found {' '.join(arguments)!r}")
    sql, error = lines.block()
    expected = arguments[0]
    if not sql:
        raise TestFileError(f"line {line}: statement without SQL")
    # Any error at all would pass otherwise, a syntax error in the test first.
    if (expected == "error") != bool(error):
        raise TestFileError(f"line {line}: statement {expected}: the expected error goes with `error`, and only there")
    return Statement(line, "\n".join(sql), expected, "\n".join(error or ()), conditions)


def _parse_query(arguments: list[str], lines: _Lines, conditions: tuple[Condition, ...]) -> Query:
    line = lines.number
    sort = arguments[1] if len(arguments) > 1 else "nosort"
    if not 1 <= len(arguments) <= 2 or not re.fullmatch("[TIR]+", arguments[0]) or sort not in SORTS:
        raise TestFileError(
            f"line {line}: expected query <T|I|R a column> [{'|'.join(SORTS)}], found {' '.join(arguments)!r}"
        )
    sql, expected = lines.block()
    if not sql or expected is None:
        raise TestFileError(f"line {line}: query: expected SQL, a line ---- and the rows")
    return Query(line, "\n".join(sql), arguments[0], sort, tuple(expected), conditions)
