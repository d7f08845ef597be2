"""Starts the servers of tests: the HTTP range server and the STAC API.

A server prints `ready URL` as its first line and runs until its standard input is closed. Each function returns a context manager
that yields the URL.
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
    """A server did not start."""


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """Starts a server, yields its URL, and stops it."""
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
    """Starts the range server of the tests, by default on a free port."""
    command = [sys.executable, str(HTTP_SERVER), "--root", str(root), "--latency-ms", str(latency_ms)]
    return running([*command, "--port", str(port)])


def stac_api() -> contextlib.AbstractContextManager[str]:
    """Starts the STAC API of the tests on a free port."""
    return running([sys.executable, str(STAC_API)])


def stats(url: str) -> dict[str, int]:
    """Returns the counters of the range server since the last reset."""
    with urllib.request.urlopen(f"{url}/__stats", timeout=10) as response:
        return json.load(response)


def log(url: str) -> list[list]:
    """Returns the requests of the range server since the last reset, as [method, path, first byte, length]."""
    with urllib.request.urlopen(f"{url}/__log", timeout=10) as response:
        return json.load(response)


def reset(url: str) -> None:
    """Resets the counters of the range server."""
    urllib.request.urlopen(f"{url}/__reset", timeout=10).close()
