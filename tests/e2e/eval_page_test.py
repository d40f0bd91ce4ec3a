"""The grading page in a real browser, with the keyboard alone. Usage: eval_page_test.py BIN_DIR

Skipped where Chromium is not installed."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from chromium import Browser, find_chromium
from scripted_services import FACTS, Service, arm, arms_file, write_suite

BIN = Path(sys.argv[1])


@unittest.skipUnless(find_chromium(), "no chromium here")
class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-page-")
        self.root = Path(self.folder.name)
        write_suite(self.root / "suite", rubrics=2, finals=0)
        self.arms = Service({"known-70": arm(0.8), "known-70b": arm(0.6)}, seed=3)
        (self.root / "arms.toml").write_text(arms_file(self.arms.url, "", judge_model="person", generations=2))
        self.environment = dict(os.environ, HEARTH_HOME=str(self.root))

    def tearDown(self):
        self.arms.close()
        self.folder.cleanup()

    def hearth(self, *arguments):
        return [str(BIN / "hearth"), "eval", *map(str, arguments)]

    def run_study(self):
        done = subprocess.run(self.hearth("run", self.root / "suite", "--arms", self.root / "arms.toml", "--study", self.root / "study"),
                              env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    # As a careful person would: what the text says decides.
    def grade_one(self, browser):
        kind = browser.evaluate("state.task.question")
        before = browser.evaluate("document.getElementById('place').textContent")
        text = browser.evaluate("state.task.texts[0]")
        if kind == "score":
            for fact in FACTS:
                browser.press("y" if fact in text else "n")
            browser.press("ArrowUp")
        elif kind == "pair":
            browser.press("ArrowRight")
            browser.press("ArrowLeft")
        else:
            browser.press("0")
        browser.press("Enter")
        browser.wait_for(f"document.getElementById('place').textContent !== {json.dumps(before)}")
        return kind

    def test_a_whole_round_with_the_keyboard(self):
        self.assertIn("A person grades now", self.run_study())
        server = subprocess.Popen(self.hearth("grade", self.root / "study", "--web"), env=self.environment, stdout=subprocess.PIPE, text=True)
        browser = Browser()
        try:
            url = re.match(r"ready (http://127\.0\.0\.1:\d+/\w+/)", server.stdout.readline()).group(1)
            with self.assertRaises(urllib.error.HTTPError):
                urllib.request.urlopen(re.sub(r"/\w+/$", "/0000/next", url))
            browser.open(url)
            browser.wait_for("typeof state !== 'undefined' && state !== null")
            if os.environ.get("HEARTH_SCREENSHOT"):
                browser.wait_for("true")
                browser.screenshot(os.environ["HEARTH_SCREENSHOT"])
            total = int(re.search(r"of (\d+)", browser.evaluate("document.getElementById('place').textContent")).group(1))
            # One that is left open is not taken.
            while browser.evaluate("state.task.question") != "score":
                self.grade_one(browser)
            browser.press("y")
            browser.press("Enter")
            browser.wait_for("document.getElementById('message').textContent.includes('still open')")
            skipped = browser.evaluate("state.id")
            browser.press("s")
            browser.wait_for(f"state && state.id !== {json.dumps(skipped)}")
            page = browser.evaluate("document.documentElement.outerHTML")
            for word in ("large", "small", "known-70", "Kimi"):
                self.assertFalse(word in page, word)
            kinds = set()
            while browser.evaluate("state !== null"):
                kinds.add(self.grade_one(browser))
            self.assertEqual(kinds, {"score", "pair", "guess"})
            self.assertIn(f"{total} of {total} graded", browser.evaluate("document.body.innerText"))
            self.assertIn("All texts are graded", browser.evaluate("document.body.innerText"))
            self.assertEqual(server.wait(timeout=20), 0)
        finally:
            browser.close()
            server.terminate()
            server.wait(timeout=20)
            server.stdout.close()
        # Opened now, and the arms have their scores.
        self.run_study()
        decision = json.loads(subprocess.run(self.hearth("decide", self.root / "study", "--json"), env=self.environment, capture_output=True, text=True).stdout)
        self.assertEqual(len(decision["comparisons"]), 1)
        self.assertEqual(decision["judges"][0]["judge"], "person")
        self.assertEqual(decision["judges"][0]["grades"], total)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
