"""Decode, prefill and four streams of one worker against llama-bench and llama-server."""

import random
import threading
import time

import peer
from results import Comparison, in_turn
from worker import Worker


def random_tokens(run, count, seed):
    """Like llama-bench: any token with the same probability, so that prompts touch all experts."""
    source = random.Random(seed)
    return [source.randrange(run.vocabulary) for _ in range(count)]


def decode_single(run):
    depth, steps = run.size.depth_tokens, run.size.decode_tokens
    result = Comparison(
        "decode_single", "tok/s", 0.97, "higher", peer_is="llama-bench",
        what=f"{steps} greedy decode steps at a depth of {depth} tokens, one stream; ours by the "
             "arrival of its tokens at the client")
    with Worker(run, sequences=1) as worker:
        run.vocabulary = worker.info["limits"]["vocabulary"]
        prompt = random_tokens(run, depth, seed=1)
        worker.generate(prompt, steps + 1)  # warm-up; afterwards the prompt is held, only decode is left

        def ours(_):
            result.ours.append(worker.generate(prompt, steps + 1).decode_tok_s)

        def theirs(_):
            result.peer.append(peer.llama_bench(run, "-p", 0, "-n", steps, "-d", depth))

        in_turn(run.samples, ours, theirs)
    return [result]


def prefill_single(run):
    # One token more on each side: its result says that the prompt is done, on any backend.
    tokens = run.size.prefill_tokens
    result = Comparison(
        "prefill_single", "tok/s", 0.97, "higher", peer_is="llama-bench",
        what=f"{tokens} random prompt tokens and one decode step; ours from sending the request to the "
             "first token")
    with Worker(run, sequences=1) as worker:
        run.vocabulary = worker.info["limits"]["vocabulary"]
        worker.generate(random_tokens(run, run.ubatch, seed=0), 1)

        def ours(index):
            generation = worker.generate(random_tokens(run, tokens + 1, seed=index + 1), 1)
            if generation.prompt["reused_tokens"] > 0:
                raise RuntimeError("prefill_single: part of the prompt was held already")
            result.ours.append((tokens + 1) / generation.ttft_s)

        def theirs(_):
            result.peer.append(peer.llama_bench(run, "-p", 0, "-n", 0, "-pg", f"{tokens},1"))

        in_turn(run.samples, ours, theirs)
    return [result]


def total_rate(prompts, one):
    """Tokens of all streams over the time from the first request to the last token."""
    counts = [0] * len(prompts)

    def stream(index):
        counts[index] = one(prompts[index])

    threads = [threading.Thread(target=stream, args=(index,)) for index in range(len(prompts))]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if 0 in counts:
        raise RuntimeError("streams_4: a stream failed")
    return sum(counts) / took


def streams_4(run):
    prompt_tokens, answer_tokens = run.size.stream_prompt_tokens, run.size.stream_tokens
    result = Comparison(
        "streams_4", "tok/s", 1.0, "higher", peer_is="llama-server -np 4",
        what=f"4 streams at once, each {prompt_tokens} new prompt tokens and {answer_tokens} greedy tokens; "
             "all answer tokens over the whole time")
    with Worker(run, sequences=4) as worker, peer.LlamaServer(run, slots=4) as server:
        run.vocabulary = worker.info["limits"]["vocabulary"]

        def prompts(index):
            return [random_tokens(run, prompt_tokens, seed=100 * index + stream) for stream in range(4)]

        def our_stream(prompt):
            return len(worker.generate(prompt, answer_tokens).tokens)

        def their_stream(prompt):
            return server.complete(prompt, answer_tokens)

        total_rate(prompts(1000), our_stream)
        total_rate(prompts(1000), their_stream)
        in_turn(run.samples,
                lambda index: result.ours.append(total_rate(prompts(index), our_stream)),
                lambda index: result.peer.append(total_rate(prompts(index), their_stream)))
    return [result]
