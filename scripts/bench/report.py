#!/usr/bin/env python3
"""Prints the markdown table of docs/benchmarks.md from build/bench/*.json (or another directory)."""

import json
import pathlib
import sys

from results import markdown_table

ORDER = ["decode_single", "prefill_single", "streams_4", "split_ttft", "restore_vs_prefill", "restore_vs_slot",
         "export_chunk", "import_chunk", "resident_memory", "memory_growth"]


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "bench"
    documents = [json.loads(path.read_text()) for path in directory.glob("*.json")]
    if not documents:
        sys.exit(f"report: no results in {directory}; run make bench first")
    documents.sort(key=lambda d: ORDER.index(d["name"]) if d["name"] in ORDER else len(ORDER))
    environment = documents[0]["environment"]
    engine, model = environment["engine"], environment["model"]
    print(f"{environment['date']}, Hearth {environment['hearth']}, libllama {engine['version']} "
          f"({engine['backend']}), {environment['cores']} cores of {environment['cpu']}, "
          f"{environment['memory_gib']} GiB, {environment['threads']} threads; model {model['file']}, "
          f"{model['bytes'] / 1e9:.2f} GB.\n")
    print(markdown_table(documents))


if __name__ == "__main__":
    main()
