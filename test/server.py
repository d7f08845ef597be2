#!/usr/bin/env python3
"""A range server for tests, the demo and benchmarks: HTTP/1.1 over asyncio, with latency, counters and faults on demand.

    server.py [--root test/data] [--port 0] [--latency-ms 0]

The first line on standard output is `ready http://127.0.0.1:PORT`. GET and HEAD serve files under the root, with one range per
request (`bytes=a-b`, `a-`, `-n`). Prefixes of the path change the response, and may be combined:

    /at/KEY/...            no change: provides distinct URLs of one file
    /as/FILE/...           this file of the root for any path: simulates a whole archive
    /once/KEY/...          410 from the second request of this URL: proves that a URL is fetched once
    /status/CODE/...       this status
    /flaky/N/CODE/...      this status for the first N requests of this URL, with Retry-After: 0
    /redirect/CODE/...     a redirect with this status to the rest of the path
    /behind/CODE/...       this status for ranges that do not start at the first byte: headers are served, but not pixels
    /slow/MS/...           a delay in milliseconds, in addition to the latency of the server
    /norange/...           the whole file with 200, for any requested range
    /truncated/N/...       N bytes of the body, then the connection is closed
    /bare/...              no validators: neither ETag nor Last-Modified

Control requests, without latency and not counted:

    /__stats               {"requests", "bytes", "connections", "peak_in_flight", "urls", "max_requests_per_url"}
    /__log                 the requests, as [method, path, first byte, length] in order
    /__reset               resets counters, and the state of /once and /flaky
    /__latency?ms=20       sets the latency
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import mmap
import sys
import typing
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

MODIFIERS = {
    "at": 1,
    "as": 1,
    "once": 1,
    "status": 1,
    "flaky": 2,
    "redirect": 1,
    "behind": 1,
    "slow": 1,
    "norange": 0,
    "truncated": 1,
    "bare": 0,
}
# Maximum length of the log, which is for tests and must not grow with millions of requests of benchmarks.
LOG_LIMIT = 10_000
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass
class Counters:
    """The requests since the last reset."""

    requests: int = 0
    bytes: int = 0
    connections: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    urls: collections.Counter[str] = field(default_factory=collections.Counter)
    log: list[tuple[str, str, int, int]] = field(default_factory=list)

    def stats(self) -> dict[str, int]:
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "connections": self.connections,
            "peak_in_flight": self.peak_in_flight,
            "urls": len(self.urls),
            "max_requests_per_url": max(self.urls.values(), default=0),
        }


@dataclass(slots=True)
class StoredFile:
    """A mapped file with the headers of an object store."""

    data: memoryview
    headers: str
    validators: str

    @classmethod
    def open(cls, path: Path) -> StoredFile:
        stat = path.stat()
        with path.open("rb") as handle:
            data = (
                memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)) if stat.st_size else memoryview(b"")
            )
        modified = formatdate(stat.st_mtime, usegmt=True)
        validators = f'ETag: "{stat.st_mtime_ns:x}-{stat.st_size:x}"\r\nLast-Modified: {modified}\r\n'
        return cls(data, "Content-Type: image/tiff\r\nAccept-Ranges: bytes\r\n", validators)


@dataclass(slots=True)
class Request:
    """A parsed request line, with the modifiers split from the path."""

    method: str
    url: str
    byte_range: str | None
    modifiers: dict[str, list[str]]
    file: str

    @classmethod
    def parse(cls, head: bytes) -> Request:
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        byte_range = next((line[6:].strip() for line in lines if line[:6].lower() == "range:"), None)
        words = urllib.parse.unquote(target.partition("?")[0]).strip("/").split("/")
        modifiers: dict[str, list[str]] = {}
        while words and words[0] in MODIFIERS and len(words) > MODIFIERS[words[0]]:
            name, count = words[0], MODIFIERS[words[0]]
            modifiers[name] = words[1 : 1 + count]
            words = words[1 + count :]
        file = modifiers["as"][0] if "as" in modifiers else "/".join(words)
        return cls(method, target, byte_range, modifiers, file)


class Server:
    """The state shared by all connections."""

    def __init__(self, root: Path, latency: float) -> None:
        self.root = root.resolve()
        self.latency = latency
        self.counters = Counters()
        self._files: dict[str, StoredFile | None] = {}

    def file(self, name: str) -> StoredFile | None:
        """Returns the file under the root, or None. Files are mapped once, because they do not change while the server runs."""
        if name not in self._files:
            path = (self.root / name).resolve()
            inside = path.is_relative_to(self.root) and path.is_file()
            self._files[name] = StoredFile.open(path) if inside else None
        return self._files[name]

    def control(self, target: str) -> bytes | None:
        """Handles a /__ request; returns None for other requests."""
        url = urllib.parse.urlsplit(target)
        if url.path == "/__stats":
            body: object = self.counters.stats()
        elif url.path == "/__log":
            body = self.counters.log
        elif url.path == "/__reset":
            self.counters = Counters(in_flight=self.counters.in_flight)
            body = {}
        elif url.path == "/__latency":
            self.latency = float(urllib.parse.parse_qs(url.query)["ms"][0]) / 1000
            body = {}
        else:
            return None
        return response(200, json.dumps(body).encode(), "Content-Type: application/json\r\n")


def response(status: int, body: bytes | memoryview = b"", headers: str = "", length: int | None = None) -> bytes:
    """Encodes a response. `headers` are complete lines; `length` is the Content-Length if it differs from that of `body`."""
    announced = len(body) if length is None else length
    head = f"HTTP/1.1 {status} {PHRASES[status]}\r\nContent-Length: {announced}\r\n{headers}\r\n"
    return b"".join((head.encode("latin-1"), body))


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Returns the range [start, end) of a Range header for a body of this size; None if it is empty."""
    first, _, last = text.removeprefix("bytes=").partition("-")
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end) if start < end else None


