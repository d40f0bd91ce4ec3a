"""Runs the comparisons. Exit code: 0 all bounds hold, 1 one does not, 3 it could not be measured."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import environment
import peer
import processes
import results
from bench_agreement import bench_agreement
from compare_cluster import coordinator_grid, unlike_pool_decode
from compare_gateway import cached_ttft, idle_streams, latencies, throughput, turn_ttft
from compare_memory import resident_memory
from compare_plan import plan_grid
from compare_prefix import restores, split_ttft
from compare_speed import decode_single, prefill_single, streams_4
from compare_state import state_calls
from worker import Worker

QUIET_LOAD = 0.5


@dataclass(frozen=True)
class Size:
    model: str
    samples: int
    cheap_samples: int
    depth_tokens: int
    decode_tokens: int
    prefill_tokens: int
    stream_prompt_tokens: int
    stream_tokens: int
    split_tokens: int
    short_requests: int
    gateway_tokens: int
    gateway_prefix_tokens: int
    gateway_short_requests: int
    gateway_turn_prefix_tokens: int
    plan_prompts: tuple
    plan_rounds: int
    agreement_prompts: tuple
    agreement_depth: int
    agreement_rounds: int


FULL = Size("medium", 5, 21, depth_tokens=1024, decode_tokens=128, prefill_tokens=2048, stream_prompt_tokens=128,
            stream_tokens=128, split_tokens=4096, short_requests=1000, gateway_tokens=200,
            gateway_prefix_tokens=8000, gateway_short_requests=100,
            gateway_turn_prefix_tokens=29_000,
            plan_prompts=(512, 1024, 2048, 4096, 8192), plan_rounds=4,
            agreement_prompts=(512, 1536), agreement_depth=1536, agreement_rounds=5)
QUICK = Size("small", 2, 4, depth_tokens=128, decode_tokens=32, prefill_tokens=512, stream_prompt_tokens=32,
             stream_tokens=32, split_tokens=1500, short_requests=50, gateway_tokens=40,
             gateway_prefix_tokens=2000, gateway_short_requests=16,
             gateway_turn_prefix_tokens=3000, plan_prompts=(512,), plan_rounds=1,
             agreement_prompts=(1100, 1300), agreement_depth=1100, agreement_rounds=1)

# Each with the tools of the engine package that it cannot do without.
COMPARISONS = [
    (("decode_single",), decode_single, ["llama-bench"]),
    (("prefill_single",), prefill_single, ["llama-bench"]),
    (("streams_4",), streams_4, ["llama-server"]),
    (("split_ttft",), split_ttft, []),
    (("restore_vs_prefill", "restore_vs_slot"), restores, []),
    (("export_chunk", "import_chunk"), state_calls, []),
    (("resident_memory", "memory_growth"), resident_memory, []),
    (("gateway_token", "gateway_request"), latencies, ["llama-server"]),
    (("gateway_short", "gateway_streams_4"), throughput, ["llama-server"]),
    (("gateway_cached_ttft",), cached_ttft, ["llama-server"]),
    (("gateway_turn_ttft",), turn_ttft, []),
    (("gateway_idle_streams",), idle_streams, []),
    (("plan_grid", "plan_grid_ttft_p90", "plan_grid_tpot", "plan_grid_tpot_p90"), plan_grid, []),
    (("coordinator_grid", "coordinator_slow_peer"), coordinator_grid, []),
    (("unlike_pool_decode", "unlike_prefill_offload", "unlike_offload_decode"), unlike_pool_decode, []),
    (("bench_agreement", "bench_agreement_decode", "bench_agreement_own_ttft", "bench_agreement_own_decode"),
     bench_agreement, ["llama-bench", "llama-server"]),
]


class Run:
    """What every comparison needs."""

    context, batch, ubatch = 8192, 1024, 512

    def __init__(self, options, scratch):
        self.root = pathlib.Path(__file__).resolve().parents[2]
        self.bin = (options.bin or self.root / "build" / "release" / "bin").resolve()
        self.quick, self.size = options.quick, QUICK if options.quick else FULL
        self.asked_samples = options.samples
        self.samples = options.samples or self.size.samples
        self.cheap_samples = max(self.samples, self.size.cheap_samples)
        self.threads = options.threads or os.cpu_count()
        self.scratch = scratch
        self.output = self.root / "build" / "bench" / ("quick" if options.quick else "")
        self.output.mkdir(parents=True, exist_ok=True)
        self.load_average = os.getloadavg()[0]
        self.tools = peer.Tools(self.root)
        self.model = options.model.resolve() if options.model else self.synthetic_model(self.size.model)
        # Small, so that what is measured is the server and not the arithmetic.
        self.gateway_model = options.model.resolve() if options.model else self.synthetic_model("tiny")
        # libllama 0.7 aborts on MLA models in AMX buffers: our worker keeps such weights out of them,
        # and so must the peers.
        self.peers_repack = not (environment.has_amx() and self.is_mla(self.model))
        self.skipped = []

    def log(self, name):
        directory = self.root / "build" / "bench" / "logs"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{name}.log"

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def skip(self, name, why):
        self.skipped.append((name, why))
        self.say(f"{name} is left out: {why}")

    def is_mla(self, model):
        shown = processes.output_of([self.bin / "hearth", "model", "show", model, "--json"], self.log("model"))
        return json.loads(shown)["mla"] is not None

    def synthetic_model(self, size, architecture="kimi"):
        """Made once; the same seed makes the same bytes."""
        path = self.root / "build" / "bench" / "models" / f"{architecture}-{size}-q8_0.gguf"
        if not path.exists():
            self.say(f"making {path.name}, once")
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".tmp")
            processes.output_of([self.bin / "hearth", "model", "synth", "--arch", architecture, "--size", size,
                                 "--type", "q8_0", "-o", unfinished], self.log("synth"))
            unfinished.rename(path)
        return path

    def micro(self):
        directory = self.root / "build" / "bench" / "micro"
        directory.mkdir(parents=True, exist_ok=True)
        out = directory / "hearth_bench.json"
        self.say(f"micro benchmarks into {out.relative_to(self.root)}")
        command = [self.bin / "hearth_bench", f"--benchmark_out={out}", "--benchmark_out_format=json",
                   "--benchmark_format=console", f"--benchmark_min_time={0.02 if self.quick else 0.5}"]
        subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)


def parse_options():
    names = [name for group, *_ in COMPARISONS for name in group]
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="a smoke test: small model, 2 samples, results into build/bench/quick, bounds only shown")
    parser.add_argument("--only", help=f"comma-separated: {', '.join(names)}, micro")
    parser.add_argument("--samples", type=int, help="of each side of a comparison")
    parser.add_argument("--threads", type=int, help="default: one per core")
    parser.add_argument("--model", type=pathlib.Path, help="a GGUF file (default: a synthetic one, made once)")
    parser.add_argument("--bin", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else [*names, "micro"]
    unknown = set(options.only) - {*names, "micro"}
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))}: there is no such comparison")
    return options


def compare(run, options):
    with Worker(run, sequences=1) as worker:
        about = environment.describe(run, worker.info["engine"])
    documents = []
    for names, measure, tools in COMPARISONS:
        if not set(names) & set(options.only):
            continue
        missing = next(filter(None, map(run.tools.missing, tools)), None)
        if missing:
            run.skip(names[0], missing)
            continue
        run.say(" and ".join(names))
        for result in measure(run):
            document = result.document(about)
            results.write(run.output, document)
            documents.append(document)
    return documents


def main():
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as scratch:
        run = Run(options, pathlib.Path(scratch))
        if run.load_average > QUIET_LOAD:
            run.say(f"the load average is {run.load_average:.2f}: numbers will be noisy, nothing else should run")
        documents = compare(run, options)
        if "micro" in options.only:
            run.micro()
    print(results.text_table(documents))
    for name, why in run.skipped:
        print(f"{name}: not measured, {why}")
    missed = [d["name"] for d in documents if not d["pass"]]
    if missed:
        print(f"\nbound missed: {', '.join(missed)}")
    return 1 if missed and not options.quick else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(3)
