// The openai library against the real server: a retrieval model repeats what the user says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sdk, Server } from "./server.mjs";

const OpenAI = sdk("openai");
const { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } = OpenAI;

const key = "a-key-for-this-test";
const parameters = { type: "object", additionalProperties: false, required: ["city", "units"],
  properties: { city: { type: "string", enum: ["Oslo", "Lima"] }, units: { type: "string", enum: ["metric", "imperial"] } } };
const tool = { type: "function", function: { name: "get_weather", description: "The weather of a city.", parameters } };
const quiet = { chat_template_kwargs: { thinking: false } };
let server, client, model;

before(async () => {
  server = await Server.start("kimi-tiny-q8_0.gguf", ["--context", "16384", "--chunk-tokens", "256"], { HEARTH_API_KEY: key });
  client = new OpenAI({ baseURL: server.url + "/v1", apiKey: key, maxRetries: 0 });
  model = (await client.models.list()).data[0].id;
});
after(async () => { await server.close(); });

const said = (text) => [{ role: "user", content: text }];
const greedy = { temperature: 0 };

test("models are listed and retrieved", async () => {
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve("no-such-model"), NotFoundError);
});

test("chat: a whole answer has its text, its finish reason and true counts", async () => {
  const answer = await client.chat.completions.create({ model, messages: said("The code of Anna is 4711."), ...greedy });
  assert.equal(answer.choices[0].message.content, "The code of Anna is 4711.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  const again = await client.chat.completions.create({ model, messages: said("The code of Anna is 4711."), max_tokens: 3, ...greedy });
  assert.equal(again.choices[0].finish_reason, "length");
  assert.equal(again.usage.completion_tokens, 3);
  assert.ok(again.usage.prompt_tokens_details.cached_tokens >= again.usage.prompt_tokens - 1);
});

test("chat: a stream gives the same in pieces, and its usage", async () => {
  const stream = await client.chat.completions.create({ model, messages: said("Größe und Café."), stream: true,
    stream_options: { include_usage: true }, ...greedy, ...quiet });
  let text = "", pieces = 0, usage, reason;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (choice?.delta.content) { text += choice.delta.content; ++pieces; }
    reason = choice?.finish_reason ?? reason;
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, "Größe und Café.");
  assert.ok(pieces > 3);
  assert.equal(reason, "stop");
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
});

test("chat: the stream helper assembles forced calls, and their results are taken", async () => {
  const messages = said("How is it in Oslo?");
  const runner = client.chat.completions.stream({ model, messages, tools: [tool], tool_choice: "required", max_tokens: 500 });
  const first = await runner.finalChatCompletion();
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  const calls = first.choices[0].message.tool_calls;
  assert.ok(calls.length > 0);
  for (const call of calls) {
    const input = JSON.parse(call.function.arguments);
    assert.ok(["Oslo", "Lima"].includes(input.city) && ["metric", "imperial"].includes(input.units));
  }
  const second = await client.chat.completions.create({ model, max_tokens: 20, tools: [tool],
    messages: [...messages, first.choices[0].message,
      ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "12 degrees" }))] });
  assert.ok(second.usage.prompt_tokens_details.cached_tokens > 0);
});

test("chat: a named tool, and none", async () => {
  const other = { type: "function", function: { name: "other", parameters: { type: "object", properties: {} } } };
  const named = await client.chat.completions.create({ model, messages: said("x"), tools: [other, tool], max_tokens: 500,
    tool_choice: { type: "function", function: { name: "get_weather" } }, parallel_tool_calls: false });
  assert.deepEqual(named.choices[0].message.tool_calls.map((call) => call.function.name), ["get_weather"]);
  const none = await client.chat.completions.create({ model, messages: said("No calls"), tools: [tool], tool_choice: "none", max_tokens: 30, ...greedy });
  assert.equal(none.choices[0].message.tool_calls, undefined);
});

test("chat: an answer in a given schema is JSON of that schema", async () => {
  const schema = { type: "object", additionalProperties: false, required: ["name", "age"],
    properties: { name: { type: "string", maxLength: 12 }, age: { type: "integer", minimum: 0, maximum: 120 } } };
  const answer = await client.chat.completions.create({ model, messages: said("Who?"), max_tokens: 400, ...quiet,
    response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } } });
  const value = JSON.parse(answer.choices[0].message.content);
  assert.ok(typeof value.name === "string" && Number.isInteger(value.age));
});

