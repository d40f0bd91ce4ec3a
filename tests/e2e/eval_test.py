"""Planning and simulating studies from outside. Usage: eval_test.py BIN_DIR"""

import json
import os
import subprocess
import sys
import unittest

BIN = sys.argv[1]


def hearth(*arguments):
    return subprocess.run([os.path.join(BIN, "hearth"), "eval", *map(str, arguments)], timeout=120, capture_output=True, text=True)


class Eval(unittest.TestCase):
    def test_plan_for_programs_and_for_people(self):
        done = hearth("plan", "--margin", 3, "--prompts", 50, "--arms", 3, "--input-price", 5, "--output-price", 25, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        plan = json.loads(done.stdout)
        self.assertTrue(plan["reachable"])
        self.assertGreaterEqual(plan["power"], 0.8)
        self.assertGreater(plan["hours"], plan["hours_expected"])
        self.assertGreater(plan["money"], 0)
        text = hearth("plan", "--prompts", 50)
        self.assertIn(f"{plan['generations']} generations of each of 50 prompts", text.stdout)

    def test_plan_that_no_number_of_generations_reaches(self):
        done = hearth("plan", "--pair", "other", "--prompts", 20)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("prompts", done.stdout)

    def test_numbers_out_of_range_are_usage(self):
        for flags in (["--prompts", 3], ["--margin", 0], ["--pair", "alike"], ["--power", 100]):
            done = hearth("plan", *flags)
            self.assertEqual(done.returncode, 2, flags)
            self.assertTrue(done.stderr)
        self.assertEqual(hearth("simulate", "--runs", 0).returncode, 2)

    def test_simulation_for_programs(self):
        done = hearth("simulate", "--runs", 40, "--seed", 1, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = json.loads(done.stdout)
        self.assertGreater(found["coverage"], 0.85)
        self.assertLess(found["type1"], 0.15)
        self.assertGreater(found["power"], 0.7)
        self.assertEqual([judge["judge"] for judge in found["judges"]],
                         ["honest", "position", "verbosity", "self-preference", "leak", "obedient", "indifferent"])

    def test_help_has_an_example(self):
        self.assertIn("hearth eval simulate --runs 1000", hearth("simulate", "--help").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
