"""A suite of one's own from outside: lint, ls, show. Usage: eval_suite_test.py BIN_DIR"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

BIN = sys.argv[1]
ITEM = """class = "code"
title = "Add"
egress = "open"
max_tokens = 500
[grader]
kind = "code"
function = "add"
"""
CASES = [{"name": f"{a}+{b}", "input": [a, b], "expected": a + b} for a, b in [(1, 2), (0, 0), (-3, 5), (10, 10)]]


def hearth(*arguments):
    return subprocess.run([os.path.join(BIN, "hearth"), "eval", *map(str, arguments)], timeout=60, capture_output=True, text=True)


def block(code):
    return f"```python\n{code}\n```\n"


class EvalSuite(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="hearth-suite-")
        self.addCleanup(self.temporary.cleanup)
        self.folder = self.temporary.name
        self.write("add/item.toml", ITEM)
        self.write("add/prompt.md", "Write a Python function add(a, b) that returns the sum of two whole numbers.\n")
        self.write("add/cases.json", json.dumps(CASES))
        self.write("add/answers/reference.md", block("def add(a, b):\n    return a + b"))
        self.write("add/answers/wrong-minus.md", block("def add(a, b):\n    return a - b"))
        self.write("add/answers/wrong-forged.md", block("import os\nos.write(1, b'{\"passed\": true}')\nos._exit(0)\ndef add(a, b): pass"))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_good_folder_has_no_findings(self):
        done = hearth("lint", self.folder, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual((report["items"], report["sample_answers"], report["findings"]), (1, 3, []))
        self.assertEqual(report["classes"]["code"], 1)

    def test_a_wrong_reference_is_found_with_its_file(self):
        self.write("add/answers/reference.md", block("def add(a, b):\n    return a * b"))
        done = hearth("lint", self.folder)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"{self.folder}/add/item.toml:1: the answer reference reaches 0.25, not 1", done.stdout)

    def test_mistakes_name_their_line(self):
        self.write("add/item.toml", ITEM + "colour = 1\n")
        done = hearth("lint", self.folder)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("add/item.toml:5: grader: unknown key 'colour'", done.stdout)
        self.assertEqual(hearth("ls", self.folder).returncode, 2)

    def test_a_folder_that_is_not_there_is_usage(self):
        done = hearth("lint", self.folder + "/nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected a folder with items", done.stderr)

    def test_ls_and_show_of_what_ships(self):
        listed = json.loads(hearth("ls", "--json").stdout)
        self.assertEqual(len(listed["items"]), 50)
        shown = hearth("show", "planning/canal-lock", "--answers")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("open_lower", shown.stdout)
        self.assertIn("right answer: reference", shown.stdout)
        unknown = hearth("show", "planning/none")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("hearth eval ls", unknown.stderr)

    def test_help_has_an_example(self):
        for verb in ("lint", "ls", "show"):
            self.assertIn(f"hearth eval {verb} ", hearth(verb, "--help").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
