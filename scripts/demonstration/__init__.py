"""`make demo`: builds an index of real COGs on a server with latency, and queries it with SQL.

scenes      writes the COGs
catalogue   writes the STAC items of the COGs to a Parquet file
__main__    runs the demo
"""
