"""`scripts/bench`: this extension beside other readers, in one run on one machine.

rasters      the COGs whose headers are read
scenes       the COGs whose pixels are read, plots and points
contenders   headers by each reader, in a process of its own, so that its peak of memory is its own
layout       an index as Parquet in several layouts
plan         tiles of geometries
read         pixels of images, windows and points
zonal        statistics of polygons
__main__     headers: who runs when, and the table of results; and which benchmark is run
"""
