"""Does a slower machine help? One that decodes well and prefills badly (studio), one the other way round (spark), in every
arrangement: each alone, in one pool, gathered, prefill on one and decode on the other, and as the coordinator chooses.

usage: unlike_machines.py BIN_DIRECTORY MODEL OUTPUT_FILE [quick]; exit code 77 where namespaces or quotas are not permitted

Emulated, on one computer: a share of a core for each machine (control groups), a link of 1 Gb/s (tc tbf), and studio's
weak arithmetic: it computes a prompt one token at a time (--ubatch), so that no two tokens share the reading of weights, while
decoding stays what it is. Everything else is real.
"""

import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "netns"))
import isolation  # noqa: E402
from cpu_quota import CpuQuota, NotPermitted, processes_of  # noqa: E402
from machines import Cluster, words  # noqa: E402

OPTIONS = ("--context", 8192, "--chunk-tokens", 256, "--threads", 1, "--store-gb", 4)
SHARES = {"studio": 0.95, "spark": 0.5}     # of a core
UBATCH = {"studio": 1, "spark": 512}
LINK_BITS_PER_S = 1e9
PROMPT_WORDS, ANSWER_TOKENS, SAMPLES = 400, 64, 3
QUICK_WORDS, QUICK_TOKENS, QUICK_SAMPLES = 150, 24, 1
EVENLY = ("--pool", "spark", "--pool-shares", "studio=1,spark=1")
POLICY = "--cluster-prefill"
# So unlike arithmetic moves a mixture of experts of this size by more than the default allows, now and then.
PARITY = ("--parity-kl", 0.5, "--parity-tokens", 1)
# Name, who answers, how it is started.
ARRANGEMENTS = [
    ("studio alone", "studio", (POLICY, "alone")),
    ("spark alone", "spark", (POLICY, "alone")),
    ("one pool, layers evenly", "studio", EVENLY),
    ("one pool, a quarter of the layers on spark", "studio", ("--pool", "spark", "--pool-shares", "studio=3,spark=1")),
    ("gathered: the pool prefills, studio decodes", "studio", ("--pool-mode", "gathered", *EVENLY)),
    ("spark prefills, studio decodes", "studio", (POLICY, "remote")),
    ("as the coordinator chooses", "studio", (POLICY, "auto")),
]


class House:
    def __init__(self, binaries, model):
        self.quotas = {name: CpuQuota(name) for name in SHARES}
        self.cluster = Cluster(binaries, model, OPTIONS)
        self.machines = {"studio": self.cluster.studio, "spark": self.cluster.others["spark"]}
        self.cluster.alone.stop()
        self.made = 0
        for name, machine in self.machines.items():
            machine.stop()
            machine.options = [*machine.options, "--ubatch", str(UBATCH[name])]
            machine.host.shape(LINK_BITS_PER_S)
            self.quotas[name].set(SHARES[name])

    def close(self):
        self.cluster.close()
        for quota in self.quotas.values():
            quota.close()

    def arrange(self, answers, options):
        studio, spark = self.machines["studio"], self.machines["spark"]
        for machine in self.machines.values():
            machine.stop()
        if answers == "studio":
            self.start(spark, "node", "--lend")
        self.start(self.machines[answers], "serve", *PARITY, *options)
        if options[0] == POLICY and options[1] != "alone":
            self.cluster.wait_until_usable()
            if options[1] == "auto":  # every way was gone before
                for policy in ("alone", "remote"):
                    studio.hearth("cluster", "prefill", policy)
                    self.ask(studio, PROMPT_WORDS)
                studio.hearth("cluster", "prefill", "auto")

    def start(self, machine, verb, *options):
        getattr(machine, verb)(*options)
        self.quotas[machine.name].hold(*processes_of(machine.process.pid))

    def ask(self, machine, word_count, tokens=4):
        self.made += 1
        return machine.ask([{"role": "user", "content": f"document {self.made:06}: " + words(1, word_count)}], tokens=tokens)


def measure(house, name, answers, options, word_count, tokens, samples):
    house.arrange(answers, options)
    machine = house.machines[answers]
    house.ask(machine, word_count)  # what is only the first time
    got = [house.ask(machine, word_count, tokens) for _ in range(samples)]
    for answer in got:
        if answer.error or answer.answer_tokens < tokens // 2:
            raise RuntimeError(f"{name}: {answer.answer_tokens} tokens, {answer.error}")
    return {"name": name, "options": list(options), "prompt_tokens": got[0].prompt_tokens,
            "first_token_s": [answer.first_token_s for answer in got],
            "decode_tok_s": [(answer.answer_tokens - 1) / (answer.whole_s - answer.first_token_s) for answer in got]}


def table(rows):
    best = rows[0]
    lines = [f"{'arrangement':<46} {'first token':>12} {'decode':>12} {'against studio alone':>24}"]
    for row in rows:
        first, decode = statistics.median(row["first_token_s"]), statistics.median(row["decode_tok_s"])
        lines.append(f"{row['name']:<46} {first:>10.2f} s {decode:>6.1f} tok/s"
                     f" {first / statistics.median(best['first_token_s']):>10.2f} x time"
                     f" {decode / statistics.median(best['decode_tok_s']):>4.2f} x rate")
    return "\n".join(lines)


def main():
    isolation.enter()
    binaries, model, output = (Path(argument).resolve() for argument in sys.argv[1:4])
    quick = "quick" in sys.argv[4:]
    word_count, tokens, samples = (QUICK_WORDS, QUICK_TOKENS, QUICK_SAMPLES) if quick else (PROMPT_WORDS, ANSWER_TOKENS, SAMPLES)
    try:
        house = House(binaries, model)
    except NotPermitted as why:
        isolation.skip(why)
    try:
        rows = [measure(house, *arrangement, word_count, tokens, samples) for arrangement in ARRANGEMENTS]
    finally:
        house.close()
    print(f"emulated: studio {SHARES['studio']:.0%} of a core, {UBATCH['studio']} prompt tokens at a time; spark {SHARES['spark']:.0%}"
          f" of a core, {UBATCH['spark']} at a time; a link of 1 Gb/s; a prompt of {rows[0]['prompt_tokens']} tokens")
    print(table(rows), flush=True)
    output.write_text(json.dumps({"rows": rows, "shares_of_a_core": SHARES, "ubatch_tokens": UBATCH}))


if __name__ == "__main__":
    main()
