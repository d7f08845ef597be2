"""Compares the three lists of fuzz targets."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Lists(unittest.TestCase):
    def test_are_equal(self) -> None:
        bodies = (ROOT / "crates/fuzz-targets/src/lib.rs").read_text()
        targets = set(re.findall(r'target\("(\w+)"', bodies))
        manifest = (ROOT / "fuzz/Cargo.toml").read_text()
        self.assertGreater(len(targets), 20)
        self.assertEqual(set(re.findall(r'^path = "fuzz_targets/(\w+)\.rs"$', manifest, re.MULTILINE)), targets)
        self.assertEqual({file.stem for file in (ROOT / "fuzz/fuzz_targets").glob("*.rs")}, targets)

    def test_each_has_seeds(self) -> None:
        for file in (ROOT / "fuzz/fuzz_targets").glob("*.rs"):
            if file.stem not in ("header", "ifds", "info"):
                self.assertTrue(any((ROOT / "test/fuzz" / file.stem).iterdir()), file.stem)


if __name__ == "__main__":
    unittest.main()
