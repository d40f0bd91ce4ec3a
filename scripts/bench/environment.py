"""What a number is worth depends on: the machine, the versions, and whether it was quiet."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def _first(pattern, path):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text())
    except OSError:
        return None
    return found[1].strip() if found else None


def _commit(root):
    described = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"],
                               capture_output=True, text=True)
    return described.stdout.strip() or None


def has_amx():
    return bool(_first(r"\b(amx_tile)\b", "/proc/cpuinfo"))


def describe(run, engine):
    memory_kb = _first(r"MemTotal:\s+(\d+) kB", "/proc/meminfo")
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _first(r"model name\s*:\s*(.*)", "/proc/cpuinfo") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory_kb) / (1 << 20), 1) if memory_kb else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_at_start": run.load_average,
        "hearth": _commit(run.root),
        "engine": engine,
        "model": {"file": run.model.name, "bytes": run.model.stat().st_size},
        "threads": run.threads, "context_tokens": run.context, "batch_tokens": run.batch,
        "ubatch_tokens": run.ubatch, "quick": run.quick,
    }
