#include "hearth/session/session_record.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace hearth::session {
namespace {

constexpr std::array all_roles = {chat::Role::system, chat::Role::user, chat::Role::assistant, chat::Role::tool};

Json changes_json(const std::vector<MemoryChange>& changes) {
  Json out = Json::array();
  for (const MemoryChange& change : changes) {
    out.push(Json::object({{"path", change.path}, {"text", change.text ? Json(*change.text) : Json()}}));
  }
  return out;
}

Result<std::vector<MemoryChange>> read_changes(const Json& record, std::string_view key) {
  std::vector<MemoryChange> out;
  const Json* changes = record.find(key);
  if (changes == nullptr) return out;
  if (!changes->is_array()) return fail(Code::corrupt, fmt::format("{}: not a list", key));
  for (const Json& item : changes->as_array()) {
    MemoryChange change;
    change.path = TRY(get<std::string>(item, "path", key));
    TRY(check_memory_path(change.path));
    change.text = TRY(find<std::string>(item, "text", key));
    if (change.text) TRY(check_memory_text(change.path, *change.text));
    out.push_back(std::move(change));
  }
  return out;
}

Result<chat::ToolCall> read_call(const Json& json) {
  chat::ToolCall out;
  out.id = TRY(get<std::string>(json, "id", "calls"));
  out.name = TRY(get<std::string>(json, "name", "calls"));
  out.raw_arguments = TRY(get_or<std::string>(json, "raw_arguments", "", "calls"));
  if (const Json* arguments = json.find("arguments")) out.arguments = *arguments;
  return out;
}

Result<chat::Message> read_message(const Json& json) {
  chat::Message out;
  const auto role = TRY(get<std::string>(json, "role"));
  std::optional<chat::Role> known;
  for (const chat::Role candidate : all_roles) {
    if (chat::role_name(candidate) == role) known = candidate;
  }
  if (!known) return fail(Code::corrupt, "role: none that a message can have");
  out.role = *known;
  out.text = TRY(get<std::string>(json, "text"));
  out.thinking = TRY(get_or<std::string>(json, "thinking", ""));
  out.call_id = TRY(get_or<std::string>(json, "call_id", ""));
  out.handle = TRY(get_or<std::string>(json, "handle", ""));
  const Json* calls = json.find("calls");
  if (calls == nullptr) return out;
  if (!calls->is_array()) return fail(Code::corrupt, "calls: not a list");
  for (const Json& call : calls->as_array()) {
    auto read = TRY(read_call(call));
    out.calls.push_back(std::move(read));
  }
  return out;
}

Json files_json(const MemoryFiles& files) {
  Json out = Json::object();
  for (const auto& [path, text] : files) out.set(path, text);
  return out;
}

Json to_json(const SessionFacts& facts) {
  Json out = Json::object({{"kind", "session"}, {"version", session_version}, {"id", facts.id}, {"title", facts.title},
                           {"label", facts.label}, {"memory_folder", facts.memory_folder},
                           {"instructions", facts.instructions}, {"memory_tool", facts.memory_tool},
                           {"created_s", facts.created_s}});
  if (!facts.adapter.empty()) out.set("adapter", facts.adapter);
  return out;
}
Json to_json(const BaseMemory& base) { return Json::object({{"kind", "memory_base"}, {"files", files_json(base.files)}}); }
Json to_json(const Node& node) {
  Json out = Json::object({{"kind", "message"}, {"id", node.id}, {"parent", node.parent}, {"at_s", node.at_s}});
  const Json message = message_json(node.message);
  for (const auto& [key, value] : message.as_object()) out.set(key, value);
  if (!node.told.empty()) out.set("told", changes_json(node.told));
  if (node.cut) out.set("cut", true);
  if (node.prompt_tokens > 0) out.set("prompt_tokens", node.prompt_tokens);
  if (node.answer_tokens > 0) out.set("answer_tokens", node.answer_tokens);
  return out;
}
Json to_json(const HeadMoved& moved) { return Json::object({{"kind", "head"}, {"head", moved.head}}); }
Json to_json(const MemoryMoved& moved) {
  return Json::object({{"kind", "memory"}, {"in_view", moved.in_view}, {"on_disk", moved.on_disk},
                       {"changes", changes_json(moved.changes)}});
}
Json to_json(const TitleSet& set) { return Json::object({{"kind", "title"}, {"title", set.title}}); }
Json to_json(const LabelRaised& raised) { return Json::object({{"kind", "label"}, {"label", raised.label}}); }

Result<Record> read_facts(const Json& json) {
  if (const auto version = TRY(get<std::int64_t>(json, "version")); version != session_version) {
    return fail(Code::unsupported, fmt::format("session format {}, this program reads {}: use a newer hearth", version,
                                               session_version));
  }
  SessionFacts out;
  out.id = TRY(get<std::string>(json, "id"));
  out.title = TRY(get_or<std::string>(json, "title", ""));
  out.label = TRY(get<std::string>(json, "label"));
  out.memory_folder = TRY(get_or<std::string>(json, "memory_folder", ""));
  out.instructions = TRY(get_or<std::string>(json, "instructions", ""));
  out.memory_tool = TRY(get_or<bool>(json, "memory_tool", true));
  out.created_s = TRY(get_or<std::int64_t>(json, "created_s", 0));
  out.adapter = TRY(get_or<std::string>(json, "adapter", ""));
  return out;
}

Result<Record> read_base(const Json& json) {
  BaseMemory out;
  const Json* files = json.find("files");
  if (files == nullptr || !files->is_object()) return fail(Code::corrupt, "files: not an object");
  for (const auto& [path, text] : files->as_object()) {
    TRY(check_memory_path(path));
    if (!text.is_string()) return fail(Code::corrupt, "files: text expected");
    out.files[path] = text.as_string();
  }
  return out;
}

Result<Record> read_node(const Json& json) {
  Node out;
  out.id = TRY(get<std::uint32_t>(json, "id"));
  out.parent = TRY(get<std::uint32_t>(json, "parent"));
  out.at_s = TRY(get_or<std::int64_t>(json, "at_s", 0));
  out.cut = TRY(get_or<bool>(json, "cut", false));
  out.prompt_tokens = TRY(get_or<std::uint32_t>(json, "prompt_tokens", 0));
  out.answer_tokens = TRY(get_or<std::uint32_t>(json, "answer_tokens", 0));
  out.message = TRY(read_message(json));
  out.told = TRY(read_changes(json, "told"));
  return out;
}

Result<Record> read_moved(const Json& json) {
  MemoryMoved out;
  out.in_view = TRY(get<bool>(json, "in_view"));
  out.on_disk = TRY(get<bool>(json, "on_disk"));
  out.changes = TRY(read_changes(json, "changes"));
  return out;
}

Result<Record> read_record(const Json& json) {
  const auto kind = TRY(get<std::string>(json, "kind"));
  if (kind == "session") return read_facts(json);
  if (kind == "memory_base") return read_base(json);
  if (kind == "message") return read_node(json);
  if (kind == "memory") return read_moved(json);
  if (kind == "head") {
    const auto head = TRY(get<std::uint32_t>(json, "head"));
    return HeadMoved{head};
  }
  if (kind == "title") {
    auto title = TRY(get<std::string>(json, "title"));
    return TitleSet{std::move(title)};
  }
  if (kind == "label") {
    auto label = TRY(get<std::string>(json, "label"));
    return LabelRaised{std::move(label)};
  }
  return fail(Code::corrupt, "kind: none that a session's record can have");
}

}  // namespace

