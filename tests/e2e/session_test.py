"""Sessions with memory, as a person has them: the real programs, pipes and a terminal.

usage: session_test.py BIN_DIRECTORY MODELS_DIRECTORY
"""

import errno
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
MODELS = Path(sys.argv[2])
WORKER = ["--context", "8192", "--chunk-tokens", "64", "--threads", "2", "--log", "warning"]


class Server:
    def __init__(self, home, model="kimi-tiny-q8_0.gguf"):
        self.log = open(Path(home) / "serve.log", "ab")
        self.process = subprocess.Popen([BIN / "hearth", "serve", "--model", MODELS / model, "--port", "0", *WORKER],
                                        env=environment(home), stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.url = line.split()[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()
        self.log.close()


def environment(home):
    return dict(os.environ, HEARTH_HOME=str(home), OMP_WAIT_POLICY="passive")


class Terminal:
    """hearth chat in a terminal of its own; whatever it is waited for, it is waited for a minute."""

    def __init__(self, test, *arguments):
        self.test = test
        self.seen = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "hearth", ["hearth", "chat", *arguments], environment(test.home))

    def read_for(self, seconds):
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return
        try:
            self.seen += os.read(self.descriptor, 4096)
        except OSError as error:  # Linux: the program has closed its side
            self.test.assertEqual(error.errno, errno.EIO)

    def wait_for(self, words):
        deadline = time.monotonic() + 60
        while words not in self.seen:
            self.test.assertLess(time.monotonic(), deadline, self.seen)
            self.read_for(1)
        self.seen = self.seen[self.seen.index(words) + len(words):]

    def type(self, keys):
        os.write(self.descriptor, keys)

    def wait_for_end(self):
        deadline = time.monotonic() + 60
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.test.fail(f"did not end: {self.seen}")
            self.read_for(0.1)
        os.close(self.descriptor)
        self.test.assertEqual(os.waitstatus_to_exitcode(status), 0)


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="hearth-session-e2e-")
        cls.home = Path(cls.directory.name)
        cls.memory = cls.home / "memory"
        cls.memory.mkdir()
        words = [f"On day {day} the heron stood at the weir for {day * 7 % 60} minutes." for day in range(60)]
        (cls.memory / "heron.md").write_text("\n".join(words) + "\n")
        (cls.memory / "cat.md").write_text("The cat is called Mia.\n")
        cls.server = Server(cls.home)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.directory.cleanup()

    def hearth(self, *arguments, code=0, stdin=""):
        done = subprocess.run([BIN / "hearth", *arguments], input=stdin, capture_output=True, text=True, timeout=120,
                              env=environment(self.home))
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def chat(self, name, *lines, code=0, flags=()):
        return self.hearth("chat", name, "--server", self.server.url, "--tokens", "12", "--thinking", "off", *flags,
                           stdin="".join(line + "\n" for line in lines), code=code)

    def memory_bytes(self):
        return {str(path.relative_to(self.memory)): path.read_bytes() for path in self.memory.rglob("*") if path.is_file()}

    def test_a_session_opens_from_kept_kv_after_a_restart_and_memory_stays_as_it_was(self):
        before = self.memory_bytes()
        first = self.chat("restart", "hello")
        self.assertIn("memory: 2 files", first.stderr)
        owner = self.hearth("kv", "ls", "--json").stdout
        self.assertIn("memory-", owner)
        type(self).server.stop()
        type(self).server = Server(self.home)
        again = self.chat("restart", "and now?")
        tokens, kept = map(int, re.search(r"(\d+) tokens, (\d+) of them kept", again.stderr).groups())
        self.assertGreater(kept, tokens - 65)
        self.assertIn("> hello", again.stdout)  # where one left off
        self.assertEqual(self.memory_bytes(), before)

    def test_memory_changes_are_told_folded_and_backed_up(self):
        self.chat("fold", "/memory add dog.md Rex likes the rain.", "hello", "/memory diff", flags=("--keep-changes",))
        self.assertFalse((self.memory / "dog.md").exists())
        diff = json.loads(self.hearth("memory", "diff", "--json").stdout)
        [session] = [one for one in diff["sessions"] if one["id"] == "fold"]
        self.assertEqual([(c["path"], c["change"]) for c in session["unfolded"]], [("dog.md", "added")])
        self.assertIn("+Rex likes the rain.", self.hearth("memory", "diff", "--session", "fold").stdout)
        self.assertEqual(json.loads(self.hearth("memory", "fold", "fold", "--json").stdout)["written"], ["dog.md"])
        self.assertEqual((self.memory / "dog.md").read_text(), "Rex likes the rain.\n")
        self.hearth("memory", "edit", "dog.md", "--text", "-", stdin="Rex hates the rain.\n")
        self.hearth("memory", "add", "dog.md", "He is five.")
        self.assertEqual((self.memory / "dog.md").read_text(), "Rex hates the rain.\nHe is five.\n")
        self.assertTrue(list((self.memory / ".hearth/backup").rglob("dog.md")))
        exported = json.loads(self.hearth("memory", "export", "--json").stdout)
        self.assertIn("dog.md", exported["files"])
        (self.memory / "dog.md").unlink()

    def test_two_clients_in_one_session_are_told_apart(self):
        pipe = subprocess.Popen([BIN / "hearth", "chat", "two", "--server", self.server.url, "--tokens", "5"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                env=environment(self.home))
        pipe.stdin.write("hello\n")
        pipe.stdin.flush()
        self.assertTrue(pipe.stdout.readline())
        second = self.chat("two", "hello", code=3)
        self.assertIn("session two is open in another hearth (process ", second.stderr)
        self.assertIn("hearth session forget two", self.hearth("session", "forget", "two", code=2).stderr)
        self.hearth("session", "forget", "two", "--confirm", "two", code=3)
        pipe.communicate("/quit\n", timeout=60)
        self.assertEqual(pipe.returncode, 0)
        self.hearth("session", "forget", "two", "--confirm", "two", "--server", self.server.url)
        self.assertNotIn("two", [one["id"] for one in json.loads(self.hearth("session", "list", "--json").stdout)["sessions"]])

    def test_a_folder_that_cannot_be_memory_is_refused_with_every_fault(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "picture.png").write_bytes(b"\x89PNG\0")
            (Path(folder) / "link.md").symlink_to("/etc/passwd")
            with open(Path(folder) / "huge.md", "wb") as file:
                file.truncate(100 << 20)
            refused = self.hearth("session", "new", "bad", "--memory", folder, code=2)
            for words in ("picture.png: is binary", "link.md: is a link", "huge.md: 104857600 bytes"):
                self.assertIn(words, refused.stderr)
            self.assertNotIn("bad", self.hearth("session", "list").stdout)

    def test_exports_and_what_is_missing(self):
        self.hearth("session", "new", "export", "--title", "A talk", "--json")
        self.chat("export", "hello")
        text = self.hearth("session", "export", "export").stdout
        self.assertTrue(text.startswith("# A talk\n\nlabel: open\n"), text)
        self.assertIn("## You\n\nhello\n", text)
        whole = json.loads(self.hearth("session", "export", "export", "--format", "json").stdout)
        self.assertEqual([m["role"] for m in whole["messages"]], ["user", "assistant"])
        self.assertIn("no session nothing", self.hearth("session", "resume", "nothing", code=2).stderr)
        self.assertIn("no server at", self.hearth("chat", "x", "--server", "http://127.0.0.1:9", code=3).stderr)
        self.assertIn("letters, digits", self.hearth("session", "new", "../x", code=2).stderr)

    def test_a_damaged_session_is_named_and_what_is_readable_comes_out(self):
        self.chat("damage", "hello", "again")
        path = self.home / "sessions" / "damage.session"
        lines = path.read_bytes().split(b"\n")
        lines[-2] = lines[-2][:10] + b"#" + lines[-2][11:]
        path.write_bytes(b"\n".join(lines))
        self.assertIn("--recover", self.hearth("session", "resume", "damage", "--server", self.server.url, code=2).stderr)
        recovered = self.hearth("session", "export", "damage", "--recover")
        self.assertIn("## You\n\nhello\n", recovered.stdout)
        self.assertIn("not readable: record", recovered.stderr)
        unreadable = json.loads(self.hearth("session", "list", "--json").stdout)["unreadable"]
        self.assertEqual([one["id"] for one in unreadable], ["damage"])
        path.unlink()

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        with tempfile.TemporaryDirectory() as home:
            chat = subprocess.Popen(
                [BIN / "hearth", "chat", "stop", "--model", MODELS / "kimi-tiny-random.gguf", "--thinking", "off", "--no-memory",
                 "--temperature", "0",  # its most likely text fills the window; a drawn one ends somewhere
                 *[f"--serve-flag={flag}" for flag in ("--context=8192", "--threads=2")]],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home))
            chat.stdin.write(b"hello\n")
            chat.stdin.flush()
            os.read(chat.stdout.fileno(), 100)  # it answers, for thousands of tokens
            chat.send_signal(signal.SIGINT)
            out, errors = chat.communicate(b"/branches\n/quit\n", timeout=60)
            self.assertEqual(chat.returncode, 0, errors)
            self.assertIn(b"stopped; /retry asks again", errors)
            self.assertIn(b"*  1 ", out)

    def test_drafts_keep_clear_of_banned_phrases(self):
        samples = self.home / "letters"
        samples.mkdir()
        (samples / "one.md").write_text("We went to the weir, and the heron was there.\n")
        written = json.loads(self.hearth("write", "the heron stood at the weir", "--server", self.server.url, "--samples", samples,
                                         "--drafts", "2", "--tokens", "40", "--ban", "heron", "--json").stdout)
        self.assertEqual([draft["rank"] for draft in written["drafts"]], [1, 2])
        for draft in written["drafts"]:
            if not draft["banned_left"]:
                self.assertNotIn("heron", draft["text"].lower())
        self.assertIn("voice-", self.hearth("kv", "ls", "--json").stdout)
        self.assertIn("no brief", self.hearth("write", "--server", self.server.url, code=2).stderr)

    def test_a_sealed_session_needs_the_open_vault_and_leaves_nothing_in_the_clear(self):
        self.assertIn("hearth vault", self.hearth("session", "new", "secret", "--label", "sealed", code=3).stderr)
        self.assertFalse((self.home / "sessions/secret.session").exists())

    def test_a_terminal_edits_lines(self):
        terminal = Terminal(self, "terminal", "--server", self.server.url, "--tokens", "12", "--thinking", "off")
        terminal.wait_for(b"> ")
        terminal.type(b"helXo\x1b[D\x1b[D\x1b[3~l\r")  # "hello"
        terminal.wait_for(b"%] > ")
        terminal.type(b"\x1b[A\x03")  # history, then Ctrl-C: the line goes, the program stays
        terminal.wait_for(b"%] > ")
        terminal.type(b"/branches\r")
        terminal.wait_for(b"hello")
        terminal.type(b"\x04")
        terminal.wait_for_end()
        messages = json.loads(self.hearth("session", "export", "terminal", "--format", "json").stdout)["messages"]
        self.assertEqual(messages[0]["text"], "hello")

    def test_what_is_typed_while_it_answers_counts_afterwards(self):
        terminal = Terminal(self, "ahead", "--server", self.server.url, "--tokens", "200", "--thinking", "off")
        terminal.wait_for(b"> ")
        terminal.type(b"hello\r")
        terminal.wait_for(b"\x1b[?2004l")  # the line is taken: until the next one the terminal assembles lines itself
        terminal.type(b"again\r\x04")
        terminal.wait_for_end()
        messages = json.loads(self.hearth("session", "export", "ahead", "--format", "json").stdout)["messages"]
        self.assertEqual([m["text"] for m in messages if m["role"] == "user"], ["hello", "again"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
