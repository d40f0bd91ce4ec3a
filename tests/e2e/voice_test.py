"""Voice profiles and drafts, from outside. Usage: voice_test.py BIN_DIR SOURCE_DIR"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN, TEXTS = Path(sys.argv[1]), Path(sys.argv[2]) / "data" / "impostors"


def hearth(*arguments):
    return subprocess.run([BIN / "hearth", *map(str, arguments)], capture_output=True, text=True, timeout=120)


class Voice(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hearth-voice-test-")
        cls.root = Path(cls.folder.name)
        cls.mine, cls.others = cls.root / "mine", cls.root / "others"
        cls.mine.mkdir()
        cls.others.mkdir()
        for text in sorted((TEXTS / "austen").glob("*.txt")):
            if text.name != "12.txt":
                (cls.mine / text.name).write_text(text.read_text())
        for text in sorted((TEXTS / "melville").glob("*.txt")):
            (cls.others / text.name).write_text(text.read_text())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_drafts_are_ranked_by_how_near_they_are(self):
        done = hearth("eval", "voice", "--mine", self.mine, "--others", self.others, TEXTS / "austen" / "12.txt",
                      TEXTS / "roosevelt" / "05.txt", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)  # one is somebody else's
        found = json.loads(done.stdout)["drafts"]
        self.assertEqual([draft["name"] for draft in found], ["12.txt", "05.txt"])
        self.assertTrue(found[0]["theirs"])
        self.assertFalse(found[1]["theirs"])
        self.assertLess(found[0]["distance"], found[1]["distance"])
        self.assertLess(found[0]["floor"]["median"], found[0]["ceiling"]["median"])

    def test_a_profile_is_built_once_and_used_again(self):
        profile = self.root / "voice.json"
        built = hearth("voice", "build", self.mine, "-o", profile)
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertIn("exemplars", built.stdout)
        data = json.loads(profile.read_text())
        self.assertEqual(data["kind"], "hearth-voice-profile")
        self.assertEqual(len(data["exemplars"]), 8)
        self.assertIn("tapestry", data["avoid"])
        copy = self.root / "copy.txt"
        copy.write_text(data["exemplars"][0]["text"])
        done = hearth("eval", "voice", "--profile", profile, copy)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("copied", done.stdout)

    def test_bad_input_is_named(self):
        short = self.root / "short"
        short.mkdir(exist_ok=True)
        (short / "a.txt").write_text("A few words only.")
        (self.root / "broken.json").write_text("{")
        draft = TEXTS / "austen" / "12.txt"
        for arguments, word in ((("--mine", short), "words of yours"), (("--mine", self.root / "nowhere"), "nowhere"),
                                (("--profile", self.root / "broken.json"), "broken.json"), ((), "--mine")):
            done = hearth("eval", "voice", *arguments, draft)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
