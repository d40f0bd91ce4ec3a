"""How far `hearth bench` agrees: with llama-bench on the same model, and with what the servers tell of themselves.

Two programs that measure at different times on a machine that others use too can only agree in what it does undisturbed:
the fastest of many short runs, taken in turn. With a server's own times it is the same request, and medians are compared.
"""

import contextlib
import copy
import json
import sqlite3
import statistics

import peer
import processes
import worker
from cluster import HearthCluster
from compare_gateway import HearthServer
from compare_plan import model_file
from results import Comparison

ANSWER_TOKENS = 129  # 128 intervals, as many as llama-bench -n 128
LLAMA_BENCH_REPETITIONS = 2  # in a round, in which `hearth bench` asks each target once
BOUND_PERCENT = 3
TARGETS = ("llama", "here", "pair", "split")  # llama-server, a Hearth endpoint, two workers, a cluster of two machines


def llama_bench_rates(run):
    """Tokens per second of a prompt by ("prefill", tokens, depth), and of as many steps by ("decode", depth): the fastest."""
    prompts, depth = run.size.agreement_prompts, run.size.agreement_depth
    rows = peer.llama_bench_rows(run, "-p", ",".join(map(str, prompts)), "-n", 0, "-d", f"0,{depth}",
                                 repetitions=LLAMA_BENCH_REPETITIONS)
    rows += peer.llama_bench_rows(run, "-p", 0, "-n", ANSWER_TOKENS - 1,
                                  "-d", ",".join(map(str, sorted({*prompts, depth + prompts[0]}))),
                                  repetitions=LLAMA_BENCH_REPETITIONS)
    return {("prefill", row["n_prompt"], row["n_depth"]) if row["n_prompt"] else ("decode", row["n_depth"]): max(row["samples_ts"])
            for row in rows}


@contextlib.contextmanager
def running_targets(run):
    """All TARGETS, started once: the flags that name them."""
    with HearthServer(run, "--no-store", model=run.model, sequences=1) as hearth, \
            peer.LlamaServer(run, slots=1) as llama, HearthCluster(run, run.model) as cluster:
        yield ["-t", f"llama:llama-server=http://127.0.0.1:{llama.port}", "-t", f"here:hearth=http://127.0.0.1:{hearth.port}",
               "-t", f"pair:split={run.model}", "-t", f"split:hearth=http://127.0.0.1:{cluster.port}"]


def hearth_bench(run, flags, round_number):
    """Every request once. As they were kept, and the run's own table."""
    database = run.scratch / f"agreement-{round_number}.db"
    command = [run.bin / "hearth", "bench", "--json", "--db", database, "--name", "agreement", *flags,
               "--prompt-tokens", ",".join(map(str, run.size.agreement_prompts)),
               "--depth", f"0,{run.size.agreement_depth}", "--answer-tokens", ANSWER_TOKENS,
               # Other texts in each round: the cluster keeps what it has read.
               "--seed", round_number + 1, "--warm-ups", 0, "--repeats", 1, "--context", run.context, "--sequences", 1,
               "--chunk-tokens", run.batch, "--ubatch", run.ubatch, "--threads", run.threads]
    table = json.loads(processes.output_of(list(map(str, command)), run.log("hearth-bench")))
    connection = sqlite3.connect(database)
    samples = [json.loads(text) for (text,) in connection.execute("SELECT sample FROM samples ORDER BY id")]
    connection.close()
    for sample in samples:
        if sample["failure"]:
            raise RuntimeError(f"bench_agreement: {sample['target']}: {sample['failure']}")
    return samples, table


def median_of(values):
    known = [value for value in values if value]
    return statistics.median(known) if known else None


def fastest_of(rates):
    return max((rate for rate in rates if rate), default=None)


def prefill_tok_s(sample):
    return (sample["prompt_tokens"] - sample["cached_tokens"]) / sample["ttft_ms"] * 1e3


def decode_tok_s(sample):
    took_ms = sample["total_ms"] - sample["ttft_ms"]
    return (sample["answer_tokens"] - 1) / took_ms * 1e3 if sample["answer_tokens"] > 1 and took_ms > 0 else None


def own_ttft_ratio(sample):
    """Our time to the first token over the time that the server says the prompt took: of the same request."""
    return sample["server_prefill_tok_s"] / prefill_tok_s(sample) if sample["server_prefill_tok_s"] else None


def own_decode_ratio(sample):
    ours, theirs = decode_tok_s(sample), sample["server_decode_tok_s"]
    return ours / theirs if ours and theirs else None


def expected_prefill(tokens, depth, fastest):
    """The rate of a prompt whose last token is a step of its own, out of what llama-bench times apart."""
    step_s = 1 / next(rate for key, rate in sorted(fastest.items()) if key[0] == "decode")  # the least deep one
    return tokens / ((tokens - 1) / fastest["prefill", tokens, depth] + step_s)


def agreement_row(target, tokens, depth, samples, fastest):
    mine = [sample for sample in samples
            if (sample["target"], sample["prompt_tokens_wanted"], sample["depth_wanted"]) == (target, tokens, depth)]
    prefill, decode = (fastest_of(map(rate, mine)) for rate in (prefill_tok_s, decode_tok_s))
    expected = expected_prefill(tokens, depth, fastest), fastest.get(("decode", tokens + depth))
    return {"target": target, "prompt_tokens": tokens, "depth": depth, "samples": len(mine), "prefill_tok_s": prefill,
            "decode_tok_s": decode, "prefill_llama_bench": expected[0], "decode_llama_bench": expected[1],
            "ratios": {"prefill": prefill / expected[0], "decode": decode / expected[1] if decode and expected[1] else None,
                       "own_ttft": median_of(map(own_ttft_ratio, mine)), "own_decode": median_of(map(own_decode_ratio, mine))}}


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


def with_equal_engines(run):
    """A dense model: llama-bench asks for random tokens and `hearth bench` for words, which touch other experts. And
    everywhere the engine's threads wait as briefly for each other as in our worker."""
    out = copy.copy(run)
    out.tools = copy.copy(run.tools)
    out.tools.environment = {**worker.SHORT_SPIN, **run.tools.environment}
    if not run.asked_model:
        out.model = model_file(run, "llama")
        out.peers_repack = True
    return out


def bench_agreement(run):
    run = with_equal_engines(run)
    samples, tables, told = [], [], [llama_bench_rates(run)]
    with running_targets(run) as flags:
        for number in range(run.asked_samples or run.size.agreement_rounds):
            found, table = hearth_bench(run, flags, number)
            samples += found
            tables.append(table["rows"])
            told.append(llama_bench_rates(run))
            run.say(f"round {number + 1} is done")
    fastest = {key: max(rates[key] for rates in told) for key in told[0]}
    rows = [agreement_row(target, tokens, depth, samples, fastest)
            for depth in (0, run.size.agreement_depth) for tokens in run.size.agreement_prompts
            for target in TARGETS]
    print(table_text(rows) + "\n" + hand_off_text(tables[-1]) + "\n")
    results = [agreement("bench_agreement", "prefill", rows, "prefill is from llama-bench, the fastest of each"),
               agreement("bench_agreement_decode", "decode", rows, "decode is from llama-bench -d, the fastest of each"),
               agreement("bench_agreement_own_ttft", "own_ttft", rows, "the first token is from the server's own time"),
               agreement("bench_agreement_own_decode", "own_decode", rows, "decode is from the server's own rate")]
    keyed = [[[list(key), rate] for key, rate in rates.items()] for rates in told]
    results[0].extra |= {"rows": rows, "llama_bench": keyed, "hearth_bench": tables}
    return results
