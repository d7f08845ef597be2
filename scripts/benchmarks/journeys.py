"""Compares complete workflows of `scripts/bench zonal` and `scripts/bench grid` with other readers.

Each contender runs in its own process with empty caches, and results must agree. Missed goals are marked in the output.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import venvs

from . import distributions, lists, masked, scenes, vectors
from .common import Answer
from .contenders import peak_megabytes
from .read import OURS, TIME_LIMIT_S, WORK

LATENCY_MS = 20.0
# exactextract stores coverage in single precision.
SINGLE = 2e-6


@dataclass(frozen=True)
class Goal:
    """Maximum time of this extension relative to a contender; values below 1 are faster."""

    contender: str
    most: float
    # Seconds added to the time of the contender.
    more_s: float = 0.0


@dataclass(frozen=True)
class Journey:
    """One workflow."""

    files: list[str]
    contenders: dict[str, Callable[[list[str], int], Answer]]
    goals: list[Goal]
    # Relative tolerance of results.
    tolerance: float
    # Absolute tolerance, by contender.
    rounding: dict[str, float] = field(default_factory=dict)
    is_remote: bool = False
    peak_mb: float | None = None
    # The contender whose peak is not to be exceeded.
    peak_below: str | None = None
    # Contenders whose answers are other ones, or none.
    unchecked: tuple[str, ...] = ("limit",)
    # The share of values that may differ.
    exceptions: float = 0.0
    # The environments of contenders that do not run in the one of the benchmark.
    environments: dict[str, str] = field(default_factory=dict)


ROUND_TRIP_S = LATENCY_MS / 1000
JOURNEYS = {
    "masked": Journey(
        masked.files(),
        {
            OURS: masked.of_means,
            "with-metadata": masked.of_means_with_metadata,
            "limit": masked.limit,
            "rasterio+exactextract": masked.field_windows,
            "one-window": masked.whole_window,
        },
        [Goal("rasterio+exactextract", 1 / 10), Goal("limit", 1.3, ROUND_TRIP_S)],
        SINGLE,
        is_remote=True,
    ),
    "masked-pixels": Journey(
        masked.files(),
        {OURS: masked.of_pixels, "limit": masked.limit, "one-window": masked.whole_window_pixels},
        [],
        SINGLE,
        is_remote=True,
    ),
    "quantiles": Journey(
        [scenes.SCENE],
        {
            OURS: distributions.quantiles,
            "exactextract": distributions.exact_quantiles,
            "exactextract-array": distributions.exact_quantiles_array,
        },
        [Goal("exactextract", 1 / 5)],
        SINGLE,
        # exactextract truncates quantiles of integers.
        {"exactextract": 1.0},
    ),
    "classes": Journey(
        [scenes.SCENE_CLASSES],
        {
            OURS: distributions.classes,
            "exactextract": distributions.exact_classes,
            "exactextract-array": distributions.exact_classes_array,
        },
        [Goal("exactextract", 1 / 5)],
        SINGLE,
    ),
    "vectors": Journey(
        list(scenes.EMBEDDINGS),
        {OURS: vectors.values, "rasterio.sample": vectors.sampled},
        [Goal("rasterio.sample", 1 / 5)],
        0,
    ),
    "bands": Journey(
        [scenes.EMBEDDINGS[0]],
        {OURS: vectors.pixel_rows, "cog_read": vectors.window, "rasterio": vectors.rasterio_read},
        [Goal("cog_read", 1.5)],
        0,
        peak_mb=1000,
    ),
    "lists": Journey(
        lists.files(),
        {
            OURS: lists.hrefs_of(lists.FEW),
            "with-metadata": lists.structs_of(lists.FEW),
            "pairs": lists.pairs_of(lists.FEW),
        },
        [],
        SINGLE,
        is_remote=True,
    ),
    "lists-100000": Journey(
        lists.files(),
        # LISTs with the metadata do not fit into memory.
        {OURS: lists.hrefs_of(lists.MANY), "pairs": lists.pairs_of(lists.MANY)},
        [],
        SINGLE,
        is_remote=True,
    ),
}


def compare(
    name: str,
    server: str,
    threads: int,
    repeat: int,
    module: str = "benchmarks.journeys",
    journeys: dict[str, Journey] = JOURNEYS,
) -> list[dict[str, object]]:
    """Runs all contenders of one of `journeys` alternately, by `module`, and prints their medians. Exits if results differ."""
    journey = journeys[name]
    pythons = {contender: str(venvs.ensure([other])[other]) for contender, other in journey.environments.items()}
    scenes.make(WORK, sorted({file.rpartition("/")[2] for file in journey.files}))
    urllib.request.urlopen(f"{server}/__latency?ms={LATENCY_MS}", timeout=10).close()
    runs: dict[str, list[dict[str, float]]] = {contender: [] for contender in journey.contenders}
    for turn in range(repeat):
        for contender in journey.contenders:
            base = f"{server}/at/{contender}-{threads}-{turn}-" if journey.is_remote else f"{WORK}/"
            python = [pythons.get(contender, sys.executable), "-W", "ignore", "-m", module]
            runs[contender].append(measure(python, name, contender, [base + file for file in journey.files], threads))
    show(name, journey, threads, runs)
    check(name, journey)
    return [
        {"contender": contender, "workload": name, "threads": threads, "runs": measured}
        for contender, measured in runs.items()
    ]


def rows_of(name: str, contender: str) -> Path:
    return WORK / f"journey-{name}-{contender}.npy"


def measure(python: list[str], name: str, contender: str, hrefs: list[str], threads: int) -> dict[str, float]:
    """Runs a contender in a separate process."""
    command = [*python, name, contender, str(threads), *hrefs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        sys.exit(f"bench: {name}: {contender} failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def show(name: str, journey: Journey, threads: int, runs: dict[str, list[dict[str, float]]]) -> None:
    """Prints one line per contender and one per goal."""
    seconds = {contender: statistics.median(run["seconds"] for run in measured) for contender, measured in runs.items()}
    cpu = {contender: statistics.median(run["cpu"] for run in measured) for contender, measured in runs.items()}
    peak = {contender: max(run["peak_mb"] for run in measured) for contender, measured in runs.items()}
    for contender, median in seconds.items():
        print(
            f"{name:13} {threads} thread(s)  {contender:21} {median:8.3f} s {cpu[contender]:8.3f} s CPU {peak[contender]:6.0f} MB"
            f" {median / seconds[OURS]:7.2f} times as long",
            flush=True,
        )
    for goal in journey.goals:
        ratio = seconds[OURS] / (seconds[goal.contender] + goal.more_s)
        text = f"at most {goal.most:.2f} times {goal.contender}" + (" plus a round trip" if goal.more_s else "")
        print(f"{name:13} {threads} thread(s)  goal {text}: {ratio:.2f}{'' if ratio <= goal.most else '  MISSED'}")
    if journey.peak_mb is not None:
        missed = "" if peak[OURS] <= journey.peak_mb else "  MISSED"
        print(f"{name:13} {threads} thread(s)  goal under {journey.peak_mb:.0f} MB: {peak[OURS]:.0f} MB{missed}")
    if journey.peak_below is not None:
        most = peak[journey.peak_below]
        missed = "" if peak[OURS] <= most else "  MISSED"
        print(
            f"{name:13} {threads} thread(s)  goal under the {most:.0f} MB of {journey.peak_below}: {peak[OURS]:.0f} MB{missed}"
        )


def check(name: str, journey: Journey) -> None:
    """Compares the results of the last run."""
    import numpy as np

    expected = np.load(rows_of(name, OURS))
    for contender in journey.contenders:
        if contender in journey.unchecked:
            continue
        found = np.load(rows_of(name, contender))
        allowed = {"rtol": journey.tolerance, "atol": journey.rounding.get(contender, journey.tolerance)}
        if (
            found.shape != expected.shape
            or np.mean(~np.isclose(found, expected, equal_nan=True, **allowed)) > journey.exceptions
        ):
            sys.exit(f"bench: {name}: the result of {contender} differs from {OURS}")


def main(journeys: dict[str, Journey] = JOURNEYS) -> None:
    """Runs one contender; prints a line of JSON and writes the result to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=journeys)
    parser.add_argument("contender")
    parser.add_argument("threads", type=int)
    parser.add_argument("hrefs", nargs="+")
    args = parser.parse_args()
    taken, rows = journeys[args.name].contenders[args.contender](args.hrefs, args.threads)
    peak_mb = peak_megabytes()
    if rows is not None:
        import numpy as np

        np.save(rows_of(args.name, args.contender), rows)
    print(json.dumps({**asdict(taken), "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
