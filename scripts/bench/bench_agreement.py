"""How far `hearth bench` agrees: with llama-bench on the same model, and with what the servers tell of themselves.

Two programs that measure at different times on a machine that others use too agree in what happens within seconds. So each
request stands between two runs of llama-bench, which compute as many tokens at the same depth, and the median of such
ratios counts. The model is large enough that the answer's way to the client is nothing beside a step.
"""

import contextlib
import copy
import itertools
import json
import sqlite3
import statistics

import peer
import processes
import worker
from cluster import HearthCluster
from compare_gateway import HearthServer
from results import Comparison

ANSWER_TOKENS = 385  # 384 intervals, as many as llama-bench -n 384: seconds, which no single stall decides
LLAMA_BENCH_DECODES = 2
BOUND_PERCENT = 3
TARGETS = ("llama", "here", "pair", "split")  # llama-server, a Hearth endpoint, two workers, a cluster of two machines


def llama_bench_rates(run, tokens, depth):
    """Of a prompt of `tokens` behind `depth` others, and of the steps that follow it: tokens per second."""
    prefill = peer.llama_bench(run, "-p", tokens, "-n", 0, "-d", depth)
    rows = peer.llama_bench_rows(run, "-p", 0, "-n", ANSWER_TOKENS - 1, "-d", depth + tokens, repetitions=LLAMA_BENCH_DECODES)
    return {"tokens": tokens, "depth": depth, "prefill_tok_s": prefill, "decode_tok_s": rows[-1]["avg_ts"]}


@contextlib.contextmanager
def running_targets(run):
    """All TARGETS, started once: the flags that name them."""
    with HearthServer(run, "--no-store", model=run.model, sequences=1) as hearth, \
            peer.LlamaServer(run, slots=1) as llama, HearthCluster(run, run.model) as cluster:
        yield ["-t", f"llama:llama-server=http://127.0.0.1:{llama.port}", "-t", f"here:hearth=http://127.0.0.1:{hearth.port}",
               "-t", f"pair:split={run.model}", "-t", f"split:hearth=http://127.0.0.1:{cluster.port}"]


def hearth_bench(run, flags, tokens, depth, seed):
    """One case on every target, once. As it was kept, and the run's own table."""
    database = run.scratch / f"agreement-{tokens}-{depth}-{seed}.db"
    command = [run.bin / "hearth", "bench", "--json", "--db", database, "--name", "agreement", *flags,
               "--prompt-tokens", tokens, "--depth", depth, "--answer-tokens", ANSWER_TOKENS,
               # Other texts each time: the cluster keeps what it has read.
               "--seed", seed, "--warm-ups", 0, "--repeats", 1, "--context", run.context, "--sequences", 1,
               "--chunk-tokens", run.batch, "--ubatch", run.ubatch, "--threads", run.threads]
    table = json.loads(processes.output_of(list(map(str, command)), run.log("hearth-bench")))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        samples = [json.loads(text) for (text,) in connection.execute("SELECT sample FROM samples ORDER BY id")]
    for sample in samples:
        if sample["failure"]:
            raise RuntimeError(f"bench_agreement: {sample['target']}: {sample['failure']}")
    return samples, table["rows"]


def median_of(values):
    known = [value for value in values if value]
    return statistics.median(known) if known else None


def computed_tokens(sample):
    return sample["prompt_tokens"] - sample["cached_tokens"]


def prefill_tok_s(sample):
    return computed_tokens(sample) / sample["ttft_ms"] * 1e3


def decode_tok_s(sample):
    took_ms = sample["total_ms"] - sample["ttft_ms"]
    return (sample["answer_tokens"] - 1) / took_ms * 1e3 if sample["answer_tokens"] > 1 and took_ms > 0 else None


def own_ttft_ratio(sample):
    """Our time to the first token over the time that the server says the prompt took: of the same request."""
    return sample["server_prefill_tok_s"] / prefill_tok_s(sample) if sample["server_prefill_tok_s"] else None


def own_decode_ratio(sample):
    ours, theirs = decode_tok_s(sample), sample["server_decode_tok_s"]
    return ours / theirs if ours and theirs else None


def expected_rates(tokens, neighbours):
    """The mean of llama-bench before and after; of a prompt's tokens the last is a step of its own."""
    prefill, decode = (statistics.mean(rates[key] for rates in neighbours) for key in ("prefill_tok_s", "decode_tok_s"))
    return tokens / ((tokens - 1) / prefill + 1 / decode), decode


def ratios_of(sample, neighbours):
    prefill, decode = expected_rates(computed_tokens(sample), neighbours)
    ours = decode_tok_s(sample)
    return {"prefill": prefill_tok_s(sample) / prefill, "decode": ours / decode if ours else None,
            "own_ttft": own_ttft_ratio(sample), "own_decode": own_decode_ratio(sample)}


