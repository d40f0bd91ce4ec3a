"""Export and import of one chunk against the engine's own calls; measured by hearth-state-bench."""

import json
import statistics

import processes
from results import Comparison


def state_calls(run):
    document = json.loads(processes.output_of(
        [run.bin / "hearth-state-bench", str(run.model), str(run.cheap_samples), str(run.threads)],
        run.log("state-bench")))
    results = []
    for part, call, work in (("export", "llama_state_seq_get_data", "export, validation, key and digest"),
                             ("import", "llama_state_seq_set_data", "digest, validation and import")):
        result = Comparison(f"{part}_chunk", "us", 1.5, "lower", peer_is=call,
                            what=f"{work} of a chunk of {document['chunk_tokens']} tokens against {call} alone")
        result.ours, result.peer = document[part]["ours_us"], document[part]["peer_us"]
        result.extra = {"chunk_bytes": document["chunk_bytes"],
                        "ours_on_engine_thread": statistics.median(document[part]["ours_engine_us"])}
        results.append(result)
    return results
