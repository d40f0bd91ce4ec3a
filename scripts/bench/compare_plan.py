"""How far the planner's predictions are from what this machine does: probe and measure in turn, then predict.

A virtual machine is faster in one minute than in the next. So the medians over several rounds are compared, of what was
probed as of what was measured: both see the same minutes, and no bad one decides.
"""

import contextlib
import json
import os
import random
import re
import statistics
import string
import subprocess

import processes
import worker
from results import Comparison

ARCHITECTURES = ["kimi", "qwen3moe", "llama"]
ANSWER_TOKENS = 257  # long enough for the stalls of a virtual machine, some tens of milliseconds twice a second, to even out
CONTEXT_TOKENS = 12288
MODES = ["alone", "split", "pooled"]
HOST, LENDER = "bench-host", "bench-lender"  # one machine, probed as what computes alone and as what lends
MEDIAN_BOUND_PERCENT = 10
P90_BOUND_PERCENT = 20
PROMPT_TOKENS_MAX = 8192
POOL_SHARE = 0.7
PROBE_REPETITIONS = 3
LOCAL_COPY_GB_S = 1.0  # chunks between two processes: export, digest, socket, import


def model_file(run, architecture):
    """Random weights, made once: they touch all experts, whatever the prompt says."""
    path = run.root / "build" / "bench" / "models" / f"{architecture}-small-random-q8_0.gguf"
    if not path.exists():
        run.say(f"making {path.name}, once")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        processes.output_of([run.bin / "hearth", "model", "synth", "--arch", architecture, "--size", "small",
                             "--type", "q8_0", "--weights", "random", "-o", unfinished], run.log("synth"))
        unfinished.rename(path)
    return path


def probe(run, model, name, *flags):
    """One look; what an earlier one found is forgotten."""
    probe_file = run.output / f"plan_{name}.toml"
    probe_file.unlink(missing_ok=True)
    command = [run.bin / "hearth", "node", "probe", "--json", "--to", probe_file, "--name", name, "--looks", "1",
               "--threads", str(run.threads), "--deepest", str(PROMPT_TOKENS_MAX), "--repetitions", str(PROBE_REPETITIONS), "--model", model, *flags]
    found = json.loads(processes.output_of(command, run.log("node-probe")))
    return {"found": found, "text": probe_file.read_text()}


def runs_by_id(text):
    """Tokens and seconds of each point."""
    return {run_id: (int(tokens), float(seconds)) for run_id, tokens, seconds in
            re.findall(r'^id = "(.*)"$(?:\n.+)*?\ntokens = (.*)$(?:\n.+)*?\nseconds = (.*)$', text, re.M)}


def write_median_probe(run, name, probes):
    """The last probe's file with the median of all for each point; windows of decoded tokens differ in length."""
    all_runs = [runs_by_id(one["text"]) for one in probes]
    text = probes[-1]["text"]
    for run_id, (last_tokens, _) in all_runs[-1].items():
        token_s = [seconds / tokens for tokens, seconds in (runs[run_id] for runs in all_runs)]
        median = last_tokens * statistics.median(token_s)
        head, tail = text.split(f'id = "{run_id}"', 1)
        text = head + f'id = "{run_id}"' + re.sub(r"^seconds = .*$", f"seconds = {median}", tail, count=1, flags=re.M)
    (run.output / f"plan_{name}.toml").write_text(text)


