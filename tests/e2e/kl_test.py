"""Comparing two models over one's own texts, from outside. Usage: kl_test.py BIN_DIR MODELS"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BIN, MODELS = Path(sys.argv[1]), Path(sys.argv[2])
BASE = MODELS / "kimi-tiny-q8_0.gguf"
TRANSCRIPT = {
    "tools": [{"type": "function", "function": {"name": "look_up", "description": "finds",
                                                "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}}],
    "messages": [{"role": "user", "content": "What is the code of the shed?"},
                 {"role": "assistant", "content": "", "reasoning_content": "I must look.",
                  "tool_calls": [{"id": "a", "type": "function",
                                  "function": {"name": "look_up", "arguments": "{\"key\": \"shed\"}"}}]},
                 {"role": "tool", "tool_call_id": "a", "content": "7131"},
                 {"role": "assistant", "reasoning_content": "There.", "content": "The code of the shed is 7131."}]}


class Kl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hearth-kl-test-")
        cls.root = Path(cls.folder.name)
        cls.texts = cls.root / "texts"
        (cls.texts / "writing").mkdir(parents=True)
        (cls.texts / "talk").mkdir()
        for i in range(3):
            (cls.texts / "writing" / f"{i}.txt").write_text(f"The {i}th lamp was lit. " * 40)
        (cls.texts / "talk" / "day.jsonl").write_text(json.dumps(TRANSCRIPT) + "\n")
        cls.candidate = cls.root / "q4.gguf"
        subprocess.run([BIN / "hearth", "model", "synth", "--arch", "kimi", "--size", "tiny", "--type", "q4_k",
                        "-o", cls.candidate], check=True, capture_output=True, timeout=120)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def command(self, *arguments, base=BASE, candidate=None, texts=None, record="record"):
        return [str(BIN / "hearth"), "eval", "kl", "--base", str(base), "--candidate", str(candidate or self.candidate),
                str(texts or self.texts), "--record", str(self.root / record), "--window", "512", "--threads", "2",
                "--device", "cpu", *map(str, arguments)]

    def kl(self, *arguments, **places):
        return subprocess.run(self.command(*arguments, **places), capture_output=True, text=True, timeout=120)

    def test_a_smaller_model_is_compared_by_class_and_kind_of_token(self):
        done = self.kl("--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        found = json.loads(done.stdout)
        self.assertGreater(found["mean"], 0.01)
        self.assertLess(found["same_top"], 1)
        self.assertEqual(found["flips"], found["right_to_wrong"] + found["wrong_to_right"])
        for key in ("median", "p95", "p99", "p999", "log_perplexity_ratio", "first_divergence", "verdict"):
            self.assertIn(key, found)
        self.assertEqual([row["class"] for row in found["classes"]], ["talk", "writing"])
        kinds = {row["tokens"]: row["positions"] for row in found["tokens"]}
        self.assertEqual(sum(kinds.values()), found["positions"])
        for kind in ("text", "read", "thinking", "answer", "tool_call", "control"):
            self.assertGreater(kinds[kind], 0, kind)
        again = self.kl("--json")  # from what is on disk
        self.assertEqual(again.stdout, done.stdout)
        self.assertIn("mean KL", self.kl().stdout)

    def test_a_model_is_equivalent_to_itself(self):
        done = self.kl("--json", "--floor", "--judged", 200, candidate=BASE, record="self")
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, found["sentence"])
        self.assertEqual(found["verdict"], "equivalent-by-measurement")
        self.assertEqual(found["base"], found["candidate"])
        self.assertEqual(len(found["base"]["weights"]), 64)
        self.assertLess(found["mean"], 1e-4)
        self.assertTrue(found["floor"]["measured"])

    def test_too_little_text_is_no_verdict(self):
        done = self.kl("--json", "--judged", 3000, candidate=BASE, record="self-few")
        self.assertEqual(json.loads(done.stdout)["verdict"], "too-little-text")
        self.assertEqual(done.returncode, 1)

    def test_killed_it_goes_on_and_finds_the_same(self):
        expected = json.loads(self.kl("--json", record="whole").stdout)
        reference = self.root / "killed" / "reference.hkl"
        child = subprocess.Popen(self.command("--json", record="killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and child.poll() is None and not (reference.exists() and reference.stat().st_size > 20_000):
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        with open(reference, "r+b") as file:  # as a power failure leaves it
            file.truncate(reference.stat().st_size - 7)
        found = json.loads(self.kl("--json", record="killed").stdout)
        self.assertEqual(found["positions"], expected["positions"])
        self.assertAlmostEqual(found["mean"], expected["mean"], delta=1e-3 * expected["mean"])

    def test_bad_input_is_named(self):
        (self.root / "picture").mkdir(exist_ok=True)
        (self.root / "picture" / "cat.png").write_bytes(b"\x89PNG\xff")
        (self.root / "broken").mkdir(exist_ok=True)
        (self.root / "broken" / "a.json").write_text('{"messages": [{"role": "robot"}]}')
        cases = [({"texts": self.root / "nowhere"}, "nowhere"), ({"texts": self.root / "picture"}, "cat.png"),
                 ({"texts": self.root / "broken"}, "messages[0].role"), ({"base": self.root / "none.gguf"}, "none.gguf"),
                 ({"candidate": MODELS / "llama-tiny-q8_0.gguf"}, "tokenizers")]
        for places, word in cases:
            done = self.kl(record="bad", **places)
            self.assertEqual(done.returncode, 2, (places, done.stderr))
            self.assertIn(word, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertEqual(self.kl("--window", 1).returncode, 2)

    def test_a_record_of_other_texts_is_not_mixed_with_these(self):
        (self.root / "other.txt").write_text("Something else. " * 20)
        self.assertEqual(self.kl("--json", texts=self.root / "other.txt", record="mixed").returncode, 1)
        done = self.kl(record="mixed")
        self.assertEqual(done.returncode, 2)
        self.assertIn("other texts", done.stderr.replace("another", "other"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
