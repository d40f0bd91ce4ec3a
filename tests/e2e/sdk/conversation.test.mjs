// A long agent conversation: from its second turn on nearly all of every prompt is there already,
// whatever side requests come in between.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./server.mjs";

const turns = 12;
// A byte is a token of this model. The measurement of docs/benchmarks.md has 29,000; attention over
// so much takes minutes on two cores.
const first_prompt_bytes = Number(process.env.HEARTH_CONVERSATION_BYTES ?? 10_500);
const tools = [{ name: "read", description: "Reads a part of a file.", input_schema: { type: "object",
  properties: { path: { type: "string", enum: ["a.txt", "b.txt"] }, line: { type: "integer", minimum: 0, maximum: 99 } },
  required: ["path", "line"], additionalProperties: false } }];
let server;

before(async () => {
  server = await Server.start("qwen3moe-tiny-q8_0.gguf", ["--context", "40960", "--no-store", "--ubatch", "1024", "--threads", "2"]);
});
after(async () => { await server.close(); });

const words = (bytes, seed) => {
  let out = "";
  for (let i = seed; out.length < bytes; ++i) out += `Line ${i}: ${(i * 7919) % 10007}\n`;
  return out.slice(0, bytes);
};

async function ask(body) {
  const response = await server.post("/v1/messages", { model: "kimi", ...body });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  const usage = answer.usage;
  answer.prompt_tokens = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
  return answer;
}

test(`${turns} turns: at least 99 % of every prompt was cached`, { timeout: 3_000_000 }, async () => {
  const messages = [{ role: "user", content: words(first_prompt_bytes, 0) }];
  let prompts = 0, cached = 0, last_prompt = 0;
  for (let turn = 0; turn < turns; ++turn) {
    const answer = await ask({ max_tokens: 400, tools, tool_choice: { type: "any", disable_parallel_tool_use: true }, messages });
    if (turn > 0) {
      prompts += answer.prompt_tokens;
      cached += answer.usage.cache_read_input_tokens;
      const share = answer.usage.cache_read_input_tokens / answer.prompt_tokens;
      assert.ok(share >= 0.99, `turn ${turn + 1}: ${answer.usage.cache_read_input_tokens} of ${answer.prompt_tokens}`);
      // Nothing of what was said before is computed again.
      assert.ok(answer.usage.cache_read_input_tokens >= last_prompt, `turn ${turn + 1}`);
    }
    last_prompt = answer.prompt_tokens;
    // As clients do: a title now and then, with a large limit.
    if (turn % 3 === 0) await ask({ max_tokens: 32_000, messages: [{ role: "user", content: `A title for talk ${turn}` }] });
    const call = answer.content.find((block) => block.type === "tool_use");
    assert.ok(call, JSON.stringify(answer.content));
    messages.push({ role: "assistant", content: answer.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: words(20, 5000 * (turn + 1)) }] });
  }
  console.log(`${turns} turns, last prompt ${last_prompt} tokens: ${(100 * cached / prompts).toFixed(2)} % cached`);
});
