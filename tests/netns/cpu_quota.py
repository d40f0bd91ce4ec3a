"""Emulated speed: the processes of a machine get a share of the processor, through a control group (v1 or v2; root)."""

import os
from pathlib import Path

PERIOD_US = 10_000  # short: a machine that is slow, not one that stands still half of the time


def processes_of(pid):
    """It and all that it started, and they."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes_of(int(child))
    return found


class NotPermitted(Exception):
    pass


class CpuQuota:
    """A control group of its own, until close(). `share` of one core."""

    def __init__(self, name):
        name = f"hearth-{os.getpid()}-{name}"
        v1, v2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
        try:
            if (v1 / "cpu.cfs_quota_us").exists() or (v1 / "cgroup.procs").exists():
                self.group, self.is_v1 = v1 / name, True
            else:
                self.group, self.is_v1 = v2 / name, False
            self.group.mkdir()
            self.set(1)
        except OSError as error:
            raise NotPermitted(f"control groups with a share of the processor are not permitted here: {error}") from None

    def set(self, share):
        quota_us = int(PERIOD_US * share)
        if self.is_v1:
            (self.group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (self.group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")

    def hold(self, *pids):
        """These processes, and what they start from now on."""
        for pid in pids:
            (self.group / "cgroup.procs").write_text(str(pid))

    def close(self):
        """After the end of its processes."""
        try:
            self.group.rmdir()
        except OSError:
            pass
