"""A database connection of DuckDB's Python client or CLI.

Both return the same rows and error messages. DuckDB converts rows to text: a query runs once, as
`SELECT COLUMNS(*)::VARCHAR FROM (query)`. Statements that are not table expressions (EXPLAIN, PRAGMA, EXECUTE, ...) only return text or
numbers.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from .expect import Row

TABLE_EXPRESSIONS = ("SELECT", "FROM", "WITH", "VALUES", "DESCRIBE", "SUMMARIZE", "SHOW", "(")
# Tests download no extensions: a missing one is a skip with a reason.
SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "true"}


class SqlError(Exception):
    """An error of DuckDB."""


class HostCrash(Exception):
    """The host process has ended."""


class Session(Protocol):
    """The interface of a host."""

    def execute(self, sql: str) -> list[Row]:
        """Runs one or more statements; returns the rows of the last one."""

    def query(self, sql: str) -> list[Row]:
        """Runs one query; returns its rows as text."""

    def reopen(self, database: str | None) -> None:
        """Closes the connection and opens `database`, or an in-memory database."""

    def close(self) -> None:
        """Closes the session."""


def _as_text(sql: str) -> str | None:
    """Returns the query that casts all columns to VARCHAR, if possible."""
    body = sql.strip().rstrip(";").rstrip()
    if not body.upper().startswith(TABLE_EXPRESSIONS):
        return None
    # The line break ends a trailing comment of the query.
    return f"SELECT COLUMNS(*)::VARCHAR FROM ({body}\n)"


class PythonSession:
    """A connection of the Python client, in this process."""

    def __init__(self) -> None:
        import duckdb

        self._duckdb = duckdb
        self.reopen(None)

    def execute(self, sql: str) -> list[Row]:
        return [tuple(_plain(value) for value in row) for row in self._fetch(sql)]

    def query(self, sql: str) -> list[Row]:
        return self.execute(_as_text(sql) or sql)

    def reopen(self, database: str | None) -> None:
        self.close()
        config = {"allow_unsigned_extensions": "true", **SETTINGS}
        self._connection = self._duckdb.connect(database or ":memory:", config=config)

    def close(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()

    def _fetch(self, sql: str) -> list[tuple[object, ...]]:
        try:
            result = self._connection.execute(sql)
            return result.fetchall() if result.description else []
        except self._duckdb.Error as error:
            raise SqlError(str(error)) from None


def _plain(value: object) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    return None if value is None else str(value)


class CliSession:
    """The DuckDB CLI as a child process.

    After each statement, the CLI runs a shell command that writes a marker to standard error. Standard error is not buffered, so the marker
    follows the errors of the statement and signals its end. Rows are written to a file.
    """

    MARK = "--- rasteret: end of statement ---"

    def __init__(self, executable: str) -> None:
        self._executable = executable
        self._scratch = tempfile.TemporaryDirectory(prefix="rasteret-cli-")
        self._rows = Path(self._scratch.name) / "rows.jsonl"
        self._process: subprocess.Popen[str] | None = None
        self.reopen(None)

    def execute(self, sql: str) -> list[Row]:
        self._rows.unlink(missing_ok=True)
        # The CLI interprets a line that begins with a dot as a command.
        body = "\n".join(f" {line}" if line.startswith(".") else line for line in sql.strip().rstrip(";").splitlines())
        self._write(f".once {self._rows}\n{body}\n;\n")
        if error := self._wait():
            raise SqlError(error)
        # JSON escapes line breaks in values. An empty result is an empty line.
        lines = self._rows.read_text().split("\n") if self._rows.exists() else []
        return [tuple(_plain(value) for value in json.loads(line).values()) for line in lines if line]

    def query(self, sql: str) -> list[Row]:
        return self.execute(_as_text(sql) or sql)

    def reopen(self, database: str | None) -> None:
        self._stop()
        self._process = subprocess.Popen(
            [self._executable, "-unsigned", "-no-init", "-jsonlines", database or ":memory:"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._write(".highlight_errors off\n")
        for name, value in SETTINGS.items():
            self.execute(f"SET {name} = {value}")

    def close(self) -> None:
        self._stop()
        self._scratch.cleanup()

    def _stop(self) -> None:
        if self._process:
            self._process.communicate()

    def _write(self, text: str) -> None:
        assert self._process and self._process.stdin
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise HostCrash(self._death()) from None

    def _wait(self) -> str:
        """Returns the standard error of the CLI until the end of the statement."""
        assert self._process and self._process.stderr
        self._write(f'.shell "echo {self.MARK} >&2"\n')
        lines: list[str] = []
        for line in self._process.stderr:
            if line.rstrip("\n") == self.MARK:
                return "\n".join(lines).strip()
            lines.append(line.rstrip("\n"))
        raise HostCrash("\n".join([*lines, self._death()]))

    def _death(self) -> str:
        assert self._process
        return f"the CLI ended with status {self._process.wait()}"
