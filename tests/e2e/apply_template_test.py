#!/usr/bin/env python3
"""llama-server renders our templates to the golden files that our own renderers are held to.

apply_template_test.py BIN_DIRECTORY ENGINE_PREFIX TINY_MODEL
Skipped (exit 77) where the engine's tools are not in the prefix.
"""
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

import llama_server

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "chat"
FORMATS = ("kimi-k2", "kimi-k2-thinking", "kimi-k2.5", "qwen3", "qwen3-coder", "qwen3.5", "chatml", "llama3")
NATIVE_IDS = ("kimi-k2", "kimi-k2-thinking", "kimi-k2.5")
SKIPPED = 77
# The server continues a last assistant message instead of closing it.
NOT_COMPARED = ("no_prompt",)
# The server leaves this to the tokenizer.
BOS = "<|begin_of_text|>"


class Server(llama_server.LlamaServer):
    def request(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data,
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")


def body_of(name, case):
    options = case.get("options", {})
    ids, messages = {}, []
    for message in json.loads(json.dumps(case["messages"])):
        for call in message.get("tool_calls", []):
            native = f"functions.{call['function']['name']}:{len(ids)}"
            ids[call["id"]] = native if name in NATIVE_IDS else call["id"]
            call["id"] = ids[call["id"]]
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        if "tool_call_id" in message:
            message["tool_call_id"] = ids[message["tool_call_id"]]
        messages.append(message)
    thinking = options.get("thinking", True)
    body = {"messages": messages, "add_generation_prompt": options.get("generation_prompt", True),
            "chat_template_kwargs": {"thinking": thinking, "enable_thinking": thinking,
                                     "preserve_thinking": options.get("preserve_thinking", False),
                                     "date_string": "26 Jul 2024"}}
    if "tools" in case:
        body["tools"] = case["tools"]
    return body


def main():
    prefix, model = (pathlib.Path(argument).resolve() for argument in sys.argv[2:4])
    if not llama_server.is_in(prefix):
        print(f"skipped: no llama-server in {prefix}; scripts/setup.sh unpacks it")
        return SKIPPED
    failures = compared = 0
    work = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"hearth-apply-template-{os.getpid()}"
    work.mkdir()
    for name in FORMATS:
        server = Server(prefix, model, work / f"{name}.log", "-c", "512", "--chat-template-file",
                        GOLDEN / "templates" / f"{name}.jinja")
        try:
            for file in sorted((GOLDEN / name).glob("*.txt")):
                case = json.loads((GOLDEN / "conversations" / f"{file.stem}.json").read_text())
                if file.stem in NOT_COMPARED or (name == "kimi-k2.5" and "tools" in case):
                    continue  # the server has no TypeScript declarations
                status, reply = server.request("/apply-template", body_of(name, case))
                text = reply["prompt"] if status == 200 else f"{status} {reply}"
                compared += 1
                if text != file.read_text().removeprefix(BOS):
                    failures += 1
                    print(f"{name}/{file.stem} differs\n  golden: {file.read_text()!r}\n  server: {text!r}")
        finally:
            server.stop()
    print(f"{compared} compared, {failures} differ")
    return 1 if failures or compared < 80 else 0


if __name__ == "__main__":
    sys.exit(main())
