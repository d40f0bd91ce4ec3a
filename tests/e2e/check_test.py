"""hearth check and hearth model pull from outside, with real servers on loopback.

usage: check_test.py BIN_DIRECTORY MODELS_DIRECTORY ENGINE_PREFIX
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import llama_server

BIN = Path(sys.argv[1]).resolve()
MODEL = Path(sys.argv[2]).resolve() / "kimi-tiny-q8_0.gguf"
ENGINE = Path(sys.argv[3]).resolve()


class Host(http.server.BaseHTTPRequestHandler):
    """One model, with ranges or without; cuts each connection after so many bytes."""
    protocol_version = "HTTP/1.1"
    ranges, cut_after, requests = True, None, 0

    def do_GET(self):
        Host.requests += 1
        data = MODEL.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if self.ranges else None
        body = data
        if asked:
            first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
            body = data[first:last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.cut_after is not None and len(body) > self.cut_after:
            self.wfile.write(body[:self.cut_after])
            self.close_connection = True
            return
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever only wanted the head has left

    def log_message(self, *_):
        pass


class Desk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="hearth-check-")
        cls.home = Path(cls.root.name) / "home"
        cls.host = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
        threading.Thread(target=cls.host.serve_forever, daemon=True).start()
        cls.url = f"http://127.0.0.1:{cls.host.server_address[1]}/{MODEL.name}"

    @classmethod
    def tearDownClass(cls):
        cls.host.shutdown()
        cls.host.server_close()
        cls.root.cleanup()

    def setUp(self):
        Host.ranges, Host.cut_after = True, None
        self.work = Path(tempfile.mkdtemp(dir=self.root.name))

    def hearth(self, *arguments, status=0):
        environment = dict(os.environ, HEARTH_HOME=str(self.home), OMP_WAIT_POLICY="passive")
        done = subprocess.run([BIN / "hearth", *map(str, arguments)], env=environment, cwd=self.work, capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def check(self, *arguments, status=0, smoke=False):
        done = self.hearth("check", "--json", *([] if smoke else ["--no-smoke"]), *arguments, status=status)
        found = json.loads(done.stdout)
        self.assertEqual(found["ok"], status == 0)
        # What this machine is like is not what is tested here.
        machine = ("clock.", "memory.", "power.", "link.", "disk.", "limits.")
        return {one["id"]: one for one in found["findings"] if not one["id"].startswith(machine)}

    def copy_of_the_model(self, name=MODEL.name):
        shutil.copy(MODEL, self.work / name)
        return self.work / name

    def test_this_machines_engine_is_tried(self):
        self.assertEqual(list(self.check(smoke=True)), ["lock.missing"])

    def test_pinned_set_up_then_a_flipped_byte_and_another_engine(self):
        model = self.copy_of_the_model()
        pinned = self.hearth("check", "--no-smoke", "--model", f"{model}={self.url}", "--pin")
        self.assertIn("+ engine = ", pinned.stdout)
        self.assertEqual(self.check(), {})
        with open(model, "r+b") as file:
            file.seek(-7, os.SEEK_END)
            file.write(b"\x7f")
        self.assertIn("model.wrong_digest", self.check(status=1))
        lock = self.work / "hearth.lock"
        lock.write_text(re.sub(r'"engine" = ".*"', '"engine" = "0.6.0"', lock.read_text()))
        found = self.check("--no-digests", status=1)
        self.assertIn("- engine = 0.6.0", found["version.skew"]["fact"])
        self.assertIn("mend", found["version.skew"])
        diff = self.hearth("check", "--no-smoke", "--pin").stdout
        self.assertIn("- engine = 0.6.0", diff)
        self.assertIn(f"+ file {MODEL.name} = ", diff)

    def test_a_lock_is_made_where_there_is_none_and_else_held_to(self):
        lock = self.work / "hearth.lock"
        self.assertIn("model.shard_missing", self.check("--model", "k-00001-of-00002.gguf", "--pin-missing", status=1))
        self.assertFalse(lock.exists(), "what blocks is not pinned")
        model = self.copy_of_the_model()
        self.assertEqual(self.check("--model", model, "--pin-missing"), {})
        self.assertIn(MODEL.name, lock.read_text())
        other = re.sub(r'"engine" = ".*"', '"engine" = "0.6.0"', lock.read_text())
        lock.write_text(other)
        self.assertIn("version.skew", self.check("--model", model, "--pin-missing", status=1))
        self.assertEqual(lock.read_text(), other)

    def test_what_is_not_there(self):
        self.assertIn("model.shard_missing", self.check("--model", "k-00001-of-00002.gguf", status=1))
        self.assertIn("endpoint.down", self.check("--service", "llama-server=http://127.0.0.1:9", status=1))
        Host.ranges = False
        model = self.copy_of_the_model()
        self.assertIn("url.no_ranges", self.check("--model", f"{model}={self.url}"))
        renamed = self.copy_of_the_model("kimi-Q2_K.gguf")
        self.assertIn("model.quant_name", self.check("--model", renamed, status=1))

    def test_wrong_flags_and_files_are_usage(self):
        self.hearth("check", "--service", "http://127.0.0.1:9", status=2)
        (self.work / "hearth.lock").write_text("format = 1\n[[link]]\nmbit_s = 'x'\n")
        done = self.hearth("check", "--no-smoke", status=2)
        self.assertIn("hearth.lock:3", done.stderr)

    def test_a_real_llama_server_passes(self):
        if not llama_server.is_in(ENGINE):
            self.skipTest("no llama-server; scripts/setup.sh unpacks it")
        os.environ["CHECK_TEST_KEY"] = "secret"
        self.addCleanup(os.environ.pop, "CHECK_TEST_KEY")
        server = llama_server.LlamaServer(ENGINE, MODEL, self.work / "log", "-c", "4096", "--api-key", "secret")
        try:
            found = self.check("--service", f"llama-server={server.url},key=CHECK_TEST_KEY", "--known-good")
        finally:
            server.stop()
        # It does not make a model call that does not want to, with a template of ours.
        found.pop("smoke.tool_call", None)
        self.assertEqual([one for one in found.values() if one["severity"] != "note"], [])

    def test_pull_goes_on_where_it_was_cut(self):
        Host.cut_after = 1_000_000
        done = json.loads(self.hearth("model", "pull", self.url, "--to", "models", "--json").stdout)
        self.assertEqual((self.work / "models" / MODEL.name).read_bytes(), MODEL.read_bytes())
        self.assertEqual(done["files"][0]["bytes"], MODEL.stat().st_size)
        again = json.loads(self.hearth("model", "pull", self.url, "--to", "models", "--json").stdout)
        self.assertEqual(again["files"][0]["fetched_bytes"], 0)

    def test_pull_after_kill_fetches_the_rest(self):
        environment = dict(os.environ, HEARTH_HOME=str(self.home))
        Host.cut_after = 300_000
        child = subprocess.Popen([BIN / "hearth", "model", "pull", self.url], env=environment, cwd=self.work,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child.kill()
        child.wait()
        Host.cut_after = None
        self.hearth("model", "pull", self.url)
        self.assertEqual((self.work / MODEL.name).read_bytes(), MODEL.read_bytes())

    def test_pull_of_a_pinned_model_is_held_to_its_digest(self):
        model = self.copy_of_the_model()
        self.hearth("check", "--no-smoke", "--model", f"{model}={self.url}", "--pin")
        done = json.loads(self.hearth("model", "pull", MODEL.name, "--to", "again", "--json").stdout)
        self.assertTrue(done["files"][0]["checked"])
        lock = self.work / "hearth.lock"
        lock.write_text(re.sub(r'sha256 = "[0-9a-f]{64}"\n$', f'sha256 = "{"a" * 64}"\n', lock.read_text()))
        refused = self.hearth("model", "pull", MODEL.name, "--to", "third", status=2)
        self.assertIn("SHA-256", refused.stderr)
        self.assertFalse((self.work / "third" / MODEL.name).exists())

    def test_pull_of_nonsense(self):
        self.hearth("model", "pull", "kimi", status=2)
        self.hearth("model", "pull", self.url, "--size-max-gb", "0", status=3)
        self.assertIn("hearth model pull", self.hearth("model", "pull", "--help").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
