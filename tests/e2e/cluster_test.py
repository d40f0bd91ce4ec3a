"""Machines of a cluster, as people make one: the real programs over mutual TLS on loopback.

usage: cluster_test.py BIN_DIRECTORY MODELS_DIRECTORY
"""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

BIN = Path(sys.argv[1])
MODEL = Path(sys.argv[2]) / "kimi-tiny-q8_0.gguf"
OTHER_PRECISION = MODEL.with_name("kimi-tiny-q4_k.gguf")
START_SECONDS = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    def __init__(self, root, name):
        self.name = name
        self.home = Path(root) / name
        self.home.mkdir()
        self.port = free_port()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def environment(self):
        return dict(os.environ, HEARTH_HOME=str(self.home), OMP_WAIT_POLICY="passive")

    def hearth(self, *arguments, status=0):
        done = subprocess.run([BIN / "hearth", *arguments], env=self.environment(), capture_output=True,
                              text=True, timeout=120)
        if done.returncode != status:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def ask(self, *arguments):
        return json.loads(self.hearth(*arguments, "--json"))

    def lends(self):
        return self.ask("status", "--on", self.name)["machines"][0]["lends"]

    def start(self, *arguments, model=("--model", MODEL)):
        self.log = open(self.home / "log", "ab")
        self.process = subprocess.Popen(
            [BIN / "hearth", *arguments, *model, "--cluster-listen", self.address, "--context", "8192",
             "--chunk-tokens", "256", "--threads", "1"],
            env=self.environment(), stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise AssertionError(f"{self.name}: {line!r}\n{(self.home / 'log').read_text()}")
        return line.split()[1]

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        self.process = None


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s for {what}")


class TwoMachines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="hearth-cluster-")
        cls.studio = Machine(cls.root.name, "studio")
        cls.spark = Machine(cls.root.name, "spark")
        cls.studio.hearth("cluster", "init", "--name", "studio", "--address", cls.studio.address)
        cls.url = cls.studio.start("serve", "--port", "0", "--cluster")
        code = re.search(r"hearth-1/[^\s']+", cls.studio.hearth("cluster", "invite", "--for", "spark")).group()
        cls.spark.hearth("node", "join", code, "--address", cls.spark.address)
        cls.code = code
        cls.spark.start("node")
        wait_for("the pair to be tried", lambda: cls.peer().get("usable"))

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        cls.studio.stop()
        cls.root.cleanup()

    @classmethod
    def peer(cls):
        links = [link for link in cls.studio.ask("status")["links"] if link["from"] == "studio"]
        return links[0] if links else {}

    def answer(self, text, tokens=8):
        body = {"model": "x", "max_tokens": tokens, "temperature": 0,
                "messages": [{"role": "user", "content": text}]}
        request = urllib.request.Request(self.url + "/v1/chat/completions", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as reply:
            return json.load(reply)["choices"][0]["message"]["content"]

    def test_1_the_pair_is_exact_and_says_how_it_is_connected(self):
        peer = self.peer()
        self.assertTrue(peer["parity"]["exact"], peer)
        self.assertGreater(peer["mb_per_s"], 0)
        table = self.studio.hearth("status")
        self.assertIn("exact", table)
        status = self.studio.ask("status")
        self.assertEqual([(m["name"], m["reachable"]) for m in status["machines"]], [("studio", True), ("spark", True)])
        self.assertEqual([w["machine"] for w in status["workers"]], ["studio", "spark"])
        self.assertEqual({"machines", "workers", "links", "requests", "decisions"} - status.keys(), set())
        for machine in status["machines"]:
            self.assertGreater(machine["memory"]["total_bytes"], 0, machine)
            self.assertTrue(machine["engine_build"] and machine["devices"], machine)
        self.assertTrue(all(store["disk_free_bytes"] > 0 for store in status["stores"]), status["stores"])
        self.assertEqual([m["name"] for m in self.studio.ask("status", "--on", "spark")["machines"]], ["spark"])

    def test_1_a_probe_measures_the_link_and_the_planner_takes_it(self):
        found = self.studio.ask("node", "probe", "--model", MODEL, "--name", "here", "--repetitions", "1",
                                "--looks", "1")
        self.assertEqual([link["machine"] for link in found["links"]], ["spark"])
        link = found["links"][0]
        self.assertEqual(link["trouble"], "")
        self.assertGreater(min(link["there_gb_s"]["median"], link["back_gb_s"]["median"]), 0)
        self.assertGreater(link["round_trip_ms"]["median"], 0)
        shown = self.studio.ask("catalog", "show", "studio-spark")
        self.assertEqual(shown["between"], ["studio", "spark"])
        self.assertAlmostEqual(shown["there_gb_s"], link["there_gb_s"]["median"], places=6)
        self.assertEqual(shown["date"], found["date"])

    def test_2_a_code_works_once(self):
        other = Machine(self.root.name, "other")
        refused = subprocess.run([BIN / "hearth", "node", "join", self.code], env=other.environment(),
                                 capture_output=True, text=True, timeout=60)
        self.assertNotEqual(refused.returncode, 0)
        self.assertFalse((other.home / "cluster").exists())

    def test_3_strangers_get_nothing(self):
        for machine in (self.studio, self.spark):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with socket.create_connection(("127.0.0.1", machine.port), timeout=10) as raw:
                got = b""
                try:
                    with context.wrap_socket(raw) as stream:
                        stream.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
                        got = stream.recv(100)
                except (ssl.SSLError, ConnectionError):
                    pass
                self.assertEqual(got, b"")
            with socket.create_connection(("127.0.0.1", machine.port), timeout=10) as plain:
                plain.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
                got = b""
                try:
                    while piece := plain.recv(1000):
                        got += piece
                except ConnectionError:
                    pass
                self.assertNotIn(b"HTTP", got)

    def test_4_decisions_are_told_with_what_came_of_them(self):
        self.answer(" ".join(f"fact {i} is {i * 7919 % 1000}" for i in range(30)))
        log = self.studio.ask("cluster", "decisions")
        decision = log["decisions"][-1]
        self.assertEqual(len(decision["options"]), 2, decision)
        self.assertIn(decision["chosen"], [option["name"] for option in decision["options"]])
        self.assertGreater(decision["actual_s"], 0)
        self.assertIn("regret_s", decision)
        self.assertIn("as chosen", self.studio.hearth("cluster", "decisions"))

    def test_5_parity_on_demand(self):
        parity = self.studio.ask("cluster", "parity", "spark")
        # Not always exact any more: answers and shadow runs have left cells behind, beside which the engine
        # sums in another order (docs/coordinator.md). At pairing, with empty caches, it is (test_1).
        self.assertTrue(parity["top_equal"], parity)
        self.assertLess(parity["kl"], 1e-5, parity)
        self.assertEqual(parity["tokens_equal"], parity["tokens_compared"])
        self.assertEqual(parity["fault"], "")
        self.studio.hearth("cluster", "parity", "nobody", status=2)

    def test_6_a_killed_machine_is_not_asked_and_is_tried_again_when_it_returns(self):
        self.spark.stop(signal.SIGKILL)
        wait_for("the loss to be seen", lambda: not self.peer()["usable"])
        self.assertTrue(self.answer("does it still answer? " * 40))
        self.spark.start("node")
        wait_for("the new life to be tried", lambda: self.peer()["usable"])
        self.assertEqual(self.peer()["restarts"], 1)

    def test_7_a_removed_machine_is_out_at_once(self):
        self.studio.hearth("cluster", "remove", "spark")
        wait_for("its end as a peer", lambda: not self.studio.ask("status")["links"])
        refused = subprocess.run([BIN / "hearth", "status", "--on", "studio"], env=self.spark.environment(),
                                 capture_output=True, text=True, timeout=60)
        self.assertNotEqual(refused.returncode, 0)


class TooFarOff(unittest.TestCase):
    """A machine whose numbers differ by more than it is allowed."""

    def test_parity_says_why_and_exits_1(self):
        root = tempfile.TemporaryDirectory(prefix="hearth-parity-")
        self.addCleanup(root.cleanup)
        studio, spark = (Machine(root.name, name) for name in ("studio", "spark"))
        self.addCleanup(studio.stop)
        self.addCleanup(spark.stop)
        studio.hearth("cluster", "init", "--name", "studio", "--address", studio.address)
        studio.start("serve", "--port", "0", "--cluster", "--other-precision", "spark=0.000000001")
        code = re.search(r"hearth-1/[^\s']+", studio.hearth("cluster", "invite", "--for", "spark")).group()
        spark.hearth("node", "join", code, "--address", spark.address)
        spark.start("node", model=("--model", OTHER_PRECISION))
        wait_for("the pair to be tried", lambda: any("parity" in link for link in studio.ask("status")["links"]))
        parity = json.loads(studio.hearth("cluster", "parity", "spark", "--json", status=1))
        self.assertIn("KL divergence", parity["fault"])
        self.assertIn("not equal enough: KL divergence", studio.hearth("cluster", "parity", "spark", status=1))


class PooledMemory(unittest.TestCase):
    """A machine without a model lends its memory to the worker of another."""

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="hearth-pool-")
        cls.studio = Machine(cls.root.name, "studio")
        cls.spark = Machine(cls.root.name, "spark")
        cls.studio.hearth("cluster", "init", "--name", "studio", "--address", cls.studio.address)
        cls.studio.start("serve", "--port", "0", "--cluster")
        code = re.search(r"hearth-1/[^\s']+", cls.studio.hearth("cluster", "invite", "--for", "spark")).group()
        cls.spark.hearth("node", "join", code, "--address", cls.spark.address)
        cls.studio.stop()
        cls.spark.start("node", "--lend", model=())

    @classmethod
    def tearDownClass(cls):
        cls.studio.stop()
        cls.spark.stop()
        cls.root.cleanup()

    def answer(self, url, first=0, facts=60):
        text = " ".join(f"fact {first + i} is {i * 7919 % 1000}" for i in range(facts))
        return TwoMachines.answer(type("Served", (), {"url": url})(), text, 24)

    def test_1_the_answer_over_two_machines_is_that_of_one(self):
        alone = self.answer(self.studio.start("serve", "--port", "0", "--no-store"))
        self.studio.stop()
        pooled = self.studio.start("serve", "--port", "0", "--cluster", "--pool", "spark", "--pool-shares", "studio=1,spark=1")
        self.assertEqual(self.answer(pooled), alone)
        self.assertIn("layers of the pool: studio 2, spark 2", (self.studio.home / "log").read_text())
        self.assertEqual(self.spark.lends()["used_by"], "studio")
        self.assertIn("lends its memory: to studio", self.spark.hearth("status"))
        wait_for("why it does not prefill", lambda: self.studio.ask("status")["links"][0].get("why_not"))

    def test_2_gathered_the_pool_prefills_and_the_answer_is_the_same(self):
        self.studio.stop()
        # Without the store: what one run computed must not be found by the next.
        alone = self.answer(self.studio.start("serve", "--port", "0", "--no-store"), first=500)
        self.studio.stop()
        (self.studio.home / "cluster" / "rates.json").unlink(missing_ok=True)  # what an earlier test taught of other workers
        gathered = self.studio.start("serve", "--port", "0", "--cluster", "--pool", "spark", "--pool-mode", "gathered",
                                     "--pool-shares", "studio=1,spark=1")
        self.assertEqual(self.answer(gathered, first=500), alone)
        self.assertEqual(self.spark.lends()["used_by"], "studio")
        self.assertEqual(self.decided(1)["chosen"], "gathered on pool spark for studio")
        # What it took is known now. A prompt of less than two chunks makes known how long this machine takes, and then
        # seconds decide.
        self.answer(gathered, first=700, facts=22)
        self.assertIn(self.decided(2)["chosen"], ("local on studio", "continue on studio"))
        self.answer(gathered, first=900)
        options = {option["name"].split()[0]: option for option in self.decided(3)["options"]}
        self.assertIsNotNone(options["gathered"]["predicted_s"], options)
        self.assertIsNotNone((options.get("local") or options["continue"])["predicted_s"], options)

    def decided(self, count):
        """The last of so many decisions, when it is over."""
        def last():
            decisions = self.studio.ask("cluster", "decisions")["decisions"]
            return decisions[-1] if len(decisions) == count and decisions[-1].get("actual_s") else None
        decision = wait_for("the decision to be over", last)
        self.assertEqual(decision["outcome"], "as chosen", decision)
        return decision

    def test_3_a_pool_that_cannot_be_is_refused_by_what_is_wrong(self):
        self.studio.stop()
        for pool, told in ((["nobody"], "nobody cannot lend memory"), (["studio"], "no other machine"),
                           (["spark", "--pool-shares", "studio=1"], "pool_shares: none for spark")):
            refused = subprocess.run(
                [BIN / "hearth", "serve", "--port", "0", "--model", MODEL, "--cluster", "--cluster-listen",
                 self.studio.address, "--pool", *pool],
                env=self.studio.environment(), capture_output=True, text=True, timeout=120)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(told, refused.stderr)

