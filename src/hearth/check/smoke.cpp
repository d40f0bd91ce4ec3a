#include "hearth/check/smoke.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::check {
namespace {

constexpr std::uint32_t answer_tokens = 24;
constexpr std::uint32_t call_tokens = 256;
constexpr std::string_view tool_name = "get_weather";
constexpr std::string_view cities[] = {"Oslo", "Lima"};

// Greedy: the same question has the same answer.
chat::ChatRequest question() {
  chat::ChatRequest out;
  out.tokens_max = answer_tokens;
  out.sampling.temperature = 0;
  out.stream = true;
  return out;
}

chat::ChatRequest plain_question(const SmokeOptions& options) {
  chat::ChatRequest out = question();
  if (options.known) {
    out.raw_prompt = options.known->prompt;
    out.tokens_max = static_cast<std::uint32_t>(options.known->answer.size());  // a token is at least a byte
  } else {
    out.conversation.messages = {{.role = chat::Role::user, .text = "Write the numbers from one to ten as words."}};
  }
  return out;
}

chat::ChatRequest call_question() {
  chat::ChatRequest out = question();
  out.tokens_max = call_tokens;
  Json names = Json::array();
  for (const std::string_view city : cities) names.push(city);
  out.conversation.tools = {{.name = std::string(tool_name),
                             .description = "The weather of a city.",
                             .parameters = Json::object({{"type", "object"},
                                                         {"properties", Json::object({{"city", Json::object({{"type", "string"}, {"enum", names}})}})},
                                                         {"required", Json::array({"city"})},
                                                         {"additionalProperties", false}})}};
  out.conversation.messages = {{.role = chat::Role::user, .text = "What is the weather in Oslo? Use the tool."}};
  out.tool_choice.kind = chat::ToolChoice::Kind::required;
  out.thinking = false;
  return out;
}

SmokeAnswer ask(upstream::Endpoint& endpoint, const chat::ChatRequest& request, Duration time_max, const StopToken& stop) {
  SmokeAnswer out{.was_asked = true};
  const Deadline deadline = Deadline::after(time_max);
  auto stream = endpoint.ask(request, deadline, stop);
  if (!stream) {
    out.fault = stream.error().message;
    return out;
  }
  const auto reply = upstream::read_whole(**stream, deadline);
  if (!reply) {
    out.fault = reply.error().message;
    return out;
  }
  out.text = reply->text();
  out.end = reply->last.end;
  out.usage_known = reply->last.usage_known;
  out.odd = reply->last.findings;
  for (const upstream::Arrival& arrival : reply->arrivals) {
    const auto* piece = std::get_if<upstream::Piece>(&arrival.what);
    if (piece != nullptr && piece->event.kind == chat::AnswerEvent::Kind::call) out.calls.push_back(piece->event);
  }
  return out;
}

// From the middle of what will be answered again, and nowhere before it.
std::string stop_string_of(const std::string& text) {
  for (std::size_t at = text.size() / 2; at + 1 < text.size(); ++at) {
    const std::string candidate = text.substr(at, 2);
    const bool ascii = std::ranges::all_of(candidate, [](char c) { return c > ' ' && c < 0x7F; });
    if (ascii && text.find(candidate) == at) return candidate;
  }
  return {};
}

// Those of exo and mlx refuse it. llama-server honours it for templates that it knows, and not for others.
bool can_require_calls(upstream::Kind kind) { return kind != upstream::Kind::exo && kind != upstream::Kind::mlx; }

bool is_right_call(const chat::AnswerEvent& call) {
  const auto arguments = parse_json(call.text);
  if (call.name != tool_name || !arguments) return false;
  const auto city = get<std::string>(*arguments, "city");
  return city && std::ranges::find(cities, *city) != std::end(cities);
}

void plain_findings(const SmokeFacts& facts, Findings& out) {
  const SmokeAnswer& answer = facts.plain;
  if (!answer.fault.empty()) {
    out.push_back({"smoke.no_answer", Severity::blocks, fmt::format("{}: {}", facts.name, answer.fault), "look at its log; ask it with curl"});
    return;
  }
  if (facts.expected && answer.text != *facts.expected) {
    out.push_back({"smoke.wrong_answer", Severity::blocks,
                   fmt::format("{}: a model made to answer '{}' answers '{}'", facts.name, *facts.expected, answer.text),
                   "this engine computes wrongly here: another build or backend, and tell its makers"});
  } else if (answer.text.empty() && answer.end.usage.thinking_tokens == 0) {
    out.push_back({"smoke.empty", Severity::blocks, facts.name + " answers with nothing", "look at its chat template and its log"});
  }
  const chat::Usage& usage = answer.end.usage;
  const bool lies = answer.usage_known && (usage.cached_tokens > usage.prompt_tokens || usage.answer_tokens == 0);
  if (!answer.usage_known || lies) {
    out.push_back({"smoke.usage", Severity::warning,
                   lies ? fmt::format("{} says {} prompt tokens, {} of them cached, and {} answered", facts.name, usage.prompt_tokens,
                                      usage.cached_tokens, usage.answer_tokens)
                        : facts.name + " does not tell how many tokens it computed",
                   "its rates cannot be trusted; update it"});
  }
  for (const std::string& odd : answer.odd) out.push_back({"smoke.odd", Severity::note, facts.name + ": " + odd, "see docs/upstreams.md"});
}

void stop_findings(const SmokeFacts& facts, Findings& out) {
  if (!facts.stopped.was_asked) return;
  const std::string before = facts.plain.text.substr(0, facts.plain.text.find(facts.stop_string));
  if (facts.stopped.fault.empty() && facts.stopped.text == before && facts.stopped.end.reason == chat::AnswerEnd::Reason::stop_string) return;
  if (facts.stopped.fault.empty() && facts.stopped.text == before) return;  // services that call it the end of the turn
  out.push_back({"smoke.stop", Severity::blocks,
                 facts.stopped.fault.empty()
                     ? fmt::format("{} does not stop at '{}': it answers '{}'", facts.name, facts.stop_string, facts.stopped.text)
                     : fmt::format("{}: {}", facts.name, facts.stopped.fault),
                 "agents depend on stop strings: update the engine, or use another one"});
}

void call_findings(const SmokeFacts& facts, Findings& out) {
  const SmokeAnswer& answer = facts.called;
  if (!answer.was_asked) return;
  if (answer.fault.empty() && std::ranges::any_of(answer.calls, is_right_call)) return;
  std::string what = answer.fault.empty() ? "it calls nothing" : answer.fault;
  if (!answer.calls.empty()) what = fmt::format("it calls {}({})", answer.calls.front().name, answer.calls.front().text);
  const bool may_only_not_want_to = answer.fault.empty() && answer.calls.empty() && !facts.must_call;
  out.push_back({"smoke.tool_call", may_only_not_want_to ? Severity::warning : Severity::blocks,
                 fmt::format("{}: asked to call {}, {}", facts.name, tool_name, what),
                 "agents cannot work with it: look at its chat template and tool parser"});
}

}  // namespace

