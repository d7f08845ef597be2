#!/usr/bin/env python3
"""Write the tables beside this file from the EPSG dataset that PROJ carries.

    pip install pyproj==3.7.2 && python make.py

Only what GeoKeys of user-defined CRSs refer to by code: geographic CRSs, ellipsoids, prime meridians, units and projections.
Angles are in degrees, lengths in metres, units in radians or metres. Names are those of WKT 1 as GDAL writes it.
"""

import os
import re
import sqlite3

import pyproj

HERE = os.path.dirname(os.path.abspath(__file__))
DB = sqlite3.connect(os.path.join(pyproj.datadir.get_data_dir(), "proj.db"))
HEADER = "# From the EPSG Geodetic Parameter Dataset (IOGP, epsg.org), by make.py\n"
# The projections that user_defined.rs knows, and their parameters in the order of the table's columns.
PARAMETERS = {
    "Transverse_Mercator": ["latitude_of_origin", "central_meridian", "scale_factor"],
    "Transverse_Mercator_South_Orientated": ["latitude_of_origin", "central_meridian", "scale_factor"],
    "Lambert_Conformal_Conic_2SP": [
        "standard_parallel_1",
        "standard_parallel_2",
        "latitude_of_origin",
        "central_meridian",
    ],
    "Lambert_Conformal_Conic_1SP": ["latitude_of_origin", "central_meridian", "scale_factor"],
    "Albers_Conic_Equal_Area": [
        "standard_parallel_1",
        "standard_parallel_2",
        "latitude_of_center",
        "longitude_of_center",
    ],
    "Lambert_Azimuthal_Equal_Area": ["latitude_of_center", "longitude_of_center"],
    "Oblique_Stereographic": ["latitude_of_origin", "central_meridian", "scale_factor"],
    "Polar_Stereographic": ["latitude_of_origin", "central_meridian", "scale_factor"],
    "Cassini_Soldner": ["latitude_of_origin", "central_meridian"],
    "Hotine_Oblique_Mercator": [
        "latitude_of_center",
        "longitude_of_center",
        "azimuth",
        "rectified_grid_angle",
        "scale_factor",
    ],
    "Hotine_Oblique_Mercator_Azimuth_Center": [
        "latitude_of_center",
        "longitude_of_center",
        "azimuth",
        "rectified_grid_angle",
        "scale_factor",
    ],
    "Mercator_1SP": ["central_meridian", "scale_factor"],
    "New_Zealand_Map_Grid": ["latitude_of_origin", "central_meridian"],
}


def write(name, columns, rows):
    with open(os.path.join(HERE, name), "w", newline="\n") as f:
        f.write(HEADER + ";".join(columns) + "\n")
        for row in rows:
            assert not any(";" in str(x) for x in row), row
            f.write(";".join(str(x) for x in row) + "\n")


def number(x):
    return repr(float(x)).removesuffix(".0")


def units():
    rows = DB.execute(
        "SELECT code, name, conv_factor FROM unit_of_measure WHERE auth_name='EPSG' AND type IN ('length','angle')"
        " AND conv_factor > 0 AND CAST(code AS INT) BETWEEN 9000 AND 9999 AND name NOT LIKE 'sexagesimal%' ORDER BY CAST(code AS INT)"
    )
    write("units.csv", ["code", "name", "factor"], [(c, n, number(f)) for c, n, f in rows])


def ellipsoids():
    rows = DB.execute(
        "SELECT e.code, e.name, semi_major_axis * u.conv_factor, inv_flattening, semi_minor_axis * u.conv_factor FROM ellipsoid e"
        " JOIN unit_of_measure u ON u.auth_name = e.uom_auth_name AND u.code = e.uom_code WHERE e.auth_name='EPSG' ORDER BY CAST(e.code AS INT)"
    )

    def rf(a, f, b):
        return f if f is not None else 0 if a == b or b is None else a / (a - b)

    write(
        "ellipsoids.csv",
        ["code", "name", "semi_major", "inverse_flattening"],
        [(c, n, number(a), number(rf(a, f, b))) for c, n, a, f, b in rows],
    )


