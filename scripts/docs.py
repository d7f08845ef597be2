#!/usr/bin/env python3
"""Makes the function reference, the README's table and the community page's list from the doc constants beside the functions' code.

    docs.py             writes docs/functions.md, docs/function_descriptions.csv, and the part of README.md between its two `functions` marks
    docs.py --check     changes nothing; fails where they are not what would be written, and runs every example as a test
    docs.py --pages     runs the pages' SQL alone

The pages with a comment `<!-- run: NAME = PATH, ... -->` are tests: their ```sql blocks run in order, and a ```text block after one
is its rows. NAME is a file as the page writes it, PATH where the test has it.

The example `function_docs` prints the constants as JSON.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import artifacts

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "functions.md"
README = ROOT / "README.md"
# For the page of the extension on DuckDB's site, which joins it with duckdb_functions() by name.
DESCRIPTIONS = ROOT / "docs" / "function_descriptions.csv"
PAGES = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = ROOT / "build" / "docs" / "examples"
BEGIN, END = "<!-- functions: made by scripts/docs.py -->", "<!-- end of functions -->"
HEAD = """\
# Function reference

Made by `scripts/docs.py` from the constants beside the functions' code; every example runs as a test on every supported
DuckDB, in the repository's directory.

"""


class DocsError(Exception):
    """Documentation that cannot be made into a reference."""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Example:
    sql: str
    result: str


@dataclass(frozen=True)
class Function:
    """What a doc constant says."""

    name: str
    kind: str
    signatures: list[str]
    description: str
    parameters: list[Parameter]
    returns: str
    examples: list[Example]

    @classmethod
    def of(cls, record: dict) -> Function:
        parameters = [Parameter(**each) for each in record["parameters"]]
        return cls(**{**record, "parameters": parameters, "examples": [Example(**each) for each in record["examples"]]})

    @property
    def title(self) -> str:
        """The heading; a scalar and a table function may share a name."""
        return f"{self.name} ({self.kind})"

    @property
    def anchor(self) -> str:
        """GitHub's anchor of the heading."""
        return re.sub(r"[^\w-]", "", self.title.lower().replace(" ", "-"))

    @property
    def summary(self) -> str:
        """The first sentence."""
        return re.split(r"(?<=\.)\s", self.description, maxsplit=1)[0].removesuffix(".")


