"""Generates crates/cog/src/render/colormaps.bin, the tables of the named colormaps: 256 colours of three bytes for each of `MAPS`.

    scripts/make-colormaps            writes the file
    scripts/make-colormaps --check    fails if the file is not up to date

The colours are those of matplotlib's maps of the same names; viridis and magma are dedicated to the public domain (CC0). The colours of `ndvi`
are this project's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
from matplotlib.colors import LinearSegmentedColormap

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "crates" / "cog" / "src" / "render" / "colormaps.bin"
# In the order of the names in crates/cog/src/render/colormap.rs.
MAPS = ("viridis", "magma", "Greys", "terrain", "ndvi")
# Colours at positions from 0 to 1, for an NDVI from -1 to 1: water, bare soil at 0.5, and vegetation.
NDVI = (
    (0.0, "#0c2c5c"),
    (0.45, "#7d8f9c"),
    (0.5, "#c9b48c"),
    (0.6, "#e8dfa0"),
    (0.7, "#a6c95b"),
    (0.8, "#5a9e3a"),
    (0.9, "#1f7021"),
    (1.0, "#033b0f"),
)


def tables() -> bytes:
    """Returns the concatenated tables."""
    ndvi = LinearSegmentedColormap.from_list("ndvi", NDVI, N=256)
    maps = [ndvi if name == "ndvi" else matplotlib.colormaps[name] for name in MAPS]
    return b"".join(bytes(colors(index, bytes=True)[:3]) for colors in maps for index in range(256))


def main() -> int:
    made = tables()
    if sys.argv[1:] != ["--check"]:
        OUTPUT.write_bytes(made)
    elif OUTPUT.read_bytes() != made:
        print(f"{OUTPUT.relative_to(ROOT)} is not up to date: run scripts/make-colormaps", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
