#!/usr/bin/env python3
"""Checks the includes of src/ against the layer table in docs/architecture.md.

The table (a fenced block marked `layers`) is the rule itself, not a copy of it. A file belongs to the nearest folder
above it that has a row. Reported, each as file:line:
  - an include that the table does not allow, or that is not written from the include root src/;
  - include cycles between folders;
  - libtorch headers outside src/exec/torch (and its tests and fuzzer), <regex> anywhere, JSON, command-line or HTTP headers in a .h file.
Tests, benchmarks and fuzzers may include every layer, so only the last group applies to them.

Exit status: 0 clean, 1 violations, 2 nothing to check or an unreadable table.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = "docs/architecture.md"
OTHER_TREES = ("tests", "bench", "fuzz")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
BLOCK = re.compile(r"^```layers\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^([a-z_/]+):([a-z_/ ]*)$")
TORCH = re.compile(r"^(torch|ATen|c10)/")
SOURCE_ONLY = re.compile(r"^(nlohmann/|CLI/|curl/|httplib\.h)")


class TableError(Exception):
    """The table is missing or contradicts itself."""


@dataclass(frozen=True)
class Include:
    file: str  # relative to the root of the project
    line: int
    target: str
    quoted: bool

    def at(self, message):
        return f"{self.file}:{self.line}: {message}"


def read_table(text):
    """Returns {layer: set of the layers it may include}. Raises TableError."""
    block = BLOCK.search(text)
    if block is None:
        raise TableError(f"{DOCUMENT}: expected a fenced block marked `layers`, found none")
    table = {}
    for line in filter(str.strip, block.group(1).splitlines()):
        row = ROW.match(line.rstrip())
        if row is None or row.group(1) in table:
            raise TableError(f"{DOCUMENT}: expected one `layer: layer ...` per layer, got `{line}`")
        table[row.group(1)] = set(row.group(2).split())
    for layer, allowed in table.items():
        for unknown in sorted(allowed - table.keys()):
            raise TableError(f"{DOCUMENT}: {layer} may include {unknown}, which has no row")
    cycle = find_cycle(table)
    if cycle:
        raise TableError(f"{DOCUMENT}: the table allows the cycle {' -> '.join(cycle)}")
    return table


def layer_of(table, path):
    """Returns the nearest folder above `path` (relative to src/) that has a row, or None."""
    for folder in Path(path).parents:
        if folder.as_posix() in table:
            return folder.as_posix()
    return None


def read_includes(root, path):
    """Yields the includes of one file. Commented-out lines do not match; block comments are not understood."""
    name = path.relative_to(root).as_posix()
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield Include(name, number, match.group(2), match.group(1) == '"')


def sources(root, tree):
    return sorted(p for p in (root / tree).rglob("*") if p.suffix in (".h", ".cc") and p.is_file())


def check_edge(table, include):
    """Returns the message for an include that the table forbids, or None."""
    own = layer_of(table, include.file.removeprefix("src/"))
    other = layer_of(table, include.target)
    if other is None:
        return f'"{include.target}" is in no layer (project headers are written from src/, others in <>)'
    if own is not None and other != own and other not in table[own]:
        allowed = " ".join(sorted(table[own])) or "nothing"
        return f'layer {own} may not include "{include.target}" of {other} (it may include: {allowed})'
    return None


def check_header(include):
    """Returns the message for a header that does not belong in this file, or None."""
    if include.target == "regex":
        return "<regex> is not used in this project (slow, and it recurses on the stack)"
    if TORCH.match(include.target) and not include.file.startswith(("src/exec/torch/", "tests/torch/", "fuzz/fuzz_leaks")):
        return f"<{include.target}> outside src/exec/torch"
    if SOURCE_ONLY.match(include.target) and include.file.endswith(".h"):
        return f"<{include.target}> in a header; include it in the .cc file"
    return None


def find_cycle(edges):
    """Returns a cycle [a, b, ..., a] of the graph {node: nodes}, or []."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return []
        path.append(node)
        for following in sorted(edges.get(node, ())):
            cycle = visit(following)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return []

    for start in sorted(edges):
        cycle = visit(start)
        if cycle:
            return cycle
    return []


def check_cycles(includes):
    """Returns [the message for an include cycle between folders, with an include for each step], or []."""
    edges, witness = {}, {}
    for include in includes:
        source = Path(include.file.removeprefix("src/")).parent.as_posix()
        target = Path(include.target).parent.as_posix()
        if source != target:
            edges.setdefault(source, set()).add(target)
            witness.setdefault((source, target), include)
    cycle = find_cycle(edges)
    if not cycle:
        return []
    steps = [witness[step] for step in zip(cycle, cycle[1:])]
    places = ", ".join(f"{step.file}:{step.line}" for step in steps)
    return [steps[0].at(f"include cycle between folders {' -> '.join(cycle)} ({places})")]


def check(root):
    """Returns (number of files of src/ scanned, list of violations). Raises TableError."""
    document = root / DOCUMENT
    if not document.is_file():
        raise TableError(f"{DOCUMENT}: not found under {root}")
    table = read_table(document.read_text(encoding="utf-8"))
    files = sources(root, "src")
    problems = []
    project_includes = []
    for path in files:
        name = path.relative_to(root).as_posix()
        if layer_of(table, name.removeprefix("src/")) is None:
            problems.append(f"{name}:1: belongs to no layer; add a row to the table in {DOCUMENT}")
        includes = list(read_includes(root, path))
        project_includes += [i for i in includes if i.quoted]
        problems += [i.at(m) for i in includes if i.quoted and (m := check_edge(table, i))]
        problems += [i.at(m) for i in includes if (m := check_header(i))]
    for tree in OTHER_TREES:
        for path in sources(root, tree):
            problems += [i.at(m) for i in read_includes(root, path) if (m := check_header(i))]
    return len(files), problems + check_cycles(project_includes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="project root (default: the project this script is part of)")
    root = parser.parse_args().root.resolve()
    try:
        scanned, problems = check(root)
    except TableError as error:
        print(f"layers: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(problem)
    if scanned == 0:
        print(f"layers: expected sources under {root}/src, found none", file=sys.stderr)
        return 2
    print(f"layers: {scanned} files, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
