"""Machines of a cluster: the real programs, each in its own namespace."""

import array
import collections
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from link_proxy import LinkProxy
from logs import print_ends
from network import OUTSIDE, Network

AGENT_PORT, GATEWAY_PORT = 7070, 8484
API_KEY = "key-of-the-netns-tests"
START_SECONDS = 120
ANSWER_SECONDS = 300


def wait_for(what, condition, seconds=60, interval=0.05):
    """`what`: for the error; a function where it is to be said as things stand then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(interval)
    raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")


# A connection to each other machine is kept for the next question, and a second one where two were asked at once: so many
# more open files are no leak. That would be one for each kill.
CONNECTIONS_KEPT_MAX = 2


def least_of_a_while(measure, times=30, interval=0.1):
    """What a machine that rests needs: the least of each number, for connections and threads come and go with each question."""
    least = measure()
    for _ in range(times):
        time.sleep(interval)
        now = measure()
        least = {key: min(least[key], now[key]) for key in now}
    return least


class Machine:
    """`proxied`: other machines reach it through a LinkProxy, `self.link`."""

    def __init__(self, host, root, binaries, model, options, proxied=False):
        self.host, self.name, self.binaries, self.model, self.options = host, host.name, binaries, model, options
        self.home = Path(root) / host.name
        self.home.mkdir()
        self.process = None
        self.clock = None  # a WrongClock, from its next start on
        self.link = LinkProxy((OUTSIDE, 0), (host.address, AGENT_PORT)) if proxied else None

    @property
    def agent_address(self):
        return self.link.address if self.link else f"{self.host.address}:{AGENT_PORT}"

    def environment(self):
        clock = self.clock.environment() if self.clock else {}
        return dict(os.environ, HEARTH_HOME=str(self.home), HEARTH_API_KEY=API_KEY, OMP_WAIT_POLICY="passive", **clock)

    # --- the programs
    def hearth(self, *arguments):
        done = subprocess.run(self.host.command(self.binaries / "hearth", *arguments), env=self.environment(),
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"{self.name}: {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start(self, *arguments, has_model=True):
        model = ("--model", self.model) if has_model else ()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.host.command(self.binaries / "hearth", *arguments, *model, *self.options),
                env=self.environment(), stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise AssertionError(f"{self.name} did not start: {line!r}\n{self.log_text()}")

    def serve(self, *arguments, cluster=True):
        in_cluster = ("--cluster", "--cluster-listen", f"{self.host.address}:{AGENT_PORT}") if cluster else ()
        self.start("serve", "--host", self.host.address, "--port", GATEWAY_PORT, "--allowed-host", "*", *in_cluster,
                   *arguments)

    def node(self, *arguments, has_model=True):
        self.start("node", "--cluster-listen", f"{self.host.address}:{AGENT_PORT}", *arguments, has_model=has_model)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            if self.link:
                self.link.close()

    @property
    def log_path(self):
        return self.home / "log"

    def log_text(self):
        return self.log_path.read_text()

    # --- its processes
    def worker_pid(self):
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if "hearth-worker" in Path(f"/proc/{child}/cmdline").read_text():
                    return int(child)
        return None

    def worker(self):
        """Straight to its worker, past everything else."""
        arguments = Path(f"/proc/{self.worker_pid()}/cmdline").read_bytes().split(b"\0")
        return WorkerDoor(arguments[arguments.index(b"--socket") + 1].decode())

    def kill_worker(self):
        pid = self.worker_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def resources(self, pid=None):
        """Open files, threads and resident memory of the program, or of another process: it is not its worker's."""
        process = Path(f"/proc/{pid or self.process.pid}")
        status = process.joinpath("status").read_text()
        return {"files": len(list(process.joinpath("fd").iterdir())),
                "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1)),
                "memory_mib": int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024}

    def open_files(self):
        """How many of each kind, and each file's name."""
        kinds = collections.Counter()
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # it was closed meanwhile
                kinds[re.sub(r":?\[\d+\]", "", os.readlink(entry))] += 1
        return dict(kinds)

    def resources_without_store(self):
        """As resources(), without the store's memory tier, which grows by design."""
        now = self.resources()
        now["memory_mib"] -= self.status()["store"]["memory_bytes"] / 2**20
        return now

    # --- asking it
    def client_context(self):
        context = ssl.create_default_context(cafile=self.home / "cluster" / "authority.pem")
        context.load_cert_chain(self.home / "cluster" / "machine.pem")
        context.check_hostname = False  # a name below hearth.internal, not an address
        return context

    def agent(self, path):
        """Its agent's JSON, straight from it: through no proxy."""
        connection = http.client.HTTPSConnection(self.host.address, AGENT_PORT, context=self.client_context(), timeout=10)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200:
                raise AssertionError(f"{self.name} {path}: {reply.status} {body[:300]}")
            return json.loads(body)
        finally:
            connection.close()

    def status(self):
        return self.agent("/v1/status")

    def counts(self):
        return self.status()["hand_offs"]

    def decisions(self):
        return self.agent("/v1/decisions")["decisions"]

    def usable_peers(self):
        return sorted(peer["name"] for peer in self.status()["peers"] if peer["usable"])

    def ask(self, messages, tokens=16, **more):
        """A streamed chat completion; `more`: fields of the request."""
        body = {"model": "x", "max_tokens": tokens, "temperature": 0, "stream": True,
                "stream_options": {"include_usage": True}, "messages": messages, **more}
        request = urllib.request.Request(
            f"http://{self.host.address}:{GATEWAY_PORT}/v1/chat/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {API_KEY}"})
        began = time.monotonic()
        answer = Answer()
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:
            for line in reply:
                if line.startswith(b"data: {"):
                    answer.take(json.loads(line[6:]), time.monotonic() - began)
        answer.whole_s = time.monotonic() - began
        return answer

    def start_asking(self, messages, tokens=16):
        return Asking(self, messages, tokens)


