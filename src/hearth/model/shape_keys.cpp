#include "hearth/model/shape_keys.h"

#include <fmt/format.h>

namespace hearth::model {

const GgufValue* ShapeKeys::find(std::string_view key) const {
  return find_value(metadata_, fmt::format("{}.{}", architecture_, key));
}

std::unexpected<Error> ShapeKeys::bad(std::string_view key, std::string_view text) const {
  return fail(Code::corrupt, fmt::format("metadata {}.{}: {}", architecture_, key, text));
}

Result<std::uint32_t> ShapeKeys::count(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return bad(key, "missing");
  const auto number = value->as_unsigned();
  if (!number || *number > UINT32_MAX) {
    return bad(key, fmt::format("expected a whole number of 32 bits, got {}",
                                gguf_type_name(value->type)));
  }
  return static_cast<std::uint32_t>(*number);
}

Result<std::uint32_t> ShapeKeys::count_or(std::string_view key, std::uint32_t fallback) const {
  if (!find(key)) return fallback;
  return count(key);
}

Result<double> ShapeKeys::number_or(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  if (!value) return fallback;
  const auto number = value->as_number();
  if (!number) return bad(key, "expected a finite number");
  return *number;
}

std::string ShapeKeys::text_or(std::string_view key, std::string_view fallback) const {
  const GgufValue* value = find(key);
  return value && value->as_string() ? *value->as_string() : std::string(fallback);
}

Result<std::uint32_t> ShapeKeys::layer_count(std::string_view key, std::uint32_t layer) const {
  const GgufValue* value = find(key);
  if (!value) return bad(key, "missing");
  const auto number = value->unsigned_at(layer);
  if (!number || *number > UINT32_MAX) {
    return bad(key, fmt::format("no whole number of 32 bits for layer {}", layer));
  }
  return static_cast<std::uint32_t>(*number);
}

}  // namespace hearth::model
