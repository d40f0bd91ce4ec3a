"""What a kept prefix is worth: split prefill, and restoring KV from disk."""

import contextlib
import json
import os
import shutil
import time

import peer
import processes
from results import Comparison, in_turn
from worker import UnixConnection, Worker

PREFIX_TOKENS = 4096
# The engine's idle threads spin for some milliseconds after a batch; no restore begins beside them.
SETTLE_SECONDS = 0.05


def long_text(run, worker, tokens):
    """A natural text of at least so many tokens, and those tokens."""
    base = (run.root / "data" / "demo_text.txt").read_text()
    text, ids = base, worker.tokenize(base)
    while len(ids) < tokens:
        text += base
        ids = worker.tokenize(text)
    return text, ids


def hearth_run(run, prompt_file, *more):
    command = [run.bin / "hearth", "run", "--model", run.model, "-f", prompt_file, "--json", "--tokens", "1",
               "--temperature", "0", "--context", str(run.context), "--chunk-tokens", str(run.batch),
               "--ubatch", str(run.ubatch), "--threads", str(run.threads), *more]
    answer = json.loads(processes.output_of(command, run.log("hearth-run")))
    if answer["answer_tokens"] != 1:
        raise RuntimeError("hearth run: the model ended its answer before the first token; try another --model")
    return answer


def split_ttft(run):
    result = Comparison(
        "split_ttft", "ms", 1.05, "lower", peer_is="one worker",
        what="time to the first token with prefill and decode in two processes, KV passing as chunks, against "
             "one process; the same cores, taken in turn; nothing stored")
    tokens = run.size.split_tokens
    with Worker(run, sequences=1) as worker:
        text, ids = long_text(run, worker, tokens)
        prompt = worker.call("POST", "/v1/detokenize", {"tokens": ids[:tokens]})["text"]
    prompt_file = run.scratch / "prompt.txt"
    prompt_file.write_text(prompt)
    measured = []

    def split(_):
        answer = hearth_run(run, prompt_file, "--no-store", "--prefill-worker")
        if answer["chunks"] == 0 or answer["worker_restarts"] or answer["refused_chunks"]:
            raise RuntimeError(f"split_ttft: the KV was not handed off: {answer}")
        measured.append(answer)
        result.ours.append(answer["ttft_ms"])

    in_turn(run.samples, split,
            lambda _: result.peer.append(hearth_run(run, prompt_file, "--no-store")["ttft_ms"]))
    result.extra = {"prompt_tokens": measured[0]["prompt_tokens"], "chunks": measured[0]["chunks"],
                    "transfer_bytes": measured[0]["bytes"],
                    "hidden_fraction": [answer["hidden_fraction"] for answer in measured]}
    return [result]


class Prefix:
    """A prefix of whole chunks in a chunk store on disk, and in a slot file of llama-server."""

    def __init__(self, run, worker):
        self.worker = worker
        text, ids = long_text(run, worker, PREFIX_TOKENS + 64)
        if worker.info["adds_bos"] and ids[0] != worker.info["bos_token"]:
            ids = [worker.info["bos_token"], *ids]
        self.tokens = ids[:PREFIX_TOKENS + 1]
        prompt_file, store = run.scratch / "prefix.txt", run.scratch / "store"
        prompt_file.write_text(text)
        hearth_run(run, prompt_file, "--store", str(store))
        listed = json.loads(processes.output_of([run.bin / "hearth", "kv", "ls", "--store", store, "--json"],
                                                run.log("hearth-kv")))["chunks"]
        listed.sort(key=lambda chunk: chunk["token_begin"])
        self.chunks = [{"path": str(store / c["key"][:2] / f"{c['key']}.kv"), "key": c["key"]} for c in listed
                       if c["token_begin"] < PREFIX_TOKENS]
        self.files = [chunk["path"] for chunk in self.chunks]

    def restore(self):
        """Seconds from the request to the KV in the worker."""
        time.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        with contextlib.closing(UnixConnection(self.worker.socket_path)) as connection:
            lease = self.worker.call("POST", "/v1/leases", {"keep_ms": 60_000}, self.tokens, connection)
            done = self.worker.call("POST", f"/v1/leases/{lease['lease']}/files", {"files": self.chunks},
                                    connection=connection)
        took = time.perf_counter() - began
        if lease["held_tokens"] != 0 or done != {"imported": len(self.chunks)}:
            raise RuntimeError(f"restore: held {lease['held_tokens']} before, then {done}")
        # The proof that it is usable: the answer computes one token only.
        generation = self.worker.generate(self.tokens, 1, lease=lease["lease"])
        if generation.prompt["reused_tokens"] != PREFIX_TOKENS:
            raise RuntimeError(f"restore: {generation.prompt}")
        self.forget()
        return took

    def forget(self):
        """Another prompt takes the only sequence, so that nothing of the prefix is held."""
        self.worker.generate([self.tokens[0] ^ 1], 1)

    def prefill(self):
        """Seconds from the request to the end of the prompt, nothing held before."""
        generation = self.worker.generate(self.tokens, 1)
        if generation.prompt["computed_tokens"] != PREFIX_TOKENS:
            raise RuntimeError(f"prefill: {generation.prompt}")
        self.forget()
        return generation.prompt_at


