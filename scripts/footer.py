#!/usr/bin/env python3
"""Appends the metadata footer of DuckDB extensions to a shared library.

    footer.py FILE --version v0.1.0        append the footer to FILE
    footer.py FILE --check                 print the fields of the footer, and fail if they differ from this build

Layout (DuckDB's scripts/append_metadata.cmake and ParsedExtensionMetaData):

    offset  bytes  content
         0      1  0x00: a WebAssembly custom section
         1      2  LEB128 531, the section's length
         3      1  LEB128 16, the length of its name
         4     16  "duckdb_signature"
        20      2  LEB128 512, the length of its payload
        22     96  three unused fields
       118     32  ABI                  C_STRUCT
       150     32  extension version    v0.1.0
       182     32  C API version        v1.2.0
       214     32  platform             linux_amd64
       246     32  magic                "4"
       278    256  signature, zeros when unsigned

Fields are ASCII, padded with NUL to 32 bytes. Appending a second footer is an error.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import dataclass, fields
from pathlib import Path

SECTION = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
FIELD_SIZE = 32
UNUSED_FIELDS = 3
SIGNATURE_SIZE = 256
FOOTER_SIZE = len(SECTION) + 8 * FIELD_SIZE + SIGNATURE_SIZE

# The stable C API version of all supported hosts; see ARCHITECTURE.md for the permitted slots.
ABI = "C_STRUCT"
C_API_VERSION = "v1.2.0"
MAGIC = "4"

OPERATING_SYSTEMS = {"Linux": "linux", "Darwin": "osx", "Windows": "windows"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class FooterError(Exception):
    """A file has no footer, a damaged footer or the footer of another build."""


@dataclass(frozen=True)
class Footer:
    """The metadata that DuckDB reads before it loads an extension."""

    abi: str
    extension_version: str
    c_api_version: str
    platform: str
    magic: str = MAGIC

    def encode(self) -> bytes:
        """Returns the 534 bytes of the footer."""
        named = b"".join(_pad(getattr(self, field.name)) for field in fields(self))
        return SECTION + bytes(UNUSED_FIELDS * FIELD_SIZE) + named + bytes(SIGNATURE_SIZE)

    @classmethod
    def decode(cls, data: bytes) -> Footer:
        """Decodes the footer at the end of `data`."""
        tail = data[-FOOTER_SIZE:]
        if len(tail) < FOOTER_SIZE or not tail.startswith(SECTION):
            raise FooterError(f"no footer: expected {FOOTER_SIZE} bytes that begin with {SECTION!r} at the end")
        start = len(SECTION) + UNUSED_FIELDS * FIELD_SIZE
        texts = []
        for index, field in enumerate(fields(cls)):
            raw = tail[start + index * FIELD_SIZE :][:FIELD_SIZE].rstrip(b"\0")
            try:
                texts.append(raw.decode("ascii"))
            except UnicodeDecodeError:
                raise FooterError(f"footer field {field.name}: expected ASCII, found {raw!r}") from None
        return cls(*texts)


def _pad(text: str) -> bytes:
    raw = text.encode("ascii")
    if len(raw) > FIELD_SIZE:
        raise FooterError(f"footer field {text!r}: expected at most {FIELD_SIZE} bytes, found {len(raw)}")
    return raw.ljust(FIELD_SIZE, b"\0")


def host_platform() -> str:
    """Returns DuckDB's name of the current platform, such as `linux_amd64`."""
    system, machine = platform.system(), platform.machine().lower()
    if system not in OPERATING_SYSTEMS or machine not in MACHINES:
        raise FooterError(f"unknown DuckDB platform name for {system} on {machine}")
    return f"{OPERATING_SYSTEMS[system]}_{MACHINES[machine]}"


def for_this_build(version: str) -> Footer:
    """Returns the footer for an extension version on the current platform."""
    return Footer(ABI, version, C_API_VERSION, host_platform())


def append(library: bytes, footer: Footer) -> bytes:
    """Returns the library with the footer appended."""
    if library[-FOOTER_SIZE:].startswith(SECTION):
        raise FooterError("the file already has a footer")
    return library + footer.encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--version", help="append a footer with this extension version")
    action.add_argument("--check", action="store_true", help="print the footer; fail if it differs from this build")
    args = parser.parse_args()
    try:
        if args.check:
            found = Footer.decode(args.file.read_bytes())
            print(found)
            if found != for_this_build(found.extension_version):
                raise FooterError(f"expected {for_this_build(found.extension_version)}, found {found}")
        else:
            args.file.write_bytes(append(args.file.read_bytes(), for_this_build(args.version)))
    except (FooterError, OSError) as error:
        print(f"footer: {args.file}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
