"""Tests archives, release notes, and the layout for DuckDB's extension CI."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import footer
import package
import pe


class Versions(unittest.TestCase):
    def test_one_version(self) -> None:
        version = package.version()
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        described = (ROOT / "description.yml").read_text()
        self.assertIn(f"\n  version: {version}\n", described)
        self.assertIn(f"\n  ref: v{version}\n", described)
        lock = (ROOT / "Cargo.lock").read_text()
        self.assertIn(f'name = "rasteret"\nversion = "{version}"', lock)

    def test_notes_are_of_the_version(self) -> None:
        text = package.notes(package.version())
        self.assertIn("### ", text)
        self.assertIsNone(re.search(r"^## ", text, re.MULTILINE))

    def test_descriptions_have_a_row_for_each_function(self) -> None:
        text = package.FUNCTIONS.read_text()
        self.assertEqual(package.csv_faults(text), [])
        # COPY formats are not functions.
        headings = r"^## (\w+) \((?:scalar|table)\)$"
        named = set(re.findall(headings, (ROOT / "docs" / "functions.md").read_text(), re.MULTILINE))
        self.assertEqual({line.split(",")[0].strip('"') for line in text.splitlines()[1:]}, named)

    def test_faults_of_descriptions_are_found(self) -> None:
        head = "function,description,comment,example\n"
        self.assertEqual(package.csv_faults(head + "a,b,,c\n"), [])
        self.assertEqual(package.csv_faults(head + "a,b,,c\na,d,,e\n"), ["a has several rows"])
        self.assertEqual(package.csv_faults(head + "a,,,c\n"), ["a: no description"])
        self.assertEqual(package.csv_faults(head + "a,b\n"), ["line 2: 2 columns"])


class Archives(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rasteret-package-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.extension = self.folder / "made.duckdb_extension"

    def test_archive_has_the_extension_and_licences(self) -> None:
        data = footer.append(b"library", footer.for_this_build("v0.0.0-test"))
        self.extension.write_bytes(data)
        packed = package.archive(self.extension, self.folder)
        self.assertEqual(packed.name, f"rasteret-v{package.version()}-{footer.host_platform()}.zip")
        with zipfile.ZipFile(packed) as archive:
            self.assertEqual(archive.read("rasteret.duckdb_extension"), data)
            self.assertEqual(set(archive.namelist()), {"rasteret.duckdb_extension", *package.LICENCES})
        before = packed.read_bytes()
        self.assertEqual(package.archive(self.extension, self.folder).read_bytes(), before)
        line = package.write_sums(self.folder).read_text()
        self.assertEqual(line, f"{hashlib.sha256(before).hexdigest()}  {packed.name}\n")

    def test_another_platform_is_rejected(self) -> None:
        made = footer.Footer("C_STRUCT", "v0.0.0", "v1.2.0", "plan9_mips")
        self.extension.write_bytes(footer.append(b"library", made))
        with self.assertRaises(package.PackageError):
            package.archive(self.extension, self.folder)


class Layout(unittest.TestCase):
    """The Makefile with the extension CI tools, replaced by stubs that print their steps."""

    def make(self, *words: str, tools: bool) -> str:
        with tempfile.TemporaryDirectory(prefix="rasteret-layout-") as folder:
            for name in ("Makefile", "community.mk", "Cargo.toml"):
                shutil.copy(ROOT / name, folder)
            if tools:
                makefiles = Path(folder, "extension-ci-tools", "makefiles", "c_api_extensions")
                makefiles.mkdir(parents=True)
                steps = ["venv", "platform", "extension_version", "check_configure", "clean_build", "clean_configure"]
                steps += [f"build_extension_with_metadata_{kind}" for kind in ("debug", "release")]
                made = [
                    f"{step}:\n\t@echo {step} $(EXTENSION_NAME) $(EXTENSION_VERSION) $(TARGET_DUCKDB_VERSION)\n"
                    for step in steps
                ]
                made += [
                    "configure_ci: configure\n",
                    "EXTENSION_FILENAME := rasteret.duckdb_extension\n",
                    "PYTHON_VENV_BIN := echo\n",
                ]
                (makefiles / "base.Makefile").write_text("".join(made))
                built = [f"build_extension_library_{kind}:\n\t@echo cargo {kind}\n" for kind in ("debug", "release")]
                (makefiles / "rust.Makefile").write_text("".join([*built, "clean_rust:\n\t@true\n"]))
            done = subprocess.run(["make", "-s", "-C", folder, *words], capture_output=True, text=True, check=True)
            return done.stdout

    def test_extension_ci_builds_with_its_own_tools(self) -> None:
        marks = f"rasteret v{package.version()} {footer.C_API_VERSION}"
        configured = self.make("configure_ci", tools=True).splitlines()
        self.assertEqual(configured, [f"{step} {marks}" for step in ("venv", "platform", "extension_version")])
        built = self.make("release", tools=True).splitlines()
        self.assertEqual(built, ["cargo release", f"build_extension_with_metadata_release {marks}"])
        tested = self.make("test_release", tools=True)
        self.assertIn("scripts/smoke.py build/release/rasteret.duckdb_extension", tested)
        self.assertNotIn("smoke", self.make("test_release", "SKIP_TESTS=1", tools=True))

    def test_a_clone_builds_with_its_scripts(self) -> None:
        listed = self.make("help", tools=False)
        for target in ("release", "dist", "test", "docs-site"):
            self.assertRegex(listed, rf"(?m)^{target}\s")
        self.assertIn("scripts/build", self.make("--dry-run", "release", tools=False))


class WindowsLibraries(unittest.TestCase):
    def test_exports(self) -> None:
        """Reads a section at address 4096 and byte 512 with an export directory of two names."""
        names = struct.pack("<40x") + b"first\0second\0"
        table = struct.pack("<2I", 4096 + 40, 4096 + 46)
        directory = struct.pack("<24x3I4x", 2, 0, 4096 + len(names))
        content = directory + names[40:] + table
        header = b"MZ" + bytes(58) + struct.pack("<I", 64)
        header += b"PE\0\0" + struct.pack("<2xH12xH2x", 1, 240)
        header += struct.pack("<H110xI124x", pe.PE32_PLUS, 4096)
        header += struct.pack("<8s4I16x", b".edata", len(content), 4096, len(content), 512)
        self.assertEqual(pe.exports(header.ljust(512, b"\0") + content), {"first", "second"})

    def test_other_bytes_are_rejected(self) -> None:
        with self.assertRaises(ValueError):
            pe.exports(b"\x7fELF")


if __name__ == "__main__":
    unittest.main()
