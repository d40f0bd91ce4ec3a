"""Network namespaces as hosts on one bridge, with shaped links. Made inside isolation.enter()."""

import re
import subprocess
from pathlib import Path

SUBNET = "10.77.0"
OUTSIDE = f"{SUBNET}.1"  # where the test itself, and its proxies, are
BURST_BYTES = 64 * 1024


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    def __init__(self):
        # With an address of its own: else it takes the lowest of its ports' ones, and changes it as hosts come and go.
        run("ip", "link", "add", "switch", "address", "02:00:00:00:00:01", "type", "bridge")
        run("ip", "addr", "add", f"{OUTSIDE}/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")
        self.made = 0

    def add_host(self, name):
        self.made += 1
        return Host(name, f"{SUBNET}.{10 + self.made}")

    def remove_host(self, host):
        run("ip", "link", "del", host.port)
        run("ip", "netns", "del", host.name)


class Host:
    """One network namespace. Its link is `port_NAME` at the switch and `eth0` inside."""

    def __init__(self, name, address):
        self.name, self.address = name, address
        self.port = f"port_{name}"[:15]
        run("ip", "netns", "add", name)
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", self.port, "master", "switch", "up")
        self.inside("ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        self.inside("ip", "link", "set", "lo", "up")

    def command(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.name}", *[str(part) for part in command]]

    def inside(self, *command):
        return run(*self.command(*command))

    def shape(self, bits_per_s):
        """What leaves this host, at most; None: as fast as the machine goes."""
        device = ("dev", "eth0", "root")
        if bits_per_s is None:
            subprocess.run(self.command("tc", "qdisc", "del", *device), capture_output=True)
            return
        # A real link saves up nothing while it is idle: as little as the largest packets of the kernel allow.
        self.inside("tc", "qdisc", "replace", *device, "tbf", "rate", f"{int(bits_per_s)}bit", "burst", str(BURST_BYTES),
                    "latency", "50ms")

    def shape_lossy(self, bits_per_s):
        """A queue of eight packets: whoever fills it loses some, again and again."""
        self.inside("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", f"{int(bits_per_s)}bit", "burst", "3000",
                    "limit", "12000")

    def lost_packets(self):
        """Of the shape that is set now."""
        return int(re.search(r"dropped (\d+)", self.inside("tc", "-s", "qdisc", "show", "dev", "eth0")).group(1))

    def plug(self, is_in):
        """Pulls the cable, or puts it back: no packet, no reset."""
        run("ip", "link", "set", self.port, "up" if is_in else "down")

    def sent_bytes(self):
        """On the wire, headers and all."""
        found = re.search(rf"^\s*{self.port}:\s*(\d+)", Path("/proc/net/dev").read_text(), re.MULTILINE)
        return int(found.group(1))
