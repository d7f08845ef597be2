#!/usr/bin/env python3
"""Checks import directions, cycles between files, and the length of files and functions.

    scripts/layers.py                all checks
    scripts/layers.py --graph        also prints the imports between layers, with an example of each

`LAYERS` defines the allowed directions; ARCHITECTURE.md describes the layers. An import is attributed to the module that defines the
name: `crate::Tile` is an import of `grid` if lib.rs re-exports it from there. Paths in code count like `use`. A re-export is only an
import if the file itself uses the name. Code under `#[cfg(test)]` may import anything. Method calls do not name a module and are not
detected.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import rust_source

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

# A package of the workspace, and the ones that it may depend on.
PACKAGES = {
    "crates/cog": set(),
    "crates/io": {"rasteret-cog"},
    "crates/fuzz-targets": {"rasteret-cog", "rasteret-io"},
    ".": {"rasteret-cog", "rasteret-io"},
}


@dataclass(frozen=True)
class Layer:
    """Files and folders of a crate's `src`, and the layers directly below; what those stand on may be imported too."""

    members: str
    below: str = ""


LAYERS = {
    "crates/cog/src": {
        # An error names the tag that it is about.
        "tiff": Layer("tiff error limits coalesce"),
        "geo": Layer("geo", "tiff"),
        "codec": Layer("codec", "tiff"),
        "header": Layer("header", "geo"),
        "crs": Layer("crs", "tiff"),
        "geometry": Layer("geometry", "geo crs"),
        "grid": Layer("grid", "header"),
        "project": Layer("project", "grid geometry"),
        "tile_cover": Layer("tile_cover", "project"),
        "pixel": Layer("pixel", "codec grid geometry"),
        "zonal": Layer("zonal", "pixel"),
        "write": Layer("write", "pixel"),
        "warp": Layer("warp", "project pixel"),
        "render": Layer("render", "warp"),
        "sampling": Layer("sampling", "tiff"),
    },
    "crates/io/src": {
        "types": Layer("types"),
        "runtime": Layer("runtime", "types"),
        "store": Layer("store", "runtime"),
        "headers": Layer("headers", "store"),
        "tiles": Layer("tiles", "store"),
        "parquet": Layer("parquet", "store"),
        "query": Layer("query", "headers tiles"),
        "enrich": Layer("enrich", "headers parquet"),
        # An index is checked by the rules that it was made by.
        "maintenance": Layer("maintenance", "enrich"),
        # Items become columns by the rules that enrichment reads them by.
        "stac": Layer("stac", "enrich"),
        "write": Layer("write", "tiles"),
        "session": Layer("session", "query maintenance stac write"),
    },
    "src": {
        "border": Layer("vector host error options documentation"),
        "schema": Layer("schema", "border"),
        "geometry": Layer("geometry", "border"),
        "functions": Layer("functions", "schema geometry"),
        "entrypoint": Layer("entrypoint", "functions"),
    },
}


# In src/, functions and the border are each a group of files that know one another; the order of the layers is checked.
CYCLES_ALLOWED_WITHIN_LAYERS = ("src",)


@dataclass
class Module:
    """A module of a crate: its scope, and the file that it is in."""

    file: str
    parent: Module | None
    source: rust_source.Source
    children: dict[str, Module] = field(default_factory=dict)

    @cached_property
    def bindings(self) -> dict[str, rust_source.Import]:
        return {leaf.name: leaf for leaf in self.source.imports if leaf.name not in ("*", "_")}

    @cached_property
    def globs(self) -> list[rust_source.Import]:
        return [leaf for leaf in self.source.imports if leaf.name == "*"]

    def walk(self) -> Iterator[Module]:
        yield self
        for child in self.children.values():
            yield from child.walk()


@dataclass(frozen=True)
class Edge:
    """A file imports what another defines: where, and as what."""

    importer: str
    imported: str
    line: int
    path: str


@dataclass(frozen=True)
class Found:
    """A definition: the module that it is in, or that it is; no module outside the crate."""

    module: Module | None
    is_module: bool = False


# Names on the way to a definition, so that re-exports in a circle end.
Seen = frozenset[tuple[int, str]]


