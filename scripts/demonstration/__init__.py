"""`make demo`: builds an index of COGs on a server with latency, and queries it with SQL.

scenes      writes the COGs and the fields
catalogue   writes the STAC items of the COGs, and the table of fields, to Parquet files
peer        computes the same statistics with rasterio
__main__    runs the demo
"""
