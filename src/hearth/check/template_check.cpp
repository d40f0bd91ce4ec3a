#include "hearth/check/template_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/chat/format.h"
#include "hearth/net/http_error.h"

namespace hearth::check {
namespace {

constexpr std::size_t shown_bytes = 60;

// Every role, text that looks like markup, and white space at the seams.
chat::Conversation conversation() {
  return {.tools = {},
          .messages = {{.role = chat::Role::system, .text = "You are brief."},
                       {.role = chat::Role::user, .text = "Say <b>one</b> thing.\n"},
                       {.role = chat::Role::assistant, .text = "One."},
                       {.role = chat::Role::user, .text = "And another?"}}};
}

Json messages_json(const chat::Conversation& talk) {
  Json out = Json::array();
  for (const chat::Message& message : talk.messages) {
    out.push(Json::object({{"role", chat::role_name(message.role)}, {"content", message.text}}));
  }
  return out;
}

Result<Json> call(net::HttpClient& http, const net::Url& server, const std::string& key, const std::string& path,
                  const std::string& body, Deadline deadline, const StopToken& stop) {
  std::string base(server.path());
  while (base.ends_with('/')) base.pop_back();
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  net::ClientRequest request{.method = body.empty() ? "GET" : "POST", .address = server.address, .target = base + path};
  if (!key.empty()) request.headers.add("Authorization", "Bearer " + key);
  if (!body.empty()) {
    request.headers.add("Content-Type", "application/json");
    request.body = {as_byte_span(body)};
  }
  const auto reply = TRY(http.send(request, deadline, stop));
  if (reply.status >= 400) return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), server.shown()));
  return parse_json(reply.body_text());
}

Result<TemplateFacts> compare(net::HttpClient& http, const net::Url& server, const std::string& key, Deadline deadline,
                              const StopToken& stop) {
  TemplateFacts out{.url = server.shown()};
  const Json props = TRY(call(http, server, key, "/props", "", deadline, stop));
  const std::string text = TRY(get<std::string>(props, "chat_template", "/props"));
  const std::string bos = get_or<std::string>(props, "bos_token", "").value_or("");
  const chat::Conversation talk = conversation();
  const Json body = Json::object({{"messages", messages_json(talk)}, {"add_generation_prompt", true}});
  const Json reply = TRY(call(http, server, key, "/apply-template", dump_json(body), deadline, stop));
  out.reference = TRY(get<std::string>(reply, "prompt", "/apply-template"));
  const auto format = chat::choose_format({.template_text = text, .architecture = {}, .model_name = {}, .has_token = {}});
  out.format = format->name();
  out.ours = TRY(format->render(talk, {})).flat();
  // The server leaves the first token to its tokenizer.
  if (!bos.empty() && out.ours.starts_with(bos) && !out.reference.starts_with(bos)) out.ours = out.ours.substr(bos.size());
  return out;
}

}  // namespace

TemplateFacts gather_template(net::HttpClient& http, const net::Url& server, const std::string& key, Deadline deadline,
                              const StopToken& stop) {
  auto facts = compare(http, server, key, deadline, stop);
  if (facts) return *std::move(facts);
  return {.url = server.shown(), .fault = facts.error().message};
}

Findings template_render_findings(const TemplateFacts& facts) {
  if (!facts.fault.empty()) {
    return {{"template.no_reference", Severity::warning, facts.url + ": " + facts.fault, "is it a llama-server of version 0.7 or later?"}};
  }
  if (facts.ours == facts.reference) return {};
  const auto [ours, reference] = std::ranges::mismatch(facts.ours, facts.reference);
  const auto at = static_cast<std::size_t>(ours - facts.ours.begin());
  return {{"template.renders_differently", Severity::blocks,
           fmt::format("{}: from byte {} on Hearth ({}) writes '{}', the model's own template '{}'", facts.url, at, facts.format,
                       facts.ours.substr(at, shown_bytes), facts.reference.substr(at, shown_bytes)),
           "the model would see conversations that it was not trained on: say the format with --chat-format, or use a "
           "file with its maker's template"}};
}

}  // namespace hearth::check