class WorkerDoor:
    """A worker's own interface (src/hearth/node/worker/worker_api.h)."""

    def __init__(self, socket_path):
        self.socket_path = socket_path

    def call(self, method, path, body=None, prompt=None):
        connection = http.client.HTTPConnection("worker", timeout=ANSWER_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.sock.connect(self.socket_path)
        content, kind = json.dumps(body).encode(), "application/json"
        if prompt is not None:
            content, kind = content + b"\n" + array.array("i", prompt).tobytes(), "application/vnd.hearth.prompt"
        try:
            connection.request(method, path, content, {"Content-Type": kind})
            reply = connection.getresponse()
            text = reply.read().decode()
            if reply.status != 200:
                raise AssertionError(f"{method} {path}: {reply.status} {text[:300]}")
            return [json.loads(line) for line in text.splitlines() if line]
        finally:
            connection.close()

    def stats(self):
        return self.call("GET", "/v1/stats")[0]

    def prefill_s(self, tokens, held):
        """What it takes to compute `tokens`, of which it has computed the first `held` before."""
        for prompt in (tokens[:held + 1], tokens):
            began = time.monotonic()
            events = self.call("POST", "/v1/generate", {"tokens_max": 1, "sampling": {"temperature": 0}}, prompt)
            took = time.monotonic() - began
        reused = next(event["reused_tokens"] for event in events if event["event"] == "prompt")
        if abs(reused - held) > 1:
            raise AssertionError(f"{held} tokens were to be held, {reused} were")
        return took


class Answer:
    def __init__(self):
        self.text, self.error = "", None
        self.first_token_s = self.whole_s = self.prompt_tokens = self.answer_tokens = None

    def take(self, event, at_s):
        if "error" in event:
            self.error = event["error"]
        if event.get("usage"):
            self.prompt_tokens = event["usage"]["prompt_tokens"]
            self.answer_tokens = event["usage"]["completion_tokens"]
        for choice in event.get("choices", []):
            piece = choice["delta"].get("content") or ""
            if piece and self.first_token_s is None:
                self.first_token_s = at_s
            self.text += piece


class Asking:
    """A request on a thread of its own, while the test spoils something."""

    def __init__(self, machine, messages, tokens):
        self._answer = self._error = None
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(machine, messages, tokens), name="asking", daemon=True)
        self._thread.start()

    def _run(self, machine, messages, tokens):
        try:
            self._answer = machine.ask(messages, tokens)
        except Exception as error:  # told to who waits
            self._error = error

    @property
    def is_over(self):
        return not self._thread.is_alive()

    def answer(self):
        self._thread.join(ANSWER_SECONDS)
        if self._thread.is_alive():
            raise AssertionError(f"no answer after {ANSWER_SECONDS} s")
        if self._error:
            raise self._error
        return self._answer


