"""An HTTP server for tests whose answers are functions of the request: the ground that the clouds' stubs stand on."""

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
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_path: str
    host: str


@dataclass
class Answer:
    """What goes out."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def the_file(request: Request) -> Answer:
    """The COG of the tests, or the range of it that was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    headers = [("ETag", '"1"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Content-Type", "image/tiff")]
    if not found:
        return Answer(200, DATA, headers)
    first, last = map(int, found.groups())
    part = DATA[first : last + 1]
    headers.append(("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(DATA)}"))
    return Answer(206, part, headers)


def xml_error(status: int, code: str, more: str = "", headers: list[tuple[str, str]] | None = None) -> Answer:
    """An error document of S3, GCS, Azure or STS."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>secret-looking message</Message>{more}</Error>'
    return Answer(status, body.encode(), [("Content-Type", "application/xml"), *(headers or [])])


class Server:
    """Serves on a free port of an address until it is closed; keeps what it was asked."""

    def __init__(
        self,
        answer: Callable[[Request], Answer],
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
                answer = answer_of(request)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                is_head = self.command == "HEAD"
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(b"" if is_head else answer.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_CONNECT = serve

            def log_message(self, *_: object) -> None:
                """Nothing: the answers are what is looked at."""

        def answer_of(request: Request) -> Answer:
            return answer(request)

        class Quiet(http.server.ThreadingHTTPServer):
            request_queue_size = 512

            def handle_error(self, *_: object) -> None:
                """Refused handshakes and closed connections are expected."""

        self.server = Quiet((address, 0), Handler)
        self.port = self.server.server_address[1]
        if tls is not None:
            # The handshake is made by the thread of a connection, not by the one that accepts it.
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if tls is None else "https"
        self.host = f"{name or address}:{self.port}"
        self.url = f"{scheme}://{self.host}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
