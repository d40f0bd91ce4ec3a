#!/usr/bin/env python3
"""A sealed session with an open vault, as a person has it: memory, chat, restart, resume; then the vault is locked and every file is
searched for what was said.  sealed_session_test.py BIN_DIR MODELS_DIR"""

import array
import base64
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BIN, MODELS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
MODEL = MODELS / "kimi-tiny-q8_0.gguf"  # a byte is a token of it
PASSPHRASE = "correct horse battery"
CHUNK_TOKENS = 64
CHANCE = random.Random(8)


def canary():
    return "".join(CHANCE.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(24))


def forms(text):
    """A text as bytes, in every way in which it could lie in a file."""
    plain = text.encode()
    out = {"UTF-8": plain, "hex": plain.hex().encode(), "HEX": plain.hex().upper().encode(), "JSON escapes": json.dumps(text)[1:-1].encode(),
           "\\u": "".join(f"\\u{ord(c):04x}" for c in text).encode(), "backwards": plain[::-1]}
    for name, part in (("begin", plain[:12]), ("end", plain[-12:])):  # a chunk may end between them
        out[f"token ids, {name}"] = array.array("i", list(part)).tobytes()
    for name in ("utf-16-le", "utf-16-be"):
        out[name] = text.encode(name)
    for shift in range(3):  # base64 of it within something longer, whatever stands around it
        coded = base64.b64encode(bytes(shift) + plain)[4 if shift else 0:]
        out[f"base64, {shift}"] = coded.rstrip(b"=")[:len(coded) - 4]
    return out


class House:
    """Every folder that hearth may write to, below one root, and what is run there."""

    def __init__(self, uses_hearth_home):
        self.directory = tempfile.TemporaryDirectory(prefix="hearth-sealed-")
        self.root = pathlib.Path(self.directory.name)
        names = {"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state",
                 "XDG_RUNTIME_DIR": "runtime", "TMPDIR": "tmp"}
        if uses_hearth_home:
            names["HEARTH_HOME"] = "hearth"
        inherited = {name: value for name, value in os.environ.items() if name != "HEARTH_HOME"}
        self.environment = dict(inherited, OMP_WAIT_POLICY="passive", **{name: str(self.root / folder) for name, folder in names.items()})
        for folder in names.values():
            (self.root / folder).mkdir(mode=0o700)
        self.server = None
        self.logs = 0

    def hearth(self, *arguments, status=0, stdin="", passphrase=None):
        pipe = os.pipe() if passphrase else ()
        if passphrase:
            os.write(pipe[1], passphrase.encode() + b"\n")
            os.close(pipe[1])
            arguments += ("--passphrase-fd", pipe[0])
        done = subprocess.run([BIN / "hearth", *map(str, arguments)], env=self.environment, input=stdin, capture_output=True, text=True,
                              timeout=180, pass_fds=pipe[:1])
        if passphrase:
            os.close(pipe[0])
        if done.returncode != status:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}")
        return done

    def unlock(self):
        self.hearth("vault", "unlock", passphrase=PASSPHRASE)

    def lock(self):
        self.hearth("vault", "lock")

    def serve(self):
        self.logs += 1
        with open(self.root / f"serve-{self.logs}.log", "wb") as log:
            self.server = subprocess.Popen(
                [BIN / "hearth", "serve", "--model", MODEL, "--port", "0", "--context", "8192", "--chunk-tokens", str(CHUNK_TOKENS), "--threads", "2",
                 "--log", "debug"], env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.server.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError("no ready line: " + self.log())
        self.url = line.split()[1]

    def log(self):
        return (self.root / f"serve-{self.logs}.log").read_text() if self.logs else ""

    def stop(self, how=signal.SIGTERM):
        if self.server:
            self.server.send_signal(how)
            self.server.wait(60)
            self.server.stdout.close()
            self.server = None

    def close(self):
        self.stop()
        subprocess.run([BIN / "hearth", "vault", "lock"], env=self.environment, capture_output=True, timeout=30)
        self.directory.cleanup()

    def chat(self, name, *lines, status=0, flags=()):
        return self.hearth("chat", name, "--server", self.url, "--tokens", "24", "--thinking", "off", *flags,
                           stdin="".join(line + "\n" for line in lines), status=status)

    def answers(self):
        """Counts of tokens of what the server answered: (prompt, cached)."""
        return [tuple(map(int, found)) for found in re.findall(r"outcome=\S+ prompt_tokens=(\d+) cached_tokens=(\d+)", self.log())]

    def found(self, canaries):
        """What of them lies in a file, and as what."""
        out = []
        for path in self.root.rglob("*"):
            name = str(path.relative_to(self.root))
            data = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
            for what, text in canaries.items():
                out += [(what, form, name) for form, needle in forms(text).items() if needle in data or needle in name.encode()]
        return out

    def wait_for_files(self, pattern):
        deadline = time.monotonic() + 60
        while not list(self.root.rglob(pattern)):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern} came\n{self.log()}")
            time.sleep(0.1)


