"""Builds tests, examples and the extension's library with the development profile.

Cargo unifies the features of the selected packages: `--package` with one name enables other features than `--workspace`, and therefore
rebuilds nearly all dependencies. All development artifacts are built with the same selection, `cargo test --workspace --no-run`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = ("test", "--workspace", "--no-run")
# Only the library and one example, with the packages and features of DEVELOPMENT, so that dependencies are shared with the tests.
LIBRARY = ("build", "--workspace", "--example", "function_docs")
RELEASE = ("build", "--release", "--package", "rasteret", "--lib")
LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")


class BuildError(Exception):
    """A build failed, or did not produce a required file."""


@dataclass(frozen=True)
class Artifact:
    """A file built by cargo, with its package and target."""

    package: str
    version: str
    folder: Path
    target: str
    is_test: bool
    executable: Path | None
    files: tuple[Path, ...]


@cache
def build(*words: str) -> tuple[Artifact, ...]:
    """Runs cargo and returns the artifacts of this workspace. Results are cached by arguments."""
    command = ["cargo", words[0], "--locked", *words[1:], "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} failed")
    messages = map(json.loads, done.stdout.splitlines())
    artifacts = (_artifact(message) for message in messages if message["reason"] == "compiler-artifact")
    return tuple(artifact for artifact in artifacts if artifact.folder.is_relative_to(ROOT))


def _artifact(message: dict) -> Artifact:
    # A package id is `path+file:///folder#name@version`; the name is omitted if it equals that of the folder.
    fragment = message["package_id"].rpartition("#")[2]
    folder = Path(message["manifest_path"]).parent
    name, _, version = fragment.rpartition("@")
    executable = message["executable"]
    return Artifact(
        package=name or folder.name,
        version=version,
        folder=folder,
        target=message["target"]["name"],
        is_test=message["profile"]["test"],
        executable=Path(executable) if executable else None,
        files=tuple(map(Path, message["filenames"])),
    )


def tests(package: str, target: str | None = None) -> list[Artifact]:
    """Returns the test executables of a package, or of one of its targets."""
    found = [
        artifact
        for artifact in build(*DEVELOPMENT)
        if artifact.package == package and artifact.is_test and target in (None, artifact.target)
    ]
    if not found:
        raise BuildError(f"cargo built no tests of {package}{f', target {target}' if target else ''}")
    return found


def library(*words: str) -> Artifact:
    """Returns the shared library of the extension; `files` contains only this file."""
    for artifact in build(*words):
        files = tuple(file for file in artifact.files if file.suffix in LIBRARY_SUFFIXES)
        if artifact.target == "rasteret" and files:
            return Artifact(**{**vars(artifact), "files": files})
    raise BuildError("cargo named no shared library for package rasteret: is its crate-type cdylib?")
