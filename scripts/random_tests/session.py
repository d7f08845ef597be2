"""A DuckDB connection with the extension, and counts of comparisons."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

# Maximum number of differences printed per check; all are counted.
SHOWN_PER_CHECK = 3


@dataclass
class Session:
    """The connection, temporary folder and counts of a test run."""

    extension: Path
    folder: Path
    # Folder for copies of files with a difference.
    keep: Path | None = None
    cases: int = 0
    comparisons: int = 0
    differences: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        config = {"allow_unsigned_extensions": "true", "threads": 2}
        self.connection = duckdb.connect(config=config)
        self.connection.execute(f"LOAD '{self.extension}'")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def compare(self, check: str, same: bool, describe: Callable[[], str]) -> bool:
        """Counts a comparison; prints the first differences of each check."""
        self.comparisons += 1
        if not same:
            self.differences[check] += 1
            if self.differences[check] <= SHOWN_PER_CHECK:
                print(f"DIFFERENCE {check}\n{describe()}\n", flush=True)
        return same

    def fail(self, check: str, error: Exception, reproduction: str) -> None:
        """Counts a query that failed although a result was expected."""
        first_line = str(error).splitlines()[0]
        self.compare(check, False, lambda: f"{reproduction}\n  expected a result, found {first_line}")


def literal(value: object) -> str:
    """Returns a value as SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