class Assigned(unittest.TestCase):
    """hearth up: one file says what each machine runs."""

    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="hearth-up-")
        self.addCleanup(self.root.cleanup)
        self.studio, self.spark = (Machine(self.root.name, name) for name in ("studio", "spark"))
        self.addCleanup(self.studio.stop)
        self.addCleanup(self.spark.stop)
        self.studio.hearth("cluster", "init", "--name", "studio", "--address", self.studio.address)
        self.studio.start("serve", "--port", "0", "--cluster")
        code = re.search(r"hearth-1/[^\s']+", self.studio.hearth("cluster", "invite", "--for", "spark")).group()
        self.spark.hearth("node", "join", code, "--address", self.spark.address)
        self.file = Path(self.root.name) / "hearth.toml"

    def write(self, machine, more=""):
        self.file.write_text('[worker]\ncontext = 8192\nchunk_tokens = 256\nthreads = 1\n'
                             f'[[machine]]\nname = "spark"\n{machine}\n{more}')

    def up(self, *arguments, status=0):
        return json.loads(self.studio.hearth("up", "--file", self.file, "--wait", "60", "--json", *arguments,
                                             status=status))

    def test_a_machine_runs_what_the_file_says_and_says_what_it_cannot(self):
        self.write(f'model = "{MODEL}"')
        self.assertIn("hearth node --managed", self.up(status=1)["machines"][0]["why"])

        self.spark.start("node", "--managed", model=())
        looked = self.up("--look", status=1)["machines"][0]
        self.assertEqual((looked["did"], looked["ready"]), ("nothing", False))
        done = self.up()
        self.assertEqual(done["machines"], [{"name": "spark", "did": "assigned", "ready": True, "why": ""}])
        self.assertTrue(self.studio.ask("status", "--on", "spark")["workers"][0]["running"])
        self.assertEqual(self.up()["machines"][0]["did"], "nothing")

        self.write('model = "/nonexistent.gguf"')
        wrong = self.up(status=1)["machines"][0]
        self.assertEqual(wrong["did"], "assigned")
        self.assertIn("/nonexistent.gguf", wrong["why"])
        self.write("lend = true")
        self.assertEqual(self.up()["ok"], True)
        self.assertEqual(self.spark.lends()["used_by"], "")

        # What was assigned is remembered.
        self.spark.stop()
        self.spark.start("node", "--managed", model=())
        self.assertEqual(self.up()["machines"][0]["did"], "nothing")

        # Only the authority's machine assigns.
        refused = subprocess.run([BIN / "hearth", "up", "--file", self.file, "--wait", "5"],
                                 env=self.spark.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 0, "nothing to do is no offence")
        self.write(f'model = "{MODEL}"')
        refused = subprocess.run([BIN / "hearth", "up", "--file", self.file, "--wait", "5"],
                                 env=self.spark.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("only studio", refused.stdout)

    def test_the_whole_cluster_comes_up_and_slow_links_are_told(self):
        self.write(f'model = "{MODEL}"', '[[link]]\nends = ["studio", "spark"]\nmb_per_s = 1e8\n')
        self.spark.start("node", "--managed", model=())
        machine = self.up(status=1)["machines"][0]
        self.assertTrue(machine["ready"], (machine, (self.spark.home / "log").read_text()))
        wait_for("the pair to be tried", lambda: [link for link in self.studio.ask("status")["links"] if link.get("mb_per_s")])
        link = self.up(status=1)["links"][0]
        self.assertEqual((link["ends"], link["ok"]), (["studio", "spark"], False))
        self.assertGreater(link["mb_per_s"], 0)

    def test_a_machine_that_is_not_managed_says_so(self):
        self.write(f'model = "{MODEL}"')
        self.spark.start("node")
        self.assertIn("not managed", self.up(status=1)["machines"][0]["why"])
        self.file.write_text('[[machine]]\nname = "spark"\n')
        refused = subprocess.run([BIN / "hearth", "up", "--file", self.file], env=self.studio.environment(),
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("hearth.toml:1", refused.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
