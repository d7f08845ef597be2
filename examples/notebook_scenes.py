"""Writes the scenes and fields of notebook.ipynb, which are those of ndvi.py."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ndvi


def write_collection(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Writes the scenes, `items.parquet` and `fields.parquet`."""
    ndvi.write_items(database, folder)
    database.execute(
        "CREATE TEMP TABLE fields (field VARCHAR, outline VARCHAR, box STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE))"
    )
    for name, outline, *bounds in ndvi.fields():
        box = dict(zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True))
        database.execute("INSERT INTO fields VALUES ($1, $2, $3)", [name, outline, box])
    database.execute(f"COPY fields TO '{folder}/fields.parquet'; DROP TABLE fields")
