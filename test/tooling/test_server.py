"""Tests the range server, which counts requests in tests and the demo."""

from __future__ import annotations

import http.client
import sys
import tempfile
import unittest
import urllib.parse
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import servers  # noqa: E402

BODY = bytes(range(256))


class RangeServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (root / "a.bin").write_bytes(BODY)
        (root / "empty.bin").write_bytes(b"")
        cls.url = stack.enter_context(servers.http_server(root))

    def setUp(self) -> None:
        servers.reset(self.url)

    def get(self, path: str, byte_range: str | None = None, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={"Range": byte_range} if byte_range else {})
        return connection.getresponse()

    def test_ranges(self) -> None:
        for byte_range, expected in (
            ("bytes=0-9", BODY[:10]),
            ("bytes=250-", BODY[250:]),
            ("bytes=-6", BODY[-6:]),
            ("bytes=200-999", BODY[200:]),
        ):
            with self.subTest(byte_range):
                answer = self.get("/a.bin", byte_range)
                self.assertEqual((answer.status, answer.read()), (206, expected))
        answer = self.get("/a.bin", "bytes=-6")
        self.assertEqual(answer.getheader("Content-Range"), "bytes 250-255/256")
        self.assertEqual(self.get("/a.bin", "bytes=256-").status, 416)
        self.assertEqual(self.get("/empty.bin", "bytes=0-9").status, 416)

    def test_whole_file(self) -> None:
        answer = self.get("/a.bin")
        self.assertEqual((answer.status, answer.read()), (200, BODY))
        self.assertTrue(answer.getheader("ETag"))
        self.assertTrue(answer.getheader("Last-Modified"))
        self.assertIsNone(self.get("/bare/a.bin").getheader("ETag"))
        self.assertEqual(self.get("/norange/a.bin", "bytes=0-9").status, 200)
        head = self.get("/a.bin", method="HEAD")
        self.assertEqual((head.getheader("Content-Length"), head.read()), ("256", b""))

    def test_faults(self) -> None:
        self.assertEqual(self.get("/status/403/a.bin").status, 403)
        self.assertEqual(self.get("/status/403/").status, 403)
        self.assertEqual(self.get("/no_such_file").status, 404)
        self.assertEqual(self.get("/").status, 404)
        self.assertEqual(self.get("/../server.py").status, 404)
        self.assertEqual([self.get("/flaky/2/429/a.bin").status for _ in range(3)], [429, 429, 200])
        self.assertEqual([self.get("/once/k/a.bin").status for _ in range(2)], [200, 410])
        self.assertEqual(self.get("/once/other/a.bin").status, 200)
        self.assertEqual(self.get("/redirect/302/a.bin").getheader("Location"), "/a.bin")
        truncated = self.get("/truncated/100/a.bin")
        with self.assertRaises(http.client.IncompleteRead) as raised:
            truncated.read()
        self.assertEqual(raised.exception.partial, BODY[:100])

    def test_modifiers_combine(self) -> None:
        self.assertEqual([self.get("/at/k/flaky/1/503/a.bin").status for _ in range(2)], [503, 200])
        self.assertEqual(self.get("/at/k/as/a.bin/any/other/name.tif").read(), BODY)

    def test_counters(self) -> None:
        for _ in range(2):
            self.get("/at/x/a.bin", "bytes=0-9").read()
        self.get("/at/y/a.bin", "bytes=10-19").read()
        counted = servers.stats(self.url)
        self.assertEqual({name: counted[name] for name in ("requests", "bytes", "urls", "max_requests_per_url")}, {
            "requests": 3, "bytes": 30, "urls": 2, "max_requests_per_url": 2,
        })  # fmt: skip


if __name__ == "__main__":
    unittest.main()
