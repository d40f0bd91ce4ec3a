"""hearth bench from outside: workers, a real llama-server and a Hearth endpoint in one run.

usage: bench_test.py BIN_DIRECTORY MODELS_DIRECTORY ENGINE_PREFIX [TURNS]

With TURNS: also a replay of so many turns of coding agents, twice, against one worker, with its memory watched.
"""

import csv
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

BIN = Path(sys.argv[1]).resolve()
MODEL = Path(sys.argv[2]).resolve() / "kimi-tiny-q8_0.gguf"
ENGINE = Path(sys.argv[3]).resolve()
TURNS = int(sys.argv[4]) if len(sys.argv) > 4 else 0
START_SECONDS = 60
SMALL = ["--context", "4096", "--chunk-tokens", "128", "--threads", "1"]


class LlamaServer:
    def __init__(self, log):
        libraries = next(ENGINE.glob("usr/lib/*/ggml/backends0")).parents[1]
        loader = next(libraries.glob("ld-linux-*.so.*"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = open(log, "wb")
        self.child = subprocess.Popen(
            [loader, "--library-path", f"{libraries}:{libraries}/llama", ENGINE / "usr/bin/llama-server", "-m", MODEL,
             "--host", "127.0.0.1", "--port", str(self.port), "-c", "4096", "-np", "1", "-t", "1", "-b", "128", "--jinja", "--no-warmup"],
            cwd=libraries / "ggml/backends0", stdout=self.log, stderr=self.log, env={"PATH": os.environ["PATH"]})
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.child.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"llama-server did not start; see {log}")

    def stop(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()


class Liar(http.server.BaseHTTPRequestHandler):
    """Speaks OpenAI's completions, and tells usage that cannot be; breaks off every third stream."""
    protocol_version = "HTTP/1.1"
    calls = 0

    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": "liar", "object": "model", "owned_by": "x"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Liar.calls += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        def send(value):
            self.wfile.write(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")
        base = {"id": "x", "object": "chat.completion.chunk", "model": "liar", "created": 1}
        for word in ("one ", "two ", "three ", "four "):
            send(dict(base, choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]))
        if Liar.calls > 2 and Liar.calls % 3 == 0:
            return
        send(dict(base, choices=[{"index": 0, "delta": {}, "finish_reason": "length"}]))
        send(dict(base, choices=[], usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}))
        send(b"[DONE]")

    def log_message(self, *_):
        pass


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="hearth-bench-")
        cls.home = Path(cls.root.name) / "home"

    @classmethod
    def tearDownClass(cls):
        cls.root.cleanup()

    def setUp(self):
        self.work = Path(tempfile.mkdtemp(dir=self.root.name))

    def environment(self):
        return dict(os.environ, HEARTH_HOME=str(self.home), OMP_WAIT_POLICY="passive")

    def hearth(self, *arguments, status=0):
        done = subprocess.run([BIN / "hearth", *map(str, arguments)], env=self.environment(), cwd=self.work, capture_output=True,
                              text=True, timeout=300)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def bench(self, *arguments, status=0):
        return json.loads(self.hearth("bench", "--json", "--db", self.work / "b.db", *SMALL, *arguments, status=status).stdout)

    def wait_for_samples(self, wanted):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if (self.work / "b.db").exists():
                runs = json.loads(self.hearth("bench", "ls", "--db", "b.db", "--json").stdout)["runs"]
                if runs and runs[0]["samples"] >= wanted:
                    return
            time.sleep(0.2)
        self.fail(f"waited {START_SECONDS} s for {wanted} samples")

    def start_serve(self):
        child = subprocess.Popen([BIN / "hearth", "serve", "--model", MODEL, "--port", "0", "--no-store", "--context", "4096",
                                  "--threads", "1", "--log", "error"], env=self.environment(), stdout=subprocess.PIPE, text=True)
        line = child.stdout.readline()
        self.assertTrue(line.startswith("ready"), line)
        return child, line.split()[1]

    def stop(self, child):
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        child.stdout.close()

    def test_unlike_engines_stand_in_one_table(self):
        if not (ENGINE / "usr/bin/llama-server").exists():
            self.skipTest("no llama-server; scripts/setup.sh unpacks it")
        server = LlamaServer(self.work / "log")
        serve, url = self.start_serve()
        try:
            run = self.bench("-t", f"llama:llama-server=http://127.0.0.1:{server.port}", "-t", f"here:hearth={url}", "-t", f"split={MODEL}",
                             "--prompt-tokens", "200,600", "--depth", "0,256", "--repeats", 2, "--answer-tokens", 12, "--csv", "b.csv", "--html", "b.html")
        finally:
            server.stop()
            self.stop(serve)
        self.assertEqual(run["state"], "done")
        self.assertEqual({row["target"] for row in run["rows"]}, {"llama", "here", "split"})
        for row in run["rows"]:
            self.assertEqual(row["samples"], 2, row)
            self.assertEqual(row["failures"], 0)
            self.assertGreater(row["ttft_ms"], 0)
            self.assertGreater(row["prefill_tok_s"], 0)
            self.assertGreater(row["decode_tok_s"], 0)
            told = row["told"]
            self.assertAlmostEqual(told["prompt_tokens"], row["prompt_tokens"] + row["depth"], delta=8)
            self.assertGreaterEqual(told["cached_tokens"], 0.8 * row["depth"], row)
        self.assertTrue(any(row.get("hand_off", {}).get("bytes", 0) > 0 for row in run["rows"] if row["target"] == "split"))
        with open(self.work / "b.csv") as file:
            self.assertEqual(len(list(csv.DictReader(file))), len(run["rows"]))
        page = (self.work / "b.html").read_text()
        self.assertIn("<svg", page)
        self.assertNotIn("src=", page)
        again = json.loads(self.hearth("bench", "show", "last", "--db", "b.db", "--json").stdout)
        self.assertEqual(again["rows"], run["rows"])
        other = self.hearth("bench", "compare", run["run"], "last", "--db", "b.db").stdout
        self.assertIn("within the noise", other)

    def test_lies_and_broken_streams_are_told_beside_the_numbers(self):
        host = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
        threading.Thread(target=host.serve_forever, daemon=True).start()
        try:
            run = self.bench("-t", f"openai=http://127.0.0.1:{host.server_address[1]}/v1#liar", "--prompt-tokens", 300, "--repeats", 4, "--warm-ups", 0)
        finally:
            host.shutdown()
            host.server_close()
        row = run["rows"][0]
        found = " ".join(one["finding"] for one in row["findings"])
        self.assertIn("3 prompt tokens for", found)
        self.assertIn("1 answer tokens and sent", found)

    def test_interrupt_keeps_what_was_measured(self):
        child = subprocess.Popen([BIN / "hearth", "bench", "--db", self.work / "b.db", *SMALL, "-t", f"worker={MODEL}", "--prompt-tokens", "50",
                                  "--repeats", "100000", "--answer-tokens", "4"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_samples(3)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        self.assertIn("interrupted", out)
        run = json.loads(self.hearth("bench", "show", "--db", "b.db", "--json").stdout)
        self.assertEqual(run["state"], "interrupted")
        self.assertGreaterEqual(run["rows"][0]["samples"], 3)

    def test_a_model_that_changes_voids_the_run(self):
        model = self.work / "m.gguf"
        shutil.copy(MODEL, model)
        child = subprocess.Popen([BIN / "hearth", "bench", "--db", self.work / "b.db", *SMALL, "-t", f"worker={model}", "--prompt-tokens", "50",
                                  "--repeats", "100000", "--answer-tokens", "4"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_samples(1)
        os.utime(model)
        out, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 2, errors)
        self.assertIn("void: ", out)
        self.assertIn("changed while it was measured", errors)
        self.hearth("bench", "compare", "last", "last", "--db", "b.db", status=2)

    def test_predictions_stand_beside_measurements(self):
        run = self.bench("-t", f"worker={MODEL}", "--prompt-tokens", 100, "--repeats", 1, "--warm-ups", 0, "--answer-tokens", 4,
                         "--predict", "reference", "--model", MODEL)
        predicted = run["rows"][0]["predicted"]
        self.assertIn("ttft_ms", predicted)
        self.assertIn("ttft_ms_error", predicted)

    def test_a_trace_is_replayed(self):
        trace = self.work / "t.jsonl"
        trace.write_text("".join(json.dumps({"timestamp": 100 * i, "input_length": 60 + i, "output_length": 3, "hash_ids": [0, i + 1]}) + "\n" for i in range(8)))
        row = self.bench("-t", f"worker={MODEL}", "--trace", trace, "--block-tokens", 32, "--speed", 0)["rows"][0]
        self.assertEqual((row["workload"], row["samples"]), ("t", 8))
        trace.write_text('{"timestamp": 0}\n')
        done = self.hearth("bench", "-t", f"worker={MODEL}", "--trace", trace, status=2)
        self.assertIn("t.jsonl:1", done.stderr)

    def test_wrong_flags_are_usage(self):
        self.hearth("bench", status=2)
        self.hearth("bench", "-t", "worker=none.gguf", "--prompt-tokens", "many", status=2)
        self.hearth("bench", "-t", "llama-server=http://127.0.0.1:9", status=3)
        self.hearth("bench", "show", "77", "--db", "none.db", status=2)

    @unittest.skipIf(TURNS == 0, "only with a number of turns")
    def test_many_agent_turns_in_bounded_memory(self):
        arguments = ["-t", f"worker={MODEL}", "--agents", TURNS, "--scale", "0.02", "--speed", 0, "--in-flight", 1, "--name", "agents"]
        child = subprocess.Popen([BIN / "hearth", "bench", "--json", "--db", self.work / "b.db", *SMALL, *map(str, arguments)],
                                 env=self.environment(), stdout=subprocess.PIPE, text=True)
        sizes = []
        reader = threading.Thread(target=lambda: sizes.append(child.stdout.read()))
        reader.start()
        resident = []
        while reader.is_alive():
            try:
                resident.append(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{child.pid}/status").read_text())[1]))
            except (OSError, TypeError):
                pass
            reader.join(1)
        child.wait()
        child.stdout.close()
        first = json.loads(sizes[0])["rows"][0]
        self.assertEqual(first["samples"], TURNS)
        self.assertEqual(first["failures"], 0)
        settled = max(resident[:max(1, len(resident) // 4)])
        print(f"hearth bench: {settled} kB after a quarter, {max(resident)} kB at most; worker {first['memory_bytes']} B at most")
        self.assertLess(max(resident), settled * 1.25 + 8192)
        second = self.bench(*arguments)["rows"][0]
        print(json.dumps({"first": first["intervals"]["tpot_ms"], "second": second["intervals"]["tpot_ms"]}))
        changes = json.loads(self.hearth("bench", "compare", 1, 2, "--db", "b.db", "--json").stdout)["changes"]
        print(json.dumps(changes))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
