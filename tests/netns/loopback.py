"""Hosts on loopback, each with an address of its own: for tests that need neither namespaces nor shaped links."""

import errno
import functools
import socket

NETWORK = "127.77"
SUBNETS_MAX = 32  # runs beside each other
HOLDER_PORT = 7077  # of a subnet's first address: whoever has bound it has the subnet


def is_possible():
    """Not every system answers on the whole of 127.0.0.0/8."""
    try:
        socket.create_server((f"{NETWORK}.0.11", 0)).close()
        return True
    except OSError:
        return False


@functools.cache
def held_subnet():
    """This program's own, until it ends, however it ends: the name, and the socket that holds it."""
    for index in range(SUBNETS_MAX):
        subnet, holder = f"{NETWORK}.{index}", socket.socket()
        try:
            holder.bind((f"{subnet}.1", HOLDER_PORT))
            return subnet, holder
        except OSError as error:
            holder.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise RuntimeError(f"all {SUBNETS_MAX} subnets of {NETWORK}.0.0/16 are taken: do other runs of this test still live?")


class LoopbackNetwork:
    def __init__(self):
        self.subnet, _ = held_subnet()
        self.made = 0

    def add_host(self, name):
        self.made += 1
        return LoopbackHost(name, f"{self.subnet}.{10 + self.made}")

    def remove_host(self, host):
        pass


class LoopbackHost:
    def __init__(self, name, address):
        self.name, self.address = name, address

    @staticmethod
    def command(*command):
        return [str(part) for part in command]
