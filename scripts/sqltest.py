#!/usr/bin/env python3
"""Runs test/sql on every DuckDB host.

    sqltest.py [FILE or DIRECTORY...] [--host NAME...] [--extension build/release/rasteret.duckdb_extension]

Each file runs on each host in its own process, so that a crash only fails that file; the working directory is the root of the
repository. ${HTTP} is the range server for test/data (see test/server.py), ${STAC} the STAC API of test/stac_api.py. When run by
scripts/s3-server, the extension uses that server as S3, with test/data as the bucket `fixtures`. Variables such as DUCKDB_SINCE_1_5_2 are
1 on hosts of that release or later, else 0; files use them with `require-env`. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import servers
import venvs

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "build" / "release" / "rasteret.duckdb_extension"
# Timeout of a request in seconds, for the test of timeouts: far longer than any other request takes, far shorter than the default of 30.
TIMEOUT_S = "10"
DATA = ROOT / "test" / "data"
TIME_LIMIT_S = 120
# DuckDB releases with changes that tests depend on: GEOMETRY in the core, settings in the C API, CRSs of GEOMETRY.
RELEASES = ("1.5.0", "1.5.2", "1.5.5", "2.0.1")


@dataclass(frozen=True)
class Outcome:
    """The result of one file on one host."""

    file: Path
    host: str
    seconds: float
    records: int = 0
    failed: str | None = None
    skipped: str | None = None

    @property
    def label(self) -> str:
        return f"{os.path.relpath(self.file, ROOT)} on {self.host}"


def find_files(paths: list[Path]) -> list[Path]:
    """Returns the sorted .test files at the paths."""
    found: set[Path] = set()
    for path in paths:
        found |= set(path.rglob("*.test")) if path.is_dir() else {path}
    return sorted(path.resolve() for path in found)


def release_variables(version: str) -> dict[str, str]:
    """Returns the variables DUCKDB_SINCE_* for a host version."""

    def numbers(release: str) -> tuple[int, ...]:
        return tuple(map(int, release.split(".")))

    return {
        f"DUCKDB_SINCE_{release.replace('.', '_')}": str(int(numbers(version) >= numbers(release)))
        for release in RELEASES
    }


def run_one(file: Path, host: venvs.Environment, extension: Path, environment: dict[str, str], limit: float) -> Outcome:
    """Runs one file on one host."""
    python = sys.executable if host.client == "cli" else str(host.interpreter)
    command = [python, "-m", "sqllogic.worker", str(file), "--extension", str(extension)]
    if host.client == "cli":
        command += ["--cli", str(host.cli)]
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment, **release_variables(host.duckdb_version), "PYTHONPATH": str(ROOT / "scripts")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # Kills the whole process session, because the CLI is a child of the worker.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Outcome(file, host.name, limit, failed=f"no end after {limit:.0f} s")
    seconds = time.monotonic() - started
    try:
        answer = json.loads(stdout.splitlines()[-1])
        return Outcome(file, host.name, seconds, answer["records"], answer.get("failed"), answer.get("skipped"))
    except (IndexError, json.JSONDecodeError):
        code = process.returncode
        ended = f"signal {-code}" if code < 0 else f"status {code}"
        return Outcome(file, host.name, seconds, failed=f"the host died with {ended}\n{stderr.strip()}")


def s3_environment() -> dict[str, str]:
    """Returns variables that configure scripts/s3-server as S3, if this runs under it."""
    if "RASTERET_TEST_S3_ENDPOINT" not in os.environ:
        return {}
    shutil.copytree(DATA, Path(os.environ["RASTERET_TEST_S3_ROOT"]) / "fixtures", dirs_exist_ok=True)
    return {
        "AWS_ENDPOINT_URL": os.environ["RASTERET_TEST_S3_ENDPOINT"],
        "AWS_ACCESS_KEY_ID": os.environ["RASTERET_TEST_S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": os.environ["RASTERET_TEST_S3_SECRET_KEY"],
        "AWS_REGION": "us-east-1",
    }


def run_all(
    files: list[Path], hosts: list[venvs.Environment], extension: Path, jobs: int, limit: float
) -> list[Outcome]:
    """Runs every file on every host, with the servers used by the files."""
    venvs.ensure([host.name for host in hosts])
    with ExitStack() as stack:
        http = stack.enter_context(servers.http_server(DATA))
        stac = stack.enter_context(servers.stac_api())
        environment = {**os.environ, **s3_environment(), "RASTERET_TIMEOUT": TIMEOUT_S, "HTTP": http, "STAC": stac}
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=jobs))
        tasks = [pool.submit(run_one, file, host, extension, environment, limit) for file in files for host in hosts]
        return [task.result() for task in tasks]


def report(outcomes: list[Outcome]) -> None:
    """Prints failures, skipped files with reasons, and the counts."""
    for outcome in outcomes:
        if outcome.failed:
            print(f"FAILED {outcome.label}\n{outcome.failed}\n")
    for outcome in outcomes:
        if outcome.skipped and not outcome.failed:
            print(f"skipped {outcome.label}: {outcome.skipped}")
    for host in dict.fromkeys(outcome.host for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.host == host]
        records, seconds = sum(outcome.records for outcome in mine), sum(outcome.seconds for outcome in mine)
        print(f"{host}: {len(mine)} files, {records} records, {seconds:.1f} s")
    failed = sum(outcome.failed is not None for outcome in outcomes)
    skipped = sum(outcome.skipped is not None for outcome in outcomes)
    print(f"{len(outcomes) - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", default=[ROOT / "test" / "sql"])
    parser.add_argument("--host", action="append", choices=[host.name for host in venvs.hosts()])
    parser.add_argument("--extension", type=Path, default=EXTENSION)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT_S, metavar="SECONDS", help="time limit per file")
    args = parser.parse_args()
    files = find_files(args.paths)
    if missing := [str(path) for path in [*files, args.extension] if not path.is_file()]:
        print(f"sqltest: no such file: {', '.join(missing)}", file=sys.stderr)
        return 2
    if not files:
        print("sqltest: no .test files", file=sys.stderr)
        return 2
    try:
        hosts = [host for host in venvs.usable_hosts() if not args.host or host.name in args.host]
        outcomes = run_all(files, hosts, args.extension.resolve(), args.jobs, args.time_limit)
    except (venvs.EnvironmentUnavailable, servers.ServerError) as error:
        print(f"sqltest: {error}", file=sys.stderr)
        return 2
    report(outcomes)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
