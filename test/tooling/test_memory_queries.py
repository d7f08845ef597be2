"""Checks that every function has a query in scripts/memory_limit_test.py."""

from __future__ import annotations

import csv
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import memory_limit_test  # noqa: E402

DESCRIPTIONS = ROOT / "docs" / "function_descriptions.csv"


class Queries(unittest.TestCase):
    def test_functions_and_queries_have_the_same_names(self) -> None:
        with DESCRIPTIONS.open(newline="") as file:
            functions = {row["function"] for row in csv.DictReader(file)}
        self.assertGreater(len(functions), 20)
        self.assertEqual(functions, set(memory_limit_test.QUERIES), "add a query to scripts/memory_limit_test.py")


if __name__ == "__main__":
    unittest.main()
