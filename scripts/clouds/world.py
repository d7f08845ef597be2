"""Starts all servers of the cases, and runs statements in a separate process."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from clouds import azurite, gcs_emulator
from clouds.aws import Aws
from clouds.http_server import Request, Response, Server, the_file
from clouds.web import AzureTokens, Google, Signer, Web

TIME_LIMIT_S = 60
# Request headers that contain credentials.
SECRET_HEADERS = ("authorization", "cookie", "x-api-key", "x-amz-security-token", "x-amz-sso_bearer_token")

CHILD = """
import duckdb, json, sys, urllib.request
job = json.load(sys.stdin)
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{job['extension']}'")
# DuckDB prints it to the standard output, after two seconds.
connection.execute("SET enable_progress_bar = false")
for setting, value in job["settings"].items():
    connection.execute(f"SET {setting} = ?", [value])
found = []
for step in job["steps"]:
    if step.startswith("GET "):
        urllib.request.urlopen(step[4:]).close()
        continue
    try:
        found.append(str(connection.execute(step).fetchone()[0]))
    except duckdb.Error as error:
        found.append(f"{type(error).__name__}: {error}")
found.append(str(connection.execute("SELECT list(value) FROM duckdb_settings() WHERE name LIKE 'rasteret%'").fetchone()[0]))
print(json.dumps(found))
"""


@dataclass
class World:
    """The servers, by name."""

    aws: Aws = field(default_factory=Aws)
    web: Web = field(default_factory=Web)
    google: Google = field(default_factory=Google)
    signer: Signer = field(default_factory=Signer)
    servers: dict[str, Server] = field(default_factory=dict)
    azurite: str = ""
    authority: str = ""
    folder: Path = Path()

    def url(self, name: str) -> str:
        return self.servers[name].url

    def clear(self) -> None:
        for server in self.servers.values():
            server.requests.clear()

    def requests(self, name: str) -> list[Request]:
        return self.servers[name].requests


@contextlib.contextmanager
def running() -> Iterator[World]:
    world = World()
    actions: dict[str, Callable[[], None]] = {
        "/expire-aws": world.aws.expire_issued,
        "/expire-cookies": world.web.expire_cookies,
        "/revoke-google": world.google.revoke_issued,
    }

    authority = trustme.CA(organization_name="Test")

    def certified(name: str, not_after: datetime.datetime | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_after=not_after).configure_cert(context)
        return context

    def control(request: Request) -> Response:
        actions[request.path]()
        return Response(200)

    def proxy(request: Request) -> Response:
        if request.raw_path.startswith("http://"):
            return the_file(request)
        return Response(407 if request.method == "CONNECT" else 400)

    endpoints: dict[str, tuple[Callable[[Request], Response], str, str | None]] = {
        "s3": (world.aws.s3, "127.0.0.1", None),
        "sts": (world.aws.sts, "127.0.0.1", None),
        "sso": (world.aws.sso, "127.0.0.1", None),
        "aws-metadata": (world.aws.metadata, "127.0.0.1", None),
        "data": (world.web.data, "127.0.0.1", None),
        "login": (world.web.login, "127.0.0.1", "localhost"),
        "other": (the_file, "127.0.0.2", None),
        "proxy": (proxy, "127.0.0.1", None),
        "gcs": (world.google.storage, "127.0.0.1", None),
        "google": (world.google.token, "127.0.0.1", None),
        "google-metadata": (world.google.metadata, "127.0.0.1", None),
        "signer": (world.signer.respond, "127.0.0.1", None),
        "entra": (AzureTokens().respond, "127.0.0.1", None),
        "control": (control, "127.0.0.1", None),
    }
    with contextlib.ExitStack() as stack:
        for name, (respond, address, shown) in endpoints.items():
            server = Server(respond, address, name=shown)
            stack.callback(server.close)
            world.servers[name] = server
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        for name, context in {
            "secure": certified("localhost"),
            "expired": certified("localhost", yesterday),
            "misnamed": certified("example.org"),
        }.items():
            world.servers[name] = Server(the_file, tls=context, name="localhost")
            stack.callback(world.servers[name].close)
        world.authority = authority.cert_pem.bytes().decode()
        world.web.data_url, world.web.login_url = world.url("data"), world.url("login")
        world.web.other_url = world.url("other")
        world.azurite = stack.enter_context(azurite.running())
        world.signer.sign = azurite.sas
        world.google.buckets = stack.enter_context(gcs_emulator.running())
        world.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rasteret-clouds-")))
        yield world


def run_steps(
    extension: Path, folder: Path, environment: dict[str, str], settings: dict[str, object], steps: list[str]
) -> list[str]:
    """Runs statements in a new process with `folder` as home directory; returns their results, and its settings as the last one."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    kept |= {"HOME": str(folder), "RASTERET_MAX_RETRIES": "0", "NO_PROXY": "*"}
    job = {"extension": str(extension), "settings": settings, "steps": steps}
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(job),
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    if done.returncode != 0:
        return [f"the process ended with status {done.returncode}: {done.stderr}", ""]
    return json.loads(done.stdout)
