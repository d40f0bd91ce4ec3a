"""Machines that prefill for another one, killed at random moments: each answer is that of a single machine, and afterwards
nothing is left of the dead.

usage: kills_test.py BIN_DIRECTORY MODELS_DIRECTORY [KILLS [SEED]]; KILLS: $HEARTH_KILLS, else 15. Exit code 77 where hosts on
loopback are not possible. From 100 kills on also what a killed machine costs, against computing what it left.
"""

import os
import random
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "netns"))
import loopback  # noqa: E402
from logs import LoggedCase  # noqa: E402
from machines import CONNECTIONS_KEPT_MAX, Cluster, conversation, least_of_a_while, wait_for  # noqa: E402
from measure import measure_kill  # noqa: E402

BIN, MODELS = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
KILLS = int(sys.argv[3] if len(sys.argv) > 3 else os.environ.get("HEARTH_KILLS", 15))
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1
MEASURED_FROM_KILLS = 100
WARM_UPS = 4
WORD_COUNT = 150
OPTIONS = ("--context", 4096, "--chunk-tokens", 128, "--threads", 1, "--store-gb", 1)
OTHERS = ("spark-1", "spark-2", "spark-3")  # while one is started again, the next is there
# However many kills there were: the allocator's arenas, of as many threads as were alive at once; and a connection to each
# other machine, which is kept or just being made anew, with the thread that serves it.
ALLOWANCES = {"memory_mib": 24, "files": CONNECTIONS_KEPT_MAX * len(OTHERS), "threads": len(OTHERS)}


class Kills(LoggedCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BIN, MODELS / "kimi-tiny-q8_0.gguf", OPTIONS, OTHERS, studio_options=("--cluster-prefill", "remote"),
                              network=loopback.LoopbackNetwork())
        cls.alone, cls.studio, cls.others = cls.cluster.alone, cls.cluster.studio, cls.cluster.others

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def setUp(self):
        self.chance = random.Random(SEED)
        self.returning = {}
        self.took_s, self.cut_short = 1.0, 0

    def tearDown(self):
        self.wait_for_the_returning()

    def wait_for_the_returning(self):
        for thread in self.returning.values():
            thread.join()

    def test_every_answer_is_right_and_nothing_is_left(self):
        before = None
        for index in range(WARM_UPS + KILLS):
            if index == WARM_UPS:
                before = self.settled()
                self.cut_short = 0
            self.one_kill(conversation(60_000 + index, WORD_COUNT))
        after = self.settled()
        print(f"{KILLS} kills, {self.cut_short} of them in mid-prefill: {before} before, {after} after", flush=True)
        # A connection to its worker, kept for the next call, is a file on both sides; worker_files bounds them.
        to_worker = max(0, after["worker_files"] - before["worker_files"])
        for name in before:
            allowance = ALLOWANCES.get(name.removeprefix("worker_"), 0) + (to_worker if name == "files" else 0)
            self.assertLessEqual(after[name], before[name] + allowance, f"{name}; open: {self.studio.open_files()}")
        self.assertGreater(self.cut_short, KILLS // 4)

    def one_kill(self, messages):
        wait_for("a machine that prefills", self.studio.usable_peers)
        sent = self.studio.counts()["taken_chunks"]
        right = self.alone.start_asking(messages)
        asking = self.studio.start_asking(messages)
        machine = wait_for("its beginning", lambda: self.who_prefills() or asking.is_over)
        began = time.monotonic()
        if machine is not True:
            time.sleep(self.chance.uniform(0, self.took_s))
            self.cut_short += self.is_prefilling(machine)
            self.kill(machine)
        answer = asking.answer()
        self.took_s += 0.3 * (time.monotonic() - began - self.took_s)
        self.assertIsNone(answer.error)
        self.assertEqual(answer.text, right.answer().text)
        self.assertGreater(len(answer.text), 4)
        self.assertGreaterEqual(self.studio.counts()["taken_chunks"], sent)

    def kill(self, machine):
        if self.chance.random() < 0.5:
            return machine.kill_worker()  # its agent starts the next one
        machine.stop(signal.SIGKILL)
        self.returning[machine.name] = threading.Thread(target=machine.node, daemon=True)
        self.returning[machine.name].start()

    def is_prefilling(self, machine):
        if machine.name in self.returning:
            if self.returning[machine.name].is_alive():
                return False
            del self.returning[machine.name]
        try:
            return machine.status()["machine"].get("prefills_running", 0) > 0
        except (OSError, AssertionError):
            return False

    def who_prefills(self):
        return next((machine for machine in self.others.values() if self.is_prefilling(machine)), None)

    def settled(self):
        self.wait_for_the_returning()
        self.cluster.wait_until_usable()
        wait_for("hand-offs to end", lambda: self.studio.status()["hand_offs_waited_for"] == 0, 10)
        return least_of_a_while(self.resources)

    def resources(self):
        """Of the machine that answers and of its worker."""
        out = self.studio.resources_without_store()
        status, worker, stats = self.studio.status(), self.studio.worker_pid(), self.studio.worker().stats()
        out["memory_mib"] = round(out["memory_mib"], 1)
        out.update({f"worker_{name}": round(value, 1) for name, value in self.studio.resources(worker).items()})
        out["worker_restarts"] = status["worker"]["restarts"]
        out["pinned_chunks"] = status["store"]["pinned_chunks"]
        out["unfinished_files"] = len([path for path in self.studio.home.rglob("*.tmp")])
        out.update({name: stats[name] for name in ("slots_leased", "slots_busy", "jobs_running", "jobs_pending")})
        out["prefills_running"] = sum(self.is_prefilling(machine) for machine in self.others.values())
        return out


@unittest.skipIf(KILLS < MEASURED_FROM_KILLS, "a measurement")
class MissingWork(unittest.TestCase):
    def test_a_killed_machine_costs_its_missing_work(self):
        result = measure_kill(BIN, MODELS, loopback.LoopbackNetwork())[0]
        print(f"from the kill to the first token: {result.ratio:.3f} of computing what was missing "
              f"({[round(value, 2) for value in result.ours]} s against {[round(value, 2) for value in result.peer]} s)", flush=True)
        self.assertTrue(result.passed, result.ratio)


if __name__ == "__main__":
    if not loopback.is_possible():
        print(f"skipped: no address of {loopback.NETWORK}.0.0/16 can be listened on")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]], verbosity=2)
