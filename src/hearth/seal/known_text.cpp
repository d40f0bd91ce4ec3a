#include "hearth/seal/known_text.h"

#include <cstring>

#include "hearth/base/digest.h"

namespace hearth::seal {
namespace {

constexpr std::size_t answer_bytes_min = 32;
constexpr std::size_t said_bytes_min = 64;
constexpr std::size_t conversation_bytes_min = 48;
constexpr std::size_t id_bytes_min = 8;

Fingerprint short_of(const Digest256& digest) {
  Fingerprint out = 0;
  std::memcpy(&out, digest.bytes.data(), sizeof(out));
  return out;
}

}  // namespace

Fingerprint KnownText::of(std::string_view kind, std::string_view text) const {
  return short_of(Blake2b().update_sized(key_).update_sized(kind).update(text).finish());
}

std::vector<Fingerprint> KnownText::fingerprints(const std::vector<chat::Message>& messages) const {
  std::vector<Fingerprint> out;
  Blake2b conversation;
  conversation.update_sized(key_).update_sized("conversation");
  std::size_t bytes = 0;
  for (const chat::Message& message : messages) {
    if (message.role == chat::Role::system) continue;
    const bool is_answer = message.role == chat::Role::assistant;
    conversation.update_sized(chat::role_name(message.role)).update_sized(message.text);
    bytes += message.text.size();
    if (message.text.size() >= (is_answer ? answer_bytes_min : said_bytes_min)) {
      out.push_back(of(is_answer ? "answer" : "said", message.text));
    }
    for (const chat::ToolCall& call : message.calls) {
      if (call.id.size() >= id_bytes_min) out.push_back(of("call", call.id));
    }
    if (message.call_id.size() >= id_bytes_min) out.push_back(of("call", message.call_id));
    if (is_answer && bytes >= conversation_bytes_min) {
      Blake2b so_far = conversation;
      out.push_back(short_of(so_far.finish()));
    }
  }
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
