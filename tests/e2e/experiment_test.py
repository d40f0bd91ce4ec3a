"""hearth experiment from outside: five phases on this machine, a closed gate, kill -9 in each phase.

usage: experiment_test.py BIN_DIRECTORY SOURCE_DIRECTORY
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from jumping_clock import compiler, jumping

BIN = Path(sys.argv[1]).resolve()
SOURCE = Path(sys.argv[2]).resolve()
PHASES = ["research", "sweep", "baseline", "full", "quality"]
STEPS = {"research": "model", "sweep": "check", "baseline": "alone", "full": "split", "quality": "divergence"}
BENCH_REPEATS = 120  # of write_one_bench(): long enough to be interrupted


class Experiment(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="hearth-experiment-")
        self.addCleanup(self.root.cleanup)
        self.work = Path(self.root.name)
        # Shorter than the original, and otherwise the same.
        text = (SOURCE / "experiment.local.toml").read_text()
        for old, new in (('"--repeats", "6"', '"--repeats", "2", "--threads", "1"'), ("256,1024", "128,384"),
                         ("prompt_tokens=1024", "prompt_tokens=384"), ('"--chunk-tokens", "256"', '"--chunk-tokens", "128"'),
                         ('"--runs", "40"', '"--runs", "20"')):
            self.assertIn(old, text)
            text = text.replace(old, new)
        text = text.replace("prompt=1024", "prompt=384")
        (self.work / "experiment.local.pair.toml").write_text((SOURCE / "experiment.local.pair.toml").read_text())
        self.file = self.work / "local.toml"
        self.file.write_text(text)
        (self.work / "docs").mkdir()
        (self.work / "docs/experiment.md").write_text((SOURCE / "docs/experiment.md").read_text()[:3000])
        self.results = self.work / "local.results"

    def environment(self):
        return dict(os.environ, HEARTH_HOME=str(self.work / "home"), OMP_WAIT_POLICY="passive")

    def hearth(self, *arguments, status=0):
        done = subprocess.run([BIN / "hearth", "experiment", *map(str, arguments)], env=self.environment(), cwd=self.work,
                              capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def events(self):
        ledger = self.results / "ledger.jsonl"
        return [json.loads(line) for line in ledger.read_text().splitlines() if line.endswith("}")] if ledger.exists() else []

    def result_of(self, step):
        attempt = next(event["attempt"] for event in self.events() if event["event"] == "step_ended" and event["step"] == step and event["accepted"])
        return json.loads((self.results / "evidence" / step / str(attempt) / "output.json").read_text())

    def began(self, step):
        return any(event["event"] == "step_began" and event["step"] == step for event in self.events())

    def test_five_phases_killed_in_each_and_no_finished_measurement_repeated(self):
        for phase in PHASES:
            child = subprocess.Popen([BIN / "hearth", "experiment", "run", self.file], env=self.environment(), cwd=self.work,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 240
            while time.monotonic() < end and child.poll() is None and not self.began(STEPS[phase]):
                time.sleep(0.02)
            if phase == "baseline":  # others may look meanwhile
                steps = json.loads(self.hearth("status", self.file, "--json").stdout)["phases"][2]["steps"]
                self.assertEqual(steps[0]["why"], "is running")
            child.send_signal(signal.SIGKILL)
            child.wait()
        self.hearth("resume", self.file)
        ended = [event["step"] for event in self.events() if event["event"] == "step_ended" and event["accepted"]]
        self.assertEqual(sorted(ended), sorted(set(ended)), "a step that had a result was run again")
        status = json.loads(self.hearth("status", self.file, "--json").stdout)
        self.assertEqual([phase["name"] for phase in status["phases"]], PHASES)
        for phase in status["phases"]:
            self.assertEqual((phase["state"], phase["gate"]["open"]), ("passed", True), phase)
        self.assertNotIn("not established", [prediction["outcome"] for prediction in status["predictions"]], status["predictions"])

        # What the plan recorded in the first phase was tested by what the fourth measured, whichever way that went.
        stated = self.result_of("plan-split")["predictions"][0]
        self.assertEqual((stated["metric"], stated["direction"]), ("ttft_s", "higher"))
        self.assertGreater(stated["planner"]["before"], 0)
        self.assertGreater(stated["planner"]["after"], 0)
        first = {row["target"]: row["ttft_ms"] for row in self.result_of("split")["rows"] if row["prompt_tokens"] == 384}
        tested = next(prediction for prediction in status["predictions"] if prediction["name"] == "slower")
        self.assertEqual(tested["statement"], stated["text"])
        self.assertEqual(tested["outcome"], "right" if first["split"] / first["alone"] - 1 >= 0.02 else "wrong", (first, tested))
        self.assertIn("The planner expected", tested["why"])

        page = (self.results / "report.html").read_text()
        self.assertIn(stated["text"], page)
        self.assertIn("The planner expected", page)
        self.assertIn("<svg", page)
        self.assertIn("Faster or slower?", page)
        self.assertIn("The plan was off by", page)
        for anchor in re.findall(r'href="#([^"]+)"', page):
            self.assertIn(f'id="{anchor}"', page)
        self.assertIn("Every gate was open", (self.results / "report.md").read_text())

        # What was predicted stays as it was.
        self.file.write_text(self.file.read_text().replace("At least half", "Half"))
        self.assertIn("predictions of phase 'full'", self.hearth("run", self.file, status=2).stderr)

    def samples(self, run):
        """What was measured in that run so far, in order: (row, sample)."""
        file = self.results / "bench.db"
        if not file.exists():
            return []
        database = sqlite3.connect(file, timeout=10)
        try:
            return database.execute("SELECT id, sample FROM samples WHERE run = ? ORDER BY id", (run,)).fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []
        finally:
            database.close()

    def samples_when_still(self, run):
        """After a kill the step itself may write one sample more before it sees that it is alone."""
        while True:
            before = self.samples(run)
            time.sleep(1)
            if self.samples(run) == before:
                return before

    def write_one_bench(self, model):
        """One phase: a model is made at that place, then measured in so many repeats."""
        arguments = ["-t", "worker=$model", "--prompt-tokens", "300", "--repeats", str(BENCH_REPEATS), "--warm-ups", "0", "--answer-tokens", "8",
                     "--context", "4096", "--chunk-tokens", "128", "--threads", "1", "--db", "$results/bench.db", "--name", "alone", "--resume"]
        self.file.write_text(f'''name = "local"
question = "?"
[variables]
model = "{model}"
[[phase]]
name = "only"
[[phase.step]]
name = "model"
verb = ["model", "synth"]
arguments = ["--arch", "kimi", "--size", "tiny", "--type", "q8_0", "-o", "$model"]
[[phase.step]]
name = "alone"
verb = ["bench"]
arguments = {json.dumps(arguments)}
''')

    def test_a_killed_bench_step_goes_on_with_what_it_measured(self):
        self.write_one_bench("$results/kimi-tiny.gguf")
        child = subprocess.Popen([BIN / "hearth", "experiment", "run", self.file], env=self.environment(), cwd=self.work,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 240
        while time.monotonic() < end and child.poll() is None and len(self.samples(1)) < 3:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kept = self.samples_when_still(1)
        self.assertTrue(3 <= len(kept) < BENCH_REPEATS, f"{len(kept)} samples were there at the kill")
        self.assertFalse([event for event in self.events() if event["event"] == "step_ended" and event["step"] == "alone"])

        self.hearth("resume", self.file)
        self.assertEqual(self.samples(2), [], "it began a run of its own")
        whole = self.samples(1)
        self.assertEqual(whole[:len(kept)], kept, "what was measured before the kill is kept")
        self.assertEqual(sorted(json.loads(sample)["repeat"] for _, sample in whole), list(range(BENCH_REPEATS)))
        result = json.loads((self.results / "evidence/alone/2/output.json").read_text())
        self.assertEqual((result["run"], result["state"], result["rows"][0]["samples"]), (1, "done", BENCH_REPEATS))

        # A run that is done is no half measurement: measured again, all of it is.
        self.hearth("run", self.file, "--again", "alone")
        self.assertEqual(len(self.samples(2)), BENCH_REPEATS)
        self.assertEqual(self.samples(1), whole)

    def full_then_freed(self, taken_bytes):
        """Runs the file with its results on a disk of 8 MiB of which so much is taken, frees that, and resumes. The two exit
        codes and what the first said; the results after each are copied to before/ and after/."""
        disk = self.work / "disk"
        disk.mkdir()
        inside = ["unshare", "--user", "--map-root-user", "--mount"]
        if subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], capture_output=True).returncode != 0:
            self.skipTest("no mounts in a namespace here")
        script = '''mount -t tmpfs -o size=8m none disk && head -c "$2" /dev/zero > disk/taken || exit 77
"$0" experiment run "$1" --dir disk/results 2> first.log; echo "exit $?"
rm disk/taken && cp -r disk/results before
"$0" experiment resume "$1" --dir disk/results 2> second.log; echo "exit $?"
cp -r disk/results after'''
        done = subprocess.run([*inside, "sh", "-c", script, BIN / "hearth", self.file, str(taken_bytes)], env=self.environment(), cwd=self.work,
                              capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [int(code) for code in re.findall(r"^exit (\d+)$", done.stdout, re.M)], (self.work / "first.log").read_text()

    def accepted(self):
        return [event["step"] for event in self.events() if event["event"] == "step_ended" and event["accepted"]]

    @unittest.skipUnless(sys.platform == "linux", "no mounts in a namespace here")
    def test_evidence_that_finds_no_room_stops_it_until_there_is_some(self):
        self.file.write_text('''name = "local"
question = "?"
[[phase]]
name = "only"
[[phase.step]]
name = "first"
command = ["sh", "-c", "echo x >> first.count; echo '{}'"]
[[phase.step]]
name = "large"
command = ["sh", "-c", "echo x >> large.count; head -c 1200000 /dev/zero | tr '\\\\0' y"]
''')
        codes, told = self.full_then_freed(7_500_000)
        self.assertEqual(codes, [3, 0], told)
        self.assertIn("evidence/large/1/output.json: No space left on device", told)
        self.results = self.work / "before"
        self.assertEqual(self.accepted(), ["first"])
        self.results = self.work / "after"
        self.assertEqual(self.accepted(), ["first", "large"])
        self.assertEqual((self.work / "first.count").read_text(), "x\n", "what had a result was run again")
        self.assertEqual((self.results / "evidence/large/2/output.json").stat().st_size, 1_200_000)
        self.assertIn("Every gate was open", (self.results / "report.md").read_text())

    @unittest.skipUnless(sys.platform == "linux", "no mounts in a namespace here")
    def test_a_database_that_finds_no_room_stops_it_and_keeps_its_samples(self):
        self.write_one_bench("kimi-tiny.gguf")
        codes, told = self.full_then_freed(8_080_000)  # some 300 kB are left; each sample takes a page of the database's log
        self.assertEqual(codes, [3, 0], told)
        self.assertIn("disk/results/", told)
        self.assertRegex(told, "is full|No space left on device")
        self.results = self.work / "before"
        self.assertEqual(self.accepted(), ["model"])
        kept = self.samples(1)
        self.assertTrue(1 <= len(kept) < BENCH_REPEATS, f"{len(kept)} samples were there when the disk was full")
        self.results = self.work / "after"
        self.assertEqual(self.accepted(), ["model", "alone"])
        self.assertEqual(self.samples(2), [], "it began a run of its own")
        whole = self.samples(1)
        self.assertEqual(whole[:len(kept)], kept, "what was measured before is kept")
        self.assertEqual(sorted(json.loads(sample)["repeat"] for _, sample in whole), list(range(BENCH_REPEATS)))

    def test_a_closed_gate_stops_it_and_says_why_until_it_is_opened(self):
        closed = self.file.read_text().replace("model.file_bytes > 1000000", "model.file_bytes > 1e15")
        # One phase more is enough to see that it goes on.
        self.file.write_text(closed[:closed.index('[[phase]]\nname = "baseline"')])
        done = self.hearth("run", self.file, status=1)
        self.assertIn("which is not > 1000000000000000", done.stdout)
        status = json.loads(self.hearth("status", self.file, "--json").stdout)
        self.assertEqual([phase["state"] for phase in status["phases"]], ["closed", "waiting"])
        self.assertIn("There is nothing to measure", (self.results / "report.md").read_text())
        self.hearth("open", self.file, "--phase", "research", "--because", "it is known to be enough")
        self.hearth("run", self.file)
        self.assertIn("opened by hand: it is known to be enough", (self.results / "report.md").read_text())

    def test_an_experiment_that_ends_at_its_gate(self):
        file = self.work / "experiment.closed.toml"
        file.write_text((SOURCE / "experiment.closed.toml").read_text())
        self.hearth("run", file, status=1)
        phases = json.loads(self.hearth("status", file, "--json").stdout)["phases"]
        self.assertEqual([phase["state"] for phase in phases], ["closed", "waiting"])
        self.assertIn("Do not buy the cable.", (self.work / "experiment.closed.results/report.md").read_text())

    @unittest.skipUnless(sys.platform == "linux" and compiler(), "no way to bend a clock here")
    def test_a_wall_clock_that_jumps_decides_nothing(self):
        self.file.write_text("".join(f'[[phase]]\nname = "{name}"\n[[phase.step]]\nname = "step-{name}"\ncommand = ["sleep", "0.2"]\n' for name in "ab"))
        self.file.write_text('name = "local"\nquestion = "?"\n' + self.file.read_text())
        for _ in range(2):  # the second time there is nothing left to do
            done = subprocess.run([BIN / "hearth", "experiment", "run", self.file, "--json"], env=jumping(self.environment(), self.work), cwd=self.work,
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        dates = [event["time"] for event in self.events()]
        self.assertNotEqual(dates, sorted(dates))  # it does jump
        ended = [event for event in self.events() if event["event"] == "step_ended"]
        self.assertEqual([event["step"] for event in ended], ["step-a", "step-b"])
        for event in ended:
            self.assertTrue(0.2 <= event["seconds"] < 30, event)

    def test_faults_of_the_file_name_the_line(self):
        self.file.write_text("name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\nstep = 3\n")
        self.assertIn("local.toml:5", self.hearth("run", self.file, status=2).stderr)
        self.hearth("status", "none.toml", status=2)

    def test_the_example_is_read(self):
        (self.work / "experiment.example.toml").write_text((SOURCE / "experiment.example.toml").read_text())
        status = json.loads(self.hearth("status", "experiment.example.toml", "--json").stdout)
        self.assertEqual([phase["name"] for phase in status["phases"]], ["research", "sweep", "apple", "full", "quality"])

    def test_what_the_example_tests_is_what_its_plan_records(self):
        example = (SOURCE / "experiment.example.toml").read_text()
        self.file.write_text(example[:example.index('[[phase]]\nname = "sweep"')])  # nothing but plans
        (self.work / "experiment.example.macs.toml").write_text((SOURCE / "experiment.example.macs.toml").read_text())
        done = subprocess.run([BIN / "hearth", "experiment", "run", self.file], env=self.environment(), cwd=self.work,
                              capture_output=True, text=True, timeout=300)
        self.assertIn(done.returncode, (0, 1), done.stderr)  # the gate is not what is tested here
        recorded = self.result_of("plan-q8")["predictions"]
        self.assertEqual([(one["metric"], one["direction"], one["machines"]) for one in recorded],
                         [("decode_tok_s", "lower", ["spark-1", "spark-2"]), ("ttft_s", "lower", ["spark-1", "spark-2"])])
        for place, one in enumerate(recorded):
            self.assertIn(f'statement = "{one["text"]}"\nrecorded = "plan-q8.predictions[{place}]"\n', example)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
