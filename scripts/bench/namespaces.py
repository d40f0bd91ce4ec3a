"""Measurements on a cluster in network namespaces: programs of their own, because they enter the namespaces as a whole."""

import json
import subprocess
import sys

import processes

SKIPPED = 77


def measured_apart(run, name, script, model, *arguments):
    """What `script` (in this folder) wrote as JSON; nothing where namespaces are not permitted, and the run says why."""
    out = run.scratch / f"{name}.json"
    command = [sys.executable, "-B", run.root / "scripts" / "bench" / script, run.bin, model, out, *arguments]
    child = processes.start([str(part) for part in command], run.log(name), stdout=subprocess.PIPE, text=True)
    last = ""
    for last in child.stdout:
        print(last, end="", flush=True)
    child.wait()
    processes.stop(child)
    if child.returncode == SKIPPED:
        run.skip(name, last.strip().removeprefix("skipped: "))
        return None
    if child.returncode != 0:
        raise RuntimeError(f"{name}: exit code {child.returncode}; see {run.log(name)}")
    return json.loads(out.read_text())
