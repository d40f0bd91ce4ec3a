// The AI SDK over both of its providers against the real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sdk, Server } from "./server.mjs";

const { generateText, generateObject, jsonSchema, streamText, tool } = sdk("ai");
const { createOpenAICompatible } = sdk("@ai-sdk/openai-compatible");
const { createAnthropic } = sdk("@ai-sdk/anthropic");

const key = "a-key-for-this-test";
let server;
const providers = {};

before(async () => {
  server = await Server.start("kimi-tiny-q8_0.gguf", ["--context", "16384", "--no-store"], { HEARTH_API_KEY: key });
  const compatible = createOpenAICompatible({ name: "hearth", baseURL: server.url + "/v1", apiKey: key, includeUsage: true,
    supportsStructuredOutputs: true });
  providers["openai-compatible"] = compatible("kimi");
  providers.anthropic = createAnthropic({ baseURL: server.url + "/v1", apiKey: key })("kimi");
});
after(async () => { await server.close(); });

const schema = jsonSchema({ type: "object", additionalProperties: false, required: ["city"],
  properties: { city: { type: "string", enum: ["Oslo", "Lima"] } } });
const tools = { weather: tool({ description: "The weather.", inputSchema: schema, execute: async ({ city }) => `12 degrees in ${city}` }) };

for (const name of ["openai-compatible", "anthropic"]) {
  const model = () => providers[name];
  // Thinking is off unless asked for with Anthropic; the other interface leaves it to the model.
  const common = { temperature: 0, maxRetries: 0, maxOutputTokens: 400 };

  test(`${name}: text and counts`, async () => {
    const answer = await generateText({ model: model(), prompt: "The code of Anna is 4711.", ...common });
    assert.equal(answer.text, "The code of Anna is 4711.");
    assert.equal(answer.finishReason, "stop");
    assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
  });

  test(`${name}: a stream`, async () => {
    const result = streamText({ model: model(), prompt: "Piece by piece, größer.", ...common });
    let text = "", pieces = 0;
    for await (const piece of result.textStream) { text += piece; ++pieces; }
    assert.equal(text, "Piece by piece, größer.");
    assert.ok(pieces > 3);
    assert.ok((await result.usage).outputTokens > 0);
  });

  test(`${name}: a tool is called with valid arguments and its result goes back`, async () => {
    const answer = await generateText({ model: model(), prompt: "How is it?", tools, toolChoice: "required", ...common });
    const calls = answer.toolCalls;
    assert.ok(calls.length > 0, JSON.stringify(answer.response.body));
    assert.ok(calls.every((call) => ["Oslo", "Lima"].includes(call.input.city)));
    assert.equal(answer.toolResults.length, calls.length);
    const next = await generateText({ model: model(), tools, ...common, maxOutputTokens: 20,
      messages: [{ role: "user", content: "How is it?" }, ...answer.response.messages] });
    assert.ok(next.usage.inputTokens > answer.usage.inputTokens);
  });

  test(`${name}: an object of a schema`, async () => {
    const { object } = await generateObject({ model: model(), schema, prompt: "Where?", ...common });
    assert.ok(["Oslo", "Lima"].includes(object.city));
  });

  test(`${name}: an abort`, async () => {
    const abort = new AbortController();
    const result = streamText({ model: model(), prompt: "word ".repeat(300), abortSignal: abort.signal, ...common, onError() {} });
    let ended = "";
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") abort.abort();
      ended = part.type;
    }
    assert.equal(ended, "abort");
  });
}
