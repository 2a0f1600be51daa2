#!/usr/bin/env python3
"""Tests of check_layers.py on small source trees."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check_layers

TOOLS = Path(__file__).resolve().parent
TABLE = """base:
ir:   base
lang: ir base
exec: ir base
exec/reference: exec ir base
exec/torch: exec ir base
cli:  lang ir base
"""


def document(table):
    return f"# Architecture\n\n```layers\n{table}```\n\nMore text.\n"


class CheckLayersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("docs/architecture.md", document(TABLE))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def problems(self):
        return check_layers.check(self.root)[1]

    def expect_one(self, *parts):
        problems = self.problems()
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_accepts_allowed_and_own_layer_includes(self):
        self.write("src/ir/graph.cc", '#include "ir/graph.h"\n#include "base/result.h"\n#include <vector>\n')
        self.write("src/exec/reference/run.cc", '#include "exec/backend.h"\n#include "ir/graph.h"\n')
        self.assertEqual(check_layers.check(self.root), (2, []))

    def test_reports_file_and_line_of_a_forbidden_include(self):
        self.write("src/ir/graph.cc", '#include "base/result.h"\n\n#  include "lang/parser.h"\n')
        self.expect_one("src/ir/graph.cc:3: ", "layer ir may not include", "of lang", "it may include: base")

    def test_interface_layer_does_not_grant_its_backends(self):
        self.write("src/cli/main.cc", '#include "exec/reference/run.h"\n')
        self.write("src/exec/backend.cc", '#include "exec/reference/run.h"\n')
        self.assertEqual(len(self.problems()), 2)

    def test_file_in_an_unlisted_subfolder_belongs_to_the_layer_above(self):
        self.write("src/lang/edit/tree.cc", '#include "ir/graph.h"\n#include "cli/x.h"\n')
        self.expect_one("src/lang/edit/tree.cc:2: ", "layer lang may not include")

    def test_reports_a_folder_without_a_row(self):
        self.write("src/misc/a.cc", "int a;\n")
        self.expect_one("src/misc/a.cc:1: belongs to no layer")

    def test_reports_an_include_not_written_from_the_root(self):
        self.write("src/ir/graph.cc", '#include "graph.h"\n')
        self.expect_one("src/ir/graph.cc:1: ", "in no layer")

    def test_ignores_commented_includes(self):
        self.write("src/ir/graph.cc", '// #include "lang/parser.h"\n')
        self.assertEqual(self.problems(), [])

    def test_reports_a_cycle_between_folders_of_one_layer(self):
        self.write("src/lang/a.h", '#include "lang/edit/b.h"\n')
        self.write("src/lang/edit/b.h", '#include "lang/c.h"\n')
        self.expect_one("include cycle between folders", "lang -> lang/edit -> lang", "src/lang/edit/b.h:1")

    def test_libtorch_only_in_its_backend(self):
        self.write("src/exec/torch/run.cc", "#include <ATen/ATen.h>\n#include <torch/torch.h>\n#include <c10/x.h>\n")
        self.assertEqual(self.problems(), [])
        self.write("src/exec/run.cc", "#include <ATen/ATen.h>\n")
        self.expect_one("src/exec/run.cc:1: ", "outside src/exec/torch")

    def test_regex_nowhere(self):
        self.write("src/base/a.cc", "#include <regex>\n")
        self.write("tests/base/a.cc", "#include <regex>\n")
        self.assertEqual([p.split(" ")[0] for p in self.problems()], ["src/base/a.cc:1:", "tests/base/a.cc:1:"])

    def test_json_and_cli_headers_only_in_sources(self):
        self.write("src/cli/main.cc", "#include <nlohmann/json.hpp>\n#include <CLI/CLI.hpp>\n")
        self.assertEqual(self.problems(), [])
        self.write("src/cli/main.h", "#include <nlohmann/json.hpp>\n#include <CLI/CLI.hpp>\n")
        self.assertEqual(len(self.problems()), 2)

    def test_tests_may_include_every_layer(self):
        self.write("src/base/a.cc", "")
        self.write("tests/base/a.cc", '#include "cli/x.h"\n#include "support/y.h"\n')
        self.assertEqual(self.problems(), [])

    def test_table_errors(self):
        for text, message in (
            ("# nothing\n", "found none"),
            (document("base\n"), "got `base`"),
            (document("base:\nbase:\n"), "one `layer: layer ...` per layer"),
            (document("base: ir\n"), "base may include ir, which has no row"),
            (document("base: ir\nir: base\n"), "the cycle base -> ir -> base"),
        ):
            with self.subTest(message), self.assertRaisesRegex(check_layers.TableError, message):
                check_layers.read_table(text)

    def run_script(self):
        command = [sys.executable, TOOLS / "check_layers.py", self.root]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_exit_status(self):
        empty = self.run_script()
        self.assertEqual(empty.returncode, 2)
        self.assertIn("found none", empty.stderr)
        self.write("src/base/a.cc", "")
        self.assertEqual(self.run_script().returncode, 0)
        self.write("src/base/b.cc", '#include "ir/x.h"\n')
        self.assertEqual(self.run_script().returncode, 1)
        (self.root / "docs/architecture.md").unlink()
        self.assertEqual(self.run_script().returncode, 2)


if __name__ == "__main__":
    unittest.main()
