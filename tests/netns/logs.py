"""The logs of the programs lie in a folder that goes with the test: after a failure their ends are printed before it does."""

import unittest

LINES = 80  # of each log


def print_ends(logs):
    """`logs`: the path of each, by the name to print."""
    for name, path in logs.items():
        lines = path.read_text(errors="replace").splitlines() if path.exists() else ["(it wrote none)"]
        left_out = f", {len(lines) - LINES} lines before it left out" if len(lines) > LINES else ""
        print(f"\n--- the end of the log of {name}{left_out}", *lines[-LINES:], sep="\n", flush=True)


class LoggedCase(unittest.TestCase):
    """A test whose `cluster` (machines.Cluster) tells what it logged when it fails."""

    def run(self, result=None):
        if result is None:
            return super().run()
        before = len(result.failures) + len(result.errors)
        done = super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"\n=== {self.id()} failed", flush=True)
            print_ends(self.cluster.logs())
        return done
