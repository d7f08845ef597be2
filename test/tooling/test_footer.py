"""Compares the footer with the bytes appended by DuckDB's own scripts."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import footer  # noqa: E402

EXAMPLE = footer.Footer("C_STRUCT", "v0.1.0", "v1.2.0", "linux_amd64")


class FooterBytes(unittest.TestCase):
    def test_layout(self) -> None:
        data = EXAMPLE.encode()
        self.assertEqual(len(data), 534)
        self.assertEqual(data[:22], bytes.fromhex("00930410") + b"duckdb_signature" + bytes.fromhex("8004"))
        # DuckDB reads the fields from the end: 256 bytes of signature, preceded by the magic, the platform, ...
        last = [data[-256 - 32 * index :][:32].rstrip(b"\0").decode() for index in range(1, 9)]
        self.assertEqual(last, ["4", "linux_amd64", "v1.2.0", "v0.1.0", "C_STRUCT", "", "", ""])
        self.assertEqual(data[-256:], bytes(256))

    def test_round_trip(self) -> None:
        self.assertEqual(footer.Footer.decode(footer.append(b"library", EXAMPLE)), EXAMPLE)

    def test_rejects(self) -> None:
        with self.assertRaisesRegex(footer.FooterError, "already has a footer"):
            footer.append(footer.append(b"library", EXAMPLE), EXAMPLE)
        with self.assertRaisesRegex(footer.FooterError, "no footer"):
            footer.Footer.decode(b"a library without one".ljust(600))
        with self.assertRaisesRegex(footer.FooterError, "no footer"):
            footer.Footer.decode(b"short")
        with self.assertRaisesRegex(footer.FooterError, "at most 32 bytes"):
            footer.Footer("C_STRUCT", "v" * 33, "v1.2.0", "linux_amd64").encode()


if __name__ == "__main__":
    unittest.main()
