"""A wall clock that is wrong, by libfaketime; the clocks by which programs wait stay right."""

import os
import subprocess
import time
from pathlib import Path

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


def is_installed():
    return bool(LIBRARIES)


class WrongClock:
    """So many hours ahead of the right time; they can be changed while programs run. `file` is made."""

    def __init__(self, file, hours):
        self.file = file
        self.set(hours)

    def set(self, hours):
        self.file.write_text(f"{hours:+d}h\n")

    def is_in(self, pid):
        """Whether a process goes by it."""
        return str(LIBRARIES[0]) in Path(f"/proc/{pid}/maps").read_text()

    def ahead_hours(self):
        now = subprocess.run(["date", "+%s"], env=dict(os.environ, **self.environment()), capture_output=True, text=True, check=True)
        return (int(now.stdout) - time.time()) / 3600

    def environment(self):
        return {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
