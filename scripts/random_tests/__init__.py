"""Random tests of the extension against rasterio, pyproj and shapely: `scripts/random-tests [--help]`.

    grids.py      random georeferenced grids: scenes, polar, global, 0..360, beyond 180, wider than 360 degrees
    shapes.py     random polygons and points near a grid, in any CRS
    oracle.py     coverage of pixels, by inverse projection of sample points with pyproj, without clipping
    geometry.py   compares cog_pixels, cog_zonal_stats, cog_tiles_for_geometry, cog_read, cog_value, cog_footprint with the oracle
    exact.py      exact coverage, for polygons with a continuous image
    points.py     cog_value;  lines.py, footprints.py: lines, outlines and bounds
    layouts.py    random TIFF layouts, written by GDAL
    texts.py      texts of GDAL_NODATA and GDAL_METADATA
    tags.py       replaces tags of a finished TIFF
    pixels.py     compares cog_read, cog_value, cog_zonal_stats with rasterio

Every case derives its random numbers from the seed and its own number, so that it can be run alone.
"""
