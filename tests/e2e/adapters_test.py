"""Adapters, as a person uses them: the real programs, files and HTTP.

usage: adapters_test.py BIN_DIRECTORY MODELS_DIRECTORY
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

BIN = Path(sys.argv[1])
MODELS = Path(sys.argv[2])
MODEL, VOICE, OTHER, CALM = (MODELS / f"kimi-{name}.gguf" for name in ("tiny-q8_0", "voice", "other", "calm"))
WORKER = ["--context", "4096", "--chunk-tokens", "64", "--threads", "2"]
PROMPT = "The lighthouse keeper counted the ships and wrote their names into the book. " * 8


class Adapters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="hearth-adapters-e2e-")
        cls.home = Path(cls.directory.name)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def environment(self):
        return dict(os.environ, HEARTH_HOME=str(self.home), OMP_WAIT_POLICY="passive")

    def hearth(self, *arguments, code=0):
        done = subprocess.run([BIN / "hearth", *arguments], capture_output=True, text=True, timeout=120, env=self.environment(),
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    # The flags stand before the prompt, which they must leave alone.
    def run_prompt(self, *flags):
        done = self.hearth("run", "--model", MODEL, *WORKER, "--tokens", "16", "--json", *flags, PROMPT)
        return json.loads(done.stdout)

    def test_run_with_a_lora_writes_something_else_and_with_scale_0_the_same(self):
        bare = self.run_prompt()
        voice = self.run_prompt("--lora", VOICE)
        self.assertNotEqual(voice["text_digest"], bare["text_digest"])
        self.assertEqual(voice["prefix"]["disk"], 0)  # the bare model's chunks are not this one's
        self.assertEqual(self.run_prompt("--lora", f"{VOICE}:0")["text_digest"], bare["text_digest"])
        mixed = self.run_prompt("--lora", VOICE, "--lora", f"{OTHER}:0.5", "--control-vector", f"{CALM}:0.2:1-2")
        self.assertNotIn(mixed["text_digest"], (bare["text_digest"], voice["text_digest"]))

    def test_run_split_in_two_writes_the_same_and_finds_its_chunks_again(self):
        store = ["--store", self.home / "split"]
        alone = self.run_prompt("--lora", f"{VOICE}:0.7", "--no-store")
        split = self.run_prompt("--lora", f"{VOICE}:0.7", "--prefill-worker", *store)
        again = self.run_prompt("--lora", f"{VOICE}:0.7", *store)
        self.assertEqual({alone["text"], split["text"], again["text"]}, {alone["text"]})
        self.assertGreater(split["chunks"], 0)
        self.assertGreater(again["prefix"]["disk"], 0)
        for others in ([], ["--lora", VOICE], ["--lora", f"{OTHER}:0.7"]):
            self.assertEqual(self.run_prompt(*others, *store)["prefix"]["disk"], 0, others)

    def test_what_does_not_fit_is_refused_before_any_work(self):
        cut = self.home / "cut.gguf"
        cut.write_bytes(VOICE.read_bytes()[:-1000])
        text = self.home / "text.gguf"
        text.write_text("not a model")
        for flags, words in (
                (["--lora", MODELS / "llama-voice.gguf"], "made for the architecture 'llama', the model is 'deepseek2'"),
                (["--lora", MODEL], "not an adapter"), (["--lora", cut], "cut.gguf"), (["--lora", text], "text.gguf"),
                (["--lora", "/nowhere.gguf"], "/nowhere.gguf"), (["--lora", f"{VOICE}:nan"], "the scale is nan"),
                (["--control-vector", VOICE], "not a control vector"),
                (["--control-vector", f"{CALM}:1:1-99"], "layers 1 to 99 are asked for")):
            done = self.hearth("run", "--model", MODEL, *flags, "Once", code=2)
            self.assertIn(words, done.stderr)

    def test_synth_adapter_same_seed_same_bytes(self):
        for flags in ([], ["--control-vector"]):
            files = [self.home / f"same-{number}.gguf" for number in range(3)]
            for number, file in enumerate(files):
                self.hearth("model", "synth-adapter", "--base", MODEL, "--seed", str(number // 2), *flags, "-o", file)
            self.assertEqual(files[0].read_bytes(), files[1].read_bytes())
            self.assertNotEqual(files[0].read_bytes(), files[2].read_bytes())

    def test_serve_answers_with_the_adapter_that_the_models_name_chooses(self):
        config = self.home / "hearth-adapters.toml"
        config.write_text(f'[[adapter]]\nname = "calm"\ncontrol_vector = ["{CALM}:0.3"]\n')
        process = subprocess.Popen(
            [BIN / "hearth", "serve", "--config", config, "--model", MODEL, "--model-name", "kimi", "--port", "0", *WORKER, "--log",
             "warning", "--lora", f"voice={VOICE}", "--lora", f"other={OTHER}:0.5"],
            stdout=subprocess.PIPE, text=True, env=self.environment())
        try:
            url = process.stdout.readline().split()[1]
            ids = [model["id"] for model in json.loads(urllib.request.urlopen(f"{url}/v1/models", timeout=60).read())["data"]]
            self.assertEqual(ids, ["kimi", "kimi+calm", "kimi+voice", "kimi+other"])
            texts = {model: self.complete(url, model) for model in ids}
            self.assertEqual(len(set(texts.values())), 4)
            for model in reversed(ids):  # from kept KV this time
                self.assertEqual(self.complete(url, model), texts[model], model)
            self.sessions_and_drafts(url)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.complete(url, "kimi+nobody")
            self.assertEqual(refused.exception.code, 404)
            self.assertIn("there are calm, voice, other", refused.exception.read().decode())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            process.stdout.close()
        self.assertEqual(process.returncode, 0)

    def sessions_and_drafts(self, url):
        said = {}
        for name, flags in (("plain", []), ("voiced", ["--adapter", "voice"]), ("lost", ["--adapter", "nobody"])):
            self.hearth("session", "new", name, "--no-memory", *flags)
            talk = ["chat", name, "--server", url, "--tokens", "12", "--thinking", "off", "--temperature", "0"]
            if name == "lost":
                done = self.hearth(*talk, code=2)
                self.assertIn("the server has no adapter 'nobody'; it serves kimi, kimi+calm", done.stderr)
                continue
            subprocess.run([BIN / "hearth", *talk], input="The cat is called Mia.\n", text=True, capture_output=True, timeout=120,
                           env=self.environment(), check=True)
            messages = json.loads(self.hearth("session", "export", name, "--format", "json").stdout)["messages"]
            said[name] = messages[-1]["text"]
        self.assertNotEqual(said["plain"], said["voiced"])
        write = ["write", "Once upon a time", "--server", url, "--drafts", "1", "--tokens", "12", "--temperature", "0", "--json"]
        drafts = [json.loads(self.hearth(*write, *flags).stdout)["drafts"][0]["text"] for flags in ([], ["--adapter", "voice"])]
        self.assertNotEqual(*drafts)

    def complete(self, url, model):
        body = json.dumps({"model": model, "prompt": PROMPT, "max_tokens": 16, "temperature": 0}).encode()
        request = urllib.request.Request(f"{url}/v1/completions", body, {"Content-Type": "application/json"})
        answer = json.loads(urllib.request.urlopen(request, timeout=120).read())
        self.assertEqual(answer["model"], model)
        return answer["choices"][0]["text"]


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
