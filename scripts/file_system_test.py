"""Tests `SET rasteret_file_system = 'duckdb'`: reads through DuckDB's file system, with its secrets and locks and with fsspec.

    s3-server python file_system_test.py [--extension build/release/rasteret.duckdb_extension] [--hosted]

Runs in the environment file-system, with httpfs, fsspec and a private bucket of scripts/s3-server; with --hosted in a host without
them. A signal ends tests that exceed a time limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import servers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "test" / "data"
COG = DATA / "cog.tif"
TIME_LIMIT_S = 120
# All kinds of reads: headers, pixels and zones, scalar and table functions, Parquet and STAC.
QUERIES = (
    "SELECT cog_metadata('BASE/cog.tif').image_width, cog_metadata('BASE/rgba.tif').dtype",
    "SELECT count(*), sum(value) FROM cog_pixels('BASE/cog.tif', NULL)",
    "SELECT md5(r.data), md5(r.mask) FROM (SELECT cog_read('BASE/' || f, NULL, NULL) AS r FROM (VALUES ('cog.tif'), ('cog_b.tif')) t(f))",
    "SELECT z.sum, z.count FROM (SELECT cog_zonal_stats(f, m, cog_footprint(m)) AS z FROM"
    " (SELECT 'BASE/cog.tif' AS f, cog_metadata('BASE/cog.tif') AS m))",
    "SELECT filename LIKE '%cog.tif', width, is_cog FROM cog_info('BASE/cog.tif')",
    "SELECT count(*), count(rasteret_error) FROM rasteret_enrich('BASE/items.parquet', bands := ['B04'],"
    " url_rewrite := MAP {'test/data/': 'BASE/'})",
)


def connect(extension: Path, httpfs: bool = False) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 8})
    if httpfs:
        package = importlib.util.find_spec("duckdb_extension_httpfs")
        assert package and package.origin
        (found,) = Path(package.origin).parent.rglob("httpfs.duckdb_extension")
        connection.execute(f"LOAD '{found}'")
    connection.execute(f"LOAD '{extension}'")
    return connection


def through_duckdb(extension: Path, httpfs: bool = False) -> duckdb.DuckDBPyConnection:
    connection = connect(extension, httpfs)
    connection.execute("SET rasteret_file_system = 'duckdb'")
    return connection


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def error_of(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Returns the error of a query that must fail."""
    try:
        rows = connection.execute(sql).fetchall()
    except duckdb.Error as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    sys.exit(f"{sql}: expected an error, found {rows}")


def requests(connection: duckdb.DuckDBPyConnection, origin: str) -> int:
    row = connection.execute("SELECT requests FROM rasteret_stats() WHERE origin = ?", [origin]).fetchone()
    return row[0] if row else 0


def results(connection: duckdb.DuckDBPyConnection, base: object) -> list[object]:
    return [connection.execute(sql.replace("BASE", str(base))).fetchall() for sql in QUERIES]


def local(extension: Path) -> None:
    """Local files return the same results as with the native client, also in constants and prepared statements, and after they have changed."""
    expected = results(connect(extension), DATA)
    connection = through_duckdb(extension)
    for _ in range(3):
        expect("local files", results(connection, DATA), expected)
    copy = ROOT / "build" / f"file-system-{os.getpid()}.tif"
    copy.parent.mkdir(exist_ok=True)
    try:
        shutil.copy(COG, copy)
        connection.execute(f"PREPARE header AS SELECT dtype FROM cog_metadata('{copy}')")
        connection.execute(f"PREPARE scalar AS SELECT cog_metadata(f).dtype FROM (VALUES ('{copy}')) t(f)")
        for name in ("header", "scalar"):
            expect(name, connection.execute(f"EXECUTE {name}").fetchall(), [("uint16",)])
        shutil.copy(DATA / "rgba.tif", copy)
        # Executions of the same plan reuse headers for three seconds.
        time.sleep(3.5)
        for name in ("header", "scalar"):
            expect(name, connection.execute(f"EXECUTE {name}").fetchall(), [("uint8",)])
        connection.execute("SET rasteret_file_system = 'native'")
        for name in ("header", "scalar"):
            expect(name, connection.execute(f"EXECUTE {name}").fetchall(), [("uint8",)])
    finally:
        copy.unlink(missing_ok=True)


def errors(extension: Path) -> None:
    connection = through_duckdb(extension)
    for sql, expected in (
        (f"SELECT cog_metadata('{DATA}/missing.tif')", "missing.tif'): no such file or directory"),
        (f"SELECT cog_metadata('{DATA}')", "cog_metadata("),
        (f"FROM cog_info('{DATA}/*.tif')", "table function glob('…')"),
        ("SELECT cog_metadata('nowhere://x.tif?sig=SECRET')", "cog_metadata('nowhere://x.tif')"),
    ):
        found = error_of(connection, sql)
        expect(f"{sql}: {found}", expected in found, True)
    connection.execute("SET rasteret_file_system = 'httpfs'")
    found = error_of(connection, f"SELECT cog_metadata('{COG}')")
    expect(
        "a wrong value",
        found.endswith("setting rasteret_file_system: expected 'native' or 'duckdb', found 'httpfs'"),
        True,
    )


