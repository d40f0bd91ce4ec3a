"""A whole study on real clusters, no network: the Kimi-architecture retrieval model at Q8, Q4 and Q2, each on two machines over
mutual TLS of which the other one reads every prompt, asked for facts in generated documents.

usage: eval_cluster_test.py BIN_DIRECTORY MODELS_DIRECTORY [ITEMS]

With few items (the default) only Q8 and Q2 are run. Prints what came out.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from cluster_test import BIN, Machine, wait_for

MODELS = Path(sys.argv[2])
ITEMS = int(sys.argv[3]) if len(sys.argv) > 3 else 0
SEED = 7
QUICK_ITEMS = 10
LONGEST = 4_000  # tokens of a document
ANSWER_TOKENS = 40
ARMS = {"Q8": "q8_0", "Q4": "q4_k", "Q2": "q2_k"}
NOUNS = "harbour garden lantern bridge kettle orchard window valley teacher sailor baker river stove market meadow clock".split()
VERBS = "carried painted noticed repaired crossed followed watched counted described opened covered found".split()


def document(chance, facts, size):
    """Prose with one fact a line here and there; a byte is a token of this model."""
    places = sorted(chance.sample(range(size // 60), len(facts)))
    lines = []
    for i in range(size // 60):
        words = [chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)]
        lines.append(f"The {words[0]} {words[1]} the {words[2]} and {chance.choice(VERBS)} a {chance.choice(NOUNS)}.")
        if i in places:
            name, code = facts[places.index(i)]
            lines.append(f"Remember: the code of {name} is {code}")
    return "\n".join(lines) + "\n"


def write_suite(folder, items, longest):
    """The model goes on with what followed the latest text like its own last 15 tokens. So the question comes first: the answer
    begins as the prompt does, and goes on where the document says the same. One other name differs in a single letter."""
    chance = random.Random(SEED)
    syllable = lambda: chance.choice("bdfgklmnprstvz") + chance.choice("aeiou")
    for i in range(items):
        names = set()
        while len(names) < 12:
            names.add(syllable() + syllable() + syllable())
        facts = [(name, f"{chance.randrange(10_000):04}") for name in sorted(names)]
        asked = chance.randrange(len(facts) // 2, len(facts))  # far behind the question, which is as like as the fact
        name, code = facts[asked]
        twin = name[:3] + chance.choice([vowel for vowel in "aeiou" if vowel != name[3]]) + name[4:]
        facts.insert(chance.randrange(len(facts) // 2, len(facts)), (twin, f"{chance.randrange(10_000):04}"))
        item = folder / f"fact-{i:03}"
        item.mkdir(parents=True)
        size = 1_000 + (longest - 1_000) * i // max(1, items - 1)
        (item / "prompt.md").write_text(f"Answer: code of {name} is\n{document(chance, facts, size)}")
        (item / "item.toml").write_text(f'class = "retrieval"\ntitle = "A code among twelve, {size} tokens"\negress = "judge"\n'
                                        f'max_tokens = {ANSWER_TOKENS}\n[grader]\nkind = "exact"\naccepted = ["code of {name} is {code}"]\n')


class Cluster:
    """Two machines with one quantisation: studio answers, spark reads the prompts."""

    def __init__(self, root, name, model):
        root = Path(root) / name
        root.mkdir()
        self.studio, self.spark = Machine(root, "studio"), Machine(root, "spark")
        self.studio.hearth("cluster", "init", "--name", "studio", "--address", self.studio.address)
        self.url = self.studio.start("serve", "--port", "0", "--cluster", "--cluster-prefill", "remote", model=("--model", model))
        code = re.search(r"hearth-1/[^\s']+", self.studio.hearth("cluster", "invite", "--for", "spark")).group()
        self.spark.hearth("node", "join", code, "--address", self.spark.address)
        self.spark.start("node", model=("--model", model))

    def usable(self):
        return any(link["from"] == "studio" and link.get("usable") for link in self.studio.ask("status")["links"])

    def hand_offs(self):
        decisions = self.studio.ask("cluster", "decisions")["decisions"]
        return [one for one in decisions if one["chosen"].startswith("remote")], decisions

    def stop(self):
        self.spark.stop()
        self.studio.stop()


class Quantisations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hearth-eval-cluster-")
        cls.root = Path(cls.folder.name)
        cls.names = list(ARMS) if ITEMS else ["Q8", "Q2"]
        cls.models, cls.clusters = {}, {}
        for name in cls.names:
            made = MODELS / f"kimi-tiny-{ARMS[name]}.gguf"
            if not made.exists():
                made = cls.root / made.name
                subprocess.run([BIN / "hearth-worker", "synth", "--arch", "kimi", "--size", "tiny", "--type", ARMS[name], "--weights",
                                "retrieval", "--output", made], check=True, capture_output=True, timeout=300)
            cls.models[name] = made
        for name in cls.names:
            cls.clusters[name] = Cluster(cls.root, name, cls.models[name])
        for name, cluster in cls.clusters.items():
            wait_for(f"the pair of {name} to be tried", cluster.usable)
        write_suite(cls.root / "suite", ITEMS or QUICK_ITEMS, LONGEST if ITEMS else 1_200)

    @classmethod
    def tearDownClass(cls):
        for cluster in cls.clusters.values():
            cluster.stop()
        cls.folder.cleanup()

    def hearth(self, *arguments, statuses=(0,)):
        done = subprocess.run([BIN / "hearth", "eval", *map(str, arguments)], capture_output=True, text=True, timeout=3000,
                              env=dict(next(iter(self.clusters.values())).studio.environment(), HEARTH_HOME=str(self.root)))
        self.assertIn(done.returncode, statuses, done.stdout + done.stderr)
        return done.stdout

    def kl(self, base, candidate):
        (self.root / "texts").mkdir(exist_ok=True)
        for i, prompt in enumerate(sorted(self.root.glob("suite/*/prompt.md"))[:2]):
            (self.root / "texts" / f"{i}.txt").write_text(prompt.read_text()[:2000])
        out = self.root / f"{base}-{candidate}.json"
        out.write_text(self.hearth("kl", "--base", self.models[base], "--candidate", self.models[candidate], self.root / "texts", "--threads", 2,
                                   "--device", "cpu", "--json", statuses=(0, 1)))
        return out, json.loads(out.read_text())

    def arms(self, digests):
        text = "[study]\nmargin = 3\ngenerations = 2\nlooks = [2]\nnoise = \"rough\"\ndivergence_decides = true\n"
        for name in self.names:
            text += (f'[[upstream]]\nname = "{name}"\nkind = "hearth"\nurl = "{self.clusters[name].url}"\nreach = "cluster"\nmodel = "kimi"\n'
                     f'[[arm]]\nname = "{name}"\nupstream = "{name}"\nquantisation = "{ARMS[name]}"\nmodel_digest = "{digests[name]}"\n'
                     'topology = "spark reads, studio writes"\ntemperature = 0\nseed = 1\n')
        (self.root / "arms.toml").write_text(text)
        return self.root / "arms.toml"

    def test_accuracy_falls_with_the_bits_and_every_prompt_was_handed_over(self):
        began = time.monotonic()
        results = {name: self.kl("Q8", name) for name in self.names[1:]}
        digests = {"Q8": results["Q2"][1]["base"]["weights"]} | {name: one["candidate"]["weights"] for name, (_, one) in results.items()}
        divergence = [results[name][1]["mean"] for name in self.names[1:]]
        self.assertEqual(divergence, sorted(divergence))
        self.assertGreater(divergence[0], 0)
        self.hearth("run", self.root / "suite", "--arms", self.arms(digests), "--study", self.root / "study")
        decision = json.loads(self.hearth("decide", self.root / "study", "--json", statuses=(0, 1)))
        arms = {one["arm"]: one for one in decision["arms"]}
        for name in self.names:
            remote, decisions = self.clusters[name].hand_offs()
            print(f"{name}: {100 * arms[name]['score']:.0f} % of {arms[name]['scored']} answers right, "
                  f"{len(remote)} of {len(decisions)} prompts read by the other machine", flush=True)
        print(f"mean KL from Q8: {', '.join(f'{name} {one:.3f}' for name, one in zip(self.names[1:], divergence))}; "
              f"{decision['sentence']} ({time.monotonic() - began:.0f} s)", flush=True)
        accuracy = [arms[name]["score"] for name in self.names]
        self.assertEqual(accuracy, sorted(accuracy, reverse=True))
        self.assertGreaterEqual(accuracy[0], 0.9)
        self.assertLess(accuracy[-1], accuracy[0] - 0.2)
        self.assertEqual(decision["pick"], "Q8", decision["sentence"])
        for name in self.names:
            remote, _ = self.clusters[name].hand_offs()
            self.assertGreaterEqual(len(remote), ITEMS or QUICK_ITEMS)  # the second answer finds the prompt's KV at hand
            for one in remote:
                self.assertGreater(one["actual_s"], 0)
        # A KL result counts for the pair that it is of and no other.
        own, _ = results["Q2"]
        told = json.loads(self.hearth("decide", self.root / "study", "--json", "--divergence", f"{self.names[1]}={own}", statuses=(0, 1)))
        self.assertEqual(len(told["ignored"]), 0 if self.names[1] == "Q2" else 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