test("chat: logprobs, stop strings and seeds", async () => {
  const answer = await client.chat.completions.create({ model, messages: said("abc ### def"), logprobs: true, top_logprobs: 2,
    stop: ["###"], ...greedy, ...quiet });
  const { message, logprobs, finish_reason } = answer.choices[0];
  assert.equal(message.content, "abc ");
  assert.equal(finish_reason, "stop");
  assert.equal(logprobs.content.map((token) => token.token).join(""), "abc ");
  for (const token of logprobs.content) assert.ok(token.logprob <= 0 && token.top_logprobs.length === 2);
  const sample = () => client.chat.completions.create({ model, messages: said("Seeds"), temperature: 2, seed: 7, max_tokens: 20, ...quiet });
  assert.equal((await sample()).choices[0].message.content, (await sample()).choices[0].message.content);
});

test("plain completions continue text as it stands", async () => {
  const prompt = "one two three four. one two three";
  const answer = await client.completions.create({ model, prompt, max_tokens: 6, ...greedy });
  assert.equal(answer.choices[0].text, " four.");
  assert.ok(answer.usage.prompt_tokens >= prompt.length);  // a byte is a token, and there may be a BOS
  let text = "";
  for await (const chunk of await client.completions.create({ model, prompt, max_tokens: 6, stream: true, ...greedy })) {
    text += chunk.choices[0]?.text ?? "";
  }
  assert.equal(text, " four.");
});

test("responses: text, whole and streamed", async () => {
  const whole = await client.responses.create({ model, instructions: "Repeat.", input: "The code of Bert is 12.", ...greedy, reasoning: { effort: "none" } });
  assert.equal(whole.output_text, "The code of Bert is 12.");
  assert.equal(whole.status, "completed");
  const stream = client.responses.stream({ model, instructions: "Repeat.", input: "The code of Bert is 12.", ...greedy, reasoning: { effort: "none" } });
  let text = "";
  stream.on("response.output_text.delta", (event) => { text += event.delta; });
  const last = await stream.finalResponse();
  assert.equal(text, "The code of Bert is 12.");
  assert.equal(last.output_text, text);
  assert.ok(last.usage.input_tokens_details.cached_tokens >= last.usage.input_tokens - 1);
});

test("responses: functions and custom tools go out, come back, and are taken as history", async () => {
  const tools = [{ type: "function", name: "get_weather", parameters, strict: true }, { type: "custom", name: "patch" }];
  const input = said("Weather?");
  const first = await client.responses.create({ model, input, tools, tool_choice: { type: "function", name: "get_weather" }, max_output_tokens: 500 });
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.ok(calls.length > 0 && calls.every((call) => call.name === "get_weather"));
  const second = await client.responses.create({ model, tools, max_output_tokens: 20,
    input: [...input, ...first.output, ...calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "12" }))] });
  assert.ok(second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens);
  const custom = await client.responses.create({ model, input, tools: [tools[1]], tool_choice: "required", max_output_tokens: 400 });
  assert.ok(custom.output.some((item) => item.type === "custom_tool_call" && typeof item.input === "string") || custom.status === "incomplete");
});

test("responses: an overflow is a failed response in a stream, a refusal otherwise", async () => {
  const input = "x ".repeat(20_000);
  await assert.rejects(client.responses.create({ model, input }), (error) => error instanceof BadRequestError && error.code === "context_length_exceeded");
  let failed;
  for await (const event of await client.responses.create({ model, input, stream: true })) if (event.type === "response.failed") failed = event.response;
  assert.equal(failed.error.code, "context_length_exceeded");
});

test("an aborted stream ends, and the server goes on", async () => {
  const stream = await client.chat.completions.create({ model, messages: said("word ".repeat(300)), stream: true, ...quiet });
  await assert.rejects(async () => {
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) stream.controller.abort();
    throw new APIUserAbortError();  // this version ends the loop silently
  }, APIUserAbortError);
  const answer = await client.chat.completions.create({ model, messages: said("Still there"), ...greedy });
  assert.equal(answer.choices[0].message.content, "Still there");
});

test("errors are of the classes that the library knows", async () => {
  const stranger = new OpenAI({ baseURL: server.url + "/v1", apiKey: "not-the-key", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model, messages: said("x") }), AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model, messages: said("x"), n: 2 }), (error) => error instanceof BadRequestError && error.param === "n");
  await assert.rejects(client.chat.completions.create({ model, messages: said("x ".repeat(20_000)) }), (error) => error.code === "context_length_exceeded");
});
