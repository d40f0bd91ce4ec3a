"""Two machines of a cluster on this one, over mutual TLS on loopback: one answers, the other reads the prompts."""

import json
import re
import subprocess
import tempfile
import time

import processes
from peer import free_port

PAIR_SECONDS = 300  # until the two have tried each other
CALL_SECONDS = 120


class Machine:
    """A home of its own for the program."""

    def __init__(self, run, name):
        self.run, self.name, self.address = run, name, f"127.0.0.1:{free_port()}"
        self.home = tempfile.TemporaryDirectory(prefix=f"hearth-bench-{name}-", dir=run.scratch)
        self.environment = dict(run.tools.environment, HEARTH_HOME=self.home.name)
        self.child = None

    def call(self, *arguments):
        return processes.output_of([self.run.bin / "hearth", *arguments], self.run.log(self.name), seconds=CALL_SECONDS,
                                   env=self.environment)

    def start(self, model, *arguments):
        """Answers what follows "ready"."""
        command = [self.run.bin / "hearth", *arguments, "--model", model, "--cluster-listen", self.address,
                   "--context", self.run.context, "--sequences", 1, "--chunk-tokens", self.run.batch, "--ubatch", self.run.ubatch,
                   "--threads", self.run.threads, "--log", "warning"]
        self.child = processes.start(list(map(str, command)), self.run.log(self.name), stdout=subprocess.PIPE, env=self.environment)
        words = self.child.stdout.readline().decode().split()
        if words[:1] != ["ready"]:
            raise RuntimeError(f"hearth {arguments[0]} did not start; see {self.run.log(self.name)}")
        return words[1:]

    def stop(self):
        if self.child:
            processes.stop(self.child)
        self.home.cleanup()


class HearthCluster:
    """`hearth serve` whose prompts a second machine reads, every one of them; use in a `with`."""

    def __init__(self, run, model):
        self.studio, self.spark = Machine(run, "studio"), Machine(run, "spark")
        self.studio.call("cluster", "init", "--name", "studio", "--address", self.studio.address)
        url, *_ = self.studio.start(model, "serve", "--port", 0, "--cluster", "--cluster-prefill", "remote")
        self.port = int(url.rsplit(":", 1)[1])
        code = re.search(r"hearth-1/[^\s']+", self.studio.call("cluster", "invite", "--for", "spark")).group()
        self.spark.call("node", "join", code, "--address", self.spark.address)
        self.spark.start(model, "node")
        self._wait_until_paired()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.spark.stop()
        self.studio.stop()

    def _wait_until_paired(self):
        give_up = time.monotonic() + PAIR_SECONDS
        links = []
        while time.monotonic() < give_up:
            links = [link for link in json.loads(self.studio.call("status", "--json"))["links"] if link["from"] == "studio"]
            if any(link.get("usable") for link in links):
                return
            time.sleep(0.5)
        raise RuntimeError(f"the two machines did not become a pair within {PAIR_SECONDS} s: {links}")
