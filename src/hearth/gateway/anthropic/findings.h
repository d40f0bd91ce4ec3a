#pragma once
// What is found in passing while a request is read: nothing of it is part of the prompt.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/gateway/fields.h"

namespace hearth::gateway::anthropic {

inline constexpr std::size_t notes_max = 32;
inline constexpr std::size_t noted_word_bytes_max = 64;

struct Findings {
  bool marks_cache = false;
  std::vector<std::string> notes;
  std::vector<std::string> referenced_tools;  // named by tool_reference blocks

  // Each note once. A word of the client's in it is cut short.
  void note(std::string_view what, std::string_view word = {}) {
    std::string text(what);
    if (!word.empty()) text += ": " + std::string(word.substr(0, noted_word_bytes_max));
    if (notes.size() >= notes_max) return;
    if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(std::move(text));
  }

  void look_for_cache_mark(const Json& object) {
    const Json* mark = object.find("cache_control");
    if (mark != nullptr && !mark->is_null()) marks_cache = true;
  }
};

inline ApiResult<void> expect_object(const Json& value, const std::string& path) {
  if (value.is_object()) return {};
  return refuse(path, "expected an object, got " + std::string(value.kind_name()));
}

// nullptr when absent or null.
inline ApiResult<const Json*> find_object(const Json& object, std::string_view key,
                                          std::string_view path = {}) {
  const Json* found = object.find(key);
  if (found == nullptr || found->is_null()) return nullptr;
  TRY(expect_object(*found, field_path(path, key)));
  return found;
}

}  // namespace hearth::gateway::anthropic
