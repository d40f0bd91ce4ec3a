"""hearth serve against llama-server: the same chat completions, from the same client, on the same model."""

import http.client
import json
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

import peer
import processes
from results import Comparison, in_turn
from worker import Worker

READY_SECONDS = 120
REPLY_SECONDS = 1800
IDLE_CONNECTIONS = 512
TURN_NEW_BYTES = 175  # with the markup of a turn about 200 tokens
IDLE_ALLOWANCE_BYTES = 64 << 20


class HearthServer:
    """On loopback with the settings that LlamaServer has; use in a `with`."""

    def __init__(self, run, *flags, context=None, model=None, sequences=4):
        self.home = tempfile.TemporaryDirectory(prefix="hearth-bench-home-", dir=run.scratch)
        command = [run.bin / "hearth", "serve", "--model", model or run.gateway_model, "--port", 0,
                   "--context", context or run.context,
                   "--sequences", sequences, "--chunk-tokens", run.batch, "--ubatch", run.ubatch, "--threads", run.threads,
                   "--log", "warning", *flags]
        environment = dict(run.tools.environment, HEARTH_HOME=self.home.name)
        self.child = processes.start(list(map(str, command)), run.log("serve"), stdout=subprocess.PIPE,
                                     env=environment)
        line = self.child.stdout.readline().decode()
        if not line.startswith("ready http://"):
            raise RuntimeError(f"hearth serve did not start; see {run.log('serve')}")
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        processes.stop(self.child)
        self.home.cleanup()


class Answer:
    def __init__(self, sent_at, token_times, usage, text):
        self.ttft_ms = 1000 * (token_times[0] - sent_at)
        self.took_ms = 1000 * (token_times[-1] - sent_at)
        gaps = [later - earlier for earlier, later in zip(token_times, token_times[1:])]
        self.token_ms = 1000 * statistics.mean(gaps) if gaps else 0.0
        self.tokens = len(token_times)
        self.usage = usage
        self.text = text


def chat(port, text, tokens):
    """One message; a byte of text is a token of the synthetic models, so pieces are tokens."""
    return converse(port, [{"role": "user", "content": text}], tokens)