@contextlib.contextmanager
def lender(run):
    """A machine that lends its memory: the engine's RPC server on loopback, as `hearth node --lend` runs it."""
    server = processes.start([run.bin / "hearth-worker", "rpc", "--threads", str(run.threads)], run.log("rpc"),
                             env={**worker.SHORT_SPIN, **os.environ}, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        yield f"127.0.0.1:{json.loads(server.stdout.readline())['port']}"
    finally:
        processes.stop(server)


def cluster_file(run, mode, hand_off_s, usable_gb=0):
    members = {"alone": {"a": HOST}, "split": {"a": HOST, "b": HOST}, "pooled": {"a": HOST, "b": LENDER}}[mode]
    usable = f"usable_gb = {usable_gb:.3f}\n" if usable_gb else ""
    text = "".join(f'[[member]]\nname = "{name}"\nmachine = "{machine}"\n{usable}'
                   for name, machine in members.items())
    if mode == "split":
        text += (f'[[connection]]\nends = ["a", "b"]\ngb_s = {LOCAL_COPY_GB_S}\nlatency_us = 50\n'
                 f'hand_off_ms = {1e3 * hand_off_s:.3f}\n')
    if mode == "pooled":
        text += '[[connection]]\nends = ["a", "b"]\ngb_s = 10\nlatency_us = 1\n'
    path = run.scratch / f"{mode}.toml"
    path.write_text(text)
    return path


def plan_of(run, model, mode, cluster, prompt_tokens):
    command = [run.bin / "hearth", "plan", "--cluster", cluster, "--model", model, "--family", mode, "--kv-type", "f16", "--json",
               "--workload", f"prompt={prompt_tokens},output={ANSWER_TOKENS},context={CONTEXT_TOKENS}"]
    for name in (HOST, LENDER):
        command += ["--catalog", run.output / f"plan_{name}.toml"]
    return json.loads(processes.output_of(command, run.log("hearth-plan"), accept=(0, 1)))["plans"][0]


def usable_gb_of(run, model, alone):
    """So little memory for each of two machines that neither holds the model: else one would have all layers."""
    memory = plan_of(run, model, "alone", alone, PROMPT_TOKENS_MAX)["memory"][0]
    return (POOL_SHARE * (memory["weights_bytes"] + memory["kv_bytes"]) + memory["compute_bytes"]) / 1e9


def predicted(plan):
    return {"ttft_s": plan["ttft_s"]["p50"], "tpot_s": 1 / plan["decode_tok_s"],
            "low_s": plan["ttft_s"]["low"], "high_s": plan["ttft_s"]["high"]}


def measure(run, model, flags, prompt_file):
    command = [run.bin / "hearth", "run", "--model", model, "-f", prompt_file, "--json", "--tokens",
               str(ANSWER_TOKENS), "--ignore-eos", "--temperature", "0", "--context", str(CONTEXT_TOKENS), "--chunk-tokens",
               str(run.batch), "--ubatch", str(run.ubatch), "--threads", str(run.threads), "--no-store",
               *flags]
    answer = json.loads(processes.output_of(command, run.log("hearth-run")))
    if answer["worker_restarts"] or answer["refused_chunks"]:
        raise RuntimeError(f"plan_grid: not a clean run: {answer}")
    return answer


def prompt(run, tokens, seed):
    source = random.Random(seed)
    text = "".join(source.choice(string.ascii_lowercase + " ") for _ in range(tokens))
    path = run.scratch / f"prompt-{tokens}-{seed}.txt"
    path.write_text(text)
    return path


@contextlib.contextmanager
def flags_of(run, model, mode, cluster, tokens):
    """How `hearth run` does what the plan of this mode says."""
    if mode != "pooled":
        yield ["--prefill-worker"] if mode == "split" else []
        return
    lent = sum(p["layers"] for p in plan_of(run, model, mode, cluster, tokens)["placements"] if p["machine"] == "b")
    with lender(run) as endpoint:
        yield ["--remote", f"{endpoint}={lent}"] if lent else []


def measure_points(run, model, clusters, modes, lengths, seed):
    """Every point once: by (mode, length), the answer as `hearth run` tells it, and the flags it was asked with."""
    out = {}
    for mode in modes:
        for tokens in lengths:
            with flags_of(run, model, mode, clusters[mode], tokens) as flags:
                out[mode, tokens] = measure(run, model, flags, prompt(run, tokens, seed)) | {"flags": flags}
    return out


def row_of(run, model, architecture, mode, cluster, answers):
    prompt_tokens = round(statistics.mean(answer["prompt_tokens"] for answer in answers))
    samples = {"ttft_s": [answer["ttft_ms"] / 1e3 for answer in answers],
               "tpot_s": [1 / answer["decode_tok_s"] for answer in answers]}
    prediction = predicted(plan_of(run, model, mode, cluster, prompt_tokens))
    measured = {key: statistics.median(values) for key, values in samples.items()}
    return {"model": architecture, "mode": mode, "prompt_tokens": prompt_tokens, "flags": answers[-1]["flags"],
            "predicted": prediction, "measured": measured, "samples": samples,
            "error": {key: prediction[key] / value - 1 for key, value in measured.items()}}


def rows_of_model(run, architecture, lengths):
    model = model_file(run, architecture)
    probes, rounds = {HOST: [], LENDER: []}, []
    clusters = {mode: cluster_file(run, mode, 0) for mode in ("alone", "split")}
    for number in range(run.asked_samples or run.size.plan_rounds):
        probes[HOST].append(probe(run, model, HOST))
        answers = measure_points(run, model, clusters, ["alone", "split"], lengths, seed=number)
        probes[LENDER].append(probe(run, model, LENDER, "--lent"))
        if "pooled" not in clusters:  # as the first probe says: the same arrangement in all rounds
            clusters["pooled"] = cluster_file(run, "pooled", 0, usable_gb_of(run, model, clusters["alone"]))
        rounds.append(answers | measure_points(run, model, clusters, ["pooled"], lengths, seed=number))
        run.say(f"{architecture}: round {number + 1} is done")
    for name, found in probes.items():
        write_median_probe(run, name, found)
    hand_off_s = statistics.median(one["found"]["models"][0]["hand_off_s"]["median"] for one in probes[HOST])
    clusters["split"] = cluster_file(run, "split", hand_off_s)
    rows = [row_of(run, model, architecture, mode, clusters[mode], [answers[mode, tokens] for answers in rounds])
            for mode in MODES for tokens in lengths]
    return rows, {name: [one["found"] for one in found] for name, found in probes.items()}


def percentile(values, share):
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def noise_percent(rows, key):
    """What no prediction can know: the interquartile range of a point's samples, over their median."""
    of_points = [100 * (percentile(samples, 0.75) - percentile(samples, 0.25)) / statistics.median(samples)
                 for samples in (row["samples"][key] for row in rows) if len(samples) > 1]
    return statistics.median(of_points) if of_points else 0.0


def table(rows):
    lines = [f"{'model':<9} {'mode':<6} {'prompt':>6}  {'first token, s':^24}  {'per token, ms':^24}",
             f"{'':<9} {'':<6} {'':>6}  {'predicted measured  error':^24}  {'predicted measured  error':^24}"]
    for row in rows:
        line = f"{row['model']:<9} {row['mode']:<6} {row['prompt_tokens']:>6}"
        for key, scale in (("ttft_s", 1), ("tpot_s", 1e3)):
            predicted, measured, error = row["predicted"][key], row["measured"][key], row["error"][key]
            line += f"  {predicted * scale:>9.2f} {measured * scale:>8.2f} {100 * error:>+5.0f} %"
        lines.append(line)
    return "\n".join(lines)


def summary(name, key, rows, share, bound):
    errors = [100 * abs(row["error"][key]) for row in rows]
    result = Comparison(name, "%", 1.0, "lower", peer_is=f"the bound, {bound} %",
                        what=f"{'median' if share == 0.5 else '90th percentile'} of the errors of "
                             f"{key.removesuffix('_s').upper()} predicted after a probe, over {len(errors)} points")
    result.ours, result.peer = [percentile(errors, share)], [bound]
    return result


def plan_grid(run):
    rows, probes = [], {}
    for architecture in ARCHITECTURES if not run.quick else ["llama"]:
        found, probes[architecture] = rows_of_model(run, architecture, run.size.plan_prompts)
        rows += found
        run.say("\n" + table(found))
    noise = {key: noise_percent(rows, key) for key in ("ttft_s", "tpot_s")}
    print(table(rows) + f"\n\nhalf of the samples of a point lie within {noise['ttft_s']:.0f} % (first token) and {noise['tpot_s']:.0f} % "
          "(per token) of each other, in the median over the points\n")
    first = summary("plan_grid", "ttft_s", rows, 0.5, MEDIAN_BOUND_PERCENT)
    first.extra = {"rows": rows, "probes": probes, "noise_percent": noise}
    return [first, summary("plan_grid_ttft_p90", "ttft_s", rows, 0.9, P90_BOUND_PERCENT),
            summary("plan_grid_tpot", "tpot_s", rows, 0.5, MEDIAN_BOUND_PERCENT),
            summary("plan_grid_tpot_p90", "tpot_s", rows, 0.9, P90_BOUND_PERCENT)]
