"""Tests certificate verification over HTTPS: the trust store of the system, TLS 1.2 and 1.3, and host names.

    python tls_test.py [--extension build/release/rasteret.duckdb_extension]

Runs in an environment with DuckDB and trustme. The server uses a certificate of a test authority, which SSL_CERT_FILE adds to the trust
store. The test is skipped on macOS, where only the keychain is trusted. Each query runs in its own process, because the trust store is
loaded once.
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

CHILD = """
import duckdb, sys
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{sys.argv[1]}'")
try:
    print(connection.execute("SELECT cog_metadata(?).image_width", [sys.argv[2]]).fetchone()[0])
except duckdb.Error as error:
    print(error)
"""


class Ranges(http.server.BaseHTTPRequestHandler):
    """Responds to every GET with a range of one file."""

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
        """Disables logging."""


class Server(http.server.ThreadingHTTPServer):
    """A server that does not report failed handshakes, which are expected."""

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(certificate: trustme.LeafCert, version: ssl.TLSVersion) -> Iterator[int]:
    """Starts a server with one version of TLS and yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    certificate.configure_cert(context)
    with Server(("127.0.0.1", 0), Ranges) as server:
        # The handshake runs in the thread of the connection, not in the accepting one.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def query(extension: Path, href: str, trusted: Path | None) -> str:
    """Returns the result of the extension for a file, in a new process with `trusted` as the trust store."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    if trusted is not None:
        environment["SSL_CERT_FILE"] = str(trusted)
    command = [sys.executable, "-c", CHILD, str(extension), href]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    return child.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    extension = parser.parse_args().extension.resolve()
    if sys.platform == "darwin":
        print("skipped: the test would have to change the keychain")
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
                    found = query(extension, href, system)
                    is_right = found == expected or expected.startswith(REFUSED) and expected in found
                    print(f"{version.name}, {name}: {found}")
                    wrong += [] if is_right else [f"{version.name}, {name}: expected {expected}, found {found}"]
    if wrong:
        sys.exit("tls_test: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
