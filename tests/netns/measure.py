"""Measures hand-offs between machines in network namespaces. JSON into build/bench/netns_*.json (docs/benchmarks.md).

usage: measure.py BIN_DIRECTORY MODELS_DIRECTORY OUTPUT_DIRECTORY [NAME ...]
Exit code 1 when a bound is missed, 77 where namespaces are not permitted.
"""

import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import isolation
from machines import Cluster, conversation, wait_for, words

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "bench"))
from results import Comparison, text_table, write  # noqa: E402

CHUNK_TOKENS = 256  # short prompts, many chunks
REMOTE = ("--cluster-prefill", "remote")
SAMPLES = 5
QUIET_LOAD_MAX = 0.7
LONG_WORDS = 900  # about 6,000 tokens


class Bench:
    def __init__(self, binaries, models, chunk_tokens=CHUNK_TOKENS, proxied=False, network=None):
        options = ("--context", 16384, "--chunk-tokens", chunk_tokens, "--threads", 1)
        self.cluster = Cluster(binaries, Path(models) / "kimi-tiny-q8_0.gguf", options, ("spark",), proxied, REMOTE,
                               network)
        self.alone, self.studio = self.cluster.alone, self.cluster.studio
        self.spark = next(iter(self.cluster.others.values()))
        self.seed = 30_000

    def next_conversation(self, word_count=400):
        self.seed += 1
        return conversation(self.seed, word_count)

    def shape(self, bits_per_s):
        for machine in self.cluster.machines:
            machine.host.shape(bits_per_s)

    def iperf_bits_per_s(self, seconds=2):
        """From the prefilling machine to the answering one, as a plain TCP stream gets it."""
        server = subprocess.Popen(self.studio.host.command("iperf3", "-s", "-1", "-p", "5201"), stdout=subprocess.PIPE,
                                  text=True)
        try:
            wait_for("iperf3", lambda: ":1451 " in self.studio.host.inside("cat", "/proc/net/tcp6", "/proc/net/tcp"), 10)
            out = self.spark.host.inside("iperf3", "-c", self.studio.host.address, "-p", "5201", "-t", str(seconds), "-O", "1",
                                         "-J")
            return json.loads(out)["end"]["sum_received"]["bits_per_second"]
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()

    def taken(self):
        counts = self.studio.counts()
        return counts["taken_chunks"], counts["taken_bytes"]

    def close(self):
        self.cluster.close()


