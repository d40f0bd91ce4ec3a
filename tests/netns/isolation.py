"""Runs a test in namespaces of its own: network, mounts, processes.

Whatever happens to the test, the kernel takes everything down with its first process: namespaces, bridges, machines'
processes. Nothing of the host's network is touched, and nothing is left behind.
"""

import os
import shutil
import subprocess
import sys

SKIPPED = 77
MARK = "HEARTH_NETNS_INSIDE"


def skip(why):
    print(f"skipped: {why}", flush=True)
    sys.exit(SKIPPED)


def unshare_command():
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return command if os.geteuid() == 0 else command + ["--user", "--map-root-user"]


def enter(tools=()):
    """Starts this program again inside; returns when it already is. Exits with 77 where that is not permitted."""
    if os.environ.get(MARK):
        subprocess.run(["mkdir", "-p", "/run/netns"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    for tool in ("unshare", "ip", "tc", "nsenter", *tools):
        if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            skip(f"{tool} is not installed; scripts/setup.sh --netns installs what these tests need")
    probe = subprocess.run([*unshare_command(), "sh", "-c",
                            "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link add switch type bridge && "
                            "ip link add veth0 type veth peer name veth1 && tc qdisc add dev veth0 root tbf rate 1gbit burst 64kb latency 50ms"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        skip(f"network namespaces with shaped links are not permitted here: {probe.stderr.strip()}")
    os.environ[MARK] = "1"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    sys.stdout.flush()
    os.execvp("unshare", [*unshare_command(), sys.executable, "-W", "ignore::ResourceWarning", *sys.argv])
