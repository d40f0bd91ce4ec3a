"""A cluster in network namespaces, with real programs and shaped links: the short tests.

usage: netns_test.py BIN_DIRECTORY MODELS_DIRECTORY [unittest arguments]; exit code 77 where namespaces are not permitted
"""

import signal
import socket
import ssl
import sys
import unittest
from pathlib import Path

import isolation
from hand_off_case import CHUNKS, HandOffCase
from machines import AGENT_PORT, GATEWAY_PORT, conversation
from network import run

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
        self.alone.hearth("cluster", "init", "--name", "alone", "--address", f"{self.alone.host.address}:{AGENT_PORT}")
        foreign = ssl.create_default_context()
        foreign.check_hostname, foreign.verify_mode = False, ssl.CERT_NONE
        foreign.load_cert_chain(self.alone.home / "cluster" / "machine.pem")
        nobody = ssl.create_default_context()
        nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
        for machine in (self.studio, self.spark):
            for context in (None, nobody, foreign):
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


def said_to(address, port, context):
    """What a stranger reads who asks for the status; empty after a refused handshake."""
    said = b""
    with socket.create_connection((address, port), timeout=10) as stream:
        try:
            if context:
                stream = context.wrap_socket(stream)
            stream.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            while piece := stream.recv(1000):
                said += piece
        except OSError:  # ssl.SSLError is one
            pass
        finally:
            stream.close()
    return said


def open_ports(machine):
    """TCP ports that listen in its namespace on other addresses than loopback."""
    ports = set()
    for line in run(*machine.host.command("cat", "/proc/net/tcp", "/proc/net/tcp6")).splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, port = fields[1].rsplit(":", 1)
            if address != "0100007F":
                ports.add(int(port, 16))
    return ports


if __name__ == "__main__":
    isolation.enter()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
