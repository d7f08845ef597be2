"""Runs random tests with a seed: the same seed generates the same cases on every machine.

    scripts/random-tests                          one minute, as in scripts/check
    scripts/random-tests --seed 7 --cases 20000 --seconds 7200
    scripts/random-tests --only geometry --seed 7 --number 41      a single case, as printed with a difference

Each difference is printed with the arguments that reproduce its file and query. The last line has the numbers of cases, comparisons and
differences. The exit status is 1 if there are differences, or if fewer cases ran than --minimum.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

from . import chips, geometry, mosaics, pixels, tables, warps, zones
from .session import Session

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = {
    "geometry": geometry.run,
    "layouts": pixels.run,
    "zones": zones.run,
    "grid": warps.run,
    "chip": chips.run,
    "mosaic": mosaics.run,
    "table": tables.run,
}


def run_part(session: Session, name: str, args: argparse.Namespace) -> int:
    """Runs one part within its share of the cases and the time; returns the number of cases."""
    before, until = session.cases, time.monotonic() + args.seconds / len(args.only)
    number = args.number or 0
    while session.cases - before < args.cases / len(args.only) and time.monotonic() < until:
        differences = session.differences.total()
        PARTS[name](session, f"{args.seed}/{name}/{number}")
        if session.differences.total() > differences:
            print(f"  reproduce: scripts/random-tests --only {name} --seed {args.seed} --number {number}\n", flush=True)
        if args.number is not None:
            break
        number += 1
    return session.cases - before


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/random-tests", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1_000_000, help="maximum number of cases")
    parser.add_argument("--seconds", type=float, default=60, help="time limit in seconds")
    parser.add_argument("--minimum", type=int, default=1, help="fail if fewer cases ran")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--number", type=int, help="run only this random file")
    parser.add_argument("--keep", type=Path, help="copy files with differences to this folder")
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="rasteret-random-"))
    session = Session(args.extension.resolve(), folder, args.keep)
    started = time.monotonic()
    cases = {name: run_part(session, name, args) for name in args.only}
    shutil.rmtree(folder, ignore_errors=True)
    counts = ", ".join(f"{count} {name}" for name, count in cases.items())
    for check, count in sorted(session.differences.items()):
        print(f"{count:6} differences in {check}")
    total = session.differences.total()
    print(
        f"seed {args.seed}: {sum(cases.values())} cases ({counts}), {session.comparisons} comparisons, {total} differences,"
        f" {time.monotonic() - started:.0f} s"
    )
    if sum(cases.values()) < args.minimum:
        print(f"expected at least {args.minimum} cases", file=sys.stderr)
        return 1
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
