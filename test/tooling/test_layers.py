"""Tests the checks of layers.py on small crates: all faults must be found, without false positives."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import layers  # noqa: E402
import rust_source  # noqa: E402
from layers import Layer  # noqa: E402

TABLE = {
    "low": Layer("low error"),
    "middle": Layer("middle", "low"),
    "side": Layer("side", "low"),
    "high": Layer("high", "middle"),
}


def edges_of(files: dict[str, str]) -> list[layers.Edge]:
    """Returns the imports of a crate with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return layers.Crate(Path(folder)).edges()


def pairs(files: dict[str, str]) -> set[tuple[str, str]]:
    return {(edge.importer, edge.imported) for edge in edges_of(files) if edge.importer != "lib.rs"}


class Imports(unittest.TestCase):
    """Files of imported definitions."""

    LOW = {"lib.rs": "mod low;\nmod high;\npub use low::Tile;\n", "low.rs": "pub struct Tile;\npub fn cut() {}\n"}

    def test_finds_every_form(self) -> None:
        forms = {
            "path": "use crate::low::Tile;\nfn f(_: Tile) {}",
            "re-export of lib.rs": "use crate::Tile;\nfn f(_: Tile) {}",
            "super": "use super::low::Tile;\nfn f(_: Tile) {}",
            "super through a re-export": "use super::Tile;\nfn f(_: Tile) {}",
            "tree": "use crate::{low::{self, Tile}};\nfn f(_: Tile) {}",
            "alias": "use crate::low::Tile as T;\nfn f(_: T) {}",
            "trait for its methods": "use crate::low::Tile as _;",
            "module, then a path": "use crate::low;\nfn f() { low::cut() }",
            "path in code": "fn f() { crate::low::cut() }",
            "path in code, broken by a comment": 'fn f() { let _ = "//"; crate::low::cut() } // use crate::high;',
            "glob": "use crate::low::*;\nfn f(_: Tile) {}",
            "glob over a re-export": "use super::*;\nfn f(_: Tile) {}",
            "use within a function": "fn f() { use crate::low::cut; cut() }",
            "inline module": "mod inner { use super::super::low::Tile; fn f(_: Tile) {} }",
            "associated function": "use crate::Tile;\nfn f() { Tile::new() }",
        }
        for name, text in forms.items():
            with self.subTest(name):
                self.assertEqual(pairs({**self.LOW, "high.rs": text}), {("high.rs", "low.rs")})

    def test_ignores_code_without_imports(self) -> None:
        forms = {
            "line comment": "// use crate::low::Tile;",
            "nested block comment": "/* /* */ use crate::low::Tile; */",
            "documentation": "/// See [`crate::low::Tile`].\nfn f() {}",
            "string": 'fn f() -> &\'static str { "crate::low::Tile" }',
            "raw string": 'fn f() -> &\'static str { r#"crate::low::Tile""#; "" }',
            "string after a character": "fn f() { let _ = ('\"', crate_low(), '\"'); }",
            "test module": "#[cfg(test)]\nmod tests {\n    use crate::low::Tile;\n}",
            "test import": "#[cfg(test)]\nuse crate::low::Tile;",
            "test function": "#[cfg(test)]\n#[allow(unused)]\nfn f(a: [u8; 2]) { crate::low::cut() }\nfn g() {}",
            "re-export that is not used": "pub use crate::low::Tile;",
            "module brought into scope": "pub(crate) use crate::low;",
            "visibility": "pub(in crate::low) fn f() {}",
            "another crate": "use std::low::Tile;\nfn f(_: Tile) {}",
            "lifetime": "fn f<'a>(_: &'a str) {}",
        }
        for name, text in forms.items():
            with self.subTest(name):
                self.assertEqual(pairs({**self.LOW, "high.rs": text}), set())

    def test_resolves_through_several_re_exports(self) -> None:
        files = {
            "lib.rs": "mod low;\nmod high;\npub use low::Deep;\n",
            "low/mod.rs": "mod inner;\npub use inner::*;\n",
            "low/inner.rs": "mod core;\npub use self::core::Deep;\n",
            "low/inner/core.rs": "pub struct Deep;\n",
            "high.rs": "use crate::Deep;\nfn f(_: Deep) {}\n",
        }
        self.assertEqual(pairs(files), {("high.rs", "low/inner/core.rs")})

    def test_ignores_names_of_other_crates(self) -> None:
        files = {
            "lib.rs": "mod high;\npub use other::Config;\n",
            "high.rs": "use crate::Config;\nfn f(_: Config) {}\n",
        }
        self.assertEqual(pairs(files), set())

    def test_ends_at_cyclic_re_exports(self) -> None:
        files = {
            "lib.rs": "mod high;\nmod low;\n",
            "high.rs": "pub use crate::low::*;",
            "low.rs": "pub use crate::high::*;",
        }
        self.assertEqual(pairs({**files, "high.rs": "pub use crate::low::*;\nfn f(_: Nothing) {}"}), set())


