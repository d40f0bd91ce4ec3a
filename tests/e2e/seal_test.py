#!/usr/bin/env python3
"""The seal and the vault from outside: real programs, a tiny model.  seal_test.py BIN_DIR MODELS_DIR"""

import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BIN, MODELS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
MODEL = MODELS / "llama-tiny-q8_0.gguf"
START_SECONDS = 120
PASSPHRASE = "correct horse battery"
SEALED_KEY, OPEN_KEY = "key-of-sealed-work", "key-of-open-work"
CONFIG = f"""
[serve]
api_keys = ["{SEALED_KEY}", "{OPEN_KEY}"]
[seal]
key_labels = ["{SEALED_KEY}=sealed"]
folders = ["/home/somebody/diary=sealed"]
"""


def words(seed, count):
    source = random.Random(seed)
    return " ".join("".join(source.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(7)) for _ in range(count))


class Home:
    """A HEARTH_HOME and what is run in it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="hearth-seal-e2e")
        self.path = pathlib.Path(self.directory.name)
        (self.path / "hearth.toml").write_text(CONFIG)
        self.environment = dict(os.environ, HEARTH_HOME=str(self.path), OMP_WAIT_POLICY="passive", TMPDIR=str(self.path))
        self.server = None

    def hearth(self, *arguments, passphrases=(), status=0):
        """Passphrases go in on descriptors 3, 4, as a person's script would do it."""
        pipes = [os.pipe() for _ in passphrases]
        for (_, end), text in zip(pipes, passphrases):
            os.write(end, text.encode() + b"\n")
            os.close(end)
        flags = [str(a).replace("@FD0", str(pipes[0][0]) if pipes else "").replace("@FD1", str(pipes[1][0]) if len(pipes) > 1 else "")
                 for a in arguments]
        done = subprocess.run([BIN / "hearth", *flags], env=self.environment, capture_output=True, text=True, timeout=120,
                              pass_fds=[end for end, _ in pipes])
        for end, _ in pipes:
            os.close(end)
        if done.returncode != status:
            raise AssertionError(f"{flags}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def vault(self, verb, *arguments, **more):
        return self.hearth("vault", verb, *arguments, **more)

    def unlock(self):
        self.vault("unlock", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE])

    def serve(self):
        self.log = open(self.path / "serve.log", "ab")
        self.server = subprocess.Popen([BIN / "hearth", "serve", "--model", MODEL, "--port", "0", "--context", "4096", "--chunk-tokens",
                                        "64", "--threads", "1"], env=self.environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.server.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError("no ready line: " + (self.path / "serve.log").read_text())
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        if self.server:
            self.server.terminate()
            self.server.wait(timeout=60)
            self.server.stdout.close()
            self.log.close()
            self.server = None

    def close(self):
        self.stop()
        subprocess.run([BIN / "hearth", "vault", "lock"], env=self.environment, capture_output=True, timeout=30)
        self.directory.cleanup()

    def ask(self, text, key, headers=None, path="/v1/messages"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        body = {"model": "any", "max_tokens": 4, "messages": [{"role": "user", "content": text}]}
        connection.request("POST", path, json.dumps(body), {"x-api-key": key, "content-type": "application/json", **(headers or {})})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, reply.getheader("X-Hearth-Label"), json.loads(data)

    def labelled(self):
        """Conversations above open, by name."""
        return {one["conversation"]: one["label"] for one in json.loads(self.hearth("seal", "status", "--json").stdout)["conversations"]}

    def wait_for_files(self, pattern):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if found := list(self.path.rglob(pattern)):
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {pattern} came")

    def holds(self, needle):
        return [path for path in self.path.rglob("*") if path.is_file() and needle in path.read_bytes()]


class Vault(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)

    def test_a_life(self):
        home = self.home
        home.vault("status", status=2)
        home.vault("init", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE])
        home.vault("init", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE], status=2)
        self.assertIn("not the vault's", home.vault("unlock", "--passphrase-fd", "@FD0", passphrases=["wrong horse"], status=3).stderr)
        home.unlock()
        self.assertFalse(json.loads(home.vault("status", "--json").stdout)["locked"])
        home.vault("lock")
        self.assertTrue(json.loads(home.vault("status", "--json").stdout)["locked"])
        home.vault("passphrase", "--passphrase-fd", "@FD0", "--new-passphrase-fd", "@FD1", passphrases=[PASSPHRASE, "battery staple"])
        home.vault("unlock", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE], status=3)
        copy = home.path / "copy"
        home.vault("backup", copy)
        home.vault("wipe", "--confirm", "yes", status=2)
        home.vault("wipe", "--confirm", "wipe the vault")
        self.assertFalse((home.path / "vault").exists())
        home.vault("restore", copy)
        home.vault("unlock", "--passphrase-fd", "@FD0", passphrases=["battery staple"])

    def test_a_damaged_vault_says_so(self):
        home = self.home
        home.vault("init", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE])
        key = home.path / "vault" / "vault.key"
        key.write_bytes(b"x" + key.read_bytes()[1:])
        home.unlock()  # by the copy
        home.vault("lock")
        (home.path / "vault" / "vault.key.copy").write_bytes(b"")
        self.assertIn("vault.key", home.vault("unlock", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE], status=2).stderr)

    def test_a_keyring_command(self):
        ring = self.home.path / "ring"
        ring.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
        ring.chmod(0o700)
        self.home.vault("init", "--passphrase-command", ring)
        self.home.vault("unlock", "--passphrase-command", ring)