Json message_json(const chat::Message& message) {
  Json out = Json::object({{"role", chat::role_name(message.role)}, {"text", message.text}});
  if (!message.thinking.empty()) out.set("thinking", message.thinking);
  if (!message.calls.empty()) {
    Json calls = Json::array();
    for (const chat::ToolCall& call : message.calls) {
      Json item = Json::object({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
      if (!call.raw_arguments.empty()) item.set("raw_arguments", call.raw_arguments);
      calls.push(std::move(item));
    }
    out.set("calls", std::move(calls));
  }
  if (!message.call_id.empty()) out.set("call_id", message.call_id);
  if (!message.handle.empty()) out.set("handle", message.handle);
  return out;
}

std::string record_text(const Record& record) {
  return dump_json(std::visit([](const auto& one) { return to_json(one); }, record));
}

Result<Record> parse_record(std::string_view text) {
  if (text.size() > record_bytes_max) return fail(Code::corrupt, "a record of more bytes than one can have");
  const auto json = parse_json(text);
  if (!json) return fail(Code::corrupt, json.error().message);
  if (!json->is_object()) return fail(Code::corrupt, "not an object");
  auto record = read_record(*json);
  if (!record && record.error().code != Code::unsupported) {
    return fail(Code::corrupt, std::move(record.error().message));
  }
  return record;
}

}  // namespace hearth::session
