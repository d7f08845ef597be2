"""Replaces ASCII tags of an existing TIFF by texts that no writer would create.

The first IFD is written again at the end of the file, with the new entries in tag order, and the header points there. Pixels are not
moved. Supports classic TIFF and BigTIFF in both byte orders.
"""

from __future__ import annotations

import struct
from pathlib import Path

ASCII = 2
GDAL_METADATA, GDAL_NODATA = 42112, 42113
CLASSIC, BIG = 42, 43


def replace_texts(path: Path, texts: dict[int, bytes]) -> None:
    """Sets tags of the first IFD to NUL-terminated ASCII values."""
    path.write_bytes(with_texts(path.read_bytes(), texts))


def with_texts(data: bytes, texts: dict[int, bytes]) -> bytes:
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (magic,) = struct.unpack_from(f"{order}H", data, 2)
    is_big = {CLASSIC: False, BIG: True}[magic]
    # Formats of the number of entries, the count of an entry and an offset; the position of the first IFD's offset.
    count_format, pointer, header = ("Q", "Q", 8) if is_big else ("H", "I", 4)
    inline = struct.calcsize(pointer)
    entry_size = 4 + 2 * inline
    (at,) = struct.unpack_from(order + pointer, data, header)
    (count,) = struct.unpack_from(order + count_format, data, at)
    first = at + struct.calcsize(count_format)
    entries = {}
    for index in range(count):
        entry = data[first + index * entry_size :][:entry_size]
        entries[struct.unpack_from(f"{order}H", entry)[0]] = entry
    following = data[first + count * entry_size :][:inline]
    out = bytearray(data + bytes(len(data) % 2))
    for tag, text in texts.items():
        value = text + b"\0"
        if len(value) > inline:
            place = struct.pack(order + pointer, len(out))
            out += value + bytes(len(value) % 2)
        else:
            place = value.ljust(inline, b"\0")
        entries[tag] = struct.pack(f"{order}HH{pointer}", tag, ASCII, len(value)) + place
    struct.pack_into(order + pointer, out, header, len(out))
    out += (
        struct.pack(order + count_format, len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + following
    )
    return bytes(out)