class Serve(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)

    def test_labels(self):
        home = self.home
        home.serve()
        self.assertEqual(home.ask("hello", OPEN_KEY)[:2], (200, "open"))
        self.assertEqual(home.ask("hello", SEALED_KEY)[:2], (200, "sealed"))
        self.assertEqual(home.ask("hello", OPEN_KEY, {"x-hearth-label": "house"})[:2], (200, "house"))
        self.assertEqual(home.ask("see /home/somebody/diary/may.md", OPEN_KEY)[:2], (200, "sealed"))
        status, _, body = home.ask("hello", SEALED_KEY, {"x-hearth-label": "open"})
        self.assertEqual((status, body["error"]["type"]), (403, "permission_error"))
        session = {"x-claude-code-session-id": "one"}
        before = home.labelled()
        home.ask("hello", SEALED_KEY, session)
        self.assertEqual(home.ask("hello again", OPEN_KEY, session)[1], "sealed")
        home.stop()
        home.serve()
        self.assertEqual(home.ask("hello again", OPEN_KEY, session)[1], "sealed")
        home.stop()
        self.assertEqual(list(before.values()).count("house"), 1)
        found = {name: label for name, label in home.labelled().items() if name not in before}
        self.assertEqual(list(found.values()), ["sealed"])
        name = next(iter(found))
        home.hearth("seal", "lower", name, "--why", "published", "--confirm", "please", status=3)
        home.hearth("seal", "lower", name, "--why", "published", "--confirm", f"lower {name} from sealed to open")
        self.assertIn("sound", home.hearth("seal", "log").stdout)
        home.serve()
        self.assertEqual(home.ask("hello again", OPEN_KEY, session)[1], "open")

    def test_nobody_looks_into_a_worker_and_it_leaves_no_core(self):
        home = self.home
        other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}  # root sees everything anyway
        os.chmod(home.path, 0o777)
        worker = subprocess.Popen([BIN / "hearth-worker", "serve", "--model", MODEL, "--socket", home.path / "w.sock", "--context", "512",
                                   "--threads", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **other)
        try:
            for line in worker.stdout:
                if json.loads(line)["event"] == "ready":
                    break
            else:
                self.fail(worker.stderr.read())
            limits = pathlib.Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
            core = [line.split() for line in limits if line.startswith("Max core file size")]
            self.assertEqual(core[0][4:6], ["0", "0"])
            # What the kernel calls not dumpable belongs to root, whoever runs it.
            self.assertEqual(os.stat(f"/proc/{worker.pid}/environ").st_uid, 0)
        finally:
            worker.stdin.close()
            worker.wait(timeout=60)
            worker.stdout.close()
            worker.stderr.close()

    def test_sealed_kv_outlives_a_restart_and_is_nowhere_plain(self):
        home = self.home
        home.vault("init", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE])
        home.unlock()
        home.serve()
        secret, harmless = words(1, 60), words(2, 60)
        home.ask(secret, SEALED_KEY)
        home.ask(harmless, OPEN_KEY)
        home.wait_for_files("*.skv")
        home.wait_for_files("*.kv")
        home.stop()
        # A chunk's header has the tokens of its text: 32 of them, somewhere in a plain chunk.
        plain = next(iter(home.path.rglob("*.kv"))).read_bytes()
        self.assertTrue(plain)
        for canary in (secret.encode(), secret.encode()[:40], secret.encode().hex().encode()):
            self.assertEqual(home.holds(canary), [])
        home.serve()
        _, label, body = home.ask(secret, SEALED_KEY)
        self.assertEqual(label, "sealed")
        self.assertGreater(body["usage"]["cache_read_input_tokens"], 60)
        # Its text is known under another key, without any session.
        self.assertEqual(home.ask(secret, OPEN_KEY)[1], "sealed")
        self.assertEqual(home.ask(harmless, OPEN_KEY)[1], "open")

    def test_locked_is_answered_and_nothing_is_kept(self):
        home = self.home
        home.vault("init", "--passphrase-fd", "@FD0", passphrases=[PASSPHRASE])
        home.unlock()
        home.serve()
        secret = words(3, 60)
        home.ask(secret, SEALED_KEY)
        home.stop()  # all that is kept is on the disk
        kept = len(list(home.path.rglob("*.skv")))
        self.assertGreater(kept, 0)
        home.serve()
        home.ask(secret, SEALED_KEY)
        home.vault("lock")
        deadline = time.monotonic() + START_SECONDS  # the worker that held it ends, another loads
        while home.ask(words(4, 60), SEALED_KEY)[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(home.ask(words(5, 60), SEALED_KEY)[0], 200)
        home.stop()
        self.assertEqual(len(list(home.path.rglob("*.skv"))), kept)
        self.assertEqual(list((home.path / "chunks").rglob("*.kv")), [])


class Run(unittest.TestCase):
    """A client without a way out."""

    CLIENT = """
import os, socket, sys, urllib.request
def reaches(host, port):
    try:
        socket.create_connection((host, port), 2).close()
        return True
    except OSError:
        return False
print(urllib.request.urlopen(os.environ["HEARTH_URL"] + "/health").status)
print(reaches("127.0.0.1", int(sys.argv[1])), reaches("10.255.255.1", 80), reaches("localhost", 53))
try:
    socket.getaddrinfo("example.com", 443)
    print("resolved")
except OSError:
    print("no names")
print(os.environ.get("HTTPS_PROXY"), os.environ.get("ANTHROPIC_API_KEY"), os.environ["ANTHROPIC_BASE_URL"])
print(sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [])
sys.exit(7)
"""

    def test_reaches_the_gateway_and_nothing_else(self):
        home = Home()
        self.addCleanup(home.close)
        home.serve()
        with socket.create_server(("127.0.0.1", 0)) as other:
            done = subprocess.run([BIN / "hearth", "seal", "run", "--gateway", f"http://127.0.0.1:{home.port}", "--", sys.executable, "-c",
                                   self.CLIENT, str(other.getsockname()[1])], capture_output=True, text=True, timeout=60,
                                  env=dict(home.environment, HTTPS_PROXY="http://proxy:1", ANTHROPIC_API_KEY="sk-ant-real"))
            other.settimeout(0)
            self.assertRaises(BlockingIOError, other.accept)
        if "cannot make namespaces" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 7, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "200")
        self.assertEqual(lines[1], "False False False")
        self.assertEqual(lines[2], "no names")
        self.assertEqual(lines[3], "None None http://127.0.0.1:8484")

    # What a client tries that looks for another way.
    AROUND = """
import ctypes, os, socket, sys
home, libc, parent = sys.argv[1], ctypes.CDLL(None), os.getppid()
def tried(what, act):
    try:
        result = act()
        print("no" if isinstance(result, int) and result < 0 else "REACHED", what)
    except OSError:
        print("no", what)
for name in ("egress.sock", "link.sock"):
    tried(name, lambda: socket.socket(socket.AF_UNIX).connect(home + "/" + name))
tried("datagrams", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
tried("the host of a virtual machine", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
tried("io_uring", lambda: libc.syscall(425, 8, ctypes.create_string_buffer(256)))
tried("the memory of the relay", lambda: open(f"/proc/{parent}/mem", "rb"))
tried("the descriptors of the relay", lambda: os.readlink(f"/proc/{parent}/fd/0"))
tried("what lies under /run", lambda: libc.umount(b"/run"))
socket.socketpair()
status = {name: value.strip() for name, _, value in (line.partition(":") for line in open("/proc/self/status"))}
print({name: status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")})
"""
    OPEN_WORK = """
import http.client, json, os, sys
body = {"model": "any", "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]}
client = http.client.HTTPConnection("127.0.0.1", 8484, timeout=60)
client.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": sys.argv[1], "content-type": "application/json", "X-Hearth-Label": "open"})
reply = client.getresponse()
print(reply.status, reply.getheader("X-Hearth-Label"), json.loads(reply.read())["type"])
"""

    def run_sealed(self, home, script, *arguments):
        done = subprocess.run([BIN / "hearth", "seal", "run", "--gateway", f"http://127.0.0.1:{home.port}", "--", sys.executable, "-c", script,
                               *map(str, arguments)], capture_output=True, text=True, timeout=60, env=home.environment)
        if "cannot make namespaces" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def test_finds_no_way_around(self):
        home = Home()
        self.addCleanup(home.close)
        home.serve()
        # hearth egress, where it lies in the configuration directory, and under another name of the same socket.
        with socket.socket(socket.AF_UNIX) as egress:
            egress.bind(str(home.path / "egress.sock"))
            egress.listen()
            os.link(home.path / "egress.sock", home.path / "link.sock")
            lines = self.run_sealed(home, self.AROUND, home.path)
            egress.settimeout(0)
            self.assertRaises(BlockingIOError, egress.accept)
        self.assertFalse([line for line in lines if line.startswith("REACHED")], lines)
        none = "0" * 16
        self.assertIn(str({"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1"}), lines)

    def test_what_it_does_is_sealed_whatever_it_says(self):
        home = Home()
        self.addCleanup(home.close)
        home.serve()
        self.assertEqual(self.run_sealed(home, self.OPEN_WORK, OPEN_KEY), ["200 sealed message"])

    def test_without_a_server_it_says_so(self):
        home = Home()
        self.addCleanup(home.close)
        done = subprocess.run([BIN / "hearth", "seal", "run", "--gateway", "http://127.0.0.1:1", "--", "true"], capture_output=True, text=True,
                              timeout=60, env=home.environment)
        self.assertEqual(done.returncode, 3)
        self.assertIn("hearth serve does not answer", done.stderr)


class Check(unittest.TestCase):
    def test_the_house_is_sealed(self):
        home = Home()
        self.addCleanup(home.close)
        found = json.loads(home.hearth("seal", "check", "--json").stdout)
        self.assertTrue(found["sealed"])
        self.assertTrue(found["search_works"])
        self.assertGreater(len(found["paths"]), 150)
        self.assertFalse([path["name"] for path in found["paths"] if path["leaked"]])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
