#pragma once
// Members of objects that others wrote, where anything may be missing, null or of another kind: nothing
// then. Private to upstream.

#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/json.h"

namespace hearth::upstream {

std::string text_of(const Json& object, std::string_view key);
std::optional<double> number_of(const Json& object, std::string_view key);
std::uint32_t count_of(const Json& object, std::string_view key);  // 0 when there is none
std::uint32_t count_in(const Json& object, std::string_view inner, std::string_view key);
// Keeps what is there when there is no new text.
void set_text(std::string& target, const Json& object, std::string_view key);

}  // namespace hearth::upstream
