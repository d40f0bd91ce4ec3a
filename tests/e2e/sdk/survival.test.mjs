// A worker that dies, a server that is stopped or killed: what clients see, and what is kept.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Server } from "./server.mjs";

const model = "kimi-tiny-q8_0.gguf";
const flags = ["--context", "16384", "--chunk-tokens", "256"];
const long_text = Array.from({ length: 110 }, (_, i) => `Fact ${i} is ${i * 7919 % 1000}.`).join(" ");
let server;

before(async () => { server = await Server.start(model, flags); });
after(async () => { await server.close(); });

// The worker is a child of one of the server's threads.
function worker_pid() {
  const tasks = `/proc/${server.child.pid}/task`;
  for (const thread of readdirSync(tasks)) {
    const children = readFileSync(`${tasks}/${thread}/children`, "utf8").trim();
    if (children !== "") return Number(children.split(" ")[0]);
  }
  throw new Error("the server has no worker");
}

const ask = (text, tokens = 8, more = {}) => server.post("/v1/messages",
  { model: "kimi", max_tokens: tokens, messages: [{ role: "user", content: text }], ...more });

test("a worker that dies in mid-answer ends the stream with an error event, and the next request works", async () => {
  const response = await ask("word ".repeat(300), 1400, { stream: true });
  assert.equal(response.status, 200);
  let text = "", killed = false;
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (!killed && text.includes("text_delta")) {
      process.kill(worker_pid(), "SIGKILL");
      killed = true;
    }
  }
  assert.ok(killed);
  assert.match(text, /event: error\ndata: .*"type":"(overloaded|api)_error"/);
  assert.ok(!text.includes("message_stop"));
  const next = await ask("Still there", 30);
  const body = await next.json();
  assert.equal(next.status, 200, JSON.stringify(body));
  assert.equal(body.content[0].text, "Still there");
});

test("a prompt whose worker dies under it is computed by the next one", async () => {
  const asked = ask("Twice begun. " + "word ".repeat(500), 12);
  while (await server.metric("hearth_answers_running") === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.kill(worker_pid(), "SIGKILL");
  const response = await asked;
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  assert.equal(body.content[0].text, "Twice begun.");
});

test("a conversation outlives the worker", async () => {
  const first = await (await ask(long_text, 4)).json();
  await stored();
  process.kill(worker_pid(), "SIGKILL");
  const second = await (await ask(long_text, 4)).json();
  expect_cached(first, second);
});

test("a conversation outlives a restart of everything", async () => {
  const first = await (await ask("Again. " + long_text, 4)).json();
  assert.equal(await server.stop(), 0);
  await server.run(model, flags);
  expect_cached(first, await (await ask("Again. " + long_text, 4)).json());
});

// The client sends its call back parsed and printed anew: only the tokens that were sampled lead to the stored KV.
test("a conversation with calls goes on from its stored KV after a restart", async () => {
  const tools = [{ name: "read", description: "Reads a part of a file.", input_schema: { type: "object",
    properties: { path: { type: "string", enum: ["a.txt", "b.txt"] }, line: { type: "integer", minimum: 0, maximum: 99 } },
    required: ["path", "line"], additionalProperties: false } }];
  const messages = [{ role: "user", content: "Read. " + long_text }];
  const turn = async () => {
    const response = await server.post("/v1/messages", { model: "kimi", max_tokens: 400, tools,
      tool_choice: { type: "any", disable_parallel_tool_use: true }, messages });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    const call = answer.content.find((block) => block.type === "tool_use");
    assert.ok(call, JSON.stringify(answer.content));
    messages.push({ role: "assistant", content: answer.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "A line. ".repeat(60) }] });
    return answer;
  };
  await turn();
  const second = await turn();
  await stored();
  assert.equal(await server.stop(), 0);
  await server.run(model, flags);
  const third = await turn();
  const known = prompt_tokens(second) + second.usage.output_tokens;
  assert.ok(third.usage.cache_read_input_tokens >= known - 257,
    `${third.usage.cache_read_input_tokens} of ${known} known tokens came from the store`);
  assert.equal(await server.metric("hearth_turns_remembered_total"), 2);
  assert.equal(await server.metric("hearth_turns_rendered_total"), 0);
});

test("a conversation outlives a server that is killed", async () => {
  const first = await (await ask("Once more. " + long_text, 4)).json();
  await stored();
  await server.stop("SIGKILL");
  await server.run(model, flags);
  expect_cached(first, await (await ask("Once more. " + long_text, 4)).json());
});

const prompt_tokens = (answer) => answer.usage.input_tokens + answer.usage.cache_read_input_tokens +
  answer.usage.cache_creation_input_tokens;

// All whole chunks of 256 tokens.
function expect_cached(first, second) {
  const tokens = prompt_tokens(second);
  assert.equal(tokens, prompt_tokens(first));
  assert.ok(second.usage.cache_read_input_tokens >= tokens - 257,
    `${second.usage.cache_read_input_tokens} of ${tokens} tokens came from the store`);
  assert.deepEqual(second.content, first.content);
}

// Saving goes on behind the answer: wait until nothing more arrives in the store.
async function stored() {
  const count = () => readdirSync(`${server.home}/chunks`, { recursive: true }).filter((name) => name.endsWith(".kv")).length;
  let last = -1;
  for (let tries = 0; tries < 100 && (count() === 0 || count() !== last); ++tries) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
