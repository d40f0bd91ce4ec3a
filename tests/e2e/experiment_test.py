"""hearth experiment from outside: five phases on this machine, a closed gate, kill -9 in each phase.

usage: experiment_test.py BIN_DIRECTORY SOURCE_DIRECTORY
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(sys.argv[1]).resolve()
SOURCE = Path(sys.argv[2]).resolve()
PHASES = ("research", "sweep", "baseline", "full", "quality")


class Experiment(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="hearth-experiment-")
        self.work = Path(self.root.name)
        # Shorter than the original, and otherwise the same.
        text = (SOURCE / "experiment.local.toml").read_text()
        text = text.replace('"--repeats", "6"', '"--repeats", "2", "--threads", "1"').replace("256,1024", "128,384").replace("prompt_tokens=1024", "prompt_tokens=384")
        text = text.replace('"--chunk-tokens", "256"', '"--chunk-tokens", "128"').replace('"--runs", "40"', '"--runs", "20"')
        self.design = self.work / "local.toml"
        self.design.write_text(text)
        self.evidence = self.work / "local.evidence"

    def tearDown(self):
        self.root.cleanup()

    def environment(self):
        return dict(os.environ, HEARTH_HOME=str(self.work / "home"), OMP_WAIT_POLICY="passive")

    def hearth(self, *arguments, status=0):
        done = subprocess.run([BIN / "hearth", "experiment", *map(str, arguments)], env=self.environment(), cwd=self.work, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def events(self):
        journal = self.evidence / "journal.ndjson"
        return [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")] if journal.exists() else []

    def test_five_phases_killed_in_each_and_no_finished_measurement_repeated(self):
        for phase in PHASES:
            child = subprocess.Popen([BIN / "hearth", "experiment", "run", self.design], env=self.environment(), cwd=self.work,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 120
            while time.monotonic() < end and child.poll() is None:
                if any(event["event"] == "step_started" and event["phase"] == phase for event in self.events()):
                    child.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.02)
            child.wait()
        self.hearth("resume", self.design)
        ended = [event["step"] for event in self.events() if event["event"] == "step_ended"]
        self.assertEqual(sorted(ended), sorted(set(ended)), "a step that had ended was run again")
        status = json.loads(self.hearth("status", self.design, "--json").stdout)
        self.assertTrue(status["done"])
        self.assertEqual([phase["name"] for phase in status["phases"]], list(PHASES))
        self.assertTrue(all(phase["state"] == "done" and phase["gate"]["open"] for phase in status["phases"]))
        bench = json.loads((self.evidence / "full/bench-split/result.json").read_text())
        self.assertTrue(all(row["samples"] == 2 for row in bench["rows"]), "a sample was measured twice")
        self.assertNotEqual(status["decision"], "")
        page = (self.evidence / "report.html").read_text()
        for wanted in ("What was predicted", "Prefill and decode by topology", "What was not established", "<svg"):
            self.assertIn(wanted, page)
        for link in re.findall(r'href="([^"]+)"', page):
            self.assertTrue((self.evidence / link).exists(), link)

        # What was predicted stays as it was.
        self.design.write_text(self.design.read_text().replace("not faster", "and not faster"))
        self.assertIn("predictions were changed", self.hearth("run", self.design, status=2).stderr)

    def test_a_closed_gate_stops_it_and_says_why(self):
        closed = self.design.read_text().replace('open_if = "model:file_bytes > 1000000"', 'open_if = "model:file_bytes > 1e15"')
        self.design.write_text(closed)
        done = self.hearth("run", self.design, status=1)
        self.assertIn("there is a model to measure", done.stdout)
        status = json.loads(self.hearth("status", self.design, "--json").stdout)
        self.assertEqual([phase["state"] for phase in status["phases"]], ["closed", "waiting", "waiting", "waiting", "waiting"])
        self.assertFalse(status["phases"][0]["gate"]["open"])
        self.assertIn("does not hold", status["stopped_by"])
        self.assertIn("Not reached", (self.evidence / "report.md").read_text())

    def test_faults_of_the_file_name_the_line(self):
        self.design.write_text("name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\nstep = 3\n")
        self.assertIn("local.toml:5", self.hearth("run", self.design, status=2).stderr)
        self.hearth("status", "none.toml", status=2)
        self.assertIn("hearth experiment run", self.hearth("run", "--help").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
