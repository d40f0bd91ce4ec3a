#!/usr/bin/env python3
"""hearth serve sends work where the routes say: to its own model, to a real llama-server, and through
hearth egress to a scripted cloud; in both dialects, tools included.

routes_test.py BIN_DIR MODELS_DIR ENGINE_PREFIX
The llama-server cases are skipped where the engine's tools are not in the prefix.
"""
import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import llama_server

BIN, MODELS, PREFIX = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
MODEL = MODELS / "qwen3moe-tiny-q8_0.gguf"
CLOUD_KEY = "sk-cloud-secret"
TOOLS = [{"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}]


class Cloud(http.server.BaseHTTPRequestHandler):
    """Speaks the Anthropic API: calls a tool when one is declared and has not answered yet."""
    protocol_version = "HTTP/1.1"
    seen, overloaded = [], 0

    def log_message(self, *_):
        pass

    def event(self, kind, **members):
        data = f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def whole(self, json_body):
        data = json.dumps(json_body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Cloud.seen.append((self.path, dict(self.headers), body))
        if self.path == "/v1/messages/count_tokens":
            self.whole({"input_tokens": 123})
            return
        if Cloud.overloaded:
            Cloud.overloaded -= 1
            self.send_response(529)
            self.send_header("retry-after-ms", "10")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event("message_start", message={"id": "msg_1", "role": "assistant", "model": body["model"], "content": [],
                                             "usage": {"input_tokens": 40, "cache_read_input_tokens": 10, "output_tokens": 1}})
        last = body["messages"][-1]["content"]
        answered = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
        if body.get("tools") and not answered:
            self.event("content_block_start", index=0, content_block={"type": "tool_use", "id": "toolu_same", "name": "look", "input": {}})
            for piece in ('{"where"', ': "up"}'):
                self.event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": piece})
            reason = "tool_use"
        else:
            self.event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for piece in ("from ", "the cloud"):
                self.event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
            reason = "end_turn"
        self.event("content_block_stop", index=0)
        self.event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 9})
        self.event("message_stop")
        self.wfile.write(b"0\r\n\r\n")


class Program:
    def __init__(self, command, ready, **options):
        self.child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.errors = []
        self.readers = [threading.Thread(target=lambda: self.errors.extend(self.child.stderr), daemon=True)]
        self.ready = self.child.stdout.readline().strip()
        if not self.ready.startswith(ready):
            self.child.wait()
            raise RuntimeError(f"{command}: {self.ready} {self.child.stderr.read()}")
        self.readers.append(threading.Thread(target=self.child.stdout.read, daemon=True))
        for reader in self.readers:
            reader.start()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        self.child.wait(30)
        for reader in self.readers:
            reader.join()
        self.child.stdout.close()
        self.child.stderr.close()


CONFIG = """
[serve]
model = "{model}"
port = 0
named_keys = ["cloudy=key-cloudy", "llamas=key-llamas", "homely=key-home", "trying=key-trying"]

[worker]
context = 1024
sequences = 2
threads = 1

[[upstream]]
name = "sonnet"
kind = "anthropic"
url = "{cloud}"
model = "claude-test"
key_variable = "TEST_CLOUD_KEY"
reach = "remote"
prices = {{ prompt = 3.0, cached = 0.3, cache_write = 3.75, answer = 15.0 }}

[[upstream]]
name = "llama"
kind = "llama-server"
url = "{llama}"
reach = "house"

[[upstream]]
name = "dead"
kind = "llama-server"
url = "http://127.0.0.1:1"
reach = "house"
tries = 1

[routes.class.cloudwork]
policy = "cloud"
cloud = "sonnet"
keys = ["cloudy"]
models = ["claude-*"]

[routes.class.llamawork]
policy = "local"
local = "llama"
keys = ["llamas"]

[routes.class.tries]
policy = "escalate"
local = "dead"
cloud = "sonnet"
keys = ["trying"]
"""


class Routes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        home = pathlib.Path(cls.folder.name)
        cls.cloud = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
        threading.Thread(target=cls.cloud.serve_forever, daemon=True).start()
        cls.llama = None
        if llama_server.is_in(PREFIX):
            cls.llama = llama_server.LlamaServer(PREFIX, MODEL, home / "llama.log", "-c", "2048")
        (home / "hearth.toml").write_text(CONFIG.format(model=MODEL, cloud=f"http://127.0.0.1:{cls.cloud.server_address[1]}",
                                                        llama=cls.llama.url if cls.llama else "http://127.0.0.1:1"))
        environment = {**os.environ, "HEARTH_HOME": str(home)}
        environment.pop("TEST_CLOUD_KEY", None)
        cls.environment = environment
        cls.egress = Program([BIN / "hearth", "egress"], "ready", env={**environment, "TEST_CLOUD_KEY": CLOUD_KEY})
        cls.serve = Program([BIN / "hearth", "serve"], "ready", env=environment)
        cls.url = cls.serve.ready.split()[1]
        cls.home = home

    @classmethod
    def tearDownClass(cls):
        cls.serve.stop()
        cls.egress.stop()
        cls.cloud.shutdown()
        cls.cloud.server_close()
        if cls.llama:
            cls.llama.stop()
        cls.folder.cleanup()

    def post(self, path, body, key, **headers):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "x-api-key": key, **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def hearth(self, *arguments):
        return subprocess.run([BIN / "hearth", *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=60)

    def last(self):
        # The record is written behind the answer.
        for _ in range(100):
            done = self.hearth("route", "explain", "--last", "--json")
            if done.returncode == 0 and json.loads(done.stdout)["outcome"]:
                return json.loads(done.stdout)
            time.sleep(0.05)
        self.fail(done.stdout + done.stderr)

    def chat(self, text, **more):
        return {"model": "any", "max_tokens": 8, "messages": [{"role": "user", "content": text}], **more}

    def test_a_class_for_the_house_stays_in_the_house(self):
        before = len(Cloud.seen)
        status, headers, body = self.post("/v1/messages", self.chat("hello"), "key-home")
        self.assertEqual(status, 200, body)
        self.assertIn("target=local; class=other", headers["X-Hearth-Route"])
        self.assertEqual(self.last()["answered_by"], "local")
        self.assertEqual(len(Cloud.seen), before)

    def test_anthropic_client_and_cloud_as_it_came(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
        foreign = {"type": "thinking", "thinking": "ours", "signature": "abcdefghijklmnopqrstuvwx"}
        signed = {"type": "thinking", "thinking": "theirs", "signature": "s" * 300}
        request = self.chat("look", tools=TOOLS, stream=True, metadata={"user_id": "device-1"}, thinking={"type": "adaptive"})
        request["messages"] = [{"role": "user", "content": [image, {"type": "text", "text": "look"}]},
                               {"role": "assistant", "content": [foreign, signed, {"type": "text", "text": "a"}]},
                               {"role": "assistant", "content": [foreign]},
                               {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]}]
        status, headers, body = self.post("/v1/messages?beta=true", request, "key-cloudy", **{"anthropic-beta": "some-beta"})
        self.assertEqual(status, 200, body)
        self.assertIn("target=sonnet; class=cloudwork; by=key; policy=cloud", headers["X-Hearth-Route"])
        self.assertIn("toolu_same", body)
        self.assertIn("message_stop", body)
        path, sent_headers, sent = Cloud.seen[-1]
        self.assertEqual(sent_headers["anthropic-beta"], "some-beta")
        self.assertNotIn("metadata", sent)
        self.assertEqual(sent["thinking"], {"type": "adaptive"})
        self.assertEqual(sent["messages"][0]["content"][0], image)
        self.assertEqual(sent["messages"][1]["content"][0], signed)
        self.assertEqual([message["role"] for message in sent["messages"]], ["user", "assistant", "user"])
        self.assertEqual(sent["messages"][2]["content"][0]["cache_control"], {"type": "ephemeral"})
        self.assertEqual(path, "/v1/messages")
        self.assertEqual(sent_headers["x-api-key"], CLOUD_KEY)
        self.assertFalse([name for name in sent_headers if name.lower().startswith("x-hearth")])
        self.assertEqual(sent["model"], "claude-test")
        record = self.last()
        self.assertEqual((record["outcome"], record["model"], record["usage"]["prompt_tokens"]), ("tool_use", "claude-test", 50))
        self.assertAlmostEqual(record["cost_usd"], (40 * 3 + 10 * 0.3 + 9 * 15) / 1e6)

    def test_openai_client_and_anthropic_cloud(self):
        tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
        status, _, body = self.post("/v1/chat/completions", self.chat("look", tools=tools), "key-cloudy")
        self.assertEqual(status, 200, body)
        message = json.loads(body)["choices"][0]["message"]
        call = message["tool_calls"][0]
        self.assertEqual(json.loads(call["function"]["arguments"]), {"where": "up"})
        self.assertNotIn("toolu_same", call["id"])  # ids are our own: theirs may repeat
        follow = self.chat("look", tools=tools)
        follow["messages"] += [message, {"role": "tool", "tool_call_id": call["id"], "content": "nothing"}]
        status, headers, body = self.post("/v1/chat/completions", follow, "key-cloudy")
        self.assertEqual(json.loads(body)["choices"][0]["message"]["content"], "from the cloud")
        self.assertIn("kept", headers["X-Hearth-Route"])
        self.assertEqual(Cloud.seen[-1][2]["messages"][-1]["content"][0]["type"], "tool_result")

    def test_anthropic_client_and_llama_server(self):
        if not self.llama:
            self.skipTest("no llama-server")
        status, headers, body = self.post("/v1/messages", self.chat("hello", stream=True), "key-llamas")
        self.assertEqual(status, 200, body)
        self.assertIn("target=llama", headers["X-Hearth-Route"])
        self.assertIn("text_delta", body)
        self.assertIn("message_stop", body)
        record = self.last()
        self.assertEqual((record["answered_by"], record["reach"]), ("llama", "house"))
        self.assertGreater(record["usage"]["prompt_tokens"], 0)
        status, _, body = self.post("/v1/chat/completions", self.chat("hello"), "key-llamas")
        self.assertTrue(json.loads(body)["choices"][0]["message"]["content"], body)
        status, _, body = self.post("/v1/messages", self.chat("word " * 3000), "key-llamas")
        self.assertEqual(status, 400)
        self.assertRegex(body, r"prompt is too long: \d+ tokens > \d+ maximum")

    def test_overloaded_cloud_is_asked_again(self):
        Cloud.overloaded = 1
        status, _, body = self.post("/v1/chat/completions", self.chat("again"), "key-cloudy")
        self.assertEqual(status, 200, body)
        Cloud.overloaded = 3
        status, headers, body = self.post("/v1/chat/completions", self.chat("and again"), "key-cloudy")
        Cloud.overloaded = 0
        self.assertEqual(status, 503, body)
        self.assertEqual(json.loads(body)["error"]["type"], "service_unavailable_error")

    def test_what_the_cloud_says_of_load_reaches_its_own_clients_as_it_is(self):
        Cloud.overloaded = 1
        status, headers, _ = self.post("/v1/messages", self.chat("load"), "key-cloudy")
        Cloud.overloaded = 0
        self.assertEqual((status, headers["retry-after-ms"]), (529, "10"))

    def test_images_stay_refused_where_the_model_cannot_see(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
        request = self.chat("x")
        request["messages"][0]["content"] = [image]
        self.assertEqual(self.post("/v1/messages", request, "key-home")[0], 400)

    def test_what_fails_in_the_house_escalates_before_it_begins(self):
        status, headers, body = self.post("/v1/messages", self.chat("try this"), "key-trying")
        self.assertEqual(status, 200, body)
        self.assertIn("escalated=sonnet", headers["X-Hearth-Route"])
        self.assertEqual(json.loads(body)["content"][0]["text"], "from the cloud")
        self.assertEqual(self.last()["answered_by"], "sonnet")

    def test_sealed_work_goes_nowhere_else(self):
        before = len(Cloud.seen)
        for label in ("sealed", "house"):
            status, headers, body = self.post("/v1/messages", self.chat(f"secret {label}"), "key-cloudy",
                                              **{"X-Hearth-Label": label, "X-Session-Id": f"s-{label}"})
            self.assertEqual(status, 200, body)
            self.assertIn("target=local", headers["X-Hearth-Route"])
        # The dead one is no machine of the cluster: what is sealed stays with the model here, never escalates.
        status, headers, body = self.post("/v1/messages", self.chat("secret try"), "key-trying", **{"X-Hearth-Label": "sealed"})
        self.assertIn("target=local", headers["X-Hearth-Route"])
        self.assertEqual(len(Cloud.seen), before)
        status, _, body = self.post("/v1/messages", self.chat("secret sealed"), "key-cloudy",
                                    **{"X-Hearth-Label": "open", "X-Session-Id": "s-sealed"})
        self.assertEqual(status, 403, body)
        self.assertEqual(len(Cloud.seen), before)

    def test_nothing_of_the_work_is_in_records_and_logs(self):
        self.post("/v1/messages", self.chat("canary-7421"), "key-cloudy")
        self.last()
        for file in self.home.rglob("*"):
            if file.is_file() and file.name not in ("llama.log", "hearth.toml"):
                data = file.read_bytes()
                self.assertNotIn(b"canary-7421", data, file)
                self.assertNotIn(CLOUD_KEY.encode(), data, file)
        self.assertNotIn("canary-7421", "".join(self.serve.errors) + "".join(self.egress.errors))
        self.assertTrue((self.home / "audit.log").exists())

    def test_explain_before_says_what_is_done_then(self):
        request = {"path": "/v1/messages", "headers": {"x-api-key": "key-cloudy"}, "body": self.chat("explain me")}
        file = self.home / "request.json"
        file.write_text(json.dumps(request))
        told = json.loads(self.hearth("route", "explain", file, "--json").stdout)
        self.post("/v1/messages", request["body"], "key-cloudy")
        done = self.last()
        for key in ("target", "reach", "class", "signal", "rule", "policy", "label", "because"):
            self.assertEqual(told[key], done[key], key)
        people = self.hearth("route", "explain", "--last").stdout
        self.assertTrue(people.startswith("sonnet\n"), people)

    def test_tokens_are_counted_by_whoever_would_answer(self):
        request = {key: value for key, value in self.chat("count me").items() if key != "max_tokens"}
        self.post("/v1/messages", self.chat("before counting"), "key-home")
        before = self.last()["request"]
        status, headers, body = self.post("/v1/messages/count_tokens", request, "key-cloudy")
        self.assertEqual((status, json.loads(body)["input_tokens"], headers["X-Hearth-Count"]), (200, 123, "sonnet"))
        self.assertEqual(Cloud.seen[-1][0], "/v1/messages/count_tokens")
        self.assertEqual(Cloud.seen[-1][2]["model"], "claude-test")
        seen = len(Cloud.seen)
        for key, by, label in (("key-home", "local", {}), ("key-llamas", "estimate", {}), ("key-cloudy", "local", {"X-Hearth-Label": "sealed"})):
            status, headers, body = self.post("/v1/messages/count_tokens", {**request, "system": key + str(label)}, key, **label)
            self.assertEqual((status, headers["X-Hearth-Count"]), (200, by), body)
            self.assertGreater(json.loads(body)["input_tokens"], 5)
            self.assertEqual(headers["X-Hearth-Label"], label.get("X-Hearth-Label", "open"))
        self.assertEqual(len(Cloud.seen), seen)
        self.assertEqual(self.last()["request"], before)  # nothing was decided by asking

    def test_calls_that_go_round_in_circles_are_told_of_wherever_they_are_answered(self):
        request = self.chat("go", tools=TOOLS, stream=True)
        for i in range(3):
            request["messages"] += [{"role": "assistant", "content": [{"type": "tool_use", "id": f"toolu_{i}", "name": "look", "input": {}}]},
                                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{i}", "content": "nothing"}]}]
        for stream in (True, False):
            status, _, body = self.post("/v1/messages", {**request, "stream": stream}, "key-cloudy")  # passed on as it is
            self.assertEqual(status, 200, body)
            self.assertIn("[Hearth: the same calls (look) were made 3 times", body)
            self.assertLess(body.index("[Hearth"), body.index("from "))
            self.assertNotIn("[Hearth", json.dumps(Cloud.seen[-1][2]))
        starts = [json.loads(line[6:]) for line in self.post("/v1/messages", request, "key-cloudy")[2].splitlines() if line.startswith("data: ")]
        self.assertEqual([one["index"] for one in starts if one["type"] == "content_block_start"], [0, 1])
        translated = self.chat("go", tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}])
        for i in range(3):
            call = {"id": f"call_{i}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            translated["messages"] += [{"role": "assistant", "content": None, "tool_calls": [call]},
                                       {"role": "tool", "tool_call_id": f"call_{i}", "content": "nothing"}]
        status, _, body = self.post("/v1/chat/completions", translated, "key-cloudy")
        self.assertEqual(status, 200, body)
        self.assertIn("[Hearth: the same calls (look) were made 3 times", body)
        del request["messages"][-2:]
        self.assertNotIn("[Hearth", self.post("/v1/messages", request, "key-cloudy")[2])

    def test_without_egress_the_client_is_told(self):
        self.egress.stop()
        status, _, body = self.post("/v1/messages", self.chat("lost"), "key-cloudy")
        self.assertEqual(status, 529, body)
        self.assertIn("hearth egress", body)
        type(self).egress = Program([BIN / "hearth", "egress"], "ready", env={**self.environment, "TEST_CLOUD_KEY": CLOUD_KEY})
        self.assertEqual(self.post("/v1/messages", self.chat("found"), "key-cloudy")[0], 200)


class RoutesAlone(unittest.TestCase):
    """hearth serve without a model."""
    post, chat = Routes.post, Routes.chat

    def test_what_may_leave_is_answered_and_nothing_else(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = pathlib.Path(folder.name)
        cloud = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
        self.addCleanup(cloud.server_close)
        self.addCleanup(cloud.shutdown)
        threading.Thread(target=cloud.serve_forever, daemon=True).start()
        config = CONFIG.format(model="", cloud=f"http://127.0.0.1:{cloud.server_address[1]}", llama="http://127.0.0.1:1").replace('model = ""\n', "")
        (home / "hearth.toml").write_text(config)
        environment = {**os.environ, "HEARTH_HOME": str(home), "TEST_CLOUD_KEY": CLOUD_KEY}
        egress = Program([BIN / "hearth", "egress"], "ready", env=environment)
        self.addCleanup(egress.stop)
        serve = Program([BIN / "hearth", "serve"], "ready", env={**environment, "TEST_CLOUD_KEY": ""})
        self.addCleanup(serve.stop)
        self.url = serve.ready.split()[1]
        for key in ("key-cloudy", "key-trying"):
            status, headers, body = self.post("/v1/messages", self.chat("hello " + key), key)
            self.assertEqual(status, 200, body)
            self.assertIn("the cloud", body)
        seen = len(Cloud.seen)
        # What would be answered here waits, sealed work above all; it goes nowhere else.
        for key, label in (("key-home", "open"), ("key-cloudy", "sealed"), ("key-cloudy", "house"), ("key-trying", "sealed")):
            status, headers, body = self.post("/v1/messages", self.chat(f"stay {key} {label}"), key, **{"X-Hearth-Label": label})
            self.assertEqual((status, json.loads(body)["error"]["type"]), (529, "overloaded_error"), body)
            self.assertIn("no model is served here", body)
            status, headers, body = self.post("/v1/messages/count_tokens", self.chat(f"stay {key} {label}"), key, **{"X-Hearth-Label": label})
            self.assertEqual((status, headers["X-Hearth-Count"]), (200, "estimate"), body)
        self.assertEqual(len(Cloud.seen), seen)
        with urllib.request.urlopen(self.url + "/health", timeout=20) as reply:
            self.assertEqual(json.load(reply)["status"], "ok")
        with urllib.request.urlopen(urllib.request.Request(self.url + "/v1/models", headers={"x-api-key": "key-home"}), timeout=20) as reply:
            self.assertEqual([one["id"] for one in json.load(reply)["data"]], ["claude-test", "llama", "dead"])
        told = "".join(serve.errors)
        self.assertIn("no model is served here", told)
        self.assertIn("other", told)
        self.assertNotIn("cloudwork", told)

    def test_neither_model_nor_upstream_is_an_error(self):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([BIN / "hearth", "serve"], env={**os.environ, "HEARTH_HOME": home}, capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--model FILE", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
