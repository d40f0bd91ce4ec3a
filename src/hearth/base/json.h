#pragma once
// A JSON value of our own: keys keep their order (rendered prompts depend on it), numbers keep
// their kind, depth is bounded. The parser behind it lives in json.cpp.
//
// Values, not resources: copyable, comparable. Not thread-safe beyond const access.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/base/result.h"

namespace hearth {

inline constexpr int json_depth_max = 64;

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool v) : value_(v) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Json(T v) {
    if (std::is_unsigned_v<T> && static_cast<std::uint64_t>(v) > INT64_MAX) {
      value_ = static_cast<double>(v);
    } else {
      value_ = static_cast<std::int64_t>(v);
    }
  }
  Json(double v) : value_(v) {}
  Json(const char* v) : value_(std::string(v)) {}
  Json(std::string_view v) : value_(std::string(v)) {}
  Json(std::string v) : value_(std::move(v)) {}
  Json(Array v) : value_(std::move(v)) {}

  // Json::object({{"a", 1}, {"b", Json::array({1, 2})}})
  static Json object(Object members = {}) {
    Json out;
    out.value_ = std::move(members);
    return out;
  }
  static Json array(Array items = {}) { return Json(std::move(items)); }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  std::string_view kind_name() const;

  // Callers have checked the kind: a wrong one is our mistake and a CHECK.
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_double() const;  // of any number
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // nullptr when absent or when this is not an object.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  // Replaces or appends. This must be an object or null (which becomes one).
  Json& set(std::string key, Json value);
  Json& push(Json value);
  bool erase(std::string_view key);

  bool operator==(const Json& other) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

// Whole text, one value. Duplicate keys: the last wins. Integers beyond 64 bits become doubles.
// invalid_argument with the byte position otherwise, also beyond json_depth_max.
Result<Json> parse_json(std::string_view text);

// Compact, or indented when `indent` > 0. Text that is not UTF-8 is written with U+FFFD.
std::string dump_json(const Json& value, int indent = 0);

// Readers for foreign objects: errors name the path ("tools[2].name: expected a string, got null").
// T: bool, std::int64_t, std::uint32_t, std::uint64_t, double, std::string.
template <class T>
Result<T> read_json(const Json& value, std::string_view path);
template <class T>
Result<T> get(const Json& object, std::string_view key, std::string_view path = "");
// Absent or null gives nothing.
template <class T>
Result<std::optional<T>> find(const Json& object, std::string_view key, std::string_view path = "");
template <class T>
Result<T> get_or(const Json& object, std::string_view key, T fallback,
                 std::string_view path = "") {
  const auto found = TRY(find<T>(object, key, path));
  return found ? *found : std::move(fallback);
}

}  // namespace hearth
