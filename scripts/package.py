#!/usr/bin/env python3
"""Packages releases, and the files for DuckDB's community repository.

    package.py version                  prints the version in Cargo.toml
    package.py notes                    prints the section of CHANGELOG.md for that version, or the unreleased section
    package.py check                    checks description.yml and related files against the rules of the community repository (needs PyYAML)
    package.py dist [--extension FILE]  writes build/dist: the archive for this platform, checksums, notes, description.yml; builds the
                                        release first if no file is given
    package.py sums FOLDER              writes FOLDER/SHA256SUMS for the archives in it

The archive contains the extension, under the name that DuckDB requires, and the licences of all linked components.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import footer

ROOT = Path(__file__).resolve().parent.parent
NAME = "rasteret"
DIST = ROOT / "build" / "dist"
DESCRIPTION = ROOT / "description.yml"
FUNCTIONS = ROOT / "docs" / "function_descriptions.csv"
RELEASE = ROOT / "build" / "release" / f"{NAME}.duckdb_extension"
LICENCES = ("LICENSE", "NOTICE", "NOTICE.terrio-crs")
# A fixed date makes archives reproducible.
DATE = (1980, 1, 1, 0, 0, 0)

# Rules of github.com/duckdb/community-extensions at cf203979 (2026-08-19): scripts/build.py, scripts/generate_md.sh and the descriptions
# there; platforms and toolchains of github.com/duckdb/extension-ci-tools at 64aec33 (2026-07-17).
REQUIRED = {
    "extension": ("name", "description", "version", "language", "build", "license", "maintainers"),
    "repo": ("github", "ref"),
}
KNOWN = {
    "extension": {*REQUIRED["extension"], "excluded_platforms", "opt_in_platforms", "requires_toolchains", "test_config"},
    "repo": {*REQUIRED["repo"], "ref_next", "andium", "canonical_name"},
    "docs": {"hello_world", "extended_description"},
}  # fmt: skip
BUILDS = {"cmake", "cargo"}
TOOLCHAINS = {"rust", "python3", "parser_tools", "fortran", "omp", "go", "vcpkg"}
PLATFORMS = {
    "linux_amd64", "linux_arm64", "linux_amd64_musl", "linux_arm64_musl", "osx_amd64", "osx_arm64", "windows_amd64", "windows_arm64",
    "windows_amd64_mingw", "windows_amd64_rtools", "wasm_mvp", "wasm_eh", "wasm_threads",
}  # fmt: skip
# Platforms of the release workflow; the community repository must build the same ones.
BUILT = {"linux_amd64", "linux_arm64", "osx_arm64", "windows_amd64"}
CSV_COLUMNS = ["function", "description", "comment", "example"]


class PackageError(Exception):
    """A file is missing or invalid."""


def version() -> str:
    """Returns the version of the workspace in Cargo.toml, the source for all other occurrences."""
    found = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    if not found:
        raise PackageError("Cargo.toml: expected a version at the head of [workspace.package]")
    return found[1]


def notes(of: str) -> str:
    """Returns the section of CHANGELOG.md for a version, or `Unreleased` if there is none."""
    parts = re.split(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    sections = {title.split()[0].strip("[]"): text.strip() for title, text in zip(parts[1::2], parts[2::2])}
    text = sections.get(of) or sections.get("Unreleased")
    if not text:
        raise PackageError(f"CHANGELOG.md: expected a section `## {of}` or `## Unreleased` with text")
    return text + "\n"


def description_faults(text: str) -> list[str]:
    """Returns parts of a description that the community repository would reject, or build differently from a release."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"not YAML: {error}"]
    if not isinstance(found, dict):
        return ["expected a mapping"]
    faults = [f"no {part}.{key}" for part, keys in REQUIRED.items() for key in keys if key not in found.get(part, {})]
    faults += [f"unknown part {part}" for part in found if part not in KNOWN]
    for part, keys in KNOWN.items():
        faults += [f"unknown key {part}.{key}" for key in found.get(part, {}) if key not in keys]
    if faults:
        return faults
    return [*_extension_faults(found["extension"]), *_repo_faults(found["repo"]), *_docs_faults(found.get("docs", {}))]


def _extension_faults(extension: dict) -> list[str]:
    def words(key: str) -> set[str]:
        # The workflow splits at semicolons without trimming, so a space would become part of a name.
        return set(filter(None, str(extension.get(key, "")).split(";")))

    faults = []
    if extension["name"] != NAME:
        faults.append(f"extension.name: expected {NAME}, the name of its folder, found {extension['name']}")
    if str(extension["version"]) != version():
        faults.append(f"extension.version: expected {version()} as in Cargo.toml, found {extension['version']}")
    if extension["build"] not in BUILDS:
        faults.append(f"extension.build: expected one of {sorted(BUILDS)}, found {extension['build']}")
    if "\n" in extension["description"] or not extension["description"]:
        faults.append("extension.description: expected one line")
    if not isinstance(extension["maintainers"], list) or not extension["maintainers"]:
        faults.append("extension.maintainers: expected a list of names")
    for key, allowed in (
        ("requires_toolchains", TOOLCHAINS),
        ("excluded_platforms", PLATFORMS),
        ("opt_in_platforms", PLATFORMS),
    ):
        if unknown := words(key) - allowed:
            faults.append(f"extension.{key}: not known: {', '.join(sorted(unknown))}")
    if {"rust", "python3"} - words("requires_toolchains"):
        faults.append("extension.requires_toolchains: a build with cargo needs rust and python3")
    if (left := PLATFORMS - words("excluded_platforms")) != BUILT:
        faults.append(f"extension.excluded_platforms leaves {sorted(left)}, expected {sorted(BUILT)}")
    return faults


