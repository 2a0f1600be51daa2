#!/usr/bin/env python3
"""Checks the words of comments and messages against the rules of CONTRIBUTING.md, "How to write".

Reported, each as file:line:
  - a comment that opens as no sentence does ("What", "Whether", "Of" ...);
  - a comment longer than the code's width where clang-format cannot break it;
  - a message of the form "X is no device" instead of "unknown device 'X'";
  - a word of the older dialect, with the field's word for it.

src/exec/torch is left out: its insides are to be rebuilt.

Exit status: 0 clean, 1 violations, 2 nothing to check.
"""

import argparse
import re
import sys
from pathlib import Path

from cpp_text import comments, literal, tokens

TREES = ("src", "tests", "bench", "fuzz")
LEFT_OUT = "src/exec/torch/"
WIDTH = 110
# Opening words of a comment that is no sentence, unless it is a question
OPENINGS = re.compile(r"(What|Whether|Of|How|Which|Why|Not|None)\b(?!.*\?$)")
IS_NO = re.compile(r"(?<![Tt]here )\b(is|are) no (?!longer\b|more\b|less\b|fewer\b)[a-z]+")
OLD = {
    r"told apart": "significantly different",
    r"foretold": "predicted",
    r"\btwins?\b": "A/A replicate",
    r"\bgo(es)? on with it\b": "continues it",
    r"\bmake out\b": "estimate",
    r"\bbegun anew\b": "restarted",
}


def sources(root):
    for tree in TREES:
        for path in sorted((root / tree).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in (".h", ".cc") and not name.startswith(LEFT_OUT):
                yield name, path


def check_comment(comment):
    if not comment.trailing and (match := OPENINGS.match(comment.text)):
        yield f"a comment opens with '{match.group(1)}': write a sentence, as \"Returns ...\""
    for old, new in OLD.items():
        if match := re.search(old, comment.text):
            yield f"'{match.group(0)}': say {new}"


def check_file(name, source):
    for number, line in enumerate(source.split("\n"), 1):
        if len(line) > WIDTH and re.match(r"\s*//", line):
            yield f"{name}:{number}: a comment of {len(line)} columns, the most are {WIDTH}"
    for comment in comments(source):
        for problem in check_comment(comment):
            yield f"{name}:{comment.line}: {problem}"
    if not name.startswith("src/"):
        return  # Only the program has messages for users.
    for token in tokens(source):
        if token.kind == "string" and (match := IS_NO.search(literal(token))):
            yield f"{name}:{token.line}: a message says '{match.group(0)}': say what is wrong, as \"unknown device 'X'\""


def check(root):
    """Returns (number of files, list of violations)."""
    files = list(sources(root))
    return len(files), [p for name, path in files for p in check_file(name, path.read_text(encoding="utf-8"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="project root (default: the project this script is part of)")
    scanned, problems = check(parser.parse_args().root.resolve())
    for problem in problems:
        print(problem)
    if scanned == 0:
        print("words: found no sources", file=sys.stderr)
        return 2
    print(f"words: {scanned} files, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
