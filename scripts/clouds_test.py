"""Runs every case of docs/clouds.md in its own process, against servers that verify credentials.

    python clouds_test.py [--extension build/release/rasteret.duckdb_extension] [--only NAME] [--write]

Requires an environment with DuckDB, botocore, azure-storage-blob, cryptography and fake-gcs-server, and Azurite from npm. After each case, errors and
settings are searched for secrets, and the requests of each server for credentials of another one. `--write` writes the table of cases to
docs/clouds.md; without it, an outdated table is a failure.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import time
from pathlib import Path

from clouds import azurite, gcs_emulator, world
from clouds.case import Case, write_files
from clouds.cases import all_cases

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "clouds.md"
BEGIN, END = "<!-- cases: scripts/clouds_test.py --write -->", "<!-- end of cases -->"
# Parts of a cell that are replaced by an ellipsis: secrets, signatures, keys.
SECRET = re.compile(r"(?<=\?)[^\s`']*sig=[^\s`']*|(?<=AccountKey=)[^;`]+|[^\s`'\";=<]*(?:-|eyJhbGci)SECRET[^\s`'\";<]*")
SECRET_VARIABLE = re.compile(r"(_KEY|_SECRET|TOKEN|SAS)$")
HEADERS = {
    "S3": "S3",
    "Azure": "Azure",
    "Google": "Google Cloud Storage",
    "HTTP": "Web servers",
    "Addresses": "Addresses, certificates, proxies",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--only", help="cases whose names contain this")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    started, wrong = time.monotonic(), 0
    try:
        with world.running() as servers:
            cases = all_cases(servers)
            chosen = [case for case in cases if not args.only or args.only in case.name]
            for case in chosen:
                problems = run(case, servers, args.extension.resolve())
                wrong += bool(problems)
                for problem in problems:
                    print(f"{case.cloud}, {case.name}: {problem}")
            table = render(cases, servers)
    except (azurite.Unavailable, gcs_emulator.Unavailable) as error:
        sys.exit(f"clouds_test: {error}")
    if not args.only:
        wrong += put(table, args.write)
    print(f"{len(chosen)} cases, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def run(case: Case, servers: world.World, extension: Path) -> list[str]:
    """Runs a case and returns its problems."""
    servers.clear()
    home = servers.folder / folder_of(case)
    write_files(home, case.files)
    settings = dict(case.settings)
    if case.credentials is not None:
        settings["rasteret_credentials"] = case.credentials
    steps = case.steps or ["SELECT cog_metadata('HREF').image_width"]
    steps = [step.replace("HREF", case.href) for step in steps]
    *found, shown = world.run_steps(extension, home, case.variables, settings, steps)
    # DuckDB shows the value of a setting unchanged, including a secret written into it by mistake.
    for value in (case.credentials or {}).values():
        shown = shown.replace(value, "")
    problems = [f"found a secret: {text}" for text in [*found, shown] if "SECRET" in text]
    for text in found:
        # DuckDB quotes the statement after an error of its binder.
        text = text.partition("\n\nLINE ")[0]
        text = re.sub(r"expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "expired on DATE", text.replace(str(home), "~"))
        if not (text == case.expected or text.endswith(": " + case.expected)):
            problems.append(f"expected {case.expected!r}, found {text!r}")
    for request in servers.requests("other"):
        sent = [name for name in world.SECRET_HEADERS if name in request.headers]
        if sent or "SECRET" in request.raw_path:
            problems.append(f"the credentials {sent} were sent to another server, for {request.raw_path}")
    try:
        if case.check is not None:
            case.check(servers)
    except AssertionError as error:
        problems.append(str(error))
    return problems


def folder_of(case: Case) -> str:
    return case.name.replace("`", "").replace(".netrc", "netrc")


def render(cases: list[Case], servers: world.World) -> str:
    """Renders the tables of all clouds."""
    lines = []
    for cloud, title in HEADERS.items():
        lines += [f"### {title}", "", "| case | href | configuration | result |", "|---|---|---|---|"]
        for case in (case for case in cases if case.cloud == cloud):
            result = "read" if case.expected.isdigit() else f"`{case.expected}`"
            cells = [case.name, f"`{case.href}`", written(case), result]
            lines.append("| " + " | ".join(shown(cell, case, servers) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def written(case: Case) -> str:
    shown = {name: "…" if SECRET_VARIABLE.search(name) else value for name, value in case.variables.items()}
    parts = [f"`{name}={value}`" for name, value in shown.items() if name != "PATH"]
    for name, text in case.files.items():
        parts.append(f"`~/{name}`: `{content(text)}`")
    if case.credentials is not None:
        pairs = ", ".join(f"'{prefix}': '{value}'" for prefix, value in case.credentials.items())
        parts.append(f"`MAP {{{pairs}}}`")
    return "<br>".join(parts) or "nothing"


def content(text: str) -> str:
    """Returns a file as one line, without private keys."""
    if "BEGIN" in text:
        text = re.sub(r"-----BEGIN.*-----", "…", text, flags=re.DOTALL)
    return "; ".join(text.strip().splitlines())


def shown(text: str, case: Case, servers: world.World) -> str:
    """Replaces addresses by names, and removes secrets."""
    names = {
        "s3": "s3.example.com",
        "sts": "sts.example.com",
        "sso": "sso.example.com",
        "aws-metadata": "metadata.example.com",
        "google-metadata": "metadata.example.com",
        "data": "data.example.org",
        "login": "login.example.org",
        "other": "other.example.org",
        "gcs": "storage.example.com",
        "google": "token.example.com",
        "signer": "sign.example.com",
        "entra": "entra.example.com",
        "proxy": "proxy.example.com",
        "secure": "secure.example.org",
        "expired": "expired.example.org",
        "misnamed": "misnamed.example.org",
    }
    for name, host in names.items():
        text = text.replace(servers.url(name), f"https://{host}").replace(servers.servers[name].host, host)
    text = text.replace(servers.azurite, "https://blob.example.com").replace(
        servers.azurite.removeprefix("http://"), "blob.example.com"
    )
    text = text.replace(f"{servers.folder}/{folder_of(case)}", "~").replace("from 127.0.0.1", "from its host")
    text = re.sub(r'("expiresAt": "|"private_key": ")(?!2020)[^"]*', r"\1…", text)
    return SECRET.sub("…", text).replace("|", "\\|")


def put(table: str, write: bool) -> int:
    """Writes the table to the page, or checks that it is up to date."""
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    wanted = f"{head}{BEGIN}\n\n{table}\n{END}{tail}"
    if write:
        PAGE.write_text(wanted)
        return 0
    if wanted == page:
        return 0
    print(
        "".join(difflib.unified_diff(page.splitlines(True), wanted.splitlines(True), "docs/clouds.md", "expected", n=0))
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
