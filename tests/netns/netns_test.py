"""A cluster in network namespaces, with real programs and shaped links: the short tests.

usage: netns_test.py BIN_DIRECTORY MODELS_DIRECTORY [unittest arguments]; exit code 77 where namespaces are not permitted
"""

import signal
import sys
import unittest
from pathlib import Path

import isolation
from hand_off_case import CHUNKS, HandOffCase
from machines import AGENT_PORT, GATEWAY_PORT, conversation
from strangers import open_ports, said_to, stranger_contexts

LINKS = {"unshaped": None, "1 Gb/s": 1e9, "100 Mb/s": 1e8}


class Links(HandOffCase):
    proxied = False

    def test_the_text_is_that_of_one_machine_over_every_link(self):
        for seed, (name, bits_per_s) in enumerate(LINKS.items(), 10_000):
            with self.subTest(link=name):
                self.messages = conversation(seed)
                self.before = self.studio.counts()
                for machine in self.cluster.machines:
                    machine.host.shape(bits_per_s)
                self.check(self.studio.ask(self.messages), self.right_text())
                self.assertGreaterEqual(self.taken_chunks(), CHUNKS)
                decision = self.studio.decisions()[-1]
                self.assertEqual((decision["chosen"], decision["outcome"]), ("remote on spark for studio", "as chosen"))
        self.check_nothing_is_left()

    def test_both_hold_the_same_chunks_byte_for_byte(self):
        self.check(self.studio.ask(self.messages), self.right_text())
        self.studio.stop()  # what is in memory goes to the disk
        self.alone.stop()
        chunks = {machine.name: {path.name: path.read_bytes() for path in machine.home.rglob("*") if is_chunk(path)}
                  for machine in (self.alone, self.studio)}
        self.alone.serve(cluster=False)
        self.studio.serve("--cluster-prefill", "remote")
        self.cluster.wait_until_usable()
        common = chunks["alone"].keys() & chunks["studio"].keys()
        self.assertGreaterEqual(len(common), CHUNKS)
        for name in common:
            self.assertEqual(chunks["alone"][name], chunks["studio"][name], name)

    def test_a_stranger_on_the_network_gets_nothing(self):
        for machine in (self.studio, self.spark):
            for context in stranger_contexts(self.alone):
                self.assertNotIn(b"HTTP", said_to(machine.host.address, AGENT_PORT, context))

    def test_no_other_port_is_open(self):
        allowed = {"studio": {AGENT_PORT, GATEWAY_PORT}, "spark": {AGENT_PORT}}
        for machine in (self.studio, self.spark):
            self.assertEqual(open_ports(machine), allowed[machine.name])


class Trouble(HandOffCase):
    def tearDown(self):
        self.bring_back()

    def test_a_killed_machine_costs_time_only(self):
        right = self.right_text()
        asking = self.ask_until(chunks=CHUNKS // 2)
        self.spark.stop(signal.SIGKILL)
        self.check(asking.answer(), right)
        self.check_nothing_is_left()

    def test_a_link_that_is_cut_resends_one_chunk_at_most(self):
        right = self.right_text()
        asking = self.ask_until(chunks=1)
        self.studio.link.cut_after(1_000_000)
        self.check(asking.answer(), right)
        self.assertEqual(self.studio.link.cuts, 1)
        self.check_nothing_is_left()
        counts = self.spark.counts()
        self.assertEqual(counts["failed_puts"] - self.sent_before["failed_puts"], 1)
        self.assertLessEqual(counts["resent_chunks"] - self.sent_before["resent_chunks"], 1)
        self.assertGreaterEqual(self.taken_chunks(), CHUNKS)


def is_chunk(path):
    return path.is_file() and path.parent.parent.name == "chunks"


if __name__ == "__main__":
    isolation.enter()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
