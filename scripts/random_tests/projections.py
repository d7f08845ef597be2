"""pyproj transformers with x first, offline, cached per pair."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyproj
import pyproj.network

# Results must not depend on installed grid files, because the extension uses none.
pyproj.network.set_network_enabled(False)

GEOGRAPHIC = "OGC:CRS84"
# Degrees, about ten metres.
POLE = 1e-4


@cache
def transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


@cache
def in_degrees(crs: str) -> bool:
    return pyproj.CRS(crs).is_geographic


def transform(source: str, target: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transforms coordinates to another CRS; infinite if they are outside of its domain."""
    x, y = np.asarray(x, "f8"), np.asarray(y, "f8")
    if in_degrees(source):
        # Latitudes beyond a pole are invalid, but pyproj does not reject them between geographic CRSs.
        y = np.where(np.abs(y) > 90, np.inf, y)
    found = transformer(source, target).transform(x, y, errcheck=False)
    finite = np.isfinite(found[0]) & np.isfinite(found[1]) & np.isfinite(y)
    return np.where(finite, found[0], np.inf), np.where(finite, found[1], np.inf)


def turned_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the difference a - b of longitudes, within 180 degrees."""
    with np.errstate(invalid="ignore"):
        difference = a - b
        return difference - 360 * np.round(difference / 360)


def is_on_map(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether coordinates are transformed back to themselves, which is not the case beyond the edge of a map."""
    if in_degrees(crs):
        return np.abs(y) <= 90
    longitude, latitude = transform(crs, GEOGRAPHIC, x, y)
    again_x, again_y = transform(GEOGRAPHIC, crs, longitude, latitude)
    with np.errstate(invalid="ignore"):
        # Beyond the edge, the difference is of the size of the map. Near a pole, Mercator coordinates have an error of about a metre.
        tolerance = 1e-3 + 1e-7 * np.hypot(x, y)
        return np.hypot(again_x - x, again_y - y) <= tolerance


def at_pole(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points are so close to a pole that their longitude is undefined."""
    _, latitude = (x, y) if in_degrees(crs) else transform(crs, GEOGRAPHIC, x, y)
    return np.abs(latitude) > 90 - POLE
