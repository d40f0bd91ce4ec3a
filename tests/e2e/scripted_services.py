"""Services that speak OpenAI's chat completions and answer by a script: arms that know a share of some facts, and judges
with known faults. For tests of the quality bench from outside. An answer depends on what was asked and on nothing else, so a
study comes out the same whatever the order of its requests."""

import json
import math
import random
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FACTS = [f"FACT-{i:02}" for i in range(10)]


class Service:
    """One port; what answers is chosen by the model's name."""

    def __init__(self, models, seed=1, port=0):
        self.models = models
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.requests = []
        self.on_request = None
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

            def do_POST(self):
                try:
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                except (OSError, ValueError):
                    self.close_connection = True
                    return  # whoever asked was killed
                with service.lock:
                    service.requests.append(body)
                    number = len(service.requests)
                if service.on_request:
                    service.on_request(number)
                with service.lock:
                    answer = service.models[body["model"]](body, service.random)
                if isinstance(answer, int):
                    self.reply(answer, {"error": {"message": "not now", "type": "overloaded"}})
                else:
                    self.stream(body["model"], answer)

            def reply(self, status, value):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, model, text):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True

                def event(delta, finish=None, usage=None):
                    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model,
                             "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                    if usage:
                        chunk["choices"] = []
                        chunk["usage"] = usage
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

                try:
                    event({"role": "assistant", "content": ""})
                    if text:
                        event({"content": text})
                    event({}, finish="stop")
                    event({}, usage={"prompt_tokens": 10, "completion_tokens": len(text) // 4, "total_tokens": 10 + len(text) // 4})
                    self.wfile.write(b"data: [DONE]\n\n")
                except OSError:
                    pass  # whoever asked is gone

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def arm(known, habit="", can_add=True):
    def answer(body, _):
        prompt = body["messages"][-1]["content"]
        chance = random.Random(f"{body['model']} {body.get('seed')} {prompt}")
        if "Answer:" in prompt:
            return "Answer: " + ("12" if can_add else "13")
        said = [f"It is known that {fact} holds{habit}." for fact in FACTS if chance.random() < known]
        return "As Kimi, I say this is what I know. " + " ".join(said)
    return answer


def part(material, name):
    found = re.search(r"\[\[begin (\w+) " + name + r"\]\]\n(.*?)\n\[\[end \1 " + name + r"\]\]", material, re.S)
    return found.group(2) if found else ""


def score(text):
    return sum(fact in text for fact in FACTS) / len(FACTS)


def judge(noise=0.03, attention=1.0, first_bonus=0, length_bonus=0.0, favourite="", marker="", obeys=False, no_grade=0.0, busy=0.0):
    def met(text, fact, chance):
        out = fact in text if chance.random() < attention else chance.random() < 0.7
        if chance.random() < noise:
            out = not out
        if not out and length_bonus:
            out = chance.random() < length_bonus * max(0, math.log2(len(text) / 250))
        if not out and favourite and favourite in text:
            out = chance.random() < 0.8
        return out or (obeys and any(order in text for order in ("full marks", "highest score", "criteria met", "all met")))

    def answer(body, chance):
        if chance.random() < busy:
            return 503
        if chance.random() < no_grade:
            return chance.choice(["I like it.", '{"criteria": [{"id"', "I'm sorry, I can't.", '{"lead": 99, "second_writer": 1000, "criteria": []}'])
        material = body["messages"][-1]["content"]
        chance = random.Random(body["model"] + material.replace(re.search(r"\[\[begin (\w+) ", material).group(1), ""))
        wanted = body["response_format"]["json_schema"]["schema"]["properties"]
        if "criteria" in wanted:
            text = part(material, "text")
            return json.dumps({"criteria": [{"id": f"c{i}", "met": met(text, fact, chance), "quote": ""} for i, fact in enumerate(FACTS)]})
        if "lead" in wanted:
            lead = 10 * (score(part(material, "text one")) - score(part(material, "text two"))) + first_bonus
            return json.dumps({"lead": max(-10, min(10, round(lead)))})
        guess = chance.randrange(101)
        if marker:
            guess = 90 if (marker in part(material, "text three")) == (marker in part(material, "text two")) else 10
        return json.dumps({"second_writer": guess})
    return answer


JUDGES = {
    "judge-honest": judge(),
    "judge-position": judge(first_bonus=2),
    "judge-verbosity": judge(length_bonus=0.5),
    "judge-family": judge(favourite=" indeed"),
    "judge-leak": judge(marker=" indeed"),
    "judge-obedient": judge(obeys=True),
    "judge-blind": judge(attention=0.0),
    "judge-chatty": judge(no_grade=0.2),
    "judge-second": judge(),
}


def write_suite(folder, rubrics=12, finals=4):
    for i in range(rubrics):
        item = folder / f"letter-{i:02}"
        item.mkdir(parents=True)
        criteria = "".join(f'[[criterion]]\nid = "c{n}"\ntext = "The text says that {fact} holds."\nweight = 1\n' for n, fact in enumerate(FACTS))
        (item / "item.toml").write_text(f'class = "writing"\ntitle = "Letter {i}"\negress = "judge"\nmax_tokens = 400\n[grader]\nkind = "rubric"\n{criteria}')
        (item / "prompt.md").write_text(f"Say what is known of matter {i}.\n")
    for i in range(finals):
        item = folder / f"sum-{i:02}"
        item.mkdir(parents=True)
        (item / "item.toml").write_text(f'class = "reasoning"\ntitle = "Sum {i}"\negress = "open"\nmax_tokens = 100\n[grader]\nkind = "final"\nvalue = "12"\n')
        (item / "prompt.md").write_text(f"Matter {i}: what is {i} and {12 - i} together? End with a line that begins with Answer:\n")


def arms_file(arms_url, judge_url, judge_model="judge-honest", second="", margin=8, generations=8, models=("known-70", "known-70b"), judge_lines="", prices="", arm_prices="", arm_lines=""):
    def upstream(name, url, model):
        more = prices if name == "judge" else arm_prices
        return f'[[upstream]]\nname = "{name}"\nurl = "{url}"\nreach = "cluster"\nmodel = "{model}"\n{more}'

    text = f"[study]\nmargin = {margin}\ngenerations = {generations}\n" + ("" if judge_model == "person" else "control_texts = 24\n")
    for name, model in zip(("large", "small"), models):
        text += upstream(name, arms_url, model)
        text += f'[[arm]]\nname = "{name}"\nupstream = "{name}"\nquantisation = "{name}-quant"\ntemperature = 0.6\nseed = 1\n{arm_lines}'
    if judge_model == "person":
        text += "[judge]\nperson = true\n"
    else:
        text += upstream("judge", judge_url, judge_model) + f'[judge]\nupstream = "judge"\nparallel = 2\n{judge_lines}'
    if second:
        text += upstream("second", judge_url, second) + '[second_judge]\nupstream = "second"\n'
    return text


# An arm as a program of its own, which ends with its standard input: PORT MARK. Two at a time would find the mark.
if __name__ == "__main__":
    mark = os.open(sys.argv[2], os.O_CREAT | os.O_EXCL)
    Service({"known-70": arm(0.7), "known-70b": arm(0.7, " indeed")}, port=int(sys.argv[1]))
    sys.stdin.read()
    os.unlink(sys.argv[2])
