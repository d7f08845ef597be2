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

# Package of the workspace -> packages that it may depend on.
PACKAGES = {
    "crates/cog": set(),
    "crates/io": {"rasteret-cog"},
    "crates/fuzz-targets": {"rasteret-cog", "rasteret-io"},
    ".": {"rasteret-cog", "rasteret-io"},
}


@dataclass(frozen=True)
class Layer:
    """Files and folders of a crate's `src`, and the layers directly below. Imports from their lower layers are allowed too."""

    members: str
    below: str = ""


LAYERS = {
    "crates/cog/src": {
        # Errors contain the tag concerned.
        "tiff": Layer("tiff error limits coalesce interrupt"),
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
        # Validation of an index uses the rules of enrichment.
        "maintenance": Layer("maintenance", "enrich"),
        # Columns of items follow the rules by which enrichment reads them.
        "stac": Layer("stac", "enrich"),
        "write": Layer("write", "headers tiles"),
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


# In src/, files within the layers `functions` and `border` may import one another; only the order of the layers is checked.
CYCLES_ALLOWED_WITHIN_LAYERS = ("src",)


@dataclass
class Module:
    """A module of a crate, with its scope and file."""

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
    """An import of a definition in another file, with its line and path."""

    importer: str
    imported: str
    line: int
    path: str


@dataclass(frozen=True)
class Found:
    """A definition, with the module that contains it; None if it is outside the crate."""

    module: Module | None
    is_module: bool = False


# Names already visited during resolution, which stops at cyclic re-exports.
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
        """Loads a module and its children, whose files are in `folder`."""
        module = Module(file.relative_to(self.src).as_posix(), parent, source)
        for name in source.files:
            alone, nested = folder / f"{name}.rs", folder / name / "mod.rs"
            module.children[name] = self._load(alone if alone.is_file() else nested, folder / name, module)
        for name, inner in source.inline.items():
            module.children[name] = self._module(inner, file, folder / name, module)
        return module

    def resolve(self, module: Module, path: tuple[str, ...], seen: Seen = frozenset()) -> Found:
        """Resolves `path` in the scope of `module`.

        For an associated item, or an item generated by a macro, returns the last module of the path.
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
        """Resolves a name in the scope of a module; returns None if it is not in scope."""
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
        """Returns the imports between files, the first one for each pair of files."""
        edges: dict[tuple[str, str], Edge] = {}
        for module in self.root.walk():
            for path, line in self._mentions(module):
                target = self.resolve(module, path).module
                if target and target.file != module.file:
                    edge = Edge(module.file, target.file, line, "::".join(path))
                    edges.setdefault((edge.importer, edge.imported), edge)
        return list(edges.values())

    def _mentions(self, module: Module) -> Iterator[tuple[tuple[str, ...], int]]:
        """Yields the paths used in the code of a module, with their lines."""
        words = module.source.words
        for leaf in module.source.imports:
            target = self.resolve(module, leaf.path)
            if leaf.name == "*":
                if target.is_module and target.module:
                    names = (word for word in sorted(words) if self._lookup(target.module, word, frozenset()))
                    yield from (((*leaf.path, name), leaf.line) for name in names)
            # An imported module is used through paths, which are counted separately.
            elif not target.is_module and (leaf.name in words or not leaf.public):
                yield leaf.path, leaf.line
        yield from module.source.paths


def layer_of(layers: dict[str, Layer], file: str) -> str | None:
    """Returns the layer of a file; None for lib.rs."""
    member = file.split("/")[0].removesuffix(".rs")
    return next((name for name, layer in layers.items() if member in layer.members.split()), None)


def allowed(layers: dict[str, Layer], name: str) -> set[str]:
    """Returns all layers that a layer may import, directly or indirectly below it."""
    below = set(layers[name].below.split())
    return below.union(*(allowed(layers, lower) for lower in below))


def direction_faults(place: str, layers: dict[str, Layer], edges: list[Edge]) -> Iterator[str]:
    """Yields imports in a direction that the table does not allow, and files in no layer."""
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
    """Returns the shortest import cycles; a cycle that shares an import with a shorter one is omitted."""
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
    """Returns the shortest cycle through a file; empty if there is none."""
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
    """Yields import cycles between files."""
    for cycle in cycles(edge for edge in edges if edge.importer != "lib.rs"):
        steps = "".join(f"\n    {edge.importer}:{edge.line}: `{edge.path}` of {edge.imported}" for edge in cycle)
        yield f"{place}: {len(cycle)} files import one another{steps}"


def length_faults(root: Path) -> Iterator[str]:
    """Yields Rust files and functions that are too long."""
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
    """Yields dependencies between packages of the workspace that the table does not allow."""
    for folder, below in PACKAGES.items():
        manifest = root / folder / "Cargo.toml"
        for number, line in enumerate(manifest.read_text().splitlines(), 1):
            name = line.split("=")[0].split(".")[0].strip()
            in_workspace_table = folder == "." and "path" in line
            if name.startswith("rasteret-") and not in_workspace_table and name not in below:
                yield f"{manifest.relative_to(root)}:{number}: {folder} may not depend on {name}"


def print_graph(layers: dict[str, Layer], edges: list[Edge]) -> None:
    """Prints the imports between layers, with an example of each."""
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
