"""How soon a session with memory answers: the first time, and after everything was started again.

usage: session_open.py BIN_DIRECTORY MODEL.gguf [--tokens 60000] [--samples 5] [--output FILE]

The cold figure is one question to a session whose memory nobody has read yet; the warm ones are the
same question in new sessions, each after the server was stopped and started again. From the start of
`hearth chat` to the first byte of its answer; loading the model is in neither. Exit code: 0 at least
20 times sooner and the memory files as they were, 1 not, 3 it could not be measured.
"""

import argparse
import hashlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUND = 20
LINES_PER_FILE = 400


def environment(home):
    return dict(os.environ, HEARTH_HOME=str(home), OMP_WAIT_POLICY="passive")


def write_memory(folder, tokens):
    """Text of about so many tokens; a line of it is about 84 of a synthetic model's."""
    folder.mkdir()
    lines = [f"On day {i} the heron stood at the weir for {i * 7 % 60} minutes, and nobody else came by.\n" for i in range(tokens // 84)]
    for i in range(0, len(lines), LINES_PER_FILE):
        (folder / f"notes{i // LINES_PER_FILE:03}.md").write_text("".join(lines[i:i + LINES_PER_FILE]))


def digest(folder):
    out = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        out.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return out.hexdigest()


class Server:
    def __init__(self, binaries, model, home, context, log):
        self.process = subprocess.Popen([binaries / "hearth", "serve", "--model", model, "--port", "0", "--log", "warning",
                                         "--context", str(context)], env=environment(home), stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(3)
        self.url = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(600)


def first_byte_seconds(binaries, home, url, name):
    """And what the chat said of memory."""
    began = time.monotonic()
    chat = subprocess.Popen([binaries / "hearth", "chat", name, "--server", url, "--tokens", "8", "--thinking", "off"],
                            env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    chat.stdin.write(b"What did the heron do on day 7?\n")
    chat.stdin.close()
    os.read(chat.stdout.fileno(), 1)
    took = time.monotonic() - began
    said = chat.stderr.read().decode()
    chat.stdout.read()
    if chat.wait() != 0:
        print(said, file=sys.stderr)
        sys.exit(3)
    found = re.search(r"(\d+) tokens, (\d+) of them kept", said)
    return took, [int(found[1]), int(found[2])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    context = options.tokens * 5 // 4 + 4096
    with tempfile.TemporaryDirectory(prefix="hearth-session-open-") as directory:
        home = Path(directory)
        write_memory(home / "memory", options.tokens)
        before = digest(home / "memory")
        with open(home / "serve.log", "ab") as log:
            def ask(name):
                with Server(options.binaries, options.model, home, context, log) as server:
                    return first_byte_seconds(options.binaries, home, server.url, name)

            cold, (tokens, _) = ask("cold")
            asked = [ask(f"warm{i}") for i in range(options.samples)]
            warm, kept = [took for took, _ in asked], [memory[1] for _, memory in asked]
        unchanged = digest(home / "memory") == before
    ratio = cold / statistics.median(warm)
    result = {"memory_tokens": tokens, "cold_s": cold, "warm_s": warm, "warm_median_s": statistics.median(warm), "kept_tokens": kept,
              "ratio": ratio, "bound": BOUND, "memory_unchanged": unchanged, "holds": ratio >= BOUND and unchanged}
    print(json.dumps(result, indent=2))
    if options.output:
        options.output.write_text(json.dumps(result, indent=2))
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
