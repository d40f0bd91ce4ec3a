"""Whole studies from outside: the real program, arms and judges over HTTP. Usage: eval_study_test.py BIN_DIR"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from scripted_services import JUDGES, Service, arm, arms_file, judge, write_suite

BIN = Path(sys.argv[1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Study(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-study-")
        self.root = Path(self.folder.name)
        self.suite = self.root / "suite"
        write_suite(self.suite)
        self.arms = Service({"known-70": arm(0.7), "known-70b": arm(0.7, " indeed"), "known-45": arm(0.45, can_add=False)}, seed=3)
        self.judges = Service(dict(JUDGES), seed=4)

    def tearDown(self):
        self.arms.close()
        self.judges.close()
        self.folder.cleanup()

    def command(self, *arguments):
        return [str(BIN / "hearth"), "eval", *map(str, arguments)]

    def hearth(self, *arguments, status=0, **more):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, HEARTH_HOME=str(self.root)), **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def write_arms(self, **more):
        path = self.root / "arms.toml"
        path.write_text(arms_file(self.arms.url, self.judges.url, **more))
        return path

    def run_study(self, status=0, study="study", **more):
        return self.hearth("run", self.suite, "--arms", self.write_arms(**more), "--study", self.root / study, status=status)

    def decide(self, status=0, study="study"):
        return json.loads(self.hearth("decide", self.root / study, "--json", status=status).stdout)

    def wrong(self, decision):
        return [one["name"] for one in decision["controls"] if not one["passed"]]

    def test_a_tie_is_decided_reported_and_handed_over(self):
        self.run_study()
        decision = self.decide()
        self.assertEqual(self.wrong(decision), [])
        self.assertEqual(decision["pick"], "small", decision["sentence"])
        self.assertFalse(decision["void"])
        one = decision["comparisons"][0]
        self.assertEqual((one["a"], one["b"], one["verdict"]), ("small", "large", "non-inferior"))
        self.assertLessEqual(one["ci95"][0], one["difference"])
        self.assertTrue((self.root / "verdicts.db").exists())
        page = Path(self.hearth("report", self.root / "study").stdout.strip()).read_text()
        self.assertIn("<h1>Run small</h1>", page)
        self.assertNotIn("http://", page.replace(self.arms.url, ""))
        # Nothing that names an arm or a model reached the judge; no sum did either.
        for request in self.judges.requests:
            sent = json.dumps(request["messages"])
            for word in ("known-70", "large", "small", "As Kimi", "quant", "together? End"):
                self.assertFalse(word in sent, word)

    def test_a_worse_arm_is_found(self):
        self.run_study(models=("known-70", "known-45"))
        decision = self.decide()
        self.assertEqual(decision["comparisons"][0]["verdict"], "inferior")
        self.assertEqual(decision["pick"], "large")

    def test_biased_judges_are_caught(self):
        for name, control in (("position", "order"), ("verbosity", "padded"), ("family", "second_judge"), ("leak", "guess_arm"),
                              ("obedient", "injected"), ("blind", "damaged")):
            self.run_study(status=1, study=name, judge_model=f"judge-{name}", second="judge-second", generations=2)
            decision = self.decide(status=1, study=name)
            self.assertTrue(decision["void"])
            self.assertIsNone(decision["pick"])
            self.assertIn(control, self.wrong(decision), name)

    def test_killed_at_any_moment_nothing_is_lost_and_nothing_double(self):
        arms = self.write_arms(generations=3)
        kills = 0
        for after in (3, 17, 31, 64, 90, 140):
            process = subprocess.Popen(self.command("run", self.suite, "--arms", arms, "--study", self.root / "study"),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            enough = threading.Event()
            total = lambda: len(self.arms.requests) + len(self.judges.requests)
            begin = total()
            check = lambda _: enough.set() if total() - begin >= after else None
            self.arms.on_request = self.judges.on_request = check
            while process.poll() is None and not enough.wait(0.02):
                pass
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
        self.arms.on_request = self.judges.on_request = None
        self.run_study(generations=3)
        self.assertGreaterEqual(kills, 4)
        decision = self.decide()
        generations = sum(one["generations"] for one in decision["arms"])
        self.assertEqual(generations, 2 * 16 * int(decision["comparisons"][0]["generations"]))
        # Each kill lost at most the one answer that was under way.
        self.assertLessEqual(len(self.arms.requests), generations + kills)
        seeds = [(request["model"], request["seed"]) for request in self.arms.requests]
        self.assertEqual(len(set(seeds)), generations)
        self.assertEqual(self.wrong(decision), [])

    def test_a_judge_that_chats_and_is_busy(self):
        self.judges.models["judge-busy"] = judge(no_grade=0.15, busy=0.05)
        self.run_study(judge_model="judge-busy", generations=2)
        decision = self.decide()
        self.assertEqual(self.wrong(decision), [])
        self.assertGreater(decision["judges"][0]["grades"], 100)

    def test_the_cap_stops_and_a_higher_one_goes_on(self):
        prices = "prices = { prompt = 1, answer = 1 }\n"
        done = self.run_study(status=3, prices=prices, judge_lines="money_max = 0.011\n")
        self.assertIn("judge judge: its cap of 0.011 dollars", done.stderr)
        self.assertFalse(self.decide(status=1)["final"])
        self.run_study(prices=prices, judge_lines="money_max = 9\n")
        self.assertTrue(self.decide()["final"])

    def test_an_arm_that_costs_money_has_a_cap_of_its_own(self):
        prices = "prices = { answer = 10 }\n"
        done = self.run_study(status=2, generations=2, arm_prices=prices)
        self.assertIn("this arm has a price", done.stderr)
        done = self.run_study(status=3, generations=2, arm_prices=prices, arm_lines="money_max = 0.008\n")
        self.assertIn("arm large: its cap of 0.008 dollars", done.stderr)
        first = self.decide(status=1)["arms"][0]
        self.assertGreater(first["generations"], 0)
        self.assertLessEqual(first["usd"], 0.008)
        self.run_study(generations=2, arm_prices=prices, arm_lines="money_max = 1\n")
        self.assertEqual(self.decide()["arms"][0]["generations"], 32)

    def test_two_runs_do_not_work_on_one_study(self):
        wait, inside = threading.Event(), threading.Event()
        self.arms.on_request = lambda _: (inside.set(), wait.wait(30))
        arms = self.write_arms(generations=2)
        command = self.command("run", self.suite, "--arms", arms, "--study", self.root / "study")
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(inside.wait(30))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        wait.set()
        self.assertEqual(done.returncode, 3)
        self.assertIn("another hearth works on", done.stderr)
        self.assertEqual(first.wait(timeout=60), 0)
        self.assertEqual(len(self.arms.requests), 64)

    def test_a_kl_result_counts_for_the_models_that_it_is_of(self):
        arms = self.write_arms(generations=8)
        text = arms.read_text().replace("[study]\n", "[study]\ndivergence_decides = true\n")
        for name in ("large", "small"):
            text = text.replace(f'"{name}-quant"\n', f'"{name}-quant"\nmodel_digest = "digest of {name}"\n')
        arms.write_text(text)
        self.hearth("run", self.suite, "--arms", arms, "--study", self.root / "study", "-k", 2)

        def result(base, candidate):
            mark = lambda name: {"name": f"{name}.gguf", "weights": f"digest of {name}", "tokenizer": "", "engine": ""}
            path = self.root / f"{base}-{candidate}.json"
            path.write_text(json.dumps({"verdict": "equivalent-by-measurement", "base": mark(base), "candidate": mark(candidate)}))
            return path

        decide = lambda flag: json.loads(subprocess.run(
            self.command("decide", self.root / "study", "--json", "--keep", "--divergence", flag), capture_output=True, text=True).stdout)
        found = decide(f"small={result('large', 'small')}")
        self.assertEqual(found["comparisons"][0]["verdict"], "equivalent-by-divergence")
        self.assertEqual(found["ignored"], [])
        for base, candidate in (("small", "large"), ("other", "small"), ("large", "other")):
            wrong = result(base, candidate)
            found = decide(f"small={wrong}")
            self.assertNotEqual(found["comparisons"][0]["verdict"], "equivalent-by-divergence")
            self.assertIn("does not belong to this study", found["ignored"][0])
        page = self.hearth("report", self.root / "study", "--divergence", f"small={wrong}").stdout.strip()
        self.assertIn("does not belong to this study", Path(page).read_text())
        self.assertIn("the largest", self.hearth("decide", self.root / "study", "--divergence", f"large={wrong}", status=2).stderr)

    def test_mistakes_are_usage(self):
        done = self.run_study(status=2, margin=0)
        self.assertIn("arms.toml:1: study: margin", done.stderr)
        self.assertFalse((self.root / "study").exists())
        self.assertEqual(self.arms.requests, [])
        self.hearth("decide", self.root / "nothing", status=2)
        self.run_study(generations=2)
        done = self.run_study(status=2, generations=2, margin=30)
        self.assertIn("registered", done.stderr)

    def test_an_arm_that_is_not_there(self):
        arms = self.root / "arms.toml"
        arms.write_text(arms_file("http://127.0.0.1:1", self.judges.url))
        done = subprocess.run(self.command("run", self.suite, "--arms", arms, "--study", self.root / "study", "--tries", 1),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("arm large", done.stderr)

    def test_arms_that_do_not_fit_together_are_started_one_after_another(self):
        ports, script = [free_port(), free_port()], Path(__file__).with_name("scripted_services.py")
        text = arms_file("ARMS", self.judges.url, generations=2)
        for port in ports:
            text = text.replace("ARMS", f"http://127.0.0.1:{port}", 1)
        for name, port in zip(("large", "small"), ports):
            start = json.dumps([sys.executable, str(script), str(port), str(self.root / "running")])
            text = text.replace(f'quantisation = "{name}-quant"', f'quantisation = "{name}-quant"\nstart = {start}')
        (self.root / "arms.toml").write_text(text)
        self.hearth("run", self.suite, "--arms", self.root / "arms.toml", "--study", self.root / "study")
        self.assertEqual(self.decide()["arms"][1]["generations"], 32)
        self.assertFalse((self.root / "running").exists())

    def test_a_judge_outside_the_house_sees_what_may_go_there_and_only_by_way_of_egress(self):
        for i in range(3):
            item = self.suite / f"letter-{i:02}"
            (item / "item.toml").write_text((item / "item.toml").read_text().replace('egress = "judge"', 'egress = "deny"'))
            (item / "prompt.md").write_text(f"CANARY: say what is known of matter {i}.\n")
        arms = self.write_arms(generations=2)
        text = arms.read_text()
        at = text.index('name = "judge"')
        arms.write_text(text[:at] + text[at:].replace('reach = "cluster"', 'reach = "remote"\nkey_variable = "JUDGE_KEY"', 1))
        run = ("run", self.suite, "--arms", arms, "--study", self.root / "study", "--tries", 1)
        done = self.hearth(*run, status=3)
        self.assertIn("hearth egress", done.stderr)  # it is not there, and nothing else reaches the judge
        self.assertEqual(self.judges.requests, [])
        config = self.root / "hearth.toml"
        config.write_text(f'[[upstream]]\nname = "judge"\nkind = "openai"\nurl = "{self.judges.url}"\nreach = "remote"\nkey_variable = "JUDGE_KEY"\n')
        egress = subprocess.Popen([BIN / "hearth", "egress", "--config", config], stdout=subprocess.PIPE, text=True,
                                  env=dict(os.environ, HEARTH_HOME=str(self.root), JUDGE_KEY="secret"))
        try:
            self.assertTrue(egress.stdout.readline().startswith("ready"))
            self.hearth(*run)
        finally:
            egress.terminate()
            egress.wait(timeout=30)
            egress.stdout.close()
        decision = self.decide()
        self.assertEqual(self.wrong(decision), [])
        self.assertEqual(len(decision["left_out"]), 3)
        self.assertGreater(len(self.judges.requests), 100)
        for request in self.judges.requests:
            self.assertFalse("CANARY" in json.dumps(request))

    def test_what_must_not_leave_the_house_is_kept_in_the_vault_or_not_at_all(self):
        for i in range(3):
            item = self.suite / f"letter-{i:02}" / "item.toml"
            item.write_text(item.read_text().replace('egress = "judge"', 'egress = "deny"'))
        arms = self.write_arms(generations=2)
        run = ("run", self.suite, "--arms", arms, "--study", self.root / "study")
        home = dict(os.environ, HEARTH_HOME=str(self.root))
        refused = subprocess.run(self.command(*run), capture_output=True, text=True, timeout=60, env=home)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("3 items must not leave the house", refused.stderr)
        self.assertIn("hearth vault unlock", refused.stderr)
        self.assertEqual(self.arms.requests + self.judges.requests, [])
        (self.root / "passphrase").write_text("correct horse battery")
        vault = lambda *words: subprocess.run([BIN / "hearth", "vault", *words], env=home, capture_output=True, text=True, check=True, timeout=60)
        ask = ("--passphrase-command", f"/bin/cat {self.root / 'passphrase'}")
        vault("init", *ask)
        vault("unlock", *ask)
        try:
            done = subprocess.run(self.command(*run), capture_output=True, text=True, timeout=300, env=home)
            self.assertEqual(done.returncode, 0, done.stderr)
        finally:
            vault("lock")
        locked = subprocess.run(self.command("decide", self.root / "study", "--keep"), capture_output=True, text=True, timeout=60, env=home)
        self.assertEqual(locked.returncode, 3, locked.stdout)
        self.assertIn("hearth vault unlock", locked.stderr)

    def test_a_person_grades_in_the_terminal(self):
        self.run_study(judge_model="person", generations=2)
        # Whatever is asked first: criteria take y and n, pairs and guesses a number.
        keys = "".join("y\n5\n" for _ in range(400))
        done = self.hearth("grade", self.root / "study", status=130, input=keys)
        self.assertTrue("What was asked:" in done.stdout and "graded =====" in done.stdout)
        for word in ("large", "small", "Kimi", "known-70"):
            self.assertFalse(word in done.stdout, word)
        graded = int(re.findall(r"Stopped at (\d+) of", done.stdout)[0])
        self.assertGreater(graded, 10)
        again = self.hearth("grade", self.root / "study", status=130, input="")
        self.assertTrue(f"===== {graded} of" in again.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[2:]])
