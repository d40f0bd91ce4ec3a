#include "hearth/gateway/routing.h"

#include <algorithm>

#include "hearth/base/digest.h"
#include "hearth/base/guarded.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/gateway/replies.h"
#include "hearth/seal/conversations.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t signal_bytes_max = 1024;
constexpr std::string_view label_header = "x-hearth-label";

std::string header_of(const net::Request& http, std::string_view name) {
  const auto value = http.headers.get(name);
  return std::string(value.substr(0, signal_bytes_max));
}

class HeaderLabeller final : public Labeller {
 public:
  ApiResult<seal::LabelDecision> label(const LabelAsk& ask) override {
    seal::LabelDecision wanted;
    if (const std::string* text = ask.http.headers.find(label_header)) {
      const auto label = seal::parse_label(*text);
      if (!label) return refused("X-Hearth-Label: expected sealed, house or open");
      wanted.add({.source = seal::Source::header, .label = *label, .rule = std::string(label_header)});
    }
    return conversations_.with([&](seal::Conversations& known) -> ApiResult<seal::LabelDecision> {
      const bool asks_less = !wanted.reasons.empty() && wanted.label < known.known(ask.conversation).label;
      if (asks_less) return refused("X-Hearth-Label: the conversation has a stricter label; a label never falls by a header");
      return known.observe(ask.conversation, wanted);
    });
  }

 private:
  static std::unexpected<ApiError> refused(std::string why) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::permission, .message = std::move(why), .field = "X-Hearth-Label"});
  }
  Guarded<seal::Conversations> conversations_;
};

}  // namespace

std::unique_ptr<Labeller> make_header_labeller() { return std::make_unique<HeaderLabeller>(); }

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

ApiResult<Asked> ask_of(const Routing& routing, const Access& access, const net::Request& http,
                        const ChatRequest& request, const std::string& id,
                        const seal::Clearance* labelled) {
  const std::string client = access.client_name(http);
  const std::string session = session_of_request(http, request);
  Asked out;
  out.ask = {.question = {.signals = signals_of(http, request, access.key_name(http)), .in_tool_loop = is_in_tool_loop(request)},
             .conversation = conversation_of(routing.conversation_key, client, session, request),
             .request = id, .at_s = unix_time_s()};
  if (labelled != nullptr) {
    out.ask.question.label = labelled->decision.label;
    out.clearance = *labelled;
    return out;
  }
  seal::LabelDecision decision =
      TRY(routing.labeller.label({http, request, out.ask.question.signals, out.ask.conversation, client}));
  out.ask.question.label = decision.label;
  out.clearance = {.decision = std::move(decision), .conversation = out.ask.conversation, .client = client};
  return out;
}

}  // namespace hearth::gateway