def converse(port, messages, tokens):
    """Greedy, streamed, on a connection of its own: llama-server ends a connection after a stream."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REPLY_SECONDS)
    body = json.dumps({"model": "any", "messages": messages, "max_tokens": tokens,
                       "temperature": 0, "stream": True, "stream_options": {"include_usage": True},
                       "chat_template_kwargs": {"thinking": False, "enable_thinking": False}})
    times, usage, text, rest = [], None, "", b""
    sent_at = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    while piece := reply.read1(1 << 16):
        now = time.perf_counter()
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(f"chat completion: {event['error']}")
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                if choice["delta"].get("content"):
                    text += choice["delta"]["content"]
                    times.extend([now] * len(choice["delta"]["content"]))
    connection.close()
    if reply.status != 200 or not times:
        raise RuntimeError(f"chat completion: status {reply.status}, {len(times)} tokens")
    return Answer(sent_at, times, usage, text)


def sentence(length, seed):
    """Text that the retrieval model repeats to its end."""
    return " ".join(f"{(seed * 7919 + i * 104729) % 99991}" for i in range(length // 5 + 2))[:length]


def servers(run, context=None):
    return (HearthServer(run, "--no-store", context=context),
            peer.LlamaServer(run, slots=4, model=run.gateway_model, context=context))


def latencies(run):
    tokens = run.size.gateway_tokens
    per_token = Comparison(
        "gateway_token", "ms", 1.0, "lower", peer_is="llama-server",
        what=f"time between tokens of one streamed chat completion of {tokens} tokens, as the client sees them")
    per_request = Comparison(
        "gateway_request", "ms", 1.0, "lower", peer_is="llama-server",
        what="a chat completion of one token whose prompt is held: from connecting to its last byte")
    hearth, llama = servers(run)
    with hearth, llama:
        text = sentence(2 * tokens, 1)

        def measure(port, token_samples, request_samples):
            chat(port, text, 2)  # from here on the prompt is held
            token_samples.append(chat(port, text, tokens).token_ms)
            short = [chat(port, text, 1).took_ms for _ in range(10)]
            request_samples.append(statistics.median(short))

        measure(hearth.port, [], [])
        measure(llama.port, [], [])
        in_turn(run.cheap_samples, lambda _: measure(hearth.port, per_token.ours, per_request.ours),
                lambda _: measure(llama.port, per_token.peer, per_request.peer))
    return [per_token, per_request]


def at_once(count, one):
    """Runs `one(index)` in `count` threads; an exception of one is raised here."""
    failures = []

    def guarded(index):
        try:
            one(index)
        except (RuntimeError, OSError) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - began


def throughput(run):
    short, tokens = run.size.gateway_short_requests, run.size.gateway_tokens
    rate = Comparison("gateway_short", "req/s", 1.0, "higher", peer_is="llama-server",
                      what=f"{short} chat completions of 8 tokens with new prompts of 64, from 4 clients at once")
    streams = Comparison("gateway_streams_4", "tok/s", 1.0, "higher", peer_is="llama-server",
                         what=f"4 chat completions at once, {tokens} tokens each, new prompts; all tokens over the time")
    hearth, llama = servers(run)
    with hearth, llama:
        def requests_per_second(port, seed):
            def client(index):
                for i in range(short // 4):
                    chat(port, sentence(64, seed * 10_000 + index * 1_000 + i), 8)
            return short // 4 * 4 / at_once(4, client)

        def tokens_per_second(port, seed):
            counts = [0] * 4

            def client(index):
                counts[index] = chat(port, sentence(2 * tokens, seed * 100 + index), tokens).tokens
            took = at_once(4, client)
            return sum(counts) / took

        def measure(port, rates, totals, seed):
            rates.append(requests_per_second(port, seed))
            totals.append(tokens_per_second(port, seed + 1))

        measure(hearth.port, [], [], 900)
        measure(llama.port, [], [], 950)
        in_turn(run.samples, lambda i: measure(hearth.port, rate.ours, streams.ours, 2 * i),
                lambda i: measure(llama.port, rate.peer, streams.peer, 2 * i))
    return [rate, streams]


def cached_ttft(run):
    prefix = run.size.gateway_prefix_tokens
    result = Comparison(
        "gateway_cached_ttft", "ms", 1.0, "lower", peer_is="llama-server",
        what=f"time to the first token of a message of {prefix} tokens whose KV is held, all but its last 30")
    hearth, llama = servers(run, context=2 * prefix)
    with hearth, llama:
        text = sentence(prefix, 3)

        def measure(port, samples, index):
            samples.append(chat(port, f"{text}{index:030d}", 1).ttft_ms)

        measure(hearth.port, [], 900)
        measure(llama.port, [], 900)
        in_turn(run.cheap_samples, lambda i: measure(hearth.port, result.ours, i),
                lambda i: measure(llama.port, result.peer, i))
    return [result]


def turn_ttft(run):
    prefix = run.size.gateway_turn_prefix_tokens
    result = Comparison(
        "gateway_turn_ttft", "ms", 1.2, "lower", peer_is="prefill of as many tokens",
        what=f"time to the first token of a turn with about 200 new tokens in a conversation of {prefix}; the peer is a "
             "worker that is given the same number of new tokens behind a prefix as long")
    context = prefix + 10_000
    with HearthServer(run, "--no-store", context=context) as hearth, \
            Worker(run, sequences=2, context=context, model=run.gateway_model) as worker:
        run.say(f"gateway_turn_ttft: reading {prefix} tokens twice")
        messages = [{"role": "user", "content": sentence(prefix, 1)}]
        answer = converse(hearth.port, messages, 8)
        held = worker.tokenize(sentence(prefix, 1))
        worker.generate(held, 1)
        new_tokens = []

        def ours(index):
            nonlocal answer
            messages.extend([{"role": "assistant", "content": answer.text},
                             {"role": "user", "content": sentence(TURN_NEW_BYTES, 1000 + index)}])
            answer = converse(hearth.port, messages, 8)
            cached = answer.usage["prompt_tokens_details"]["cached_tokens"]
            new_tokens.append(answer.usage["prompt_tokens"] - cached)
            result.ours.append(answer.ttft_ms)

        def theirs(index):
            count = new_tokens[-1] if new_tokens else 200
            more = worker.tokenize(sentence(count, 2000 + index))
            result.peer.append(1000 * worker.generate(held + more, 1).ttft_s)

        ours(900)
        theirs(900)
        result.ours.clear()
        result.peer.clear()
        in_turn(run.samples, ours, theirs)
        result.extra["new_tokens"] = new_tokens
    return [result]


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no VmRSS of process {pid}")


def idle_streams(run):
    result = Comparison(
        "gateway_idle_streams", "MiB", 1.0, "lower", peer_is="allowance",
        what=f"memory that {IDLE_CONNECTIONS} open event streams add to hearth serve, all waiting for one answer")
    with HearthServer(run, "--no-store", "--requests", 600) as hearth:
        chat(hearth.port, "warm", 1)
        before = resident_bytes(hearth.child.pid)
        connections = []
        # One long prompt takes the engine; the others wait with their streams open.
        for index in range(IDLE_CONNECTIONS):
            connection = http.client.HTTPConnection("127.0.0.1", hearth.port, timeout=REPLY_SECONDS)
            text = sentence(7000, 5) if index < 4 else f"idle {index}"
            connection.request("POST", "/v1/chat/completions", json.dumps(
                {"model": "any", "stream": True, "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}),
                {"Content-Type": "application/json"})
            connections.append(connection)
        time.sleep(5)  # each stream begins within two seconds
        result.ours.append((resident_bytes(hearth.child.pid) - before) / (1 << 20))
        result.peer.append(IDLE_ALLOWANCE_BYTES / (1 << 20))
        for connection in connections:
            connection.close()
    return [result]
