"""Tests that the SQL test runner detects all failures and invalid files."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import sqltest  # noqa: E402
import venvs  # noqa: E402
from sqllogic import parser  # noqa: E402

NO_EXTENSION = Path("/no/such/rasteret.duckdb_extension")

# Content of a file, and part of the expected failure.
REJECTED = {
    "wrong value": ("query I\nSELECT 1\n----\n2\n", "row 1 differs"),
    "wrong value in a later row": ("query I\nSELECT * FROM range(3)\n----\n0\n1\n3\n", "row 3 differs"),
    "missing row": ("query I\nSELECT * FROM range(2)\n----\n0\n", "expected 1 rows, found 2"),
    "surplus row": ("query I\nSELECT 0\n----\n0\n1\n", "expected 2 rows, found 1"),
    "no rows": ("query I\nSELECT 0 WHERE false\n----\n0\n", "expected 1 rows, found 0"),
    "rows in another order": ("query I\nSELECT unnest([2, 1])\n----\n1\n2\n", "row 1 differs"),
    "too few columns": ("query II\nSELECT 1\n----\n1\t1\n", "expected 2 columns, found 1"),
    "too many columns": ("query I\nSELECT 1, 2\n----\n1\n", "expected 1 columns, found 2"),
    "NULL is not the empty string": ("query T\nSELECT NULL\n----\n(empty)\n", "row 1 differs"),
    "NULL is not the word": ("query I\nSELECT 'NULL' IS NULL\n----\n1\n", "row 1 differs"),
    "nearly the same double": ("query R\nSELECT 1.0000001::DOUBLE\n----\n1.0\n", "row 1 differs"),
    "other digits in a text column": ("query T\nSELECT 1.0::DOUBLE\n----\n1\n", "row 1 differs"),
    "pattern that matches a part only": ("query T\nSELECT 'abc'\n----\n<REGEX>:b\n", "row 1 differs"),
    "pattern that must not match": ("query T\nSELECT 'abc'\n----\n<!REGEX>:a.*\n", "row 1 differs"),
    "query that fails": ("query I\nSELECT no_such_column\n----\n1\n", "Binder Error"),
    "statement that fails": ("statement ok\nSELEC 1\n", "Parser Error"),
    "statement that does not fail": (
        "statement error\nSELECT 1\n----\nBinder Error\n",
        "expected an error, found none",
    ),
    "unexpected error": ("statement error\nSELECT no_such_column\n----\nno_other_column\n", "unexpected error"),
    "failure in a loop": ("foreach n 1 2\n\nquery I\nSELECT ${n}\n----\n1\n\nendloop\n", "[n=2]: row 1 differs"),
    "unknown variable": (
        "statement ok\nSELECT '${NO_SUCH_VARIABLE}'\n",
        "neither a loop variable nor defined by require-env",
    ),
    "missing extension": ("require rasteret\n", "rasteret.duckdb_extension"),
    "failure after skipped records": ("mode skip\n\nmode unskip\n\nquery I\nSELECT 1\n----\n2\n", "row 1 differs"),
    "environment variable without require-env": (
        "statement ok\nSELECT '${HTTP}'\n",
        "neither a loop variable nor defined by require-env",
    ),
    "variable in expected rows": (
        "foreach n 1\n\nquery T\nSELECT '${n}'\n----\n${n}\n\nendloop\n",
        "row 1 differs",
    ),
    "variable in an expected error": (
        "require-env HTTP\n\nstatement error\nSELECT error('${HTTP}')\n----\n${HTTP}\n",
        "unexpected error",
    ),
    "unexpected error of statement maybe": (
        "statement maybe\nSELECT no_such_column\n----\nno_other_column\n",
        "unexpected error",
    ),
    "restart of a database in memory": ("restart\n", "load a file first"),
    "repeated requirement": ("require-env HTTP\n\nrequire-env HTTP\n", "is repeated"),
}

MALFORMED = {
    "unknown record": "querry I\nSELECT 1\n----\n1\n",
    "statement error without a text": "statement error\nSELEC 1\n",
    "statement ok with a text": "statement ok\nSELECT 1\n----\nBinder Error\n",
    "query without rows": "query I\nSELECT 1\n",
    "query without types": "query\nSELECT 1\n----\n1\n",
    "unknown sort": "query I upwards\nSELECT 1\n----\n1\n",
    "loop without an end": "foreach n 1 2\n\nstatement ok\nSELECT 1\n",
    "end without a loop": "endloop\n",
    "condition on a version": "onlyif duckdb>=1.5.0\nstatement ok\nSELECT 1\n",
    "statement maybe without a text": "statement maybe\nSELECT 1\n",
    "comment within SQL": "query I\nSELECT 1\n# and\n----\n1\n",
    "line of blanks": "statement ok\nSELECT 1\n  \nstatement ok\nSELECT 1\n",
    "no blank line after require": "require rasteret\nstatement ok\nSELECT 1\n",
    "no blank line after a loop": "foreach n 1 2\nstatement ok\nSELECT 1\n\nendloop\n",
    "load in a loop": "foreach n 1 2\n\nload\n\nendloop\n",
    "require of nothing": "require\n",
}


class Runner(unittest.TestCase):
    """Complete files with the Python client and the CLI."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.hosts = [venvs.table()[name] for name in ("host-1.5.6", "host-cli-1.5.6")]
        venvs.ensure([host.name for host in cls.hosts])

    def outcomes(self, text: str, limit: float = 60) -> list[sqltest.Outcome]:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "case.test"
            file.write_text(text)
            environment = {**os.environ, "HTTP": "http://127.0.0.1:1"}
            return [sqltest.run_one(file, host, NO_EXTENSION, environment, limit) for host in self.hosts]

    def test_accepts_the_whole_dialect(self) -> None:
        for outcome in self.outcomes((ROOT / "test" / "tooling" / "accepted.test").read_text()):
            self.assertIsNone(outcome.failed)
            self.assertIsNone(outcome.skipped)

    def test_rejects(self) -> None:
        for name, (text, expected) in REJECTED.items():
            for outcome in self.outcomes(text):
                with self.subTest(name, host=outcome.host):
                    self.assertIsNotNone(outcome.failed)
                    self.assertIn(expected, outcome.failed or "")

    def test_stops_at_the_time_limit(self) -> None:
        endless = (
            "statement ok\nSELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE hash(a) = hash(b) + 1\n"
        )
        for outcome in self.outcomes(endless, limit=2):
            self.assertIn("no end after 2 s", outcome.failed or "")

    def test_skips_with_a_reason(self) -> None:
        for requirement in ("require-env NO_SUCH_VARIABLE", "require-env HTTP no", "require no_such_extension"):
            for outcome in self.outcomes(f"{requirement}\n\nstatement ok\nnot reached\n"):
                self.assertIsNone(outcome.failed)
                self.assertIn(requirement, outcome.skipped or "")


