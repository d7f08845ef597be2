"""`scripts/bench`: this extension beside other readers, in one run on one machine.

rasters      the COGs that are read
layout       an index as Parquet in several layouts
plan         tiles of geometries
contenders   each reader, in a process of its own, so that its peak of memory is its own
__main__     who runs when, and the table of results
"""
