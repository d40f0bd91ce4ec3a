#include "hearth/seal/known_text.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "hearth/base/digest.h"

namespace hearth::seal {
namespace {

constexpr std::size_t answer_bytes_min = 32;
constexpr std::size_t said_bytes_min = 64;
constexpr std::size_t conversation_bytes_min = 48;
constexpr std::size_t id_bytes_min = 8;
constexpr std::string_view text_kind = "text", call_kind = "call";
// What dialects read as text, as calls and as their results: learned as messages.
constexpr std::array<std::string_view, 10> plain_blocks = {"text", "input_text", "output_text", "summary_text", "reasoning_text",
                                                           "thinking", "tool_use", "tool_result", "message", "function"};

Fingerprint short_of(const Digest256& digest) {
  Fingerprint out = 0;
  std::memcpy(&out, digest.bytes.data(), sizeof(out));
  return out;
}

std::string_view text_at(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  return member != nullptr && member->is_string() ? std::string_view(member->as_string()) : std::string_view();
}

bool is_system(const Json& message) {
  const std::string_view role = text_at(message, "role");
  return role == "system" || role == "developer";
}

// A message is one too: it has no type, or says that it is one.
bool is_plain_block(const Json& object) {
  const std::string_view type = text_at(object, "type");
  return std::ranges::find(plain_blocks, type) != plain_blocks.end() || (type.empty() && object.find("role") != nullptr);
}

}  // namespace

Fingerprint FingerprintMaker::of(std::string_view kind, std::string_view text) const {
  return short_of(Blake2b().update_sized(key_).update_sized(kind).update(text).finish());
}

std::vector<Fingerprint> FingerprintMaker::of_messages(const std::vector<chat::Message>& messages) const {
  std::vector<Fingerprint> out;
  Blake2b conversation;
  conversation.update_sized(key_).update_sized("conversation");
  std::size_t bytes = 0;
  for (const chat::Message& message : messages) {
    if (message.role == chat::Role::system) continue;
    const bool is_answer = message.role == chat::Role::assistant;
    conversation.update_sized(chat::role_name(message.role)).update_sized(message.text);
    bytes += message.text.size();
    if (message.text.size() >= (is_answer ? answer_bytes_min : said_bytes_min)) out.push_back(of(text_kind, message.text));
    if (message.thinking.size() >= answer_bytes_min) out.push_back(of(text_kind, message.thinking));
    for (const chat::ToolCall& call : message.calls) {
      if (call.id.size() >= id_bytes_min) out.push_back(of(call_kind, call.id));
    }
    if (message.call_id.size() >= id_bytes_min) out.push_back(of(call_kind, message.call_id));
    if (is_answer && bytes >= conversation_bytes_min) {
      Blake2b so_far = conversation;
      out.push_back(short_of(so_far.finish()));
    }
  }
  return out;
}

std::vector<Fingerprint> FingerprintMaker::of_request(const chat::ChatRequest& request, const Json* body) const {
  std::vector<Fingerprint> out = of_messages(request.conversation.messages);
  if (request.raw_prompt) {
    const auto* text = std::get_if<std::string>(&*request.raw_prompt);
    if (text != nullptr && text->size() >= said_bytes_min) out.push_back(of(text_kind, *text));
  }
  for (const char* list : {"messages", "input"}) {
    const Json* messages = body == nullptr ? nullptr : body->find(list);
    if (messages != nullptr && messages->is_array()) add_blocks(*messages, /*is_learned=*/false, out);
  }
  return out;
}

// `is_learned`: this is within a block that is more than plain text. Depth is bounded by the parser.
void FingerprintMaker::add_blocks(const Json& value, bool is_learned, std::vector<Fingerprint>& out) const {
  if (value.is_string()) {
    if (is_learned && value.as_string().size() >= said_bytes_min) out.push_back(of(text_kind, value.as_string()));
  } else if (value.is_array()) {
    for (const Json& item : value.as_array()) add_blocks(item, is_learned, out);
  } else if (value.is_object()) {
    if (is_system(value)) return;
    const bool is_plain = is_plain_block(value);
    for (const auto& [key, member] : value.as_object()) {
      if (is_plain && !is_learned && key != "content") continue;  // read by the dialects, as a message
      add_blocks(member, is_learned || !is_plain, out);
    }
  }
}

std::vector<Fingerprint> FingerprintMaker::of_strings(const Json& body) const {
  std::vector<Fingerprint> out;
  const auto walk = [&](const auto& self, const Json& value) -> void {
    if (value.is_string()) {
      const std::string& text = value.as_string();
      if (text.size() >= answer_bytes_min) out.push_back(of(text_kind, text));
    } else if (value.is_array()) {
      for (const Json& item : value.as_array()) self(self, item);
    } else if (value.is_object()) {
      for (const auto& [key, member] : value.as_object()) self(self, member);
    }
  };
  walk(walk, body);
  return out;
}

bool KnownText::add(const std::vector<Fingerprint>& fingerprints, Label label, const std::string& conversation,
                    std::vector<Fingerprint>* added) {
  if (label == Label::open) return true;
  const auto owner = owners_.try_emplace(conversation, static_cast<std::uint32_t>(owners_.size())).first->second;
  for (const Fingerprint each : fingerprints) {
    if (is_full() && !known_.contains(each)) return false;
    Known& known = known_[each];
    if (known.label >= label) continue;
    known = {label, owner};
    if (added != nullptr) added->push_back(each);
  }
  return true;
}

void KnownText::forget(const std::string& conversation) {
  const auto owner = owners_.find(conversation);
  if (owner == owners_.end()) return;
  std::erase_if(known_, [&](const auto& entry) { return entry.second.owner == owner->second; });
}

Label KnownText::strictest(const std::vector<Fingerprint>& fingerprints) const {
  Label out = Label::open;
  for (const Fingerprint each : fingerprints) {
    if (const auto found = known_.find(each); found != known_.end()) out = join(out, found->second.label);
  }
  return out;
}

}  // namespace hearth::seal
