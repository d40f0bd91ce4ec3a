"""A hearth-worker of our own, driven through its unix socket (src/hearth/node/worker/worker_api.h)."""

import array
import http.client
import json
import socket
import subprocess
import time

import processes

REPLY_SECONDS = 1800
SHORT_SPIN = {"GOMP_SPINCOUNT": "2000"}  # as workers are started (src/hearth/node/worker/worker_options.h)
# What ends an answer, in the models that measurements are made with.
END_MARKUP = ("<|im_end|>", "[EOS]", "[EOT]", "[PAD]", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
              "<|end_of_text|>", "</s>")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("worker", timeout=REPLY_SECONDS)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request_body(body, prompt):
    """Content and headers; a prompt follows its line of JSON (src/hearth/node/worker/prompt_body.h)."""
    if prompt is None:
        return None if body is None else json.dumps(body), {"Content-Type": "application/json"}
    content = json.dumps(body).encode() + b"\n" + array.array("i", prompt).tobytes()
    return content, {"Content-Type": "application/vnd.hearth.prompt"}


class Worker:
    """Loaded when constructed; use in a `with`."""

    def __init__(self, run, sequences=4, context=None, model=None):
        self.socket_path = str(run.scratch / f"worker-{time.monotonic_ns()}.sock")
        command = [run.bin / "hearth-worker", "serve", "--model", model or run.model, "--socket", self.socket_path,
                   "--context", str(context or run.context), "--sequences", str(sequences),
                   "--chunk-tokens", str(run.batch), "--ubatch", str(run.ubatch),
                   "--threads", str(run.threads)]
        self.child = processes.start(command, run.log("worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for line in self.child.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                break
            if event.get("event") == "failed":
                raise RuntimeError(f"hearth-worker: {event['error']['message']}")
        else:
            raise RuntimeError(f"hearth-worker died while loading; see {run.log('worker')}")
        self.info = self.call("GET", "/v1/info")
        self.end_tokens = [self.tokenize(text, special=True) for text in END_MARKUP]
        self.end_tokens = [ids[0] for ids in self.end_tokens if len(ids) == 1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        processes.stop(self.child)

    @property
    def pid(self):
        return self.child.pid

    def call(self, method, path, body=None, prompt=None, connection=None):
        """On a connection of its own, or the next request of one that the caller keeps."""
        own = connection or UnixConnection(self.socket_path)
        try:
            own.request(method, path, *request_body(body, prompt))
            reply = own.getresponse()
            text = reply.read()
        finally:
            if connection is None:
                own.close()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def tokenize(self, text, special=False):
        return self.call("POST", "/v1/tokenize", {"text": text, "special": special})["tokens"]

    def generate(self, tokens, answer_tokens, lease=None):
        """Greedy, never ending before its time. The events, each with the second it came."""
        body = {"tokens_max": answer_tokens,
                "sampling": {"temperature": 0, "logit_bias": [[token, -1e9] for token in self.end_tokens]}}
        if lease is not None:
            body["lease"] = lease
        connection = UnixConnection(self.socket_path)
        lines = []
        try:
            began = time.perf_counter()
            connection.request("POST", "/v1/generate", *request_body(body, tokens))
            reply = connection.getresponse()
            rest = b""
            while piece := reply.read1(1 << 16):
                now = time.perf_counter() - began
                *whole, rest = (rest + piece).split(b"\n")
                lines += [(now, line) for line in whole if line]
        finally:
            connection.close()
        return Generation(lines, reply.status)


class Generation:
    def __init__(self, lines, status):
        events = [(at, json.loads(line)) for at, line in lines]
        last = events[-1][1] if events else {}
        if status != 200 or last.get("event") != "finished":
            raise RuntimeError(f"generate: {status} {last}")
        if last["reason"] != "token_limit":
            raise RuntimeError(f"generate: the answer ended before its time ({last['reason']}); add this model's end "
                               "tokens to END_MARKUP in scripts/bench/worker.py")
        self.token_times = [at for at, event in events if event["event"] == "token"]
        self.prompt_at, self.prompt = next((at, e) for at, e in events if e["event"] == "prompt")
        self.tokens = [e["token"] for _, e in events if e["event"] == "token"]

    @property
    def ttft_s(self):
        return self.token_times[0]

    @property
    def decode_tok_s(self):
        return (len(self.token_times) - 1) / (self.token_times[-1] - self.token_times[0])
