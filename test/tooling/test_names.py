"""Checks that functions of this extension do not have the names of functions of other extensions."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "functions.md"
LIST = Path(__file__).with_name("community_functions.tsv")
# Shared names, with the page that documents which function a query calls.
KNOWN = {("cog", "read_stac"): ROOT / "docs" / "publishing.md"}


def community() -> set[tuple[str, str]]:
    """Returns pairs of extension and function name, in lower case because DuckDB ignores case."""
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return {(extension, name.lower()) for extension, name in (line.split("\t") for line in lines)}


def own() -> set[str]:
    return {name.lower() for name in re.findall(r"^## (\w+) \(\w+\)$", REFERENCE.read_text(), re.MULTILINE)}


class Names(unittest.TestCase):
    def test_the_lists_are_not_empty(self) -> None:
        self.assertGreater(len(own()), 20)
        extensions = {extension for extension, _ in community()}
        self.assertEqual(extensions, {"cog", "h3", "raster", "spatial"})

    def test_names_are_unique(self) -> None:
        shared = {(extension, name) for extension, name in community() if name in own()}
        self.assertEqual(shared, set(KNOWN))

    def test_known_collisions_are_documented(self) -> None:
        for (extension, name), page in KNOWN.items():
            with self.subTest(extension=extension, name=name):
                self.assertRegex(page.read_text(), rf"`{extension}`[^\n]*\n?[^\n]*`{name}`")


if __name__ == "__main__":
    unittest.main()
