"""A case of docs/clouds.md: a configuration and the expected result."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clouds.http_server import FILE
from clouds.world import World

READ = "64"


@dataclass
class Case:
    """One row of the table, which runs in its own process."""

    cloud: str
    name: str
    href: str
    expected: str = READ
    variables: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, str] | None = None
    # Contents of files, by path relative to the home directory.
    files: dict[str, str] = field(default_factory=dict)
    # Statements to run instead of reading the header of the href; HREF is replaced by it.
    steps: list[str] = field(default_factory=list)
    check: Callable[[World], None] | None = None
    settings: dict[str, object] = field(default_factory=dict)


def written(href: str) -> list[str]:
    """Steps that write an object, HREF, from a raster of 64 columns, and read it. Both have the result of `READ`."""
    return [
        f"COPY (SELECT cog_read('{FILE}') FROM range(64)) TO '{href}' (FORMAT cog)",
        f"SELECT (cog_read('{href}')).width + 0 * length(md5((cog_read('{href}')).data))",
    ]


def write_files(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
