// @anthropic-ai/sdk against the real server: a retrieval model repeats what the user says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sdk, Server } from "./server.mjs";

const { Anthropic, APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } = sdk("@anthropic-ai/sdk");

const key = "a-key-for-this-test";
const weather = { name: "get_weather", description: "The weather of a city.",
  input_schema: { type: "object", additionalProperties: false, required: ["city", "units"],
    properties: { city: { type: "string", enum: ["Oslo", "Lima"] }, units: { type: "string", enum: ["metric", "imperial"] } } } };
let server, client, model;

before(async () => {
  server = await Server.start("kimi-tiny-q8_0.gguf", ["--context", "16384", "--chunk-tokens", "256", "--log", "info"],
    { HEARTH_API_KEY: key });
  client = new Anthropic({ baseURL: server.url, apiKey: key, maxRetries: 0 });
  model = (await client.models.list()).data[0].id;
});
after(async () => { await server.close(); });

const said = (text) => [{ role: "user", content: text }];
const total_input = (usage) => usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

test("models are listed and retrieved", async () => {
  const one = await client.models.retrieve(model);
  assert.equal(one.id, model);
  await assert.rejects(client.models.retrieve("no-such-model"), NotFoundError);
});

test("a whole answer has its text, its stop reason and true counts", async () => {
  const answer = await client.messages.create({ model, max_tokens: 100, messages: said("The code of Anna is 4711.") });
  assert.equal(answer.content[0].text, "The code of Anna is 4711.");
  assert.equal(answer.stop_reason, "end_turn");
  assert.equal(answer.role, "assistant");
  assert.ok(answer.usage.output_tokens > 0);
});

test("a stream gives the same text in pieces, and the same counts", async () => {
  const messages = said("The code of Bert is 1234, he says.");
  const stream = client.messages.stream({ model, max_tokens: 100, messages });
  let pieces = 0, text = "";
  stream.on("text", (piece) => { text += piece; ++pieces; });
  const answer = await stream.finalMessage();
  assert.equal(text, "The code of Bert is 1234, he says.");
  assert.equal(answer.content[0].text, text);
  assert.ok(pieces > 5, `${pieces} pieces`);
  const counted = await client.messages.countTokens({ model, messages });
  assert.equal(counted.input_tokens, total_input(answer.usage));
});

test("counted tokens are those that a request reports, tools and system included", async () => {
  const body = { model, system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
    tools: [weather], messages: said("Größe? 日本語") };
  const counted = await client.messages.countTokens(body);
  const answer = await client.messages.create({ ...body, max_tokens: 1 });
  assert.equal(counted.input_tokens, total_input(answer.usage));
  assert.equal(answer.stop_reason, "max_tokens");
  assert.equal(answer.usage.output_tokens, 1);
});

test("a forced tool is called with valid arguments, and its result is taken", async () => {
  const messages = said("How is it in Oslo?");
  const first = await client.messages.create({ model, max_tokens: 500, tools: [weather],
    tool_choice: { type: "tool", name: "get_weather" }, messages });
  assert.equal(first.stop_reason, "tool_use");
  const calls = first.content.filter((block) => block.type === "tool_use");
  assert.ok(calls.length > 0);
  for (const call of calls) {
    assert.equal(call.name, "get_weather");
    assert.ok(["Oslo", "Lima"].includes(call.input.city));
    assert.ok(["metric", "imperial"].includes(call.input.units));
  }
  const second = await client.messages.create({ model, max_tokens: 50, tools: [weather],
    messages: [...messages, { role: "assistant", content: first.content },
      { role: "user", content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "12 degrees" })) }] });
  assert.equal(second.type, "message");
  // The first answer is in the prompt as it was sampled.
  assert.ok(second.usage.cache_read_input_tokens >= total_input(first.usage), JSON.stringify(second.usage));
});

