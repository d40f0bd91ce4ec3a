#!/usr/bin/env python3
"""Renders the conversations with Jinja2 and compares with, or (--update) writes, the golden files.

An independent check of the C++ renderers: needs python3-jinja2, is not part of the build.
  render_templates.py [--update] [--templates DIR] [--typescript FILE.py]
--templates: other templates (a model's own chat_template.jinja named FORMAT.jinja); formats without
one there are skipped. --typescript: a module with encode(tools), for Kimi K2.5's declarations.
"""
import argparse
import importlib.util
import json
import pathlib
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).resolve().parent
NATIVE_IDS = ("kimi-k2", "kimi-k2-thinking", "kimi-k2.5")
FORMATS = NATIVE_IDS + ("qwen3", "qwen3-coder", "qwen3.5", "chatml", "llama3")


def compile_template(text):
    def fail(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, indent=None):
        return json.dumps(value, ensure_ascii=False, indent=indent)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = fail
    return env.from_string(text)


def with_native_ids(messages):
    """Kimi's ids follow from the position of the call."""
    ids, out = {}, []
    for message in messages:
        message = json.loads(json.dumps(message))
        for call in message.get("tool_calls", []):
            native = f"functions.{call['function']['name']}:{len(ids)}"
            ids[call["id"]] = native
            call["id"] = native
        if "tool_call_id" in message:
            message["tool_call_id"] = ids[message["tool_call_id"]]
        out.append(message)
    return out


def render(template, name, case, encode):
    options = case.get("options", {})
    messages = with_native_ids(case["messages"]) if name in NATIVE_IDS else case["messages"]
    variables = {"messages": messages, "add_generation_prompt": options.get("generation_prompt", True),
                 "bos_token": "<|begin_of_text|>", "date_string": "26 Jul 2024",
                 "thinking": options.get("thinking", True),
                 "enable_thinking": options.get("thinking", True),
                 "preserve_thinking": options.get("preserve_thinking", False)}
    if "tools" in case:
        variables["tools"] = case["tools"]
        if name == "kimi-k2.5":
            if encode is None:
                return None
            variables["tools_ts_str"] = encode(case["tools"])
    return template.render(**variables)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--templates", default=HERE / "templates", type=pathlib.Path)
    parser.add_argument("--typescript", type=pathlib.Path)
    arguments = parser.parse_args()
    encode = None
    if arguments.typescript:
        spec = importlib.util.spec_from_file_location("typescript", arguments.typescript)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        encode = module.encode
    wrong = compared = 0
    for name in FORMATS:
        path = arguments.templates / f"{name}.jinja"
        if not path.exists():
            continue
        template = compile_template(path.read_text())
        for file in sorted((HERE / "conversations").glob("*.json")):
            case = json.loads(file.read_text())
            if name in case.get("skip", []) or name not in case.get("only", FORMATS):
                continue
            text = render(template, name, case, encode)
            if text is None:
                continue
            golden = HERE / name / f"{file.stem}.txt"
            compared += 1
            if arguments.update:
                golden.parent.mkdir(exist_ok=True)
                golden.write_text(text)
            elif not golden.exists() or golden.read_text() != text:
                wrong += 1
                print(f"differs: {golden.relative_to(HERE)}")
    print(f"{compared} compared, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
