"""Servers that run while something else does: the HTTP range server, the STAC API and the S3 one.

A server prints `ready URL` as its first line and serves until its standard input or its process is closed; here it is a
context manager that gives the URL.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTTP_SERVER = ROOT / "test" / "server.py"
STAC_API = ROOT / "test" / "stac_api.py"


class ServerError(Exception):
    """A server that did not start."""


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """Starts a server, gives the URL it prints, and ends it."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise ServerError(f"{command[0]}: expected a line `ready URL`, found {line!r}")
            yield line.split()[1]
        finally:
            process.terminate()


def http_server(root: Path, latency_ms: float = 0, port: int = 0) -> contextlib.AbstractContextManager[str]:
    """The project's own range server, on a free port unless one is named."""
    command = [sys.executable, str(HTTP_SERVER), "--root", str(root), "--latency-ms", str(latency_ms)]
    return running([*command, "--port", str(port)])


def stac_api() -> contextlib.AbstractContextManager[str]:
    """The STAC API of the tests on a free port."""
    return running([sys.executable, str(STAC_API)])


def stats(url: str) -> dict[str, int]:
    """The range server's counters since the last reset."""
    with urllib.request.urlopen(f"{url}/__stats", timeout=10) as answer:
        return json.load(answer)


def log(url: str) -> list[list]:
    """The range server's requests since the last reset, as [method, path, first byte, length]."""
    with urllib.request.urlopen(f"{url}/__log", timeout=10) as answer:
        return json.load(answer)


def reset(url: str) -> None:
    """Zeroes the range server's counters."""
    urllib.request.urlopen(f"{url}/__reset", timeout=10).close()
