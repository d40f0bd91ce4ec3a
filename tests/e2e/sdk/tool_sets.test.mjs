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

async function call_of_anthropic(tools, seed) {
  const response = await server.post("/v1/messages", {
    model: "kimi", max_tokens: 4000, temperature: 1, tool_choice: { type: "any" },
    tools: tools.map((tool) => ({ name: tool.name, description: tool.description, input_schema: tool.schema })),
    messages: [{ role: "user", content: `Number ${seed}` }] });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  assert.equal(body.stop_reason, "tool_use", JSON.stringify(body));
  return body.content.filter((block) => block.type === "tool_use");
}

// The calls go back with results: what the model is shown must be what it said.
async function count_of_return(tools, calls) {
  const response = await server.post("/v1/messages/count_tokens", {
    model: "kimi",
    tools: tools.map((tool) => ({ name: tool.name, description: tool.description, input_schema: tool.schema })),
    messages: [{ role: "user", content: "Go" }, { role: "assistant", content: calls },
      { role: "user", content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "ok" })) }] });
  assert.equal(response.status, 200, await response.text());
}

test(`${sets} generated tool sets: every call is valid, ids are unique`, { timeout: 3_000_000 }, async () => {
  const generator = new ToolSets(2026);
  const work = Array.from({ length: sets }, (_, index) => ({ index, tools: generator.set() }));
  const ids = new Set();
  let valid = 0;
  await Promise.all(Array.from({ length: together }, async () => {
    for (let item = work.shift(); item !== undefined; item = work.shift()) {
      const calls = await call_of_anthropic(item.tools, item.index);
      assert.ok(calls.length > 0, `set ${item.index}: no call`);
      for (const call of calls) check_call(item.tools, call, ids, item.index);
      await count_of_return(item.tools, calls);
      ++valid;
    }
  }));
  assert.equal(valid, sets);
  console.log(`${valid} of ${sets} tool sets: every call valid; ${ids.size} calls`);
});
