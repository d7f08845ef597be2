"""Reads Rust source for `layers.py`: code without comments, strings and tests; imports, paths, items and functions.

This is not a Rust parser: it relies on the rustfmt formatting of this repository. Every transformation keeps the length and line
breaks of its input, so that offsets remain valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LITERAL = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\b[bc]?r(?P<hashes>\#*)")
      | (?P<string>\b[bc]"|")
      | (?P<char>\bb'(?:\\.[^']*|[^\\'])'|'(?:\\.[^']*|[^\\'])')""",
    re.VERBOSE | re.DOTALL,
)
_STRING_END = re.compile(r'(?:\\.|[^"\\])*"', re.DOTALL)
_TEST_ONLY = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]")
_ATTRIBUTE = re.compile(r"\s*#\[")
_VISIBILITY = re.compile(r"\bpub\s*\((?:in\s+)?[\w:\s]+\)")
_ITEM_WORD = re.compile(
    r"\s*(?:pub|fn|mod|use|struct|enum|union|impl|const|static|type|trait|unsafe|async|extern|macro_rules)\b"
)
_USE = re.compile(r"\b(?P<public>pub\s+)?use\s+(?P<tree>[^;]+);")
_INLINE_MODULE = re.compile(r"\bmod\s+(\w+)\s*\{")
_MODULE_FILE = re.compile(r"\bmod\s+(\w+)\s*;")
_ITEM = re.compile(r"\b(?:fn|struct|enum|union|trait|type|const|static|macro_rules!)\s+(?:mut\s+)?(\w+)")
_PATH = re.compile(r"(?<![\w:$])[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+")
_FUNCTION = re.compile(r"\bfn\s+(\w+)")
_CONTROL = re.compile(r"\b(?:if|for|while|loop|match)\b")
_OPEN, _CLOSE = "([{", ")]}"


def blank(text: str, start: int, end: int) -> str:
    """Replaces `text` from `start` to `end` by spaces, except line breaks."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def mask(text: str) -> str:
    """Blanks comments, strings and character literals."""
    pieces: list[str] = []
    position = 0
    while match := _LITERAL.search(text, position):
        end = _literal_end(text, match)
        pieces.append(text[position : match.start()])
        pieces.append(re.sub(r"[^\n]", " ", text[match.start() : end]))
        position = end
    return "".join(pieces) + text[position:]


def _literal_end(text: str, match: re.Match[str]) -> int:
    if match["raw"]:
        return text.index('"' + match["hashes"], match.end()) + 1 + len(match["hashes"])
    if match["string"]:
        end = _STRING_END.match(text, match.end())
        return end.end() if end else len(text)
    if not match["block"]:
        return match.end()
    depth, position = 1, match.end()
    while depth:
        opening, closing = text.find("/*", position), text.find("*/", position)
        if closing < 0:
            return len(text)
        nested = 0 <= opening < closing
        depth += 1 if nested else -1
        position = (opening if nested else closing) + 2
    return position


def without_tests(code: str) -> str:
    """Blanks the parts of masked code that are only compiled for tests."""
    while match := _TEST_ONLY.search(code):
        position = match.end()
        while attribute := _ATTRIBUTE.match(code, position):
            position = closing(code, attribute.end() - 1) + 1
        code = blank(code, match.start(), _item_end(code, position))
    return code


def _item_end(code: str, position: int) -> int:
    """Returns the end of the item, field or statement at `position`."""
    ends = ";" if _ITEM_WORD.match(code, position) else ";,"
    while position < len(code):
        character = code[position]
        if character == "{":
            return closing(code, position) + 1
        if character in _OPEN:
            position = closing(code, position)
        elif character in ends:
            return position + 1
        elif character in _CLOSE:
            return position
        position += 1
    return position


def closing(code: str, opening: int) -> int:
    """Returns the offset of the bracket that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(code)):
        if code[position] in _OPEN:
            depth += 1
        elif code[position] in _CLOSE:
            depth -= 1
            if depth == 0:
                return position
    return len(code) - 1


def line_at(code: str, position: int) -> int:
    """Returns the line of an offset, from 1."""
    return code.count("\n", 0, position) + 1


