# Included by DuckDB's CMake build: cmake -DDUCKDB_EXTENSION_CONFIGS=<this file>.
# Never linked into DuckDB: the extension speaks the C API, which only loadable extensions do.
duckdb_extension_load(rasteret
    SOURCE_DIR ${CMAKE_CURRENT_LIST_DIR}
    TEST_DIR ${CMAKE_CURRENT_LIST_DIR}/test/sql
    DONT_LINK
    LOAD_TESTS
)