class Connection(asyncio.Protocol):
    """A client connection, which processes requests in order."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._received = b""
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = typing.cast(asyncio.Transport, transport)
        self._server.counters.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def _next(self) -> None:
        while not self._busy and (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[:end], self._received[end + 4 :]
            target = head.split(b" ", 2)[1].decode("latin-1")
            if control := self._server.control(target):
                self._transport.write(control)
            else:
                self._accept(Request.parse(head))

    def _accept(self, request: Request) -> None:
        counters = self._server.counters
        counters.requests += 1
        counters.urls[request.url] += 1
        counters.in_flight += 1
        counters.peak_in_flight = max(counters.peak_in_flight, counters.in_flight)
        delay = self._server.latency + float(request.modifiers.get("slow", ["0"])[0]) / 1000
        self._busy = True
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._answer, request, counters.urls[request.url])
        else:
            self._answer(request, counters.urls[request.url])

    def _answer(self, request: Request, asked: int) -> None:
        self._server.counters.in_flight -= 1
        self._busy = False
        if self._transport.is_closing():
            return
        self._transport.write(self._respond(request, asked))
        if "truncated" in request.modifiers:
            self._transport.close()
        else:
            self._next()

    def _respond(self, request: Request, asked: int) -> bytes:
        """Returns the response to the request number `asked` of this URL."""
        modifiers = request.modifiers
        if "status" in modifiers:
            return response(int(modifiers["status"][0]))
        if "once" in modifiers and asked > 1:
            return response(410)
        if "flaky" in modifiers and asked <= int(modifiers["flaky"][0]):
            return response(int(modifiers["flaky"][1]), headers="Retry-After: 0\r\n")
        if "redirect" in modifiers:
            return response(int(modifiers["redirect"][0]), headers=f"Location: /{request.file}\r\n")
        if "behind" in modifiers and request.byte_range and not request.byte_range.startswith("bytes=0-"):
            return response(int(modifiers["behind"][0]))
        if request.method not in ("GET", "HEAD"):
            return response(405)
        stored = self._server.file(request.file)
        if stored is None:
            return response(404)
        return self._file_response(request, stored)

    def _file_response(self, request: Request, stored: StoredFile) -> bytes:
        size = len(stored.data)
        headers = stored.headers if "bare" in request.modifiers else stored.headers + stored.validators
        status, start, end = 200, 0, size
        # A request with several ranges returns the whole file, as in most object stores.
        if request.byte_range and "," not in request.byte_range and "norange" not in request.modifiers:
            found = parse_range(request.byte_range, size)
            if found is None:
                return response(416, headers=f"Content-Range: bytes */{size}\r\n")
            status, (start, end) = 206, found
            headers += f"Content-Range: bytes {start}-{end - 1}/{size}\r\n"
        body = stored.data[start:end] if request.method != "HEAD" else memoryview(b"")
        if "truncated" in request.modifiers:
            body = body[: int(request.modifiers["truncated"][0])]
        counters = self._server.counters
        counters.bytes += len(body)
        if len(counters.log) < LOG_LIMIT:
            counters.log.append((request.method, request.url, start, end - start))
        return response(status, body, headers, length=end - start)


async def serve(root: Path, port: int, latency_ms: float) -> None:
    """Serves until it is cancelled or the process ends."""
    server = Server(root, latency_ms / 1000)
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server), "127.0.0.1", port, backlog=4096
    )
    print(f"ready http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    async with listening:
        await listening.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--latency-ms", type=float, default=0)
    args = parser.parse_args()
    # Serves about twice as many requests per second; used by benchmarks, optional in tests.
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    try:
        asyncio.run(serve(args.root, args.port, args.latency_ms))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