def _repo_faults(repo: dict) -> list[str]:
    faults = []
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(repo["github"])):
        faults.append(f"repo.github: expected owner/name, found {repo['github']}")
    if not re.fullmatch(rf"[0-9a-f]{{40}}|v{re.escape(version())}", str(repo["ref"])):
        faults.append(f"repo.ref: expected a commit or the tag v{version()}, found {repo['ref']}")
    return faults


def _docs_faults(docs: dict) -> list[str]:
    faults = [
        f"docs.{key}: expected text" for key, text in docs.items() if not isinstance(text, str) or not text.strip()
    ]
    # Jekyll interprets `{{` and `{%`.
    return faults + [
        f"docs.{key}: contains template syntax of Jekyll"
        for key, text in docs.items()
        if re.search(r"\{[{%]", str(text))
    ]


def csv_faults(text: str) -> list[str]:
    """Returns problems that would affect the join of this file with the functions by name."""
    lines = list(csv.reader(text.splitlines(keepends=True)))
    if not lines or lines[0] != CSV_COLUMNS:
        return [f"expected the columns {', '.join(CSV_COLUMNS)}, found {lines[:1]}"]
    faults = [f"line {at}: {len(row)} columns" for at, row in enumerate(lines[1:], 2) if len(row) != len(CSV_COLUMNS)]
    names = [row[0] for row in lines[1:]]
    # The page joins by name only: a second row would duplicate the function.
    faults += [f"{name} has several rows" for name in sorted({name for name in names if names.count(name) > 1})]
    return faults + [f"{row[0]}: no description" for row in lines[1:] if not (len(row) > 1 and row[1])]


def check() -> list[str]:
    """Returns the faults of all files for the community repository."""
    faults = [f"description.yml: {fault}" for fault in description_faults(DESCRIPTION.read_text())]
    faults += [f"docs/{FUNCTIONS.name}: {fault}" for fault in csv_faults(FUNCTIONS.read_text())]
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    if (released := set(re.findall(r"^ +- platform: (\w+)$", workflow, re.MULTILINE))) != BUILT:
        faults.append(f"release.yml: expected the platforms {sorted(BUILT)}, found {sorted(released)}")
    notes(version())
    return faults


def commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def archive(extension: Path, folder: Path) -> Path:
    """Writes the archive of an extension, named after the version and platform in its footer."""
    data = extension.read_bytes()
    found = footer.Footer.decode(data)
    if found != footer.for_this_build(found.extension_version):
        raise PackageError(f"{extension}: expected a footer for {footer.host_platform()}, found {found}")
    path = folder / f"{NAME}-v{version()}-{found.platform}.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in [
            (f"{NAME}.duckdb_extension", data),
            *((each, (ROOT / each).read_bytes()) for each in LICENCES),
        ]:
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, content)
    return path


def write_sums(folder: Path) -> Path:
    """Writes the SHA-256 of every archive in a folder, in the format of `sha256sum --check`."""
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        raise PackageError(f"{folder}: no archive")
    sums = folder / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in archives))
    return sums


def dist(extension: Path | None) -> list[Path]:
    """Writes the release files of this platform and returns their paths."""
    if extension is None:
        subprocess.run([sys.executable, str(ROOT / "scripts" / "build")], check=True)
    DIST.mkdir(parents=True, exist_ok=True)
    for old in DIST.iterdir():
        old.unlink()
    packed = archive(extension or RELEASE, DIST)
    (DIST / "NOTES.md").write_text(notes(version()))
    described = re.sub(r"^(  ref: ).*$", rf"\g<1>{commit()}", DESCRIPTION.read_text(), flags=re.MULTILINE)
    (DIST / "description.yml").write_text(described)
    (DIST / FUNCTIONS.name).write_bytes(FUNCTIONS.read_bytes())
    return [packed, write_sums(DIST), DIST / "NOTES.md", DIST / "description.yml", DIST / FUNCTIONS.name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("version", "notes", "check"):
        commands.add_parser(name)
    commands.add_parser("dist").add_argument("--extension", type=Path)
    commands.add_parser("sums").add_argument("folder", type=Path)
    args = parser.parse_args()
    try:
        if args.command == "version":
            print(version())
        elif args.command == "notes":
            print(notes(version()), end="")
        elif args.command == "check":
            faults = check()
            print("\n".join(faults) or "description.yml, docs/function_descriptions.csv, release.yml: no faults")
            return 1 if faults else 0
        elif args.command == "sums":
            print(write_sums(args.folder))
        else:
            for path in dist(args.extension):
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    except (PackageError, footer.FooterError, OSError, subprocess.CalledProcessError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
