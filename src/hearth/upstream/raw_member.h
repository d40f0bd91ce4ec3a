#pragma once
// A member of a JSON object as the bytes that stand there. For values that are somebody else's and go
// on unread: numbers keep their digits, unknown members stay. Pure; private to upstream.

#include <optional>
#include <string>
#include <string_view>

namespace hearth::upstream {

// The value of the top-level member `key` in `object`, which parse_json accepts; the last when there are
// several; nothing when it is not there or null.
std::optional<std::string_view> raw_member(std::string_view object, std::string_view key);
// `object` with one more member at its end. `object` is a JSON object that does not have it.
std::string with_raw_member(std::string_view object, std::string_view key, std::string_view value);

}  // namespace hearth::upstream
