#pragma once
// Reads fields of request bodies; a wrong type is an ApiError with the field's path.

#include <optional>
#include <string>
#include <string_view>

#include "hearth/gateway/api.h"

namespace hearth::gateway {

inline std::string field_path(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : std::string(path) + "." + std::string(key);
}
inline std::string item_path(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

inline std::unexpected<ApiError> refuse(std::string field, std::string what) {
  return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request,
                                  .message = field.empty() ? std::move(what) : field + ": " + what,
                                  .field = std::move(field)});
}

// Absent or null gives nothing. T: bool, std::int64_t, std::uint64_t, double, std::string.
template <class T>
ApiResult<std::optional<T>> find_field(const Json& object, std::string_view key,
                                       std::string_view path = {}) {
  auto found = find<T>(object, key, path);
  if (found) return *std::move(found);
  return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request,
                                  .message = std::move(found.error().message),
                                  .field = field_path(path, key)});
}

template <class T>
ApiResult<T> get_field(const Json& object, std::string_view key, std::string_view path = {}) {
  auto found = find_field<T>(object, key, path);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return refuse(field_path(path, key), "is required");
  return **std::move(found);
}

// nullptr when absent or null; an error when it is there and is no array.
inline ApiResult<const Json*> find_array(const Json& object, std::string_view key,
                                         std::string_view path = {}) {
  const Json* found = object.find(key);
  if (found == nullptr || found->is_null()) return nullptr;
  if (found->is_array()) return found;
  return refuse(field_path(path, key), "expected an array, got " + std::string(found->kind_name()));
}

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

}  // namespace hearth::gateway