test("a streamed call assembles", async () => {
  const stream = client.messages.stream({ model, max_tokens: 500, tools: [weather], tool_choice: { type: "any" },
    messages: said("Weather, please.") });
  const inputs = [];
  stream.on("contentBlock", (block) => { if (block.type === "tool_use") inputs.push(block.input); });
  const answer = await stream.finalMessage();
  assert.equal(answer.stop_reason, "tool_use");
  assert.ok(inputs.length > 0 && inputs.every((input) => ["Oslo", "Lima"].includes(input.city)));
});

test("an answer in a given schema is JSON of that schema", async () => {
  const schema = { type: "object", additionalProperties: false, required: ["name", "age"],
    properties: { name: { type: "string", maxLength: 12 }, age: { type: "integer", minimum: 0, maximum: 120 } } };
  const answer = await client.messages.create({ model, max_tokens: 400, messages: said("Who?"),
    output_config: { format: { type: "json_schema", schema } } });
  const value = JSON.parse(answer.content.filter((block) => block.type === "text").map((block) => block.text).join(""));
  assert.deepEqual(Object.keys(value).sort(), ["age", "name"]);
  assert.ok(Number.isInteger(value.age) && value.age >= 0 && value.age <= 120);
});

test("thinking that is asked for comes as a block with a signature", async () => {
  // Random weights think to the limit; the retrieval model closes the block at once.
  const thinker = await Server.start("kimi-tiny-random.gguf", ["--context", "4096", "--no-store"]);
  try {
    const other = new Anthropic({ baseURL: thinker.url, apiKey: key, maxRetries: 0 });
    const answer = await other.messages.stream({ model, max_tokens: 1100, messages: said("Think."),
      thinking: { type: "enabled", budget_tokens: 1024 } }).finalMessage();
    assert.equal(answer.content[0].type, "thinking");
    assert.ok(answer.content[0].thinking.length > 0);
    assert.ok(answer.content[0].signature.length > 0);
    assert.ok(answer.usage.output_tokens_details.thinking_tokens > 0);
  } finally {
    await thinker.close();
  }
});

test("a prompt is warmed without an answer, and the next request finds it", async () => {
  const messages = said("warm ".repeat(100));
  const warmed = await client.messages.create({ model, max_tokens: 0, messages });
  assert.equal(warmed.usage.output_tokens, 0);
  assert.deepEqual(warmed.content, []);
  const answer = await client.messages.create({ model, max_tokens: 2, messages });
  assert.ok(answer.usage.cache_read_input_tokens >= total_input(answer.usage) - 2, JSON.stringify(answer.usage));
});

test("an aborted stream ends, and the server goes on", async () => {
  const stream = client.messages.stream({ model, max_tokens: 2000, messages: said("word ".repeat(300)) });
  await assert.rejects(async () => {
    for await (const event of stream) if (event.type === "content_block_delta") stream.abort();
  }, APIUserAbortError);
  const answer = await client.messages.create({ model, max_tokens: 20, messages: said("Still there") });
  assert.equal(answer.content[0].text, "Still there");
});

test("errors are of the classes that the SDK knows", async () => {
  const stranger = new Anthropic({ baseURL: server.url, apiKey: "not-the-key", maxRetries: 0 });
  await assert.rejects(stranger.messages.create({ model, max_tokens: 1, messages: said("x") }), AuthenticationError);
  await assert.rejects(client.messages.create({ model, max_tokens: 1, messages: [{ role: "nobody", content: "x" }] }),
    (error) => error instanceof BadRequestError && /messages\[0\]\.role/.test(error.message));
  await assert.rejects(client.messages.create({ model, max_tokens: 1, messages: said("x ".repeat(20_000)) }),
    (error) => error instanceof BadRequestError && /prompt is too long: \d+ tokens > \d+ maximum/.test(error.message));
  await assert.rejects(client.messages.create({ model, max_tokens: 1, tools: [{ ...weather, input_schema:
    { type: "object", properties: { a: { not: { type: "string" } } } } }], messages: said("x") }),
    (error) => error instanceof BadRequestError && /tools\[0\]/.test(error.message));
});

test("no text of prompts or answers is in the log", () => {
  assert.match(server.log, /api=anthropic/);
  for (const text of ["Anna", "4711", "Oslo", "warm warm", key]) assert.ok(!server.log.includes(text), text);
});
