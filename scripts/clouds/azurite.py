"""Runs Azurite, Microsoft's emulator of Azure storage, from npm, with test accounts; creates SAS tokens for its containers."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from clouds.http_server import DATA

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = "3.35.0"
FOLDER = ROOT / "build" / "tools" / f"azurite-{VERSION}"
ACCOUNTS = {"one": "b25lLVNFQ1JFVA==", "two": "dHdvLVNFQ1JFVA=="}
START_S = 30


class Unavailable(Exception):
    """Node or npm is missing on this machine."""


def installed() -> Path:
    """Returns the path of the program, which is installed if it is missing."""
    main = FOLDER / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    if not main.is_file():
        if not shutil.which("npm"):
            raise Unavailable("no npm")
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(FOLDER),
            f"azurite@{VERSION}",
        ]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return main


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Serves a private container `data` of both accounts with `dir/a.tif`, and a public one `open`; yields the address."""
    main = installed()
    accounts = ";".join(f"{name}:{key}" for name, key in ACCOUNTS.items())
    with tempfile.TemporaryDirectory(prefix="rasteret-azurite-") as folder:
        words = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck"]
        log = Path(folder) / "log"
        with (
            log.open("w") as out,
            subprocess.Popen(
                ["node", str(main), *words, "--disableTelemetry"],
                env={**os.environ, "AZURITE_ACCOUNTS": accounts},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                url = address(log, process)
                fill(url)
                yield url
            finally:
                process.terminate()


def address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Waits until Azurite listens, and returns its address."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        for word in log.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.")
        time.sleep(0.05)
    raise Unavailable(f"Azurite did not start: {log.read_text()}")


def fill(url: str) -> None:
    for name, key in ACCOUNTS.items():
        client = BlobServiceClient(f"{url}/{name}", credential={"account_name": name, "account_key": key})
        for container, access in (("data", None), ("open", "container")):
            client.create_container(container, public_access=access)
            client.get_blob_client(container, "dir/a.tif").upload_blob(DATA)


def sas(account: str, container: str, seconds: float = 3600) -> str:
    """Returns a SAS token with read and list permissions for a container."""
    return generate_container_sas(
        account,
        container,
        account_key=ACCOUNTS[account],
        permission=ContainerSasPermissions(read=True, list=True),
        start=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5),
        expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds),
    )