class Case:
    """One prompt at one depth: rounds one right after the other."""

    def __init__(self, tokens, depth, seeds):
        self.tokens, self.depth, self.seeds = tokens, depth, seeds
        self.told, self.found = [], []
        self.table = None  # of the last round

    def measure(self, run, flags, rounds):
        # The servers count their template's tokens, and keep its beginning: what they compute is learnt first.
        learnt, _ = hearth_bench(run, flags, self.tokens, self.depth, next(self.seeds))
        computed, cached = (round(statistics.median(map(count, learnt)))
                            for count in (computed_tokens, lambda sample: sample["cached_tokens"]))
        self.told.append(llama_bench_rates(run, computed, cached))
        for _ in range(rounds):
            samples, self.table = hearth_bench(run, flags, self.tokens, self.depth, next(self.seeds))
            self.found.append(samples)
            self.told.append(llama_bench_rates(run, computed, cached))
        run.say(f"{self.tokens} tokens at {self.depth}: done")

    def row(self, target):
        pairs = [(sample, self.told[number:number + 2]) for number, samples in enumerate(self.found)
                 for sample in samples if sample["target"] == target]
        ratios = [ratios_of(sample, neighbours) for sample, neighbours in pairs]
        expected = [expected_rates(computed_tokens(sample), neighbours) for sample, neighbours in pairs]
        return {"target": target, "prompt_tokens": self.tokens, "depth": self.depth, "samples": len(pairs),
                "prefill_tok_s": median_of(prefill_tok_s(sample) for sample, _ in pairs),
                "decode_tok_s": median_of(decode_tok_s(sample) for sample, _ in pairs),
                "prefill_llama_bench": median_of(prefill for prefill, _ in expected),
                "decode_llama_bench": median_of(decode for _, decode in expected),
                "ratios": {key: median_of(one[key] for one in ratios) for key in ratios[0]}, "each": ratios}


def table_text(rows):
    lines = [f"{'target':<7} {'prompt':>6} {'depth':>6} {'prefill':>8} {'llama-b.':>8} {'decode':>7} {'llama-b.':>8}"
             f"  {'prefill':>8} {'decode':>8} {'own TTFT':>8} {'own decode':>10}"]
    for row in rows:
        rates = [row["prefill_tok_s"], row["prefill_llama_bench"], row["decode_tok_s"], row["decode_llama_bench"]]
        shown = [f"{rate:.1f}" if rate else "-" for rate in rates]
        off = [f"{100 * (ratio - 1):+.1f} %" if ratio else "-" for ratio in row["ratios"].values()]
        lines.append(f"{row['target']:<7} {row['prompt_tokens']:>6} {row['depth']:>6} {shown[0]:>8} {shown[1]:>8} "
                     f"{shown[2]:>7} {shown[3]:>8}  {off[0]:>8} {off[1]:>8} {off[2]:>8} {off[3]:>10}")
    return "\n".join(lines)


def hand_off_text(rows):
    lines = []
    for row in rows:
        if moved := row.get("hand_off"):
            by = ", ".join(f"{one['machine']} {one['count']} of {row['samples']}" for one in moved["prefilled_by"]) or "a worker here"
            lines.append(f"hand-off {row['target']:<6} {row['prompt_tokens']:>6} {row['depth']:>6}: {moved['bytes'] / 1e6:.1f} MB, "
                         f"{100 * moved['hidden_share']:.0f} % hidden, tail {moved['tail_ms']:.0f} ms, read by {by}")
    return "\n".join(lines)


def agreement(name, key, rows, what):
    """The farthest of all targets and cases: the bound is for each of them."""
    off = [100 * abs(row["ratios"][key] - 1) for row in rows if row["ratios"][key]]
    if not off:
        raise RuntimeError(f"{name}: nothing to compare")
    result = Comparison(name, "%", 1.0, "lower", peer_is=f"the bound, {BOUND_PERCENT} %",
                        what=f"farthest that {what}, over {len(off)} cases of {len(TARGETS)} targets")
    result.ours, result.peer = [max(off)], [BOUND_PERCENT]
    result.extra = {"median_percent": statistics.median(off), "percent": off}
    return result


def with_short_spin(run):
    """Everywhere the engine's threads wait as briefly for each other as in our worker."""
    out = copy.copy(run)
    out.tools = copy.copy(run.tools)
    out.tools.environment = {**worker.SHORT_SPIN, **run.tools.environment}
    return out


def bench_agreement(run):
    run = with_short_spin(run)
    seeds = itertools.count(1)
    cases = [Case(tokens, depth, seeds) for depth in (0, run.size.agreement_depth) for tokens in run.size.agreement_prompts]
    with running_targets(run) as flags:
        for case in cases:
            case.measure(run, flags, run.asked_samples or run.size.agreement_rounds)
    rows = [case.row(target) for case in cases for target in TARGETS]
    tables = [row for case in cases for row in case.table]
    print(table_text(rows) + "\n" + hand_off_text(tables) + "\n")
    results = [agreement("bench_agreement", "prefill", rows, "prefill is from llama-bench around it"),
               agreement("bench_agreement_decode", "decode", rows, "decode is from llama-bench -d around it"),
               agreement("bench_agreement_own_ttft", "own_ttft", rows, "the first token is from the server's own time"),
               agreement("bench_agreement_own_decode", "own_decode", rows, "decode is from the server's own rate")]
    results[0].extra |= {"rows": rows, "llama_bench": [case.told for case in cases], "hearth_bench": tables}
    return results
