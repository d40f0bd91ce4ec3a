"""A day of sealed work with every interface of the house watched: not one packet goes beyond it.

usage: seal_capture_test.py BIN_DIRECTORY MODELS_DIRECTORY; exit code 77 where namespaces are not permitted

The house is a network namespace with one link. In it run hearth egress, with a service outside configured, and hearth
serve; outside, an address answers nothing. A program captures what is seen on every interface but the loopback.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import isolation
from logs import print_ends
from network import OUTSIDE, Network

BIN, MODEL = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() / "llama-tiny-q8_0.gguf"
SEALED_KEY, OPEN_KEY, PORT = "key-of-sealed-work", "key-of-open-work", 8484
CONFIG = f"""
[serve]
model = "{MODEL}"
api_keys = ["{SEALED_KEY}", "{OPEN_KEY}"]
[seal]
key_labels = ["{SEALED_KEY}=sealed"]
[limits]
requests = 2
[[upstream]]
name = "away"
kind = "anthropic"
url = "https://{OUTSIDE}:9443"
model = "away-1"
reach = "remote"
[routes.class.away]
policy = "cloud"
cloud = "away"
[routes.class.first]
policy = "escalate"
cloud = "away"
"""
# One line for each packet that goes out: the interface, and the first bytes. AF_PACKET without an interface hears all of
# them; what comes in are the greetings of the neighbours.
CAPTURE = """
import socket, sys
ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("ready", flush=True)
while True:
    data, (interface, _protocol, kind, *_rest) = ear.recvfrom(65535)
    if interface != "lo" and kind == socket.PACKET_OUTGOING:
        print(interface, data[:64].hex(), flush=True)
"""


class Capture:
    def __init__(self, host):
        self.packets = []
        self.process = subprocess.Popen(host.command(sys.executable, "-u", "-c", CAPTURE), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.packets.append(line.strip())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join(10)
        self.process.stdout.close()


class House:
    def __init__(self):
        self.host = Network().add_host("house")
        for setting in ("all", "default", "eth0"):  # a kernel that greets its neighbours is not what is tested
            self.host.inside("sysctl", "-q", "-w", f"net.ipv6.conf.{setting}.disable_ipv6=1")
        self.directory = tempfile.TemporaryDirectory(prefix="hs")
        self.home = Path(self.directory.name)
        (self.home / "hearth.toml").write_text(CONFIG)
        self.environment = dict(os.environ, HEARTH_HOME=str(self.home), OMP_WAIT_POLICY="passive", TMPDIR=str(self.home))
        self.programs = {}

    def start(self, name, *arguments):
        log = open(self.home / f"{name}.log", "ab")
        process = subprocess.Popen(self.host.command(BIN / "hearth", name, *arguments), env=self.environment, stdout=subprocess.PIPE,
                                   stderr=log, text=True)
        line = process.stdout.readline()
        assert line.startswith("ready"), (self.home / f"{name}.log").read_text()
        self.programs[name] = process

    def stop(self, name, kill=False):
        process = self.programs.pop(name)
        (process.kill if kill else process.terminate)()
        process.wait(60)
        process.stdout.close()

    def serve(self):
        self.start("serve", "--port", str(PORT), "--context", "4096", "--chunk-tokens", "64", "--threads", "1")

    def ask(self, text, key=SEALED_KEY, path="/v1/messages", **headers):
        """In the house: the status and the label. 0: no answer at all."""
        body = {"model": "any", "max_tokens": 8, "messages": [{"role": "user", "content": text}]}
        client = ("import http.client, sys, json\n"
                  f"c = http.client.HTTPConnection('127.0.0.1', {PORT}, timeout=60)\n"
                  "a = json.load(sys.stdin)\n"
                  "try:\n"
                  "    c.request('POST', a['path'], json.dumps(a['body']), a['headers'])\n"
                  "    r = c.getresponse(); r.read()\n"
                  "    print(r.status, r.getheader('X-Hearth-Label'))\n"
                  "except OSError:\n"
                  "    print(0, None)\n")
        fields = {"x-api-key": key, "content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        done = subprocess.run(self.host.command(sys.executable, "-c", client), input=json.dumps({"path": path, "body": body, "headers": fields}),
                              capture_output=True, text=True, timeout=120)
        status, label = done.stdout.split()
        return int(status), label

    def worker(self):
        """The process id of the model's worker."""
        parent = self.programs["serve"].pid
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes()
                status = (path / "status").read_text()
            except OSError:
                continue
            if b"hearth-worker" in command and re.search(rf"^PPid:\t{parent}$", status, re.M):
                return int(path.name)
        return None


class Day(unittest.TestCase):
    def test_sealed_work_sends_no_packet_beyond_the_house(self):
        house = House()
        house.start("egress")
        house.serve()
        capture = Capture(house.host)
        try:
            self.day(house)
            time.sleep(1)
            self.assertEqual(capture.packets, [])
            # The ear works, and open work does go out: to an address where nobody answers.
            house.ask("hello", OPEN_KEY, x_hearth_class="away")
            deadline = time.monotonic() + 20
            while not capture.packets and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertTrue(capture.packets)
        except BaseException:
            print_ends({path.stem: path for path in sorted(house.home.glob("*.log"))})
            raise
        finally:
            capture.stop()
            for name in list(house.programs):
                house.stop(name)

    def day(self, house):
        for path in ("/v1/messages", "/v1/chat/completions"):
            self.assertEqual(house.ask("good morning", path=path), (200, "sealed"))
        for misrouted in ("away", "first"):
            house.ask("sent to the wrong class", x_hearth_class=misrouted)
        self.assertEqual(house.ask("sealed by its header", OPEN_KEY, x_hearth_label="sealed", x_hearth_class="first"), (200, "sealed"))
        house.ask("forged", x_hearth_label="open", x_hearth_class="away")
        house.ask("a key: -----BEGIN PRIVATE KEY-----", OPEN_KEY, x_hearth_class="away")
        session = {"x_claude_code_session_id": "a"}
        house.ask("begun sealed", **session)
        house.ask("continued under an open key", OPEN_KEY, x_hearth_class="away", **session)
        askers = [threading.Thread(target=house.ask, args=(f"many at once {i}",), kwargs={"x_hearth_class": "first"}) for i in range(8)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        os.kill(house.worker(), 9)
        house.ask("the worker has crashed", x_hearth_class="first")
        house.stop("egress")
        house.ask("the way out is down", x_hearth_class="away")
        house.start("egress")
        house.stop("serve", kill=True)
        house.serve()
        house.ask("after a restart, under an open key", OPEN_KEY, x_hearth_class="away", **session)
        house.host.inside("ip", "link", "set", "eth0", "down")
        house.ask("the link is down", x_hearth_class="away")
        house.host.inside("ip", "link", "set", "eth0", "up")


if __name__ == "__main__":
    isolation.enter(tools=["sysctl"])
    unittest.main(argv=[sys.argv[0], "-v"])
