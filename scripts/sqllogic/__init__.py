"""Runs the sqllogictest dialect of DuckDB's `test/sql` with DuckDB's Python client and CLI.

    parser      parses a .test file into records
    expect      compares rows and errors with the expected ones
    sessions    connections of the Python client and the CLI
    worker      runs one file on one host

A file that passes here should also pass under DuckDB's `unittest`. Unsupported features of the dialect are errors; they are never
skipped silently.
"""
