#!/usr/bin/env python3
"""Tests of tools/check_words.py and tools/messages.py."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

import check_words
import messages
from cpp_text import comments


class CheckWordsTest(unittest.TestCase):
    def problems(self, source, name="src/base/a.cc"):
        return list(check_words.check_file(name, source))

    def test_accepts_sentences(self):
        self.assertEqual(self.problems("// Returns the hash.\nint a;  // bits per byte\n// Is it one? A question is.\n"), [])

    def test_reports_openings_of_fragments(self):
        for opening in ("What it does.", "Whether it is there.", "Of the first weights.", "How many.", "Which one."):
            with self.subTest(opening):
                self.assertEqual(len(self.problems(f"/// {opening}\nint a;\n")), 1)

    def test_the_second_line_of_a_comment_is_no_opening(self):
        self.assertEqual(self.problems("// Returns the number\n// Of all.\nint a;\n"), [])

    def test_reports_old_words_and_wide_comments(self):
        self.assertIn("say A/A replicate", self.problems("// The twin of a design.\n")[0])
        self.assertIn("120 columns", self.problems("// " + "x" * 117 + "\n")[0])

    def test_reports_messages_that_say_is_no(self):
        self.assertEqual(len(self.problems('auto e = fail("usage", "--x is no amount");\n')), 1)
        self.assertEqual(self.problems('auto e = fail("io", "there is no file");\n'), [])
        self.assertEqual(self.problems('auto e = "--x is no amount";\n', "tests/a.cc"), [])

    def test_strings_are_no_comments(self):
        self.assertEqual(comments('const char* url = "http://What";  // A link.\n')[0].text, "A link.")


class MessagesTest(unittest.TestCase):
    def lines(self, source):
        return [messages.line_of(name, "a.cc", arguments) for name, _, arguments in messages.calls(source)]

    def test_lists_errors_with_hints_and_help(self):
        self.assertEqual(self.lines('return fail("io", fmt::format("cannot read {}: " "{}", a, b), "is it there?");'),
                         ["a.cc: io: cannot read {}: {} -> is it there?"])
        self.assertEqual(self.lines('sub->add_option("--seed", seed, "random seed (default 1)");'),
                         ["a.cc: --seed: random seed (default 1)"])

    def test_comments_are_no_messages(self):
        self.assertEqual(self.lines('// fail("io", "cannot read")\nint a = fail(x);'), [])

    def test_reports_codes_that_are_not_in_the_table(self):
        with TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "src/record").mkdir(parents=True)
            (root / messages.CAUSES).write_text('kWords{\n    "", "io", "chat down"};\n', encoding="utf-8")
            (root / "src/a.cc").write_text(
                'auto a = fail("io", "x y");\nauto b = fail(dead ? "chat down" : "chat dwn", "x y");\n'
                'auto c = Error{"oi", "x y", "", {}};\nreturn error(at, "shap", "x y");\nt.fail(in.get("dtype"), "x y");\n',
                encoding="utf-8")
            self.assertEqual([p.split(" is ")[0] for p in messages.unknown_codes(root)],
                             ["src/a.cc:2: 'chat dwn'", "src/a.cc:3: 'oi'", "src/a.cc:4: 'shap'"])


if __name__ == "__main__":
    unittest.main()
