#include "hearth/gateway/repeat_key.h"

#include <array>

namespace hearth::gateway {
namespace {

constexpr std::array<std::string_view, 4> ignored_at_top = {"stream", "stream_options", "metadata", "timings"};
// Our own sessions; Claude Code and its agents; opencode; Codex.
constexpr std::array<std::string_view, 7> session_headers = {
    "x-hearth-session", "x-claude-code-session-id", "x-claude-code-agent-id", "x-session-affinity",
    "x-session-id",     "session-id",               "thread-id"};

void drop_cache_marks(Json& value) {
  if (value.is_array()) {
    for (Json& item : value.as_array()) drop_cache_marks(item);
  } else if (value.is_object()) {
    // An object, always: what else has that name is an argument of somebody's tool.
    const Json* mark = value.find("cache_control");
    if (mark != nullptr && (mark->is_object() || mark->is_null())) value.erase("cache_control");
    for (auto& [key, member] : value.as_object()) drop_cache_marks(member);
  }
}

}  // namespace

std::string session_of(const net::Request& request) {
  std::string out;
  for (const std::string_view name : session_headers) {
    if (const std::string* value = request.headers.find(name)) out += *value + "\n";
  }
  return out;
}

std::string kv_user_of(const std::string& client, const net::Request& request) {
  const std::string session = session_of(request);
  if (session.empty()) return {};
  return "session-" + Blake2b().update_sized(client).update_sized(session).finish().short_hex();
}

Digest256 repeat_key(std::string_view dialect, std::string_view client, std::string_view session,
                     const Json& body) {
  Json counted = body;
  for (const std::string_view key : ignored_at_top) counted.erase(key);
  drop_cache_marks(counted);
  Blake2b hash;
  for (const std::string_view part : {dialect, client, session}) hash.update_sized(part);
  return hash.update(dump_json(counted)).finish();
}

}  // namespace hearth::gateway