def functions() -> list[Function]:
    """The documentation of every function."""
    # Of the whole workspace, so that it shares the builds of the tests.
    built = artifacts.build("build", "--workspace", "--example", "function_docs")
    program = next(artifact.executable for artifact in built if artifact.target == "function_docs")
    done = subprocess.run([str(program)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise DocsError(f"{program} failed")
    return [Function.of(record) for record in json.loads(done.stdout)]


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def reference(documented: list[Function]) -> str:
    """docs/functions.md."""
    contents = "\n".join(f"- [{each.title}](#{each.anchor}): {each.summary}" for each in documented)
    return HEAD + contents + "\n" + "".join(f"\n{section(each)}" for each in documented)


def section(function: Function) -> str:
    """A function's part of the reference."""
    parts = [f"## {function.title}", "```sql\n" + "\n".join(function.signatures) + "\n```", function.description]
    if function.parameters:
        rows = [
            [
                f"`{each.name}`",
                each.type,
                f"`{each.default}`" if each.default is not None else "required",
                each.description,
            ]
            for each in function.parameters
        ]
        parts.append(table(["parameter", "type", "default", "meaning"], rows))
    parts.append(f"**Returns** {function.returns}")
    for example in function.examples:
        parts.append(f"```sql\n{example.sql};\n```\n\n```text\n{example.result}\n```")
    return "\n\n".join(parts) + "\n"


def overview(documented: list[Function]) -> str:
    """The README's table."""
    rows = [[f"[`{each.name}`](docs/functions.md#{each.anchor})", each.kind, each.summary] for each in documented]
    return table(["function", "kind", "what it does"], rows)


def with_overview(readme: str, documented: list[Function]) -> str:
    """The README with its table replaced."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DocsError(f"README.md: expected the marks {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{overview(documented)}\n{end}{after}"


def descriptions(documented: list[Function]) -> str:
    """docs/function_descriptions.csv: one row per name, that of a scalar function where a table function shares it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["function", "description", "comment", "example"])
    by_name: dict[str, Function] = {}
    for function in documented:
        by_name.setdefault(function.name, function)
    for name, function in by_name.items():
        example = " ".join(function.examples[0].sql.split()) + ";" if function.examples else ""
        writer.writerow([name, f"{function.summary}.", "", example])
    return text.getvalue()


def example_tests(documented: list[Function]) -> dict[str, str]:
    """A .test file a function, with its examples."""
    files = {}
    for function in documented:
        records = [f"# {function.title}", "require rasteret"]
        for example in function.examples:
            if not example.result:
                raise DocsError(f"{function.title}: an example without a result proves nothing")
            records.append(query_test(example.sql, example.result))
        files[f"{function.anchor}.test"] = "\n\n".join(records) + "\n"
    return files


def query_test(sql: str, result: str) -> str:
    """A record of a query with its rows."""
    widths = {line.count("\t") + 1 for line in result.splitlines()}
    if len(widths) != 1:
        raise DocsError(f"the rows of a result differ in their number of columns:\n{result}")
    return f"query {'T' * widths.pop()}\n{sql}\n----\n{result}"


def page_tests(pages: list[Path]) -> dict[str, str]:
    """A .test file of each page that is one."""
    files = {}
    for page in pages:
        text = page.read_text()
        run = re.search(r"<!-- run: (.*?) -->", text, re.DOTALL)
        if not run:
            continue
        paths = dict(pair.split(" = ") for pair in re.split(r",\s+", run[1].strip()))
        records = [f"# docs/{page.name}", "require rasteret"]
        blocks = re.findall(r"^```sql\n(.*?);\n```(?:\n\n```text\n(.*?)\n```)?", text, re.DOTALL | re.MULTILINE)
        if len(blocks) != text.count("```sql\n"):
            raise DocsError(f"docs/{page.name}: a block of SQL does not end in a semicolon")
        for sql, result in blocks:
            for name, path in paths.items():
                sql = re.sub(rf"'{re.escape(name)}(?=['/])", f"'{path}", sql)
            records.append(query_test(sql, result) if result else f"statement ok\n{sql}")
        files[f"{page.stem}.test"] = "\n\n".join(records) + "\n"
    return files


def run_tests(tests: dict[str, str], extension: Path | None) -> int:
    """Runs .test files on every host."""
    shutil.rmtree(EXAMPLES, ignore_errors=True)
    EXAMPLES.mkdir(parents=True)
    for name, text in tests.items():
        (EXAMPLES / name).write_text(text)
    command = [sys.executable, str(ROOT / "scripts" / "sqltest.py"), str(EXAMPLES)]
    return subprocess.run(command + (["--extension", str(extension)] if extension else [])).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--extension", type=Path, help="the extension that examples run on, instead of the release")
    args = parser.parse_args()
    try:
        if args.pages:
            return run_tests(page_tests(PAGES), args.extension)
        documented = functions()
        made = {
            REFERENCE: reference(documented),
            README: with_overview(README.read_text(), documented),
            DESCRIPTIONS: descriptions(documented),
        }
        tests = {**example_tests(documented), **page_tests(PAGES)}
    except (DocsError, artifacts.BuildError, OSError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    if not args.check:
        for path, text in made.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return 0
    for path, text in made.items():
        if not path.is_file() or path.read_text() != text:
            print(f"docs: {path.relative_to(ROOT)} is not what scripts/docs.py makes: run it", file=sys.stderr)
            return 1
    return run_tests(tests, args.extension)


if __name__ == "__main__":
    sys.exit(main())
