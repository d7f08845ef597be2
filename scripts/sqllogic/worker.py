"""Runs one .test file on one host: `python -m sqllogic.worker FILE` in the environment of the host.

Prints one line of JSON as the last line of standard output: {"records": N} with `"skipped": reason` or `"failed": message`.
If the host crashes, this process ends without this line.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from . import expect, parser
from .sessions import CliSession, HostCrash, PythonSession, Session, SqlError

# Names in `require` of DuckDB's own files that are satisfied by every host.
ALWAYS_MET = {
    "parquet",
    "json",
    "core_functions",
    "notwindows",
    "noforcestorage",
    "vector_size",
    "no_extension_autoloading",
}


class Skip(Exception):
    """The rest of the file does not apply to the host."""


class Failure(Exception):
    """The result of a record differs from the expected one."""


class Halt(Exception):
    """The file ends here."""


class Run:
    """The state of a run: session, variables, and whether records are skipped."""

    def __init__(self, session: Session, client: str, extension: Path, test_dir: Path) -> None:
        self.session = session
        self.client = client
        self.extension = extension
        self.variables = {"__TEST_DIR__": str(test_dir), "__WORKING_DIRECTORY__": os.getcwd()}
        self.environment: dict[str, str] = {}
        self.database: str | None = None
        self.required: list[str] = []
        self.skipping = False
        self.records = 0

    def run(self, records: list[parser.Record], loop: dict[str, str]) -> None:
        """Runs records in order until one fails."""
        for record in records:
            if isinstance(record, parser.Loop):
                for value in record.values:
                    self.run(record.body, {**loop, record.variable: self.expand(value, loop)})
                continue
            if self.skipping and not (isinstance(record, parser.Directive) and record.keyword == "mode"):
                continue
            try:
                self.step(record, loop)
            except (expect.Mismatch, SqlError, HostCrash) as error:
                where = "".join(f" [{name}={value}]" for name, value in loop.items())
                sql = "" if isinstance(record, parser.Directive) else f"\n  {self.expand(record.sql, loop)}"
                raise Failure(f"line {record.line}{where}: {error}{sql}") from None
            self.records += 1

    def step(self, record: parser.Statement | parser.Query | parser.Directive, loop: dict[str, str]) -> None:
        """Runs one record."""
        if isinstance(record, parser.Directive):
            self.direct(record.keyword, [self.expand(argument, loop) for argument in record.arguments])
        elif isinstance(record, parser.Query):
            expect.check_rows(record, self.session.query(self.expand(record.sql, loop)))
        else:
            self.state(record, loop)

    def state(self, record: parser.Statement, loop: dict[str, str]) -> None:
        """Runs a statement."""
        try:
            self.session.execute(self.expand(record.sql, loop))
        except SqlError as error:
            if record.expected == "ok":
                raise
            expect.check_error(record.error, str(error))
            return
        if record.expected == "error":
            raise expect.Mismatch(f"expected an error, found none\n  expected: {record.error}")

    def direct(self, keyword: str, arguments: list[str]) -> None:
        """Runs a directive."""
        if keyword == "require":
            self.require(arguments[0])
        elif keyword == "require-env":
            name = arguments[0]
            value = os.environ.get(name)
            if value is None or value not in (arguments[1:] or [value]):
                raise Skip(f"require-env {' '.join(arguments)}")
            if name in self.environment:
                raise expect.Mismatch(f"require-env {name} is repeated")
            self.environment[name] = value
        elif keyword in ("load", "restart"):
            if keyword == "load":
                self.database = arguments[0] if arguments else None
            elif self.database is None:
                raise expect.Mismatch("restart: an in-memory database cannot be reopened: load a file first")
            self.session.reopen(self.database)
            for name in self.required:
                self.load(name)
        elif keyword == "mode":
            if arguments[0] not in ("skip", "unskip"):
                raise expect.Mismatch(f"mode {arguments[0]}: expected skip or unskip")
            self.skipping = arguments[0] == "skip"
        elif keyword == "halt":
            raise Halt

    def require(self, name: str) -> None:
        """Loads an extension, or skips the rest of the file if the host does not have it."""
        if name in ALWAYS_MET:
            return
        try:
            self.load(name)
        except SqlError as error:
            if name == "rasteret":
                raise
            raise Skip(f"require {name}: {str(error).splitlines()[0]}") from None
        self.required.append(name)

    def load(self, name: str) -> None:
        """Loads the extension under test, an extension from a Python package, or a built-in one."""
        target: Path | str = name
        if name == "rasteret":
            target = self.extension
        elif self.client == "python" and (package := importlib.util.find_spec(f"duckdb_extension_{name}")):
            found = sorted(Path(package.submodule_search_locations[0]).rglob("*.duckdb_extension"))
            target = found[0] if found else name
        self.session.execute(f"LOAD '{target}'")

    def expand(self, text: str, loop: dict[str, str]) -> str:
        """Replaces ${NAME}, __TEST_DIR__ and __WORKING_DIRECTORY__ by their values."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in loop:
                return loop[name]
            if name in self.environment:
                return self.environment[name]
            raise expect.Mismatch(f"${{{name}}} is neither a loop variable nor defined by require-env")

        for name, replacement in self.variables.items():
            text = text.replace(name, replacement)
        return re.sub(r"\$\{(\w+)\}", value, text)


def run_file(file: Path, extension: Path, cli: str | None) -> dict[str, object]:
    """Runs one file and returns its outcome."""
    session: Session = CliSession(cli) if cli else PythonSession()
    with tempfile.TemporaryDirectory(prefix="rasteret-test-") as test_dir:
        run = Run(session, "cli" if cli else "python", extension, Path(test_dir))
        outcome: dict[str, object] = {}
        try:
            run.run(parser.parse(file.read_text()), {})
        except (Failure, parser.TestFileError) as error:
            outcome["failed"] = str(error)
        except Skip as reason:
            outcome["skipped"] = str(reason)
        except Halt:
            pass
        session.close()
        return {"records": run.records, **outcome}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--extension", type=Path, required=True)
    arguments.add_argument("--cli", help="the DuckDB CLI to run on, instead of this interpreter's duckdb module")
    args = arguments.parse_args()
    print(json.dumps(run_file(args.file, args.extension, args.cli)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