class Crash(unittest.TestCase):
    """A crash of the host is a failure of the file."""

    def test_reports_the_signal(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            interpreter = Path(directory) / "python"
            interpreter.write_text("#!/bin/sh\nkill -SEGV $$\n")
            interpreter.chmod(0o755)

            class Dying(venvs.Environment):
                @property
                def interpreter(self) -> Path:
                    return interpreter

            host = Dying(**dataclasses.asdict(venvs.hosts()[0]))
            outcome = sqltest.run_one(Path("any.test"), host, NO_EXTENSION, dict(os.environ), 60)
        self.assertIn("the host died with signal 11", outcome.failed or "")


class Parser(unittest.TestCase):
    """Invalid files."""

    def test_rejects_invalid_files(self) -> None:
        for name, text in MALFORMED.items():
            with self.subTest(name), self.assertRaises(parser.TestFileError):
                parser.parse(text)

    def test_reads_every_file_of_test_sql(self) -> None:
        for file in sqltest.find_files([ROOT / "test" / "sql"]):
            with self.subTest(file.name):
                text = file.read_text()
                parser.parse(text)
                # DuckDB's convention: the first line is the path.
                self.assertEqual(text.splitlines()[0], f"# name: {file.relative_to(ROOT).as_posix()}")

    def test_errors_contain_the_line(self) -> None:
        text = textwrap.dedent(
            """\
            # a comment

            statement sometimes
            SELECT 1
            """
        )
        with self.assertRaisesRegex(parser.TestFileError, "line 3: expected statement"):
            parser.parse(text)

    def test_compares_releases_by_number(self) -> None:
        self.assertEqual(
            sqltest.release_variables("1.5.10"),
            {
                "DUCKDB_SINCE_1_5_0": "1",
                "DUCKDB_SINCE_1_5_2": "1",
                "DUCKDB_SINCE_1_5_5": "1",
                "DUCKDB_SINCE_2_0_1": "0",
            },
        )
        self.assertEqual(sqltest.release_variables("1.5.2")["DUCKDB_SINCE_1_5_5"], "0")
        self.assertEqual(set(sqltest.release_variables("1.4.5").values()), {"0"})
        self.assertEqual(set(sqltest.release_variables("2.0.1").values()), {"1"})


if __name__ == "__main__":
    unittest.main()
