"""The sqllogictest dialect of DuckDB's own `test/sql`, run over DuckDB's Python client and its CLI.

    parser      a .test file -> records
    expect      found rows and errors against the expected ones
    sessions    one connection, through the Python client or the CLI
    worker      one file on one host, in a process of its own

A file that passes here is meant to pass under DuckDB's `unittest` as well; what this dialect leaves out is an error in the
file, never a silent skip.
"""
