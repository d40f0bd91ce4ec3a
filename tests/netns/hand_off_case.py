"""What the tests of hand-offs share: one cluster for a class, right answers, waiting for a point of a hand-off."""

import os
import sys
from pathlib import Path

from logs import LoggedCase
from machines import Cluster, conversation, wait_for

OPTIONS = ("--context", 16384, "--chunk-tokens", 256, "--threads", 1)
CHUNKS = 10  # at least so many in conversation()


class HandOffCase(LoggedCase):
    """`studio` is told to prefill remotely, so that there is a hand-off whatever is predicted."""

    cluster_class = Cluster
    others = ("spark",)
    proxied = True
    studio_options = ("--cluster-prefill", "remote")
    last_seed = 0

    @classmethod
    def setUpClass(cls):
        binaries, models = Path(sys.argv[1]), Path(sys.argv[2])
        cls.cluster = cls.cluster_class(binaries, models / "kimi-tiny-q8_0.gguf", OPTIONS, cls.others, cls.proxied,
                                        cls.studio_options)
        cls.alone, cls.studio = cls.cluster.alone, cls.cluster.studio
        cls.spark = next(iter(cls.cluster.others.values()))

    @classmethod
    def tearDownClass(cls):
        if os.environ.get("HEARTH_NETNS_LOGS"):
            for machine in cls.cluster.machines:
                print(f"--- {machine.name}\n{machine.log_text()}")
        cls.cluster.close()

    def setUp(self):
        HandOffCase.last_seed += 1
        self.messages = conversation(HandOffCase.last_seed)
        self.before = self.studio.counts()
        self.sent_before = self.spark.counts()

    def right_text(self):
        return self.alone.ask(self.messages).text

    def taken_chunks(self):
        return self.studio.counts()["taken_chunks"] - self.before["taken_chunks"]

    def ask_until(self, chunks):
        """Asks; returns when so many chunks came: 0 is when the peer has begun."""
        asking = self.studio.start_asking(self.messages)
        begun = (lambda: self.spark.status()["machine"].get("prefills_running")) if chunks == 0 else (
            lambda: self.taken_chunks() >= chunks)
        wait_for(f"{chunks} chunks", lambda: begun() or asking.is_over, 120, interval=0.01)
        return asking

    def check(self, answer, right):
        self.assertIsNone(answer.error)
        self.assertEqual(answer.text, right)
        self.assertGreater(len(right), 4)

    def check_nothing_is_left(self):
        wait_for("hand-offs to end", lambda: self.studio.status()["hand_offs_waited_for"] == 0, 10)
        for machine in self.cluster.others.values():
            if machine.process:
                wait_for(f"{machine.name} to be idle",
                         lambda: self.is_idle(machine), 90)

    @staticmethod
    def is_idle(machine):
        return machine.status()["machine"].get("prefills_running") == 0

    def bring_back(self):
        """Everything as it was, and every peer tried again."""
        for machine in self.cluster.machines:
            if machine.link:
                machine.link.restore()
            machine.host.plug(True)
            machine.host.shape(None)
        if self.studio.process is None:
            self.studio.serve(*self.studio_options)
        for machine in self.cluster.others.values():
            if machine.process is None:
                machine.node()
        self.cluster.wait_until_usable()
