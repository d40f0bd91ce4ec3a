"""How far `hearth bench` agrees: with llama-bench on the same model, and with what the servers tell of themselves."""

import contextlib
import copy
import json
import sqlite3
import statistics

import peer
import processes
from cluster import HearthCluster
from compare_gateway import HearthServer
from compare_plan import model_file
from results import Comparison

ANSWER_TOKENS = 129  # 128 intervals, as many as llama-bench -n 128
BOUND_PERCENT = 3
TARGETS = ("llama", "here", "pair", "split")  # llama-server, a Hearth endpoint, two workers, a cluster of two machines


def llama_bench_rates(run):
    """Tokens per second of a prompt by (tokens, depth), and of 128 steps by depth; one repetition of each."""
    prompts, depth = run.size.agreement_prompts, run.size.agreement_depth
    rows = peer.llama_bench_rows(run, "-p", ",".join(map(str, prompts)), "-n", 0, "-d", f"0,{depth}")
    rows += peer.llama_bench_rows(run, "-p", 0, "-n", ANSWER_TOKENS - 1,
                                  "-d", ",".join(map(str, sorted({*prompts, depth + prompts[0]}))))
    prefill = {(row["n_prompt"], row["n_depth"]): row["avg_ts"] for row in rows if row["n_prompt"]}
    decode = {row["n_depth"]: row["avg_ts"] for row in rows if row["n_gen"]}
    return prefill, decode


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
               "--warm-ups", 0, "--repeats", 1, "--context", run.context, "--sequences", 1,
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


def expected_prefill(tokens, depth, prefill, decode):
    """The rate of a prompt whose last token is a step of its own, out of what llama-bench times apart."""
    return tokens / ((tokens - 1) / prefill[tokens, depth] + 1 / decode[min(decode)])


def agreement_row(target, tokens, depth, rounds):
    """Each request against what llama-bench said before and after its round; medians over the rounds."""
    mine, expected = [], []
    for samples, (prefill, decode) in rounds:
        for sample in samples:
            if (sample["target"], sample["prompt_tokens_wanted"], sample["depth_wanted"]) == (target, tokens, depth):
                mine.append(sample)
                expected.append((expected_prefill(tokens, depth, prefill, decode), decode.get(tokens + depth)))
    return {"target": target, "prompt_tokens": tokens, "depth": depth, "samples": len(mine),
            "prefill_tok_s": median_of(map(prefill_tok_s, mine)), "decode_tok_s": median_of(map(decode_tok_s, mine)),
            "prefill_llama_bench": median_of(prefill for prefill, _ in expected),
            "decode_llama_bench": median_of(decode for _, decode in expected),
            "ratios": {"prefill": median_of(prefill_tok_s(s) / prefill for s, (prefill, _) in zip(mine, expected)),
                       "decode": median_of(decode_tok_s(s) / decode for s, (_, decode) in zip(mine, expected)
                                           if decode and decode_tok_s(s)),
                       "own_ttft": median_of(map(own_ttft_ratio, mine)),
                       "own_decode": median_of(map(own_decode_ratio, mine))}}


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


def mean_rates(before, after):
    return {key: (rate + after[key]) / 2 for key, rate in before.items()}


def with_dense_model(run):
    """llama-bench asks for random tokens and `hearth bench` for words: the experts that those touch are not the same."""
    out = copy.copy(run)
    if not run.asked_model:
        out.model = model_file(run, "llama")
        out.peers_repack = True
    return out


def bench_agreement(run):
    run = with_dense_model(run)
    # llama-bench between the rounds, so that a machine that drifts does not look like a disagreement.
    rounds, tables, between = [], [], [llama_bench_rates(run)]
    with running_targets(run) as flags:
        for number in range(run.asked_samples or run.size.agreement_rounds):
            samples, table = hearth_bench(run, flags, number)
            between.append(llama_bench_rates(run))
            rounds.append((samples, [mean_rates(*both) for both in zip(*between[-2:])]))
            tables.append(table["rows"])
    rows = [agreement_row(target, tokens, depth, rounds)
            for depth in (0, run.size.agreement_depth) for tokens in run.size.agreement_prompts
            for target in TARGETS]
    print(table_text(rows) + "\n" + hand_off_text(tables[-1]) + "\n")
    results = [agreement("bench_agreement", "prefill", rows, "prefill is from llama-bench"),
               agreement("bench_agreement_decode", "decode", rows, "decode is from llama-bench -d"),
               agreement("bench_agreement_own_ttft", "own_ttft", rows, "the first token is from the server's own time"),
               agreement("bench_agreement_own_decode", "own_decode", rows, "decode is from the server's own rate")]
    keyed = [[[list(key) if isinstance(key, tuple) else key, rate] for key, rate in rates.items()]
             for half in between for rates in half]
    results[0].extra |= {"rows": rows, "llama_bench": keyed, "hearth_bench": tables}
    return results