@dataclass(frozen=True)
class Import:
    """One leaf of a `use` tree, which binds `path` to `name`; a glob import if `name` is `*`."""

    path: tuple[str, ...]
    name: str
    public: bool
    line: int


@dataclass(frozen=True)
class Source:
    """The code of one module, without its inline modules, which are separate sources."""

    imports: tuple[Import, ...]
    items: frozenset[str]
    paths: tuple[tuple[tuple[str, ...], int], ...]
    words: frozenset[str]
    inline: dict[str, Source]
    files: tuple[str, ...]


def read(code: str) -> Source:
    """Reads masked code without tests."""
    inline: dict[str, Source] = {}
    while match := _INLINE_MODULE.search(code):
        end = closing(code, match.end() - 1)
        # The offset of the body is kept, so that its line numbers are those of the file.
        inline[match[1]] = read(re.sub(r"[^\n]", " ", code[: match.end()]) + code[match.end() : end])
        code = blank(code, match.start(), end + 1)
    code = _VISIBILITY.sub(lambda match: "pub" + " " * (len(match[0]) - 3), code)
    imports: list[Import] = []
    for match in _USE.finditer(code):
        line = line_at(code, match.start())
        for path, name in _leaves(match["tree"]):
            imports.append(Import(path, name, bool(match["public"]), line))
    body = _USE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), code)
    files = tuple(_MODULE_FILE.findall(body))
    paths = tuple((tuple(match[0].split("::")), line_at(body, match.start())) for match in _PATH.finditer(body))
    words = frozenset(re.findall(r"[A-Za-z_]\w*", body))
    return Source(tuple(imports), frozenset(_ITEM.findall(_outermost(body))), paths, words, inline, files)


def _leaves(tree: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields the paths of a use tree, each with the name that it binds."""
    tree = tree.strip()
    if tree.endswith("}"):
        opening = tree.index("{")
        prefix = tuple(part for part in tree[:opening].replace(" ", "").split("::") if part)
        for branch in _branches(tree[opening + 1 : -1]):
            for path, name in _leaves(branch):
                yield (
                    (prefix + path[:-1], name if name != "self" else prefix[-1])
                    if path[-1] == "self"
                    else (
                        prefix + path,
                        name,
                    )
                )
        return
    path_text, _, alias = tree.partition(" as ")
    path = tuple(part for part in path_text.strip().split("::") if part)
    yield (path[:-1], "*") if path[-1] == "*" else (path, alias.strip() or path[-1])


def _branches(text: str) -> Iterator[str]:
    depth = start = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    if text[start:].strip():
        yield text[start:]


def _outermost(code: str) -> str:
    """Returns the code outside all braces."""
    pieces: list[str] = []
    position = 0
    while (opening := code.find("{", position)) >= 0:
        pieces.append(code[position:opening])
        position = closing(code, opening) + 1
    return "".join(pieces) + code[position:]


@dataclass(frozen=True)
class Function:
    """A function with a body."""

    name: str
    line: int
    lines: int
    is_flat_match: bool


def functions(code: str) -> Iterator[Function]:
    """Yields the functions of masked code, including nested ones."""
    for match in _FUNCTION.finditer(code):
        opening = _body(code, match.end())
        if opening is None:
            continue
        end = closing(code, opening)
        line = line_at(code, match.start())
        yield Function(match[1], line, line_at(code, end) - line + 1, _is_flat_match(code[opening + 1 : end]))


def _body(code: str, position: int) -> int | None:
    """Returns the offset of the brace that opens a function's body; None for a declaration or a function pointer type."""
    while position < len(code) and code[position] not in "{;":
        position = closing(code, position) + 1 if code[position] in "([" else position + 1
    return position if position < len(code) and code[position] == "{" else None


def _is_flat_match(body: str) -> bool:
    """Whether a body is a single `match`, optionally after `let` statements, without control flow in its arms."""
    match = re.search(r"(?:^|[;{}])\s*match\b[^{]*\{", body)
    if not match:
        return False
    before, opening = body[: match.start() + 1], match.end() - 1
    end = closing(body, opening)
    if _CONTROL.search(before) or body[end + 1 :].strip(" \n;)}"):
        return False
    arms = re.sub(r"\bif\b[^=]*(?:==[^=]*)*=>", "=>", body[opening + 1 : end])
    return not _CONTROL.search(arms)
