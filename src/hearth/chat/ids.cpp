#include "hearth/chat/ids.h"

#include <fmt/format.h>

namespace hearth::chat {
namespace {

constexpr std::string_view native_prefix = "functions.";
constexpr std::string_view alphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t random_characters = 24;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace

std::string native_id(std::string_view name, std::size_t index) {
  return fmt::format("{}{}:{}", native_prefix, name, index);
}

std::string name_of_native_id(std::string_view id) {
  std::string_view name = trim(id);
  if (const auto colon = name.rfind(':');
      colon != std::string_view::npos && all_digits(name.substr(colon + 1))) {
    name = name.substr(0, colon);
  }
  if (name.starts_with(native_prefix)) name.remove_prefix(native_prefix.size());
  return std::string(name);
}

std::string random_outward_id(std::string_view prefix, Random& random) {
  std::string id(prefix);
  for (std::size_t i = 0; i < random_characters; ++i) {
    id += alphabet[random.below(alphabet.size())];
  }
  return id;
}

}  // namespace hearth::chat
