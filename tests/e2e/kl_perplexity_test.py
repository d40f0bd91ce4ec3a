"""hearth eval kl and the engine's own llama-perplexity --kl-divergence agree on the same text.

kl_perplexity_test.py BIN_DIR ENGINE_PREFIX
Base: the tiny Kimi model at f16. Candidates: Q8, Q4, Q2. Prints a table. Skipped (77) without the tool.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BIN, PREFIX = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
SOURCE = Path(__file__).resolve().parents[2]
WINDOW = 512   # tokens; the model's tokens are bytes
WINDOWS = 24
CANDIDATES = ("q8_0", "q4_k", "q2_k")
AGREE = 0.05
TRIES = 10
SKIPPED = 77


def perplexity(model, text, base, *extra):
    libraries = next(PREFIX.glob("usr/lib/*/ggml/backends0")).parents[1]
    loader = next(libraries.glob("ld-linux-*.so.*"))
    done = subprocess.run(
        [loader, "--library-path", f"{libraries}:{libraries}/llama", PREFIX / "usr/bin/llama-perplexity", "-m", model,
         "-f", text, "-c", str(WINDOW), "-b", str(WINDOW), "-ub", str(WINDOW), "-t", "2", "-fa", "on",
         "--kl-divergence-base", base, *extra],
        cwd=libraries / "ggml/backends0", capture_output=True, text=True, timeout=1200,
        env={"PATH": os.environ["PATH"], "GOMP_SPINCOUNT": "2000"})
    done.check_returncode()
    return done.stdout + done.stderr


def divergence(model, text, base):
    """Mean and same-top share. The tool's log may lose its end when the program ends; then it is run again."""
    for _ in range(TRIES):
        told = perplexity(model, text, base, "--kl-divergence")
        mean = re.search(r"Mean\s+KLD:\s+([0-9.]+)", told)
        top = re.search(r"Same top p:\s+([0-9.]+)", told)
        if mean and top:
            return float(mean.group(1)), float(top.group(1)) / 100
    raise RuntimeError(f"llama-perplexity did not print its result:\n{told[-2000:]}")


def main():
    if not (PREFIX / "usr/bin/llama-perplexity").exists():
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="hearth-kl-perplexity-") as folder:
        root = Path(folder)
        prose = "".join((SOURCE / "docs" / name).read_text() for name in ("chat_formats.md", "coordinator.md"))
        text = prose.encode("ascii", "ignore")[:WINDOW * WINDOWS]
        (root / "text.txt").write_bytes(text)
        # The tool scores the second half of each window; so do we, of texts that are one window each.
        (root / "windows").mkdir()
        for i in range(WINDOWS):
            (root / "windows" / f"{i:03}.txt").write_bytes(text[i * WINDOW:(i + 1) * WINDOW])
        for kind in ("f16", *CANDIDATES):
            subprocess.run([BIN / "hearth-worker", "synth", "--arch", "kimi", "--size", "tiny", "--type", kind,
                            "--output", root / f"{kind}.gguf"], check=True, capture_output=True, timeout=300)
        perplexity(root / "f16.gguf", root / "text.txt", root / "base.kld")
        means, failures = [], []
        for kind in CANDIDATES:
            their_mean, their_top = divergence(root / f"{kind}.gguf", root / "text.txt", root / "base.kld")
            done = subprocess.run(
                [BIN / "hearth", "eval", "kl", "--base", root / "f16.gguf", "--candidate", root / f"{kind}.gguf",
                 root / "windows", "--record", root / "record", "--window", str(WINDOW), "--skip", str(WINDOW // 2 + 1),
                 "--threads", "2", "--device", "cpu", "--json"], capture_output=True, text=True, timeout=1200)
            ours = json.loads(done.stdout)
            print(f"{kind}: mean KL {ours['mean']:.5f} (llama-perplexity {their_mean:.5f}), same top "
                  f"{100 * ours['same_top']:.3f} % ({100 * their_top:.3f} %), {ours['positions']} positions")
            means.append(ours["mean"])
            if abs(ours["mean"] / their_mean - 1) > AGREE:
                failures.append(f"{kind}: the means differ by more than {AGREE:.0%}")
            if abs(ours["same_top"] / their_top - 1) > AGREE:
                failures.append(f"{kind}: the same-top shares differ by more than {AGREE:.0%}")
        if means != sorted(means):
            failures.append(f"the divergence does not grow as bits fall: {means}")
        print("\n".join(failures))
        return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
