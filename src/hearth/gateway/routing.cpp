#include "hearth/gateway/routing.h"

#include <algorithm>

#include "hearth/base/digest.h"
#include "hearth/base/unix_time.h"
#include "hearth/gateway/repeat_key.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t signal_bytes_max = 1024;

std::string header_of(const net::Request& http, std::string_view name) {
  const auto value = http.headers.get(name);
  return std::string(value.substr(0, signal_bytes_max));
}

}  // namespace

route::Signals signals_of(const net::Request& http, const ChatRequest& request, std::string key_name) {
  route::Signals out{.key = std::move(key_name),
                     .header = header_of(http, "x-hearth-class"),
                     .model = request.model.substr(0, signal_bytes_max),
                     .client = route::client_of_user_agent(http.headers.get("user-agent")),
                     .folder = header_of(http, "x-hearth-folder"),
                     .session = header_of(http, "x-hearth-session-label")};
  for (const chat::Message& message : request.conversation.messages) {
    if (message.role != chat::Role::system) continue;
    out.system_text += message.text;
    out.system_text += '\n';
  }
  if (out.folder.empty()) out.folder = route::folder_in_text(out.system_text);
  return out;
}

bool is_in_tool_loop(const ChatRequest& request) {
  const auto& messages = request.conversation.messages;
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (message->role == chat::Role::tool) return true;
    if (message->role == chat::Role::assistant) return false;
  }
  return false;
}

std::string session_of_request(const net::Request& http, const ChatRequest& request) {
  return session_of(http) + request.session_key;
}

std::string conversation_of(std::string_view key, const std::string& client, const std::string& session,
                            const ChatRequest& request) {
  Blake2b hash;
  hash.update_sized(key).update_sized(client).update_sized(session);
  if (session.empty()) {
    const auto& messages = request.conversation.messages;
    const auto first = std::ranges::find(messages, chat::Role::user, &chat::Message::role);
    if (first == messages.end()) return {};
    hash.update_sized(first->text);
  }
  return hash.finish().hex();
}

ApiResult<seal::Clearance> label_of(seal::LabelGiver& labels, const Access& access, const net::Request& http,
                                    const ChatRequest& request, const Json& body) {
  // Two of them, such as a client's and a proxy's, are no label, and so are sealed.
  std::optional<std::string> header;
  for (const auto& [name, value] : http.headers) {
    if (!net::equals_ignoring_case(name, seal::label_header)) continue;
    header = header ? *header + ", " + value : value;
  }
  const std::string client = access.client_name(http);
  std::string session = session_of_request(http, request);
  // As the router knows a conversation whose client names none: by its first words.
  if (session.empty()) session = conversation_of({}, client, {}, request);
  return labels.label({client, std::move(header), request, &body}, session);
}

route::RouteAsk ask_of(std::string_view conversation_key, const Access& access, const net::Request& http,
                       const ChatRequest& request, seal::Label label, const std::string& id) {
  return {.question = {.signals = signals_of(http, request, access.key_name(http)),
                       .in_tool_loop = is_in_tool_loop(request), .label = label},
          .conversation = conversation_of(conversation_key, access.client_name(http), session_of_request(http, request), request),
          .request = id, .at_s = unix_time_s()};
}

}  // namespace hearth::gateway
