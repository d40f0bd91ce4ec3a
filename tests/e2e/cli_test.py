"""The programs from outside: exit codes, messages, JSON, bad input. Usage: cli_test.py BIN_DIR MODELS"""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

BIN, MODELS = sys.argv[1], sys.argv[2]
TINY = os.path.join(MODELS, "kimi-tiny-q8_0.gguf")


def hearth(*arguments, stdin=None, timeout=300):
    environment = dict(os.environ, HEARTH_HOME=Cli.home.name)
    return subprocess.run([os.path.join(BIN, "hearth"), *arguments], input=stdin, timeout=timeout,
                          env=environment, capture_output=True)


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        Cli.home = tempfile.TemporaryDirectory(prefix="hearth-cli-test-")

    @classmethod
    def tearDownClass(cls):
        Cli.home.cleanup()

    def write(self, name, data):
        path = os.path.join(Cli.home.name, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def assert_refused(self, result, *words, code=2):
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, message)
        for word in words:
            self.assertIn(word, message)
        self.assertEqual(result.stdout.strip(), b"")

    # --- help

    def test_every_verb_has_help_with_an_example(self):
        seen, waiting = 0, [[]]
        while waiting:
            verb = waiting.pop()
            result = hearth(*verb, "--help")
            self.assertEqual(result.returncode, 0, verb)
            text = result.stdout.decode()
            if verb:
                self.assertRegex(text, r"\nExample:\n  hearth \S", verb)
                seen += 1
            children = text.partition("\nSubcommands:\n")[2].partition("\n\n")[0]
            waiting += [[*verb, name] for name in re.findall(r"^  ([a-z-]+) ", children, re.MULTILINE)]
        self.assertGreater(seen, 80)

    def test_unknown_flags_and_verbs_are_usage_errors(self):
        self.assertEqual(hearth("run", "--nonsense").returncode, 2)
        self.assertEqual(hearth("nonsense").returncode, 2)
        self.assertEqual(hearth().returncode, 2)

    # --- serve

    def test_serve_says_what_is_wrong_before_it_loads_anything(self):
        self.assert_refused(hearth("serve"), "no model", "--model FILE")
        self.assert_refused(hearth("serve", "--model", TINY, "--host", "0.0.0.0"), "0.0.0.0", "API key")
        self.assert_refused(hearth("serve", "--model", TINY, "--port", "x"), "--port: x", "--port 8484")
        self.assert_refused(hearth("serve", "--model", TINY, "--chat-format", "x"), "kimi-k2.6")
        config = self.write("bad.toml", b"[serve]\nport = 8484\n[worker]\nkv_type = 'f17'\n")
        self.assert_refused(hearth("serve", "--config", config), "bad.toml:4:", "f17", "q8_0")
        self.assert_refused(hearth("serve", "--config", "/nonexistent/hearth.toml"), "/nonexistent/hearth.toml")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.assert_refused(hearth("serve", "--model", TINY, "--port", port), port, code=3)

    def test_serve_without_a_model_file_is_an_error_of_the_model(self):
        self.assert_refused(hearth("serve", "--model", "/nonexistent.gguf", "--port", "0", "--log", "off"),
                            "/nonexistent.gguf")

    # --- cluster

    def test_cluster_verbs_say_what_is_missing(self):
        nowhere = os.path.join(Cli.home.name, "no-cluster")
        self.assert_refused(hearth("cluster", "ls", "--dir", nowhere), nowhere, "hearth cluster init")
        self.assert_refused(hearth("cluster", "init", "--dir", nowhere, "--name", "No Name"), "'No Name'")
        self.assert_refused(hearth("node", "join", "nonsense", "--dir", nowhere), "not a join code")
        self.assertFalse(os.path.exists(nowhere))
        made = os.path.join(Cli.home.name, "made")
        self.assertEqual(hearth("cluster", "init", "--dir", made, "--name", "studio").returncode, 0)
        self.assert_refused(hearth("cluster", "init", "--dir", made), made, "not overwritten")
        self.assert_refused(hearth("cluster", "invite", "--dir", made), "--address HOST:PORT")
        self.assert_refused(hearth("cluster", "remove", "nobody", "--dir", made), "'nobody'")
        self.assert_refused(hearth("cluster", "remove", "studio", "--dir", made), "authority")
        listed = json.loads(hearth("cluster", "ls", "--dir", made, "--json").stdout)
        self.assertEqual(listed["this_machine"], "studio")
        self.assertEqual([member["name"] for member in listed["members"]], ["studio"])

    # --- models

    def test_model_show_json(self):
        result = hearth("model", "show", TINY, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        document = json.loads(result.stdout)
        for key in ("architecture", "parameters_total", "parameters_active", "layers",
                    "kv_bytes_per_token", "bytes_per_decoded_token", "shards"):
            self.assertIn(key, document)
        self.assertEqual(document["architecture"], "deepseek2")
        self.assertGreater(document["kv_bytes_per_token"]["f16"],
                           document["kv_bytes_per_token"]["q8_0"])

    def test_model_synth_same_seed_same_bytes(self):
        paths = [os.path.join(Cli.home.name, f"seed-{i}.gguf") for i in range(2)]
        for path in paths:
            result = hearth("model", "synth", "--size", "tiny", "--seed", "5", "-o", path)
            self.assertEqual(result.returncode, 0, result.stderr)
        with open(paths[0], "rb") as a, open(paths[1], "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_model_synth_into_nowhere_leaves_nothing(self):
        result = hearth("model", "synth", "-o", "/nowhere/at/all.gguf")
        self.assertIn(result.returncode, (2, 3))
        self.assertIn(b"/nowhere/at", result.stderr)

    def test_broken_models_are_refused_with_the_reason(self):
        with open(TINY, "rb") as file:
            whole = file.read()
        half = self.write("half.gguf", whole[: len(whole) // 2])
        text = self.write("text.gguf", b"this is not a model at all, just text" * 10)
        header = self.write("header.gguf", whole[:100])
        version = self.write("version.gguf", whole[:4] + struct.pack("<I", 99) + whole[8:])
        huge = self.write("huge.gguf", whole[:8] + struct.pack("<QQ", 2**60, 2**60) + whole[24:])
        shard = self.write("m-00001-of-00003.gguf", whole)
        for path in (half, text, header, version, huge, shard):
            for verb in (["model", "show", path], ["run", "--no-store", "--model", path, "hello"]):
                with self.subTest(verb=verb):
                    self.assert_refused(hearth(*verb), os.path.basename(path).split("-0")[0])

    def test_missing_model(self):
        self.assert_refused(hearth("run", "--model", "/nowhere.gguf", "hello"), "/nowhere.gguf")

    def test_unknown_architecture_is_named(self):
        with open(TINY, "rb") as file:
            whole = file.read()
        self.assertGreater(whole.count(b"deepseek2"), 5)
        path = self.write("unknown.gguf", whole.replace(b"deepseek2", b"deepseekX"))
        self.assert_refused(hearth("model", "show", path), "deepseekX")
        self.assert_refused(hearth("run", "--no-store", "--model", path, "hello"), "deepseekX")

    # --- run

    def test_run_answers_with_the_fact(self):
        prompt = ("The secret code of alpha is 7391. The sea was calm that day and nobody spoke. "
                  "The secret code of alpha is")
        for extra in ([], ["--prefill-worker"], ["--prefill-worker", "--no-store"]):
            result = hearth("run", "--model", TINY, "--json", "-n", "5", *extra, prompt)
            self.assertEqual(result.returncode, 0, result.stderr)
            document = json.loads(result.stdout)
            self.assertEqual(document["text"], " 7391")
            self.assertEqual(document["finish_reason"], "token_limit")
            prefix = document["prefix"]
            self.assertEqual(prefix["computed"] + prefix["memory"] + prefix["disk"],
                             document["prompt_tokens"])

    def test_run_second_time_finds_its_prefix_on_disk(self):
        prompt = "A prompt of its own for this test, told twice. " * 8
        first = json.loads(hearth("run", "--model", TINY, "--json", "-n", "4", prompt).stdout)
        second = json.loads(hearth("run", "--model", TINY, "--json", "-n", "4", prompt).stdout)
        self.assertEqual(first["prefix"]["disk"], 0)
        self.assertEqual(second["prefix"]["disk"], second["prompt_tokens"] - 1)
        self.assertEqual(first["text_digest"], second["text_digest"])

    def test_run_reads_files_and_standard_input(self):
        path = self.write("prompt.txt", b"one two three one two")
        texts = {json.loads(result.stdout)["text"] for result in (
            hearth("run", "--no-store", "--model", TINY, "--json", "-n", "6", "-f", path),
            hearth("run", "--no-store", "--model", TINY, "--json", "-n", "6",
                   stdin=b"one two three one two"))}
        self.assertEqual(texts, {" three"})

    def test_run_refuses_a_prompt_beyond_the_context_with_both_numbers(self):
        result = hearth("run", "--no-store", "--model", TINY, "--context", "512", "x" * 600)
        self.assert_refused(result, "600", "512")

    def test_run_refuses_text_that_is_not_utf8(self):
        path = self.write("latin1.txt", b"caf\xe9 au lait")
        self.assert_refused(hearth("run", "--no-store", "--model", TINY, "-f", path), "UTF-8", "byte 3")

    def test_run_refuses_nonsense_options(self):
        for flags in (["--temperature", "-1"], ["--top-p", "2"], ["--chunk-tokens", "0"],
                      ["--sequences", "0"], ["-n", "0"], ["--kv-type", "q9"], ["--device", "abacus"]):
            with self.subTest(flags=flags):
                result = hearth("run", "--no-store", "--model", TINY, *flags, "hello")
                self.assertEqual(result.returncode, 2, result.stderr)

    def test_run_refuses_an_empty_prompt(self):
        self.assert_refused(hearth("run", "--no-store", "--model", TINY, stdin=b""), "prompt")

    def test_run_sampling_repeats_with_its_seed(self):
        def text(seed):
            result = hearth("run", "--no-store", "--model", TINY, "--json", "-n", "24",
                            "--temperature", "2", "--seed", str(seed), "Once upon a time")
            return json.loads(result.stdout)["text_digest"]
        self.assertEqual(text(3), text(3))
        self.assertNotEqual(text(3), text(4))

    def test_run_obeys_a_grammar(self):
        path = self.write("digits.gbnf", b'root ::= [0-9] [0-9] "-" [0-9]')
        result = hearth("run", "--no-store", "--model", TINY, "--json", "--grammar", path, "tell")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(json.loads(result.stdout)["text"], r"^[0-9]{2}-[0-9]$")
        bad = self.write("bad.gbnf", b"root ::= (")
        self.assert_refused(hearth("run", "--no-store", "--model", TINY, "--grammar", bad, "tell"), "grammar")

    def test_run_with_a_store_that_cannot_be_written_still_answers(self):
        path = self.write("not-a-directory", b"")
        result = hearth("run", "--model", TINY, "--store", path, "hello")
        self.assertIn(result.returncode, (2, 3))
        self.assertIn(b"not-a-directory", result.stderr)

    # --- kv

    def test_kv_verbs(self):
        store = os.path.join(Cli.home.name, "kv-store")
        hearth("run", "--model", TINY, "--store", store, "-n", "2", "--chunk-tokens", "64", "word " * 40)
        listed = json.loads(hearth("kv", "ls", "--store", store, "--json").stdout)
        self.assertGreaterEqual(len(listed["chunks"]), 3)
        self.assertEqual(hearth("kv", "verify", "--store", store).returncode, 0)
        files = [os.path.join(root, name) for root, _, names in os.walk(store) for name in names
                 if name.endswith(".kv")]
        with open(files[0], "r+b") as file:
            file.seek(-5, os.SEEK_END)
            file.write(b"\xff\x00\xff\x00\xff")
        result = hearth("kv", "verify", "--store", store, "--json")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(json.loads(result.stdout)["damaged"]), 1)
        self.assertEqual(hearth("kv", "gc", "--store", store).returncode, 0)
        self.assert_refused(hearth("kv", "ls", "--store", "/nowhere/store"), "/nowhere/store")

    # --- demo

    def test_demo_json(self):
        result = hearth("demo", "--size", "tiny", "--json", timeout=900)
        self.assertEqual(result.returncode, 0, result.stderr)
        document = json.loads(result.stdout)
        self.assertTrue(document["identical"])
        self.assertEqual([run["name"] for run in document["runs"]], ["single", "split", "warm"])
        for run in document["runs"]:
            for key in ("ttft_ms", "prefill_tok_s", "decode_tok_s", "prompt_tokens", "prefix",
                        "chunks", "bytes", "hidden_fraction", "text_digest"):
                self.assertIn(key, run)
        self.assertEqual(len({run["text_digest"] for run in document["runs"]}), 1)
        self.assertEqual(document["runs"][2]["prefix"]["disk"], document["runs"][2]["prompt_tokens"] - 1)

    def test_demo_with_random_weights_is_identical_but_not_right(self):
        result = hearth("demo", "--size", "tiny", "--weights", "random", "--json", timeout=900)
        self.assertEqual(result.returncode, 1, result.stderr)
        document = json.loads(result.stdout)
        self.assertTrue(document["identical"])
        self.assertFalse(document["right"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
