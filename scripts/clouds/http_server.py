"""An HTTP server for tests, whose responses are computed by a function. The stubs of cloud services are based on it."""

from __future__ import annotations

import http.server
import re
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent.parent / "test" / "data" / "cog.tif"
DATA = FILE.read_bytes()


@dataclass
class Request:
    """An HTTP request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_path: str
    host: str


@dataclass
class Response:
    """An HTTP response."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def the_file(request: Request) -> Response:
    """Returns the COG of the tests, or the requested range of it."""
    return part_of(DATA, request)


def part_of(data: bytes, request: Request) -> Response:
    """Returns a file, or the requested range of it."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    headers = [("ETag", '"1"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Content-Type", "image/tiff")]
    if not found:
        return Response(200, data, headers)
    first, last = map(int, found.groups())
    part = data[first : last + 1]
    headers.append(("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}"))
    return Response(206, part, headers)


def xml_error(status: int, code: str, more: str = "", headers: list[tuple[str, str]] | None = None) -> Response:
    """Returns an error document of S3, GCS, Azure or STS."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>secret-looking message</Message>{more}</Error>'
    return Response(status, body.encode(), [("Content-Type", "application/xml"), *(headers or [])])


class Server:
    """Serves on a free port until it is closed, and records all requests."""

    def __init__(
        self,
        respond: Callable[[Request], Response],
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        name: str | None = None,
    ) -> None:
        self.requests: list[Request] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                url = urllib.parse.urlsplit(self.path)
                request = Request(
                    method=self.command,
                    path=urllib.parse.unquote(url.path),
                    query=dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                    raw_path=self.path,
                    host=self.headers.get("Host", ""),
                )
                outer.requests.append(request)
                response = handle(request)
                self.send_response(response.status)
                for name, value in response.headers:
                    self.send_header(name, value)
                is_head = self.command == "HEAD"
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(b"" if is_head else response.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_CONNECT = serve

            def log_message(self, *_: object) -> None:
                """Disables logging."""

        def handle(request: Request) -> Response:
            return respond(request)

        class Quiet(http.server.ThreadingHTTPServer):
            request_queue_size = 512

            def handle_error(self, *_: object) -> None:
                """Ignores failed handshakes and closed connections, which are expected."""

        self.server = Quiet((address, 0), Handler)
        self.port = self.server.server_address[1]
        if tls is not None:
            # The handshake runs in the thread of the connection, not in the accepting one.
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if tls is None else "https"
        self.host = f"{name or address}:{self.port}"
        self.url = f"{scheme}://{self.host}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
