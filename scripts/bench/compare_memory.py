"""Resident memory of a worker: what it takes beyond weights and KV, and whether it grows."""

import pathlib
import re

from compare_speed import random_tokens
from results import Comparison
from worker import Worker

MIB = 1 << 20
ALLOWANCE_MIB = 64
GROWTH_ALLOWANCE_MIB = 4  # what the allocator moves around
SEQUENCES = 4
SETTLED_AFTER = 0.1  # of the short requests


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def mapped_bytes(pid, path):
    """How much of a memory-mapped file is resident in the process."""
    total, inside = 0, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def fill_context(run, worker):
    """Every sequence prompts and answers until no cell is free."""
    each = run.context // SEQUENCES
    for index in range(SEQUENCES):
        worker.generate(random_tokens(run, each - 16, seed=index), 16)
    held = worker.call("GET", "/v1/stats")["tokens_held"]
    if held < run.context - SEQUENCES * 32:
        raise RuntimeError(f"resident_memory: only {held} of {run.context} cells were filled")


def resident_memory(run):
    overhead = Comparison(
        "resident_memory", "MiB", 1.0, "lower", peer_is="64 MiB and one chunk",
        what="resident memory of a worker after a full context of work, without the resident weights and the KV")
    with Worker(run, sequences=SEQUENCES) as worker:
        info = worker.info
        run.vocabulary = info["limits"]["vocabulary"]
        fill_context(run, worker)
        resident = resident_bytes(worker.pid)
        weights = mapped_bytes(worker.pid, run.model.resolve())
        if weights < run.model.stat().st_size / 2:  # not mapped, or copied into another layout
            weights = info["model"]["bytes"]
        chunk_mib = info["kv_bytes"] / info["limits"]["context_tokens"] * info["chunk_tokens"] / MIB
        overhead.ours.append((resident - weights - info["kv_bytes"]) / MIB)
        overhead.peer.append(ALLOWANCE_MIB + chunk_mib)
        overhead.extra = {"resident_bytes": resident, "weights_resident_bytes": weights,
                          "weights_file_bytes": run.model.stat().st_size, "kv_bytes": info["kv_bytes"]}
    with Worker(run, sequences=SEQUENCES) as worker:
        return [overhead, memory_growth(run, worker)]


def memory_growth(run, worker):
    requests = run.size.short_requests
    growth = Comparison(
        "memory_growth", "MiB", 1.0, "lower", peer_is="allowance",
        what=f"resident memory after {requests} short requests, minus that after the first "
             f"{int(requests * SETTLED_AFTER)} of them")
    fill_context(run, worker)
    trace = []
    for index in range(requests):
        worker.generate(random_tokens(run, 8 + index % 24, seed=index), 4)
        if (index + 1) % max(1, int(requests * SETTLED_AFTER)) == 0:
            trace.append(resident_bytes(worker.pid))
    growth.ours.append((trace[-1] - trace[0]) / MIB)
    growth.peer.append(GROWTH_ALLOWANCE_MIB)
    growth.extra = {"requests": requests, "resident_bytes": trace}
    return growth
