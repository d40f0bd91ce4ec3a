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
            for wanted in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "LimitCORE=0", "UMask=0077"):
                self.assertIn(wanted, lines, unit.name)

    def settings(self, file):
        """What a unit says, by name: a list, as names may come more than once."""
        found = {}
        for line in (PACKAGING / "systemd" / file).read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                name, value = line.split("=", 1)
                found.setdefault(name, []).append(value)
        return found

    def test_the_way_out_is_a_user_of_its_own(self):
        egress, serve = self.settings("hearth-egress.service"), self.settings("hearth-serve.service")
        self.assertEqual(egress["User"], ["hearth-egress"])
        self.assertEqual(serve["User"], ["hearth"])
        users = (PACKAGING / "sysusers.d/hearth.conf").read_text()
        for user in egress["User"] + serve["User"]:
            self.assertIn(f"\nu {user} - ", users)
        # Nothing of one is the other's, but the folder with the socket.
        self.assertNotEqual(egress["StateDirectory"], serve["StateDirectory"])
        self.assertIn("-/var/lib/hearth", egress["InaccessiblePaths"][0].split())
        self.assertNotIn("hearth.toml", egress["ExecStart"][0])
        self.assertEqual(egress["RuntimeDirectoryMode"], ["0750"])
        self.assertNotIn("hearth", " ".join(egress.get("SupplementaryGroups", [])))

    def test_who_may_reach_what(self):
        egress, beside = self.settings("hearth-egress.service"), self.settings("hearth-serve.service.d/egress.conf")
        self.assertEqual(egress["SocketBindDeny"], ["any"])
        self.assertIn("IPAddressDeny", egress)
        self.assertEqual(beside["IPAddressDeny"], ["any"])
        self.assertNotIn("any", beside["IPAddressAllow"][0].split())
        self.assertEqual(beside["SupplementaryGroups"], egress["Group"])
        socket = egress["ExecStart"][0].split("--egress ")[1].split()[0]
        self.assertTrue(socket.startswith("/run/" + egress["RuntimeDirectory"][0] + "/"))
        self.assertIn(socket, (PACKAGING / "systemd/hearth-serve.service.d/egress.conf").read_text())

    def test_launch_agents_start_verbs_that_exist(self):
        for path in (PACKAGING / "launchd").glob("*.plist"):
            with self.subTest(path.name):
                agent = plistlib.loads(path.read_bytes())
                self.assertEqual(agent["Label"], path.stem)
                self.assertEqual(agent["Umask"], 0o077)
                self.check_command(agent["ProgramArguments"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
