"""What others on the network reach of a machine, and what they are told."""

import socket
import ssl
import sys

from machines import AGENT_PORT
from network import run

QUESTION = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
LOOPBACK = "0100007F"
LISTENS = "0A"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10).close()
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


def stranger_contexts(outsider):
    """No TLS; TLS without a certificate; with one of a cluster of its own, which `outsider`, no member, makes."""
    if not (outsider.home / "cluster").exists():
        outsider.hearth("cluster", "init", "--name", outsider.name, "--address", f"{outsider.host.address}:{AGENT_PORT}")
    contexts = [None]
    for certificate in (None, outsider.home / "cluster" / "machine.pem"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate)
        contexts.append(context)
    return contexts


def said_to(address, port, context, question=QUESTION):
    """What somebody reads who asks that; empty after a refused handshake."""
    said = b""
    with socket.create_connection((address, port), timeout=10) as stream:
        try:
            if context:
                stream = context.wrap_socket(stream)
            stream.sendall(question)
            while piece := stream.recv(1000):
                said += piece
        except OSError:  # ssl.SSLError is one
            pass
        finally:
            stream.close()
    return said


def connecting_from(host, address, port):
    """What comes of it: "connected", or the name of the error."""
    return host.inside(sys.executable, "-c", CONNECT, address, port).strip()


def listening(machine):
    """Address and TCP port of what listens in its namespace."""
    found = set()
    for line in run(*machine.host.command("cat", "/proc/net/tcp", "/proc/net/tcp6")).splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTENS:
            address, port = fields[1].rsplit(":", 1)
            found.add((address, int(port, 16)))
    return found


def open_ports(machine):
    return {port for address, port in listening(machine) if address != LOOPBACK}


def loopback_ports(machine):
    return {port for address, port in listening(machine) if address == LOOPBACK}
