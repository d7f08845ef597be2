"""Generates texts for GDAL_NODATA and GDAL_METADATA: usual, rounded, out of range, malformed."""

from __future__ import annotations

import random
import re

import numpy as np

# Largest power of two up to which a double represents all integers.
INTEGER_TEXT = re.compile(rb"-?[0-9]{1,15}")
SPELLED = """
    nan NaN NAN -nan inf -inf Inf infinity 1.8e308 -1.8e308 1.7976931348623157e+308 -1.7976931348623157e+308 1e400 -1e400
    -3.4028234663852886e+38 -3.40282346638529e+38 3.4028235e+38 -3.4028e+38 1e-320 1e39 0 -0 0.0 5.0 5.4 5.5 -5.9 255 256 -1
    254.99 65535 65536 -32768 32768 4294967295 -2147483648 9007199254740993 -9007199254740993 9223372036854775807
    9223372036854775808 -9223372036854775808 18446744073709551615 18446744073709551616 1e10 1e18 +5 5. .5 00005 1e2 5E0
"""
NOT_NUMBERS = ["5abc", "5 6 7", "1,5", "abc", "", "-", "1e", "0x10", "--5", "5e+", "n/a", "none", "NULL", "nan(5)"]
ODD_NUMBERS = [*SPELLED.split(), " 5", "5 ", "\t5", "5\n", *NOT_NUMBERS]


def nodata_text(rng: random.Random, dtype: str) -> bytes:
    """Returns a value of GDAL_NODATA for bands of a type."""
    if rng.random() < 0.35:
        return rng.choice(ODD_NUMBERS).encode()
    if dtype.startswith("float"):
        value = np.dtype(dtype).type(
            rng.choice([rng.gauss(0, 100), rng.gauss(0, 1e6), -9999, 1e20, -3.4e38, rng.random()])
        )
        digits = rng.choice([3, 6, 7, 8, 9, 15, 17])
        return f"{float(value):.{digits}g}".encode()
    info = np.iinfo(dtype)
    value = rng.choice(
        [0, info.min, info.max, rng.randint(0, 200) & info.max, rng.randint(int(info.min), int(info.max))]
    )
    return str(value).encode()


def metadata_text(rng: random.Random, count: int, dtype: str) -> bytes:
    """Returns GDAL_METADATA with scales, offsets, nodata values and other items, sometimes malformed."""
    items = []
    if rng.random() < 0.8:
        for sample in range(count):
            items += [
                _item(rng, "SCALE", sample, "scale", _number(rng)),
                _item(rng, "OFFSET", sample, "offset", _number(rng)),
            ]
    if rng.random() < 0.4:
        values = [nodata_text(rng, dtype).decode().strip() or "0" for _ in range(count)]
        if rng.random() < 0.5:
            values = [str(rng.choice([0, 1, 255]))] * count
        if rng.random() < 0.1:
            values.append("0")
        items.append(f'<Item name="NODATA_VALUES">{" ".join(values)}</Item>')
    if rng.random() < 0.5:
        items.insert(rng.randint(0, len(items)), f'<Item name="TITLE">{rng.choice(OTHER_TEXTS)}</Item>')
    if rng.random() < 0.2:
        items.insert(rng.randint(0, len(items)), rng.choice(DAMAGED_ITEMS))
    text = "<GDALMetadata>\n  " + "\n  ".join(items) + "\n</GDALMetadata>\n"
    return _damaged(rng, text).encode() if rng.random() < 0.25 else text.encode()


OTHER_TEXTS = [
    "plain",
    "a &amp; b",
    "a & b",
    "a&nbsp;b",
    "&lt;Item&gt;",
    "1 < 2",
    "caf\u00e9",
    "&#176;C",
    "<![CDATA[a < b]]>",
    "\x01\x02",
]
DAMAGED_ITEMS = [
    '<Item name="A" name="B" sample="0" role="scale">7</Item>',
    "<Item name='SCALE' sample='0' role='scale'>7</Item>",
    '<Item name="SCALE" role="scale">7</Item>',
    '<Item name="SCALE" sample="99" role="scale">7</Item>',
    '<Item name="SCALE" sample="-1" role="scale">7</Item>',
    '<Item name="SCALE" sample="0" role="SCALE">7</Item>',
    '<Item sample="0" role="scale">7</Item>',
    '<Item name="SCALE" sample="0" role="scale"></Item>',
    '<Item name="SCALE" sample="0" role="scale"/>',
    '<item name="SCALE" sample="0" role="scale">7</item>',
    '<Item name="X" sample="0" role="unittype">m</Item>',
    '<Item name="X" domain="D" sample="0" role="offset">7</Item>',
    '<Other><Item name="SCALE" sample="0" role="scale">7</Item></Other>',
    "<!-- <Item name='SCALE' sample='0' role='scale'>7</Item> -->",
    "<?pi text?>",
    "stray text",
    '<Item name="A">',
    "</Item>",
    "<Item",
]


def _item(rng: random.Random, name: str, sample: int, role: str, number: str) -> str:
    return f'<Item name="{name}" sample="{sample}" role="{role}">{number}</Item>'


def _number(rng: random.Random) -> str:
    usual = [f"{rng.uniform(-2, 2):.{rng.randint(1, 17)}g}", "0.0001", "1", "-1000", "1e-4"]
    odd = [" 0.5", "0.5 ", "0,5", "0.5x", "abc", "", "nan", "inf", "+0.5", ".5", "1e400"]
    return rng.choice(usual * 3 + odd)


def _damaged(rng: random.Random, text: str) -> str:
    """Returns the text truncated, repeated or with another root."""
    at = rng.randint(0, len(text))
    return rng.choice(
        [
            text[:at],
            text + text,
            text.replace("GDALMetadata", "Metadata"),
            '<?xml version="1.0" encoding="UTF-8"?>\n' + text,
            "<!DOCTYPE x>\n" + text,
            text.replace("</GDALMetadata>", ""),
            "\ufeff" + text,
            "stray " + text,
            text[:at] + rng.choice(["&", "<", ">", '"', "\x01", "]]>"]) + text[at:],
            text.replace('"', ""),
            text.replace("\n", "\r\n"),
        ]
    )
