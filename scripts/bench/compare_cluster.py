"""A cluster of two machines: whether it is chosen well who prefills, and what unlike machines are worth to each other."""

from namespaces import measured_apart
from results import Comparison

RIGHT_WITHIN = 0.1


def coordinator_grid(run):
    found = measured_apart(run, "coordinator_grid", "coordinator_grid.py", run.gateway_model, *(["quick"] if run.quick else []))
    if found is None:
        return []
    rows = found["rows"]
    right = Comparison("coordinator_grid", "%", 0.95, "higher", peer_is=f"{len(rows)} cells",
                       what="cells of prompt length x cached share x link x load x pair in which what the coordinator chose was "
                            f"within {RIGHT_WITHIN:.0%} of the better of both ways, all measured (time to the first token)")
    right.ours = [100 * sum(row["regret"] <= RIGHT_WITHIN for row in rows) / len(rows)]
    right.peer = [100.0]
    right.extra = {"rows": rows, "shares_of_a_core": found["shares_of_a_core"],
                   "regret_seconds": sum(row["seconds"][row["chosen"]] - min(row["seconds"].values()) for row in rows),
                   "seconds": sum(row["seconds"][row["chosen"]] for row in rows)}
    out = [right]
    slower = [row for row in rows if row["pair"] == "slower peer" and
              row["seconds"]["alone"] * (1 + RIGHT_WITHIN) < row["seconds"]["remote"]]
    if slower:
        alone = Comparison("coordinator_slow_peer", "%", 1.0, "higher", peer_is=f"{len(slower)} cells",
                           what="cells with a slower peer, in which this machine alone was faster by more than "
                                f"{RIGHT_WITHIN:.0%}: how often the choice was to leave it alone")
        alone.ours, alone.peer = [100 * sum(row["chosen"] == "alone" for row in slower) / len(slower)], [100.0]
        out.append(alone)
    return out


def unlike_pool_decode(run):
    # Its prompts gain more than Kimi's from being computed 512 tokens at a time, by which the machines are to be unlike.
    model = run.synthetic_model("small", "qwen3moe")
    found = measured_apart(run, "unlike_pool_decode", "unlike_machines.py", model, *(["quick"] if run.quick else []))
    if found is None:
        return []
    rows = {row["name"]: row for row in found["rows"]}
    alone, offloaded = rows["studio alone"], rows["spark prefills, studio decodes"]
    pooled = rows["one pool, layers evenly"]
    decode = Comparison("unlike_pool_decode", "tok/s", 1.0, "higher", peer_is="one pool, layers evenly",
                        what="decode rate of the machine that decodes well, while one that decodes slowly prefills for it, against "
                             "one pool of both (emulated machines)")
    decode.ours, decode.peer = offloaded["decode_tok_s"], pooled["decode_tok_s"]
    decode.extra = found
    first = Comparison("unlike_prefill_offload", "s", 1.0, "lower", peer_is="that machine alone",
                       what="time to the first token when the machine that decodes slowly prefills (emulated machines)")
    first.ours, first.peer = offloaded["first_token_s"], alone["first_token_s"]
    kept = Comparison("unlike_offload_decode", "tok/s", 0.95, "higher", peer_is="that machine alone",
                      what="decode rate behind a prefill by the other machine (emulated machines)")
    kept.ours, kept.peer = offloaded["decode_tok_s"], alone["decode_tok_s"]
    return [decode, first, kept]
