#!/usr/bin/env python3
"""Write the tables beside this file from the EPSG dataset that rasterio's PROJ carries, the newer one of the two.

    pip install pyproj==3.7.2 rasterio==1.4.4 && python make.py

The codes that GeoKeys refer to: CRSs, ellipsoids, prime meridians, units and projections. GeoKeys are read as signed 16-bit
numbers, so larger codes are left out. Angles are in degrees, lengths in metres, units in radians or metres. Names are those of
WKT 1 as GDAL writes it.
"""

import math
import os
import re
import sqlite3

import pyproj
import rasterio
from rasterio.crs import CRS

HERE = os.path.dirname(os.path.abspath(__file__))
DB = sqlite3.connect(os.path.join(os.path.dirname(rasterio.__file__), "proj_data", "proj.db"))
HEADER = "# From the EPSG Geodetic Parameter Dataset (IOGP, epsg.org), by make.py\n"
# Deprecated codes stand for themselves.
os.environ["OSR_USE_NON_DEPRECATED"] = "NO"
LARGEST = 32766
# The projections that libgeotiff knows, and their parameters in the order of the table's columns.
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
    "Mercator_2SP": ["standard_parallel_1", "central_meridian"],
    "New_Zealand_Map_Grid": ["latitude_of_origin", "central_meridian"],
    "Polyconic": ["latitude_of_origin", "central_meridian"],
    "Equirectangular": ["latitude_of_origin", "central_meridian", "standard_parallel_1"],
    "Cylindrical_Equal_Area": ["standard_parallel_1", "central_meridian"],
    "Laborde_Oblique_Mercator": ["latitude_of_center", "longitude_of_center", "azimuth", "scale_factor"],
    # Projected on a sphere, which libgeotiff tells from the ellipsoid for web Mercator only.
    "Lambert_Azimuthal_Equal_Area (Spherical)": ["latitude_of_center", "longitude_of_center"],
    "Mercator_1SP (Spherical)": ["central_meridian", "scale_factor"],
    "Popular_Visualisation_Pseudo_Mercator": ["central_meridian"],
}
# Methods (EPSG codes) that libgeotiff knows.
METHODS = {
    *(1024, 1027, 1028, 1029, 9818, 9820, 9822, 9823, 9829, 9834, 9841, 9842),
    *range(9801, 9814),
    9815,
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
    rows = DB.execute(
        "SELECT p.code, p.name, longitude, CAST(uom_code AS TEXT), u.conv_factor FROM prime_meridian p JOIN unit_of_measure u"
        " ON u.auth_name = p.uom_auth_name AND u.code = p.uom_code WHERE p.auth_name='EPSG' ORDER BY CAST(p.code AS INT)"
    )

    def degrees(longitude, unit, factor):
        if unit == "9110":
            whole, _, rest = f"{abs(longitude):.9f}".partition(".")
            value = int(whole) + int(rest[:2]) / 60 + float(f"{rest[2:4]}.{rest[4:]}") / 3600
            return math.copysign(value, longitude)
        return math.degrees(longitude * factor)

    write(
        "prime_meridians.csv",
        ["code", "name", "longitude"],
        [(code, name, number(round(degrees(*longitude), 12))) for code, name, *longitude in rows],
    )


def geographic():
    rows = DB.execute(
        "SELECT g.code, g.datum_code, g.type, d.frame_reference_epoch IS NOT NULL OR g.datum_code IN (6326, 6258) OR d.name LIKE 'European Terrestrial Reference Frame%'"
        " FROM geodetic_crs g LEFT JOIN geodetic_datum d ON d.auth_name = g.datum_auth_name AND d.code = g.datum_code"
        " WHERE g.auth_name='EPSG' ORDER BY g.type = 'geographic 2D' DESC, g.deprecated, CAST(g.code AS INT)"
    ).fetchall()
    out = []
    for code, datum_code, kind, is_dynamic in rows:
        if int(code) > LARGEST:
            continue
        if kind == "geographic 3D":
            # Like the plane one on its datum.
            plane = next((row for row in out if row[2] == datum_code), None)
            if plane:
                out.append((code, *plane[1:-2], "3D", plane[-1]))
            continue
        wkt = CRS.from_epsg(int(code)).to_wkt()
        m = re.match(
            r'GEOG?C?CS\["([^"]+)",DATUM\["([^"]+)",SPHEROID\["([^"]+)",([^,\]]+),([^,\]]+)(?:,AUTHORITY\["EPSG","(\d+)"\])?\]',
            wkt,
        )
        p = re.search(r'PRIMEM\["([^"]+)",([^,\]]+)', wkt)
        u = re.search(r'UNIT\["([^"]+)",([^,\]]+)', wkt)
        if not (m and p and u):
            continue
        if kind == "geocentric":
            unit, factor = "degree", "0.0174532925199433"
        else:
            unit, factor = u[1], u[2]
        out.append(
            (
                code,
                m[1],
                datum_code,
                m[2],
                m[6] or 0,
                m[3],
                number(m[4]),
                number(m[5]),
                p[1],
                p[2],
                unit,
                factor,
                "2D" if kind == "geographic 2D" else "geocentric",
                int(is_dynamic),
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
            "kind",
            "is_dynamic",
        ],
        sorted(out, key=lambda row: int(row[0])),
    )


def projected():
    rows = DB.execute(
        "SELECT p.code, p.geodetic_crs_code, p.conversion_code, a.uom_code FROM projected_crs p JOIN axis a"
        " ON a.coordinate_system_auth_name = p.coordinate_system_auth_name AND a.coordinate_system_code = p.coordinate_system_code"
        " AND a.coordinate_system_order = 1 WHERE p.auth_name = 'EPSG' AND CAST(p.code AS INT) <= ? ORDER BY CAST(p.code AS INT)",
        (LARGEST,),
    )
    write("projected.csv", ["code", "geographic", "projection", "unit"], rows)


def compound():
    rows = DB.execute(
        "SELECT code, horiz_crs_code FROM compound_crs WHERE auth_name = 'EPSG' AND CAST(code AS INT) <= ? ORDER BY CAST(code AS INT)",
        (LARGEST,),
    )
    write("compound.csv", ["code", "horizontal"], rows)


def projections():
    rows = DB.execute(
        "SELECT c.code, c.method_code, MIN(p.code) FROM conversion_table c LEFT JOIN projected_crs p"
        " ON p.auth_name = 'EPSG' AND p.conversion_auth_name = 'EPSG' AND p.conversion_code = c.code"
        " WHERE c.auth_name = 'EPSG' AND CAST(c.code AS INT) <= ? GROUP BY c.code ORDER BY CAST(c.code AS INT)",
        (LARGEST,),
    ).fetchall()
    base, out = pyproj.CRS.from_epsg(4326), []
    for code, method, crs in rows:
        method = int(method)
        if method not in METHODS:
            continue
        try:
            if crs:
                wkt = CRS.from_epsg(int(crs)).to_wkt()
            else:
                conversion = pyproj.crs.CoordinateOperation.from_epsg(int(code))
                wkt = pyproj.crs.ProjectedCRS(conversion, geodetic_crs=base).to_wkt("WKT1_GDAL")
        except (pyproj.exceptions.CRSError, rasterio.errors.CRSError) as error:
            print("left out:", code, method, error)
            continue
        kind = re.search(r'PROJECTION\["([^"]+)"', wkt)
        if not kind:
            print("left out:", code, method, wkt)
            continue
        kind = kind[1]
        if method == 1027:
            kind += " (Spherical)"
        elif method == 9841:
            kind = "Mercator_1SP (Spherical)"
        elif method == 1024:
            kind = "Popular_Visualisation_Pseudo_Mercator"
        elif method == 9803:
            kind = "Lambert_Conformal_Conic_2SP"
        values = dict(re.findall(r'PARAMETER\["([^"]+)",([^\]]+)\]', wkt))
        # Parameters are in the units of the CRS.
        angle, *_, length = map(float, re.findall(r'UNIT\["[^"]+",([^,\]]+)', wkt))
        east, north = (number(round(float(values.pop(k, 0)) * length, 6)) for k in ("false_easting", "false_northing"))
        if kind == "Popular_Visualisation_Pseudo_Mercator":
            values.pop("scale_factor", None)
        if set(values) - set(PARAMETERS[kind]):
            print("left out:", code, kind, values)
            continue
        to_degrees = 1 if abs(math.degrees(angle) - 1) < 1e-9 else math.degrees(angle)
        for name in values.keys() - {"scale_factor"}:
            if to_degrees != 1:
                values[name] = number(round(float(values[name]) * to_degrees, 12))
        out.append((code, kind, east, north, *(values.get(k, "") for k in PARAMETERS[kind])))
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
    projected()
    compound()
    projections()
