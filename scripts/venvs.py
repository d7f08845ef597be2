#!/usr/bin/env python3
"""Creates Python environments with pinned versions in build/venvs.

    venvs.py                 creates all DuckDB hosts
    venvs.py NAME...         creates these environments and prints the paths of their interpreters

They are defined in environments.ini, and created concurrently. The file `ready` of a complete environment contains the digest of its
definition, so that incomplete or outdated environments are created again, and complete ones are reused.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts" / "environments.ini"
VENVS = ROOT / "build" / "venvs"
OLDEST_PYTHON = "3.10"
# In CI, missing requirements are failures.
REQUIRE_ALL = os.environ.get("RASTERET_REQUIRE_ALL") == "1"
# Interpreters to search for if the running one is too old, newest first.
INTERPRETERS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10")


class EnvironmentUnavailable(Exception):
    """An environment cannot be created on this machine; the message is the reason."""


@dataclass(frozen=True)
class Environment:
    """One section of environments.ini."""

    name: str
    requires: tuple[str, ...]
    python: tuple[int, int]
    client: str | None

    @property
    def directory(self) -> Path:
        return VENVS / self.name

    @property
    def interpreter(self) -> Path:
        return self.directory / "bin" / "python"

    @property
    def duckdb_version(self) -> str:
        """The DuckDB version of a host, from its name."""
        return self.name.rpartition("-")[2]

    @property
    def cli(self) -> Path:
        """The DuckDB executable of a CLI host. `bin/duckdb` is a wrapper script, which would hide a crash."""
        return next(self.directory.glob("lib/python*/site-packages/duckdb_cli/duckdb"))

    def digest(self, base: str) -> str:
        """Returns a digest of the requirements and the interpreter."""
        return hashlib.sha256("\n".join([base, *self.requires]).encode()).hexdigest()


@cache
def table() -> dict[str, Environment]:
    """Returns all environments, in the order of the file."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(TABLE.read_text())
    return {
        name: Environment(
            name=name,
            requires=tuple(line for line in section["requires"].splitlines() if line.strip()),
            python=_version(section.get("python", OLDEST_PYTHON)),
            client=section.get("client"),
        )
        for name, section in parser.items()
        if name != parser.default_section
    }


def hosts() -> list[Environment]:
    """Returns the environments of DuckDB hosts."""
    return [environment for environment in table().values() if environment.client]


def usable_hosts() -> list[Environment]:
    """Returns the hosts for which this machine has a Python; prints the others."""
    usable = []
    for host in hosts():
        try:
            _find_python(host.python)
            usable.append(host)
        except EnvironmentUnavailable as error:
            if REQUIRE_ALL:
                raise
            print(f"left out {host.name}: {error}", file=sys.stderr)
    return usable


def ensure(names: list[str]) -> dict[str, Path]:
    """Creates missing environments; returns the interpreter of each environment."""
    wanted = [table()[name] for name in names]
    with ThreadPoolExecutor(max_workers=len(wanted) or 1) as pool:
        list(pool.map(_make, wanted))
    return {environment.name: environment.interpreter for environment in wanted}


def become(name: str, module: str) -> NoReturn:
    """Replaces this process by `python -m module` of scripts/ in an environment, with the same arguments."""
    try:
        python = ensure([name])[name]
    except EnvironmentUnavailable as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    os.execve(python, [str(python), "-m", module, *sys.argv[1:]], environment)


def _make(environment: Environment) -> None:
    base = _find_python(environment.python)
    ready = environment.directory / "ready"
    digest = environment.digest(base)
    VENVS.mkdir(parents=True, exist_ok=True)
    with (VENVS / f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.is_file() and ready.read_text() == digest:
            return
        print(f"creating build/venvs/{environment.name}", file=sys.stderr, flush=True)
        shutil.rmtree(environment.directory, ignore_errors=True)
        _run([base, "-m", "venv", str(environment.directory)])
        pip = [str(environment.interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *environment.requires])
        ready.write_text(digest)


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise EnvironmentUnavailable(f"{' '.join(command)} failed:\n{done.stdout}")


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


@cache
def _find_python(oldest: tuple[int, int]) -> str:
    """Returns the running interpreter if it is new enough, otherwise the newest one on PATH or of pyenv."""
    if sys.version_info[:2] >= oldest:
        return os.path.realpath(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in INTERPRETERS:
        if _version(name.removeprefix("python")) < oldest:
            break
        candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"*/bin/{name}"), reverse=True))]
        for candidate in filter(None, candidates):
            # PATH may contain pyenv shims of versions that are not selected, which fail when run.
            command = [candidate, "-c", "import os, sys; print(os.path.realpath(sys.executable))"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
    raise EnvironmentUnavailable(f"needs Python {oldest[0]}.{oldest[1]} or newer, found none on PATH")


def main() -> int:
    names = sys.argv[1:]
    if unknown := [name for name in names if name not in table()]:
        print(f"venvs: no such environment: {', '.join(unknown)}; expected {', '.join(table())}", file=sys.stderr)
        return 2
    try:
        for name, interpreter in ensure(names or [host.name for host in usable_hosts()]).items():
            print(name, interpreter)
    except EnvironmentUnavailable as error:
        print(f"venvs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
