"""A real browser by its own protocol over two pipes: no driver, no packages. Chromium must be installed."""

import json
import os
import shutil
import subprocess
import tempfile
import time


def find_chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


KEYS = {"Enter": (13, "\r"), "ArrowDown": (40, ""), "ArrowUp": (38, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, "")}


class Browser:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-chromium-")
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()[::-1]

        def place_pipes():  # the browser reads at 3 and writes at 4
            os.dup2(to_browser, 103)
            os.dup2(theirs, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        self.process = subprocess.Popen(
            [find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", f"--user-data-dir={self.folder.name}", "--remote-debugging-pipe"],
            preexec_fn=place_pipes, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(theirs)
        self.out = os.fdopen(ours, "wb", buffering=0)
        self.into = os.fdopen(from_browser, "rb")
        self.buffer = b""
        self.number = 0
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]

    def call(self, method, params=None, session=None):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        self.out.write(json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                piece = self.into.read1(65536)
                if not piece:
                    raise RuntimeError("the browser ended")
                self.buffer += piece
            line, self.buffer = self.buffer.split(b"\0", 1)
            reply = json.loads(line)
            if reply.get("id") == self.number:
                if "error" in reply:
                    raise RuntimeError(reply["error"])
                return reply["result"]

    def open(self, url):
        self.call("Page.navigate", {"url": url}, self.session)

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True}, self.session)["result"].get("value")

    def wait_for(self, expression, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {expression}; the page says: {self.evaluate('document.body.innerText')}")

    def press(self, key):
        code, text = KEYS.get(key, (ord(key.upper()), key))
        event = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", dict(event, type="keyDown" if text else "rawKeyDown"), self.session)
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}, self.session)

    def screenshot(self, path, width=1280, height=900):
        import base64
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}, self.session)
        data = self.call("Page.captureScreenshot", {"format": "png"}, self.session)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.out.close()
        self.into.close()
        self.folder.cleanup()
