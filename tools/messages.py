#!/usr/bin/env python3
"""Lists every help text, error and hint of the program in one file, so that they can be read at a glance.

  tools/messages.py           writes docs/messages.txt from the sources
  tools/messages.py --check   says where docs/messages.txt differs from them

A line is one call: `file: code: message -> hint`, with {} for values, or `file: --option: text`. Parts of a message that are
chosen at run time stand beside each other, with | between them.

It also checks that the codes of errors are in the table of src/record/cause.h.

Exit status: 0 done or equal, 1 different or an unknown code, 2 nothing to list.
"""

import argparse
import difflib
import re
import sys
from pathlib import Path

from common import ROOT, write_atomically
from cpp_text import literal, tokens

PAGE = Path("docs/messages.txt")
CAUSES = Path("src/record/cause.h")
CODED = {"fail": 0, "Error": 0, "error": 1}  # the index of the argument that is the error code
CODE = re.compile(r"[a-z]+( [a-z]+)?")
HEAD = "Help texts, errors and hints, as tools/messages.py finds them in the sources. `./dev fmt` writes this file.\n"
# Functions of the sources whose arguments are texts for users
HELP = {"add_option", "add_flag", "add_subcommand", "add_option_function", "add_flag_function", "description", "footer",
        "seed_option", "spelled_option", "option", "flag"}
ERRORS = {"fail", "refuse", "failed", "failed_in", "error", "wrong", "bad", "Error", "error_at",
          "report_progress"}
QUOTED = ("string", "raw")
OTHER_LINES = 7  # lines of the page that are not texts: the head, headings and empty lines


def calls(source):
    """Yields (name, line, arguments) of the calls that hold text, with each argument as the list of its literals."""
    all_tokens = [t for t in tokens(source) if t.kind not in ("comment", "block")]
    for index, token in enumerate(all_tokens[:-1]):
        if token.kind != "word" or token.text not in HELP | ERRORS:
            continue
        opening = index + 1
        if all_tokens[opening].text == "<":  # template arguments
            while opening < len(all_tokens) - 1 and all_tokens[opening].text != ">":
                opening += 1
            opening += 1
        if all_tokens[opening].text not in "({":
            continue
        arguments = arguments_of(all_tokens, opening)
        if any(text for argument in arguments for text in argument):
            yield token.text, token.line, arguments


def arguments_of(all_tokens, opening):
    """Returns the literals of each argument of the call whose bracket is token number `opening`."""
    depth, arguments, previous = 0, [[]], None
    for token in all_tokens[opening:]:
        if token.text in "([{" and token.kind == "other":
            depth += 1
        elif token.text in ")]}" and token.kind == "other":
            depth -= 1
            if depth == 0:
                break
        elif token.text == "," and depth == 1:
            arguments.append([])
        elif token.kind in QUOTED:
            if previous is not None and previous.kind in QUOTED and arguments[-1]:
                arguments[-1][-1] += literal(token)
            else:
                arguments[-1].append(literal(token))
        previous = token
    return arguments


def line_of(name, file, arguments):
    """Returns the line of the page for a call, or None for an error without a message (no literal has a space)."""
    parts = [" | ".join(re.sub(r"\\n|\s+", " ", t).strip() for t in a if t.strip()) for a in arguments]
    parts = [p for p in parts if p]
    if not any(" " in p or name in HELP for p in parts):
        return None
    if name in HELP:
        return f"{file}: {parts[0]}: {' '.join(parts[1:])}".rstrip(": ")
    if len(parts) > 1 and " " not in parts[0]:
        parts = [f"{parts[0]}: {parts[1]}", *parts[2:]]
    return f"{file}: {' -> '.join(parts)}"


def listing(root):
    """Returns the text of the page, or None when the sources have no help or no errors."""
    help_lines, errors = [], []
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        file = path.relative_to(root / "src").as_posix()
        for name, _, arguments in calls(path.read_text(encoding="utf-8")):
            if (line := line_of(name, file, arguments)) is not None:
                (help_lines if name in HELP else errors).append(line)
    if not help_lines or not errors:
        return None
    return "\n".join([HEAD, "Help", "----", *help_lines, "", "Errors", "------", *errors, ""])


def known_codes(root):
    """Returns the error codes of the table in CAUSES."""
    text = (root / CAUSES).read_text(encoding="utf-8")
    words = text[text.index("kWords{"):]
    return set(re.findall(r'"([^"]*)"', words[:words.index("};")]))


def unknown_codes(root):
    """Yields a message with file:line for each literal code that is not in the table."""
    known = known_codes(root)
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".cc", ".h") or path.relative_to(root) == CAUSES:
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for name, line, arguments in calls(text):
            index = CODED.get(name)
            if index is None or len(arguments) <= index + 1:
                continue
            if re.search(r"[.>]fail\(", lines[line - 1]):  # a method, whose first argument is a place
                continue
            for code in arguments[index]:
                if CODE.fullmatch(code) and code not in known:
                    yield f"{path.relative_to(root).as_posix()}:{line}: '{code}' is no code of {CAUSES}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    args = parser.parse_args()
    text = listing(ROOT)
    if text is None:
        print("messages: found none in src", file=sys.stderr)
        return 2
    unknown = list(unknown_codes(ROOT))
    if unknown:
        print("\n".join(unknown))
        return 1
    old = (ROOT / PAGE).read_text(encoding="utf-8") if (ROOT / PAGE).exists() else ""
    if args.check and text != old:
        print("\n".join(difflib.unified_diff(old.splitlines(), text.splitlines(), PAGE.as_posix(), "sources", "", "", 0)))
        print(f"messages: {PAGE} differs from the sources; run ./dev fmt and read what changed")
        return 1
    if not args.check:
        write_atomically(ROOT / PAGE, text)
    print(f"messages: {text.count(chr(10)) - OTHER_LINES} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
