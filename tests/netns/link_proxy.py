"""A TCP proxy between two machines that can spoil the link: delay, stall, slow, cut at a byte count, half-open, a wrong bit.

It does not look into the bytes. Counts are of what came from the connecting side, over all connections.
"""

import socket
import threading
import time

PIECE_BYTES = 64 * 1024


class LinkProxy:
    def __init__(self, listen, target):
        self.target = target
        self.listener = socket.create_server(listen, backlog=64)
        self.lock = threading.Condition()
        self.forwarded_bytes = 0
        self.connections = 0
        self.cuts = 0
        self.flips = 0
        self._pairs = set()
        self._closed = False
        self.restore()
        self._accepting = threading.Thread(target=self._accept, name="proxy_accept", daemon=True)
        self._accepting.start()

    @property
    def address(self):
        host, port = self.listener.getsockname()
        return f"{host}:{port}"

    # --- what goes wrong
    def restore(self):
        with self.lock:
            self.delay_s, self.bytes_per_s = 0.0, None
            self.is_stalled, self.refuses = False, False
            self.cut_at, self.stall_at, self.flip_at = None, None, None
            self.lock.notify_all()

    def cut_after(self, byte_count):
        """Resets every connection when so many more bytes came; the next ones are let through."""
        with self.lock:
            self.cut_at = self.forwarded_bytes + byte_count

    def stall_after(self, byte_count):
        """From then on nothing moves in either direction, and nobody is told."""
        with self.lock:
            self.stall_at = self.forwarded_bytes + byte_count

    def flip_after(self, byte_count):
        """One bit of what comes then is another one, which TCP does not see."""
        with self.lock:
            self.flip_at = self.forwarded_bytes + byte_count

    def stall(self):
        with self.lock:
            self.is_stalled = True

    def refuse(self):
        """As a machine that is gone: connections are reset."""
        with self.lock:
            self.refuses = True
        self._reset_all()

    def slow(self, bytes_per_s=None, delay_s=0.0):
        with self.lock:
            self.bytes_per_s, self.delay_s = bytes_per_s, delay_s

    def close(self):
        if self._closed:
            return
        self._closed = True
        # Closing alone wakes nobody: whoever waits in accept() would take the first connection of the next proxy.
        self.listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self.listener.close()
        self.restore()
        self._reset_all()

    # --- its work
    def _accept(self):
        while not self._closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refuses:
                reset(client)
                continue
            try:
                server = socket.create_connection(self.target, timeout=5)
                server.settimeout(None)
            except OSError:
                reset(client)
                continue
            with self.lock:
                self.connections += 1
                self._pairs.add((client, server))
            for source, sink, counts in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, counts, (client, server)), name="proxy_pump",
                                 daemon=True).start()

    def _pump(self, source, sink, counts, pair):
        try:
            while data := source.recv(PIECE_BYTES):
                if not self._let_through(len(data), counts):
                    break
                sink.sendall(self._flipped(data) if counts else data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with self.lock:
            is_first = pair in self._pairs
            self._pairs.discard(pair)
        if not is_first:  # the other direction has ended too
            for end in pair:
                end.close()

    def _let_through(self, byte_count, counts):
        pause = self.delay_s + (byte_count / self.bytes_per_s if self.bytes_per_s else 0)
        if pause:
            time.sleep(pause)
        must_cut = False
        with self.lock:
            if counts:
                self.forwarded_bytes += byte_count
                if self.stall_at is not None and self.forwarded_bytes >= self.stall_at:
                    self.stall_at, self.is_stalled = None, True
                if self.cut_at is not None and self.forwarded_bytes >= self.cut_at:
                    self.cut_at, must_cut = None, True
                    self.cuts += 1
            while self.is_stalled and not self._closed:
                self.lock.wait()
        if must_cut:
            self._reset_all()
        return not must_cut

    def _flipped(self, data):
        with self.lock:
            if self.flip_at is None or self.forwarded_bytes < self.flip_at:
                return data
            self.flip_at = None
            self.flips += 1
        return bytes([data[0] ^ 1]) + data[1:]

    def _reset_all(self):
        with self.lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for end in pair:
                reset(end)


def reset(end):
    """A reset instead of an orderly end, also for who waits in recv()."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
