#!/usr/bin/env python3
"""Checks the documentation against the repository.

Reported, each as file:line:
  - a relative link of a Markdown file whose file or #heading does not exist;
  - a file or folder that CONTRIBUTING.md names in backquotes, as `src/ir/op.cc`, and that does not exist. A path with a
    placeholder in capitals, as `zoo/NAME.gab`, stands for a file that a contributor adds: its folder must exist.

Exit status: 0 clean, 1 violations, 2 nothing to check.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

RECIPES = "CONTRIBUTING.md"
OUTPUT_FOLDERS = re.compile(r"^(\..*|build|build-.*|runs)$")  # hidden folders, builds, and outputs of runs
FENCE = re.compile(r"^\s*(```|~~~)")
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
EXTERNAL = re.compile(r"^([a-z][a-z0-9+.-]*:|//)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
PATH = re.compile(r"^(\./)?[\w.-]+(/[\w.-]+)*/?$")
PLACEHOLDER = re.compile(r"NAME")


def markdown_files(root):
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not OUTPUT_FOLDERS.match(n))
        found += [Path(folder) / f for f in sorted(files) if f.endswith(".md")]
    return found


def prose(path):
    """Yields (number, line) of the lines outside of fenced code."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def slug(heading):
    """Returns the anchor of a heading, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(path):
    """Returns the anchors of a page; GitHub numbers those of equal headings."""
    found, seen = set(), {}
    for _, line in prose(path):
        if match := HEADING.match(line):
            name = slug(match.group(1))
            times = seen.get(name, 0)
            seen[name] = times + 1
            found.add(f"{name}-{times}" if times else name)
    return found


def check_link(path, target):
    """Returns the message for a relative link that does not resolve, or None."""
    name, _, anchor = unquote(target).partition("#")
    page = path.parent / name if name else path
    if not page.exists():
        return f"the link to {target} leads nowhere"
    if anchor and page.suffix == ".md" and anchor not in anchors(page):
        return f"the link to {target} names no heading of {page.name}"
    return None


def check_links(root, path):
    name = path.relative_to(root).as_posix()
    for number, line in prose(path):
        for target in LINK.findall(CODE.sub("", line)):
            if not EXTERNAL.match(target) and (message := check_link(path, target)):
                yield f"{name}:{number}: {message}"


def check_path(root, text):
    """Returns the message for a path in a recipe that does not exist, or None."""
    path = root / text
    top = root / text.removeprefix("./").split("/")[0]
    if not PATH.match(text) or ("/" not in text and path.suffix not in (".json", ".md", ".txt")):
        return None  # a single word
    if not path.suffix and not top.exists():
        return None  # words with a slash between them
    if PLACEHOLDER.search(path.name):
        path = path.parent
    return None if path.exists() else f"{text} does not exist"


def check_recipes(root):
    path = root / RECIPES
    if not path.is_file():
        return [f"{RECIPES}:1: not found"]
    return [f"{RECIPES}:{number}: {message}" for number, line in prose(path) for code in CODE.findall(line)
            if (message := check_path(root, code.strip("`")))]


def check(root):
    """Returns (number of Markdown files, list of violations)."""
    files = markdown_files(root)
    problems = [problem for path in files for problem in check_links(root, path)]
    return len(files), problems + (check_recipes(root) if files else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="project root (default: the project this script is part of)")
    root = parser.parse_args().root.resolve()
    scanned, problems = check(root)
    for problem in problems:
        print(problem)
    if scanned == 0:
        print(f"docs: expected Markdown files under {root}, found none", file=sys.stderr)
        return 2
    print(f"docs: {scanned} files, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
