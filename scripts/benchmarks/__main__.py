"""Reads the headers of N distinct URLs with each contender, at several latencies.

Runs of the contenders alternate, so that changes of the machine's speed affect all of them, and medians are compared. Client and server
share the cores of the machine, so only ratios are meaningful.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path

import servers

from . import grid, layout, plan, rasters, read, scale, write, zonal
from .contenders import CONTENDERS, EXTENSION

WORK = servers.ROOT / "build" / "bench"
OURS = "rasteret-duckdb"
TIME_LIMIT_S = 1800

Measured = dict[str, float]


def measure(contender: str, server: str, file: str, count: int, tag: str) -> Measured:
    """Runs one contender in a separate process."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.contenders", contender]
    command += ["--server", server, "--file", file, "--count", str(count), "--tag", tag]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        sys.exit(f"bench: {contender} failed")
    return json.loads(done.stdout.splitlines()[-1])


def show(contender: str, latency: float, file: str, count: int, runs: list[Measured]) -> float:
    """Prints a line; returns the median of headers per second."""
    rates = sorted(count / run["seconds"] for run in runs)
    rate, last = statistics.median(rates), runs[-1]
    spread = f"{rates[0]:.0f}-{rates[-1]:.0f}"
    print(
        f"{file:13} {latency:5.0f} ms  {contender:16} {rate:8.0f} headers/s ({spread:>13}) {last['requests'] / count:6.2f} requests"
        f" {last['bytes'] / count / 1024:7.1f} KiB per URL {last['peak_in_flight']:5.0f} in flight {last['peak_mb']:7.0f} MB",
        flush=True,
    )
    return rate


def enrich(args: argparse.Namespace) -> list[dict[str, object]]:
    """Runs the comparison and prints its results."""
    results: list[dict[str, object]] = []
    rasters.make(WORK)
    with servers.http_server(WORK) as server:
        for file in args.file:
            for latency in args.latency:
                urllib.request.urlopen(f"{server}/__latency?ms={latency}", timeout=10).close()
                runs: dict[str, list[Measured]] = {name: [] for name in args.contender}
                for turn in range(args.repeat):
                    for name in args.contender:
                        runs[name].append(measure(name, server, file, args.urls, f"{name}-{latency:.0f}-{turn}"))
                rates = {name: show(name, latency, file, args.urls, measured) for name, measured in runs.items()}
                for name, rate in rates.items():
                    if name != OURS and OURS in rates:
                        print(f"{'':25}{OURS} is {rates[OURS] / rate:.1f} times {name}", flush=True)
                results += [
                    {"contender": name, "file": file, "latency_ms": latency, "runs": measured}
                    for name, measured in runs.items()
                ]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    benchmarks = parser.add_subparsers(required=True, dest="benchmark")
    plan.add_arguments(benchmarks.add_parser("plan", help="tiles of geometries", description=plan.__doc__))
    layout.add_arguments(
        benchmarks.add_parser("layout", help="Parquet layouts of an index", description=layout.__doc__)
    )
    read.add_arguments(benchmarks.add_parser("read", help="pixels", description=read.__doc__))
    zonal.add_arguments(benchmarks.add_parser("zonal", help="statistics of polygons", description=zonal.__doc__))
    grid.add_arguments(benchmarks.add_parser("grid", help="rasters on common grids", description=grid.__doc__))
    scale.add_arguments(benchmarks.add_parser("scale", help="several workers", description=scale.__doc__))
    write.add_arguments(benchmarks.add_parser("write", help="COGs that are written", description=write.__doc__))
    benchmark = benchmarks.add_parser("enrich", help="headers of distinct URLs", description=__doc__)
    benchmark.add_argument("--urls", type=int, default=1000)
    benchmark.add_argument("--latency", type=float, nargs="+", default=[0, 20, 50], metavar="MS")
    benchmark.add_argument("--repeat", type=int, default=3)
    benchmark.add_argument("--file", nargs="+", choices=rasters.SHAPES, default=list(rasters.SHAPES))
    benchmark.add_argument("--contender", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    benchmark.add_argument("--json", type=Path, help="also write all runs to this file")
    args = parser.parse_args()
    compare = {
        "plan": plan.compare,
        "layout": layout.compare,
        "read": read.compare,
        "zonal": zonal.compare,
        "grid": grid.compare,
        "scale": scale.compare,
        "write": write.compare,
        "enrich": enrich,
    }
    if OURS in getattr(args, "contender", []) and not EXTENSION.is_file():
        sys.exit(f"bench: no such file: {EXTENSION}")
    results = compare[args.benchmark](args)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
