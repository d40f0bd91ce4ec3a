#pragma once
// Tool-call ids live twice. Outside, a client sees random ids that never repeat within a
// conversation (a repeated one sends Claude Code into a loop). Inside, a model sees the form it
// was trained on, Kimi's functions.NAME:IDX, with IDX counting the calls of the conversation from
// 0. The inside form follows from the position alone, so the same history always renders to the
// same prompt, also after a restart or a compaction. Pure values.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "hearth/base/random.h"
#include "hearth/chat/message.h"

namespace hearth::chat {

enum class NativeIds : std::uint8_t {
  none,       // the format shows no ids: the outward id stands in for the native one
  functions,  // functions.NAME:IDX
};

std::string native_id(NativeIds style, std::string_view name, std::size_t index);

// The tool's name in what a model wrote where an id belongs: between the first '.' and the last
// ':' before digits; ids without "functions." or without an index are taken as well.
std::string name_of_native_id(std::string_view id);

// "toolu_" or "call_" + 24 letters and digits.
std::string random_outward_id(std::string_view prefix, Random& random);

// Both ways, for one conversation.
class IdMap {
 public:
  // Numbers the calls by position. The conversation is arranged (message.h).
  static IdMap of(const Conversation& conversation, NativeIds style);

  // Takes a call that the model just made: gives it an outward id that is not in use.
  std::string add(std::string_view name, std::string_view prefix, Random& random);

  // nullopt when there is no such call. An outward id that occurs in two turns means the later.
  std::optional<std::string> native_of(std::string_view outward) const;
  std::optional<std::string> outward_of(std::string_view native) const;
  std::size_t size() const { return count_; }

 private:
  explicit IdMap(NativeIds style) : style_(style) {}
  void put(std::string outward, std::string_view name);

  NativeIds style_;
  std::size_t count_ = 0;
  std::unordered_map<std::string, std::string> native_of_;
  std::unordered_map<std::string, std::string> outward_of_;
};

}  // namespace hearth::chat
