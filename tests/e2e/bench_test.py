"""hearth bench from outside: workers, a real llama-server and a Hearth endpoint in one run.

usage: bench_test.py BIN_DIRECTORY MODELS_DIRECTORY ENGINE_PREFIX [TURNS]

With TURNS: also a replay of so many turns of coding agents, twice, against one worker, with its memory watched.
"""

import csv
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import llama_server
from jumping_clock import compiler, jumping

BIN = Path(sys.argv[1]).resolve()
MODEL = Path(sys.argv[2]).resolve() / "kimi-tiny-q8_0.gguf"
ENGINE = Path(sys.argv[3]).resolve()
TURNS = int(sys.argv[4]) if len(sys.argv) > 4 else 0
START_SECONDS = 60
SMALL = ["--context", "4096", "--chunk-tokens", "128", "--threads", "1"]


class Liar(http.server.BaseHTTPRequestHandler):
    """Speaks OpenAI's completions, and tells usage that cannot be. After the first two calls every third stream goes
    wrong in its own way: it breaks off, stalls, or turns into garbage; "error" answers 500."""
    protocol_version = "HTTP/1.1"
    calls, mode, over = 0, "breaks", threading.Event()

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
        goes_wrong = Liar.calls > 2 and Liar.calls % 3 == 0
        if goes_wrong and self.mode == "error":
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        def send(value):
            self.wfile.write(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")
        base = {"id": "x", "object": "chat.completion.chunk", "model": "liar", "created": 1}
        for word in ("one ", "two ", "three ", "four "):
            send(dict(base, choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]))
        if goes_wrong:
            self.close_connection = True
            if self.mode == "garbage":
                send(b"\xff\x00 {not json")
            elif self.mode == "stalls":
                self.wfile.flush()
                Liar.over.wait(60)
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

    def samples(self):
        return json.loads(self.hearth("bench", "ls", "--db", "b.db", "--json").stdout)["runs"][0]["samples"]

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
        if not llama_server.is_in(ENGINE):
            self.skipTest("no llama-server; scripts/setup.sh unpacks it")
        server = llama_server.LlamaServer(ENGINE, MODEL, self.work / "log", "-c", "4096", "-b", "128")
        serve, url = self.start_serve()
        try:
            run = self.bench("-t", f"llama:llama-server={server.url}", "-t", f"here:hearth={url}", "-t", f"split={MODEL}",
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
        self.assertIn("Not told: chunks of the reading, the first token.", page)  # of the endpoint
        self.assertIn("<title>the first token", page)                             # of the workers
        self.assertNotIn("src=", page)
        again = json.loads(self.hearth("bench", "show", "last", "--db", "b.db", "--json").stdout)
        self.assertEqual(again["rows"], run["rows"])
        other = self.hearth("bench", "compare", run["run"], "last", "--db", "b.db").stdout
        self.assertIn("within the noise", other)

    def liar(self, mode):
        Liar.calls, Liar.mode, Liar.over = 0, mode, threading.Event()
        host = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
        host.daemon_threads = True
        threading.Thread(target=host.serve_forever, daemon=True).start()
        self.addCleanup(host.server_close)
        self.addCleanup(host.shutdown)
        self.addCleanup(Liar.over.set)
        return f"openai=http://127.0.0.1:{host.server_address[1]}/v1#liar"

    def test_lies_and_broken_streams_are_told_beside_the_numbers(self):
        for mode, reason in (("breaks", "broke its answer off"), ("garbage", "not a JSON object"), ("stalls", "in time"), ("error", "500")):
            with self.subTest(mode):
                run = self.bench("-t", self.liar(mode), "--prompt-tokens", 300, "--repeats", 6, "--warm-ups", 0, "--time-max", 2, "--name", mode)
                self.assertEqual(run["state"], "done")
                row = run["rows"][0]
                found = " ".join(one["finding"] for one in row["findings"])
                self.assertIn("3 prompt tokens for", found)
                self.assertIn("1 answer tokens and sent", found)
                if mode != "error":  # a passing error of a service is tried again
                    self.assertGreater(row["failures"], 0, row)
                    self.assertIn(reason, row["failure_reasons"][0]["reason"])

    def test_a_full_disk_ends_the_run_and_keeps_what_was_written(self):
        full = self.work / "full"
        full.mkdir()
        inside = ["unshare", "--user", "--map-root-user", "--mount"]
        if subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=160k", "none", full], capture_output=True).returncode != 0:
            self.skipTest("no mounts in a namespace here")
        script = 'mount -t tmpfs -o size=160k none "$0" && "$1" bench --json --db "$0/b.db" -t "$2" --prompt-tokens 300 --repeats 2000 >/dev/null; ' \
                 'echo "exit $?"; "$1" bench show last --db "$0/b.db" --json'
        done = subprocess.run([*inside, "sh", "-c", script, full, BIN / "hearth", self.liar("breaks")], env=self.environment(),
                              capture_output=True, text=True, timeout=300)
        code, _, shown = done.stdout.partition("\n")
        self.assertEqual(code, "exit 3", done.stderr)
        self.assertIn("full", done.stderr)
        self.assertGreater(json.loads(shown)["samples"], 10)

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
        os.utime(model)  # what is in it is what it was: the run goes on
        self.wait_for_samples(self.samples() + 2)
        self.assertIsNone(child.poll())
        was = model.stat()
        with open(model, "r+b") as file:  # one byte of a weight, under the old time of modification
            file.seek(-1, os.SEEK_END)
            last = file.read(1)[0]
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last ^ 1]))
        os.utime(model, ns=(was.st_atime_ns, was.st_mtime_ns))
        out, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 2, errors)
        self.assertIn("void: ", out)
        self.assertIn("m.gguf is not what it was: its SHA-256 was", errors)
        run = json.loads(self.hearth("bench", "show", "last", "--db", "b.db", "--json").stdout)
        self.assertTrue(run["state"].startswith("void: "), run["state"])
        files = {file["file"]: file["sha256"] for file in run["environment"]["files"]}
        self.assertEqual(files, {str(model): hashlib.sha256(MODEL.read_bytes()).hexdigest()})
        self.hearth("bench", "compare", "last", "last", "--db", "b.db", status=2)

    def test_predictions_stand_beside_measurements(self):
        (self.work / "here.toml").write_text('''[[machine]]
key = "here"
name = "here"
backend = "cpu"
memory_bytes = 17179869184
planning_bytes = 17000000000
memory_bandwidth_gb_s = 20
source = "by hand"
confidence = "own"
[[machine.prefill_tflops_effective]]
class = "kimi-tiny-q8_0"
low = 0.01
high = 0.02
source = "by hand"
confidence = "own"
''')
        (self.work / "pair.toml").write_text("".join(f'[[member]]\nname = "{n}"\nmachine = "here"\n' for n in "ab") +
                                             '[[connection]]\nends = ["a", "b"]\ngb_s = 1.0\nlatency_us = 50\nhand_off_ms = 5\n')
        own = ["-t", f"alone:worker={MODEL}", "-t", f"split={MODEL}", "--prompt-tokens", 100, "--repeats", 1, "--warm-ups", 0, "--answer-tokens", 4]
        run = self.bench(*own, "--catalog", "here.toml", "--predict", "here", "--predict", "split=pair.toml", "--csv", "b.csv")
        alone, split = (row["predicted"] for row in run["rows"])
        for predicted in (alone, split):
            self.assertIn("ttft_ms_error", predicted)
            self.assertIn("decode_tok_s_error", predicted)
        self.assertGreater(split["ttft_ms"], alone["ttft_ms"] + 4)  # a hand-off more
        with open(self.work / "b.csv") as file:
            self.assertGreater(float(next(csv.DictReader(file))["predicted_ttft_ms"]), 0)
        # A machine that cannot hold two workers' plan says why; a target that is not there is a mistake.
        reasons = self.bench(*own, "--catalog", "here.toml", "--predict", "here")["rows"][1]["predicted"]["why_not"]
        self.assertTrue(reasons)
        self.hearth("bench", *own, "--predict", "nobody=here", status=2)
        self.hearth("bench", "-t", "hearth=http://127.0.0.1:9", "--predict", "reference", status=2)

    @unittest.skipUnless(sys.platform == "linux" and compiler(), "no way to bend a clock here")
    def test_a_wall_clock_that_jumps_changes_no_measurement(self):
        began = time.monotonic()
        environment = jumping(self.environment(), self.work)
        done = subprocess.run([BIN / "hearth", "bench", "--json", "--db", "b.db", *SMALL, "-t", f"worker={MODEL}", "--prompt-tokens", "200", "--depth", "0,100",
                               "--repeats", "4", "--answer-tokens", "8"], env=environment, cwd=self.work, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        took_ms = 1e3 * (time.monotonic() - began)
        run = json.loads(done.stdout)
        self.assertGreater(abs(run["started_s"] - time.time()), 80_000)  # it does jump
        for row in run["rows"]:
            self.assertEqual((row["samples"], row["failures"], row["findings"]), (4, 0, []), row)
            self.assertTrue(0 < row["ttft_ms"] < took_ms, row)
            self.assertTrue(0 < row["gaps_ms"]["p50"] <= row["gaps_ms"]["most"] < took_ms, row)
            self.assertTrue(all(0 < one["ttft_ms"] <= one["total_ms"] < took_ms for one in row["raw"]), row["raw"])
            # The worker's own rates are of a clock that does not jump, too.
            self.assertAlmostEqual(row["prefill_tok_s"] / row["told"]["prefill_tok_s"], 1, delta=0.5)

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
        for flags in (["--repeats", 0], ["--answer-tokens", 0], ["--scale", 0], ["--speed", -1], ["--time-max", 0], ["--trace", "t", "--agents", 3]):
            self.hearth("bench", "-t", "worker=none.gguf", *flags, status=2)
        self.hearth("bench", "-t", "worker=none.gguf", "--prompt-tokens", "many", status=2)
        self.hearth("bench", "-t", "llama-server=http://127.0.0.1:9", status=3)
        self.hearth("bench", "show", "77", "--db", "none.db", status=2)

    def replay_agents(self):
        """One run of TURNS turns of four sessions that fit beside each other; its row, and the bench's own memory by second."""
        child = subprocess.Popen([BIN / "hearth", "bench", "--json", "--db", self.work / "b.db", "--context", "8192", "--chunk-tokens", "128",
                                  "--threads", "1", "-t", f"worker={MODEL}", "--agents", str(TURNS), "--scale", "0.01", "--speed", "0",
                                  "--in-flight", "1", "--name", "agents"], env=self.environment(), stdout=subprocess.PIPE, text=True)
        out = []
        reader = threading.Thread(target=lambda: out.append(child.stdout.read()))
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
        return json.loads(out[0])["rows"][0], resident

    @unittest.skipIf(TURNS == 0, "only with a number of turns")
    def test_many_agent_turns_in_bounded_memory(self):
        rows = []
        for _ in range(2):
            began = time.monotonic()
            row, resident = self.replay_agents()
            self.assertEqual((row["samples"], row["failures"]), (TURNS, 0))
            settled = max(resident[:max(1, len(resident) // 4)])
            print(f"{TURNS} turns in {time.monotonic() - began:.0f} s; hearth bench: {settled} kB after a quarter, {max(resident)} kB at most; "
                  f"worker: {row['memory_bytes'] >> 10} kB at most; told {row['told']}; {json.dumps(row['intervals'])}", flush=True)
            self.assertLess(max(resident), settled * 1.25 + 8192)
            rows.append(row)
        # The same turns: what they hold is the same, and how long they take lies within the two intervals, or near.
        self.assertEqual(rows[0]["told"]["prompt_tokens"], rows[1]["told"]["prompt_tokens"])
        for change in json.loads(self.hearth("bench", "compare", 1, 2, "--db", "b.db", "--json").stdout)["changes"]:
            print(change, flush=True)
            if change["metric"] in ("ttft_ms", "prefill_tok_s", "total_ms"):
                self.assertTrue(change["verdict"] == "within the noise" or abs(change["ratio"] - 1) < 0.1, change)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