def diary(words):
    """A folder of memory outside of the house, as it comes from elsewhere."""
    folder = tempfile.TemporaryDirectory(prefix="hearth-diary-")
    lines = [f"On day {day} the heron stood at the weir for {day * 7 % 60} minutes." for day in range(30)]
    lines.insert(15, words)
    (pathlib.Path(folder.name) / "heron.md").write_text("\n".join(lines) + "\n")
    return folder


class SealedSession(unittest.TestCase):
    def house(self, uses_hearth_home=True):
        house = House(uses_hearth_home)
        self.addCleanup(house.close)
        return house

    def test_the_search_finds_what_an_unsealed_session_leaves(self):
        house = self.house()
        text = {"memory": canary(), "prompt": canary()}
        with diary(text["memory"]) as folder:
            house.serve()
            house.hearth("session", "new", "plain", "--memory", folder)
            house.chat("plain", f"today {text['prompt']} and rain")
            house.wait_for_files("*.kv")
            house.stop()
        found = house.found(text)
        where = {(what, form): name for what, form, name in found}
        for what in text:
            self.assertIn("plain.session", where[what, "UTF-8"])
        self.assertIn("memory", [what for what, form, name in found if form.startswith("token ids") and name.endswith(".kv")])
        # In every form: as it would lie in a file that somebody else wrote.
        needle = canary()
        for form, data in forms(needle).items():
            (house.root / "tmp/one").write_bytes(b"?" * 5 + data + b"?" * 5)
            self.assertIn(("it", form, "tmp/one"), house.found({"it": needle}))
        for before in ("", "x", "xy", "xyz"):
            (house.root / "tmp/one").write_bytes(base64.b64encode(f"{before}{needle}more".encode()))
            self.assertTrue(house.found({"it": needle}), before)

    def test_a_session_outlives_all_processes_and_leaves_nothing_in_the_clear(self):
        for uses_hearth_home in (True, False):
            with self.subTest(HEARTH_HOME=uses_hearth_home):
                self.live_through(self.house(uses_hearth_home))

    def live_through(self, house):
        text = {what: canary() for what in ("instructions", "memory", "title", "prompt", "second prompt", "note", "after the restart")}
        house.hearth("vault", "init", passphrase=PASSPHRASE)
        house.unlock()
        with diary(text["memory"]) as folder:
            self.assertIn("still on the disk in the clear", house.hearth("memory", "import", folder, "--memory", "vault:diary").stderr)
        house.serve()
        house.hearth("session", "new", "secret", "--label", "sealed", "--memory", "vault:diary", "--title", text["title"],
                     "--instructions", f"Be kind to {text['instructions']}.")
        first = house.chat("secret", f"today {text['prompt']} and rain", f"/memory add notes/rain.md It rained: {text['note']}",
                           f"then {text['second prompt']} and sun")
        self.assertIn("memory: 1 files written", first.stderr)  # folded into the vault
        house.wait_for_files("*.skv")
        told = json.loads(house.hearth("session", "export", "secret", "--format", "json", "--confirm", "in the clear").stdout)
        answers = [message["text"] for message in told["messages"] if message["role"] == "assistant" and len(message["text"]) >= 12]
        self.assertTrue(answers, told["messages"])
        text |= {f"answer {i}": answer for i, answer in enumerate(answers)}
        conversation_tokens = max(house.answers())[0]
        house.stop()
        house.lock()
        self.assertEqual(house.found(text), [])
        self.check_locked(house)

        # Everything begins anew; the KV of memory and of the conversation comes out of the encrypted store.
        house.unlock()
        house.serve()
        again = house.chat("secret", f"and {text['after the restart']} now?")
        tokens, kept = map(int, re.search(r"(\d+) tokens, (\d+) of them kept", again.stderr).groups())
        self.assertGreater(kept, tokens - CHUNK_TOKENS - 1)
        self.assertIn(text["second prompt"], again.stdout)  # where one left off
        self.assertGreater(max(house.answers())[1], conversation_tokens - 2 * CHUNK_TOKENS)
        self.assertIn(text["note"], house.hearth("memory", "export", "--memory", "vault:diary", "--confirm", "in the clear").stdout)

        # Locked under a running server, which is then killed.
        house.lock()
        self.assertEqual(house.found(text), [])
        self.check_locked(house)
        house.stop(signal.SIGKILL)
        self.assertEqual(house.found(text), [])

    def check_locked(self, house):
        """Nothing sealed is read, begun or written, and each refusal says what to do."""
        for arguments in (("session", "resume", "secret"), ("session", "new", "other", "--label", "sealed"), ("session", "forget", "secret", "--confirm", "secret"),
                          ("memory", "show", "--memory", "vault:diary"), ("memory", "add", "a.md", "text", "--memory", "vault:diary"),
                          ("session", "new", "other", "--label", "sealed", "--memory", "vault:diary"), ("memory", "fold", "secret")):
            self.assertIn("hearth vault unlock", house.hearth(*arguments, status=3).stderr, arguments)
        self.assertEqual([one["id"] for one in json.loads(house.hearth("session", "list", "--json").stdout)["unreadable"]], ["secret"])
        self.assertTrue(json.loads(house.hearth("memory", "list", "--json").stdout)["vault_locked"])

    def test_forgetting_drops_the_kv_that_no_other_session_uses(self):
        house = self.house()
        house.hearth("vault", "init", passphrase=PASSPHRASE)
        house.unlock()
        house.serve()
        for label, suffix, memory in (("open", "*.kv", ()), ("sealed", "*.skv", ("--memory", "vault:diary"))):
            with self.subTest(label=label), diary("Nothing happened.") as folder:
                if memory:
                    house.hearth("memory", "import", folder, *memory)
                for name in ("one", "two"):
                    house.hearth("session", "new", f"{label}-{name}", "--label", label, *(memory or ("--memory", folder)))
                    house.chat(f"{label}-{name}", f"I am number {name}: " + f"{canary()} " * 8)
                house.wait_for_files(suffix)
                first = json.loads(house.hearth("session", "forget", f"{label}-one", "--confirm", f"{label}-one", "--server", house.url, "--json").stdout)
                self.assertGreater(first["kv"]["dropped"], 0, first)
                self.assertGreater(first["kv"]["pinned"], 0, first)
                self.assertFalse(first["memory_unpinned"])
                kept = len(list(house.root.rglob(suffix)))
                self.assertGreater(kept, 2)
                again = house.chat(f"{label}-two", "/budget")
                tokens, cached = map(int, re.search(r"(\d+) tokens, (\d+) of them kept", again.stderr).groups())
                self.assertGreater(cached, tokens - CHUNK_TOKENS - 1)
                told = house.hearth("session", "forget", f"{label}-two", "--confirm", f"{label}-two", "--server", house.url).stdout
                self.assertIn("chunks dropped", told)
                self.assertEqual(list(house.root.rglob(suffix)), [], told)

    def test_memory_of_the_vault_as_of_a_plain_folder(self):
        house = self.house()
        house.hearth("vault", "init", passphrase=PASSPHRASE)
        house.unlock()
        there = ("--memory", "vault:diary")
        self.assertIn("no memory vault:diary", house.hearth("memory", "show", *there, status=2).stderr)
        house.hearth("memory", "add", "cat.md", "The cat is called Mia.", *there)
        house.hearth("memory", "edit", "cat.md", "--text", "-", *there, stdin="The cat is called Tom.\n")
        house.hearth("memory", "add", "cat.md", "He is five.", *there)
        shown = json.loads(house.hearth("memory", "show", "--json", *there).stdout)
        self.assertEqual([one["path"] for one in shown["files"]], ["cat.md"])
        self.assertEqual([one["folder"] for one in json.loads(house.hearth("memory", "list", "--json").stdout)["folders"]], ["vault:diary"])
        house.hearth("memory", "export", *there, status=3)
        whole = json.loads(house.hearth("memory", "export", "--json", "--confirm", "in the clear", *there).stdout)
        self.assertEqual(whole["files"], {"cat.md": "The cat is called Tom.\nHe is five.\n"})
        versions = json.loads(house.hearth("memory", "history", "--json", *there).stdout)["versions"]
        self.assertEqual([one["what"] for one in versions], ["written"] * 3)
        self.assertEqual(house.hearth("memory", "history", "1", *there).stdout, "The cat is called Mia.\n")
        # Only sealed sessions know it.
        self.assertIn("--label sealed", house.hearth("session", "new", "open", *there, status=3).stderr)
        house.hearth("session", "new", "secret", "--label", "sealed", *there)
        # Into another one, and back out by words that say so.
        house.hearth("memory", "import", "vault:diary", "--memory", "vault:second")
        with tempfile.TemporaryDirectory() as folder:
            house.hearth("memory", "import", "vault:diary", "--memory", folder, status=3)
            house.hearth("memory", "import", "vault:diary", "--memory", folder, "--confirm", "in the clear")
            self.assertEqual((pathlib.Path(folder) / "cat.md").read_text(), whole["files"]["cat.md"])
        house.hearth("memory", "forget", *there, "--confirm", "vault:diary")
        self.assertIn("no memory vault:diary", house.hearth("memory", "show", *there, status=2).stderr)
        self.assertEqual(json.loads(house.hearth("memory", "diff", "--memory", "vault:diary", "--json").stdout)["sessions"][0]["id"], "secret")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