_network = None


def the_network():
    """One for the whole program: hosts are made and taken away."""
    global _network
    _network = _network or Network()
    return _network


class Cluster:
    """studio answers; others prefill for it; alone is no member and says what is right."""

    def __init__(self, binaries, model, options, others=("spark",), proxied=False, studio_options=(), network=None):
        self.root = tempfile.TemporaryDirectory(prefix="hearth-netns-")
        self.network = network or the_network()
        self.machines = []
        self.settings = (self.root.name, Path(binaries), Path(model), [str(o) for o in options])
        self.alone = self.add("alone", False)
        self.studio = self.add("studio", proxied)
        self.others = {name: self.add(name, proxied) for name in others}
        try:
            self.begin(studio_options)
        except BaseException:
            self.close()
            raise

    def begin(self, studio_options):
        self.alone.serve(cluster=False)
        self.studio.hearth("cluster", "init", "--name", "studio", "--address", self.studio.agent_address)
        self.studio.serve(*studio_options)
        for machine in self.others.values():
            self.join(machine)
            machine.node()
        self.wait_until_usable()

    def add(self, name, proxied):
        machine = Machine(self.network.add_host(name), *self.settings, proxied=proxied)
        self.machines.append(machine)
        return machine

    def join(self, machine):
        code = re.search(r"hearth-1/[^\s']+", self.studio.hearth("cluster", "invite", "--for", machine.name)).group()
        machine.hearth("node", "join", code, "--address", machine.agent_address)

    def wait_until_usable(self):
        wait_for(lambda: f"every pair to be tried: {self.studio.status()['peers']}",
                 lambda: self.studio.usable_peers() == sorted(self.others), START_SECONDS)

    def logs(self):
        return {machine.name: machine.log_path for machine in self.machines}

    def close(self):
        if sys.exc_info()[0] is not None:  # it goes because something went wrong
            print_ends(self.logs())
        for machine in self.machines:
            machine.close()
            self.network.remove_host(machine.host)
        self.root.cleanup()


WORDS = ("river stone lamp door winter bread song paper horse field night letter garden wheel clock salt iron cloud "
         "window chair road bridge coat apple storm candle mirror harbor fence village spring copper").split()


def words(seed, count):
    state = seed * 2654435761 % 2**32
    out = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(WORDS[state >> 24 & 31] + (str(state >> 16 & 255) if state & 7 == 0 else ""))
    return " ".join(out)


def conversation(seed, word_count=400):
    """About seven tokens a word; no two seeds have a common prefix. The tests' models repeat the beginning of the last
    message, whose place differs from seed to seed: an answer is right only if the KV of that place is."""
    before = word_count * (1 + seed % 5) // 6
    return [{"role": "user", "content": f"document {seed}: " + words(seed, before)},
            {"role": "assistant", "content": f"note {seed}: " + words(seed + 1000, 8)},
            {"role": "user", "content": words(seed + 2000, word_count - before)}]
