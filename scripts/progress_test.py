"""Tests the progress display of `rasteret_enrich` in a pseudo-terminal: updated at most ten times per second, erased before rows are printed.

    python progress_test.py [--extension build/release/rasteret.duckdb_extension] [--cli DUCKDB]

Runs in an environment with DuckDB; with --cli also with DuckDB's command line client.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
TIME_LIMIT_S = 120
FILES = 40
QUERY = "SELECT count(a_metadata.image_width) AS n FROM rasteret_enrich('RECORDS', bands := ['a'], href_column := 'href', max_concurrent := 5)"
ROWS = "SELECT id, a_metadata.image_width AS width FROM rasteret_enrich('RECORDS', bands := ['a'], href_column := 'href', max_concurrent := 5, batch_size := 5)"
LINE = re.compile(r"rasteret_enrich: ([\d,]+) records, ([\d,]+) files, ([\d,]+) files/s")
CHILD = """
import duckdb, sys
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{sys.argv[1]}'")
for sql in sys.argv[2:]:
    rows = connection.execute(sql).fetchall()
print(rows)
"""


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def in_terminal(command: list[str], stderr: int | None = None) -> tuple[str, float]:
    """Runs a command in a terminal; returns its output and its duration in seconds."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal if stderr is None else stderr,
        env=environment,
        cwd=ROOT,
    )
    os.close(terminal)
    parts = []
    while True:
        ready, _, _ = select.select([main], [], [], 0.1)
        try:
            part = os.read(main, 65536) if ready else b""
        except OSError:
            # All processes have closed the terminal.
            break
        if not part and ready:
            break
        parts.append(part)
    process.wait()
    took = time.monotonic() - started
    os.close(main)
    text = b"".join(parts).decode()
    expect(f"the status of {command[0]}\n{text}", process.returncode, 0)
    return text, took


def screen(text: str) -> list[str]:
    """Returns the lines that a terminal shows after the text."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
        if token == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif token == "\r":
            column = 0
        elif token.startswith("\x1b["):
            count = int(re.sub(r"\D", "", token) or 1)
            if token.endswith("K"):
                lines[row] = "" if token == "\x1b[2K" else lines[row][:column]
            elif token.endswith("A"):
                row = max(0, row - count)
            elif token.endswith(("G", "D", "C", "J", "H")):
                sys.exit(f"unknown escape sequence: {token!r}")
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + token + line[column + len(token) :]
            column += len(token)
    # DuckDB's own progress bar, shown after two seconds, has a separate line.
    return [line.rstrip() for line in lines if line.strip() and not re.fullmatch(r"\s*\d+% ▕.*▏.*", line)]


def check_shown(text: str, took: float) -> None:
    """Checks the number of updates, and that counts increase."""
    files = [int(found[1].replace(",", "")) for found in LINE.findall(text)]
    expect(f"updates: {files} in {text!r}", len(files) > 3 and files == sorted(files) and files[0] < files[-1], True)
    expect(f"{len(files)} updates in {took:.1f} s", len(files) <= 10 * took, True)


def python(extension: Path, records: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(extension)]
    query = QUERY.replace("RECORDS", str(records))
    text, took = in_terminal([*command, query])
    check_shown(text, took)
    expect("the screen", screen(text), [f"[({FILES},)]"])
    # The client prints the rows; no part of the progress display remains between them.
    text, took = in_terminal([*command, ROWS.replace("RECORDS", str(records))])
    check_shown(text, took)
    expect(
        "lines on the screen",
        len(screen(text)[-1]) > FILES * 5 and "rasteret_enrich" not in "".join(screen(text)),
        True,
    )
    # Standard error is not a terminal, although standard output is.
    text, _ = in_terminal([*command, query], stderr=subprocess.DEVNULL)
    expect("without a terminal", (LINE.findall(text), screen(text)), ([], [f"[({FILES},)]"]))
    # Disabled by the environment variable on every host, and by the setting where available.
    has_settings = tuple(map(int, duckdb.__version__.split("."))) >= (1, 5, 2)
    off = [["env", "RASTERET_PROGRESS=off", *command, query]]
    off += [[*command, "SET rasteret_progress = false", query]] if has_settings else []
    for each in off:
        text, _ = in_terminal(each)
        expect("switched off", (LINE.findall(text), screen(text)), ([], [f"[({FILES},)]"]))


def client(cli: Path, extension: Path, records: Path) -> None:
    """Tests the command line client, which prints rows to the same terminal, in some modes while the query runs."""
    # Otherwise the client queries the colours of the terminal.
    command = [str(cli), "-dark-mode", "-unsigned", "-cmd", f"LOAD '{extension}'"]
    text, took = in_terminal([*command, "-csv", "-c", ROWS.replace("RECORDS", str(records))])
    check_shown(text, took)
    shown = screen(text)
    expect("the rows", [line for line in shown if "," in line], ["id,width", *(f"{i},64" for i in range(FILES))])
    expect("other lines", [line for line in shown if "," not in line], [])
    table = Path(records).with_suffix(".db")
    create = f"ATTACH '{table}' AS d; CREATE TABLE d.t AS {ROWS.replace('RECORDS', str(records))}; SELECT count(*) AS n FROM d.t"
    text, took = in_terminal([*command, "-line", "-c", create])
    check_shown(text, took)
    expect("a table", screen(text)[-1].split(), ["n", "=", str(FILES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--cli", type=Path)
    args = parser.parse_args()
    extension = args.extension.resolve()
    signal.alarm(TIME_LIMIT_S)
    with servers.http_server(DATA) as url, tempfile.TemporaryDirectory() as folder:
        for name in ("python", "cli") if args.cli else ("python",):
            records = Path(folder) / f"{name}.parquet"
            # Five concurrent requests of 300 ms each take 2.4 s in total.
            href = f"'{url}/slow/300/at/{name}-' || i || '/cog.tif'"
            duckdb.execute(f"COPY (SELECT i AS id, {href} AS href FROM range({FILES}) t(i)) TO '{records}'")
        python(extension, Path(folder) / "python.parquet")
        if args.cli:
            client(args.cli, extension, Path(folder) / "cli.parquet")
    print(f"DuckDB {duckdb.__version__}: progress is shown in terminals only")


if __name__ == "__main__":
    main()
