"""What hearth bench and hearth check say of a cluster of two machines: the real programs over mutual TLS on loopback.

usage: cluster_bench_test.py BIN_DIRECTORY MODELS_DIRECTORY
"""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from cluster_test import BIN, MODEL, Machine, wait_for

CHUNK_BYTES_MIN = 100_000  # of KV: two chunks of the tiny model have several times that


class TwoMachines(unittest.TestCase):
    """studio answers; spark reads every prompt. A third one, alone, has the same model."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hearth-cluster-bench-")
        cls.root = Path(cls.folder.name)
        cls.studio, cls.spark, cls.alone = (Machine(cls.root, name) for name in ("studio", "spark", "alone"))
        cls.studio.hearth("cluster", "init", "--name", "studio", "--address", cls.studio.address)
        cls.url = cls.studio.start("serve", "--port", "0", "--cluster", "--cluster-prefill", "remote")
        code = re.search(r"hearth-1/[^\s']+", cls.studio.hearth("cluster", "invite", "--for", "spark")).group()
        cls.spark.hearth("node", "join", code, "--address", cls.spark.address)
        cls.spark.start("node")
        cls.alone_url = cls.alone.start("serve", "--port", "0", "--no-store")
        wait_for("the pair to be tried", lambda: any(link["from"] == "studio" and link.get("usable")
                                                     for link in cls.studio.ask("status")["links"]))

    @classmethod
    def tearDownClass(cls):
        for machine in (cls.spark, cls.studio, cls.alone):
            machine.stop()
        cls.folder.cleanup()

    def hearth(self, *arguments, statuses=(0,)):
        done = subprocess.run([BIN.resolve() / "hearth", *map(str, arguments)], env=self.studio.environment(), cwd=self.root,
                              capture_output=True, text=True, timeout=300)
        self.assertIn(done.returncode, statuses, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def complete(self, text, **more):
        body = {"model": "x", "prompt": text, "max_tokens": 4, "temperature": 0, "stream": True, **more}
        request = urllib.request.Request(self.url + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as reply:
            events = [line[6:] for line in reply.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(events[-1], "[DONE]")
        return [json.loads(event) for event in events[:-1]]

    def test_1_the_last_event_tells_what_the_hand_off_cost_to_whoever_asks(self):
        text = " ".join(f"fact {i} is {i * 7919 % 1000}" for i in range(60))
        silent = self.complete("without " + text)
        self.assertFalse(any("timings" in event or "hand_off" in event for event in silent))
        last = self.complete("with " + text, timings=True)[-1]
        timings, told = last["timings"], last["hand_off"]
        self.assertEqual(told["prefilled_by"], "spark")
        self.assertGreaterEqual(told["handed_tokens"], 256)
        # The last one is computed here; more are where the peer was too slow.
        self.assertGreaterEqual(timings["prompt_n"] + timings["cache_n"], told["handed_tokens"] + told["held_tokens"] +
                                told["memory_tokens"] + told["disk_tokens"] + 1)
        self.assertGreater(told["bytes"], CHUNK_BYTES_MIN)
        self.assertTrue(0 <= told["hidden_fraction"] <= 1, told)
        self.assertTrue(0 < told["tail_ms"] < timings["prompt_ms"], last)
        self.assertTrue(0 < told["import_ms"] <= told["tail_ms"], last)
        self.assertEqual(timings["predicted_n"], 4)
        # The same again: it is held, nothing is handed over.
        again = self.complete("with " + text, timings=True)[-1]
        self.assertEqual(again["hand_off"]["prefilled_by"], "")
        self.assertGreater(again["timings"]["cache_n"], 256)

    def test_2_bench_shows_hand_offs_and_the_servers_own_times(self):
        run = json.loads(self.hearth("bench", "--json", "--db", "b.db", "-t", f"alone:hearth={self.alone_url}", "-t", f"split:hearth={self.url}",
                                     "--prompt-tokens", "600,1200", "--depth", "0,512", "--repeats", 3, "--warm-ups", 1, "--answer-tokens", 24,
                                     "--html", "b.html").stdout)
        self.assertEqual(run["state"], "done")
        for row in run["rows"]:
            self.assertEqual((row["samples"], row["failures"]), (3, 0), row)
            self.assertEqual(row["findings"], [], row)
            # Of the same requests, by two clocks: what lies between is the gateway and the socket.
            self.assertAlmostEqual(row["prefill_tok_s"] / row["told"]["prefill_tok_s"], 1, delta=0.25)
            self.assertAlmostEqual(row["decode_tok_s"] / row["told"]["decode_tok_s"], 1, delta=0.25)
            if row["target"] == "alone":
                self.assertNotIn("hand_off", row)
                continue
            told = row["hand_off"]
            self.assertEqual(told["prefilled_by"], [{"machine": "spark", "count": 3}])
            self.assertGreater(told["bytes"], CHUNK_BYTES_MIN)
            self.assertTrue(0 <= told["hidden_share"] <= 1, told)
            self.assertTrue(0 < told["tail_ms"] < row["ttft_ms"], row)
        longer = [row["hand_off"]["bytes"] for row in run["rows"] if row["target"] == "split" and row["depth"] == 0]
        self.assertGreater(longer[1], longer[0])
        text = self.hearth("bench", "show", "last", "--db", "b.db").stdout
        self.assertIn("read by spark in 3 of 3", text)
        self.assertIn("spark in 3 of 3", (self.root / "b.html").read_text())
        print(text, flush=True)

    def check(self, statuses=(0, 1)):
        """Findings that are the other machine's, by id: what this one is like is not what is tested here."""
        done = self.hearth("check", "--json", "--no-smoke", "--no-digests", statuses=statuses)
        found = json.loads(done.stdout)["findings"]
        return {one["id"]: one for one in found if "spark" in one["fact"]}, done.returncode

    def test_3_check_finds_what_the_other_machine_finds_about_itself(self):
        before, _ = self.check()
        self.assertFalse({"peer.unreachable", "peer.version", "peer.cannot_pair", "limits.open_files"} & set(before), before)
        resource.prlimit(self.spark.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))  # until it is started again
        found, status = self.check(statuses=(1,))
        self.assertIn("on spark: a process may open 1024 files", found["limits.open_files"]["fact"])
        self.assertEqual((found["limits.open_files"]["severity"], status), ("blocks", 1))
        self.assertTrue(found["limits.open_files"]["mend"].startswith("there: "), found)

    def test_4_check_finds_a_machine_that_does_not_answer(self):
        self.spark.stop(signal.SIGKILL)
        found, status = self.check(statuses=(1,))
        self.assertEqual(list(found), ["peer.unreachable"])
        self.assertIn(f"spark at {self.spark.address}", found["peer.unreachable"]["fact"])
        self.assertEqual(found["peer.unreachable"]["severity"], "blocks")
        # And a model there that is not what its name says.
        renamed = self.spark.home / "kimi-tiny-q4_k.gguf"
        shutil.copy(MODEL, renamed)
        self.spark.start("node", model=("--model", renamed))
        found, status = self.check(statuses=(1,))
        self.assertNotIn("peer.unreachable", found)
        self.assertEqual((found["model.quant_name"]["severity"], status), ("blocks", 1))
        self.assertIn("is called q4_k, but most of its bytes are q8_0", found["model.quant_name"]["fact"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
