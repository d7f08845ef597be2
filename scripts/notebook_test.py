"""Runs examples/notebook.ipynb, and checks its pictures and time series.

    python notebook_test.py [--extension build/release/rasteret.duckdb_extension] [--output build/notebook.ipynb] [--pictures docs/pictures]

Runs in the environment `notebook`. Writes the executed notebook to `--output`, and its pictures, which the README shows, to
`--pictures`. The cloud-free NDVI of each field must equal the value from which the scenes were generated, although clouds cover
parts of most scenes.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
TIMEOUT_S = 300
# File names of the pictures, in the order of the notebook.
PICTURES = ("map", "previews", "series")
# Appended to the cell that computes the time series.
CHECK = """
from ndvi import FIELDS, greenness
wrong = [(row, greenness(row[1].month, FIELDS[row[0]][3])) for row in rows]
wrong = [(row, expected) for row, expected in wrong if abs(row[2] - expected) > 0.02]
assert len(rows) > 50 and not wrong, (len(rows), wrong)
assert any(row[3] < 0.9 for row in rows), "no field is covered by clouds"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "notebook.ipynb")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    (series,) = (at for at, cell in enumerate(notebook.cells) if "series = database.sql" in cell.source)
    notebook.cells.insert(series + 1, nbformat.v4.new_code_cell(CHECK))
    os.environ["RASTERET_EXTENSION"] = str(args.extension.resolve())
    NotebookClient(
        notebook, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    notebook.cells.pop(series + 1)
    nbformat.write(notebook, args.output)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    if len(pictures) != len(PICTURES):
        print(f"expected {len(PICTURES)} pictures, found {len(pictures)}", file=sys.stderr)
        return 1
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        for name, picture in zip(PICTURES, pictures, strict=True):
            (args.pictures / f"{name}.png").write_bytes(base64.b64decode(picture))
    print(f"{len(pictures)} pictures in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
