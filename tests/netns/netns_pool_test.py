"""A machine that lends its memory to another one, each in a network namespace: the text, and who reaches what.

usage: netns_pool_test.py BIN_DIRECTORY MODELS_DIRECTORY [unittest arguments]; exit code 77 where namespaces are not permitted
"""

import sys
import unittest
from pathlib import Path

import isolation
from hand_off_case import OPTIONS
from logs import LoggedCase
from machines import AGENT_PORT, GATEWAY_PORT, Cluster, conversation
from strangers import connecting_from, loopback_ports, open_ports, said_to, stranger_contexts

LEND_PORT = 7071
POOL = ("--pool", "spark", "--pool-shares", "studio=1,spark=1")


class Pool(Cluster):
    """spark has no model: it lends its memory to studio's worker."""

    def begin(self, studio_options):
        spark = self.others["spark"]
        self.alone.serve(cluster=False)
        self.studio.hearth("cluster", "init", "--name", "studio", "--address", self.studio.agent_address)
        self.studio.serve()  # whoever joins asks it
        self.join(spark)
        self.studio.stop()
        spark.node("--lend", "--lend-port", LEND_PORT, has_model=False)
        self.studio.serve(*studio_options)


class LentMemory(LoggedCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Pool(Path(sys.argv[1]), Path(sys.argv[2]) / "kimi-tiny-q8_0.gguf", OPTIONS, studio_options=POOL)
        cls.alone, cls.studio, cls.spark = cls.cluster.alone, cls.cluster.studio, cls.cluster.others["spark"]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def check_text(self, seed):
        messages = conversation(seed)
        right = self.alone.ask(messages).text
        answer = self.studio.ask(messages)
        self.assertIsNone(answer.error)
        self.assertEqual(answer.text, right)
        self.assertGreater(len(right), 4)

    def check_lending(self):
        lends = self.spark.status()["lends"]
        self.assertEqual((lends["used_by"], lends["rpc_restarts"]), ("studio", 0))

    def test_a_model_on_two_machines_writes_what_it_writes_on_one(self):
        self.assertIn("layers of the pool: studio 2, spark 2", self.studio.log_text())
        for seed in (30_000, 30_001):
            with self.subTest(seed=seed):
                before = self.spark.host.sent_bytes()
                self.check_text(seed)
                self.assertGreater(self.spark.host.sent_bytes() - before, 10_000, "spark computed nothing")
        self.check_lending()

    def test_what_listens_on_loopback_is_reached_from_no_other_machine(self):
        # The check can fail: these ports are open.
        self.assertEqual(connecting_from(self.studio.host, self.spark.host.address, AGENT_PORT), "connected")
        self.assertEqual(connecting_from(self.studio.host, self.spark.host.address, LEND_PORT), "connected")
        # The RPC server of the one, the way to it on the other.
        for machine, other in ((self.spark, self.studio), (self.studio, self.spark)):
            ports = loopback_ports(machine)
            self.assertTrue(ports, f"nothing listens on the loopback of {machine.name}")
            for port in ports:
                for host in (other.host, self.alone.host):
                    with self.subTest(of=machine.name, port=port, whence=host.name):
                        self.assertEqual(connecting_from(host, machine.host.address, port), "ConnectionRefusedError")
        self.assertEqual(open_ports(self.spark), {AGENT_PORT, LEND_PORT})
        self.assertEqual(open_ports(self.studio), {AGENT_PORT, GATEWAY_PORT})

    def test_a_stranger_gets_nothing_out_of_the_tunnel(self):
        for context in stranger_contexts(self.alone):
            said = said_to(self.spark.host.address, LEND_PORT, context)
            if context:
                self.assertEqual(said, b"")
            else:
                self.assertNotIn(b"ok", said)  # at most the alert of a handshake
        # A member is spoken to, but what is lent is not lent twice.
        said = said_to(self.spark.host.address, LEND_PORT, self.spark.client_context(), question=b"")
        self.assertEqual(said, b"its memory is lent to studio\n")
        self.check_lending()
        self.check_text(30_002)


if __name__ == "__main__":
    isolation.enter()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
