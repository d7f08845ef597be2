"""`scripts/bench`: compares this extension with other readers, in one run on one machine.

rasters      the COGs whose headers are read
scenes       the COGs whose pixels are read, plots and points
contenders   headers by each reader, in separate processes, to measure their peak memory
layout       an index as Parquet in several layouts
plan         tiles of geometries
read         pixels of images, windows and points
zonal        statistics of polygons
__main__     runs the benchmarks, and the comparison of headers
"""
