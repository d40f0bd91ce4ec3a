// Every quirk of a service is a case in tests/golden/upstream/KIND.json: what a server of its kind says,
// and what must become of it. The server is a real one on loopback.

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "hearth/base/file.h"
#include "hearth/upstream/endpoint.h"
#include "tests/support/scripted_service.h"

namespace hearth::upstream {
namespace {

const std::filesystem::path folder = std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/golden/upstream";

struct Case {
  std::string file;
  Json json;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.insert(entry.path());
  for (const auto& file : files) {
    const auto text = read_text_file(file, 1 << 20);
    const auto json = text ? parse_json(*text) : Result<Json>(Json());
    EXPECT_TRUE(json && json->is_array()) << file << (json ? "" : json.error().message);
    if (!json || !json->is_array()) continue;
    for (const Json& one : json->as_array()) out.push_back({file.stem().string(), one});
  }
  return out;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string out = info.param.file + "_";
  for (const char c : info.param.json.find("name")->as_string()) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out;
}

chat::ChatRequest request_of(const Json& told) {
  chat::ChatRequest out;
  out.model = *get_or<std::string>(told, "model", "asked-model");
  using chat::Role;
  if (const Json* raw = told.find("prompt")) out.raw_prompt = raw->as_string();
  for (const Json& one : told.find("messages") ? told.find("messages")->as_array() : Json::Array{}) {
    chat::Message message{.text = *get_or<std::string>(one, "text", "")};
    const auto role = *get<std::string>(one, "role");
    message.role = role == "system" ? Role::system : role == "assistant" ? Role::assistant : role == "tool" ? Role::tool : Role::user;
    message.thinking = *get_or<std::string>(one, "thinking", "");
    message.call_id = *get_or<std::string>(one, "call_id", "");
    if (const Json* call = one.find("call")) {
      message.calls.push_back({.id = *get<std::string>(*call, "id"), .name = *get<std::string>(*call, "name"),
                               .arguments = *call->find("arguments"), .raw_arguments = *get_or<std::string>(*call, "raw", "")});
    }
    out.conversation.messages.push_back(std::move(message));
  }
  if (out.conversation.messages.empty()) out.conversation.messages.push_back({.role = Role::user, .text = "hello"});
  if (*get_or<bool>(told, "tools", false)) {
    out.conversation.tools.push_back({.name = "look", .description = "looks", .parameters = Json::object({{"type", "object"}})});
  }
  using Choice = chat::ToolChoice::Kind;
  const auto choice = *get_or<std::string>(told, "tool_choice", "auto");
  out.tool_choice.kind = choice == "none" ? Choice::none : choice == "required" ? Choice::required : Choice::automatic;
  out.tool_choice.parallel = *get_or<bool>(told, "parallel", true);
  using Format = chat::ResponseFormat::Kind;
  const auto format = *get_or<std::string>(told, "format", "text");
  out.response_format.kind = format == "json_object" ? Format::json_object : format == "json_schema" ? Format::json_schema : Format::text;
  if (format == "json_schema") out.response_format.schema = Json::object({{"type", "object"}});
  out.thinking = *find<bool>(told, "thinking");
  out.ignore_eos = *get_or<bool>(told, "ignore_eos", false);
  out.tokens_max = *find<std::uint32_t>(told, "tokens_max");
  out.logprobs = static_cast<int>(*get_or<std::int64_t>(told, "logprobs", -1));
  out.sampling.temperature = *find<double>(told, "temperature");
  if (const auto top_k = *find<std::int64_t>(told, "top_k")) out.sampling.top_k = static_cast<int>(*top_k);
  if (const Json* stop = told.find("stop")) out.stop_strings = {stop->as_string()};
  return out;
}

std::string_view word(chat::ApiError::Kind kind) {
  using Kind = chat::ApiError::Kind;
  switch (kind) {
    case Kind::invalid_request: return "invalid_request";
    case Kind::authentication: return "authentication";
    case Kind::permission: return "permission";
    case Kind::not_found: return "not_found";
    case Kind::too_large: return "too_large";
    case Kind::prompt_too_long: return "prompt_too_long";
    case Kind::rate_limit: return "rate_limit";
    case Kind::overloaded: return "overloaded";
    case Kind::timed_out: return "timed_out";
    case Kind::bad_upstream: return "bad_upstream";
    case Kind::internal: return "internal";
  }
  return "";
}

std::string_view word(chat::AnswerEnd::Reason reason) {
  using Reason = chat::AnswerEnd::Reason;
  switch (reason) {
    case Reason::end_turn: return "end_turn";
    case Reason::tokens_max: return "tokens_max";
    case Reason::stop_string: return "stop_string";
    case Reason::calls: return "calls";
  }
  return "";
}

// What came of asking, in the words of a case: exactly the members that are not empty.
Json outcome_of(Endpoint& endpoint, const chat::ChatRequest& request) {
  Json out = Json::object();
  std::string text, thinking;
  Json calls = Json::array(), progress = Json::array();
  std::size_t tokens = 0, choices = 0;
  const auto fail_with = [&](const chat::ApiError& error) {
    out.set("error", word(error.kind));
    if (error.retry_after) out.set("retry_after_s", static_cast<std::int64_t>(seconds(*error.retry_after)));
    if (error.prompt_tokens != 0) out.set("tokens", Json::array({error.prompt_tokens, error.prompt_tokens_max}));
    if (!error.field.empty()) out.set("field", error.field);
    if (!error.message.empty()) out.set("message", error.message);
  };
  const Deadline soon = Deadline::after(std::chrono::seconds(20));
  auto stream = endpoint.ask(request, soon, {});
  if (!stream) fail_with(stream.error());
  while (stream) {
    auto arrival = (*stream)->next(soon);
    if (!arrival) {
      fail_with(arrival.error());
      break;
    }
    if (!*arrival) {
      out.set("error", "nothing came");
      break;
    }
    EXPECT_GE((*arrival)->at, (*stream)->times().sent);
    if (const auto* at = std::get_if<PromptProgress>(&(*arrival)->what)) progress.push(at->tokens_done);
    if (const auto* piece = std::get_if<Piece>(&(*arrival)->what)) {
      const chat::AnswerEvent& event = piece->event;
      tokens += piece->tokens.size();
      choices += event.choices.size();
      if (event.kind == chat::AnswerEvent::Kind::text) text += event.text;
      if (event.kind == chat::AnswerEvent::Kind::thinking) thinking += event.text;
      if (event.kind == chat::AnswerEvent::Kind::call) calls.push(Json::array({event.id, event.name, event.text}));
    }
    const auto* last = std::get_if<Answered>(&(*arrival)->what);
    if (last == nullptr) continue;
    out.set("reason", word(last->end.reason));
    if (!last->end.stop_string.empty()) out.set("stop_string", last->end.stop_string);
    const chat::Usage& usage = last->end.usage;
    if (last->usage_known) {
      out.set("usage", Json::array({usage.prompt_tokens, usage.cached_tokens, usage.answer_tokens, usage.thinking_tokens}));
    }
    if (last->cache_write_tokens != 0) out.set("cache_write", last->cache_write_tokens);
    if (last->server.answer_tok_s) out.set("answer_tok_s", *last->server.answer_tok_s);
    if (const auto& facts = last->server.hand_off) {
      out.set("hand_off", Json::array({facts->prefilled_by, facts->handed_tokens, facts->bytes, facts->hidden_fraction}));
    }
    Json findings = Json::array();
    for (const std::string& finding : last->findings) findings.push(finding);
    if (!last->findings.empty()) out.set("findings", std::move(findings));
    break;
  }
  if (!text.empty()) out.set("text", text);
  if (!thinking.empty()) out.set("thinking", thinking);
  if (!calls.as_array().empty()) out.set("calls", std::move(calls));
  if (!progress.as_array().empty()) out.set("progress", std::move(progress));
  if (tokens != 0) out.set("token_ids", tokens);
  if (choices != 0) out.set("choices", choices);
  return out;
}

class ServiceCases : public testing::TestWithParam<Case> {};

TEST_P(ServiceCases, BecomesWhatItMust) {
  const Json& told = GetParam().json;
  test::ScriptedService service(*told.find("replies"));
  EndpointSpec spec{.name = "there", .kind = *kind_of_name(*get<std::string>(told, "kind")), .url = service.url(),
                    .model = *get_or<std::string>(told, "model", "asked-model"), .reach = seal::Reach::house};
  if (spec.kind == Kind::vllm_pair) spec.prefill_url = service.url() + "/prefill";
  spec.context_tokens = *get_or<std::uint32_t>(told, "context_tokens", 0);
  const auto http = net::make_curl_client();
  auto endpoint = make_endpoint(spec, *get_or<std::string>(told, "key", ""), *http);
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  const Json* request = told.find("request");
  const Json got = outcome_of(**endpoint, request_of(request == nullptr ? Json::object() : *request));

  for (const auto& [key, value] : told.find("expect")->as_object()) {
    const Json* there = got.find(key);
    ASSERT_NE(there, nullptr) << key << " of " << dump_json(got);
    EXPECT_EQ(dump_json(*there), dump_json(value)) << key << " of " << dump_json(got);
  }
  for (const std::string_view key : {"error", "calls", "text", "thinking", "findings", "usage"}) {
    EXPECT_EQ(got.find(key) != nullptr, told.find("expect")->find(key) != nullptr) << key << " of " << dump_json(got);
  }
  const auto seen = service.seen();
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(*get_or<std::int64_t>(told, "requests", 1)));
  if (const Json* sent = told.find("sent")) {
    for (std::size_t i = 0; i < sent->as_array().size() && i < seen.size(); ++i) {
      test::expect_members(seen[i], sent->as_array()[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Upstream, ServiceCases, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace hearth::upstream
