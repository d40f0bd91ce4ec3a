"""The service files name programs and flags that exist.

usage: packaging_test.py BIN_DIRECTORY SOURCE_DIRECTORY
"""

import plistlib
import subprocess
import sys
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
PACKAGING = Path(sys.argv[2]) / "packaging"


def exec_start(unit):
    for line in unit.read_text().splitlines():
        if line.startswith("ExecStart="):
            return line.removeprefix("ExecStart=").split()
    raise AssertionError(f"{unit}: no ExecStart")


class ServiceFiles(unittest.TestCase):
    def check_command(self, command):
        program, verb, *arguments = command
        self.assertEqual(program, "/usr/local/bin/hearth")
        help_text = subprocess.run([BIN / "hearth", verb, "--help"], capture_output=True, text=True, check=True).stdout
        for flag in (word for word in arguments if word.startswith("--")):
            self.assertIn(flag, help_text)

    def test_units_start_verbs_that_exist(self):
        units = sorted((PACKAGING / "systemd").glob("*.service"))
        self.assertEqual(len(units), 3)
        for unit in units:
            with self.subTest(unit.name):
                self.check_command(exec_start(unit))

    def test_units_have_the_least_privilege(self):
        for unit in (PACKAGING / "systemd").glob("*.service"):
            lines = unit.read_text().splitlines()
            for wanted in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "User=hearth",
                           "LimitCORE=0", "UMask=0077"):
                self.assertIn(wanted, lines, unit.name)

    def test_launch_agents_start_verbs_that_exist(self):
        for path in (PACKAGING / "launchd").glob("*.plist"):
            with self.subTest(path.name):
                agent = plistlib.loads(path.read_bytes())
                self.assertEqual(agent["Label"], path.stem)
                self.assertEqual(agent["Umask"], 0o077)
                self.check_command(agent["ProgramArguments"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
