#include "hearth/upstream/members.h"

#include <algorithm>
#include <limits>

namespace hearth::upstream {

std::string text_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_string() ? found->as_string() : std::string();
}

std::optional<double> number_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->as_double();
}

std::uint32_t count_of(const Json& object, std::string_view key) {
  const double value = number_of(object, key).value_or(0);
  if (!(value > 0)) return 0;
  return static_cast<std::uint32_t>(std::min<double>(value, std::numeric_limits<std::uint32_t>::max()));
}

std::uint32_t count_in(const Json& object, std::string_view inner, std::string_view key) {
  const Json* found = object.find(inner);
  return found == nullptr ? 0 : count_of(*found, key);
}

void set_text(std::string& target, const Json& object, std::string_view key) {
  if (std::string text = text_of(object, key); !text.empty()) target = std::move(text);
}

}  // namespace hearth::upstream
