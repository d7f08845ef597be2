"""Reads the exported names of a Windows library from the export directory of the PE format, because Windows has no `nm`."""

from __future__ import annotations

import struct

PE32_PLUS = 0x20B
EXPORTS_AT = {0x10B: 96, PE32_PLUS: 112}


def exports(data: bytes) -> set[str]:
    """Returns the names in the export table of a DLL. Raises ValueError if the bytes are not a PE file."""
    if data[:2] != b"MZ":
        raise ValueError("not a PE file: expected MZ at the start")
    (pe,) = struct.unpack_from("<I", data, 60)
    if data[pe : pe + 4] != b"PE\0\0":
        raise ValueError(f"not a PE file: expected PE at byte {pe}")
    sections, optional_size = struct.unpack_from("<H12xH", data, pe + 6)
    optional = pe + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    (table,) = struct.unpack_from("<I", data, optional + EXPORTS_AT[magic])
    if table == 0:
        return set()
    headers = [
        struct.unpack_from("<4I", data, optional + optional_size + 40 * index + 8)
        for index in range(sections)
    ]  # fmt: skip

    def place(address: int) -> int:
        """Returns the file offset of a relative virtual address."""
        for virtual_size, virtual, size, raw in headers:
            if virtual <= address < virtual + max(virtual_size, size):
                return address - virtual + raw
        raise ValueError(f"no section contains address {address:#x}")

    count, _, names = struct.unpack_from("<3I", data, place(table) + 24)
    addresses = struct.unpack_from(f"<{count}I", data, place(names))
    starts = [place(address) for address in addresses]
    return {data[start : data.index(b"\0", start)].decode("ascii") for start in starts}
