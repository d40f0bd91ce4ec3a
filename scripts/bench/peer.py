"""The peers: llama-bench and llama-server of the same engine package that our worker links."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import processes

START_SECONDS = 600
REPLY_SECONDS = 1800


class Tools:
    """How to start the engine's own programs, or why that cannot be done here."""

    def __init__(self, root):
        prefix = root / ".deps" / "engine"
        self.environment = dict(os.environ)
        self.directory = None
        self._loader = []
        if (prefix / ".complete").exists():
            # The private prefix brings its own C library, and the tools look for backends in their
            # working directory when the system has none.
            library = next(prefix.glob("usr/lib/*-linux-gnu*")).resolve()
            loader = next(library.glob("ld-linux-*.so.*"))
            self._loader = [loader, "--library-path", f"{library}:{library / 'llama'}"]
            self._find = lambda name: prefix.resolve() / "usr" / "bin" / name
            self.directory = library / "ggml" / "backends0"
        else:
            self._find = lambda name: pathlib.Path(shutil.which(name) or f"/nonexistent/{name}")

    def missing(self, name):
        path = self._find(name)
        return None if path.exists() else f"{name} is not installed with this system's engine"

    def command(self, name, *arguments):
        return [*map(str, self._loader), str(self._find(name)), *map(str, arguments)]


def llama_bench_rows(run, *tests, repetitions=1):
    """What llama-bench says of each test, after its own warm-up."""
    command = run.tools.command("llama-bench", "-m", run.model, "-t", run.threads, "-b", run.batch,
                                "-ub", run.ubatch, "-fa", "on", "-r", repetitions, "-o", "json",
                                "--repack", int(run.peers_repack), *tests)
    return json.loads(processes.output_of(command, run.log("llama-bench"), cwd=run.tools.directory,
                                          env=run.tools.environment))


def llama_bench(run, *test):
    """Tokens per second of the last test."""
    return llama_bench_rows(run, *test)[-1]["avg_ts"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LlamaServer:
    """On loopback, with the settings of our worker; use in a `with`."""

    def __init__(self, run, slots, model=None, context=None):
        self.port = free_port()
        self.slot_directory = run.scratch / "slots"
        self.slot_directory.mkdir(exist_ok=True)
        # --cache-ram 0: the server would otherwise copy idle slots to a second cache between requests.
        command = run.tools.command(
            "llama-server", "-m", model or run.model, "--host", "127.0.0.1", "--port", self.port,
            "-c", context or run.context,
            "-np", slots, "--kv-unified", "-b", run.batch, "-ub", run.ubatch, "-t", run.threads, "-fa", "on",
            "--cache-ram", 0, "--fit", "off", "--no-ui", "--slot-save-path", f"{self.slot_directory}/",
            *([] if run.peers_repack else ["--no-repack"]))
        self.child = processes.start(command, run.log("llama-server"), cwd=run.tools.directory,
                                     env=run.tools.environment, stdout=subprocess.DEVNULL)
        self._wait_until_ready(run)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        processes.stop(self.child)

    def _wait_until_ready(self, run):
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self.child.poll() is not None:
                raise RuntimeError(f"llama-server ended with {self.child.returncode}; see {run.log('llama-server')}")
            try:
                if self._request("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"llama-server was not ready within {START_SECONDS} s")

    def _request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REPLY_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def call(self, path, body):
        status, text = self._request("POST", path, body)
        if status != 200:
            raise RuntimeError(f"llama-server {path}: {status} {text.decode(errors='replace')}")
        return json.loads(text)

    def complete(self, tokens, answer_tokens, **more):
        """Greedy, streamed as our worker streams. How many tokens came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REPLY_SECONDS)
        body = {"prompt": tokens, "n_predict": answer_tokens, "temperature": 0, "ignore_eos": True,
                "cache_prompt": False, "stream": True, **more}
        count, rest = 0, b""
        try:
            connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            while piece := reply.read1(1 << 16):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    if line.startswith(b"data: ") and b'"stop":true' in line:
                        count = json.loads(line[6:])["tokens_predicted"]
        finally:
            connection.close()
        if reply.status != 200 or count == 0:
            raise RuntimeError(f"llama-server /completion: {reply.status}")
        return count
