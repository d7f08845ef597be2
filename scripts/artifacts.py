"""The development build: tests, examples and the extension's library, from one run of cargo.

Cargo unites the features of the packages that it is told to build. `--package` with one name gives another set than `--workspace`, and
another build of nearly all dependencies with it. So everything that is not the release comes from the same selection:
`cargo test --workspace --no-run`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = ("test", "--workspace", "--no-run")
# The library and one example, with the packages and features of DEVELOPMENT: compiles no tests, and reuses the crates that they use.
LIBRARY = ("build", "--workspace", "--example", "function_docs")
RELEASE = ("build", "--release", "--package", "rasteret", "--lib")
LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")


class BuildError(Exception):
    """A build that failed, or that left out a file that is needed."""


@dataclass(frozen=True)
class Artifact:
    """A file that cargo built, of which target of which package."""

    package: str
    version: str
    folder: Path
    target: str
    is_test: bool
    executable: Path | None
    files: tuple[Path, ...]


@cache
def build(*words: str) -> tuple[Artifact, ...]:
    """Runs cargo, once for the same words; its artifacts of this workspace."""
    command = ["cargo", words[0], "--locked", *words[1:], "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} failed")
    messages = map(json.loads, done.stdout.splitlines())
    artifacts = (_artifact(message) for message in messages if message["reason"] == "compiler-artifact")
    return tuple(artifact for artifact in artifacts if artifact.folder.is_relative_to(ROOT))


def _artifact(message: dict) -> Artifact:
    # A package's id is `path+file:///folder#name@version`, without the name where the folder has it.
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
    """The test programs of a package, or the one of a target."""
    found = [
        artifact
        for artifact in build(*DEVELOPMENT)
        if artifact.package == package and artifact.is_test and target in (None, artifact.target)
    ]
    if not found:
        raise BuildError(f"cargo built no tests of {package}{f', target {target}' if target else ''}")
    return found


def library(*words: str) -> Artifact:
    """The extension's shared library of a build; `files` holds it alone."""
    for artifact in build(*words):
        files = tuple(file for file in artifact.files if file.suffix in LIBRARY_SUFFIXES)
        if artifact.target == "rasteret" and files:
            return Artifact(**{**vars(artifact), "files": files})
    raise BuildError("cargo named no shared library for package rasteret: is its crate-type cdylib?")
