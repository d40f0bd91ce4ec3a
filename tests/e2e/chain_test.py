"""hearth eval chain against services on loopback that call tools. Usage: chain_test.py BIN_DIR"""

import http.server
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
STEP = re.compile(r'Step (\d+): (\w+) with item "([^"]+)", amount (\d+)(?:, and as proof the ticket that step (\d+) gave)?\.')


class Agent(http.server.BaseHTTPRequestHandler):
    """Carries out the steps, and errs with a set probability by making a ticket up."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": "agent", "object": "model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked += 1
            wrong = self.server.random.random() < self.server.error_rate
        task = next(m["content"] for m in request["messages"] if m["role"] == "user")
        if not isinstance(task, str):
            task = "".join(part["text"] for part in task)
        steps = STEP.findall(task)
        tickets = [re.search(r"The ticket for step 1 is (\w+)\.", task).group(1)]
        for message in request["messages"]:
            if message["role"] == "tool" and '"ticket"' in message["content"]:
                tickets.append(json.loads(message["content"])["ticket"])
        _, tool, item, amount, proof = steps[min(len(tickets) - 1, len(steps) - 1)]
        arguments = {"item": item, "amount": int(amount), "ticket": "ZZZZZZZ" if wrong else tickets[-1]}
        if proof:
            arguments["proof"] = tickets[int(proof)]
        call = {"index": 0, "id": f"call_{len(request['messages'])}", "type": "function",
                "function": {"name": tool, "arguments": json.dumps(arguments)}}
        chunks = [{"role": "assistant", "tool_calls": [call]}, {}]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for i, delta in enumerate(chunks):
            choice = {"index": 0, "delta": delta, "finish_reason": "tool_calls" if i == 1 else None}
            self.write({"choices": [choice]})
        self.write({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def write(self, chunk):
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "agent"}
        self.wfile.write(b"data: " + json.dumps(head | chunk).encode() + b"\n\n")


class Service:
    def __init__(self, error_rate):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent)
        self.server.daemon_threads = True
        self.server.lock, self.server.random = threading.Lock(), random.Random(1)
        self.server.error_rate, self.server.asked = error_rate, 0
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def arms_text(services):
    upstreams = "".join(f'[[upstream]]\nname = "{name}"\nkind = "openai"\nurl = "{url}"\nreach = "cluster"\nmodel = "agent"\n'
                        for name, url in services)
    if len(services) == 1:  # an arms file has two arms; --arm chooses
        services = [*services, ("unused", services[0][1])]
    return upstreams + "".join(f'[[arm]]\nname = "{name}"\nupstream = "{services[0][0] if name == "unused" else name}"\nquantisation = "none"\ntemperature = 0\n'
                               for name, _ in services)


class Chain(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-chain-test-")
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def service(self, error_rate):
        service = Service(error_rate)
        self.addCleanup(service.stop)
        return service

    def command(self, services, *arguments):
        arms = self.root / "arms.toml"
        arms.write_text(arms_text(services))
        chosen = [flag for name, _ in services for flag in ("--arm", name)]
        return [str(BIN / "hearth"), "eval", "chain", "--arms", str(arms), *chosen, "--study", str(self.root / "chains"), "--calls", "8",
                "--retries", "0", "--json", *map(str, arguments)]

    def chain(self, services, *arguments):
        return subprocess.run(self.command(services, *arguments), capture_output=True, text=True, timeout=120)

    def test_survival_of_two_arms_and_their_comparison(self):
        good, bad = self.service(0), self.service(0.25)
        done = self.chain([("good", good.url), ("bad", bad.url)], "--chains", 24, "--distractors", 5)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["s8"], 1)
        self.assertIsNone(found["half_life"])
        self.assertEqual([point["k"] for point in found["survival"]], list(range(1, 9)))
        worse = found["arms"][1]
        self.assertLess(worse["s8"], 0.5)
        self.assertEqual(set(worse["errors"]), {"hallucinated_argument"})
        for point in worse["survival"]:
            self.assertLessEqual(point["low"], point["s"])
            self.assertLessEqual(point["s"], point["high"])
        self.assertLess(found["comparisons"][0]["p_worse"], 0.001)
        asked = good.server.asked
        again = self.chain([("good", good.url), ("bad", bad.url)], "--chains", 24, "--distractors", 5)
        self.assertEqual(again.stdout, done.stdout)
        self.assertEqual(good.server.asked, asked)

    def test_killed_it_goes_on_and_asks_for_no_finished_chain_again(self):
        service = self.service(0)
        services = [("arm", service.url)]
        child = subprocess.Popen(self.command(services, "--chains", 30), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end and service.server.asked < 60:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        done = self.chain(services, "--chains", 30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["chains"], 30)
        self.assertLessEqual(service.server.asked, 30 * 8 + 9)

    def test_forced_calls_show_what_its_own_history_does(self):
        service = self.service(0)
        done = self.chain([("arm", service.url)], "--chains", 4, "--forced")
        found = json.loads(done.stdout)
        self.assertEqual([point["right"] for point in found["forced"]], [4] * 8)
        self.assertEqual(found["self_conditioning"], 0)

    def test_an_arm_outside_the_house_goes_by_egress_alone_and_stays_under_its_cap(self):
        service = self.service(0)
        arms = arms_text([("far", service.url)]).replace('reach = "cluster"', 'reach = "remote"\nkey_variable = "FAR_KEY"\nprices = { answer = 10 }')
        capped = lambda dollars: arms.replace("temperature = 0\n", f"temperature = 0\nmoney_max = {dollars}\n")
        (self.root / "arms.toml").write_text(arms)
        command = [str(BIN / "hearth"), "eval", "chain", "--arms", str(self.root / "arms.toml"), "--arm", "far", "--study", str(self.root / "chains"),
                   "--calls", "8", "--chains", "8", "--turn-tokens", "10", "--tries", "1", "--json"]
        run = lambda: subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ, HEARTH_HOME=str(self.root)))
        done = run()
        self.assertEqual(done.returncode, 2)
        self.assertIn("'money_max' is missing: this arm has a price", done.stderr)
        (self.root / "arms.toml").write_text(capped(0.002))
        done = run()
        self.assertEqual(done.returncode, 3)
        self.assertIn("hearth egress", done.stderr)  # it is not there, and nothing else reaches the service
        self.assertEqual(service.server.asked, 0)
        config = self.root / "hearth.toml"
        config.write_text(f'[[upstream]]\nname = "far"\nkind = "openai"\nurl = "{service.url}"\nreach = "remote"\nkey_variable = "FAR_KEY"\n')
        egress = subprocess.Popen([BIN / "hearth", "egress", "--config", config], stdout=subprocess.PIPE, text=True,
                                  env=dict(os.environ, HEARTH_HOME=str(self.root), FAR_KEY="secret"))
        try:
            self.assertTrue(egress.stdout.readline().startswith("ready"))
            done = run()
            self.assertEqual(done.returncode, 3)
            self.assertIn("arm far: its cap of 0.002 dollars is reached", done.stderr)
            # Five tokens a call, of ten that it might have been: 39 calls fit.
            self.assertEqual(service.server.asked, 39)
            (self.root / "arms.toml").write_text(capped(1))
            done = run()
        finally:
            egress.terminate()
            egress.wait(timeout=30)
            egress.stdout.close()
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["chains"], found["s8"]), (8, 1))
        self.assertAlmostEqual(found["usd"], service.server.asked * 5 * 10 / 1e6)

    def test_bad_input_is_named(self):
        service = self.service(0)
        for arguments, word in ((("--chains", 0), "--chains"), (("--calls", 1000), "calls"), (("--distractors", 99), "distractor"),
                                (("--arm", "nobody"), "nobody")):
            done = self.chain([("arm", service.url)], *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)
        done = self.chain([("arm", service.url)], "--report-only")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no chain", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
