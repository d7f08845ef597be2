#!/usr/bin/env python3
"""A STAC API for tests: Item Search over 25 items, with the forms of paging and faults of real APIs.

    stac_api.py [--port 0]

The first line on standard output is `ready http://127.0.0.1:PORT`. The first segment of a path selects the behaviour of the API;
`/KIND` is its landing page, `/KIND/search` its search:

    merge     a next page is a POST whose body is merged into the previous one
    body      a next page is a POST of a complete body
    token     a next page is a POST of the same body to a URL with a token
    header    GET only; a next page has a header
    get       GET only: the response to a POST is 405, and next pages are URLs
    bare      GET only, without links to a search, which is only declared by conformsTo; next pages are URLs
    busy      every page is 429 with Retry-After at first, then 503, then 200
    overlap   a page begins with the last item of the previous one, and the next page of the last page is itself
    gap       every second page is empty
    broken    the second page is always 403
    invalid   the second item has no id
    nan       cloud covers are a bare NaN, which is not valid JSON; the landing page has one as well
    echo      one item, whose properties are the method, query string and body of the request

The items are item-00 to item-24, alternately of collections a and b, one per day from 2024-01-01, with their number as eo:cloud_cover, and
boxes of one degree from longitude 0 eastwards. Only collections, ids and limit are applied; `echo` shows other conditions.

    /__log    the requests since the last /__reset: [method, path and query, body]
    /__reset  resets the log, and the state of `busy`
"""

from __future__ import annotations

import argparse
import collections
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KINDS = (
    "merge",
    "body",
    "token",
    "header",
    "get",
    "bare",
    "busy",
    "overlap",
    "gap",
    "broken",
    "invalid",
    "nan",
    "echo",
)
SEARCH = "https://api.stacspec.org/v1.0.0/item-search"
COUNT = 25


def item(number: int) -> dict[str, Any]:
    """Returns an item."""
    west = float(number)
    ring = [[west, 0.0], [west + 1, 0.0], [west + 1, 1.0], [west, 1.0], [west, 0.0]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"item-{number:02}",
        "collection": "ab"[number % 2],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, 0.0, west + 1, 1.0],
        "properties": {"datetime": f"2024-01-{number + 1:02}T00:00:00Z", "eo:cloud_cover": number},
        "links": [],
        "assets": {"B04": {"href": f"./item-{number:02}/B04.tif", "type": "image/tiff; application=geotiff"}},
    }


def echo(method: str, query: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns an item with the properties of the request."""
    properties = {"datetime": None, "method": method, "query": query, "body": json.dumps(body, sort_keys=True)}
    return item(0) | {"properties": properties}


class Api(ThreadingHTTPServer):
    """The server and its state."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.log: list[tuple[str, str, str]] = []
        self.refused: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Api

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_one("")

    def do_POST(self) -> None:
        self.handle_one(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def handle_one(self, body: str) -> None:
        url = urllib.parse.urlsplit(self.path)
        words = url.path.strip("/").split("/")
        if words[0] == "__log":
            self.answer(200, self.server.log)
        elif words[0] == "__reset":
            self.server.log.clear()
            self.server.refused.clear()
            self.answer(200, {})
        else:
            with self.server.lock:
                self.server.log.append((self.command, self.path, body))
            if words[0] not in KINDS or words[1:] not in ([], ["search"]):
                self.answer(404, {"code": "NotFound"})
            elif not words[1:]:
                self.answer(200, self.landing(words[0]))
            else:
                self.search(words[0], url, json.loads(body) if body else None)

    def base(self) -> str:
        return f"http://{self.headers['Host']}"

    def landing(self, kind: str) -> dict[str, Any]:
        """Returns the landing page."""
        search = f"{self.base()}/{kind}/search"
        methods = {"get": [None], "header": ["GET"], "bare": []}.get(kind, ["GET", "POST"])
        links = [{"rel": "search", "href": search} | ({"method": method} if method else {}) for method in methods]
        page = {"type": "Catalog", "stac_version": "1.0.0", "id": kind, "conformsTo": [SEARCH], "links": links}
        return page | ({"gsd": float("nan")} if kind == "nan" else {})

    def search(self, kind: str, url: urllib.parse.SplitResult, body: dict[str, Any] | None) -> None:
        """Sends a page of items."""
        if kind in ("get", "header", "bare") and body is not None:
            return self.answer(405, {"code": "MethodNotAllowed"})
        query = dict(urllib.parse.parse_qsl(url.query))
        if kind == "echo":
            return self.answer(
                200, {"type": "FeatureCollection", "features": [echo(self.command, url.query, body or {})]}
            )
        question: dict[str, Any] = dict(query) if body is None else body
        token = query.get("token") or question.get("token") or self.headers.get("X-Token") or "0"
        if kind == "busy":
            with self.server.lock:
                self.server.refused[token] += 1
                refusals = self.server.refused[token]
            if refusals <= 2:
                return self.answer(429 if refusals == 1 else 503, {}, {"Retry-After": "0"})
        if kind == "broken" and token != "0":
            return self.answer(403, {"code": "Forbidden"})
        names = {name: question.get(name) for name in ("collections", "ids")}
        lists = {name: value.split(",") if isinstance(value, str) else value for name, value in names.items()}
        found = [
            made
            for made in map(item, range(COUNT))
            if (not lists["collections"] or made["collection"] in lists["collections"])
            and (not lists["ids"] or made["id"] in lists["ids"])
        ]
        start, limit = int(token), int(question.get("limit", 10))
        page, end = found[start : start + limit], start + limit
        if kind == "gap" and query.get("gap") != "1":
            page, end = [], start
        if kind == "invalid":
            page = [made if made["id"] != "item-01" else {**made, "id": None} for made in page]
        if kind == "nan":
            page = [made | {"properties": made["properties"] | {"eo:cloud_cover": float("nan")}} for made in page]
        answer = {"type": "FeatureCollection", "features": page, "links": []}
        if kind == "overlap":
            end = min(end - 1, len(found) - 1)
            answer["links"] = [self.next(kind, str(end), question, query)]
        elif end < len(found):
            answer["links"] = [self.next(kind, str(end), question, query)]
        self.answer(200, answer)
        return None

    def next(self, kind: str, token: str, question: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Returns the link to the next page."""
        search = f"{self.base()}/{kind}/search"
        link: dict[str, Any] = {"rel": "next", "href": search, "method": "POST"}
        if kind in ("get", "bare") or self.command == "GET" and kind != "header":
            # A relative link.
            return {"rel": "next", "href": f"?{urllib.parse.urlencode({**query, 'token': token})}"}
        if kind == "body":
            return link | {"body": {**question, "token": token}}
        if kind == "token":
            return link | {"href": f"{search}?token={token}"}
        if kind == "gap":
            return link | {"href": f"{search}?token={token}&gap={1 - int(query.get('gap', 0))}"}
        if kind == "header":
            return {"rel": "next", "href": self.path, "method": "GET", "headers": {"X-Token": token}}
        return link | {"body": {"token": token}, "merge": True}

    def answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/geo+json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    args = parser.parse_args()
    with Api(args.port) as server:
        print(f"ready http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