class Crate:
    """The modules of a crate, from its lib.rs."""

    def __init__(self, src: Path) -> None:
        self.src = src
        self.root = self._load(src / "lib.rs", src, None)

    def _load(self, file: Path, folder: Path, parent: Module | None) -> Module:
        source = rust_source.read(rust_source.without_tests(rust_source.mask(file.read_text())))
        return self._module(source, file, folder, parent)

    def _module(self, source: rust_source.Source, file: Path, folder: Path, parent: Module | None) -> Module:
        """A module, with those below it; `folder` holds the files of its children."""
        module = Module(file.relative_to(self.src).as_posix(), parent, source)
        for name in source.files:
            alone, nested = folder / f"{name}.rs", folder / name / "mod.rs"
            module.children[name] = self._load(alone if alone.is_file() else nested, folder / name, module)
        for name, inner in source.inline.items():
            module.children[name] = self._module(inner, file, folder / name, module)
        return module

    def resolve(self, module: Module, path: tuple[str, ...], seen: Seen = frozenset()) -> Found:
        """The definition that `path` leads to from `module`.

        A path that leads into a type, or to an item that a macro makes, ends at the last module on its way.
        """
        if path[0] in ("crate", "self", "super"):
            scope = {"crate": self.root, "self": module, "super": module.parent}[path[0]]
            found = Found(scope, is_module=True)
        else:
            found = self._lookup(module, path[0], seen) or Found(None)
        for name in path[1:]:
            if not found.is_module or found.module is None:
                return found
            if name in ("self", "super"):
                found = Found(found.module.parent, is_module=True) if name == "super" else found
                continue
            found = self._lookup(found.module, name, seen) or Found(found.module)
        return found

    def _lookup(self, module: Module, name: str, seen: Seen) -> Found | None:
        """The meaning of a name in a module's scope; None if it has none there."""
        if (id(module), name) in seen:
            return None
        seen = seen | {(id(module), name)}
        if name in module.children:
            return Found(module.children[name], is_module=True)
        if name in module.source.items:
            return Found(module)
        if leaf := module.bindings.get(name):
            return self.resolve(module, leaf.path, seen)
        for leaf in module.globs:
            target = self.resolve(module, leaf.path, seen)
            if target.is_module and target.module and (found := self._lookup(target.module, name, seen)):
                return found
        return None

    def edges(self) -> list[Edge]:
        """The imports between files, the first of each pair."""
        edges: dict[tuple[str, str], Edge] = {}
        for module in self.root.walk():
            for path, line in self._mentions(module):
                target = self.resolve(module, path).module
                if target and target.file != module.file:
                    edge = Edge(module.file, target.file, line, "::".join(path))
                    edges.setdefault((edge.importer, edge.imported), edge)
        return list(edges.values())

    def _mentions(self, module: Module) -> Iterator[tuple[tuple[str, ...], int]]:
        """The paths by which a module's own code names something."""
        words = module.source.words
        for leaf in module.source.imports:
            target = self.resolve(module, leaf.path)
            if leaf.name == "*":
                if target.is_module and target.module:
                    names = (word for word in sorted(words) if self._lookup(target.module, word, frozenset()))
                    yield from (((*leaf.path, name), leaf.line) for name in names)
            # A module that is brought into scope is used by paths, which count themselves.
            elif not target.is_module and (leaf.name in words or not leaf.public):
                yield leaf.path, leaf.line
        yield from module.source.paths


def layer_of(layers: dict[str, Layer], file: str) -> str | None:
    """The layer of a file of a crate; lib.rs is in none."""
    member = file.split("/")[0].removesuffix(".rs")
    return next((name for name, layer in layers.items() if member in layer.members.split()), None)


def allowed(layers: dict[str, Layer], name: str) -> set[str]:
    """The layers that a layer may import: those below it, all the way down."""
    below = set(layers[name].below.split())
    return below.union(*(allowed(layers, lower) for lower in below))


def direction_faults(place: str, layers: dict[str, Layer], edges: list[Edge]) -> Iterator[str]:
    """Imports against the direction of the table, and files that it does not have."""
    files = sorted({file for edge in edges for file in (edge.importer, edge.imported)} - {"lib.rs"})
    homeless = [file for file in files if layer_of(layers, file) is None]
    for file in homeless:
        yield f"{place}/{file}: in no layer of the table in scripts/layers.py"
    for edge in edges:
        if edge.importer == "lib.rs" or edge.importer in homeless or edge.imported in homeless:
            continue
        above = layer_of(layers, edge.importer)
        below = layer_of(layers, edge.imported)
        where = f"{place}/{edge.importer}:{edge.line}: `{edge.path}`"
        if below is None:
            yield f"{where} is an import of lib.rs, which is above all layers"
        elif above != below and below not in allowed(layers, above):
            yield f"{where} is defined in {edge.imported}: {above} may not import {below}"