def drop_from_page_cache(paths):
    """So that the next read comes from the device. Needs no privilege for one's own files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


class Slot:
    """The same prefix in llama-server."""

    FILE = "prefix.bin"

    def __init__(self, server, tokens):
        self.server = server
        server.call("/completion", {"prompt": tokens, "n_predict": 0, "id_slot": 0, "cache_prompt": True})
        saved = self._act("save")
        if saved["n_saved"] < PREFIX_TOKENS:
            raise RuntimeError(f"llama-server saved only {saved}")
        self.path = server.slot_directory / self.FILE

    def _act(self, action):
        return self.server.call(f"/slots/0?action={action}", {"filename": self.FILE})

    def restore(self):
        self._act("erase")
        time.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        reply = self._act("restore")
        took = time.perf_counter() - began
        if reply["n_restored"] < PREFIX_TOKENS:
            raise RuntimeError(f"llama-server restored only {reply}")
        return took


def restores(run):
    against_prefill = Comparison(
        "restore_vs_prefill", "ms", 0.05, "lower", peer_is="prefill",
        what=f"{PREFIX_TOKENS} tokens of KV from disk (not in the page cache) into a worker against computing them")
    results = [against_prefill]
    with Worker(run, sequences=1) as worker:
        prefix = Prefix(run, worker)

        def cold(_):
            drop_from_page_cache(prefix.files)
            against_prefill.ours.append(1e3 * prefix.restore())

        in_turn(run.samples, cold, lambda _: against_prefill.peer.append(1e3 * prefix.prefill()))
        missing = run.tools.missing("llama-server")
        if missing:
            run.skip("restore_vs_slot", missing)
        else:
            results += against_slot(run, prefix)
        against_prefill.extra = {"chunks": len(prefix.files), "bytes": sum(map(os.path.getsize, prefix.files))}
    shutil.rmtree(run.scratch / "store")
    return results


def against_slot(run, prefix):
    warm = Comparison(
        "restore_vs_slot", "ms", 1.0, "lower", peer_is="llama-server slot restore",
        what=f"{PREFIX_TOKENS} tokens of KV from files in the page cache, checked, into a worker against a slot "
             "restore of the same prefix; both from the client's request to its reply")
    cold = {"ours": [], "peer": []}
    with peer.LlamaServer(run, slots=1) as server:
        slot = Slot(server, prefix.tokens[:PREFIX_TOKENS])
        prefix.restore()
        slot.restore()
        in_turn(run.cheap_samples, lambda _: warm.ours.append(1e3 * prefix.restore()),
                lambda _: warm.peer.append(1e3 * slot.restore()))

        def ours_cold(_):
            drop_from_page_cache(prefix.files)
            cold["ours"].append(1e3 * prefix.restore())

        def theirs_cold(_):
            drop_from_page_cache([slot.path])
            cold["peer"].append(1e3 * slot.restore())

        in_turn(run.samples, ours_cold, theirs_cold)
        warm.extra = {"not_in_page_cache": cold, "bytes": {"ours": sum(map(os.path.getsize, prefix.files)),
                                                           "peer": os.path.getsize(slot.path)}}
    return [warm]