def locks(extension: Path) -> None:
    """Reads respect `enable_external_access = false`, allowed directories and disabled file systems."""
    connection = through_duckdb(extension)
    connection.execute("SET allowed_directories = ['/nowhere/']")
    connection.execute("SET enable_external_access = false")
    for sql in QUERIES:
        found = error_of(connection, sql.replace("BASE", str(DATA)))
        expect(f"{sql}: {found}", "PermissionException" in found and "disabled by configuration" in found, True)
    connection = through_duckdb(extension)
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
    found = error_of(connection, f"SELECT cog_metadata('{COG}')")
    expect(found, "File system LocalFileSystem has been disabled" in found, True)


def databases(extension: Path) -> None:
    """Two databases of one process use different settings concurrently, with eight threads each."""
    expected = results(connect(extension), DATA)
    failed: list[str] = []

    def work(file_system: str) -> None:
        try:
            connection = connect(extension)
            connection.execute(f"SET rasteret_file_system = '{file_system}'")
            for _ in range(5):
                if (found := results(connection, DATA)) != expected:
                    failed.append(f"{file_system}: expected {expected}, found {found}")
            many = f"SELECT count(DISTINCT cog_metadata('{COG}').image_width) FROM range(300000)"
            connection.execute(many).fetchall()
            sql = f"SELECT sum(cog_zonal_stats('{COG}', m, cog_footprint(m)).sum + i * 0) FROM"
            sql += f" (SELECT i, cog_metadata('{COG}') AS m FROM range(20000) t(i))"
            if (found := connection.execute(sql).fetchone()) != (8386560.0 * 20000,):
                failed.append(f"{file_system}: found {found}")
            connection.close()
        except Exception as error:
            failed.append(f"{file_system}: {error!r}")

    threads = [threading.Thread(target=work, args=(name,)) for name in ("duckdb", "native") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect("concurrent databases", failed, [])


def left_early(extension: Path, url: str) -> None:
    """Closes connections while files are read: unfetched results, errors, LIMIT."""
    for round_ in range(5):
        connection = through_duckdb(extension, httpfs=True)
        slow = f"{url}/slow/100/at/{round_}"
        connection.execute(f"CREATE TABLE files AS SELECT '{slow}-' || i || '/cog.tif' AS f FROM range(5000) t(i)")
        connection.execute("SELECT cog_metadata(f) FROM files LIMIT 1").fetchone()
        connection.execute(f"COPY (SELECT f AS href FROM files) TO '{ROOT}/build/files-{os.getpid()}.parquet'")
        try:
            enrich = f"FROM rasteret_enrich('{ROOT}/build/files-{os.getpid()}.parquet', bands := ['a'], href_column := 'href')"
            result = connection.execute(enrich)
            result.fetchone()
        finally:
            Path(f"{ROOT}/build/files-{os.getpid()}.parquet").unlink()
        connection.close()


def interrupted(extension: Path, url: str) -> None:
    """An interrupted query ends when its running reads are complete."""
    connection = through_duckdb(extension, httpfs=True)
    timer = threading.Timer(1, connection.interrupt)
    timer.start()
    started = time.monotonic()
    found = error_of(
        connection, f"SELECT count(cog_metadata('{url}/slow/500/at/i' || i || '/cog.tif')) FROM range(3000) t(i)"
    )
    took = time.monotonic() - started
    expect(found, "INTERRUPT" in found.upper(), True)
    expect(f"seconds until the end of an interrupted query: {took}", took < 10, True)
    expect("the next query", connection.execute("SELECT 1").fetchone(), (1,))


def web(extension: Path, url: str) -> None:
    """URLs through httpfs return the results and errors of the native client; errors contain no signatures."""
    expected = results(connect(extension), url)
    connection = through_duckdb(extension, httpfs=True)
    expect("URLs", results(connection, url), expected)
    for sql, words in (
        (f"SELECT cog_metadata('{url}/status/403/cog.tif?sig=SECRET')", "403"),
        (f"SELECT cog_metadata('{url}/missing.tif?sig=SECRET')", "404"),
        ("SELECT cog_metadata('http://127.0.0.1:9/a.tif?sig=SECRET')", "127.0.0.1:9"),
    ):
        found = error_of(connection, sql)
        expect(found, words in found and "SECRET" not in found, True)
    # DuckDB evaluates a failing constant repeatedly while planning.
    servers.reset(url)
    error_of(connection, f"SELECT unnest(cog_metadata('{url}/at/once/missing.tif'))")
    made = servers.stats(url)["requests"]
    expect(f"requests of a failing constant: {made}", made <= 2, True)


def secrets(extension: Path) -> None:
    """Reads a private bucket with CREATE SECRET; without a secret, or with a wrong one, the error contains the status."""
    endpoint = os.environ["RASTERET_TEST_S3_ENDPOINT"].removeprefix("http://")
    key, secret = os.environ["RASTERET_TEST_S3_ACCESS_KEY"], os.environ["RASTERET_TEST_S3_SECRET_KEY"]
    shutil.copytree(DATA, Path(os.environ["RASTERET_TEST_S3_ROOT"]) / "private", dirs_exist_ok=True)
    expected = results(connect(extension), DATA)
    create = (
        "CREATE OR REPLACE SECRET s (TYPE s3, KEY_ID '{}', SECRET '{}', ENDPOINT '{}', USE_SSL false, URL_STYLE 'path')"
    )
    connection = through_duckdb(extension, httpfs=True)
    connection.execute(f"SET s3_endpoint = '{endpoint}'; SET s3_use_ssl = false; SET s3_url_style = 'path'")
    found = error_of(connection, "SELECT cog_metadata('s3://private/cog.tif')")
    expect(found, "403" in found, True)
    connection.execute(create.format(key, secret, endpoint))
    expect("a private bucket", results(connection, "s3://private"), expected)
    expect("its counts", requests(connection, "s3://private") > 0, True)
    connection.execute(create.format(key, "WRONG-SECRET", endpoint))
    found = error_of(connection, "SELECT cog_metadata('s3://private/cog.tif')")
    expect(found, "403" in found and "WRONG-SECRET" not in found and key not in found, True)
    # Another database of the process has neither the secret nor cached headers of the first one.
    other = through_duckdb(extension, httpfs=True)
    other.execute(f"SET s3_endpoint = '{endpoint}'; SET s3_use_ssl = false; SET s3_url_style = 'path'")
    connection.execute(create.format(key, secret, endpoint))
    expect(
        "the first database",
        connection.execute("SELECT cog_metadata('s3://private/cog.tif').image_width").fetchone(),
        (64,),
    )
    found = error_of(other, "SELECT cog_metadata('s3://private/cog.tif')")
    expect(found, "403" in found, True)
    # Secrets do not circumvent a lock.
    connection.execute("SET enable_external_access = false")
    found = error_of(connection, "SELECT cog_metadata('s3://private/cog.tif')")
    expect(found, "PermissionException" in found, True)


def python_files(extension: Path) -> None:
    """Reads fsspec's in-memory file system, registered with DuckDB, and closes a connection during slow reads."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Slow(MemoryFileSystem):
        protocol = ("slow",)
        store: dict = {}
        pseudo_dirs = [""]

        def _open(self, path, mode="rb", **options):
            time.sleep(0.05)
            return super()._open(path, mode, **options)

    memory = fsspec.filesystem("memory")
    slow = Slow()
    for name in ("cog.tif", "cog_b.tif", "rgba.tif", "items.parquet"):
        for file_system in (memory, slow):
            with file_system.open(f"/{name}", "wb") as file:
                file.write((DATA / name).read_bytes())
    expected = results(connect(extension), DATA)
    connection = through_duckdb(extension)
    connection.register_filesystem(memory)
    expect("fsspec", results(connection, "memory:/"), expected)
    found = error_of(connection, "FROM rasteret_enrich('memory://items.parquet', bands := ['B04'])")
    expect(found, "a remote document cannot refer to a local file" in found, True)
    found = error_of(connection, "SELECT cog_metadata('memory://missing.tif')")
    expect(found, "no such file" in found, True)
    connection.register_filesystem(slow)
    connection.execute("CREATE TABLE files AS SELECT 'slow://cog.tif' AS href FROM range(1000)")
    connection.execute(f"COPY files TO '{ROOT}/build/slow-{os.getpid()}.parquet'")
    result = connection.execute(
        f"FROM rasteret_enrich('{ROOT}/build/slow-{os.getpid()}.parquet', bands := ['a'], href_column := 'href', batch_size := 10)"
    )
    result.fetchone()
    connection.close()
    Path(f"{ROOT}/build/slow-{os.getpid()}.parquet").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extension", type=Path, default=ROOT / "build" / "release" / "rasteret.duckdb_extension")
    parser.add_argument("--hosted", action="store_true", help="without httpfs, fsspec and S3")
    args = parser.parse_args()
    extension = args.extension.resolve()
    os.chdir(ROOT)
    hosted: list[Callable[..., None]] = [local, errors, locks, databases]
    for test in [*hosted, *([] if args.hosted else [python_files, secrets])]:
        signal.alarm(TIME_LIMIT_S)
        print(f"    {test.__name__}", flush=True)
        test(extension)
    if not args.hosted:
        with servers.http_server(DATA) as url:
            for test in (web, interrupted, left_early):
                signal.alarm(TIME_LIMIT_S)
                print(f"    {test.__name__}", flush=True)
                test(extension, url)
    signal.alarm(0)
    print(f"DuckDB {duckdb.__version__}: all reads through its file system passed")


if __name__ == "__main__":
    main()
