#include "hearth/session/transcript.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/file.h"

namespace hearth::session {
namespace {

std::string_view speaker(const chat::Message& message) {
  switch (message.role) {
    case chat::Role::user: return "You";
    case chat::Role::assistant: return "Model";
    case chat::Role::tool: return "Memory";
    case chat::Role::system: break;
  }
  return "Note";
}

std::string calls_text(const chat::Message& message) {
  std::string out;
  for (const chat::ToolCall& call : message.calls) {
    out += fmt::format("[{} {}]\n", call.name, call.raw_arguments.empty() ? dump_json(call.arguments) : call.raw_arguments);
  }
  return out;
}

Json files_json(const MemoryFiles& files) {
  Json out = Json::object();
  for (const auto& [path, text] : files) out.set(path, text);
  return out;
}

}  // namespace

std::string transcript_text(const Session& session, const TranscriptOptions& options) {
  const auto turns = session.tree().user_turns();
  const NodeId from = options.last_turns == 0 || options.last_turns >= turns.size() ? 0 : turns[turns.size() - options.last_turns];
  std::string out;
  for (const Node* node : session.tree().path()) {
    if (node->id < from) continue;
    const chat::Message& message = node->message;
    if (message.role == chat::Role::user) {
      out += fmt::format("> {}\n", message.text);
      continue;
    }
    if (message.role != chat::Role::assistant) continue;
    if (options.thinking && !message.thinking.empty()) out += fmt::format("({})\n", message.thinking);
    out += message.text + (message.text.empty() ? "" : "\n") + calls_text(message);
  }
  return out;
}

std::string transcript_markdown(const Session& session) {
  const SessionFacts& facts = session.facts();
  std::string out = fmt::format("# {}\n\nlabel: {}\n", facts.title.empty() ? facts.id : facts.title, facts.label);
  for (const Node* node : session.tree().path()) {
    const chat::Message& message = node->message;
    out += fmt::format("\n## {}{}\n\n", speaker(message), node->cut ? " (stopped)" : "");
    if (!message.thinking.empty()) out += fmt::format("<details><summary>thinking</summary>\n\n{}\n\n</details>\n\n", message.thinking);
    out += message.text;
    if (!message.text.empty() && !message.text.ends_with('\n')) out += '\n';
    out += calls_text(message);
  }
  return out;
}

Json session_json(const Session& session) {
  const SessionFacts& facts = session.facts();
  Json messages = Json::array();
  for (const Node& node : session.tree().nodes()) {
    Json item = Json::object({{"id", node.id}, {"parent", node.parent}, {"at_s", node.at_s}});
    const Json message = message_json(node.message);
    for (const auto& [key, value] : message.as_object()) item.set(key, value);
    if (node.cut) item.set("cut", true);
    messages.push(std::move(item));
  }
  Json out = Json::object({{"label", facts.label}, {"id", facts.id}, {"title", facts.title}, {"created_s", facts.created_s},
                       {"instructions", facts.instructions}, {"memory_folder", facts.memory_folder},
                       {"head", session.tree().head()}, {"messages", std::move(messages)},
                       {"memory_base", files_json(session.base())}, {"memory", files_json(session.view())}});
  if (!facts.adapter.empty()) out.set("adapter", facts.adapter);
  return out;
}

Result<> write_transcript(const Session& session, const std::filesystem::path& file) {
  const std::string text = file.extension() == ".json" ? dump_json(session_json(session), 2) + "\n" : transcript_markdown(session);
  const FileDescriptor out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out.valid() && errno == EEXIST) {
    return fail(Code::invalid_argument, fmt::format("{} is there already; choose another name", file.string()));
  }
  if (!out.valid()) return fail_errno("create", file, errno);
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(out.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write", file, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace hearth::session
