// Random weights, calls forced: every call must be valid against its tool's schema, by a validator
// that is not ours.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sdk, Server } from "./server.mjs";
import { ToolSets } from "./tool_sets.mjs";

const Ajv2020 = sdk("ajv/dist/2020.js").default;
const add_formats = sdk("ajv-formats").default;

const sets = Number(process.env.HEARTH_TOOL_SETS ?? 200);
const together = 2;
let server;

before(async () => { server = await Server.start("kimi-tiny-random.gguf", ["--context", "65536", "--no-store", "--log", "warning"]); });
after(async () => { await server.close(); });

function validator() {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  add_formats(ajv);
  return ajv;
}

function check_call(tools, call, ids, index) {
  const tool = tools.find((each) => each.name === call.name);
  assert.ok(tool, `set ${index}: no tool ${call.name}`);
  const validate = validator().compile(tool.schema);
  assert.ok(validate(call.input), `set ${index}: ${call.name}(${JSON.stringify(call.input)}) against ` +
    `${JSON.stringify(tool.schema)}: ${JSON.stringify(validate.errors)}`);
  assert.ok(!ids.has(call.id), `set ${index}: id ${call.id} was there before`);
  ids.add(call.id);
}

async function ask(path, body) {
  const response = await server.post(path, body);
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

// Each asks for calls, and sends them back as a client that has parsed them does, with results.
const anthropic = {
  body: (tools, seed) => ({
    model: "kimi", max_tokens: 4000, temperature: 1, tool_choice: { type: "any" },
    tools: tools.map((tool) => ({ name: tool.name, description: tool.description, input_schema: tool.schema })),
    messages: [{ role: "user", content: `Number ${seed}` }] }),
  async call(body) {
    const answer = await ask("/v1/messages", body);
    assert.equal(answer.stop_reason, "tool_use", JSON.stringify(answer));
    return answer.content.filter((block) => block.type === "tool_use");
  },
  send_back: (body, calls) => ask("/v1/messages", { ...body, max_tokens: 1, messages: [...body.messages,
    { role: "assistant", content: calls },
    { role: "user", content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "ok" })) }] }),
};

const openai = {
  body: (tools, seed) => ({
    model: "kimi", max_tokens: 4000, temperature: 1, tool_choice: "required",
    tools: tools.map((tool) => ({ type: "function",
      function: { name: tool.name, description: tool.description, parameters: tool.schema } })),
    messages: [{ role: "user", content: `Number ${seed}` }] }),
  async call(body) {
    const [choice] = (await ask("/v1/chat/completions", body)).choices;
    assert.equal(choice.finish_reason, "tool_calls", JSON.stringify(choice));
    return choice.message.tool_calls.map((call) =>
      ({ id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments) }));
  },
  send_back: (body, calls) => ask("/v1/chat/completions", { ...body, max_tokens: 1, messages: [...body.messages,
    { role: "assistant", content: null, tool_calls: calls.map((call) =>
      ({ id: call.id, type: "function", function: { name: call.name, arguments: JSON.stringify(call.input) } })) },
    ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "ok" }))] }),
};

test(`${sets} generated tool sets: calls are valid, ids unique, calls sent back the same turn`, { timeout: 3_000_000 }, async () => {
  const generator = new ToolSets(2026);
  const work = Array.from({ length: sets }, (_, index) => ({ index, tools: generator.set() }));
  const ids = new Set();
  let valid = 0;
  await Promise.all(Array.from({ length: together }, async () => {
    for (let item = work.shift(); item !== undefined; item = work.shift()) {
      const api = item.index % 2 === 0 ? anthropic : openai;
      const body = api.body(item.tools, item.index);
      const calls = await api.call(body);
      assert.ok(calls.length > 0, `set ${item.index}: no call`);
      for (const call of calls) check_call(item.tools, call, ids, item.index);
      await api.send_back(body, calls);
      // A turn that says the same is put into the prompt as it was sampled; one that does not is rendered anew.
      const rendered = await server.metric("hearth_turns_rendered_total");
      assert.equal(rendered, 0, `set ${item.index}: ${JSON.stringify(calls)}`);
      ++valid;
    }
  }));
  assert.equal(valid, sets);
  assert.equal(await server.metric("hearth_turns_remembered_total"), sets);
  console.log(`${valid} of ${sets} tool sets: every call valid; ${ids.size} calls`);
});
