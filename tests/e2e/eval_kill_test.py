"""hearth eval run and grade, killed at random moments: nothing is lost, nothing is there twice, and the study says what it
says when nobody kills it.

usage: eval_kill_test.py BIN_DIRECTORY [KILLS [SEED]]
"""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from scripted_services import FACTS, JUDGES, Service, arm, arms_file, score, write_suite

BIN = Path(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 15
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
RUN_SECONDS_MAX = 0.4     # of a run until it is killed
GRADE_SECONDS_MAX = 0.15  # of a grading, from when its page is there
TIMES = {"hours", "usd"}  # what a repetition may change

# Rows that name what they are of: what must be there once.
KEYS = {"generations": "key", "scores": "generation || item_digest || grader_version", "tasks": "id",
        "grades": "task || judge || repeat", "rounds": "round"}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    return [without_times(one) for one in value] if isinstance(value, list) else value


class Study:
    """One study in a folder of its own, with its services."""

    def __init__(self, judge_model):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-kill-")
        self.root = Path(self.folder.name)
        self.arms = Service({"known-70": arm(0.7), "known-70b": arm(0.7, " indeed")}, seed=3)
        self.judges = Service(dict(JUDGES), seed=4)
        write_suite(self.root / "suite", rubrics=6, finals=3)
        (self.root / "arms.toml").write_text(arms_file(self.arms.url, self.judges.url, judge_model=judge_model, generations=3))

    def close(self):
        self.arms.close()
        self.judges.close()
        self.folder.cleanup()

    def start(self, *arguments):
        return subprocess.Popen([BIN / "hearth", "eval", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=dict(os.environ, HEARTH_HOME=str(self.root)))

    def run(self):
        return self.start("run", self.root / "suite", "--arms", self.root / "arms.toml", "--study", self.root / "study")

    def finish(self, process, statuses=(0,)):
        out, errors = process.communicate(timeout=120)
        if process.returncode not in statuses:
            raise AssertionError(f"exit {process.returncode}: {out}{errors}")
        return out

    def decision(self):
        return without_times(json.loads(self.finish(self.start("decide", self.root / "study", "--json", "--keep"), (0, 1))))

    def records(self):
        """What is in the file, by table: key to row."""
        file = self.root / "study" / "study.db"
        out = {table: {} for table in KEYS}
        if not file.exists():
            return out
        database = sqlite3.connect(file, timeout=10)
        try:
            present = {name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, key in KEYS.items():
                if table not in present:  # killed before they were made
                    continue
                rows = database.execute(f"SELECT {key}, * FROM {table}").fetchall()
                out[table] = {row[0]: row[1:] for row in rows}
                if len(rows) != len(out[table]):
                    raise AssertionError(f"{table}: {len(rows)} rows of {len(out[table])} things")
        finally:
            database.close()
        return out


class Killed(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)

    def study(self, judge_model):
        study = Study(judge_model)
        self.addCleanup(study.close)
        return study

    def assert_kept(self, before, after):
        for table in KEYS:
            lost = before[table].keys() - after[table].keys()
            self.assertFalse(lost, f"{table}: lost {lost}")
            if table == "rounds":
                continue  # a round is opened: its row gets the map
            for key, row in before[table].items():
                self.assertEqual(after[table][key], row, table)

    def test_a_run(self):
        whole = self.study("judge-honest")
        whole.finish(whole.run())
        expected, counts = whole.decision(), {table: len(rows) for table, rows in whole.records().items()}
        kills = studies = 0
        while kills < KILLS:
            study, kills_here = self.study("judge-honest"), 0
            before = study.records()
            while True:
                process = study.run()
                try:
                    if kills + kills_here < KILLS:
                        process.wait(timeout=self.random.uniform(0, RUN_SECONDS_MAX))
                    study.finish(process)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
                    kills_here += 1
                after = study.records()
                self.assert_kept(before, after)
                before = after
            kills, studies = kills + kills_here, studies + 1
            after = study.records()
            self.assert_kept(before, after)
            self.assertEqual({table: len(rows) for table, rows in after.items()}, counts)
            self.assertEqual(study.decision(), expected)
            # What was under way is asked once more, nothing else is: of an arm one call; of a judge with two calls at a time two,
            # two answers that wait to be kept, and the one that is being kept.
            self.assertLessEqual(len(study.arms.requests), len(whole.arms.requests) + kills_here)
            self.assertLessEqual(len(study.judges.requests), len(whole.judges.requests) + 5 * kills_here)
            study.close()
        print(f"{kills} kills of {studies} runs: nothing lost, nothing double", flush=True)

    def grades(self, task):
        if task["question"] == "score":
            return {"criteria": [{"id": f"c{i}", "met": fact in task["texts"][0], "quote": ""} for i, fact in enumerate(FACTS)]}
        if task["question"] == "pair":
            return {"lead": round(10 * (score(task["texts"][0]) - score(task["texts"][1])))}
        return {"second_writer": 50}

    def grade(self, study, seconds=None):
        """Grades through the page until all is graded, or the page is killed. Returns what the page said is graded."""
        process = study.start("grade", study.root / "study", "--web")
        told, timer = set(), None
        line = process.stdout.readline()
        if line.startswith("ready"):
            url = line.split()[1]
            if seconds is not None:
                timer = threading.Timer(seconds, process.kill)
                timer.start()
            try:
                place = json.load(urllib.request.urlopen(url + "next", timeout=30))
                while place["id"] is not None:
                    body = json.dumps(self.grades(place["task"])).encode()
                    answer = urllib.request.urlopen(f"{url}grades/{place['id']}", body, timeout=30)
                    graded = place["id"]
                    place = json.load(answer)
                    told.add(graded)
            except OSError:
                pass  # killed
            except ValueError:
                pass  # killed within an answer
        killed = False
        if timer:
            timer.join()
        process.communicate(timeout=60)
        killed = process.returncode == -signal.SIGKILL
        self.assertIn(process.returncode, (0, -signal.SIGKILL))
        return told, killed

    def test_a_grading(self):
        whole = self.study("person")
        whole.finish(whole.run())
        self.grade(whole)
        whole.finish(whole.run(), (0, 1))
        expected = whole.decision()
        kills = studies = 0
        while kills < KILLS:
            study, told = self.study("person"), set()
            study.finish(study.run())
            tasks = len(study.records()["tasks"])
            while len(study.records()["grades"]) < tasks:
                before = study.records()
                spare = kills >= KILLS
                said, killed = self.grade(study, None if spare else self.random.uniform(0, GRADE_SECONDS_MAX))
                kills += killed
                told |= said
                after = study.records()
                self.assert_kept(before, after)
                graded = {row[1] for row in after["grades"].values()}  # sequence, task, ...
                self.assertFalse(told - graded, "told as graded, and lost")
                self.assertLessEqual(len(after["grades"]) - len(before["grades"]), len(said) + killed)
            studies += 1
            study.finish(study.run(), (0, 1))
            self.assertEqual(study.decision(), expected)
            study.close()
        print(f"{kills} kills of {studies} gradings: nothing lost, nothing double", flush=True)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