class ByteRate:
    """How fast a host sends, from its interface's counter, between two shares of what it sent in all: not the beginning,
    where the link may have saved something up, and not the last chunk, which is no whole one and may have to be computed."""

    def __init__(self, host):
        self.host, self.samples, self._stop = host, [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            self.samples.append((time.monotonic(), self.host.sent_bytes()))
            time.sleep(0.001)

    def seconds_between(self, low=0.05, high=0.8):
        self._stop.set()
        self._thread.join()
        first, last = self.samples[0][1], self.samples[-1][1]
        at = [next(t for t, count in self.samples if count - first >= share * (last - first)) for share in (low, high)]
        return (at[1] - at[0]) / (high - low)


def measure_ttft(binaries, models):
    """The link is shaped so that the transfer takes half as long as the prefill."""
    bench = Bench(binaries, models)
    try:
        before = bench.taken()
        messages = bench.next_conversation()
        bench.studio.ask(messages)
        prefill_s = bench.alone.ask(messages).first_token_s
        chunks, transfer_bytes = (now - then for now, then in zip(bench.taken(), before))
        bits_per_s = transfer_bytes * 8 / (prefill_s / 2)
        bench.shape(bits_per_s)
        goodput = bench.iperf_bits_per_s()
        transfer_s, chunk_s = transfer_bytes * 8 / goodput, transfer_bytes / chunks * 8 / goodput
        result = Comparison(
            "netns_remote_ttft", "s", 1.05, "lower",
            f"time to the first token with a remote prefill of {chunks} chunks over a link of {goodput / 1e6:.0f} Mb/s, on which "
            "the transfer takes half as long as the prefill", "prefill alone + transfer of one chunk")
        blob = []
        for index in range(SAMPLES):
            messages = bench.next_conversation()
            times = {}
            for machine in (bench.alone, bench.studio) if index % 2 == 0 else (bench.studio, bench.alone):
                times[machine.name] = machine.ask(messages).first_token_s
            result.ours.append(times["studio"])
            result.peer.append(times["alone"] + chunk_s)
            blob.append(times["alone"] + transfer_s)
        result.extra = {"blob_after_prefill_s": statistics.median(blob), "chunk_transfer_s": chunk_s, "transfer_s": transfer_s,
                        "ours_over_blob": statistics.median(result.ours) / statistics.median(blob)}
        return [result]
    finally:
        bench.close()


def measure_rate(binaries, models):
    """The prefilling machine holds the KV already, so that nothing but the link and the hand-off is in the way."""
    results = []
    for name, bits_per_s in (("100m", 1e8), ("1g", 1e9)):
        bench = Bench(binaries, models, chunk_tokens=1024)  # as people have them
        try:
            messages = bench.next_conversation(LONG_WORDS)
            bench.studio.ask(messages)
            bench.shape(bits_per_s)
            result = Comparison(f"netns_put_rate_{name}", "Mb/s", 0.9, "higher",
                                f"payload of 1,024-token chunks a second during a hand-off, link shaped to {bits_per_s / 1e6:.0f} Mb/s",
                                "iperf3")
            for _ in range(3):
                bench.studio.stop()
                shutil.rmtree(bench.studio.home / "chunks")
                bench.studio.serve(*REMOTE)
                bench.cluster.wait_until_usable()
                before = bench.taken()
                rate = ByteRate(bench.spark.host)
                bench.studio.ask(messages)
                seconds = rate.seconds_between()
                result.ours.append((bench.taken()[1] - before[1]) * 8 / seconds / 1e6)
                result.peer.append(bench.iperf_bits_per_s() / 1e6)
            results.append(result)
        finally:
            bench.close()
    return results


def measure_cut(binaries, models):
    bench = Bench(binaries, models, proxied=True)
    try:
        before = bench.taken()
        bench.studio.ask(bench.next_conversation())
        transfer_bytes = bench.taken()[1] - before[1]
        result = Comparison("netns_cut_resends", "chunks", 1, "lower",
                            "chunks sent again after the link was cut at 80 % of a transfer", "allowance")
        for _ in range(3):
            sent = bench.spark.counts()
            bench.studio.link.cut_after(int(transfer_bytes * 0.8))
            bench.studio.ask(bench.next_conversation())
            wait_for("the hand-off to end", lambda: bench.spark.counts()["prefills"] > sent["prefills"], 30)
            result.ours.append(bench.spark.counts()["resent_chunks"] - sent["resent_chunks"])
            result.peer.append(1)
        result.extra = {"cuts": bench.studio.link.cuts}
        return [result]
    finally:
        bench.close()


def measure_kill(binaries, models, network=None):
    """From the kill to the first token, against what an equal machine needs for the missing tokens at that depth."""
    bench = Bench(binaries, models, network=network)
    result = Comparison("netns_killed_prefill", "s", 1.2, "lower",
                        "from the kill -9 of a prefilling machine in mid-prefill to the first token",
                        "local prefill of the missing chunks")
    try:
        for _ in range(SAMPLES):
            messages = bench.next_conversation(LONG_WORDS)
            before = bench.taken()[0]
            asking = bench.studio.start_asking(messages)
            wait_for("chunks", lambda: bench.taken()[0] - before >= 8 or asking.is_over, 120, 0.01)
            bench.spark.stop(signal.SIGKILL)
            killed_s = time.monotonic() - asking.began
            answer = asking.answer()
            if answer.error:
                raise RuntimeError(f"after the kill: {answer.error}")
            found = re.findall(r"lost after (\d+) of (\d+) tokens", bench.studio.log_text())
            committed, target = (int(number) for number in found[-1])
            result.ours.append(answer.first_token_s - killed_s)
            result.peer.append(local_prefill_s(bench.alone, bench.seed, committed, target))
            bench.spark.node()
            bench.cluster.wait_until_usable()
        return [result]
    finally:
        bench.close()


def local_prefill_s(machine, seed, committed, target):
    """Measured: `committed` tokens are computed, then the others up to `target` and the last one of the prompt. `seed`:
    of a text that the machine has not read."""
    worker = machine.worker()
    tokens = worker.call("POST", "/v1/tokenize", {"text": words(seed, target), "special": False})[0]["tokens"]
    return worker.prefill_s(tokens[:target + 1], committed)


MEASUREMENTS = {"ttft": measure_ttft, "rate": measure_rate, "cut": measure_cut, "kill": measure_kill}


def environment():
    load = os.getloadavg()[0]
    return {"cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "load_average_at_start": load, "busy": load > QUIET_LOAD_MAX, "model": "kimi-tiny-q8_0, chunks of 256 tokens",
            "threads": 1}


def main():
    isolation.enter(tools=("iperf3",))
    binaries, models, output = (Path(argument) for argument in sys.argv[1:4])
    output.mkdir(parents=True, exist_ok=True)
    documents = []
    for name in sys.argv[4:] or MEASUREMENTS:
        where = environment()  # the machine before the measurement, not its own load
        for result in MEASUREMENTS[name](binaries, models):
            documents.append(result.document(where))
            write(output, documents[-1])
            print(f"{result.name}: {statistics.median(result.ours):.4g} against {statistics.median(result.peer):.4g} {result.unit}, "
                  f"ratio {result.ratio:.3f} {result.extra or ''}", flush=True)
    print(text_table(documents))
    missed = [document["name"] for document in documents if not document["pass"]]
    if missed:
        print(f"bound missed: {', '.join(missed)}")
    if any(document["environment"]["busy"] for document in documents):
        print(f"measured on a busy machine (load average above {QUIET_LOAD_MAX} at the start)")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
