#!/usr/bin/env python3
"""Tests of check_docs.py on small trees."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check_docs

TOOLS = Path(__file__).resolve().parent


class CheckDocsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("CONTRIBUTING.md", "# Contributing\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def problems(self):
        return check_docs.check(self.root)[1]

    def test_accepts_links_that_resolve(self):
        self.write("docs/a.md", "# One: `two`, three\n\n## Same\n\n## Same\n[b](b.md) [c](../src/) [d](#same-1)\n")
        self.write("docs/b.md", "[a](a.md#one-two-three), [web](https://example.org/x), ![p](p.png)\n")
        self.write("docs/p.png", "")
        self.write("src/x.cc", "")
        self.assertEqual(check_docs.check(self.root), (3, []))

    def test_reports_files_and_headings_that_do_not_exist(self):
        self.write("a.md", "# A\n\n[b](b.md)\n[c](#b)\n")
        self.assertEqual(self.problems(), ["a.md:3: the link to b.md leads nowhere",
                                           "a.md:4: the link to #b names no heading of a.md"])

    def test_code_and_output_folders_hold_no_links(self):
        self.write("a.md", "`[b](b.md)`\n\n```\n# no heading\n[b](b.md)\n```\n")
        for folder in ("build", "build-asan", "runs", ".venv"):
            self.write(f"{folder}/a.md", "[b](b.md)\n")
        self.assertEqual(self.problems(), [])
        self.write("a.md", "```\n# shown\n```\n[b](#shown)\n")
        self.assertEqual(len(self.problems()), 1)

    def test_recipes_name_files_that_exist(self):
        self.write("src/a.cc", "")
        self.write("CONTRIBUTING.md", "`src/a.cc`, `src`, `src/NAME.cc`, `and/or`, `f(a/b)`, `x`, `--option`\n")
        self.assertEqual(self.problems(), [])
        self.write("CONTRIBUTING.md", "1. `src/b.cc`\n2. `src/b/NAME.cc`\n3. `CMakeLists.txt`\n")
        self.assertEqual(self.problems(), [f"CONTRIBUTING.md:{line}: {path} does not exist" for line, path in
                                           ((1, "src/b.cc"), (2, "src/b/NAME.cc"), (3, "CMakeLists.txt"))])

    def test_exit_status(self):
        def run():
            command = [sys.executable, TOOLS / "check_docs.py", self.root]
            return subprocess.run(command, capture_output=True, text=True, check=False).returncode

        self.assertEqual(run(), 0)
        self.write("a.md", "[b](b.md)\n")
        self.assertEqual(run(), 1)
        (self.root / "CONTRIBUTING.md").unlink()
        (self.root / "a.md").unlink()
        self.assertEqual(run(), 2)


if __name__ == "__main__":
    unittest.main()