def cycles(edges: Iterable[Edge]) -> list[list[Edge]]:
    """The shortest cycles through the files that are in one, without those that share an import with a shorter one."""
    out: dict[str, list[Edge]] = {}
    for edge in edges:
        out.setdefault(edge.importer, []).append(edge)
    found: dict[frozenset[str], list[Edge]] = {}
    for start in sorted(out):
        if cycle := _shortest(out, start):
            found.setdefault(frozenset(edge.importer for edge in cycle), cycle)
    kept: list[list[Edge]] = []
    used: set[Edge] = set()
    for cycle in sorted(found.values(), key=len):
        if used.isdisjoint(cycle):
            used.update(cycle)
            kept.append(cycle)
    return kept


def _shortest(out: dict[str, list[Edge]], start: str) -> list[Edge]:
    """The shortest way from a file back to itself, empty if there is none."""
    ways: dict[str, list[Edge]] = {start: []}
    queue = [start]
    for file in queue:
        for edge in out.get(file, []):
            if edge.imported == start:
                return [*ways[file], edge]
            if edge.imported not in ways:
                ways[edge.imported] = [*ways[file], edge]
                queue.append(edge.imported)
    return []


def cycle_faults(place: str, edges: list[Edge]) -> Iterator[str]:
    """Files that import one another."""
    for cycle in cycles(edge for edge in edges if edge.importer != "lib.rs"):
        steps = "".join(f"\n    {edge.importer}:{edge.line}: `{edge.path}` of {edge.imported}" for edge in cycle)
        yield f"{place}: {len(cycle)} files import one another{steps}"


def length_faults(root: Path) -> Iterator[str]:
    """Files and functions that are too long, in every Rust file of the repository."""
    for file in sorted(rust_files(root)):
        text = file.read_text()
        place = file.relative_to(root).as_posix()
        if (lines := text.count("\n")) > MAX_FILE_LINES:
            yield f"{place}: {lines} lines, at most {MAX_FILE_LINES}"
        for function in rust_source.functions(rust_source.mask(text)):
            if function.lines > MAX_FUNCTION_LINES and not function.is_flat_match:
                yield f"{place}:{function.line}: fn {function.name}: {function.lines} lines, at most {MAX_FUNCTION_LINES}"


def rust_files(root: Path) -> Iterator[Path]:
    for folder in ("src", "crates", "fuzz"):
        for file in (root / folder).rglob("*.rs"):
            if "target" not in file.relative_to(root).parts:
                yield file


def package_faults(root: Path) -> Iterator[str]:
    """Dependencies between packages of the workspace that the table does not allow."""
    for folder, below in PACKAGES.items():
        manifest = root / folder / "Cargo.toml"
        for number, line in enumerate(manifest.read_text().splitlines(), 1):
            name = line.split("=")[0].split(".")[0].strip()
            in_workspace_table = folder == "." and "path" in line
            if name.startswith("rasteret-") and not in_workspace_table and name not in below:
                yield f"{manifest.relative_to(root)}:{number}: {folder} may not depend on {name}"


def print_graph(layers: dict[str, Layer], edges: list[Edge]) -> None:
    """Which layer imports which, with one import of each."""
    shown: dict[tuple[str | None, str | None], list[Edge]] = {}
    for edge in edges:
        pair = layer_of(layers, edge.importer), layer_of(layers, edge.imported)
        if pair[0] != pair[1]:
            shown.setdefault(pair, []).append(edge)
    for (above, below), found in sorted(shown.items(), key=str):
        edge = found[0]
        print(f"  {above} -> {below}: {len(found)}, {edge.importer}:{edge.line} `{edge.path}`")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", action="store_true")
    args = parser.parse_args()
    faults = list(package_faults(ROOT))
    for place, layers in LAYERS.items():
        edges = Crate(ROOT / place).edges()
        if args.graph:
            print(place)
            print_graph(layers, edges)
        faults += direction_faults(place, layers, edges)
        if place not in CYCLES_ALLOWED_WITHIN_LAYERS:
            faults += cycle_faults(place, edges)
    faults += length_faults(ROOT)
    for fault in faults:
        print(fault)
    print(f"layers: {len(faults)} faults" if faults else "layers: imports follow the table; no cycles; no long files")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
