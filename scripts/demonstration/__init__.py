"""`make demo`: real COGs, a server with latency, an index built with rasteret_enrich, and what SQL sees of it.

scenes      makes the COGs
catalogue   the items that name them, as a Parquet file
__main__    the walk through
"""