def prime_meridians():
    rows = DB.execute("SELECT code FROM prime_meridian WHERE auth_name='EPSG' ORDER BY CAST(code AS INT)").fetchall()
    pms = [(c, pyproj.crs.datum.PrimeMeridian.from_epsg(int(c))) for (c,) in rows]
    import math

    write(
        "prime_meridians.csv",
        ["code", "name", "longitude"],
        [(c, p.name, number(round(math.degrees(p.longitude * p.unit_conversion_factor), 12))) for c, p in pms],
    )


def geographic():
    rows = DB.execute(
        "SELECT g.code, g.datum_code FROM geodetic_crs g WHERE g.auth_name='EPSG' AND g.type='geographic 2D' ORDER BY g.deprecated, CAST(g.code AS INT)"
    ).fetchall()
    out = []
    for code, datum_code in rows:
        try:
            wkt = pyproj.CRS.from_epsg(int(code)).to_wkt("WKT1_GDAL")
        except pyproj.exceptions.CRSError:
            continue
        m = re.match(
            r'GEOGCS\["([^"]+)",DATUM\["([^"]+)",SPHEROID\["([^"]+)",([^,\]]+),([^,\]]+)(?:,AUTHORITY\["EPSG","(\d+)"\])?\]',
            wkt,
        )
        p = re.search(r'PRIMEM\["([^"]+)",([^,\]]+)', wkt)
        u = re.search(r'UNIT\["([^"]+)",([^,\]]+)', wkt)
        if not (m and p and u):
            continue
        e = pyproj.CRS.from_epsg(int(code)).ellipsoid
        out.append(
            (
                code,
                m[1],
                datum_code,
                m[2],
                m[6] or 0,
                m[3],
                number(e.semi_major_metre),
                number(e.inverse_flattening),
                p[1],
                p[2],
                u[1],
                u[2],
            )
        )
    write(
        "geographic.csv",
        [
            "code",
            "name",
            "datum_code",
            "datum",
            "ellipsoid_code",
            "ellipsoid",
            "semi_major",
            "inverse_flattening",
            "prime_meridian",
            "longitude",
            "unit",
            "factor",
        ],
        out,
    )


def projections():
    rows = DB.execute(
        "SELECT code FROM conversion WHERE auth_name='EPSG' AND CAST(code AS INT) BETWEEN 10000 AND 19999 ORDER BY CAST(code AS INT)"
    ).fetchall()
    base, out = pyproj.CRS.from_epsg(4326), []
    for (code,) in rows:
        try:
            crs = pyproj.crs.ProjectedCRS(pyproj.crs.CoordinateOperation.from_epsg(int(code)), geodetic_crs=base)
            wkt = crs.to_wkt("WKT1_GDAL")
        except pyproj.exceptions.CRSError:
            continue
        kind = re.search(r'PROJECTION\["([^"]+)"', wkt)
        if not kind or kind[1] not in PARAMETERS:
            continue
        values = dict(re.findall(r'PARAMETER\["([^"]+)",([^\]]+)\]', wkt))
        factor = float(re.findall(r'UNIT\["[^"]+",([^,\]]+)', wkt)[-1])
        east, north = (number(round(float(values.pop(k, 0)) * factor, 6)) for k in ("false_easting", "false_northing"))
        if set(values) - set(PARAMETERS[kind[1]]):
            continue
        out.append((code, kind[1], east, north, *(values.get(k, "") for k in PARAMETERS[kind[1]])))
    write(
        "projections.csv",
        ["code", "projection", "false_easting", "false_northing", "parameters in make.py's order"],
        out,
    )


if __name__ == "__main__":
    units()
    ellipsoids()
    prime_meridians()
    geographic()
    projections()
