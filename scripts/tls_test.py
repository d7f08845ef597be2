"""Which servers are trusted over HTTPS: those that the system trusts, by TLS 1.2 and 1.3, under their own names only.

    python tls_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB and trustme. The server is Python's, with a certificate of an authority made here; SSL_CERT_FILE makes
that authority the system's, but on macOS, where nothing but the keychain does: there the test is skipped. Each question is asked in a
process of its own, because trust is looked up once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import trustme

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "test" / "data" / "cog.tif"
TIME_LIMIT_S = 60
REFUSED = "no secure connection (TLS handshake failed): the "
UNKNOWN = f"{REFUSED}issuer 'Test' of the certificate is not trusted"
MISNAMED = f"{REFUSED}certificate is not for 127.0.0.1 but for localhost"

ASK = """
import duckdb, sys
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{sys.argv[1]}'")
try:
    print(connection.execute("SELECT cog_metadata(?).image_width", [sys.argv[2]]).fetchone()[0])
except duckdb.Error as error:
    print(error)
"""


class Ranges(http.server.BaseHTTPRequestHandler):
    """Answers every GET with a range of one file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        data = FILE.read_bytes()
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups()
        part = data[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Nothing: the answers are what is looked at."""


class Server(http.server.ThreadingHTTPServer):
    """A server whose refused handshakes are expected, and not reported."""

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(certificate: trustme.LeafCert, version: ssl.TLSVersion) -> Iterator[int]:
    """A server that speaks one version of TLS; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    certificate.configure_cert(context)
    with Server(("127.0.0.1", 0), Ranges) as server:
        # The handshake is made by the thread of a connection, not by the one that accepts it.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def ask(extension: Path, href: str, trusted: Path | None) -> str:
    """The result of the extension for a file, in its own process, with these certificates as those of the system."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    if trusted is not None:
        environment["SSL_CERT_FILE"] = str(trusted)
    command = [sys.executable, "-c", ASK, str(extension), href]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    return answer.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    extension = parser.parse_args().extension.resolve()
    if sys.platform == "darwin":
        print("skipped: the keychain is not for tests to change")
        return
    authority = trustme.CA(organization_name="Test")
    certificate = authority.issue_cert("localhost")
    wrong = []
    with tempfile.TemporaryDirectory(prefix="rasteret-tls-") as directory:
        trusted = Path(directory) / "authority.pem"
        authority.cert_pem.write_to_path(trusted)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with served(certificate, version) as port:
                cases = {
                    "a trusted server": (f"https://localhost:{port}/a.tif", trusted, "64"),
                    "an unknown authority": (f"https://localhost:{port}/a.tif", None, UNKNOWN),
                    "another name": (f"https://127.0.0.1:{port}/a.tif", trusted, MISNAMED),
                }
                for name, (href, system, expected) in cases.items():
                    found = ask(extension, href, system)
                    is_right = found == expected or expected.startswith(REFUSED) and expected in found
                    print(f"{version.name}, {name}: {found}")
                    wrong += [] if is_right else [f"{version.name}, {name}: expected {expected}, found {found}"]
    if wrong:
        sys.exit("tls_test: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