class Directions(unittest.TestCase):
    """Imports in directions that the table does not allow."""

    def faults(self, high: str, low: str) -> list[str]:
        lib = "mod error;\nmod low;\nmod middle;\nmod side;\nmod high;\npub use high::High;\npub struct Root;\n"
        files = {
            "lib.rs": lib,
            "error.rs": "pub struct Error;\n",
            "low.rs": f"pub struct Low;\n{low}",
            "middle.rs": "pub struct Middle;\n",
            "side.rs": "pub struct Side;\n",
            "high.rs": f"pub struct High;\n{high}",
        }
        return list(layers.direction_faults("src", TABLE, edges_of(files)))

    def test_allows_layers_below(self) -> None:
        self.assertEqual(
            self.faults("use crate::{error::Error, low::Low, middle::Middle};", "use crate::error::Error;"), []
        )

    def test_rejects_a_layer_above_through_a_re_export(self) -> None:
        self.assertEqual(
            self.faults("", "use crate::High;"),
            ["src/low.rs:2: `crate::High` is defined in high.rs: low may not import high"],
        )

    def test_rejects_a_layer_at_the_same_level(self) -> None:
        self.assertEqual(len(self.faults("use crate::side::Side;", "")), 1)

    def test_rejects_lib(self) -> None:
        self.assertIn("above all layers", self.faults("use crate::Root;", "")[0])

    def test_rejects_a_file_without_a_layer(self) -> None:
        files = {"lib.rs": "mod low;\nmod new;\n", "low.rs": "use crate::new::New;", "new.rs": "pub struct New;"}
        faults = list(layers.direction_faults("src", TABLE, edges_of(files)))
        self.assertEqual(faults, ["src/new.rs: in no layer of the table in scripts/layers.py"])

    def test_the_tables_have_no_cycles_and_no_unknown_layers(self) -> None:
        for table in layers.LAYERS.values():
            for name in table:
                self.assertNotIn(name, layers.allowed(table, name))


class Cycles(unittest.TestCase):
    """Import cycles."""

    def test_finds_a_parent_and_its_child(self) -> None:
        files = {
            "lib.rs": "mod low;\n",
            "low/mod.rs": "mod part;\npub struct Low;\nfn f() { part::g() }\n",
            "low/part.rs": "use super::Low;\npub fn g() {}\nfn h(_: Low) {}\n",
        }
        faults = list(layers.cycle_faults("src", edges_of(files)))
        self.assertEqual(len(faults), 1)
        self.assertIn("low/mod.rs:3: `part::g` of low/part.rs", faults[0])
        self.assertIn("low/part.rs:1: `super::Low` of low/mod.rs", faults[0])

    def test_finds_a_cycle_of_several_files(self) -> None:
        files = {
            "lib.rs": "mod a;\nmod b;\nmod c;\n",
            "a.rs": "use crate::b::B;\npub struct A;\n",
            "b.rs": "use crate::c::C;\npub struct B;\n",
            "c.rs": "use crate::a::A;\npub struct C;\n",
        }
        self.assertEqual([len(cycle) for cycle in layers.cycles(edges_of(files))], [3])

    def test_re_exports_are_no_cycle(self) -> None:
        files = {
            "lib.rs": "mod low;\npub use low::Part;\n",
            "low/mod.rs": "mod part;\npub use part::Part;\npub struct Low;\n",
            "low/part.rs": "use super::Low;\npub struct Part;\n",
        }
        self.assertEqual(layers.cycles(edges_of(files)), [])


class Lengths(unittest.TestCase):
    """Lines of functions and files."""

    def functions(self, text: str) -> list[tuple[str, int, bool]]:
        return [
            (found.name, found.lines, found.is_flat_match) for found in rust_source.functions(rust_source.mask(text))
        ]

    def test_counts_from_the_name_to_the_brace(self) -> None:
        text = 'fn one() {}\n\nfn two<T>(\n    a: [T; 2],\n) -> T\nwhere\n    T: Copy,\n{\n    "}";\n    a[0]\n}\ntrait T { fn none(); }\n'
        self.assertEqual(self.functions(text), [("one", 1, False), ("two", 9, False)])

    def test_recognizes_a_flat_match(self) -> None:
        flat = "fn f(a: u8) -> u8 {\n    let b = a;\n    match b {\n        0 if b == a => 1,\n        1 => {\n            2\n        }\n        _ => 3,\n    }\n}\n"
        self.assertEqual(self.functions(flat), [("f", 10, True)])
        for arm in ("if a == 0 { 1 } else { 2 }", "match a { _ => 1 }", "loop {}"):
            self.assertEqual(self.functions(flat.replace("=> 3", f"=> {arm}"))[0][2], False, arm)
        self.assertEqual(self.functions(flat.replace("let b = a;", "if a == 0 { return 1; }"))[0][2], False)
        self.assertEqual(self.functions(flat.replace("    }\n}\n", "    };\n    a\n}\n"))[0][2], False)

    def test_reports_long_files_and_functions(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "src"
            source.mkdir()
            (source / "long.rs").write_text("\n" * 601)
            (source / "function.rs").write_text("fn f() {\n" + "    g();\n" * 59 + "}\n")
            (source / "right.rs").write_text("fn f() {\n" + "    g();\n" * 58 + "}\n" + "\n" * 540)
            self.assertEqual(
                list(layers.length_faults(Path(folder))),
                ["src/function.rs:1: fn f: 61 lines, at most 60", "src/long.rs: 601 lines, at most 600"],
            )


class Packages(unittest.TestCase):
    """Dependencies between packages of the workspace."""

    def test_finds_a_wrong_direction(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for package in layers.PACKAGES:
                (root / package).mkdir(parents=True, exist_ok=True)
                (root / package / "Cargo.toml").write_text("[package]\nname = 'x'\n")
            (root / "Cargo.toml").write_text('[workspace.dependencies]\nrasteret-io = { path = "crates/io" }\n')
            (root / "crates/io/Cargo.toml").write_text("[dependencies]\nrasteret-cog.workspace = true\n")
            self.assertEqual(list(layers.package_faults(root)), [])
            (root / "crates/cog/Cargo.toml").write_text("[dev-dependencies]\nrasteret-io = { workspace = true }\n")
            self.assertEqual(
                list(layers.package_faults(root)),
                ["crates/cog/Cargo.toml:2: crates/cog may not depend on rasteret-io"],
            )


if __name__ == "__main__":
    unittest.main()
