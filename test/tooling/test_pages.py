"""Checks that paths in pages for contributors exist, and that the SQL of pages is tested as readers see it."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import docs  # noqa: E402

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/*/README.md"),
    *ROOT.glob("crates/*/README.md"),
    *ROOT.glob("fuzz/*.md"),
    *ROOT.glob(".github/**/*.md"),
]
# A path in backticks; NAME and TOPIC are placeholders, `*` is a wildcard.
NAMED = re.compile(r"`((?:src|crates|scripts|test|docs|fuzz|examples)/[\w./*-]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
PLACEHOLDER = re.compile(r"NAME|TOPIC")
# Files created by a script or a contributor.
MADE = ("fuzz/corpus", "fuzz/artifacts", "test/fuzz/TARGET")


class Paths(unittest.TestCase):
    def test_exist(self) -> None:
        for page in PAGES:
            for path in sorted(set(NAMED.findall(page.read_text()))):
                if not path.startswith(MADE):
                    with self.subTest(page=page.name, path=path):
                        pattern = PLACEHOLDER.sub("*", path).rstrip("/")
                        self.assertTrue(any(ROOT.glob(pattern)), f"{page.relative_to(ROOT)} names {path}")

    def test_links_exist(self) -> None:
        for page in PAGES:
            for link in LINK.findall(page.read_text()):
                with self.subTest(page=page.name, link=link):
                    self.assertTrue((page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}")

    def test_pages_with_sql_link_to_loading(self) -> None:
        for page in ROOT.glob("docs/*.md"):
            text = page.read_text()
            # The blocks of settings.md and clouds.md are settings, and the examples of functions.md have an introduction of their own.
            if (
                page.name not in ("getting-started.md", "functions.md", "settings.md", "clouds.md")
                and "```sql\n" in text
            ):
                with self.subTest(page=page.name):
                    introduction = text.partition("```sql\n")[0]
                    self.assertIn("getting-started.md#1-build-and-load", introduction)
                    self.assertIn("in the root directory of a clone", " ".join(introduction.split()))

    def test_ndvi_example_has_the_query_of_the_readme(self) -> None:
        (query,) = re.findall(
            r'^SERIES = """\n(.+?)"""$', (ROOT / "examples" / "ndvi.py").read_text(), re.MULTILINE | re.DOTALL
        )
        self.assertIn(f"{query.rstrip()};\n```", (ROOT / "README.md").read_text())

    def test_dbt_example_has_the_versions_that_are_tested(self) -> None:
        (line,) = re.findall(r"^pip install (.+)$", (ROOT / "examples" / "dbt" / "README.md").read_text(), re.MULTILINE)
        section = (ROOT / "scripts" / "environments.ini").read_text().partition("\n[dbt]\n")[2].partition("\n\n")[0]
        tested = [pin.strip() for pin in section.splitlines()[1:] if "extension" not in pin]
        self.assertEqual(line.split(), tested)


class Blocks(unittest.TestCase):
    def test_blocks_run_as_they_are_shown(self) -> None:
        page = "```sql\nCOPY a TO 'build/a.parquet';\n\nFROM 'a.parquet';\n```\n\n```text\n1\t2\n```\n"
        expected = "statement ok\nCOPY a TO '__TEST_DIR__/a.parquet'\n\nquery TT\nFROM 'a.parquet'\n----\n1\t2\n"
        self.assertEqual(docs.page_test("page", page), f"# page\n\nrequire rasteret\n\n{expected}")

    def test_hidden_blocks_do_not_run(self) -> None:
        self.assertIsNone(docs.page_test("page", "<!-- Hidden\n```sql\nCREATE TABLE a (b INTEGER);\n```\n-->\n"))

    def test_blocks_that_do_not_run_state_the_reason(self) -> None:
        self.assertIsNone(docs.page_test("page", '```sql title="API"\n-- needs the network\nFROM a;\n```\n'))
        with self.assertRaisesRegex(docs.DocsError, "reason"):
            docs.page_test("page", '```sql title="API"\nFROM a;\n```\n')


if __name__ == "__main__":
    unittest.main()
