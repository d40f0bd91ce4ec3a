"""Who prefills: each cell of a grid answered as the coordinator chooses, and by every other way, forced.

usage: coordinator_grid.py BIN_DIRECTORY MODEL OUTPUT_FILE [quick]; exit code 77 where namespaces or quotas are not permitted

Two machines in network namespaces: studio answers, spark may prefill. Emulated: what share of a core each has (control
groups), and the link (tc tbf). Real: programs, TLS, engine, chunks, times.
"""

import itertools
import json
import shutil
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "netns"))
import isolation  # noqa: E402
from cpu_quota import CpuQuota, NotPermitted, processes_of  # noqa: E402
from machines import Cluster, wait_for, words  # noqa: E402

CHUNK_TOKENS = 256
OPTIONS = ("--context", 16384, "--chunk-tokens", CHUNK_TOKENS, "--threads", 1, "--store-gb", 4)
PAIRS = {"faster peer": {"studio": 0.5, "spark": 1.0}, "slower peer": {"studio": 1.0, "spark": 0.4}}  # shares of a core
LINKS = {"1 Gb/s": 1e9, "100 Mb/s": 1e8, "20 Mb/s": 2e7}
PROMPT_WORDS = (60, 150, 400)  # about seven tokens each
CACHED_SHARES = (0.0, 0.75)
LOADS = ("idle", "answering")
QUICK = {"PAIRS": ("faster peer",), "LINKS": ("100 Mb/s",), "PROMPT_WORDS": (150,), "LOADS": ("idle",)}
WAYS = ("alone", "remote")
LEARNING_WORDS = (400, 150)
LOAD_ANSWER_TOKENS = 2000
END_TOKENS = ("<|im_end|>", "[EOS]")


class Grid:
    def __init__(self, binaries, model):
        self.quotas = {name: CpuQuota(name) for name in ("studio", "spark")}
        self.cluster = Cluster(binaries, model, OPTIONS)
        self.studio, self.spark = self.cluster.studio, self.cluster.others["spark"]
        self.made = 0

    def close(self):
        self.cluster.close()
        for quota in self.quotas.values():
            quota.close()

    def set_up(self, shares, bits_per_s):
        """As a cluster that has run like this for a while: nothing is known of before, and every way was gone some times."""
        self.studio.stop()
        for machine in (self.studio, self.spark):
            machine.host.shape(bits_per_s)
        (self.studio.home / "cluster" / "rates.json").unlink(missing_ok=True)
        shutil.rmtree(self.studio.home / "chunks", ignore_errors=True)
        self.studio.serve()
        for name, machine in (("studio", self.studio), ("spark", self.spark)):
            self.quotas[name].set(shares[name])
            self.quotas[name].hold(*processes_of(machine.process.pid))
        self.cluster.wait_until_usable()
        for word_count, way in itertools.product(LEARNING_WORDS, WAYS):
            self.answer(way, word_count, 0)

    def policy(self, name):
        self.studio.hearth("cluster", "prefill", name)

    def answer(self, policy, word_count, cached_share):
        """The decision about a prompt that nobody has seen, of which this machine may hold the beginning."""
        self.made += 1
        text = f"document {self.made:06}: " + words(1, word_count)
        if cached_share:
            self.policy("alone")
            self.ask(text[:int(len(text) * cached_share)])
        self.policy(policy)
        seen = self.last_decision().get("id")
        self.ask(text)
        return wait_for("the decision", lambda: self.decision_after(seen), 30)

    def ask(self, text):
        self.studio.ask([{"role": "user", "content": text}], tokens=2)

    def last_decision(self):
        return (self.studio.decisions() or [{}])[-1]

    def decision_after(self, seen):
        last = self.last_decision()
        return last if last.get("id") != seen and "actual_s" in last else None

    def cell(self, word_count, cached_share, rounds):
        took = {way: [] for way in WAYS}
        chosen, decision = [], None
        for index in range(rounds):
            for policy in (("auto", *WAYS) if index % 2 == 0 else (*reversed(WAYS), "auto")):
                decision_now = self.answer(policy, word_count, cached_share)
                way = "remote" if decision_now["chosen"].startswith("remote") else "alone"
                if policy == "auto":
                    decision = decision_now
                    chosen.append(way)
                took[way].append(decision_now["actual_s"])
        if not all(took.values()):
            raise RuntimeError(f"one way was never gone, the last decision is {decision_now}")
        way = statistics.mode(chosen)
        seconds = {name: statistics.median(samples) for name, samples in took.items()}
        return {"chosen": way, "seconds": seconds, "samples": took, "regret": seconds[way] / min(seconds.values()) - 1,
                "outcome": decision["outcome"],
                "predicted": {"remote" if option["name"].startswith("remote") else "alone": option.get("predicted_s")
                              for option in decision["options"]}}


class AnsweringLoad:
    """Long answers, one after another, that are written while the others are asked. Left alone, the model ends one after some 60
    tokens."""

    def __init__(self, studio):
        self.studio, self._stop = studio, threading.Event()
        ends = [token for text in END_TOKENS
                for token in studio.worker().call("POST", "/v1/tokenize", {"text": text, "special": True})[0]["tokens"]]
        self._goes_on = {"logit_bias": {str(token): -100 for token in ends}}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                self.studio.ask([{"role": "user", "content": "tell " + words(3, 8)}], tokens=LOAD_ANSWER_TOKENS,
                                **self._goes_on)
            except OSError:
                return

    def stop(self):
        self._stop.set()
        self._thread.join()


def row_text(row):
    predicted = {way: f"{row['predicted'].get(way):.2f}" if row["predicted"].get(way) else "-" for way in WAYS}
    return (f"{row['pair']:<12} {row['link']:<9} {row['words']:>5} {row['cached']:>6.0%} {row['load']:<10} {row['chosen']:<7}"
            f" {row['seconds']['alone']:>7.2f} ({predicted['alone']:>5}) {row['seconds']['remote']:>7.2f} ({predicted['remote']:>5})"
            f" {row['regret']:>+7.0%}")


def main():
    isolation.enter()
    binaries, model, output = (Path(argument).resolve() for argument in sys.argv[1:4])
    only = QUICK if "quick" in sys.argv[4:] else {}
    rounds = 1
    try:
        grid = Grid(binaries, model)
    except NotPermitted as why:
        isolation.skip(why)
    rows = []
    print("pair         link      words cached load       chosen    alone (pred.)  remote (pred.)  regret", flush=True)
    try:
        for pair, link in itertools.product(only.get("PAIRS", PAIRS), only.get("LINKS", LINKS)):
            grid.set_up(PAIRS[pair], LINKS[link])
            for load in only.get("LOADS", LOADS):
                background = AnsweringLoad(grid.studio) if load == "answering" else None
                for word_count, cached in itertools.product(only.get("PROMPT_WORDS", PROMPT_WORDS), CACHED_SHARES):
                    rows.append({"pair": pair, "link": link, "words": word_count, "cached": cached, "load": load,
                                 **grid.cell(word_count, cached, rounds)})
                    print(row_text(rows[-1]), flush=True)
                if background:
                    background.stop()
    finally:
        grid.close()
    output.write_text(json.dumps({"rows": rows, "shares_of_a_core": PAIRS, "rounds": rounds}))


if __name__ == "__main__":
    main()