SmokeFacts smoke(upstream::Endpoint& endpoint, const SmokeOptions& options, const StopToken& stop) {
  const upstream::EndpointSpec& spec = endpoint.spec();
  SmokeFacts out{.name = spec.name, .kind = std::string(upstream::kind_name(spec.kind)), .url = spec.url};
  out.must_call = spec.kind == upstream::Kind::hearth;
  out.state = endpoint.look(Deadline::after(options.time_max), stop);
  if (!out.state.alive) return out;
  const chat::ChatRequest plain = plain_question(options);
  if (options.known) out.expected = options.known->answer;
  out.plain = ask(endpoint, plain, options.time_max, stop);
  if (!out.plain.fault.empty()) return out;
  out.stop_string = stop_string_of(out.plain.text);
  if (!out.stop_string.empty()) {
    chat::ChatRequest stopped = plain;
    stopped.stop_strings = {out.stop_string};
    out.stopped = ask(endpoint, stopped, options.time_max, stop);
  }
  if (options.tools) {
    chat::ChatRequest call = call_question();
    if (!can_require_calls(spec.kind)) call.tool_choice.kind = chat::ToolChoice::Kind::automatic;
    out.called = ask(endpoint, call, options.time_max, stop);
  }
  return out;
}

Findings smoke_findings(const SmokeFacts& facts) {
  Findings out;
  if (!facts.state.alive) {
    out.push_back({"endpoint.down", Severity::blocks, fmt::format("nothing of kind {} answers at {}", facts.kind, facts.url),
                   "start it, or correct its address"});
    return out;
  }
  for (const std::string& finding : facts.state.findings) {
    out.push_back({"endpoint.state", facts.state.ready ? Severity::note : Severity::warning, facts.name + ": " + finding, "see docs/upstreams.md"});
  }
  plain_findings(facts, out);
  stop_findings(facts, out);
  call_findings(facts, out);
  return out;
}

Versions endpoint_versions(const SmokeFacts& facts) {
  Versions out;
  const std::string prefix = "endpoint." + facts.url + ".";
  if (!facts.state.build.empty()) out[prefix + "build"] = facts.state.build;
  if (!facts.state.model.empty()) out[prefix + "model"] = facts.state.model;
  return out;
}

}  // namespace hearth::check
