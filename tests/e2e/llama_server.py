"""llama-server of the engine's prefix on a free loopback port, for the tests that look at it from outside."""

import os
import socket
import subprocess
import time
import urllib.request

START_SECONDS = 120


def is_in(prefix):
    return (prefix / "usr/bin/llama-server").exists()


class LlamaServer:
    """One thread, one slot. It runs with the prefix's own C library, and finds its backends in the directory that it
    runs in. Weights stay as they are in the file: with AMX libllama 0.7 ends on models with MLA."""

    def __init__(self, prefix, model, log, *arguments):
        libraries = next(prefix.glob("usr/lib/*/ggml/backends0")).parents[1]
        loader = next(libraries.glob("ld-linux-*.so.*"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(log, "wb")
        self.child = subprocess.Popen(
            [loader, "--library-path", f"{libraries}:{libraries}/llama", prefix / "usr/bin/llama-server", "-m", model,
             "--host", "127.0.0.1", "--port", str(self.port), "-np", "1", "-t", "1", "--jinja", "--no-warmup",
             "--no-repack", *arguments],
            cwd=libraries / "ggml/backends0", stdout=self.log, stderr=self.log, env={"PATH": os.environ["PATH"]})
        self._wait()

    def _wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.child.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"llama-server did not start; see {self.log.name}")

    def stop(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()
